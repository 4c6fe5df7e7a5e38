"""A virtual clock, in place of every clock that the functions look at."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

import pytest

# 2026-01-01, in seconds since 1970.
BEGINNING = 1_767_225_600.0
_HANDLERS = (
    *("fail_run", "fetch_page", "finish_run", "plan_long_targets", "plan_run"),
    *("publish_part", "publish_run", "report_run", "stop_run"),
)


@dataclass
class Clock:
    """What time it is, in seconds since 1970."""

    now: float = BEGINNING

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now - BEGINNING

    def text(self) -> str:
        """The time as Step Functions has it: ISO 8601 in UTC."""
        return datetime.fromtimestamp(self.now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextmanager
def virtual_time(clock: Clock) -> Iterator[None]:
    """Show this clock to all modules of the functions that look at one."""

    class Kind(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, datetime)

    class Datetime(datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.fromtimestamp(clock.now, tz)

    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name in _HANDLERS or name.startswith("pageturner."):
                if getattr(module, "time", None) is time:
                    patch.setattr(module, "time", clock)
                if getattr(module, "datetime", None) is datetime:
                    patch.setattr(module, "datetime", Datetime)
        yield
