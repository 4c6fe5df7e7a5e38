"""The page of all runs: two that end at once, killed, twice, late, lost and garbled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pageturner.errors import SinkError
from pageturner.page_state import utc_text
from pageturner.report import runs as kept
from pageturner.stores.keys import INDEX
from tests.fakes import FakeDynamoDB, FakeS3, StoredObject, client_error, stores_in
from tests.histories import Killed, Process
from tests.runs_on_record import BEGAN, REQUESTS, Overtaken, add, begin, end, ids, index_in, run_of, shown, stop

BLOCK = b'<script type="application/json" id="data">\n'


def test_runs_are_added_to_those_that_are_there() -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    for number in (2, 1, 3):
        add(s3, dynamodb, end(dynamodb, number))
    add(s3, dynamodb, end(dynamodb, 1, "objects", outcome="failed", verdict="incomplete", message="1 denied"))
    assert ids(s3) == ["buckets-3", "buckets-2", "buckets-1", "objects-1"]
    text = s3.objects[INDEX].body.decode("ascii")
    assert "2 crawls: 1 complete, 1 not complete" in text
    assert [run["message"] for run in shown(s3)] == ["complete", "", "", "1 denied"]
    folder = "https://eu-west-1.console.aws.amazon.com/s3/object/bucket?region=eu-west-1&prefix=runs%2F"
    assert folder in text.replace("\\u0026", "&")


@pytest.mark.parametrize("is_there", [True, False])
def test_two_that_end_at_once_are_both_there(is_there: bool) -> None:
    for at in range(1, REQUESTS + is_there):
        s3, dynamodb = FakeS3(), FakeDynamoDB()
        if is_there:
            add(s3, dynamodb, end(dynamodb, 1))
        run = end(dynamodb, 2)
        other = Overtaken(at=at, what=lambda s3=s3, db=dynamodb: add(s3, db, end(db, 3, "other")))
        add(s3, dynamodb, run, other)
        assert ids(s3) == ["buckets-2", *(["buckets-1"] if is_there else []), "other-3"], at


def test_the_page_is_deleted_while_a_run_is_added() -> None:
    for at in range(1, REQUESTS + 1):
        s3, dynamodb = FakeS3(), FakeDynamoDB()
        add(s3, dynamodb, end(dynamodb, 1))
        run = end(dynamodb, 3)
        process = Overtaken(at=at, what=lambda s3=s3: s3.objects.pop(INDEX))
        try:
            add(s3, dynamodb, run, process)
        except SinkError:
            add(s3, dynamodb, run)
        assert ids(s3) == ["buckets-3", "buckets-1"], at


def test_who_is_killed_anywhere_and_called_again_comes_to_the_same() -> None:
    process = Process()
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    add(s3, dynamodb, end(dynamodb, 1))
    before, run = s3.objects[INDEX], end(dynamodb, 2)
    add(s3, dynamodb, run, process)
    expected = s3.objects[INDEX]
    assert len(process.requests) == REQUESTS
    for number in range(1, REQUESTS + 1):
        s3.objects[INDEX] = before
        with pytest.raises(Killed):
            add(s3, dynamodb, run, Process(dies_at=number))
        add(s3, dynamodb, run)
        assert s3.objects[INDEX] == expected
        add(s3, dynamodb, run, Process(doubles=number))
        assert s3.objects[INDEX] == expected


def test_two_that_put_it_at_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    left, whole = [2], FakeS3.put_object

    def put_object(self: FakeS3, **request: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise client_error("ConditionalRequestConflict", "PutObject")
        return whole(self, **request)

    monkeypatch.setattr(FakeS3, "put_object", put_object)
    add(s3, dynamodb, end(dynamodb, 1))
    assert ids(s3) == ["buckets-1"]
    monkeypatch.setattr(FakeS3, "put_object", lambda *_, **__: fail("AccessDenied"))
    with pytest.raises(SinkError, match="AccessDenied"):
        add(s3, dynamodb, end(dynamodb, 2))


def fail(code: str) -> None:
    raise client_error(code, "PutObject")


def test_many_that_end_at_once_are_added_by_the_first_and_the_others_put_nothing() -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    add(s3, dynamodb, end(dynamodb, 1, "first"))
    late = [end(dynamodb, 2, f"crawl-{number:02}") for number in range(50)]
    processes: list[Process] = []

    def ends(number: int) -> None:
        """One overtakes the other just before it puts the page: in the end, one is first."""
        if number < len(late):
            process = Overtaken(what=lambda: ends(number + 1))
            processes.append(process)
            # The runs of each crawl that has ended are read.
            process.at = REQUESTS + len(late) - 1
            add(s3, dynamodb, late[number], process)

    ends(0)
    assert ids(s3) == [*(run.run_id for run in late), "first-1"]
    assert [run["items"] for run in shown(s3)] == [*(2 for _ in late), 1]
    assert {sum(name == "put_object" for name, *_ in each.requests) for each in processes} == {1}


def test_who_can_never_put_it_waits_longer_and_longer_while_there_is_time_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    waits: list[float] = []
    index = index_in(s3, dynamodb, seconds_left=lambda: 40 - sum(waits), sleep=waits.append)
    run = end(dynamodb, 1)
    monkeypatch.setattr(index.stores.pages, "put_text", lambda *_: False)
    with pytest.raises(SinkError, match=r"could not write s3://bucket/runs/index.html: others put it 9 times"):
        index.add(run, "buckets")
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_run_that_nobody_has_added_is_there_with_the_next_one_of_its_crawl() -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    add(s3, dynamodb, end(dynamodb, 1))
    end(dynamodb, 2)
    stop(dynamodb, 3)
    begin(dynamodb, run_of(4))  # it is running
    add(s3, dynamodb, end(dynamodb, 5))
    assert ids(s3) == ["buckets-5", "buckets-3", "buckets-2", "buckets-1"]
    assert shown(s3)[1]["outcome"] == "stopped"


def test_a_crawl_whose_runs_are_all_stopped_is_there_with_the_next_run_of_any_crawl() -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    add(s3, dynamodb, end(dynamodb, 1))
    stop(dynamodb, 2)
    stop(dynamodb, 2, "never")
    stop(dynamodb, 3)
    begin(dynamodb, run_of(3, "first"))  # it has not ended
    add(s3, dynamodb, end(dynamodb, 3, "objects"))
    assert ids(s3) == ["buckets-3", "buckets-2", "buckets-1", "never-2", "objects-3"]
    assert "3 crawls: 2 stopped, 1 complete" in s3.objects[INDEX].body.decode("ascii")
    process = Process()
    add(s3, dynamodb, end(dynamodb, 4, "objects"), process)
    assert len(process.requests) == REQUESTS, "who is known is not read again"


def test_crawls_that_are_left_out_are_counted_and_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_CRAWLS", 2)
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    for number in range(5):
        end(dynamodb, number, f"crawl-{number}")
    stop(dynamodb, 0, "stopped")
    add(s3, dynamodb, end(dynamodb, 6))
    assert ids(s3) == ["buckets-6", "stopped-0"]
    process = Process()
    add(s3, dynamodb, end(dynamodb, 7), process)
    assert len(process.requests) == REQUESTS
    said = "2 crawls: 1 complete, 1 stopped; and 5 more crawls: 5 complete"
    assert said in s3.objects[INDEX].body.decode("ascii")


def test_a_stopped_run_that_is_published_after_all_is_no_longer_stopped() -> None:
    """Its end is before that at which it was called stopped."""
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    add(s3, dynamodb, end(dynamodb, 1))
    run = stop(dynamodb, 2)
    add(s3, dynamodb, end(dynamodb, 2, "objects"))
    assert shown(s3)[0]["outcome"] == "stopped"
    ended = utc_text(BEGAN + timedelta(days=1))
    summary = {"outcome": "succeeded", "verdict": "complete", "ended_at": ended, "message": "complete", "pages": 1}
    summary |= {"items": 9, "bytes": 1, "throttles": 0, "restarts": 0, "seconds": 1.0, "estimated_cost": 0.01}
    stores_in(FakeS3(), dynamodb).history.end(run, "buckets", summary, as_catalogued=True)
    add(s3, dynamodb, run)
    assert (shown(s3)[0]["run_id"], shown(s3)[0]["outcome"], shown(s3)[0]["items"]) == ("buckets-2", "succeeded", 9)


def test_a_later_generation_replaces_an_earlier_one_and_never_the_other_way_round() -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    first = end(dynamodb, 1, outcome="failed", verdict="incomplete")
    add(s3, dynamodb, first)
    add(s3, dynamodb, end(dynamodb, 1, generation=2))
    add(s3, dynamodb, first)
    begin(dynamodb, replace(first, generation=3))  # it goes on
    add(s3, dynamodb, first)
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
        end(dynamodb, number)
    end(dynamodb, 5, "objects")
    if garbled is not None:
        s3.objects[INDEX] = StoredObject(garbled, {})
    add(s3, dynamodb, end(dynamodb, 3))
    assert ids(s3) == ["buckets-3", "buckets-2", "buckets-1", "objects-5"]
    assert {run["items"] for run in shown(s3)} == {1, 2, 3, 5}


def test_a_last_complete_run_whose_row_has_expired_is_known_by_the_status() -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    end(dynamodb, 1)
    for key in [key for key in dynamodb.tables["runs"] if key[0] == "history#buckets"]:
        del dynamodb.tables["runs"][key]
    add(s3, dynamodb, end(dynamodb, 2, "objects"))
    assert ids(s3) == ["buckets-1", "objects-2"]
    assert "2 crawls: 2 complete" in s3.objects[INDEX].body.decode("ascii")


def test_a_crawl_that_was_left_out_comes_back_with_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_CRAWLS", 1)
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    add(s3, dynamodb, end(dynamodb, 1))
    add(s3, dynamodb, end(dynamodb, 2, "objects"))
    assert ids(s3) == ["objects-2"]
    add(s3, dynamodb, end(dynamodb, 3))
    assert ids(s3) == ["buckets-3", "buckets-1"]
