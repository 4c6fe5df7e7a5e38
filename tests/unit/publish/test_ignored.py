"""What `ignore_fields` leaves out of a comparison; JMESPath itself says which values an expression finds."""

from __future__ import annotations

import json
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageturner.errors import InvalidCrawlError
from pageturner.paging.expressions import named_field
from pageturner.publish.ignored import IgnoredFields
from pageturner.turn.records import item_json

ITEM = {
    "Name": "a",
    "Seen": "2026-11-25T12:00:00Z",
    "Role": {"Id": "r", "Used": {"Region": "eu-west-1", "At": 5}},
    "Parts": [{"Id": 1, "At": 1}, {"Id": 2, "At": 2}, {"Id": 3}, "text", None],
    "Groups": [{"Of": [{"At": 1, "Id": 1}]}, {"Of": [{"At": 2}]}, {"Of": {"At": 3}}],
    "By.name": {"x": {"At": 1}, "y": {"At": 2, "z": 0}},
}


@pytest.mark.parametrize(
    ("expressions", "path_by_hand"),
    [
        (["Seen"], [("Seen",)]),
        (["Role.Used.At"], [("Role", "Used", "At")]),
        (["Role.Used"], [("Role", "Used")]),
        (["Parts[].At"], [("Parts", 0, "At"), ("Parts", 1, "At")]),
        (["Parts[*].At"], [("Parts", 0, "At"), ("Parts", 1, "At")]),
        (["Parts[1].At"], [("Parts", 1, "At")]),
        (["@.Parts[:1].At"], [("Parts", 0, "At")]),
        (["Parts[?Id==`2`].At"], [("Parts", 1, "At")]),
        (["Parts[] | [0].At"], [("Parts", 0, "At")]),
        (
            ["Groups[].Of[].At"],  # [] also takes what is no list
            [("Groups", 0, "Of", 0, "At"), ("Groups", 1, "Of", 0, "At"), ("Groups", 2, "Of", "At")],
        ),
        (["Groups[*].Of[*].At"], [("Groups", 0, "Of", 0, "At"), ("Groups", 1, "Of", 0, "At")]),
        (['"By.name".*.At'], [("By.name", "x", "At"), ("By.name", "y", "At")]),
        # The second needs what the first removes.
        (["Parts[].Id", "Parts[?Id==`2`].At"], [*(("Parts", n, "Id") for n in range(3)), ("Parts", 1, "At")]),
        (["Role.Used.At", "Role"], [("Role",)]),
        (["Role", "Role.Used.At"], [("Role",)]),
        (["Absent", "Name.x", "Absent[].x.y", "Seen[0].x"], []),
        ([], []),
    ],
)
def test_the_fields_are_left_out(expressions: list[str], path_by_hand: list[tuple[Any, ...]]) -> None:
    expected = json.loads(json.dumps(ITEM))
    for *path, name in path_by_hand:
        parent = expected
        for step in path:
            parent = parent[step]
        del parent[name]
    assert IgnoredFields(expressions).without(item_json(ITEM)) == item_json(expected)


@pytest.mark.parametrize("item", ['"text"', "[1,2]", "5", "null"])
def test_an_item_that_is_no_object_stays(item: str) -> None:
    assert IgnoredFields(["Seen", "Parts[].At", "*.x"]).without(item) == item


def test_a_filter_that_does_not_work_on_an_item() -> None:
    with pytest.raises(InvalidCrawlError, match=r'^ignore_fields: "Parts\[\?contains\(Id, \'x\'\)\].At" cannot be'):
        IgnoredFields(["Parts[?contains(Id, 'x')].At"]).without(item_json(ITEM))


@pytest.mark.parametrize("expression", ["Parts[].At", "Role.Used", "*.Id", "Groups[*].Of[*].At", "Parts[?At].At"])
def test_nothing_is_found_any_more(expression: str) -> None:
    assert jmespath.search(expression, ITEM) not in (None, [])
    left = json.loads(IgnoredFields([expression]).without(item_json(ITEM)))
    found = json.dumps(jmespath.search(expression, left))
    assert found.translate(str.maketrans("", "", "[], ")) in ("", "null")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc") | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
PATHS = st.sampled_from(["a", "a.b", "a[].b", "b[*].a.c", "c[?a].b", "*.a", "a[0].b", "a[].b[].c", "a[*][*].b"])


@given(VALUES, st.lists(PATHS, max_size=3))
def test_the_text_stays_canonical(item: Any, expressions: list[str]) -> None:
    text = item_json(item)
    left = IgnoredFields(expressions).without(text)
    assert item_json(json.loads(left)) == left
    assert IgnoredFields(["absent"]).without(text) == text


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ["b"]),
        ({"b": 1, "a": 1}, {"c": 1}, ["a", "b", "c"]),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": 1}, {"a": 1.0}, ["a"]),
        ({"a": {"x": [1, 0]}}, {"a": {"x": [1, False]}}, ["a"]),
        ({}, {"a": None}, ["a"]),
        ({"a": {"Seen": 1, "x": 1}, "Seen": 5}, {"a": {"Seen": 2, "x": 1}, "Seen": 6}, []),
        ({"a": {"Seen": 1, "x": 1}}, {"a": {"Seen": 2, "x": 2}}, ["a"]),
        ("x", {"a": 1}, []),
        ({"a": 1}, [1], []),
    ],
)
def test_the_members_that_differ(before: Any, after: Any, changed: list[str]) -> None:
    ignored = IgnoredFields(["Seen", "a.Seen"])
    assert ignored.changed_fields(item_json(before), item_json(after)) == changed


@pytest.mark.parametrize(
    "expression", ["a[]", "a[0]", "@", "a || b", "[a].b", "{a: b}.a", "keys(@)", "a[?b]", "a.b | @"]
)
def test_what_names_no_field(expression: str) -> None:
    assert named_field(expression) is None
