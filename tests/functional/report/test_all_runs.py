"""The page of all runs: two that end at once, killed, twice, late, lost and garbled; and what it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pageturner.errors import SinkError
from pageturner.page_state import Run, utc_text
from pageturner.report import runs as kept
from pageturner.report.index import Index
from pageturner.report.page import data_in
from pageturner.report.runs import ShownRun, merged, shown_of
from pageturner.stores import Stores
from pageturner.stores.history import HistoryRow
from pageturner.stores.keys import INDEX
from tests.fakes import FakeDynamoDB, FakeS3, StoredObject, client_error, stores_in
from tests.histories import Killed, Process

BLOCK = b'<script type="application/json" id="data">\n'
BEGAN = datetime(2126, 3, 1, 2, tzinfo=UTC)


def stores_of(s3: FakeS3, dynamodb: FakeDynamoDB, process: Process | None = None) -> Stores:
    process = process or Process()
    return stores_in(process.client(s3), process.client(dynamodb))


def row(number: int, crawl: str = "buckets", generation: int = 1, **more: Any) -> HistoryRow:
    began = BEGAN + timedelta(days=number)
    about: dict[str, Any] = {"outcome": "succeeded", "verdict": "complete", "items": number, "targets": 1} | more
    return HistoryRow(
        f"{crawl}-{number}", crawl, utc_text(began), "execution", generation,
        as_catalogued=True, ended_at=utc_text(began + timedelta(minutes=generation)), **about,
    )  # fmt: skip


def shown(s3: FakeS3) -> list[dict[str, Any]]:
    data = data_in(iter(s3.objects[INDEX].body.decode("ascii").splitlines()))
    assert data is not None
    return [dict(zip(data["columns"], each, strict=True)) for each in data["runs"]]


def ids(s3: FakeS3) -> list[str]:
    return [run["run_id"] for run in shown(s3)]


def record(dynamodb: FakeDynamoDB, number: int, crawl: str = "buckets") -> HistoryRow:
    """Put a run that has ended into the history, and return its row."""
    history = stores_in(FakeS3(), dynamodb).history
    began = BEGAN + timedelta(days=number)
    run = Run(f"{crawl}-{number}", "", utc_text(began), "", 4_900_000_000, "execution")
    history.begin(run, crawl, as_catalogued=True)
    summary: Mapping[str, Any] = {
        "outcome": "succeeded",
        "verdict": "complete",
        "ended_at": utc_text(began + timedelta(minutes=1)),
        "message": "complete",
        "pages": 1,
        "items": number,
        "bytes": 1,
        "throttles": 0,
        "restarts": 0,
        "seconds": 60.0,
        "estimated_cost": 0.01,
    }
    history.end(run, crawl, summary, as_catalogued=True)
    history.report(run, crawl, summary, summary, utc_text(began + timedelta(minutes=2)))
    found = history.run(run, crawl)
    assert found is not None
    return found


def test_runs_are_added_to_those_that_are_there() -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    for number in (2, 1, 3):
        Index(stores_of(s3, dynamodb)).add(row(number))
    Index(stores_of(s3, dynamodb)).add(row(1, "objects", outcome="failed", verdict="incomplete", message="1 denied"))
    assert ids(s3) == ["buckets-3", "buckets-2", "buckets-1", "objects-1"]
    text = s3.objects[INDEX].body.decode("ascii")
    assert "2 crawls: 1 complete, 1 not complete" in text
    assert [run["message"] for run in shown(s3)] == ["", "", "", "1 denied"]


@dataclass
class Overtaken(Process):
    """A process that something overtakes before its n-th request."""

    at: int = 0
    what: Any = None

    def request(self, name: str, operation: Any, arguments: Mapping[str, Any]) -> Any:
        if len(self.requests) + 1 == self.at:
            self.what()
        return super().request(name, operation, arguments)


@pytest.mark.parametrize("is_there", [True, False])
def test_two_that_end_at_once_are_both_there(is_there: bool) -> None:
    for at in range(1, 4):
        s3, dynamodb = FakeS3(), FakeDynamoDB()
        if is_there:
            Index(stores_of(s3, dynamodb)).add(row(1))
        other = Index(stores_of(s3, dynamodb))
        Index(stores_of(s3, dynamodb, Overtaken(at=at, what=lambda other=other: other.add(row(3, "other"))))).add(
            row(2)
        )
        assert ids(s3) == ["buckets-2", *(["buckets-1"] if is_there else []), "other-3"], at


def test_the_page_is_deleted_while_a_run_is_added() -> None:
    for at in range(1, 4):
        s3, dynamodb = FakeS3(), FakeDynamoDB()
        record(dynamodb, 1)
        Index(stores_of(s3, dynamodb)).add(row(2))
        process = Overtaken(at=at, what=lambda s3=s3: s3.objects.pop(INDEX))
        try:
            Index(stores_of(s3, dynamodb, process)).add(record(dynamodb, 3))
        except SinkError:
            Index(stores_of(s3, dynamodb)).add(record(dynamodb, 3))
        assert {"buckets-1", "buckets-3"} <= set(ids(s3)), at


def test_who_is_killed_anywhere_and_called_again_comes_to_the_same() -> None:
    process = Process()
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    Index(stores_of(s3, dynamodb)).add(row(1))
    before = s3.objects[INDEX]
    Index(stores_of(s3, dynamodb, process)).add(row(2))
    expected = s3.objects[INDEX]
    for number in range(1, len(process.requests) + 1):
        s3.objects[INDEX] = before
        with pytest.raises(Killed):
            Index(stores_of(s3, dynamodb, Process(dies_at=number))).add(row(2))
        Index(stores_of(s3, dynamodb)).add(row(2))
        assert s3.objects[INDEX] == expected
        Index(stores_of(s3, dynamodb, Process(doubles=number))).add(row(2))
        assert s3.objects[INDEX] == expected


def test_two_that_put_it_at_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    index, left = Index(stores_of(s3, dynamodb)), [2]
    whole = FakeS3.put_object

    def put_object(self: FakeS3, **request: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise client_error("ConditionalRequestConflict", "PutObject")
        return whole(self, **request)

    monkeypatch.setattr(FakeS3, "put_object", put_object)
    index.add(row(1))
    assert ids(s3) == ["buckets-1"]
    monkeypatch.setattr(FakeS3, "put_object", lambda *_, **__: fail("AccessDenied"))
    with pytest.raises(SinkError, match="AccessDenied"):
        index.add(row(2))


def fail(code: str) -> None:
    raise client_error(code, "PutObject")


def test_a_run_that_nobody_has_added_is_there_with_the_next_one_of_its_crawl() -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    index = Index(stores_of(s3, dynamodb))
    index.add(record(dynamodb, 1))
    record(dynamodb, 2)
    began = BEGAN + timedelta(days=3)
    stopped = Run("buckets-3", "", utc_text(began), "", 4_900_000_000, "execution")
    history = stores_of(s3, dynamodb).history
    history.begin(stopped, "buckets", as_catalogued=True)
    history.stop(stopped, "buckets", "The execution was stopped", utc_text(began), told_after=0)
    history.begin(replace(stopped, run_id="buckets-4"), "buckets", as_catalogued=True)  # it is running
    index.add(record(dynamodb, 5))
    assert ids(s3) == ["buckets-5", "buckets-3", "buckets-2", "buckets-1"]
    assert shown(s3)[1]["outcome"] == "stopped"


def test_who_can_never_put_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    stores = stores_of(s3, dynamodb)
    monkeypatch.setattr(stores.pages, "put_text", lambda *_: False)
    with pytest.raises(SinkError, match=r"could not write s3://bucket/runs/index.html: others put it 20 times"):
        Index(stores).add(row(1))


def test_a_later_generation_replaces_an_earlier_one_and_never_the_other_way_round() -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    index = Index(stores_of(s3, dynamodb))
    index.add(row(1, outcome="failed", verdict="incomplete"))
    index.add(row(1, generation=2))
    index.add(row(1, outcome="failed", verdict="incomplete"))
    index.add(HistoryRow("buckets-1", "buckets", row(1).started_at, "execution", 2))  # as it was before it ended
    (only,) = shown(s3)
    assert (only["generation"], only["outcome"]) == (2, "succeeded")


@pytest.mark.parametrize(
    "garbled",
    [
        *(b"", b"<html>", "ä".encode(), b"\xff", BLOCK + b'{"runs": [['),
        *(BLOCK + b"[]", BLOCK + b"{}"),
        BLOCK + b'{"columns": ["run_id"], "runs": [["a"]]}',
        BLOCK + b'{"columns": ["run_id","crawl","started_at"],"runs":[[1,2,3]]}',
        BLOCK + b'{"columns": ["run_id","crawl","started_at"],"runs":[["a","b","c"]]}',
        None,
    ],
)
def test_a_page_that_is_gone_or_cannot_be_read_is_made_anew_from_the_history(garbled: bytes | None) -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    for number in (1, 2):
        record(dynamodb, number)
    record(dynamodb, 5, "objects")
    if garbled is not None:
        s3.objects[INDEX] = StoredObject(garbled, {})
    Index(stores_of(s3, dynamodb)).add(record(dynamodb, 3))
    assert ids(s3) == ["buckets-3", "buckets-2", "buckets-1", "objects-5"]
    assert {run["items"] for run in shown(s3)} == {1, 2, 3, 5}


def test_a_last_complete_run_whose_row_has_expired_is_known_by_the_status() -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    record(dynamodb, 1)
    for key in [key for key in dynamodb.tables["runs"] if key[0] == "history#buckets"]:
        del dynamodb.tables["runs"][key]
    Index(stores_of(s3, dynamodb)).add(row(2, "objects"))
    assert ids(s3) == ["buckets-1", "objects-2"]


def test_a_crawl_that_was_left_out_comes_back_with_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_CRAWLS", 1)
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    index = Index(stores_of(s3, dynamodb))
    index.add(record(dynamodb, 1))
    index.add(record(dynamodb, 2, "objects"))
    assert ids(s3) == ["objects-2"]
    index.add(record(dynamodb, 3))
    assert ids(s3) == ["buckets-3", "buckets-1"]


# What it keeps.


def run(number: float, crawl: str = "c", outcome: str = "succeeded") -> ShownRun:
    return ShownRun(f"{crawl}-{number}", crawl, utc_text(BEGAN + timedelta(days=number)), 1, True, outcome=outcome)


def test_days_that_are_over_are_left_out_but_not_the_last_complete_run() -> None:
    complete, failed = run(0), [run(number, outcome="failed") for number in range(1, 200)]
    found = shown_of([complete, *failed])
    assert found[0] == failed[-1]
    assert [each.run_id for each in found] == [each.run_id for each in (*reversed(failed[-kept.DAYS :]), complete)]


def test_of_a_day_those_that_need_a_look_are_kept() -> None:
    of_day = [run(number / 100, outcome="failed" if number == 3 else "succeeded") for number in range(60)]
    found = shown_of(of_day)
    assert len(found) == kept.MOST_OF_RECENT_DAY
    assert of_day[3] in found
    assert found[:2] == [of_day[59], of_day[58]]
    later = shown_of([*of_day, run(50)])
    assert len(later) == kept.MOST_OF_DAY + 1
    assert of_day[3] in later


def test_crawls_and_runs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_CRAWLS", 2)
    monkeypatch.setattr(kept, "MOST_RUNS", 10)
    found: list[ShownRun] = []
    for number in range(100):
        found = merged(found, [run(number, f"crawl-{number // 20}")])
    latest = [run(number, "crawl-4").run_id for number in range(99, 89, -1)]
    assert [each.run_id for each in found] == [run(79, "crawl-3").run_id, *latest]


def test_adding_in_any_order_comes_to_the_same() -> None:
    added = [
        run(number * 0.7, f"crawl-{number % 3}", "failed" if number % 5 == 0 else "succeeded") for number in range(300)
    ]
    forward: list[ShownRun] = []
    for each in added:
        forward = merged(forward, [each])
    assert forward == shown_of(added)
    assert merged(forward, [added[-1]]) == forward
    assert merged(forward, [added[0]]) == forward
