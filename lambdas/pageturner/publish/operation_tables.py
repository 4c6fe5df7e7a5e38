"""The tables of a crawl of several operations besides its own: one for each operation, and `resources` over all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.paging import api, pagination
from pageturner.publish.columns import Column, all_columns, columns_of, select_table
from pageturner.publish.database import Database, quoted
from pageturner.publish.rows import copy_to_parquet
from pageturner.stores.publications import Columns, PublishedListing
from pageturner.table_names import TABLE_OF_ALL

RESOURCES_COLUMNS = (
    ("account", "string"),
    ("region", "string"),
    ("service", "string"),
    ("type", "string"),
    ("id", "string"),
    ("arn", "string"),
    ("name", "string"),
    ("tags", "string"),
    ("operation", "string"),
    ("key", "string"),
    ("listing", "string"),
    ("first_seen", "timestamp"),
    ("last_changed", "timestamp"),
    ("fetched_at", "timestamp"),
    ("page_object", "string"),
    ("item", "string"),
)
# What members of an item are called that say what it is, behind its noun or alone.
_ARNS, _IDS, _NAMES = ("arn",), ("id", "identifier"), ("name",)
_TAGS = ("tags", "taglist", "tagset", "resourcetags")
_VERBS = re.compile(r"(list|describe|get)_(all_)?")
# Of an item that is text.
_WHOLE = "$"


def tables_of(crawl: Crawl, published: Iterable[PublishedListing], before: Mapping[str, Columns]) -> dict[str, Columns]:
    """Return the tables of a crawl's operations that have items, or had some `before`, with their columns.

    They are named like ``ec2:describe_vpcs``.
    """
    have_items = {(each.service, each.operation) for each in published if each.service and each.items}
    names = {*before, *(f"{service}:{operation}" for service, operation in have_items)}
    found: dict[str, Columns] = {}
    for name in sorted(names):
        service, operation = name.split(":")
        columns = columns_of(crawl.of(service, operation), [Column(*each) for each in before.get(name, ())])
        found[name] = tuple((each.member, each.name, each.type) for each in columns)
    return found


def columns_in_glue(table: str, columns: Columns) -> Sequence[tuple[str, str]]:
    """Return the names and types of the columns of one of these tables, or of `TABLE_OF_ALL`."""
    return RESOURCES_COLUMNS if table == TABLE_OF_ALL else all_columns([Column(*each) for each in columns])


def write_tables(db: Database, tables: Mapping[str, Columns]) -> Iterator[tuple[str, Path]]:
    """Write what `after` has of each of the tables, and of `resources`, to files. Raises `CannotPublishError`."""
    for number, (name, columns) in enumerate(tables.items()):
        service, operation = name.split(":")
        of = f"service = {quoted(service)} AND operation = {quoted(operation)}"
        own = f"(SELECT after.* FROM after SEMI JOIN (FROM operations WHERE {of}) USING (listing))"
        rows = select_table([Column(*each) for each in columns], own)
        yield name, copy_to_parquet(db, f"{rows} ORDER BY account, region, listing, name", f"table-{number}")
    each_operation = (name.split(":") for name in tables)
    described = ((service, operation, *_described_by(service, operation)) for service, operation in each_operation)
    names = ("service", "operation", "type", "arn_path", "id_path", "name_path", "tags_path")
    db.load("described", dict.fromkeys(names, "VARCHAR"), described)
    yield TABLE_OF_ALL, copy_to_parquet(db, _RESOURCES, TABLE_OF_ALL)


_TEXT = "TRY(json_extract_string(item, {}))"


def _tag_name(key: str, value: str) -> str:
    """The SQL for the tag Name in a list of tags, whose members are called like this."""
    tags = f"""from_json(tags, '[{{"{key}": "VARCHAR", "{value}": "VARCHAR"}}]')"""
    return f"TRY(list_filter({tags}, lambda tag: tag.{key} = 'Name')[1].{value})"


# The tag Name is where people give names to what has none (EC2).
_NAME_TAG = f"TRY(json_extract_string(tags, '$.Name')), {_tag_name('Key', 'Value')}, {_tag_name('key', 'value')}"
_TIMES = ("first_seen", "last_changed", "fetched_at")
_RESOURCES = f"""SELECT account, region, service, type, coalesce(
    id, arn, CASE WHEN NOT starts_with(key, 'sha256:') THEN key END, name, key) AS id,
    coalesce(arn, CASE WHEN starts_with(id, 'arn:') THEN id WHEN starts_with(key, 'arn:') THEN key END) AS arn,
    coalesce(name, {_NAME_TAG}) AS name, tags, operation, key, listing,
    {", ".join(f"TRY_CAST({each} AS TIMESTAMP_MS) AS {each}" for each in _TIMES)}, page_object, item
    FROM (SELECT after.account, after.region, service, type, {_TEXT.format("id_path")} AS id,
        {_TEXT.format("arn_path")} AS arn, {_TEXT.format("name_path")} AS name, {_TEXT.format("tags_path")} AS tags,
        operation, after.key, after.listing, {", ".join(f"after.{each}" for each in _TIMES)}, after.page_object,
        after.item
        FROM after JOIN operations USING (listing) JOIN described USING (service, operation))
    ORDER BY account, region, service, type, id, key"""


def _described_by(service: str, operation: str) -> tuple[str, str | None, str | None, str | None, str | None]:
    """Return the type of an operation's items, and the JSON paths to ARN, ID, name and tags, if its model has them."""
    from pageturner.paging.paginators import paginator_of

    model = api.operation_model(service, operation)
    result_key = pagination.result_keys(paginator_of(service, operation, {}).definition)[0]
    shape: Any = pagination.result_shape(model, result_key)
    item = shape.member if shape is not None and shape.type_name == "list" else shape
    words = _VERBS.sub("", operation)
    kind = _singular(words)
    if item is None or item.type_name != "structure":
        is_arn = item is not None and "arn" in item.name.lower()
        return kind, _WHOLE if is_arn else None, None, None, None
    nouns = ["", kind.replace("_", ""), _singular(result_key.rpartition(".")[2].lower()), kind.rpartition("_")[2]]
    members = {name.lower(): name for name in item.members}

    def path(endings: Sequence[str]) -> str | None:
        found = (members.get(f"{noun}{ending}") for noun in nouns for ending in endings)
        return next((f'$."{name}"' for name in found if name), None)

    tags = next((f'$."{members[name]}"' for name in _TAGS if name in members), None)
    return kind, path(_ARNS), path(_IDS), path(_NAMES), tags


def _singular(words: str) -> str:
    for plural, singular in (
        ("ies", "y"),
        ("sses", "ss"),
        ("xes", "x"),
        ("uses", "us"),
        ("aliases", "alias"),
        ("s", ""),
    ):
        if words.endswith(plural) and not words.endswith("ss"):
            return words.removesuffix(plural) + singular
    return words
