"""What is printed, and how: for people on a terminal, for people in a log, and for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from rich.console import Console
from rich.text import Text

from pageturner_cli.text import Column, as_json, clean, table

# A log has room.
_LOG_WIDTH = 160
_STYLES = {
    **dict.fromkeys(("succeeded", "complete", "ok"), "green"),
    **dict.fromkeys(("failed", "incomplete", "stopped", "wrong", "denied", "unfinished"), "red"),
    **dict.fromkeys(("limited", "endless", "refused", "unknown", "note"), "yellow"),
    **dict.fromkeys(("running", "continues", "planning", "listing"), "cyan"),
}


class _Console(Console):
    """Rich's, in which who reads from a pipe may have read enough: rich would make that a failure."""

    def on_broken_pipe(self) -> None:
        raise  # the BrokenPipeError, where rich has caught it


@cache
def console() -> Console:
    """The console of standard output. What is printed is text: nothing in it is markup."""
    # NO_COLOR, TERM=dumb and COLUMNS are rich's to obey.
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _LOG_WIDTH
    return _Console(markup=False, emoji=False, highlight=False, soft_wrap=True, width=width)


def say(text: str = "", style: str = "") -> None:
    """Print a text, which may have several lines."""
    console().print(Text(clean(text), style=style), soft_wrap=True)


def command(text: str) -> None:
    """Print what to type, on a line of its own that can be copied as it is."""
    say(f"  {text}", "bold")


def field(label: str, text: str, style: str = "") -> None:
    """Print a label and its text, which goes on below itself."""
    wide = max(console().width - 11, 20)
    for number, line in enumerate(_wrapped(clean(text), wide)):
        found = Text(f"  {label if number == 0 else '':<9}")
        found.append(line, style or style_of(line))
        console().print(found, soft_wrap=True)


def style_of(word: str) -> str:
    """The colour of an outcome or a verdict; none of another word."""
    return _STYLES.get(word, "")


def rows(columns: Sequence[Column], found: Iterable[Sequence[object]], coloured: int | None = None) -> None:
    """Print a table; the words in the `coloured` column have their colours."""
    texts = [["" if value is None else value for value in row] for row in found]
    lines = table(columns, texts, console().width)
    say(lines[0], "bold")
    for line, row in zip(lines[1:], texts, strict=True):
        say(line, style_of(str(row[coloured])) if coloured is not None else "")


def document(value: Any) -> None:
    """Print a JSON document on a line."""
    print(as_json(value), flush=True)


def documents(values: Iterable[Any], prepared: Callable[[Any], str] = as_json) -> None:
    """Print JSON lines, as they come."""
    for value in values:
        sys.stdout.write(f"{prepared(value)}\n")


def _wrapped(text: str, wide: int) -> list[str]:
    """Lines of words; a word that is too long, such as a URL, stays in one piece."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > wide:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines
