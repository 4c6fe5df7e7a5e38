"""The rows of the items table: one for each item, in the partition of its listing, and one for each listing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pageturner.stores import keys

# DynamoDB Developer Guide, "Quotas": size of an item.
_LARGEST_ROW = 400 * 1024
# Room for the other attributes of an item: keys of up to 1 KiB, what marks it, and names.
_ROOM = 16 * 1024
# Of that room. Its text is ASCII.
_LARGEST_PARENT = 8 * 1024


@dataclass(frozen=True)
class Change:
    """What a publication changed: an item is `after` now (its JSON text), or its listing has it no longer (None).

    `name` is its identity in the `listing`, and `hash` that of `after`. `kind` says how it changed, `run_id` which run
    changed it, and `page_object` where it is in S3. `parent` (JSON text) is what it says about the item of another
    crawl for which it was listed.
    """

    kind: str
    account: str
    region: str
    target: str
    listing: str
    result_key: str
    key: str
    name: str
    after: str | None
    hash: str
    first_seen: str
    last_changed: str
    fetched_at: str
    run_id: str
    page_object: str
    parent: str | None = None


@dataclass(frozen=True)
class Row:
    """An item in the table. `name` is the sort key; `hash` is empty if an earlier version of Pageturner wrote it."""

    name: str
    key: str
    result_key: str
    hash: str
    is_stale: bool


class Listing(Protocol):
    """What the row of a listing says of it."""

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def parameters(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class ListingRow:
    """A listing in the table."""

    account: str
    region: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def key_of(crawl_name: str, change: Change) -> dict[str, Any]:
    """The primary key of a change's item."""
    return keys.row(keys.partition_key(crawl_name, change.listing), keys.sort_key(change.name))


def item_row(crawl_name: str, number: int, change: Change) -> dict[str, Any]:
    """The row of an item that publication `number` changed, and that is listed."""
    row = {
        **key_of(crawl_name, change),
        "crawl": {"S": crawl_name},
        # A string item is its own key, and can be as large as a page.
        "key": {"S": keys.sort_key(change.key)},
        "publication": {"N": str(number)},
    }
    for name in ("account", "region", "target", "result_key", "hash", "run_id", "page_object"):
        row[name] = {"S": getattr(change, name)}
    for name in ("first_seen", "last_changed", "fetched_at"):
        row[name] = {"S": getattr(change, name)}
    if change.parent is not None and len(change.parent) <= _LARGEST_PARENT:
        row["parent"] = {"S": change.parent}
    if change.after is not None and not is_large(change.after):
        row["item"] = {"S": change.after}
    return row


def is_large(item: str) -> bool:
    """Return whether an item's text, which is ASCII, is too large for DynamoDB; its page object still has it."""
    return len(item) > _LARGEST_ROW - _ROOM


def item_of(row: Mapping[str, Any]) -> Row:
    """The item that a row is of, by the attributes that `ITEM_ATTRIBUTES` names."""
    texts = {name: value["S"] for name, value in row.items()}
    name, hashed = texts["sk"], texts.get("hash", "")
    return Row(name, texts.get("key", name), texts.get("result_key", ""), hashed, is_stale="stale_since" in texts)


# All of `item_of`; most are among DynamoDB's reserved words, or may be some day.
ITEM_ATTRIBUTES = ("sk", "key", "result_key", "hash", "stale_since")


def listing_row(crawl_name: str, listing_id: str, listing: Listing) -> dict[str, Any]:
    """The row of a listing, which says in which partition its items are."""
    return {
        **keys.listing_row(crawl_name, listing.account, listing.region, listing_id),
        "account": {"S": listing.account},
        "region": {"S": listing.region},
        "listing_id": {"S": listing_id},
        "parameters": {"S": json.dumps(listing.parameters, sort_keys=True)},
        "partition": {"S": keys.partition_key(crawl_name, listing_id)},
    }


def listing_of(row: Mapping[str, Any]) -> tuple[str, ListingRow]:
    """The listing that a row is of, after its id."""
    texts = {name: value["S"] for name, value in row.items()}
    return texts["listing_id"], ListingRow(texts["account"], texts["region"], json.loads(texts["parameters"]))
