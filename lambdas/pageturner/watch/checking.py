"""Looks at the crawls of a catalogue: what came of each, whether it runs as promised, whether its runs are published.

Nothing is lost if it ends anywhere: the next check finds the same, and at worst says it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pageturner.crawls.crawl import Crawl
from pageturner.page_state import utc_text
from pageturner.watch.promises import Complete, SourceRun, due_after, due_by_schedule, promise_of

if TYPE_CHECKING:
    from pageturner.stores.history import CrawlStatus, HistoryRow, HistoryStore

# How many of a crawl's runs that are not yet published are looked at, the newest ones.
_UNPUBLISHED = 10
# How many runs of a crawl are looked at for one that is awaited: a run a minute for more than a day.
_AWAITED = 2_000
# The outcomes of runs that are published and reported when they have ended.
_REPORTED = ("succeeded", "failed")


@dataclass(frozen=True)
class Checked:
    """What a check finds of a crawl. Times are None if there is nothing to say.

    `promised_at` is by when the next complete run is due, `publish_lag_seconds` how long a run has been over without
    being published. `refused` is how many starts in a row were refused because a run was going on. `newly_overdue` and
    `well_again` say that it was otherwise at the last check.
    """

    crawl: str
    run_id: str | None
    outcome: str | None
    verdict: str | None
    message: str | None
    hours_since_complete: float | None
    promised_at: str | None
    overdue: bool
    running_hours: float | None
    refused: int
    publish_lag_seconds: float
    newly_overdue: bool
    well_again: bool

    def facts(self) -> dict[str, Any]:
        """What is logged."""
        said_elsewhere = ("message", "newly_overdue", "well_again")
        return {name: value for name, value in asdict(self).items() if name not in said_elsewhere}


class Checker:
    """Checks the crawls of a catalogue at one moment."""

    def __init__(self, history: HistoryStore, catalogue: Mapping[str, Crawl], now: datetime) -> None:
        self._history = history
        self._catalogue = catalogue
        self._now = now
        self._statuses = {status.crawl: status for status in history.crawls()}

    def check_all(self) -> Iterator[Checked]:
        """Check each crawl of the catalogue that promises something, or that has run."""
        for crawl in self._catalogue.values():
            if promise_of(crawl) or crawl.name in self._statuses:
                yield self._check(crawl, self._statuses.get(crawl.name))

    def remember(self, checked: Iterable[Checked]) -> None:
        """Remember who is overdue, so that it is said once. Call this when it has been said."""
        for each in checked:
            if each.newly_overdue:
                self._history.set_overdue(each.crawl, utc_text(self._now))
            elif each.well_again:
                self._history.set_overdue(each.crawl, None)

    def _check(self, crawl: Crawl, status: CrawlStatus | None) -> Checked:
        due = self._due(crawl, status)
        overdue = due is not None and due <= self._now
        was_overdue = status is not None and status.overdue_since is not None
        running = status is not None and status.run_id is not None and status.ended_at is None
        return Checked(
            crawl=crawl.name,
            run_id=status and status.run_id,
            outcome=status and status.outcome,
            verdict=status and status.verdict,
            message=status and status.message,
            hours_since_complete=self._hours_since(status.complete_ended_at if status else None),
            promised_at=None if due is None else utc_text(due),
            overdue=overdue,
            running_hours=self._hours_since(status.started_at if status and running else None),
            refused=(status and status.refused) or 0,
            publish_lag_seconds=self._publish_lag(crawl.name) if status else 0,
            newly_overdue=overdue and not was_overdue,
            well_again=was_overdue and not overdue,
        )

    def _due(self, crawl: Crawl, status: CrawlStatus | None) -> datetime | None:
        promise = promise_of(crawl)
        since = self._promised_since(crawl.name, promise, status)
        if not promise:
            return None
        last = _last_complete(status)
        if not crawl.after:
            return due_by_schedule(crawl, since, last)
        runs = _source_runs(self._history.runs(crawl.after, _AWAITED))
        return due_after(crawl, since, last, runs, self._now)

    def _promised_since(self, crawl: str, promise: str, status: CrawlStatus | None) -> datetime:
        """Return since when a crawl has promised this: not before it was seen here, with this schedule, enabled."""
        known, since = (status.promise or "", status.promised_since) if status else ("", None)
        if promise == known and since is not None:
            return datetime.fromisoformat(since)
        if promise != known:
            self._history.set_promise(crawl, promise, utc_text(self._now))
        return self._now

    def _publish_lag(self, crawl: str) -> float:
        """Return for how long the oldest run that is newer than the last published one has been over."""
        newer = takewhile(lambda row: row.reported_at is None, self._history.runs(crawl, _UNPUBLISHED))
        waiting = [row.ended_at for row in newer if row.ended_at is not None and row.outcome in _REPORTED]
        return max((self._seconds_since(ended_at) for ended_at in waiting), default=0)

    def _hours_since(self, time: str | None) -> float | None:
        return None if time is None else round(self._seconds_since(time) / 3600, 2)

    def _seconds_since(self, time: str) -> float:
        return (self._now - datetime.fromisoformat(time)).total_seconds()


def _last_complete(status: CrawlStatus | None) -> Complete | None:
    if status is None or status.complete_started_at is None or status.complete_ended_at is None:
        return None
    return Complete(*(datetime.fromisoformat(time) for time in (status.complete_started_at, status.complete_ended_at)))


def _source_runs(rows: Iterable[HistoryRow]) -> Iterator[SourceRun]:
    """Yield the runs that others come after: those that succeeded, once they are published."""
    for row in rows:
        if row.outcome == "succeeded" and row.ended_at is not None and row.reported_at is not None:
            yield SourceRun(datetime.fromisoformat(row.ended_at), datetime.fromisoformat(row.reported_at))


def notice_of(overdue: Iterable[Checked]) -> tuple[str, str]:
    """Return subject and text of the notice that says which crawls have become overdue."""
    late = list(overdue)
    names = ", ".join(each.crawl for each in late[:3]) + (f" and {len(late) - 3} more" if len(late) > 3 else "")
    subject = f"Overdue: {names}"
    return subject, "\n\n".join(map(_sentences, late))


def _sentences(checked: Checked) -> str:
    complete = (
        "has never had a complete run"
        if checked.hours_since_complete is None
        else f"had its last complete run {checked.hours_since_complete:g} hours ago"
    )
    if checked.running_hours is not None:
        last = f"Its run {checked.run_id} has been going on for {checked.running_hours:g} hours."
    elif checked.run_id is None:
        last = "It has not run at all. Is its schedule there, and enabled?"
    else:
        last = f"Its last run, {checked.run_id}, ended: {checked.outcome}. {checked.message or ''}".rstrip()
    return (
        f"{checked.crawl} {complete}; the next was due by {checked.promised_at}. {last}\n"
        f'To run it now, start Crawl with {{"crawl": "{checked.crawl}"}}.'
    )
