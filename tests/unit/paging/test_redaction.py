"""What `redact` does to a value; JMESPath itself says which fields a path finds."""

from __future__ import annotations

import copy
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageturner.errors import InvalidCrawlError
from pageturner.paging.redaction import MASK, Redaction
from pageturner.turn.records import item_json

KEY = b"the deployment's"
NAMES = ("a", "b", "c")
PATHS = (
    "a",
    "a.b",
    "a[].b",
    "a[*].b.c",
    "*.a",
    "a.*.b",
    "a[?b=='x'].c",
    "a[?b=='x'].b",
    "[a][?b=='x'].c",
    "a[0].b",
    "@.b",
)


def redacted(value: Any, **paths: list[str]) -> Any:
    redaction = Redaction.of(paths)
    assert redaction is not None
    value = copy.deepcopy(value)
    redaction.apply(value, item_json, KEY)
    return value


def hashed(text: str) -> str:
    return f"hmac-sha256:{hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()}"


def test_dropped_is_gone() -> None:
    assert redacted({"a": 1, "b": [{"c": 1, "d": 2}, {"d": 3}]}, drop=["b[].c"]) == {"a": 1, "b": [{"d": 2}, {"d": 3}]}


def test_masked_keeps_names_and_the_types_of_columns() -> None:
    value = {
        "Variables": {"A": "x", "B": ""},
        "Port": 5,
        "On": True,
        "At": datetime(2026, 1, 1, tzinfo=UTC),
        "Raw": b"x",
    }
    masked = redacted({**value, "Of": [["x", 1], None]}, mask=[*value, "Of"])
    assert masked == {
        "Variables": {"A": MASK, "B": MASK},
        "Port": None,
        "On": None,
        "At": None,
        "Raw": MASK,
        "Of": [[MASK, None], None],
    }


def test_hashed_is_the_same_for_the_same() -> None:
    assert redacted({"a": "x", "b": {"c": 5, "d": [None, True]}}, hash=["a", "b"]) == {
        "a": hashed("x"),
        "b": {"c": hashed("5"), "d": [None, hashed("true")]},
    }


def test_the_stronger_way_wins() -> None:
    value = {"a": {"b": "x", "c": "y"}}
    assert redacted(value, hash=["a"], drop=["a.b"]) == {"a": {"c": hashed("y")}}
    assert redacted(value, hash=["a.b"], mask=["a"]) == {"a": {"b": MASK, "c": MASK}}
    assert redacted(value, mask=["a.b"], drop=["a"]) == {}


def test_a_filter_that_needs_what_another_path_redacts() -> None:
    value = {"a": [{"b": "x", "c": 1}, {"b": "y", "c": 1}]}
    assert redacted(value, drop=["a[].b", "a[?b=='x'].c"]) == {"a": [{}, {"c": 1}]}


def test_a_filter_that_cannot_be_evaluated_says_nothing_of_the_value() -> None:
    with pytest.raises(InvalidCrawlError) as raised:
        redacted({"a": [{"b": {"secret": "sesame"}}]}, mask=["a[?starts_with(b, 'x')].c"])
    assert "sesame" not in str(raised.value)
    assert raised.value.__cause__ is None


SCALARS = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["x", "y"])


def of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    structure = st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    # Not in a list itself: no service answers so, and no check lets a path into it.
    return structure | st.lists(SCALARS | structure, max_size=3)


VALUES = st.recursive(SCALARS, of, max_leaves=12)
STEPS = st.lists(st.sampled_from([*NAMES, "[*]", "*"]), max_size=3).flatmap(
    lambda steps: st.sampled_from(NAMES).map(lambda name: (*steps, name))
)


@given(VALUES, STEPS)
def test_what_a_path_finds_is_dropped_and_nothing_else(value: Any, steps: tuple[str, ...]) -> None:
    path = "".join(step if step == "[*]" else f".{step}" for step in steps).removeprefix(".")
    dropped = redacted(value, drop=[path])
    assert leaves(jmespath.search(path, dropped)) == []
    assert dropped == without(value, *steps)


@given(VALUES, st.sampled_from(PATHS))
def test_what_is_masked_has_no_value_left_and_the_same_form(value: Any, path: str) -> None:
    masked = redacted(value, mask=[path])
    assert {*leaves(jmespath.search(path, masked))} <= {MASK}
    assert form(masked) == form(value)


def without(value: Any, step: str, *steps: str) -> Any:
    """The value without what the steps lead to; the last name is that of all structures in a list that is there."""
    if isinstance(value, list) and not steps and step != "[*]":
        return [without(each, step) for each in value]
    if step == "[*]":
        return [without(each, *steps) for each in value] if isinstance(value, list) else value
    if not isinstance(value, dict):
        return value
    if not steps:
        return {name: each for name, each in value.items() if name != step}
    return {name: without(each, *steps) if step in ("*", name) else each for name, each in value.items()}


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in leaves(each)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in leaves(each)]
    return [] if value is None else [value]


def form(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: form(each) for name, each in value.items()}
    return [form(each) for each in value] if isinstance(value, list) else None
