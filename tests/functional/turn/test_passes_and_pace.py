"""New passes after rejected tokens, the deadline, and the pace of a target."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pageturner import clients
from pageturner.errors import (
    AccessDeniedError,
    DeadlinePassedError,
    InvalidRequestError,
    TooManyRestartsError,
)
from pageturner.page_state import AFTER_THROTTLING, FROM_CHECKPOINT
from tests.conftest import Aws, Machines
from tests.runs_of_a_bucket import (
    CRAWL,
    KEYS,
    LATER,
    UNORDERED,
    denied,
    entry,
    expired_token,
    keys_by_manifest,
    target_of,
)


@pytest.mark.usefixtures("source")
def test_an_expired_token_begins_the_target_again_in_the_same_run(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.catalogue = {"c": UNORDERED}
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    machines.fetch(planned, target, FROM_CHECKPOINT)
    # The abandoned pass listed this key; the new pass does not.
    aws.s3.delete_object(Bucket="source", Key=KEYS[0])
    expired_token(monkeypatch, 1)
    end = machines.turn_all(planned, target)[-1]
    assert end["pass_number"] == 2
    summary = machines.finish(planned)
    assert keys_by_manifest(aws, summary) == KEYS[1:]
    assert (summary["targets"], summary["restarts"], summary["items"]) == ({"complete": 1}, 1, 34)
    assert entry(aws, summary)["restarts"] == 1


@pytest.mark.usefixtures("source")
def test_tokens_that_never_last_end_the_target(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    machines.catalogue = {"c": UNORDERED}
    planned = machines.plan({"crawl": "c"})
    expired_token(monkeypatch, 1000)
    with pytest.raises(TooManyRestartsError, match="after 3 restarts"):
        machines.turn_all(planned, target_of(aws, planned))
    summary = machines.finish(planned)
    assert summary["outcome"] == "failed"


@pytest.mark.usefixtures("source")
def test_pages_of_an_abandoned_pass_do_not_count(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    machines.catalogue = {"c": UNORDERED}
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    place = machines.fetch(planned, target, FROM_CHECKPOINT)
    expired_token(monkeypatch, 1)
    begins = machines.fetch(planned, target, place)
    assert machines.finish(planned)["items"] == 10, "the new pass has not begun yet"
    planned = machines.plan({"resume": planned["run"]["run_id"]}, "execution-2")
    monkeypatch.setattr(clients.client("s3", "us-east-1"), "list_objects_v2", denied)
    with pytest.raises(AccessDeniedError):
        machines.fetch(planned, target, begins)
    summary = machines.finish(planned)
    assert (summary["items"], summary["targets"]) == (0, {"unfinished": 1})


@pytest.mark.usefixtures("source")
def test_a_starting_token_that_is_not_taken_is_not_paged_without(machines: Machines, aws: Aws) -> None:
    planned = machines.plan(
        {"crawl": "c", "pagination_config": {"StartingToken": "eyJDb250aW51YXRpb25Ub2tlbiI6ICJ4In0="}}
    )
    with pytest.MonkeyPatch.context() as patch:
        expired_token(patch, 1)
        with pytest.raises(InvalidRequestError, match="rejected the first page: the StartingToken may be invalid"):
            machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"Bucket": "source", "Marker": "x"}, "rejected the first page: Marker may be invalid"),
        ({"Bucket": "source"}, "^An error occurred"),
    ],
)
def test_a_rejected_first_page_says_what_it_was_sent(
    parameters: dict[str, str], said: str, machines: Machines, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = machines.plan({"service": "s3", "operation": "list_objects", "parameters": parameters})

    def rejected(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "InvalidArgument", "Message": "no"}}, "ListObjects")

    monkeypatch.setattr(clients.client("s3", "us-east-1"), "list_objects", rejected)
    with pytest.raises(InvalidRequestError, match=said):
        machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)


@pytest.mark.usefixtures("source")
def test_after_the_deadline_no_page_is_fetched(aws: Aws, machines: Machines) -> None:
    machines.started_at = "2020-01-01T00:00:00Z"
    planned = machines.plan({"crawl": "c"})
    with pytest.raises(DeadlinePassedError, match=r"the run's deadline was 2020-01-02T00:00:00.000Z"):
        machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    assert aws.object_keys("items/") == []
    # A resumed run gets a new deadline.
    machines.started_at = LATER
    assert machines.plan({"resume": planned["run"]["run_id"]}, "two")["run"]["deadline"] == "2127-01-02T00:00:00.000Z"


@pytest.mark.usefixtures("source")
def test_a_target_keeps_its_pace(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOP_SECONDS", "1e12")
    machines.catalogue = {"c": {**CRAWL, "max_pages_per_second": 0.25}}
    planned = machines.plan({"crawl": "c"})
    place = machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    assert (place["next"], place["interval"]) == ("pause", 4)
    ahead = datetime.fromisoformat(place["not_before"]) - datetime.now(UTC)
    assert 1 < ahead.total_seconds() <= 4


@pytest.mark.usefixtures("source")
def test_a_throttled_target_slows_down_and_slowly_speeds_up(aws: Aws, machines: Machines) -> None:
    aws.s3.create_bucket(Bucket="many")
    aws.put_objects("many", [f"{number:03}" for number in range(120)])
    asked = {**CRAWL, "parameters": {"Bucket": "many"}, "pagination_config": {"PageSize": 1}}
    planned = machines.plan(asked)
    target = target_of(aws, planned)
    intervals = [machines.fetch(planned, target, place)["interval"] for place in (FROM_CHECKPOINT, AFTER_THROTTLING)]
    intervals += [machines.fetch(planned, target, AFTER_THROTTLING)["interval"]]
    assert intervals == [0, 0.5, 1]
    for _ in range(6):
        slowest = machines.fetch(planned, target, AFTER_THROTTLING)
    assert slowest["interval"] == 20
    faster = [machines.fetch(planned, target, FROM_CHECKPOINT)["interval"] for _ in range(3)]
    assert faster == [19, 18.05, 17.148]
    for _ in range(105):
        place = machines.fetch(planned, target, FROM_CHECKPOINT)
    assert place["interval"] < 0.1
