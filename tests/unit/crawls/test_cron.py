"""Schedule expressions, made by the rules of EventBridge Scheduler's User Guide, and broken one field at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageturner.crawls.schedules import wrong_schedule, wrong_timezone

DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
BOUNDS = {"minutes": (0, 59), "hours": (0, 23), "day-of-month": (1, 31), "month": (1, 12), "year": (1970, 2199)}


def listed(element: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(element, min_size=1, max_size=3).map(",".join)


def values(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    value = st.integers(low, high).map(str)
    value |= st.sampled_from([*names, *map(str.lower, names)]) if names else st.nothing()
    return value | st.tuples(value, value).map("-".join)


def stepped(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    start = st.just("*") | values(low, high, names)
    return start | st.tuples(start, st.integers(1, high - low + 1).map(str)).map("/".join)


MONTH_DAYS = listed(stepped(1, 31) | st.sampled_from(["L", "LW", "L-3"]) | st.integers(1, 31).map("{}W".format))
WEEK_DAYS = st.one_of(
    listed(st.just("*") | values(1, 7, DAYS) | st.sampled_from(["L", "6L", "FRIL"])),
    st.tuples(st.sampled_from([*DAYS, "1", "7"]), st.integers(1, 5).map(str)).map("#".join),
)
FIELDS = st.builds(
    lambda minutes, hours, days, month, year: [minutes, hours, days[0], month, days[1], year],
    listed(stepped(0, 59)),
    listed(stepped(0, 23)),
    st.tuples(MONTH_DAYS, st.just("?")) | st.tuples(st.just("?"), WEEK_DAYS),
    listed(stepped(1, 12, MONTHS)),
    listed(stepped(1970, 2199)),
)
NAMES = ("minutes", "hours", "day-of-month", "month", "day-of-week", "year")


def cron(fields: list[str]) -> list[str]:
    return list(wrong_schedule(f"cron({' '.join(fields)})"))


@given(fields=FIELDS)
def test_what_the_user_guide_allows_is_right(fields: list[str]) -> None:
    assert cron(fields) == []


@given(data=st.data(), fields=FIELDS, name=st.sampled_from(NAMES))
def test_a_wrong_field_is_named_and_the_others_are_not(data: st.DataObject, fields: list[str], name: str) -> None:
    low, high = BOUNDS.get(name, (1, 7))
    outside = st.sampled_from([low - 1, high + 1, 10**6]).map(str)
    inside = st.integers(low, high).map(str)
    bad = st.one_of(
        outside,
        st.tuples(inside, outside).map("-".join),
        st.tuples(inside, outside).map(",".join),
        st.sampled_from(["hello", "", ",", "1-", "-", "/2", "*/0", "*/x", "*/", "1-2-3", "**", "1/2/3", "?,1", "1#"]),
        st.just("*/2") if name == "day-of-week" else st.sampled_from(["2#1", "SUN", "6L"]),
        st.just("MON#6,TUE#1") if name == "day-of-week" else st.nothing(),
        st.just("15W") if name != "day-of-month" else st.sampled_from(["W", "32W", "WL", "L-", "L-32"]),
        st.just("JAN") if name != "month" else st.just("JANUARY"),
    )
    position = NAMES.index(name)
    if name in ("day-of-month", "day-of-week") and fields[position] == "?":
        fields[6 - position] = "?"  # the two are fields 2 and 4
    fields[position] = data.draw(bad)
    (line,) = cron(fields)
    assert line.startswith(f"invalid {name} ")


@pytest.mark.parametrize(("of_month", "of_week"), [("*", "*"), ("?", "?"), ("1", "MON")])
def test_exactly_one_of_the_days_is_any(of_month: str, of_week: str) -> None:
    (line,) = cron(["0", "3", of_month, "*", of_week, "*"])
    assert line.startswith('exactly one of day-of-month and day-of-week must be "?"')


def test_an_expression_has_a_length() -> None:
    minutes = ",".join(map(str, range(60)))
    assert cron([minutes, "*", "*", "*", "?", "*"]) == []
    (line,) = cron([minutes, ",".join(map(str, range(24))), ",".join(map(str, range(1, 32))), "*", "?", "*"])
    assert line.endswith("characters are too many for EventBridge Scheduler, which takes 256")


def test_rates_are_left_to_the_schema() -> None:
    assert list(wrong_schedule("rate(1 minutes)")) == []


def test_a_file_of_the_time_zone_database_is_not_a_zone() -> None:
    assert wrong_timezone("Europe/Berlin") is None
    assert wrong_timezone("UTC") is None
    assert str(wrong_timezone("localtime")).startswith('"localtime" is not a time zone')
