"""Properties of the items' JSON text: it loses nothing, whatever an API returns."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pageturner.turn.records import item_json

settings.register_profile("pageturner", derandomize=True, deadline=None, max_examples=300)
settings.load_profile("pageturner")

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-11))])
TEXTS = st.text(st.characters(codec=None, categories=None))  # including lone surrogates
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "whole": st.integers(-(2**200), 2**200),
    "float": st.floats(),
    "flag": st.booleans(),
    "bytes": st.binary(),
    "time": st.datetimes(timezones=ZONES),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False),
    "nothing": st.none(),
}


def typed_values() -> st.SearchStrategy[tuple[str, Any]]:
    """Values paired with their types, which a service model would know."""
    leaf: st.SearchStrategy[tuple[str, Any]] = st.one_of(
        [st.tuples(st.just(kind), strategy) for kind, strategy in VALUES.items()]
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map(lambda value: ("list", value)),
            st.dictionaries(TEXTS, inner, max_size=4).map(lambda value: ("map", value)),
        ),
        max_leaves=12,
    )


def plain(typed: tuple[str, Any]) -> Any:
    kind, value = typed
    if kind == "list":
        return [plain(each) for each in value]
    if kind == "map":
        return {key: plain(each) for key, each in value.items()}
    return value


def turned_back(found: Any, typed: tuple[str, Any]) -> Any:
    """Decode parsed JSON with the types of the model: the inverse of the encoding."""
    kind, value = typed
    if kind == "list":
        return [turned_back(each, inner) for each, inner in zip(found, value, strict=True)]
    if kind == "map":
        return {key: turned_back(found[key], inner) for key, inner in value.items()}
    if kind == "bytes":
        return base64.b64decode(found)
    if kind == "time":
        return datetime.fromisoformat(found)
    if kind == "decimal":
        return Decimal(str(found))
    if kind == "float":
        return float(found)
    return found


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


@given(typed_values())
def test_nothing_is_lost(typed: tuple[str, Any]) -> None:
    text = item_json(plain(typed))
    assert text.isascii()
    assert "\n" not in text

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    found = json.loads(text, parse_constant=refuse)
    assert same(turned_back(found, typed), plain(typed))


@given(st.sets(st.integers()), st.sets(st.text()))
def test_a_set_is_a_list_in_an_order_of_its_own(numbers: set[int], texts: set[str]) -> None:
    text = item_json({"numbers": numbers, "texts": texts})
    found = json.loads(text)
    assert (set(found["numbers"]), set(found["texts"])) == (numbers, texts)
    assert found["numbers"] == sorted(numbers, key=str)
