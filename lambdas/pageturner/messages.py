"""Formats values, names and counts for messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice

# Who has more problems than this corrects these first.
MOST_LINES = 20
_LONGEST_LINE = 1_000


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
