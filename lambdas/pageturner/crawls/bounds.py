"""What any document that people write may hold, whatever its keys mean: JSON, and not too much of it.

An execution's input has at most 256 KiB (Step Functions Developer Guide, "Quotas"), but 256 KiB can be 100,000 lists
in each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from pageturner.messages import shortened

# DynamoDB's values, the deepest that any operation takes, have 32 levels, of two each (DynamoDB Developer Guide,
# "Quotas"). Python's stack has room for some 300.
DEEPEST = 80
# Those of a literal for_each with 100,000 targets.
MOST_VALUES = 1_000_000
# PlanRun has 14 minutes, and takes one for 100,000.
MOST_TARGETS = 1_000_000
# Of 64 bits: no operation takes a larger one.
LARGEST_INTEGER = 2**63 - 1
# Names of runs: `<crawl>-<time>-<hash>`, where a crawl from the console is named like its operation.
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}")


def wrong_document(document: object, place: str) -> str | None:
    """Return the first thing that no document may have, as a line that begins with its place; None if it has none."""
    left: list[tuple[str, Any, int]] = [(place, document, 1)]
    count = 0
    while left:
        at, value, depth = left.pop()
        count += 1
        if count > MOST_VALUES:
            return f"{place}: has more than {MOST_VALUES:,} values"
        if depth > DEEPEST:
            return f"{shortened(at, 100)}: is nested more than {DEEPEST} deep"
        if isinstance(value, Mapping):
            for name in value:
                if not isinstance(name, str):
                    # Its text can be as long as it likes.
                    return f"{at}: a key is a {type(name).__name__}; all keys must be text, in quotes if need be"
                if wrong := _wrong_value(name):
                    return f"{at}: a key {wrong}"
            left.extend((f"{at}.{shortened(name, 100)}", each, depth + 1) for name, each in reversed([*value.items()]))
        elif isinstance(value, list | tuple):
            left.extend((at, each, depth + 1) for each in reversed(value))
        elif wrong := _wrong_value(value):
            return f"{shortened(at, 300)}: {wrong}"
    return None


def _wrong_value(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return None if is_unicode(value) else "is not valid Unicode: it has half a surrogate pair"
    if isinstance(value, int):
        return None if abs(value) <= LARGEST_INTEGER else "is a number of more than 64 bits, which no operation takes"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"is {value}, and must be a number"
    return f"is a {type(value).__name__}, which JSON does not have"


def is_unicode(text: str) -> bool:
    """Whether a text can be sent and stored: half a surrogate pair, which JSON can hold, cannot be."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
