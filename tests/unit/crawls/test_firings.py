"""When schedules fire, held against an oracle that looks at each day of the calendar, and at each minute of a clock."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageturner.crawls.firings import Firing, first_firing
from pageturner.crawls.schedules import wrong_schedule

DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def firings(schedule: str, timezone: str, after: datetime, count: int) -> list[Firing]:
    assert not list(wrong_schedule(schedule))
    found = list[Firing]()
    while len(found) < count and (firing := first_firing(schedule, timezone, after, after)):
        found.append(firing)
        after = firing.earliest
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ("LW * ? *", "01-30 02-27 03-31 04-30 05-29"),  # 31 January 2026 is a Saturday, 28 February too
        ("1W * ? *", "01-01 02-02 03-02 04-01 05-01"),  # 1 February and 1 March are Sundays: never in another month
        ("15W,L * ? *", "01-15 01-31 02-16 02-28 03-16"),
        ("31W * ? *", "01-30 03-31 05-29 07-31 08-31"),  # not in a month without a 31st
        ("L-3 * ? *", "01-28 02-25 03-28 04-27 05-28"),
        ("L-30 * ? *", "01-01 03-01 05-01 07-01 08-01"),
        ("? * 6L *", "01-30 02-27 03-27 04-24 05-29"),
        ("? * FRIL *", "01-30 02-27 03-27 04-24 05-29"),
        ("? * L *", "01-03 01-10 01-17 01-24 01-31"),  # the last day of the week is Saturday
        ("? * 3#5 *", "03-31 06-30 09-29 12-29 2027-03-30"),
        ("? * TUE#5 *", "03-31 06-30 09-29 12-29 2027-03-30"),
        ("? * MON,6L *", "01-05 01-12 01-19 01-26 01-30"),
        ("? * FRI-MON *", "01-02 01-03 01-04 01-05 01-09"),
        ("? * fri-mon *", "01-02 01-03 01-04 01-05 01-09"),
        ("29 2 ? *", "2028-02-29 2032-02-29 2036-02-29 2040-02-29 2044-02-29"),
        ("29 2 ? 2096-2107", "2096-02-29 2104-02-29"),  # 2100 is no leap year
        ("31 4,6 ? *", ""),
        ("1 JAN-MAR ? 2027-2028", "2027-01-01 2027-02-01 2027-03-01 2028-01-01 2028-02-01"),
        ("1 NOV-FEB ? *", "01-01 02-01 11-01 12-01 2027-01-01"),
        ("1/10 * ? *", "01-01 01-11 01-21 01-31 02-01"),
        ("* * ? 2025", ""),
    ],
)
def test_the_days_of_a_year(days: str, found: str) -> None:
    dates = [text if len(text) > 5 else f"2026-{text}" for text in found.split()]
    after = utc("2026-01-01T02:59")
    expected = [utc(f"{each}T03:00") for each in dates]
    assert [each.earliest for each in firings(f"cron(0 3 {days})", "UTC", after, 5)] == expected


def test_a_time_that_does_not_exist_is_skipped() -> None:
    """Berlin's clocks went from 2:00 to 3:00 on 29 March 2026."""
    found = firings("cron(30 2 * * ? *)", "Europe/Berlin", utc("2026-03-27T12:00"), 3)
    assert [each.earliest for each in found] == [
        utc("2026-03-28T01:30"),
        utc("2026-03-30T00:30"),
        utc("2026-03-31T00:30"),
    ]


def test_a_time_that_comes_twice_is_one_firing_at_either_of_the_two() -> None:
    """Berlin's clocks went from 3:00 to 2:00 on 25 October 2026."""
    found = firings("cron(30 2 * * ? *)", "Europe/Berlin", utc("2026-10-24T12:00"), 2)
    assert found == [
        Firing(utc("2026-10-25T00:30"), utc("2026-10-25T01:30")),
        Firing(utc("2026-10-26T01:30"), utc("2026-10-26T01:30")),
    ]


def test_a_day_that_begins_elsewhere_is_found_from_here() -> None:
    found = firings("cron(30 0 1 * ? *)", "Pacific/Kiritimati", utc("2026-01-31T10:00"), 2)  # UTC+14
    assert [each.earliest for each in found] == [utc("2026-01-31T10:30"), utc("2026-02-28T10:30")]
    found = firings("cron(30 23 L * ? *)", "Pacific/Pago_Pago", utc("2026-02-01T10:00"), 2)  # UTC-11
    assert [each.earliest for each in found] == [utc("2026-02-01T10:30"), utc("2026-03-01T10:30")]


@pytest.mark.parametrize(
    ("rate", "ended", "fires"),
    [
        ("rate(1 hour)", "2026-01-01T00:10", "2026-01-01T01:00"),
        ("rate(1 hour)", "2026-01-01T00:00", "2026-01-01T01:00"),
        ("rate(1 hour)", "2026-01-01T01:00", "2026-01-01T02:00"),
        ("rate(1 hour)", "2026-01-01T05:30", "2026-01-01T06:00"),  # it went on when it fired at 1:00, 2:00 …
        ("rate(90 minutes)", "2026-01-01T01:31", "2026-01-01T03:00"),
        ("rate(7 days)", "2026-01-01T01:00", "2026-01-08T00:00"),
    ],
)
def test_a_rate_fires_in_step_with_the_start(rate: str, ended: str, fires: str) -> None:
    fired = first_firing(rate, "UTC", utc("2026-01-01T00:00"), utc(ended))
    assert fired == Firing(utc(fires), utc(fires))


@pytest.mark.parametrize("rate", ["rate(4000000 days)", "rate(99999999999999 days)", "rate(100000 days)"])
def test_a_rate_of_thousands_of_years_never_fires(rate: str) -> None:
    """Neither the schema nor botocore's model forbids it."""
    assert not list(wrong_schedule(rate))
    assert first_firing(rate, "UTC", utc("2026-01-01T00:00"), utc("2026-01-01T01:00")) is None


def days_of(element: str, month: list[date]) -> set[date]:
    """The days of a month that an element of one of the two fields for days names, looked up in the calendar."""
    weekdays = [day for day in month if day.weekday() < 5]
    by_name = {name: [day for day in month if DAYS[day.isoweekday() % 7] == name] for name in DAYS}
    if element in ("LW", "L"):
        return {(weekdays if element == "LW" else month)[-1]}
    if element.endswith("W"):
        near = [day for day in month if day.day == int(element[:-1])]
        return {min(weekdays, key=lambda day: abs(day - near[0]))} if near else set()
    if element.startswith("L-"):
        return {day for day in month if (month[-1] - day).days == int(element[2:])}
    if element[:3] in DAYS:
        name, rest = element[:3], element[3:]
        chosen = {"L": by_name[name][-1:], "": by_name[name]}
        return set(chosen[rest] if rest in chosen else by_name[name][int(rest[1:]) - 1 : int(rest[1:])])
    return {day for day in month if day.day == int(element)}


def calendar(elements: list[str], year: int) -> Iterator[date]:
    for number in range(1, 13):
        month = [date(year, number, day + 1) for day in range(monthrange(year, number)[1])]
        yield from sorted(set().union(*(days_of(element, month) for element in elements)))


MONTH_DAYS = st.lists(
    st.sampled_from(["L", "LW"])
    | st.integers(1, 31).map("{}W".format)
    | st.integers(1, 31).map("L-{}".format)
    | st.integers(1, 31).map(str),
    min_size=1,
    max_size=3,
)
WEEK_DAYS = st.lists(st.sampled_from([*DAYS, *(f"{day}L" for day in DAYS)]), min_size=1, max_size=3) | st.lists(
    st.tuples(st.sampled_from(DAYS), st.integers(1, 5)).map(lambda nth: f"{nth[0]}#{nth[1]}"), min_size=1, max_size=1
)


@given(MONTH_DAYS | WEEK_DAYS, st.integers(1970, 2199))
def test_the_days_are_those_of_the_calendar(elements: list[str], year: int) -> None:
    is_week = elements[0][:3] in DAYS
    fields = f"? * {','.join(elements)}" if is_week else f"{','.join(elements)} * ?"
    before = datetime(year, 1, 1, tzinfo=UTC) - timedelta(minutes=1)
    found = firings(f"cron(0 0 {fields} {year})", "UTC", before, 400)
    assert [each.earliest.date() for each in found] == list(calendar(elements, year))


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "UTC")
# The days around which the clocks of some of these zones change.
CHANGES = ("2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01", "2026-02-15")


@given(
    st.sets(st.integers(0, 59), min_size=1, max_size=2),
    st.sets(st.integers(0, 23), min_size=1, max_size=4),
    st.sampled_from(ZONES),
    st.sampled_from(CHANGES),
)
def test_the_times_are_those_of_the_clock(minutes: set[int], hours: set[int], timezone: str, change: str) -> None:
    """The clock on the wall shows each time once, or twice, or not at all."""
    zone, begin = ZoneInfo(timezone), utc(f"{change}T00:00") - timedelta(days=1)
    shown: dict[datetime, list[datetime]] = {}
    for minute in range(3 * 24 * 60):
        moment = begin + timedelta(minutes=minute)
        wall = moment.astimezone(zone).replace(tzinfo=None)
        if wall.minute in minutes and wall.hour in hours:
            shown.setdefault(wall, []).append(moment)
    expected = [Firing(times[0], times[-1]) for times in shown.values()]
    fields = (",".join(map(str, sorted(each))) for each in (minutes, hours))
    schedule = "cron({} {} * * ? *)".format(*fields)
    assert firings(schedule, timezone, begin - timedelta(seconds=1), len(expected)) == expected
