"""When a schedule of EventBridge Scheduler fires, for expressions that `schedules` has found to be right.

The sources are "Schedule types in EventBridge Scheduler" in its User Guide, and its section on daylight saving time:
what falls on a time that does not exist is skipped, and what falls on one that comes twice happens once.

The libraries for AWS's expressions (aws-croniter 2.1.1, pyawscron 1.0.7) know neither time zones nor `LW`, lists with
`L` or `W`, nor a week's last day.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

_SATURDAY = 7
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Years in which a schedule can fire; a leap day can be eight years away.
_LAST_YEAR = 2199


@dataclass(frozen=True)
class Firing:
    """A moment at which a schedule fires: not before `earliest`, not after `latest`.

    They differ where a time zone has the time twice, because nobody says at which of the two it fires.
    """

    earliest: datetime
    latest: datetime


def first_firing(schedule: str, timezone: str, started: datetime, ended: datetime) -> Firing | None:
    """Return the first firing after `ended`, or None if there is none. All times are UTC.

    A `rate(…)` fires at multiples of its interval after `started`, when it has fired before.
    """
    if not schedule.startswith("cron("):
        fired = _next_multiple(schedule, started, ended)
        return None if fired is None else Firing(fired, fired)
    zone = ZoneInfo(timezone)
    for moment in _local_times(schedule, ended.astimezone(zone).date()):
        firing = _in_zone(moment, zone)
        if firing is not None and firing.earliest > ended:
            return firing
    return None


def _next_multiple(schedule: str, started: datetime, ended: datetime) -> datetime | None:
    """Return the first multiple of the interval of a `rate(…)` after `started` that is after `ended`."""
    value, unit = schedule.removeprefix("rate(").removesuffix(")").split(" ")
    try:
        interval = timedelta(**{unit.removesuffix("s") + "s": int(value)})
        fired = started + ((ended - started) // interval + 1) * interval
    except OverflowError:  # thousands of years, and nobody refuses that
        return None
    return fired if fired.year <= _LAST_YEAR else None


def _in_zone(moment: datetime, zone: ZoneInfo) -> Firing | None:
    """Return when a zone has a local time; None if it does not have it, because its clocks were put forward."""
    earliest, latest = (moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if earliest.astimezone(zone).replace(tzinfo=None) != moment:
        return None
    return Firing(earliest, latest)


def _local_times(schedule: str, first: date) -> Iterator[datetime]:
    """Yield the times that a `cron(…)` names, in order, from a day on."""
    minutes, hours, days, months, weekdays, years = schedule.removeprefix("cron(").removesuffix(")").split(" ")
    in_years = _numbers(years, 1970, _LAST_YEAR)
    in_months = _numbers(months, 1, 12, _MONTHS)
    times = list(product(sorted(_numbers(hours, 0, 23)), sorted(_numbers(minutes, 0, 59))))
    for year, month in product(range(first.year, _LAST_YEAR + 1), range(1, 13)):
        if year not in in_years or month not in in_months or (year, month) < (first.year, first.month):
            continue
        of_month = _of_week(weekdays, year, month) if days == "?" else _of_month(days, year, month)
        for day in sorted(of_month):
            if date(year, month, day) >= first:
                yield from (datetime(year, month, day, hour, minute) for hour, minute in times)  # noqa: DTZ001 - local


def _of_month(text: str, year: int, month: int) -> set[int]:
    """Return the days of a month that the field day-of-month names."""
    last = monthrange(year, month)[1]
    found = set[int]()
    for element in text.split(","):
        if element == "L":
            found.add(last)
        elif element.startswith("L-"):
            found.add(last - int(element[2:]))
        elif element.endswith("W"):
            day = last if element == "LW" else int(element[:-1])
            found.update([_nearest_weekday(year, month, day)] if day <= last else [])
        else:
            found |= _numbers(element, 1, 31)
    return {day for day in found if 1 <= day <= last}


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """Return the weekday of the month that is nearest to a day."""
    weekday = date(year, month, day).isoweekday()
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 7:
        return day + 1 if day < monthrange(year, month)[1] else day - 2
    return day


def _of_week(text: str, year: int, month: int) -> set[int]:
    """Return the days of a month that the field day-of-week names."""
    last = monthrange(year, month)[1]
    by_weekday: dict[int, list[int]] = {number: [] for number in range(1, 8)}
    for day in range(1, last + 1):
        by_weekday[date(year, month, day).isoweekday() % 7 + 1].append(day)
    found = set[int]()
    for element in text.split(","):
        weekday, nth, number = element.partition("#")
        if nth:
            (of,) = _numbers(weekday, 1, 7, _DAYS)
            found.update(by_weekday[of][int(number) - 1 : int(number)])
        elif element == "L":
            found.update(by_weekday[_SATURDAY])
        elif element.endswith("L"):
            (of,) = _numbers(element[:-1], 1, 7, _DAYS)
            found.add(by_weekday[of][-1])
        else:
            found.update(day for of in _numbers(element, 1, 7, _DAYS) for day in by_weekday[of])
    return found


def _numbers(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> set[int]:
    """Return the numbers of a field: values, ranges, steps. A range may go past the end, as FRI-MON does."""
    found = set[int]()
    for element in text.split(","):
        values, has_step, step = element.partition("/")
        first, is_range, last = values.partition("-")
        start = low if values == "*" else _number(first, low, names)
        end = _number(last, low, names) if is_range else high if has_step or values == "*" else start
        if end < start:
            end += high - low + 1
        in_range = range(start, end + 1, int(step) if has_step else 1)
        found.update(number if number <= high else number - (high - low + 1) for number in in_range)
    return found


def _number(text: str, low: int, names: tuple[str, ...]) -> int:
    return int(text) if re.fullmatch(r"[0-9]+", text) else low + names.index(text.upper())
