"""What doctor says of something that it has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "wrong", "unknown", "note"]


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and what to do about it. "unknown" could not be looked at; a "note" is no
    fault.
    """

    what: str
    level: Level
    said: str
    to_do: str = ""
