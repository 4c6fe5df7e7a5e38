"""Finds what a person means: a run by its id, by its crawl, or the latest of all."""

from __future__ import annotations

import difflib
import heapq
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice, takewhile
from typing import Any

from pageturner.page_state import Run
from pageturner.stores.history import CrawlStatus, HistoryRow
from pageturner.stores.runs_and_locks import RunRecord
from pageturner_cli import executions
from pageturner_cli.deployment import Deployment
from pageturner_cli.executions import Execution
from pageturner_cli.failures import USAGE, Failure

_RUN_ID = re.compile(r"(?P<crawl>.+)-(?P<second>\d{8}T\d{6}Z)-[0-9a-f]{8}")
_NEAR_SHOWN = 3


@dataclass(frozen=True)
class Found:
    """A run, as far as it is known: it has a `row` from PlanRun's first second, and a `record` once it is planned.

    What was refused, or died before that, has only its execution.
    """

    deployment: Deployment
    run_id: str
    crawl: str
    row: HistoryRow | None = None
    record: RunRecord | None = None

    @property
    def run(self) -> Run | None:
        """The run, once it is planned."""
        return Run.from_dict(self.record.run) if self.record is not None else None

    @cached_property
    def execution(self) -> Execution | None:
        """The execution that drives the run, or has driven it last; None if Step Functions has forgotten it."""
        arn = (self.record.run.get("execution") if self.record else "") or (self.row.execution if self.row else "")
        if arn:
            return executions.described(self.deployment, str(arn))
        return executions.of_run(self.deployment, self.run_id)


def found(deployment: Deployment, named: str | None) -> Found:
    """Return the run with this id, the latest of this crawl, or the latest of all. Raises `Failure`."""
    history = deployment.stores.history
    if named is None:
        latest = max(history.crawls(), key=lambda each: each.started_at or "", default=None)
        if latest is None or latest.run_id is None:
            raise Failure("Nothing has run yet. pageturner start CRAWL starts a crawl of the catalogue.")
        return by_id(deployment, latest.run_id)
    if _RUN_ID.fullmatch(named) and (it := _by_id(deployment, named)):
        return it
    if (row := next(iter(history.runs(named)), None)) is not None:
        return _of_row(deployment, row)
    raise _no_such(deployment, named)


def _no_such(deployment: Deployment, named: str) -> Failure:
    near = difflib.get_close_matches(named, names(deployment), _NEAR_SHOWN, cutoff=0.5)
    hint = f" Do you mean {' or '.join(near)}?" if near else " pageturner runs lists them."
    return Failure(f"There is no run {named}, and no crawl of this name has run.{hint}", USAGE)


def by_id(deployment: Deployment, run_id: str) -> Found:
    """Return the run with this id. Raises `Failure`."""
    it = _by_id(deployment, run_id)
    if it is None:
        raise Failure(f"There is no run {run_id}. pageturner runs lists them.", USAGE)
    return it


def latest_runs(deployment: Deployment, crawl: str | None, most: int) -> list[HistoryRow]:
    """Return the latest runs of a crawl, or of all, the latest first. Raises `Failure` if there is no such crawl."""
    history = deployment.stores.history
    if crawl is not None:
        found = list(islice(history.runs(crawl), most))
        if not found and history.crawl(crawl) is None:
            raise _no_such(deployment, crawl)
        return found
    # No other crawl has one of the latest runs.
    started = [each for each in history.crawls() if each.started_at is not None]
    crawls = [each.crawl for each in heapq.nlargest(most, started, key=lambda each: str(each.started_at))]
    merged = heapq.merge(*map(history.runs, crawls), key=lambda each: each.started_at, reverse=True)
    return list(islice(merged, most))


def as_document(row: HistoryRow | CrawlStatus) -> dict[str, Any]:
    """A row, for programs: what the table keeps as text because it is no whole number is a number."""
    decimals = ("seconds", "estimated_cost", "complete_seconds")
    return {name: float(value) if value and name in decimals else value for name, value in asdict(row).items()}


def names(deployment: Deployment) -> list[str]:
    """Return the names of all crawls that have run."""
    return [each.crawl for each in deployment.stores.history.crawls()]


def status_of(deployment: Deployment, crawl: str) -> CrawlStatus | None:
    """Return how a crawl is, or None if it has not run yet."""
    return deployment.stores.history.crawl(crawl)


def _by_id(deployment: Deployment, run_id: str) -> Found | None:
    record = deployment.stores.runs.find(run_id)
    named = _RUN_ID.fullmatch(run_id)
    crawl = str(record.crawl["name"]) if record is not None else named["crawl"] if named else ""
    if record is not None:
        row = deployment.stores.history.run(Run.from_dict(record.run), crawl)
    else:
        row = next((each for each in _around(deployment, crawl, named) if each.run_id == run_id), None)
    it = Found(deployment, run_id, crawl, row, record)
    return it if record is not None or row is not None or it.execution is not None else None


def _around(deployment: Deployment, crawl: str, named: re.Match[str] | None) -> Iterator[HistoryRow]:
    """Yield the runs of a crawl that began in the second that is in a run's id, or later."""
    second = re.sub(r"\D", "", named["second"]) if named else ""
    return takewhile(
        lambda row: re.sub(r"\D", "", row.started_at)[: len(second)] >= second, deployment.stores.history.runs(crawl)
    )


def _of_row(deployment: Deployment, row: HistoryRow) -> Found:
    return Found(deployment, row.run_id, row.crawl, row, deployment.stores.runs.find(row.run_id))
