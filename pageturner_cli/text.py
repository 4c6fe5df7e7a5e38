"""Text on a screen of any width: what comes from AWS is text, and neither markup nor control sequences."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import TextIOWrapper
from typing import Any

from rich.cells import cell_len, set_cell_size

# C0 and C1 controls, and what reverses or breaks a line.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LEAST_WIDTH = 6
_GAP = 2


def clean(text: object) -> str:
    """A text without anything that a terminal would obey; line feeds stay."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text).replace("\r\n", "\n").replace("\t", " "))


def one_line(text: object) -> str:
    """The same on one line."""
    return " ".join(clean(text).split())


def shortened(text: str, most: int) -> str:
    """A text that takes at most so many columns of a terminal."""
    return text if cell_len(text) <= most else f"{set_cell_size(text, max(most - 1, 0)).rstrip()}…"


def as_json(document: Any) -> str:
    """A JSON text on one line, without what a terminal would obey."""
    return json_text(json.dumps(document, ensure_ascii=False, default=str))


def json_text(text: str) -> str:
    """A JSON text in which what a terminal would obey is escaped; it can only be in strings."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def escape_what_cannot_be_encoded(stream: TextIOWrapper) -> None:
    """Have a stream write what its encoding lacks as JSON escapes it: that is right in JSON, and readable elsewhere."""
    codecs.register_error("pageturner", _escaped)
    stream.reconfigure(errors="pageturner")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - nothing is read
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Numbers are on the `right`. What people copy is `whole`, and never shortened. Where there is no room, the columns
    that are `spare` go first, the last ones before the others.
    """

    name: str
    right: bool = False
    whole: bool = False
    spare: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]], width: int) -> list[str]:
    """Rows under the names of their columns, on lines of at most `width`, unless what is whole is longer."""
    texts = [[one_line("" if value is None else value) for value in row] for row in rows]
    wide = [
        max([cell_len(column.name), *(cell_len(row[place]) for row in texts)]) for place, column in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    least = [wide[place] if column.whole else min(wide[place], _LEAST_WIDTH) for place, column in enumerate(columns)]
    for place in reversed(range(len(columns))):
        if columns[place].spare and _total(least[each] for each in kept) > width:
            kept.remove(place)
    while _total(wide[each] for each in kept) > width:
        widest = max((each for each in kept if wide[each] > least[each]), key=lambda each: wide[each], default=None)
        if widest is None:
            break
        excess = _total(wide[each] for each in kept) - width
        wide[widest] = max(least[widest], wide[widest] - excess)
    lines = [[column.name for column in columns], *texts]
    return [
        (" " * _GAP).join(_cell(line[place], wide[place], columns[place].right) for place in kept).rstrip()
        for line in lines
    ]


def columns_of(rows: Sequence[Mapping[str, str | None]]) -> list[Column]:
    """The columns of what a query found. Numbers are on the right."""
    if not rows:
        return []
    return [
        Column(name, right=all(_is_number(row.get(name)) for row in rows), whole=place == 0)
        for place, name in enumerate(rows[0])
    ]


def _is_number(text: str | None) -> bool:
    return text is None or re.fullmatch(r"-?\d+(\.\d+)?(E-?\d+)?", text) is not None


def _total(widths: Iterable[int]) -> int:
    found = list(widths)
    return sum(found) + _GAP * (len(found) - 1)


def _cell(text: str, wide: int, right: bool) -> str:
    text = shortened(text, wide)
    room = " " * (wide - cell_len(text))
    return room + text if right else text + room


def time_of(text: str) -> datetime:
    """The time of an ISO 8601 text."""
    return datetime.fromisoformat(text)


def took(seconds: float) -> str:
    """A duration, in the two largest units that it has."""
    left = round(seconds)
    if left < 60:
        return f"{left} s"
    if left < 3600:
        return f"{left // 60} min {left % 60:02} s"
    if left < 48 * 3600:
        return f"{left // 3600} h {left % 3600 // 60:02} min"
    return f"{left // 86400} d {left % 86400 // 3600:02} h"


def ago(then: str | None, now: datetime) -> str:
    """How long ago something was; empty if it never was."""
    if not then:
        return ""
    since: timedelta = now - time_of(then)
    return f"{took(max(since.total_seconds(), 0))} ago"


def bytes_of(number: float) -> str:
    """A number of bytes, in units of 1,000."""
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"
