"""When the next complete run of a crawl is due, by its schedule and by what has run. It knows no clock and no store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.firings import first_firing

# What the shortest run gets, too: Scheduler tries for an hour to start it.
_LEAST_GRACE = timedelta(hours=1)


@dataclass(frozen=True)
class Complete:
    """The last complete run of a crawl."""

    started: datetime
    ended: datetime

    @property
    def took(self) -> timedelta:
        """How long it took."""
        return self.ended - self.started


@dataclass(frozen=True)
class SourceRun:
    """A complete run of the crawl that another one comes after: when it ended, and when it was published and said."""

    ended: datetime
    reported: datetime


def promise_of(crawl: Crawl) -> str:
    """Return what a crawl promises, as a text that changes with it; empty if it promises nothing."""
    if not crawl.enabled:
        return ""
    scheduled = f"{crawl.schedule} {crawl.timezone}" if crawl.schedule else ""
    return f"after {crawl.after}" if crawl.after else scheduled


def grace(crawl: Crawl, last: Complete | None) -> timedelta:
    """Return how long after its time a run may still be under way: twice as long as the last complete one took.

    Not longer than a run may take at all, which is also what a crawl gets that has never had a complete run.
    """
    longest = timedelta(hours=crawl.deadline_hours + 1)
    taken = longest if last is None else min(max(_LEAST_GRACE, 2 * last.took), longest)
    return _window(crawl) + taken


def _window(crawl: Crawl) -> timedelta:
    return timedelta(minutes=crawl.flexible_time_window or 0)


def due_by_schedule(crawl: Crawl, since: datetime, last: Complete | None) -> datetime | None:
    """Return by when the next complete run is due, if the schedule has been as it is `since` then.

    A run that goes on when the schedule fires keeps that promise as well: Pageturner refuses to start another one.
    """
    if crawl.schedule is None:
        return None
    started, ended = (last.started, last.ended) if last is not None and last.ended >= since else (since, since)
    # A rate is in step with the start of the run, or with some moment in the window before that.
    in_step = _window(crawl) if crawl.schedule.startswith("rate(") else timedelta()
    firing = first_firing(crawl.schedule, crawl.timezone, started - in_step, ended)
    return None if firing is None else firing.latest + in_step + grace(crawl, last)


def kept_until(since: datetime, last: Complete | None) -> datetime:
    """Return until when a crawl has come after another one as promised: nobody waits for what ended by then."""
    return since if last is None else max(since, last.ended)


def due_after(
    crawl: Crawl, since: datetime, last: Complete | None, runs: Iterable[SourceRun], now: datetime
) -> datetime | None:
    """Return by when the run is due that comes after a run of another crawl; None if none is awaited.

    `runs` are those of the other crawl, the newest first. They are read as far as needed.
    """
    kept, due = kept_until(since, last), None
    for run in runs:
        if run.ended <= kept:
            break
        due = run.reported + grace(crawl, last)
        if due <= now:
            break
    return due
