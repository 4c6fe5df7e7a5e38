"""When the next complete run is due: schedules, histories and moments, in a table; and what can never be overdue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.firings import first_firing
from pageturner.watch.promises import Complete, SourceRun, due_after, due_by_schedule, promise_of

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def crawl(schedule: str | None = None, **more: Any) -> Crawl:
    return Crawl("c", "s3", "list_buckets", schedule=schedule, **more)


def utc(text: str) -> datetime:
    """A moment in 2026: month, day, time."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def complete(text: str) -> Complete:
    """A run: its start and its end."""
    return Complete(*map(utc, text.split(" ")))


DAILY = "cron(0 3 * * ? *)"


@pytest.mark.parametrize(
    ("asked", "last", "due"),
    [
        # An hour at least, because Scheduler tries for an hour.
        (crawl(DAILY), "01-10T03:00 01-10T03:05", "01-11T04:00"),
        (crawl("rate(1 day)"), "01-10T03:02 01-10T03:05", "01-11T04:02"),
        # Twice as long as the last one took.
        (crawl(DAILY), "01-10T03:00 01-10T06:00", "01-11T09:00"),
        # And at any time in the window.
        (crawl(DAILY, flexible_time_window=30), "01-10T03:25 01-10T03:30", "01-11T04:30"),
        (crawl("rate(1 day)", flexible_time_window=30), "01-10T03:25 01-10T03:30", "01-11T04:55"),
        # But not longer than a run may take.
        (crawl(DAILY, deadline_hours=4), "01-10T03:00 01-10T06:00", "01-11T08:00"),
        # The run that a person started at two is not the one of three o'clock …
        (crawl(DAILY), "01-10T02:00 01-10T02:05", "01-10T04:00"),
        # … but one that goes on at three is: that of three was refused.
        (crawl(DAILY), "01-10T02:00 01-10T03:05", "01-11T05:10"),
        # A run that is longer than the interval.
        (crawl("rate(1 hour)"), "01-10T03:00 01-10T08:30", "01-10T20:00"),
        (crawl("cron(0 * * * ? *)"), "01-10T03:00 01-10T08:30", "01-10T20:00"),
        # At the weekend, nothing is promised.
        (crawl("cron(0 3 ? * MON-FRI *)"), "01-09T03:00 01-09T03:05", "01-12T04:00"),
        (crawl("cron(0 3 LW * ? *)"), "01-30T03:00 01-30T03:05", "02-27T04:00"),
        # Years in which it never fires again.
        (crawl("cron(0 3 * * ? 2025)"), "01-10T03:00 01-10T03:05", None),
        # Half past two does not exist on 29 March in Berlin, and comes twice on 25 October.
        (crawl("cron(30 2 * * ? *)", timezone="Europe/Berlin"), "03-28T01:30 03-28T01:31", "03-30T01:30"),
        (crawl("cron(30 2 * * ? *)", timezone="Europe/Berlin"), "10-24T00:30 10-24T00:31", "10-25T02:30"),
        (crawl("cron(30 2 * * ? *)", timezone="Europe/Berlin"), "10-25T00:30 10-25T00:31", "10-26T02:30"),
        (crawl("cron(30 2 * * ? *)", timezone="Europe/Berlin"), "10-25T01:30 10-25T01:31", "10-26T02:30"),
        # At three, it is no matter.
        (crawl(DAILY, timezone="Europe/Berlin"), "03-28T02:00 03-28T02:01", "03-29T02:00"),
    ],
)
def test_when_it_has_run_the_next_run_is_due_after_the_next_time(asked: Crawl, last: str, due: str | None) -> None:
    assert due_by_schedule(asked, LONG_AGO, complete(last)) == (due and utc(due))


@pytest.mark.parametrize(
    ("asked", "due"),
    [
        # It may take as long as it may.
        (crawl(DAILY), "01-11T03:00 25"),
        (crawl(DAILY, deadline_hours=2), "01-11T03:00 3"),
        (crawl("rate(7 days)", deadline_hours=2), "01-17T12:00 3"),
    ],
)
def test_one_that_has_never_run_counts_from_when_it_was_seen(asked: Crawl, due: str) -> None:
    at, hours = due.split(" ")
    assert due_by_schedule(asked, utc("01-10T12:00"), None) == utc(at) + int(hours) * HOUR


def test_another_schedule_counts_from_when_it_was_seen() -> None:
    """It was daily, and ran in the morning; at noon it was made hourly."""
    morning = complete("01-10T03:00 01-10T03:05")
    assert due_by_schedule(crawl("rate(1 hour)"), utc("01-10T12:10"), morning) == utc("01-10T14:10")
    assert due_by_schedule(crawl("cron(0 * * * ? *)"), utc("01-10T12:10"), morning) == utc("01-10T14:00")


@pytest.mark.parametrize(
    ("asked", "promise"),
    [
        (crawl(), ""),
        (crawl(DAILY, enabled=False), ""),
        (crawl(after="other", enabled=False), ""),
        (crawl(DAILY), f"{DAILY} UTC"),
        (crawl(DAILY, timezone="Europe/Berlin"), f"{DAILY} Europe/Berlin"),
        (crawl(after="other"), "after other"),
    ],
)
def test_what_is_promised(asked: Crawl, promise: str) -> None:
    assert promise_of(asked) == promise


def test_nothing_is_due_without_a_schedule() -> None:
    assert due_by_schedule(crawl(), LONG_AGO, None) is None


def source(ended: str, reported: str = "") -> SourceRun:
    return SourceRun(utc(ended), utc(reported or ended))


@pytest.mark.parametrize(
    ("runs", "last", "due"),
    [
        ([], "01-10T03:00 01-10T03:05", None),
        # It has run after the last one, or went on when that ended.
        ([source("01-10T02:00")], "01-10T02:01 01-10T02:05", None),
        ([source("01-10T02:03")], "01-10T02:01 01-10T02:05", None),
        # Publishing the other's listing may take its time.
        ([source("01-10T02:00", "01-10T03:30")], "01-09T02:01 01-09T02:05", "01-10T04:30"),
        # It has missed two. The older one counts.
        (
            [source("01-12T02:00"), source("01-11T02:00"), source("01-10T02:00")],
            "01-10T02:01 01-10T02:05",
            "01-11T03:00",
        ),
        # It has never run: as long as it may take.
        ([source("01-10T02:00")], None, "01-11T03:00"),
    ],
)
def test_what_comes_after_another_crawl_is_due_after_its_runs(
    runs: list[SourceRun], last: str | None, due: str | None
) -> None:
    known = complete(last) if last else None
    assert due_after(crawl(after="o"), LONG_AGO, known, runs, utc("01-10T02:30")) == (due and utc(due))


def test_runs_of_another_crawl_are_read_as_far_as_needed() -> None:
    """It has missed a thousand; the first that is due already says enough."""
    read = []

    def runs() -> Any:
        for hours in range(1000):
            read.append(hours)
            yield SourceRun(utc("12-01T00:00") - hours * HOUR, utc("12-01T00:00") - hours * HOUR)

    now = utc("12-01T02:00")
    due = due_after(crawl(after="o"), LONG_AGO, complete("01-10T02:01 01-10T02:05"), runs(), now)
    assert (due, len(read)) == (utc("12-01T01:00"), 1)


def test_runs_before_it_came_after_another_crawl_do_not_count() -> None:
    assert due_after(crawl(after="o"), utc("01-10T02:01"), None, [source("01-10T02:00")], utc("01-20T00:00")) is None


SCHEDULES = (
    *("rate(1 hour)", "rate(90 minutes)", "rate(1 day)", "cron(0 * * * ? *)", "cron(0/20 * * * ? *)"),
    *("cron(30 2 * * ? *)", "cron(30 2,14 ? * MON-FRI *)", "cron(0 3 LW * ? *)"),
)


@given(
    st.sampled_from(SCHEDULES),
    st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")),
    st.sampled_from((0, 15, 60)),
    st.sampled_from(("03-06", "03-27", "04-03", "10-02", "10-23", "10-30")),
    st.lists(st.tuples(st.integers(0, 600), st.floats(0, 1), st.booleans()), min_size=5, max_size=20),
)
def test_who_runs_at_each_firing_is_never_overdue(
    schedule: str, timezone: str, window: int, start: str, runs: list[tuple[int, float, bool]]
) -> None:
    """Each run begins in the window after the schedule fires while no run goes on, and at either of two equal times.

    Each takes as long as it takes, but not more than twice as long as the one before it, or an hour.
    """
    asked = crawl(schedule, timezone=timezone, flexible_time_window=window or None)
    last, phase, took = None, utc(f"{start}T00:00"), timedelta(minutes=30)
    firing = first_firing(schedule, timezone, phase, phase)
    for minutes, late, second in runs:
        assert firing is not None
        fired = firing.latest if second else firing.earliest
        began = fired + late * timedelta(minutes=window)
        took = min(timedelta(minutes=minutes), max(HOUR, 2 * took))
        # Just before it ends is when the promise would be broken first.
        due = due_by_schedule(asked, phase, last)
        assert due is not None
        assert began + took <= due, (last, began, took)
        last = Complete(began, began + took)
        # The rate goes on from when it was made.
        firing = first_firing(schedule, timezone, phase, last.ended)


def test_who_does_not_run_is_overdue_soon_after_the_next_time() -> None:
    """The other way round: a promise that nothing breaks would be none."""
    for schedule in SCHEDULES:
        last = complete("06-01T03:00 06-01T03:01")
        firing = first_firing(schedule, "UTC", last.started, last.ended)
        assert firing is not None
        assert due_by_schedule(crawl(schedule), LONG_AGO, last) == firing.latest + HOUR
