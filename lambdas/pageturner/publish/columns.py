"""The columns of a crawl's table, from botocore's model of its items, and the SQL that fills them.

A column is for ever: it keeps its name, its type and its place, because Athena reads the files of all publications by
the columns of one table. So a member that gets another type gets another column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.detail import with_details
from pageturner.crawls.expression_checks import item_shapes
from pageturner.paging.paginators import STATED
from pageturner.table_names import CHANGES_PARTITION_KEYS

# What every table has besides the members of its items, with Glue's types.
ENVELOPE = (
    ("account", "string"),
    ("region", "string"),
    ("target", "string"),
    ("listing", "string"),
    ("result_key", "string"),
    ("key", "string"),
    ("name", "string"),
    ("shares_key", "boolean"),
    ("hash", "string"),
    ("run_id", "string"),
    ("first_seen", "timestamp"),
    ("last_changed", "timestamp"),
    ("fetched_at", "timestamp"),
    ("page_object", "string"),
    ("parent", "string"),
)
# The last column: the JSON text of the whole item.
ITEM = ("item", "string")
# Stands for the whole item, as in JMESPath, where an item is no object.
_WHOLE = "@"
# Partition keys are columns too, and DuckDB takes them from the folders' names.
_TAKEN = {name for name, _ in (*ENVELOPE, ITEM)} | {*CHANGES_PARTITION_KEYS}
_TYPES = {
    "integer": "bigint",
    "long": "bigint",
    "float": "double",
    "double": "double",
    "boolean": "boolean",
    "timestamp": "timestamp",
}
# What a column takes besides its own type.
_ALSO_TAKES = {"string": set(_TYPES.values()), "double": {"bigint"}}
# TRY_CAST alone would round 1.5 to 2, take "yes" for true, and ignore the offset of a timestamp. Timestamps are cut to
# milliseconds, as Athena has them (DMS API Reference, "ParquetTimestampInMillisecond").
_CASTS = {
    "string": "{0}",
    "bigint": r"CASE WHEN regexp_full_match({0}, '-?[0-9]+(\.0+)?') THEN TRY_CAST({0} AS BIGINT) END",
    "double": "TRY_CAST({0} AS DOUBLE)",
    "boolean": "CASE {0} WHEN 'true' THEN true WHEN 'false' THEN false END",
    "timestamp": "TRY(date_trunc('millisecond', TRY_CAST({0} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')::TIMESTAMP_MS)",
}


@dataclass(frozen=True)
class Column:
    """A column `name` of Glue's `type` for a top-level `member` of the items; "@" is an item that has no members."""

    member: str
    name: str
    type: str


def columns_of(crawl: Crawl, before: Sequence[Column] = ()) -> list[Column]:
    """Return the columns for the members of a crawl's items: those of the publication `before`, then the new ones.

    Where no model describes the items, there are none. Members of which a column takes only the old type, and not that
    of today, get one more.
    """
    # A column of an earlier version can have a name that is the envelope's now.
    columns = [each for each in before if each.name not in _TAKEN]
    for member, kind in _members(crawl).items():
        if not any(each.member == member and _takes(each.type, kind) for each in columns):
            columns.append(Column(member, _free_name(member, {each.name for each in columns}), kind))
    return columns


def all_columns(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Return the names and types of all columns of a table, in order."""
    return [*ENVELOPE, *((each.name, each.type) for each in columns), ITEM]


def expression(column: Column) -> str:
    """Return the DuckDB expression that finds a column's value in `item`: NULL if it is not there, or does not fit.

    Strings come without quotes, and what is nested as JSON text.
    """
    return _cast(_text(column), column.type)


def select_table(columns: Sequence[Column], source: str) -> str:
    """Return the DuckDB query that makes the rows of a table from a `source` in which all of the envelope is text."""
    together = [each for each in columns if each.member != _WHOLE]
    pointers = ", ".join(_pointer(each.member) for each in together)
    # Each item is parsed once for all columns, which takes an eighth of the time.
    texts = f"TRY(json_extract_string(item, [{pointers}]))" if together else "NULL"
    place = {each: f"texts[{number}]" for number, each in enumerate(together, start=1)}
    selected = [
        *(f"{_cast(_quoted(name), kind)} AS {_quoted(name)}" for name, kind in ENVELOPE),
        *(f"{_cast(place.get(each) or _text(each), each.type)} AS {_quoted(each.name)}" for each in columns),
        "item",
    ]
    return f"SELECT {', '.join(selected)} FROM (SELECT *, {texts} AS texts FROM {source})"


def _members(crawl: Crawl) -> Mapping[str, str]:
    """Return the members of the items of all result keys, with their types: text where they have several."""
    whole = crawl.as_dict()
    stated = {name: whole[name] for name in STATED if name in whole}
    types: dict[str, str] = {}
    listed = item_shapes(crawl.service, crawl.operation, stated, crawl.search)
    for shape in with_details(listed, crawl.details) if crawl.details else listed:
        for member, kind in _members_of(shape):
            types[member] = kind if types.get(member, kind) == kind else "string"
    # Also where no model describes the items.
    return types | {each.name: _type(each.shape) for each in crawl.details if each.name not in types}


def _members_of(shape: Any) -> Iterator[tuple[str, str]]:
    if shape is None or shape.type_name == "map":
        return
    if shape.type_name == "structure":
        yield from ((member, _type(its)) for member, its in shape.members.items())
    else:
        yield _WHOLE, _type(shape)


def _type(shape: Any) -> str:
    return _TYPES.get(getattr(shape, "type_name", ""), "string")


def _takes(kind: str, other: str) -> bool:
    return kind == other or other in _ALSO_TAKES.get(kind, ())


def _free_name(member: str, taken: set[str]) -> str:
    name = "value" if member == _WHOLE else re.sub(r"[^a-z0-9_]", "_", member.lower())
    if not name or name[0].isdigit():
        name = f"_{name}"
    if name in _TAKEN:
        name = f"item_{name}"
    return next(free for n in count(1) if (free := name if n == 1 else f"{name}_{n}") not in taken)


def _text(column: Column) -> str:
    # Not valid for DuckDB is what has half of a surrogate pair.
    if column.member == _WHOLE:
        return "TRY(CASE WHEN json_type(item) <> 'OBJECT' THEN json_extract_string(item, '$') END)"
    return f"TRY(json_extract_string(item, {_pointer(column.member)}))"


def _pointer(member: str) -> str:
    """Return the JSON pointer (RFC 6901) to a member, as an SQL string."""
    escaped = member.replace("~", "~0").replace("/", "~1").replace("'", "''")
    return f"'/{escaped}'"


def _cast(text: str, kind: str) -> str:
    return _CASTS[kind].format(text)


def _quoted(name: str) -> str:
    return f'"{name}"'
