"""The lines of a page object: one JSON object for each item of a page.

An item is JSON text inside its line, because Athena's JSON SerDes do not reliably read a nested object into a string
column. The text is lossless: the operation's model is enough to decode it. It is also canonical: equal items have equal
texts, whatever order a service gives their members in.

- The members of structures and maps are in alphabetical order.
- Timestamps are ISO 8601 in UTC, bytes are base64, sets are lists sorted by the JSON text of their members.
- Decimals are numbers, or strings if a float would round them.
- NaN and the infinities, which JSON does not have, are the strings "NaN", "Infinity" and "-Infinity".

The text is ASCII, so even a lone surrogate cannot break a page.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from json.encoder import c_make_encoder, encode_basestring_ascii  # type: ignore[attr-defined]
from typing import Any

from pageturner.errors import InvalidRequestError
from pageturner.page_state import PageState, Place
from pageturner.paging.expression_limits import Steps
from pageturner.paging.expressions import find
from pageturner.paging.identity import Identity
from pageturner.stores.keys import told_apart
from pageturner.stores.page_store import Facts

# The text of a page's items, with their details, which is in memory several times over. FetchPage has 512 MB.
LARGEST_TEXT = 64 * 2**20


@dataclass(frozen=True)
class ReadPage:
    """A page as it was fetched, before it is committed: its `lines`, with the `facts` that are put with them.

    `errors` are those beside the items, `non_aggregate` the JSON text of what only the first page has, and `answer`
    is the service's.
    """

    lines: list[dict[str, Any]]
    facts: Facts
    errors: list[dict[str, Any]]
    non_aggregate: str | None
    answer: Mapping[str, Any]


@dataclass(frozen=True)
class DetailCounts:
    """How many `details` a page has, how many of them are null (`missing`), and how many that `ignore_errors` names."""

    details: int
    missing: int
    ignored: int


def _encode(value: object) -> Any:
    if isinstance(value, datetime):
        return _timestamp(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=item_json)
    raise TypeError(f"a value of type {type(value).__name__} cannot be encoded as JSON")


def _timestamp(value: datetime) -> str:
    if value.tzinfo is UTC:
        return f"{value.isoformat().removesuffix('+00:00')}Z"
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:  # in the first or last hours that datetime can represent
        return aware.isoformat()


def _number(value: Decimal) -> int | float | str:
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value() and abs(value) < 10**40:
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)


# json's own encoder in C, made once. JSONEncoder makes one for each value, which takes longer than most items. It does
# not look for circles, which a parsed response has not.
_CHUNKS = c_make_encoder(None, _encode, encode_basestring_ascii, None, ":", ",", True, False, False)


def item_json(item: Any) -> str:
    """Return the JSON text of an item.

    Raises `InvalidRequestError` if it is nested too deeply, and `TypeError` for a type that no API response has.
    """
    try:
        try:
            return "".join(_CHUNKS(item, 0))
        except ValueError:  # NaN or an infinity: so rare that only this path checks for it
            return "".join(_CHUNKS(_without_nan(item), 0))
    except RecursionError as error:
        raise InvalidRequestError("an item is nested too deeply to be written as JSON") from error


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _without_nan(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(member) for member in value]
    return value


def item_key(item: Any, text: str, identity: Identity | None, steps: Steps | None = None) -> str:
    """Return an item's key, a function of the item alone.

    It is what `identity` finds in it; followed by a hash of the item's `text` if that may not be unique; or only the
    hash if it finds nothing.
    """
    found = find("key", identity.expression, item, steps) if identity else None
    if identity is None or found in (None, "", [], {}) or (isinstance(found, list) and not any(map(_is_some, found))):
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    key = found if isinstance(found, str) else item_json(found)
    return key if identity.unique else told_apart(key, text)


def _is_some(value: Any) -> bool:
    return value is not None


def records(
    state: PageState,
    place: Place,
    items: Iterable[tuple[str, Any]],
    keys: Mapping[str, Identity | None],
    fetched_at: str,
    redacted: Callable[[str], str] | None = None,
) -> list[dict[str, Any]]:
    """Return the records of a page's items.

    `items` are pairs of result key and item; `keys` has the identity of the items of each result key. `fetched_at` is
    ISO 8601 in UTC. `redacted` makes of an item's text what is kept: its key, too, is found there.

    Raises `InvalidRequestError` if they are too large, or one is nested too deeply.
    """
    same: dict[str, Any] = {
        "crawl": state.crawl.name,
        "run_id": state.run.run_id,
        "account": state.target.account,
        "region": state.target.region,
        "target": state.target.target_id,
        "pass": place.pass_number,
        "page": place.page,
    }
    if state.target.parent is not None:
        same["parent"] = item_json(state.target.parent)
    made: list[dict[str, Any]] = []
    steps, size = Steps(), 0
    for result_key, found in items:
        item, text = found, item_json(found)
        if (size := size + len(text)) > LARGEST_TEXT:
            raise InvalidRequestError(
                f"the items of a page are more than {LARGEST_TEXT // 2**20} MB of text; set a smaller PageSize in "
                "pagination_config, or take less of each item with search"
            )
        if redacted is not None:
            text = redacted(text)
            item = json.loads(text)
        key = item_key(item, text, keys[result_key], steps)
        made.append({**same, "result_key": result_key, "key": key, "fetched_at": fetched_at, "item": text})
    return made
