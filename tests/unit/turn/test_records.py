from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

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
    assert item_key(item, item_json(item), key) == expected


@pytest.mark.parametrize("key", [None, "Missing"])
def test_an_item_without_an_identity_is_known_by_its_hash(key: str | None) -> None:
    one, same, other = ({"Name": name} for name in ("a", "a", "b"))
    keys = [item_key(item, item_json(item), key) for item in (one, same, other)]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0].startswith("sha256:")
