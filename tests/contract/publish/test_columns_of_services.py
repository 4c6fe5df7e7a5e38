"""The columns of real services: every paginator has good ones, and items with every member come back from Parquet.

The model makes the items, `item_json` their texts, and Python says what each column must have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.expression_checks import item_shapes
from pageturner.paging import api
from pageturner.publish.columns import ENVELOPE, ITEM, Column, all_columns, columns_of, select_table
from pageturner.turn.records import item_json

SERVICES = (
    *("acm", "athena", "autoscaling", "cloudformation", "cloudfront", "cloudwatch", "dynamodb", "ec2", "ecs", "eks"),
    *("elbv2", "events", "iam", "kms", "lambda", "logs", "rds", "route53", "s3", "secretsmanager", "sns", "sqs"),
    *("ssm", "stepfunctions"),
)
IN_DUCKDB = {
    "string": "VARCHAR",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
}
# Three values of each type; the second is the least usual.
VALUES: dict[str, Sequence[Any]] = {
    "string": ("s", "é\n\"'\\ \x00😀/$", ""),
    "integer": (1, -(2**31), 0),
    "long": (1, 2**63 - 1, -(2**63)),
    "float": (0.5, 1e-300, -0.0),
    "double": (0.1, 1.7976931348623157e308, 12.0),
    "boolean": (True, False, True),
    "timestamp": (
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=timezone(timedelta(hours=-7))),
        datetime(1970, 1, 1, tzinfo=UTC),
    ),
    "blob": (b"s", b"\x00\xff", b""),
}


def paginators() -> Iterator[Crawl]:
    for service in api.service_names():
        for operation in api.operation_names(service):
            if api.official_paginator(service, operation) is not None:
                yield Crawl("c", service, operation)


def test_every_paginator_has_columns_with_safe_names_that_stay() -> None:
    seen = 0
    for crawl in paginators():
        columns = columns_of(crawl)
        names = [name for name, _ in all_columns(columns)]
        assert len(set(names)) == len(names), crawl
        assert all(re.fullmatch("[a-z_][a-z0-9_]{0,126}", name) for name in names), crawl
        assert {each.type for each in columns} <= IN_DUCKDB.keys()
        assert columns_of(crawl, columns) == columns
        assert columns_of(crawl, columns[::-1]) == columns[::-1]
        seen += bool(columns)
    assert seen > 3400


def example(shape: Any, number: int, depth: int = 0) -> Any:
    """Return a value with every member of a shape."""
    if depth > 5:
        return None
    if shape.type_name == "structure":
        return {name: example(member, number, depth + 1) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return [example(shape.member, n, depth + 1) for n in range(number)]
    if shape.type_name == "map":
        return {f"k{n}": example(shape.value, n, depth + 1) for n in range(number)}
    return VALUES[shape.type_name][number]


def expected(item: Any, column: Column) -> Any:
    """Return what a column must have for an item."""
    value = item if column.member == "@" else item.get(column.member) if isinstance(item, dict) else None
    if value is None or (column.member == "@" and isinstance(item, dict)):
        return None
    if column.type == "timestamp":
        milliseconds = value.microsecond // 1000
        return value.astimezone(UTC).replace(microsecond=milliseconds * 1000, tzinfo=None)
    if column.type != "string":
        return value
    encoded = json.loads(item_json(value))
    return encoded if isinstance(encoded, str) else json.dumps(encoded)


def comparable(value: Any) -> Any:
    """Nested values as values: DuckDB writes é and 1e-7 where Python writes \\u00e9 and 1e-07."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json.loads(value)
    return value


def load(db: duckdb.DuckDBPyConnection, items: Sequence[Any]) -> None:
    """Make the table `source` of items."""
    texts = ", ".join(f'"{name}" VARCHAR' for name, _ in (*ENVELOPE, ITEM))
    db.execute(f"CREATE OR REPLACE TABLE source ({texts})")
    rows = [
        [*("2026-11-25T12:00:00.123Z" if kind == "timestamp" else str(number) for _, kind in ENVELOPE), item_json(item)]
        for number, item in enumerate(items)
    ]
    row = f"({', '.join('?' * len(rows[0]))})"
    db.execute(f"INSERT INTO source VALUES {', '.join([row] * len(rows))}", [each for row in rows for each in row])  # noqa: S608


def write(db: duckdb.DuckDBPyConnection, columns: Sequence[Column], file: Path) -> None:
    db.execute(f"COPY ({select_table(columns, 'source')}) TO '{file}' (FORMAT parquet)")


@pytest.mark.parametrize("service", SERVICES)
def test_items_come_back_from_parquet_as_they_were(service: str, tmp_path: Path) -> None:
    db = duckdb.connect(config={"threads": 1})
    seen = 0
    for operation in api.operation_names(service):
        if api.official_paginator(service, operation) is None:
            continue
        crawl = Crawl("c", service, operation)
        columns = columns_of(crawl)
        shapes = [each for each in item_shapes(service, operation, {}, None) if each is not None]
        items = [example(shape, number) for shape in shapes for number in range(3)]
        # What an older publication had: some of the columns, and one that no item has any more.
        older = [*columns[::2], Column("Gone", "gone", "bigint")]
        wider = columns_of(crawl, older)
        assert wider[: len(older)] == older
        assert sorted(map(str, wider)) == sorted(map(str, {*columns, *older}))
        load(db, items)
        write(db, older, tmp_path / "older.parquet")
        write(db, wider, tmp_path / "wider.parquet")

        files = f"['{tmp_path}/older.parquet', '{tmp_path}/wider.parquet']"
        names = ", ".join(f'"{each.name}"' for each in wider)
        query = (
            f"SELECT {names}, item FROM read_parquet({files}, union_by_name = true, filename = true)"  # noqa: S608
            " ORDER BY filename, CAST(account AS INTEGER)"
        )
        result = db.execute(query)
        assert [str(each[1]) for each in result.description] == [
            *(IN_DUCKDB[each.type] for each in wider),
            "VARCHAR",
        ], operation
        rows = result.fetchall()
        schema = db.execute(f"SELECT name, converted_type FROM parquet_schema('{tmp_path}/wider.parquet')").fetchall()  # noqa: S608
        timestamps = [name for name, kind in all_columns(wider) if kind == "timestamp"]
        assert [name for name, kind in schema if kind == "TIMESTAMP_MILLIS"] == timestamps
        assert len(rows) == 2 * len(items)
        for row, item in zip(rows, [*items, *items], strict=True):
            assert row[-1] == item_json(item)
        for row, item in zip(rows[len(items) :], items, strict=True):
            wanted = [expected(item, each) for each in wider]
            assert list(map(comparable, row[:-1])) == list(map(comparable, wanted)), operation
        for row, later in zip(rows[: len(items)], rows[len(items) :], strict=True):
            assert row[: len(older)] == later[: len(older)]
            assert set(row[len(older) : -1]) <= {None}
        seen += 1
    assert seen > 0


def test_a_member_that_gets_another_type_leaves_older_files_readable(tmp_path: Path) -> None:
    db = duckdb.connect()
    crawl = Crawl("c", "s3", "list_objects_v2", search="Contents")
    before = [replace(each, type="bigint") if each.member == "ETag" else each for each in columns_of(crawl)]
    after = columns_of(crawl, before)
    assert after == [*before, Column("ETag", "etag_2", "string")]
    load(db, [{"ETag": 5}])
    write(db, before, tmp_path / "1.parquet")
    load(db, [{"ETag": "five"}])
    write(db, after, tmp_path / "2.parquet")
    files = f"read_parquet('{tmp_path}/*.parquet', union_by_name = true, filename = true)"
    rows = db.execute(f"SELECT etag, etag_2 FROM {files} ORDER BY filename").fetchall()  # noqa: S608
    assert rows == [(5, None), (None, "five")]
