from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pageturner.paging.identity import Identity
from pageturner.turn.records import item_json, item_key


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"At": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}, '{"At":"2026-01-02T03:04:05Z"}'),
        ({"At": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))}, '{"At":"2026-01-02T01:04:05Z"}'),
        ({"Raw": b"\x00\xff"}, '{"Raw":"AP8="}'),
        ("a string", '"a string"'),
        ({"Name": "\ud800 alone, and ü"}, '{"Name":"\\ud800 alone, and \\u00fc"}'),
        ({"Size": 2**70}, '{"Size":1180591620717411303424}'),
    ],
)
def test_an_item_is_json_text(item: object, expected: str) -> None:
    assert item_json(item) == expected
    assert item_json(item).isascii()
    json.loads(item_json(item))


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        item_json({"x": 1j})


@pytest.mark.parametrize(
    ("item", "key", "expected"),
    [
        ({"Key": "a/b"}, "Key", "a/b"),
        ({"Id": 7}, "Id", "7"),
        ({"Key": "a", "VersionId": "v"}, "[Key, VersionId]", '["a","v"]'),
        ({"Tag": {"Name": "n"}}, "Tag.Name", "n"),
    ],
)
def test_an_items_identity(item: object, key: str, expected: str) -> None:
    assert item_key(item, item_json(item), Identity(key, unique=True)) == expected


def test_an_identity_that_may_not_be_unique_comes_with_a_hash_of_the_item() -> None:
    name = Identity("Name", unique=False)
    one, same, other = ({"Name": "n", "Of": {"a": of, "b": 1}} for of in (1, 1, 2))
    same["Of"] = {"b": 1, "a": 1}
    keys = [item_key(item, item_json(item), name) for item in (one, same, other)]
    assert keys[0] == keys[1] != keys[2]
    assert all(re.fullmatch(r"n#[0-9a-f]{16}", key) for key in keys)


@pytest.mark.parametrize(
    "identity", [None, Identity("Missing", unique=True), Identity("[Missing, No]", unique=True), Identity("No", False)]
)
def test_an_item_without_an_identity_is_known_by_its_hash(identity: Identity | None) -> None:
    one, same, other = ({"Name": name, "Size": 1} for name in ("a", "a", "b"))
    same = dict(reversed(same.items()))
    keys = [item_key(item, item_json(item), identity) for item in (one, same, other)]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0].startswith("sha256:")


def test_the_text_of_an_item_does_not_depend_on_the_order_of_its_members() -> None:
    item = {"b": {"z": 1, "y": [{"d": 1, "c": 2}]}, "a": float("nan")}
    turned = {"a": float("nan"), "b": {"y": [{"c": 2, "d": 1}], "z": 1}}
    assert item_json(item) == item_json(turned) == '{"a":"NaN","b":{"y":[{"c":2,"d":1}],"z":1}}'
