"""The runs that the page of all runs shows: of each crawl the latest ones, and the last complete one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import date, timedelta
from itertools import groupby, islice
from typing import Any

from pageturner.crawls.crawl import ADHOC_PREFIX
from pageturner.messages import shortened
from pageturner.stores.history import CrawlStatus, History, HistoryRow

# What the page shows. Of a day are shown so many runs of a crawl, and fewer of a day that is further back.
DAYS, RECENT_DAYS = 90, 14
MOST_CRAWLS, MOST_RUNS = 200, 10_000
MOST_OF_RECENT_DAY, MOST_OF_DAY = 24, 4
# So many of a crawl are read when the page is made anew.
_MOST_OF_CRAWL = 1_000
_LONGEST_MESSAGE = 300
# The days of time stamps sort as text.
_DAY = 10


@dataclass(frozen=True)
class ShownRun:
    """A run, as the page has it; the fields are those of `HistoryRow`. Only the latest of a crawl has its `message`."""

    run_id: str
    crawl: str
    started_at: str
    generation: int = 1
    as_catalogued: bool = False
    ended_at: str | None = None
    outcome: str | None = None
    verdict: str | None = None
    targets: int | None = None
    items: int | None = None
    message: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether it is a complete run of its crawl, as the catalogue has it."""
        return self.outcome == "succeeded" and (self.as_catalogued or self.crawl.startswith(ADHOC_PREFIX))

    @property
    def is_bad(self) -> bool:
        """Whether it has ended, and is not as the crawl asks."""
        return self.outcome in ("failed", "stopped")

    @property
    def day(self) -> str:
        """The UTC day on which it began."""
        return self.started_at[:_DAY]


COLUMNS = tuple(each.name for each in fields(ShownRun))


def of_history(row: HistoryRow) -> ShownRun:
    """Return a row of the history as the page has it."""
    found = {name: getattr(row, name) for name in COLUMNS}
    return ShownRun(**{**found, "message": shortened(row.message or "", _LONGEST_MESSAGE)})


def merged(runs: Iterable[ShownRun], added: Iterable[ShownRun]) -> list[ShownRun]:
    """Return the runs that are shown with those that were added, in order of crawl and start, the latest first.

    Adding a run again changes nothing. Of two generations the later one counts, and of a generation its end.
    """
    known = {each.run_id: each for each in runs}
    for run in added:
        before = known.get(run.run_id)
        if before is None or _how_far(run) >= _how_far(before):
            known[run.run_id] = run
    return shown_of(known.values())


def shown_of(runs: Iterable[ShownRun]) -> list[ShownRun]:
    """Return those of the runs that are shown."""
    ordered = sorted(runs, key=lambda run: (run.started_at, run.run_id), reverse=True)
    if not ordered:
        return []
    latest = date.fromisoformat(ordered[0].day)
    since, recent = (str(latest - timedelta(days=days - 1)) for days in (DAYS, RECENT_DAYS))
    ordered.sort(key=lambda run: run.crawl)
    crawls = [list(of_crawl) for _, of_crawl in groupby(ordered, key=lambda run: run.crawl)]
    crawls.sort(key=lambda of_crawl: of_crawl[0].started_at, reverse=True)
    each = [_of_crawl(of_crawl, since, recent) for of_crawl in crawls[:MOST_CRAWLS]]
    # If there are too many, those of the last days stay.
    kept = sorted({run.started_at for of_crawl in each for run in of_crawl}, reverse=True)[:MOST_RUNS]
    return [
        run
        for of_crawl in sorted(each, key=lambda of_crawl: of_crawl[0].crawl)
        for run in of_crawl
        if run.started_at >= kept[-1] or run in (of_crawl[0], _last_complete(of_crawl))
    ]


def packed(runs: Iterable[ShownRun]) -> list[list[Any]]:
    """Return runs as JSON."""
    return [list(astuple(run)) for run in runs]


def unpacked(data: Mapping[str, Any]) -> list[ShownRun]:
    """Return the runs that the data of a page has. Raises `ValueError` if they cannot be read."""
    try:
        names = data["columns"]
        found = [dict(zip(names, row, strict=True)) for row in data["runs"]]
        runs = [ShownRun(**{name: row[name] for name in COLUMNS if name in row}) for row in found]
        return shown_of(runs)  # which reads what it needs
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no runs: {type(error).__name__}: {error}") from error


def all_in(history: History) -> list[ShownRun]:
    """Return the runs that are shown, by all that is on record. Raises `SinkError`."""
    statuses = sorted(history.crawls(), key=lambda status: status.started_at or "", reverse=True)
    return shown_of(run for status in statuses[:MOST_CRAWLS] for run in _recorded(history, status))


def of_crawl_in(history: History, crawl: str) -> list[ShownRun]:
    """Return the runs of a crawl that are on record. Raises `SinkError`."""
    status = history.crawl(crawl)
    return _recorded(history, status) if status is not None else []


def latest_in(history: History, crawl: str) -> list[ShownRun]:
    """Return the latest runs of a crawl that have ended, also those that nobody has added. Raises `SinkError`."""
    return [of_history(row) for row in islice(history.runs(crawl), MOST_OF_RECENT_DAY) if row.ended_at is not None]


def _recorded(history: History, status: CrawlStatus) -> list[ShownRun]:
    rows = islice(history.runs(status.crawl), _MOST_OF_CRAWL)
    runs = [of_history(row) for row in rows if row.ended_at is not None]
    complete = _complete(status)
    if complete is None or complete.run_id in {run.run_id for run in runs}:
        return runs
    return [*runs, complete]


def _complete(status: CrawlStatus) -> ShownRun | None:
    """Return the last complete run of a crawl, whose own row can have expired."""
    if status.complete_run_id is None or status.complete_started_at is None:
        return None
    about = (status.complete_run_id, status.crawl, status.complete_started_at)
    return ShownRun(*about, as_catalogued=True, ended_at=status.complete_ended_at, outcome="succeeded")


def _of_crawl(runs: Sequence[ShownRun], since: str, recent: str) -> list[ShownRun]:
    always = {runs[0].run_id} | {run.run_id for run in [_last_complete(runs)] if run is not None}
    kept = set(always)
    for day, of_day in groupby(runs, key=lambda run: run.day):
        if day >= since:
            # Those that need a look, and then the latest.
            ranked = sorted(of_day, key=lambda run: not run.is_bad)
            kept |= {run.run_id for run in ranked[: MOST_OF_RECENT_DAY if day >= recent else MOST_OF_DAY]}
    found = [run for run in runs if run.run_id in kept]
    return [found[0], *(replace(run, message="") for run in found[1:])]


def _last_complete(runs: Iterable[ShownRun]) -> ShownRun | None:
    return next((run for run in runs if run.is_complete), None)


def _how_far(run: ShownRun) -> tuple[int, str]:
    return run.generation, run.ended_at or ""
