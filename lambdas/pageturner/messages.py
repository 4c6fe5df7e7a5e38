"""Formats values, names and counts for messages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import quote, quote_plus

# Who has more problems than this corrects these first.
MOST_LINES = 20
_LONGEST_LINE = 1_000
# What is shorter than this stands for nothing…
_LEAST = 3
# … what is shorter than that is taken out of a text only where it is a word…
_SHORT = 8
# … and a part of a value that is as long as this is one of it, not a word that both have.
_PART = re.compile(r"[^\s'\"{}<>(),;]{12,}")


def shown(value: object) -> str:
    """A value in a message: as JSON if possible, and truncated if long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:
        text = repr(value)
    except (RecursionError, ValueError):  # a number of thousands of digits
        text = f"a {type(value).__name__}"
    return shortened(text, 200)


def in_lines(problems: Iterable[str]) -> str:
    """The first problems, a line for each; the others are not even looked for. Empty if there are none."""
    found = [shortened(line, _LONGEST_LINE) for each in islice(problems, MOST_LINES + 1) for line in each.splitlines()]
    return "\n".join(found if len(found) <= MOST_LINES else [*found[:MOST_LINES], "… and more; correct these first"])


def shortened(text: str, most: int) -> str:
    """A text in a message: its first `most` characters, and a mark if there are more."""
    return text if len(text) <= most else f"{text[:most]}…"


def described(value: object) -> str:
    """What a value is that no message may have: its type, and its length."""
    if isinstance(value, str):
        return f"a text of {count_of(len(value), 'character')}"
    if isinstance(value, Mapping):
        return f"an object of {count_of(len(value), 'member')}"
    if isinstance(value, list | tuple):
        return f"a list of {count_of(len(value), 'element')}"
    return {bool: "true or false", int: "a number", float: "a number", type(None): "null"}.get(type(value), "a value")


def without(text: str, values: Mapping[str, Any]) -> str:
    """A text in which each of the `values`, and each longer part of one, is its name in braces.

    A service's message can quote what was sent: ``there is no bucket {Bucket}``.
    """
    leaves = sorted({(leaf, name) for name, value in values.items() for leaf in _leaves(value)}, key=_longest_first)
    for leaf, name in leaves:
        for form in {leaf, json.dumps(leaf)[1:-1], repr(leaf)[1:-1], *_quoted(leaf)}:
            alone = ("", "") if len(form) >= _SHORT else (r"(?<!\w)", r"(?!\w)")
            text = re.sub(re.escape(form).join(alone), lambda _, name=name: f"{{{name}}}", text)  # type: ignore[misc]
    for leaf, name in leaves:
        if len(leaf) >= _SHORT:
            text = _PART.sub(lambda part, leaf=leaf, name=name: _named_if_in(part[0], leaf, name), text)  # type: ignore[misc]
    return text


def _longest_first(leaf: tuple[str, str]) -> tuple[int, tuple[str, str]]:
    return -len(leaf[0]), leaf


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _leaves(name)
            yield from _leaves(member)
    elif isinstance(value, list | tuple | set):
        for member in value:
            yield from _leaves(member)
    elif isinstance(value, bytes):
        yield from _leaves(value.decode("utf-8", "replace"))
    elif value is not None and not isinstance(value, bool) and len(str(value)) >= _LEAST:
        yield str(value)


def _quoted(text: str) -> tuple[str, ...]:
    encoded = text.encode(errors="replace")
    return quote(encoded), quote(encoded, safe=""), quote_plus(encoded)


def _named_if_in(part: str, leaf: str, name: str) -> str:
    return f"{{{name}}}" if part.strip(".…:") in leaf else part


def listed(names: Iterable[str]) -> str:
    """Names in a message, as a list."""
    known = sorted(names)
    return ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "") or "none"


def nearest(name: object, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: the most similar valid name, or all valid names."""
    import difflib  # no message of a cold start needs it

    known = list(names)
    # What is much longer is near to none, and takes long to compare.
    near = difflib.get_close_matches(str(name)[:200], known, n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else f"; valid names: {listed(known)}"


def count_of(count: int, noun: str) -> str:
    """A number with its noun: "1 page", "2 pages"."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"
