"""The runs that the page of all runs shows: of each crawl the latest ones, and the last complete one."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from pageturner.crawls.crawl import ADHOC_PREFIX
from pageturner.errors import said

# What the page shows. Of a day are shown so many runs of a crawl, and fewer of a day that is further back.
DAYS, RECENT_DAYS = 90, 14
MOST_CRAWLS, MOST_RUNS = 200, 10_000
MOST_OF_RECENT_DAY, MOST_OF_DAY = 24, 4
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
        return self.outcome == "succeeded" and (self.as_catalogued or self.is_adhoc)

    @property
    def is_adhoc(self) -> bool:
        """Whether its crawl is not in the catalogue."""
        return self.crawl.startswith(ADHOC_PREFIX)

    @property
    def is_bad(self) -> bool:
        """Whether it has ended, and is not as the crawl asks."""
        return self.outcome in ("failed", "stopped")

    @property
    def day(self) -> str:
        """The UTC day on which it began."""
        return self.started_at[:_DAY]


COLUMNS = tuple(each.name for each in fields(ShownRun))


def merged(runs: Iterable[ShownRun], added: Iterable[ShownRun]) -> list[ShownRun]:
    """Return runs with those that were added. Adding a run again changes nothing.

    Of two generations the later one counts, and of a generation what was added: it was read after what it replaces.
    """
    known = {each.run_id: each for each in runs}
    for run in added:
        before = known.get(run.run_id)
        if before is None or run.generation >= before.generation:
            known[run.run_id] = run
    return list(known.values())


def by_crawl(runs: Iterable[ShownRun]) -> dict[str, list[ShownRun]]:
    """Return the runs of each crawl, the latest first; and so the crawls, by their latest runs."""
    found: dict[str, list[ShownRun]] = {}
    for run in sorted(runs, key=lambda run: (run.started_at, run.run_id), reverse=True):
        found.setdefault(run.crawl, []).append(run)
    return found


def shown_of(runs: Iterable[ShownRun]) -> list[ShownRun]:
    """Return those of the runs that are shown, in order of crawl and start, the latest first."""
    crawls = by_crawl(runs)
    if not crawls:
        return []
    since, recent = (_first_of(days, crawls) for days in (DAYS, RECENT_DAYS))
    # Those of the catalogue, and of these, those that need a look.
    ranked = sorted(crawls.values(), key=lambda of_crawl: (of_crawl[0].is_adhoc, not of_crawl[0].is_bad))
    each = [_of_crawl(of_crawl, since, recent) for of_crawl in ranked[:MOST_CRAWLS]]
    # If there are too many, those of the last days stay.
    kept = sorted({run.started_at for of_crawl in each for run in of_crawl}, reverse=True)[:MOST_RUNS]
    return [
        run
        for of_crawl in sorted(each, key=lambda of_crawl: of_crawl[0].crawl)
        for run in of_crawl
        if run.started_at >= kept[-1] or run in (of_crawl[0], _last_complete(of_crawl))
    ]


def without_past(runs: Iterable[ShownRun], existing: Container[str]) -> list[ShownRun]:
    """Return runs without those of crawls that have not run in the days that are shown, and exist no more."""
    crawls = by_crawl(runs)
    since = _first_of(DAYS, crawls) if crawls else ""
    return [run for name, of in crawls.items() if name in existing or of[0].day >= since for run in of]


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
        raise ValueError(f"no runs: {said(error)}") from error


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


def _first_of(days: int, crawls: Mapping[str, Sequence[ShownRun]]) -> str:
    """Return the first of so many days, the last of which is the latest one on which anything ran."""
    latest = max(of_crawl[0].day for of_crawl in crawls.values())
    return str(date.fromisoformat(latest) - timedelta(days=days - 1))
