"""When FetchPage hands over: a loop has a time, and the targets of a batch share it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pageturner import clients
from pageturner.errors import ThrottledError
from pageturner.page_state import AFTER_THROTTLING, FROM_CHECKPOINT
from tests.conftest import Aws, Machines
from tests.runs_of_a_bucket import CRAWL, KEYS, keys_by_manifest, target_of


@pytest.fixture
def planned(source: Any, machines: Machines) -> dict[str, Any]:
    return machines.plan(CRAWL)


def started(seconds_ago: float) -> str:
    """When a loop started, of the 225 s that it may take."""
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()


def nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("a request was made")

    for service in ("s3", "dynamodb"):
        monkeypatch.setattr(clients.client(service), "_make_api_call", refused)
    monkeypatch.setattr(clients.client("s3", "us-east-1"), "_make_api_call", refused)


def test_a_target_hands_over_when_its_share_of_the_time_is_used_up(
    aws: Aws, machines: Machines, planned: dict[str, Any]
) -> None:
    target = target_of(aws, planned)
    nexts = [
        machines.fetch(planned, target, FROM_CHECKPOINT, loop_started_at=started(90), share=share)["next"]
        for share in (0.25, 0.5)
    ]
    assert nexts == ["hand_over", "page"]


def test_a_target_turns_a_page_even_if_those_before_it_have_used_up_its_share(
    aws: Aws, machines: Machines, planned: dict[str, Any]
) -> None:
    place = machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT, loop_started_at=started(200), share=0.25)
    assert (place["next"], place["page"]) == ("hand_over", 2)


@pytest.mark.parametrize(("retries", "throttled"), [(0, False), (1, True)])
def test_behind_the_time_of_its_loop_a_target_of_a_batch_asks_nobody(
    aws: Aws,
    machines: Machines,
    planned: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    retries: int,
    throttled: bool,
) -> None:
    """Its execution could time out, and those behind it get nothing at all."""
    target = target_of(aws, planned)
    with monkeypatch.context() as patch:
        nobody_asks(patch)
        place = machines.fetch(planned, target, FROM_CHECKPOINT, retries, loop_started_at=started(226), share=1)
    assert place == {"from_checkpoint": True, "throttled": throttled, "next": "hand_over"}


@pytest.mark.parametrize(("retries", "interval"), [(0, 0), (2, 0.5)])
def test_a_loop_that_has_turned_pages_hands_its_place_over_without_a_request(
    aws: Aws,
    machines: Machines,
    planned: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    retries: int,
    interval: float,
) -> None:
    target, loop = target_of(aws, planned), started(226)
    turned = machines.fetch(planned, target, FROM_CHECKPOINT, loop_started_at=loop)
    with monkeypatch.context() as patch:
        nobody_asks(patch)
        late = machines.fetch(planned, target, {**turned, "next": "page"}, retries, loop_started_at=loop)
    assert late == {**turned, "throttled": retries > 0, "next": "hand_over"}
    # The next loop goes on there, more slowly if this one was throttled.
    after = machines.fetch(planned, target, late, loop_started_at=started(1))
    assert (after["page"], after["interval"]) == (3, interval)


def test_a_loop_that_has_turned_no_page_of_its_only_target_goes_on(
    aws: Aws, machines: Machines, planned: dict[str, Any]
) -> None:
    """It reports what was in the way, or makes progress."""
    target = target_of(aws, planned)
    first = machines.fetch(planned, target, FROM_CHECKPOINT, 3, loop_started_at=started(280))
    assert (first["next"], first["page"], first["interval"]) == ("hand_over", 2, 0.5)
    # The place says which loop turned its last page: another one.
    assert machines.fetch(planned, target, first, loop_started_at=started(281))["page"] == 3


def test_a_throttled_target_of_a_batch_is_gone_on_with_by_its_checkpoint(
    aws: Aws, machines: Machines, planned: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = target_of(aws, planned)
    machines.fetch(planned, target, FROM_CHECKPOINT, loop_started_at=started(1), share=0.5)
    with monkeypatch.context() as patch:
        patch.setattr("pageturner.turn.page_fetch.fetch", _throttled)
        with pytest.raises(ThrottledError):
            machines.fetch(planned, target, FROM_CHECKPOINT, loop_started_at=started(2), share=0.5)
    place = machines.fetch(planned, target, AFTER_THROTTLING)
    assert (place["page"], place["interval"]) == (3, 0.5)
    machines.turn_all(planned, target)
    assert sorted(keys_by_manifest(aws, machines.finish(planned))) == KEYS


def _throttled(*_: Any, **__: Any) -> Any:
    raise ThrottledError("slow down")
