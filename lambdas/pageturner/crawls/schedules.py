"""Checks the schedule expressions of EventBridge Scheduler, which reads them only when a stack is deployed.

The source is "Schedule types in EventBridge Scheduler" in its User Guide. What it leaves open, such as a range that
goes past the end (FRI-MON), is left to the service.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from pageturner.messages import nearest, shown

# scheduler CreateSchedule, ScheduleExpression (botocore's model).
_MOST_CHARACTERS = 256
# Files of the time zone database that are no zones.
_NO_ZONES = {"Factory", "localtime"}
_STEP = re.compile(r"[1-9][0-9]*")


@dataclass(frozen=True)
class _Field:
    """A field of `cron(…)`: the values from `low` to `high`, or `names` for them, and the documented `wildcards`."""

    name: str
    low: int
    high: int
    wildcards: str
    names: tuple[str, ...] = ()

    @property
    def must_be(self) -> str:
        named = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return f"must be {self.low} to {self.high}{named}, or use {' '.join(self.wildcards)}"

    def takes(self, text: str) -> bool:
        """Whether the field can have this text, a list of elements."""
        if text == "?" or "#" in text:
            return text[0] in self.wildcards if text == "?" else self._takes_nth(text)
        return all(self._takes_element(element) for element in text.split(","))

    def _takes_nth(self, text: str) -> bool:
        # One expression, not a list: "3#1,6#3" is documented as invalid.
        day, _, number = text.partition("#")
        return "#" in self.wildcards and self._value(day) is not None and number in ("1", "2", "3", "4", "5")

    def _takes_element(self, text: str) -> bool:
        values, slash, step = text.partition("/")
        if slash:
            is_step = _STEP.fullmatch(step) is not None and int(step) <= self.high - self.low + 1
            return "/" in self.wildcards and is_step and (values == "*" or self._takes_values(values))
        return values == "*" or self._takes_values(values) or self._takes_last_or_weekday(values)

    def _takes_values(self, text: str) -> bool:
        first, dash, last = text.partition("-")
        return self._value(first) is not None and (not dash or self._value(last) is not None)

    def _takes_last_or_weekday(self, text: str) -> bool:
        if "W" in self.wildcards and text.endswith("W"):
            return text == "LW" or self._value(text.removesuffix("W")) is not None
        if "L" not in self.wildcards:
            return False
        if self.names:  # of the week: the last Friday is 6L or FRIL
            return text == "L" or (text.endswith("L") and self._value(text.removesuffix("L")) is not None)
        return text == "L" or (text.startswith("L-") and self._value(text.removeprefix("L-")) is not None)

    def _value(self, text: str) -> int | None:
        if text.upper() in self.names:
            return self.low + self.names.index(text.upper())
        if re.fullmatch(r"[0-9]{1,4}", text) and self.low <= int(text) <= self.high:
            return int(text)
        return None


_FIELDS = (
    _Field("minutes", 0, 59, ",-*/"),
    _Field("hours", 0, 23, ",-*/"),
    _Field("day-of-month", 1, 31, ",-*?/LW"),
    _Field(
        "month",
        *(1, 12, ",-*/"),
        names=("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
    ),
    _Field("day-of-week", 1, 7, ",-*?L#", names=("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")),
    _Field("year", 1970, 2199, ",-*/"),
)


def wrong_schedule(expression: str) -> Iterator[str]:
    """Yield what is wrong with `rate(…)` or `cron(…)` in the form that the schema asks for."""
    if len(expression) > _MOST_CHARACTERS:
        yield f"{len(expression)} characters are too many for EventBridge Scheduler, which takes {_MOST_CHARACTERS}"
    if not expression.startswith("cron("):
        return
    fields = expression.removeprefix("cron(").removesuffix(")").split(" ")
    for field, text in zip(_FIELDS, fields, strict=True):
        if not field.takes(text):
            yield f"invalid {field.name} {shown(text)}; {field.must_be}"
    if [fields[2], fields[4]].count("?") != 1:
        yield (
            f'exactly one of day-of-month and day-of-week must be "?", and they are {shown(fields[2])} and '
            f'{shown(fields[4])}; every day is "* * ?", every Monday "? * MON"'
        )


def wrong_timezone(timezone: str) -> str | None:
    """Return what is wrong with a time zone, or None."""
    zones = _zones()
    # On a machine without time zone data, the check is left to EventBridge Scheduler.
    if len(zones) > 1 and timezone not in zones:
        return f"{shown(timezone)} is not a time zone{nearest(timezone, zones)}"
    return None


@cache
def _zones() -> frozenset[str]:
    """All time zones; the first question reads a file of each."""
    return frozenset(zoneinfo.available_timezones() - _NO_ZONES | {"UTC"})
