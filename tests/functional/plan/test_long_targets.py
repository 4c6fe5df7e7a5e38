"""PlanLongTargets: which targets ShortTargets has left, by the records of the run."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.s3.models import s3_backends

from pageturner import clients
from pageturner.errors import SinkError, TooManyRestartsError
from pageturner.page_state import FROM_CHECKPOINT
from tests.conftest import ACCOUNT, Aws, Machines
from tests.runs_of_a_bucket import CRAWL, KEYS, expired_token, keys_by_manifest, verdict_of

# Four targets: key-00* to key-03*, of ten, ten, ten and five keys.
EACH = [{"Bucket": "source", "Prefix": f"key-0{number}"} for number in range(4)]


@pytest.fixture
def planned(source: Any, machines: Machines) -> dict[str, Any]:
    crawl = {**CRAWL, "pagination_config": {"PageSize": 4}, "parameters": {"Delimiter": "|"}}
    machines.catalogue = {"c": {**crawl, "for_each": {"list": EACH}}}
    return machines.plan({"crawl": "c"})


def targets_of(aws: Aws, planned: dict[str, Any]) -> list[dict[str, Any]]:
    return list(aws.json(planned["targets"]["key"]))


def left(aws: Aws, machines: Machines, planned: dict[str, Any]) -> list[dict[str, Any]]:
    """What PlanLongTargets leaves to LongTargets."""
    found = machines.plan_long(planned)
    targets = list(aws.json(found["key"]))
    assert found["count"] == len(targets)
    return targets


def test_who_has_ended_or_has_a_verdict_is_done(aws: Aws, machines: Machines, planned: dict[str, Any]) -> None:
    targets = targets_of(aws, planned)
    machines.turn_all(planned, targets[0])
    verdict_of(aws, planned, "denied", "AccessDeniedError", "no", target_id=targets[1]["target_id"])
    machines.fetch(planned, targets[2], FROM_CHECKPOINT)
    assert left(aws, machines, planned) == targets[2:]
    for target in targets[2:]:
        machines.turn_all(planned, target)
    assert sorted(keys_by_manifest(aws, machines.finish(planned))) == [*KEYS[:10], *KEYS[20:]]


def test_nothing_is_left_of_short_targets(aws: Aws, machines: Machines, planned: dict[str, Any]) -> None:
    for target in targets_of(aws, planned):
        machines.turn_all(planned, target)
    assert left(aws, machines, planned) == []
    assert machines.finish(planned)["verdict"] == "complete"


def test_a_listing_that_has_failed_for_good_is_done(aws: Aws, machines: Machines, planned: dict[str, Any]) -> None:
    targets = targets_of(aws, planned)
    with pytest.MonkeyPatch.context() as patch:
        expired_token(patch, 1000)
        with pytest.raises(TooManyRestartsError) as raised:
            machines.turn_all(planned, targets[0])
    # Until the error is recorded, its last pass may go on.
    assert machines.plan_long(planned)["count"] == 4
    verdict_of(aws, planned, "failed", "TooManyRestartsError", str(raised.value), target_id=targets[0]["target_id"])
    aws.s3.delete_object(Bucket=aws.bucket, Key=machines.plan_long(planned)["key"])
    assert left(aws, machines, planned) == targets[1:]


def test_a_target_whose_pass_begins_anew_has_not_ended(aws: Aws, machines: Machines, planned: dict[str, Any]) -> None:
    """Its token was rejected: the place of the new pass is in the record of page 0, behind those of the last pass."""
    targets = targets_of(aws, planned)
    first = machines.fetch(planned, targets[0], FROM_CHECKPOINT)
    with pytest.MonkeyPatch.context() as patch:
        expired_token(patch, 1)
        rejected = machines.fetch(planned, targets[0], first)
    assert rejected["next"] == "begin_pass"
    machines.fetch(planned, targets[0], rejected)
    assert left(aws, machines, planned)[0] == targets[0]


def test_verdicts_before_a_resumption_are_not_of_this_generation(
    aws: Aws, machines: Machines, planned: dict[str, Any]
) -> None:
    targets = targets_of(aws, planned)
    for target in targets[1:]:
        machines.turn_all(planned, target)
    verdict_of(aws, planned, "denied", "AccessDeniedError", "no", target_id=targets[0]["target_id"])
    failed = machines.finish(planned)
    resumed = machines.plan({"resume": failed["run_id"]}, "execution-2")
    assert left(aws, machines, resumed) == targets[:1]
    # It has a file of its own.
    assert left(aws, machines, planned) == []


def test_what_was_planned_first_counts(aws: Aws, machines: Machines, planned: dict[str, Any]) -> None:
    first = left(aws, machines, planned)
    assert len(first) == 4
    machines.turn_all(planned, first[0])
    assert left(aws, machines, planned) == first


def test_a_plan_that_vanishes_is_made_again(
    aws: Aws, machines: Machines, planned: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = machines.plan_long(planned)
    s3 = clients.client("s3")
    put_object = s3.put_object

    def refused(**request: Any) -> Any:
        # By no request: none is the function's.
        s3_backends[ACCOUNT]["aws"].delete_object(aws.bucket, found["key"])
        raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": "no"}}, "PutObject")

    with monkeypatch.context() as patch:
        patch.setattr(s3, "put_object", refused)
        with pytest.raises(SinkError, match="was there, and is not any more"):
            machines.plan_long(planned)
    assert s3.put_object == put_object
    assert machines.plan_long(planned) == found
