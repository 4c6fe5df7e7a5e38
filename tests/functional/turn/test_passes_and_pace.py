"""New passes after rejected tokens, the deadline, and the pace of a target."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pageturner import clients
from pageturner.errors import (
    AccessDeniedError,
    DeadlinePassedError,
    InvalidRequestError,
    ThrottledError,
    TooManyRestartsError,
)
from pageturner.page_state import AFTER_THROTTLING, FROM_CHECKPOINT, utc_text
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
    monkeypatch.setenv("LOOP_SECONDS", "1e10")
    machines.catalogue = {"c": {**CRAWL, "max_pages_per_second": 0.25}}
    planned = machines.plan({"crawl": "c"})
    place = machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    assert (place["next"], place["interval"]) == ("pause", 0)
    ahead = datetime.fromisoformat(place["not_before"]) - datetime.now(UTC)
    assert 1 < ahead.total_seconds() <= 4
    assert place["not_before"] == place["slot_at"]


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("late", "slots_left", "passed"),
    [(-30, 3, 1), (0, 3, 1), (5, 3, 1), (25, 3, 3), (35, 3, None), (5, 0, None)],
    ids=["early", "at its moment", "late", "two have passed", "all have passed", "it was the last"],
)
def test_the_moments_of_a_block_are_used_without_a_write_unless_they_have_passed(
    late: int, slots_left: int, passed: int | None, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOP_SECONDS", "1000")
    machines.catalogue = {"c": {**CRAWL, "max_pages_per_second": 0.1}}
    planned = machines.plan({"crawl": "c"})
    target, began = target_of(aws, planned), datetime.now(UTC)
    place = machines.fetch(planned, target, FROM_CHECKPOINT, loop_started_at=utc_text(began))

    def free_at() -> list[str]:
        return [row["free_at"]["N"] for row in aws.rows(aws.runs_table) if "free_at" in row]

    before = free_at()
    slot_at = datetime.now(UTC) - timedelta(seconds=late)
    # The machine has waited for its moment.
    waited = {"next": "pause", "not_before": utc_text(slot_at)}
    block = {**place, **waited, "slot_at": utc_text(slot_at), "slots_left": slots_left}
    after = machines.fetch(planned, target, block, loop_started_at=utc_text(began))
    assert after["page"] == 3
    if passed is None:
        assert after["slot_at"] > utc_text(datetime.now(UTC))
        assert (after["slots_left"], free_at() == before) == (0, False)
    else:
        slot_at = datetime.fromisoformat(block["slot_at"]) + timedelta(seconds=10 * passed)
        assert (after["slot_at"], after["slots_left"]) == (utc_text(slot_at), slots_left - passed)
        assert free_at() == before
    # A checkpoint has none: whoever goes on from there reserves anew.
    records = [row["place"]["S"] for row in aws.rows(aws.runs_table) if row["sk"]["S"].startswith("page#")]
    assert records
    assert "slot" not in "".join(records)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("pages", "interval", "more", "count"),
    [
        (15, 0, {}, 1),
        (16, 0, {}, 2),
        (100, 0, {}, 5),
        (100, 0, {"max_pages": 103}, 3),
        (100, 11, {}, 1),
        (100, 0, {"max_pages_per_second": 0.05}, 2),
        (100, 0, {"max_pages_per_second": 1000}, 1),
    ],
    ids=["few", "more", "many", "at most the rest", "slowed down", "slow pace", "slower than the pace"],
)
def test_who_has_turned_many_pages_reserves_several_moments_at_once(
    pages: int,
    interval: float,
    more: dict[str, Any],
    count: int,
    aws: Aws,
    machines: Machines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOOP_SECONDS", "1000")
    # Ten times as slow as it could be, so that every machine is fast enough.
    monkeypatch.setattr("pageturner.turn.pace.BLOCK_SECONDS", 50)
    machines.catalogue = {"c": {**CRAWL, "max_pages_per_second": 0.1, **more}}
    planned = machines.plan({"crawl": "c"})
    target, now = target_of(aws, planned), utc_text(datetime.now(UTC))
    place = {**machines.fetch(planned, target, FROM_CHECKPOINT), "page": pages, "interval": interval, "slot_at": now}
    after = machines.fetch(planned, target, {**place, "slots_left": 0}, loop_started_at=now)
    assert (after["page"], after["slots_left"]) == (pages + 1, count - 1)


TWO = {
    **CRAWL,
    "parameters": {},
    "for_each": {"list": [{"Bucket": "source"}, {"Bucket": "source", "Prefix": "key-00"}]},
}


@pytest.mark.usefixtures("source")
def test_the_first_page_of_a_target_waits_for_its_moment(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOP_SECONDS", "30")
    machines.catalogue = {"c": {**TWO, "max_pages_per_second": 0.1}}
    planned = machines.plan({"crawl": "c"})
    first, second = aws.json(planned["targets"]["key"])
    began = datetime.now(UTC)
    now = utc_text(began)
    machines.fetch(planned, first, FROM_CHECKPOINT, loop_started_at=now)
    waits = machines.fetch(planned, second, AFTER_THROTTLING, loop_started_at=now, share=0.5)
    assert (waits["next"], waits["page"], "turned_in" in waits, waits["throttled"]) == ("pause", 1, False, True)
    # The first target has turned a page, and has the moment after it; then comes this one.
    assert 19 < (datetime.fromisoformat(waits["not_before"]) - began).total_seconds() < 22
    assert waits["not_before"] == waits["slot_at"]
    pages = aws.object_keys("items/")
    # The machine has waited: that is enough, also on an emulator that shortens it.
    turned = machines.fetch(planned, second, waits, loop_started_at=now, share=0.5)
    assert (turned["page"], turned["interval"], len(aws.object_keys("items/")) - len(pages)) == (2, 0.5, 1)


@pytest.mark.usefixtures("source")
def test_who_waits_longer_than_the_loop_lasts_goes_on_waiting_in_the_next(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fetch_page.LONGEST_WAIT_SECONDS", 30)
    machines.catalogue = {"c": {**TWO, "max_pages_per_second": 0.05}}
    planned = machines.plan({"crawl": "c"})
    first, second = aws.json(planned["targets"]["key"])
    began = datetime.now(UTC)
    now = utc_text(began)
    machines.fetch(planned, first, FROM_CHECKPOINT, loop_started_at=now)
    waits = machines.fetch(planned, second, FROM_CHECKPOINT, loop_started_at=now)
    assert waits["next"] == "pause"
    assert waits["not_before"] == utc_text(datetime.fromisoformat(now) + timedelta(seconds=30)) < waits["slot_at"]
    # After so long a wait, the loop has no time for all attempts at a page.
    long_ago = utc_text(began - timedelta(seconds=51))
    over = machines.fetch(planned, second, waits, loop_started_at=long_ago)
    assert over == {**waits, "next": "hand_over"}
    later = utc_text(began + timedelta(seconds=25))
    again = machines.fetch(planned, second, over, loop_started_at=later)
    assert (again["next"], again["not_before"], again["slot_at"]) == ("pause", waits["slot_at"], waits["slot_at"])
    # A retry does not wait once more: it would never come to its last attempt.
    assert machines.fetch(planned, second, over, retries=1, loop_started_at=later)["page"] == 2


@pytest.mark.usefixtures("source")
def test_others_slow_down_when_one_is_throttled_and_once(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.catalogue = {"c": {**TWO, "pagination_config": {"PageSize": 1}}}
    planned = machines.plan({"crawl": "c"})
    one, other = aws.json(planned["targets"]["key"])
    place = machines.fetch(planned, other, FROM_CHECKPOINT)
    s3 = clients.client("s3", "us-east-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3, "list_objects_v2", denied_as("SlowDown"))
        with pytest.raises(ThrottledError):
            machines.fetch(planned, one, FROM_CHECKPOINT)

    def look_again(place: dict[str, Any]) -> dict[str, Any]:
        heard_at = datetime.fromisoformat(place["heard_at"]) - timedelta(seconds=10)
        return {**place, "heard_at": max(heard_at.isoformat().replace("+00:00", "Z"), "")}

    assert machines.fetch(planned, other, place)["interval"] == 0, "it has just looked"
    slower = machines.fetch(planned, other, look_again(place))
    assert slower["interval"] == 0.5
    faster = machines.fetch(planned, other, slower)
    assert faster["interval"] == 0.475
    throttled_at = slower["heard_at"]
    monkeypatch.setattr("pageturner.turn.pace.LOOK_SECONDS", -10)
    assert machines.fetch(planned, other, {**faster, "heard_at": throttled_at})["interval"] == 0.451, "it has heard"


def denied_as(code: str) -> Any:
    def list_objects_v2(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "ListObjectsV2")

    return list_objects_v2


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
