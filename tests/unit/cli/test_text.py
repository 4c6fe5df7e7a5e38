"""What is drawn on a screen: nothing that a terminal would obey, and nothing wider than it."""

from __future__ import annotations

import io
import json

import pytest
from rich.cells import cell_len

from pageturner_cli.text import (
    Column,
    as_json,
    bytes_of,
    clean,
    columns_of,
    escape_what_cannot_be_encoded,
    json_text,
    shortened,
    table,
    took,
)

COLUMNS = [Column("run", whole=True), Column("outcome"), Column("items", right=True), Column("began", spare=True)]
ROWS = [("buckets-20260203T040506Z-1a2b3c4d", "succeeded", "12", "3 min 00 s ago"), ("b-1", "failed", "1,200", "")]


@pytest.mark.parametrize("character", ["\x1b", "\x07", "\r", "\x9b", "\u202e", "\u2066", "\x00", "\ud800"])
def test_what_a_terminal_would_obey_does_not_reach_it(character: str) -> None:
    assert character not in clean(f"a{character}[31mb")
    assert character not in as_json({"name": f"a{character}b"})
    assert json.loads(as_json({"name": f"a{character}b"})) == {"name": f"a{character}b"}
    assert json.loads(json_text(json.dumps(f"a{character}b", ensure_ascii=False))) == f"a{character}b"


def test_other_text_stays_as_it_is() -> None:
    assert clean("Zürich [bold]東京[/bold]\n2") == "Zürich [bold]東京[/bold]\n2"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks_is_escaped_as_in_json(encoding: str) -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding)
    escape_what_cannot_be_encoded(stream)
    stream.write(as_json({"name": "✓ Zürich 東京 😀"}))
    stream.flush()
    assert json.loads(written.getvalue().decode(encoding)) == {"name": "✓ Zürich 東京 😀"}


def test_a_table_with_room_shows_everything() -> None:
    assert table(COLUMNS, ROWS, 100) == [
        "run                                outcome    items  began",
        "buckets-20260203T040506Z-1a2b3c4d  succeeded     12  3 min 00 s ago",
        "b-1                                failed     1,200",
    ]


def test_in_a_narrow_one_spare_columns_go_and_what_is_copied_stays_whole() -> None:
    lines = table(COLUMNS, ROWS, 50)
    assert lines[0].split() == ["run", "outcome", "items"]
    assert lines[1].startswith(ROWS[0][0])
    assert max(map(cell_len, lines)) <= 50


def test_wide_characters_take_two_columns() -> None:
    lines = table([Column("name"), Column("n", right=True)], [("東京東京東京", "1"), ("a", "22")], 14)
    assert {cell_len(line) for line in lines} == {14}
    assert shortened("東京東京", 5) == "東京…"


def test_numbers_of_a_query_are_on_the_right() -> None:
    rows: list[dict[str, str | None]] = [
        {"key": "a", "size": "9", "share": "0.5"},
        {"key": "b", "size": None, "share": "-1"},
    ]
    assert [column.right for column in columns_of(rows)] == [False, True, True]
    assert columns_of([]) == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (3_660, "1 h 01 min"), (200_000, "2 d 07 h")],
)
def test_durations_have_two_units(seconds: float, said: str) -> None:
    assert took(seconds) == said


def test_bytes_have_a_unit() -> None:
    assert [bytes_of(each) for each in (999, 1_500, 2_000_000, 3e13)] == ["999 B", "1.5 KB", "2.0 MB", "30.0 TB"]
