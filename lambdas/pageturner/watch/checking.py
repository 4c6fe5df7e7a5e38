"""Looks at the crawls of a catalogue: what came of each, whether it runs as promised, whether its runs are published.

Nothing is lost if it ends anywhere: the next check finds the same, and at worst says it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import takewhile, tee
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.errors import said
from pageturner.messages import shortened
from pageturner.notices import Notice
from pageturner.page_state import utc_text
from pageturner.stores.history import CrawlStatus, History, HistoryRow
from pageturner.telemetry import logger
from pageturner.watch.promises import Complete, SourceRun, due_after, due_by_schedule, kept_until, promise_of

# How many of a crawl's runs are looked at that are not yet reported, the newest ones.
_UNREPORTED = 10
# How many of a crawl's runs are looked at for those that come after it. If none of so many succeeded, it has an alarm.
_SOURCE_RUNS = 5_000
# Crawls that have left the catalogue are listed for so long.
_FORGOTTEN_AFTER_SECONDS = 90 * 24 * 3600
# The outcomes of runs that are published and reported when they have ended.
_REPORTED = ("succeeded", "failed")
# How many crawls a notice tells of, and how long what their last runs said is there: it is for people.
_TOLD = 50
_LONGEST_MESSAGE = 300


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
    """Checks the crawls of a catalogue at one moment. `errors` has those of the crawls that could not be checked."""

    def __init__(self, history: History, catalogue: Mapping[str, Crawl], now: datetime) -> None:
        self._history = history
        self._catalogue = catalogue
        self._now = now
        self._statuses = {status.crawl: status for status in history.crawls()}
        self._source_runs: dict[str, Iterator[SourceRun]] = {}
        self.errors: list[Exception] = []

    def check_all(self) -> Iterator[Checked]:
        """Check each crawl of the catalogue that promises something, or that has run."""
        for crawl in self._catalogue.values():
            if promise_of(crawl) or crawl.name in self._statuses:
                try:
                    checked = self._check(crawl, self._statuses.get(crawl.name, CrawlStatus(crawl.name)))
                except Exception as error:  # noqa: BLE001 - whatever it is, the others are checked
                    logger.error("crawl not checked", extra={"crawl": crawl.name, "error": said(error)})
                    self.errors.append(error)
                    # An iterator that has raised seems to be at its end.
                    self._source_runs.clear()
                else:
                    yield checked

    def remember(self, checked: Iterable[Checked]) -> None:
        """Remember who is overdue, so that it is said once. Call this when it has been said."""
        for each in checked:
            if each.newly_overdue:
                self._history.set_overdue(each.crawl, utc_text(self._now))
            elif each.well_again:
                self._history.set_overdue(each.crawl, None)

    def forget(self) -> None:
        """Forget what crawls have promised that have left the catalogue."""
        expires_at = int(self._now.timestamp()) + _FORGOTTEN_AFTER_SECONDS
        for status in self._statuses.values():
            if status.crawl not in self._catalogue and (status.promise or status.overdue_since):
                self._history.forget_promise(status.crawl, expires_at)

    def _check(self, crawl: Crawl, status: CrawlStatus) -> Checked:
        unreported = self._unreported(status)
        last = _last_complete(status, unreported)
        due = self._due(crawl, status, last)
        overdue = due is not None and due <= self._now
        running = status.run_id is not None and status.ended_at is None
        return Checked(
            crawl=crawl.name,
            run_id=status.run_id,
            outcome=status.outcome,
            verdict=status.verdict,
            message=status.message,
            hours_since_complete=self._hours_since(utc_text(last.ended) if last else None),
            promised_at=utc_text(due) if due else None,
            overdue=overdue,
            running_hours=self._hours_since(status.started_at if running else None),
            refused=status.refused,
            publish_lag_seconds=max((self._seconds_since(str(row.ended_at)) for row in unreported), default=0),
            newly_overdue=overdue and status.overdue_since is None,
            well_again=not overdue and status.overdue_since is not None,
        )

    def _unreported(self, status: CrawlStatus) -> list[HistoryRow]:
        """Return the runs of a crawl that have ended, and are newer than the last one that has been reported."""
        if status.run_id == status.complete_run_id:
            return []
        newest = self._history.runs(status.crawl, limit=_UNREPORTED)
        newer = takewhile(lambda row: row.reported_at is None, newest)
        return [row for row in newer if row.ended_at is not None and row.outcome in _REPORTED]

    def _due(self, crawl: Crawl, status: CrawlStatus, last: Complete | None) -> datetime | None:
        promise = promise_of(crawl)
        since = self._promised_since(crawl.name, promise, status)
        if not promise:
            return None
        if not crawl.after:
            return due_by_schedule(crawl, since, last)
        source = _last_complete(self._statuses.get(crawl.after, CrawlStatus(crawl.after)), ())
        if source is None or source.ended <= kept_until(since, last):
            return None  # as mostly, and nothing is read to know it
        return due_after(crawl, since, last, self._runs_of(crawl.after), self._now)

    def _runs_of(self, source: str) -> Iterator[SourceRun]:
        """Yield the runs of a crawl, which are read once for all crawls that come after it."""
        known = self._source_runs.get(source)
        if known is None:
            known = _source_runs(self._history.runs(source, limit=_SOURCE_RUNS))
        self._source_runs[source], runs = tee(known)
        return runs

    def _promised_since(self, crawl: str, promise: str, status: CrawlStatus) -> datetime:
        """Return since when a crawl has promised this: not before it was seen here, with this schedule, enabled."""
        if promise == (status.promise or "") and status.promised_since is not None:
            return datetime.fromisoformat(status.promised_since)
        if promise != (status.promise or ""):
            self._history.set_promise(crawl, promise, utc_text(self._now))
        return self._now

    def _hours_since(self, time: str | None) -> float | None:
        return None if time is None else round(self._seconds_since(time) / 3600, 2)

    def _seconds_since(self, time: str) -> float:
        return (self._now - datetime.fromisoformat(time)).total_seconds()


def _last_complete(status: CrawlStatus, unreported: Iterable[HistoryRow]) -> Complete | None:
    """Return the last complete run, be it published or not: that it is not has an alarm of its own."""
    found = [(row.started_at, row.ended_at) for row in unreported if row.outcome == "succeeded" and row.as_catalogued]
    if status.complete_started_at is not None:
        found.append((status.complete_started_at, status.complete_ended_at))
    times = [Complete(datetime.fromisoformat(started), datetime.fromisoformat(str(ended))) for started, ended in found]
    return max(times, key=lambda run: run.started, default=None)


def _source_runs(rows: Iterable[HistoryRow]) -> Iterator[SourceRun]:
    """Yield the runs that others come after, as infra/chains.py has it: those that succeeded and are published."""
    for row in rows:
        if row.outcome == "succeeded" and row.as_catalogued and row.ended_at and row.reported_at:
            yield SourceRun(datetime.fromisoformat(row.ended_at), datetime.fromisoformat(row.reported_at))


def notice_of(overdue: Iterable[Checked]) -> Notice:
    """Return the notice that says which crawls have become overdue: one for all, as they often have one cause."""
    late = list(overdue)
    names = ", ".join(each.crawl for each in late[:3]) + (f" and {len(late) - 3} more" if len(late) > 3 else "")
    subject = f"Pageturner: overdue: {names}"
    told = [_sentences(each) for each in late[:_TOLD]]
    if len(late) > _TOLD:
        told.append(f"And {len(late) - _TOLD} more.\nType next: pageturner crawls")
    return Notice("overdue", subject, "\n\n".join(told) + "\n")


def _sentences(checked: Checked) -> str:
    complete = (
        "has had no complete run yet"
        if checked.hours_since_complete is None
        else f"had its last complete run {checked.hours_since_complete:g} hours ago"
    )
    if checked.running_hours is not None:
        last = f"Its run {checked.run_id} has been going on for {checked.running_hours:g} hours."
        command = f"pageturner watch {checked.run_id}"
    elif checked.run_id is None:
        last = "Nothing has started it. Is its schedule in EventBridge Scheduler, and enabled?"
        command = f"pageturner start {checked.crawl}"
    else:
        said = shortened(checked.message or "", _LONGEST_MESSAGE)
        last = f"Its last run, {checked.run_id}, ended: {checked.outcome}. {said}".rstrip()
        command = f"pageturner why {checked.run_id}"
    refused = f" {checked.refused} starts since were refused, because it goes on." if checked.refused else ""
    due = f"The next one was due by {checked.promised_at}."
    return f"{checked.crawl} {complete}. {due} {last}{refused}\nType next: {command}"
