"""Runs in a history, and the page of all runs that is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pageturner.console import Console
from pageturner.page_state import Run, utc_text
from pageturner.report.index import Index
from pageturner.report.page import data_in
from pageturner.stores.history import History
from pageturner.stores.keys import INDEX
from tests.fakes import FakeDynamoDB, FakeS3, stores_in
from tests.histories import Process

BEGAN = datetime(2126, 3, 1, 2, tzinfo=UTC)


def shown(s3: FakeS3) -> list[dict[str, Any]]:
    data = data_in(iter(s3.objects[INDEX].body.decode("ascii").splitlines()))
    assert data is not None
    return [dict(zip(data["columns"], each, strict=True)) for each in data["runs"]]


def ids(s3: FakeS3) -> list[str]:
    return [run["run_id"] for run in shown(s3)]


def index_in(s3: FakeS3, dynamodb: FakeDynamoDB, process: Process | None = None, **more: Any) -> Index:
    process = process or Process()
    stores = stores_in(process.client(s3), process.client(dynamodb))
    defaults: dict[str, Any] = {"seconds_left": lambda: 300.0, "sleep": lambda _: None, "chance": lambda: 1.0}
    return Index(stores, Console("eu-west-1"), **defaults | more)


def add(s3: FakeS3, dynamodb: FakeDynamoDB, run: Run, process: Process | None = None, **more: Any) -> None:
    index_in(s3, dynamodb, process, **more).add(run, crawl_of(run))


def crawl_of(run: Run) -> str:
    return run.run_id.rpartition("-")[0]


def run_of(number: int, crawl: str = "buckets", generation: int = 1) -> Run:
    began = utc_text(BEGAN + timedelta(days=number))
    return Run(f"{crawl}-{number}", "", began, "", 4_900_000_000, "execution", generation=generation)


def begin(dynamodb: FakeDynamoDB, run: Run) -> History:
    history = stores_in(FakeS3(), dynamodb).history
    history.begin(run, crawl_of(run), as_catalogued=True)
    return history


def stop(dynamodb: FakeDynamoDB, number: int, crawl: str = "buckets") -> Run:
    """Put a run into the history that has ended before it could come to anything."""
    run = run_of(number, crawl)
    begin(dynamodb, run).stop(run, crawl, "The execution was stopped", run.started_at, told_after=0)
    return run


def end(dynamodb: FakeDynamoDB, number: int, crawl: str = "buckets", generation: int = 1, **more: Any) -> Run:
    """Put a run that has ended and was reported into the history."""
    run = run_of(number, crawl, generation)
    ended = utc_text(BEGAN + timedelta(days=number, minutes=generation))
    about: dict[str, Any] = {"outcome": "succeeded", "verdict": "complete", "message": "complete", "ended_at": ended}
    about |= {"pages": 1, "items": number, "bytes": 1, "throttles": 0, "restarts": 0, "seconds": 60.0}
    summary = about | {"estimated_cost": 0.01} | more
    history = begin(dynamodb, run)
    history.end(run, crawl, summary, as_catalogued=True)
    history.report(run, crawl, summary, summary, ended)
    return run


@dataclass
class Overtaken(Process):
    """A process that something overtakes before its n-th request."""

    at: int = 0
    what: Any = None

    def request(self, name: str, operation: Any, arguments: Mapping[str, Any]) -> Any:
        if len(self.requests) + 1 == self.at:
            self.what()
        return super().request(name, operation, arguments)


# The version of the page, the page, the crawls, the runs of the crawl, the run; and the put.
REQUESTS = 6
