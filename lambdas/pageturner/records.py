"""The lines of a page object: one JSON object for each item of a page.

An item is JSON text inside its line, because Athena's JSON SerDes do not reliably read a nested object into a string
column. Timestamps are ISO 8601 in UTC, bytes are base64.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import jmespath

from pageturner.page_state import PageState, Place


def _encode(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"a value of type {type(value).__name__} has no JSON form")


# One encoder for all items: json.dumps would make a new one for each.
_ENCODER = json.JSONEncoder(default=_encode, separators=(",", ":"))


def item_json(item: Any) -> str:
    """The JSON text of an item. ASCII, so that no lone surrogate can break a page."""
    return _ENCODER.encode(item)


def item_key(item: Any, text: str, key: str | None) -> str:
    """An item's identity: what `key` (JMESPath) finds in it, or else a hash of its JSON text."""
    found = jmespath.compile(key).search(item) if key else None
    if found is None or found in ("", [], {}):
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return found if isinstance(found, str) else item_json(found)


def records(state: PageState, place: Place, items: Iterable[Any], fetched_at: str) -> Iterator[Mapping[str, Any]]:
    """Yield the record of each item of a page; `fetched_at` is ISO 8601 in UTC."""
    for item in items:
        text = item_json(item)
        yield {
            "crawl": state.crawl.name,
            "run_id": state.run.run_id,
            "account": state.target.account,
            "region": state.target.region,
            "target": state.target.target_id,
            "page": place.page,
            "key": item_key(item, text, state.crawl.key),
            "fetched_at": fetched_at,
            "item": text,
        }
