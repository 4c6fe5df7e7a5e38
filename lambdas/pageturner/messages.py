"""Formats values, names and counts for messages."""

from __future__ import annotations

import json
from collections.abc import Iterable


def shown(value: object) -> str:
    """A value in a message: as JSON if possible, and truncated if long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:
        text = repr(value)
    return shortened(text, 200)


def shortened(text: str, most: int) -> str:
    """A text in a message: its first `most` characters, and a mark if there are more."""
    return text if len(text) <= most else f"{text[:most]}…"


def listed(names: Iterable[str]) -> str:
    """Names in a message, as a list."""
    known = sorted(names)
    return ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "") or "none"


def nearest(name: object, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: the most similar valid name, or all valid names."""
    import difflib  # no message of a cold start needs it

    known = list(names)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else f"; valid names: {listed(known)}"


def count_of(count: int, noun: str) -> str:
    """A number with its noun: "1 page", "2 pages"."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"
