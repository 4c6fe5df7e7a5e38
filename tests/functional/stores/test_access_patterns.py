"""The ways to read the items table that docs/reference.md documents: its code, as it stands there, on moto."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pageturner.crawls.crawl import Crawl
from pageturner.stores.item_rows import Change, ListingRow
from pageturner.stores.keys import item_hash
from tests.conftest import Aws
from tests.published_items import SINCE, gone, listed, table_of

REFERENCE = Path(__file__).parents[3] / "docs" / "reference.md"
SECTION = REFERENCE.read_text(encoding="utf-8").partition("\n## Items in DynamoDB\n")[2].partition("\n## ")[0]
CODE = re.findall(r"^```python\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)

OBJECTS = Crawl("objects", "s3", "list_objects_v2", stale_items="mark", time_to_live=1)
OTHER = Crawl("objects-too", "s3", "list_objects_v2")
LISTINGS = {
    "l1": ListingRow("111122223333", "eu-west-1", {"Bucket": "logs"}),
    "l2": ListingRow("111122223333", "eu-west-1", {"Bucket": "media"}),
    "l3": ListingRow("111122223333", "eu-west-10", {"Bucket": "far"}),
    "l4": ListingRow("444455556666", "eu-west-1", {"Bucket": "theirs"}),
}
LARGE = "x" * 400_000


def item(listing: str, key: str, **members: Any) -> Change:
    text = json.dumps({"Key": key, **members}, sort_keys=True, separators=(",", ":"))
    at = LISTINGS[listing]
    parent = json.dumps({"key": at.parameters["Bucket"]})
    return listed(key, text, listing=listing, account=at.account, region=at.region, hash=item_hash(text), parent=parent)


@pytest.fixture
def found(aws: Aws) -> dict[str, Any]:
    """What the names of the documented code are, after it has run."""
    table = table_of(aws.dynamodb, OBJECTS)
    assert table.tell_listings("objects", 1, LISTINGS, {})
    logs = [item("l1", "2026/app.log"), item("l1", "2026/large", Text=LARGE), item("l1", "2025/app.log")]
    # More than one page of DynamoDB's answer.
    many = [item("l2", f"{n:03}", Text="x" * 10_000) for n in range(150)]
    assert table.tell(OBJECTS, 1, [*logs, *many, item("l3", "a"), item("l4", "a")], 0, SINCE)
    assert table.tell(OBJECTS, 1, [gone("2025/app.log")], 0, SINCE)
    other = table_of(aws.dynamodb, OTHER)
    assert other.tell_listings("objects-too", 1, LISTINGS, {})
    assert other.tell(OTHER, 1, [item("l1", "2026/other")], 0, SINCE)
    names: dict[str, Any] = {"items_table": aws.items_table, "items_bucket": aws.bucket}
    for block in CODE:
        exec(compile(block, str(REFERENCE), "exec"), names)  # noqa: S102 - it is ours
    return names


def keys_of(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["sk"] for row in rows)


def test_listings(found: dict[str, Any]) -> None:
    assert len(CODE) == 5
    assert [row["listing_id"] for row in found["listings"]] == ["l1", "l2", "l3", "l4"]
    assert [row["listing_id"] for row in found["of_account"]] == ["l1", "l2", "l3"]
    assert [row["listing_id"] for row in found["of_region"]] == ["l1", "l2"]
    assert found["of_bucket"]["listing_id"] == "l1"


def test_items(found: dict[str, Any]) -> None:
    of_logs, of_media = ["2025/app.log", "2026/app.log", "2026/large"], [f"{n:03}" for n in range(150)]
    assert found["table"].get_item(Key={"pk": "objects#l1", "sk": "2026/app.log"})["Item"]["key"] == "2026/app.log"
    assert keys_of(found["of_listing"]) == of_logs
    assert keys_of(found["of_year"]) == of_logs[1:]
    assert keys_of(found["still_listed"]) == of_logs[1:]
    assert keys_of(found["of_crawl"]) == sorted([*of_logs, *of_media, "a", "a"])
    assert keys_of(found["in_region"]) == sorted([*of_logs, *of_media])


def test_an_item_is_read_however_large_it_is(aws: Aws, found: dict[str, Any]) -> None:
    changes = [item("l1", "2026/app.log"), item("l1", "2026/large", Text=LARGE)]
    lines = [json.dumps({"item": change.after}) for change in changes]
    aws.s3.put_object(Bucket=aws.bucket, Key=changes[0].page_object, Body=gzip.compress("\n".join(lines).encode()))
    read = {row["sk"]: found["item_of"](row) for row in found["still_listed"]}
    assert read == {change.name: json.loads(change.after or "") for change in changes}
    assert ["item" in row for row in found["still_listed"]] == [True, False]


def test_the_table_of_attributes_is_complete(found: dict[str, Any]) -> None:
    table = SECTION.partition("| | an item")[2].partition("\n\n")[0]
    documented = set(re.findall(r"`(\w+)`", table))
    of_items = {name for row in found["of_listing"] for name in row}
    of_listings = {name for row in found["listings"] for name in row}
    assert documented - {"time_to_live"} == of_items | of_listings
