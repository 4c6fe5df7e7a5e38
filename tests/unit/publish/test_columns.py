"""Which columns a table has, and what DuckDB makes of an item. Only the shapes of the items are made up."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import duckdb
import pytest
from botocore.model import Shape, ShapeResolver

from pageturner.crawls.crawl import Crawl
from pageturner.paging.expression_shapes import Structure
from pageturner.publish import columns
from pageturner.publish.columns import ENVELOPE, ITEM, Column, columns_of, expression, select_table

CRAWL = Crawl("c", "iam", "list_roles")
TEXT, LONG, INTEGER, DOUBLE, BOOLEAN, TIME, BLOB = (
    Shape(kind, {"type": kind}) for kind in ("string", "long", "integer", "double", "boolean", "timestamp", "blob")
)
MODEL: dict[str, Any] = {
    "List": {"type": "list", "member": {"shape": "S"}},
    "Map": {"type": "map", "key": {"shape": "S"}, "value": {"shape": "S"}},
    "Document": {"type": "structure", "members": {}, "document": True},
    "S": {"type": "string"},
}
RESOLVER = ShapeResolver(MODEL)
LIST = RESOLVER.get_shape_by_name("List")
Made = Callable[..., list[Column]]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Returns the columns of items with these members, one mapping (or shape) for each result key."""

    def of(*shapes: Mapping[str, Any] | Any, before: list[Column] | None = None) -> list[Column]:
        found = [Structure(shape) if isinstance(shape, Mapping) else shape for shape in shapes]
        monkeypatch.setattr(columns, "item_shapes", lambda *_: iter(found))
        return columns_of(CRAWL, before or [])

    return of


def names(found: list[Column]) -> list[str]:
    return [each.name for each in found]


def test_each_type_of_the_model_has_one_of_athena(made: Made) -> None:
    members = {
        "s": TEXT,
        "l": LONG,
        "i": INTEGER,
        "d": DOUBLE,
        "b": BOOLEAN,
        "t": TIME,
        "x": BLOB,
        "n": LIST,
        "u": None,
    }
    assert [(each.name, each.type) for each in made(members)] == [
        ("s", "string"),
        ("l", "bigint"),
        ("i", "bigint"),
        ("d", "double"),
        ("b", "boolean"),
        ("t", "timestamp"),
        ("x", "string"),
        ("n", "string"),
        ("u", "string"),
    ]


def test_names_are_safe_in_sql_and_differ(made: Made) -> None:
    members = ["RoleName", "Name", "item", "1st", "a.b-c d", "É", "", "Run", "Crawl", "item_name", "Item_Name"]
    assert names(made(dict.fromkeys(members, TEXT))) == [
        *("rolename", "item_name", "item_item", "_1st", "a_b_c_d", "_", "__2", "item_run", "item_crawl"),
        *("item_name_2", "item_name_3"),
    ]


def test_members_that_differ_only_in_case_have_columns_of_their_own(made: Made) -> None:
    found = made({"State": TEXT, "state": LONG, "state_2": TEXT, "STATE": TEXT})
    assert names(found) == ["state", "state_2", "state_2_2", "state_3"]


def test_several_result_keys_have_the_members_of_all(made: Made) -> None:
    found = made({"Id": TEXT, "Size": LONG}, {"Size": TEXT, "Id": TEXT, "More": LONG}, TEXT)
    assert found == [
        Column("Id", "id", "string"),
        Column("Size", "size", "string"),
        Column("More", "more", "bigint"),
        Column("@", "value", "string"),
    ]


@pytest.mark.parametrize(
    ("shape", "kind"), [(TEXT, "string"), (INTEGER, "bigint"), (LIST, "string"), (BLOB, "string"), (TIME, "timestamp")]
)
def test_items_without_members_have_one_column(made: Made, shape: Shape, kind: str) -> None:
    assert made(shape) == [Column("@", "value", kind)]


def test_items_that_no_model_describes_have_none(made: Made) -> None:
    assert made(None, *map(RESOLVER.get_shape_by_name, ("Map", "Document"))) == []


@pytest.mark.parametrize(
    ("crawl", "some"),
    [
        (Crawl("c", "s3", "list_objects_v2"), {"Key": "item_key", "Size": "size", "Prefix": "prefix"}),
        (Crawl("c", "s3", "list_objects_v2", search="Contents[].Owner"), {"ID": "id"}),
        (Crawl("c", "s3", "list_objects_v2", search="Contents[].{size: Size, Run: Key}"), {"Run": "item_run"}),
        (Crawl("c", "s3", "list_objects_v2", result_key="CommonPrefixes"), {"Prefix": "prefix"}),
        (Crawl("c", "dynamodb", "list_tables"), {"@": "value"}),
        (Crawl("c", "apigateway", "get_models"), {"id": "id", "name": "item_name"}),
        (Crawl("c", "lakeformation", "get_table_objects"), {"PartitionValues": "partitionvalues"}),
    ],
)
def test_the_items_of_real_crawls(crawl: Crawl, some: dict[str, str]) -> None:
    found = {each.member: each.name for each in columns_of(crawl)}
    assert found.items() >= some.items()


@pytest.mark.parametrize("crawl", [Crawl("c", "dynamodb", "scan"), Crawl("c", "s3", "list_buckets", search="[1]")])
def test_real_crawls_whose_items_can_be_anything(crawl: Crawl) -> None:
    assert columns_of(crawl) == []


def test_what_a_search_selects_has_the_types_of_what_it_takes() -> None:
    search = "Contents[].{key: Key, Size: Size, owner: Owner, at: LastModified, n: length(Key), both: [Key, ETag]}"
    assert columns_of(Crawl("c", "s3", "list_objects_v2", search=search)) == [
        Column("key", "item_key", "string"),
        Column("Size", "size", "bigint"),
        Column("owner", "owner", "string"),
        Column("at", "at", "timestamp"),
        Column("n", "n", "string"),
        Column("both", "both", "string"),
    ]


def test_the_entries_of_a_map_have_a_key_and_a_value(made: Made) -> None:
    found = columns_of(Crawl("c", "apigateway", "get_usage"))
    assert [(each.member, each.name, each.type) for each in found] == [
        ("key", "item_key", "string"),
        ("value", "value", "string"),
    ]


def test_columns_keep_names_and_places_and_new_ones_come_last(made: Made) -> None:
    before = made({"State": TEXT, "Name": TEXT, "Gone": LONG})
    found = made({"New": LONG, "state": TEXT, "Name": TEXT, "State": TEXT}, before=before)
    assert found[:3] == before
    assert found[3:] == [Column("New", "new", "bigint"), Column("state", "state_2", "string")]
    assert made({"New": LONG, "Gone": LONG}, before=found) == found


@pytest.mark.parametrize(
    ("old", "new", "more"),
    [
        (TEXT, LONG, []),
        (TEXT, TIME, []),
        (DOUBLE, LONG, []),
        (LONG, INTEGER, []),
        (LONG, DOUBLE, ["double"]),
        (LONG, TEXT, ["string"]),
        (TIME, TEXT, ["string"]),
        (BOOLEAN, LONG, ["bigint"]),
    ],
)
def test_a_member_with_another_type_gets_another_column(made: Made, old: Shape, new: Shape, more: list[str]) -> None:
    before = made({"Size": old})
    found = made({"Size": new}, before=before)
    assert found == before + [Column("Size", "size_2", kind) for kind in more]
    assert made({"Size": new}, before=found) == found
    assert made({"Size": old}, before=found) == found


# What the source of a table has, and what the table has then, where that is not the same.
TEXTS = {"timestamp": "2026-11-25T12:00:00.123Z", "boolean": "true"}
TYPED = {"timestamp": datetime(2026, 11, 25, 12, 0, 0, 123000), "boolean": True}  # noqa: DTZ001 - Athena's has no zone


def read(column: Column, *items: Any) -> list[Any]:
    """Return what a column has for items, alone and in a whole table."""
    db = duckdb.connect()
    db.execute("SET TimeZone = 'America/New_York'")  # must not matter
    texts = [f'"{name}" VARCHAR' for name, _ in (*ENVELOPE, ITEM)]
    db.execute(f"CREATE TABLE source ({', '.join(texts)})")
    for item in items:
        given = [TEXTS.get(kind, name) for name, kind in ENVELOPE]
        text = json.dumps(item, separators=(",", ":"))
        db.execute(f"INSERT INTO source VALUES ({', '.join('?' * len(texts))})", [*given, text])  # noqa: S608
    alone = [value for (value,) in db.execute(f"SELECT {expression(column)} FROM source").fetchall()]  # noqa: S608
    table = db.execute(select_table([Column("Other", "other", "string"), column], "source"))
    assert [each[0] for each in table.description] == [*(n for n, _ in ENVELOPE), "other", column.name, "item"]
    rows = table.fetchall()
    assert repr([row[-2] for row in rows]) == repr(alone)
    for row, item in zip(rows, items, strict=True):
        assert json.loads(row[-1]) == item
        assert row[: len(ENVELOPE)] == tuple(TYPED.get(kind, name) for name, kind in ENVELOPE)
    return alone


MEMBERS = ["plain", "a.b", 'a"b', "a'b", "$", "$.x", "a b", "a/b", "a~b", "~1", "*", "[0]", "0", "é", "", "#", "a\\b"]


@pytest.mark.parametrize("member", MEMBERS)
def test_any_member_name(member: str) -> None:
    whole = {name: name.upper() + "?" for name in MEMBERS}
    assert read(Column(member, "x", "string"), whole, {}) == [member.upper() + "?", None]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", "é\n\"'\\ \x00😀", "é\n\"'\\ \x00😀"),
        ("string", "", ""),
        ("string", None, None),
        ("string", 5, "5"),
        ("string", False, "false"),
        ("string", {"a": [1, None, "x y", {"é": 0.1}]}, '{"a":[1,null,"x y",{"é":0.1}]}'),
        ("string", [], "[]"),
        ("bigint", 5, 5),
        ("bigint", -(2**63), -(2**63)),
        ("bigint", "12", 12),
        ("bigint", 12.0, 12),
        ("bigint", 2**63, None),
        ("bigint", 1.5, None),
        ("bigint", True, None),
        ("bigint", "x", None),
        ("bigint", "0x10", None),
        ("bigint", {"a": 1}, None),
        ("double", 0.1, 0.1),
        ("double", 1e300, 1e300),
        ("double", 5, 5.0),
        ("double", "12.50", 12.5),
        ("double", "-Infinity", -math.inf),
        ("double", "x", None),
        ("double", True, None),
        ("boolean", True, True),
        ("boolean", False, False),
        ("boolean", "yes", None),
        ("boolean", 1, None),
        ("timestamp", "2026-11-25T12:00:00Z", "2026-11-25 12:00:00"),
        ("timestamp", "2026-11-25T12:00:00.5Z", "2026-11-25 12:00:00.500000"),
        ("timestamp", "2026-11-25T12:00:00.123456+00:00", "2026-11-25 12:00:00.123456"),
        ("timestamp", "2026-11-25T14:00:00+02:00", "2026-11-25 12:00:00"),
        ("timestamp", "0001-01-01T00:00:00Z", "0001-01-01 00:00:00"),
        ("timestamp", "9999-12-31T23:59:59.999999Z", "9999-12-31 23:59:59.999999"),
        ("timestamp", "soon", None),
        ("timestamp", 5, None),
    ],
)
def test_a_value_that_does_not_fit_is_null(kind: str, value: Any, expected: Any) -> None:
    (found,) = read(Column("Member", "member", kind), {"Member": value})
    assert (str(found) if isinstance(found, datetime) else found) == expected
    assert type(found) in (type(expected), datetime)


def test_numbers_that_json_does_not_have() -> None:
    (found,) = read(Column("Member", "member", "double"), {"Member": "NaN"})
    assert math.isnan(found)


def test_items_without_members() -> None:
    items = ["text", "", 5, [1, "x"], {"Member": 1}, None]
    assert read(Column("@", "value", "string"), *items) == ["text", "", "5", '[1,"x"]', None, None]
    assert read(Column("Member", "member", "bigint"), *items) == [None, None, None, None, 1, None]


def test_half_of_a_surrogate_pair_costs_only_the_columns_of_its_item() -> None:
    items = [{"Member": "a"}, {"Member": "b", "Other": "\ud800"}, {"Member": "c"}]
    assert read(Column("Member", "member", "string"), *items) == ["a", None, "c"]
