"""Runs whose execution was stopped: their PageLoops are not stopped with it, but turn no more pages."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

import fetch_page
from pageturner import clients
from pageturner.crawls.crawl import Crawl
from pageturner.errors import RunStoppedError, TransientError
from pageturner.page_state import FROM_CHECKPOINT, Run
from pageturner.stores import Stores
from pageturner.stores.executions import LOOK_SECONDS
from pageturner.turn.stop_check import StopCheck
from tests.conftest import Aws, Machines
from tests.published import publish_as_it_is
from tests.runs_of_a_bucket import CRAWL, KEYS, LATER, keys_by_manifest, target_of


def look_again() -> None:
    """Let FetchPage look at its next page."""
    fetch_page._stop_check()._looked.clear()


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("event", [True, False])
def test_what_is_left_of_a_stopped_run_does_not_write_beside_the_next_one(
    event: bool, aws: Aws, machines: Machines
) -> None:
    """Also if EventBridge never delivers the event: its delivery is best effort."""
    old = machines.plan({"crawl": "c"}, "one")
    target = target_of(aws, old)
    place = machines.fetch(old, target, FROM_CHECKPOINT)
    if event:
        machines.stop("one")
    machines.started_at = LATER
    new = machines.plan({"crawl": "c"}, "two")
    look_again()
    before = aws.object_keys("items/")
    with pytest.raises(RunStoppedError, match="one was stopped; it turns no more pages of c-21260203T040506Z-"):
        machines.fetch(old, target, place)
    assert aws.object_keys("items/") == before
    machines.turn_all(new, target)
    assert keys_by_manifest(aws, machines.finish(new)) == KEYS


@pytest.mark.usefixtures("source")
def test_a_failed_run_is_resumed_and_its_first_execution_turns_no_more_pages(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"}, "one")
    summary = machines.finish(planned)
    assert summary["outcome"] == "failed"
    machines.fail(summary, "one")
    # FailRun fails the execution, and EventBridge says so.
    machines.stop("one", "FAILED")
    machines.plan({"resume": summary["run_id"]}, "two")
    with pytest.raises(RunStoppedError, match="which has ended or was resumed"):
        machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("overlap", ["refuse", "allow"])
@pytest.mark.parametrize("event", [True, False])
def test_a_stopped_run_is_resumed_and_its_first_execution_turns_no_more_pages(
    event: bool, overlap: str, aws: Aws, machines: Machines
) -> None:
    machines.catalogue = {"c": {**CRAWL, "overlap": overlap}}
    planned = machines.plan({"crawl": "c"}, "one")
    target = target_of(aws, planned)
    place = machines.fetch(planned, target, FROM_CHECKPOINT)
    if event:
        machines.stop("one")
    resumed = machines.plan({"resume": planned["run"]["run_id"]}, "two")
    assert resumed["run"]["execution"] == "two"
    look_again()
    with pytest.raises(RunStoppedError, match=r"one no longer drives .*, which has ended or was resumed"):
        machines.fetch(planned, target, place)
    machines.turn_all(resumed, target)
    assert keys_by_manifest(aws, machines.finish(resumed)) == KEYS


@pytest.mark.usefixtures("source")
def test_a_stopped_execution_that_is_redriven_goes_on(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"}, "one")
    target = target_of(aws, planned)
    place = machines.fetch(planned, target, FROM_CHECKPOINT)
    machines.stop("one")
    look_again()
    with pytest.raises(RunStoppedError):
        machines.fetch(planned, target, place)
    machines.running = {"one"}
    assert machines.fetch(planned, target, FROM_CHECKPOINT)["page"] == 3
    # It drives the run again, and Step Functions is not asked each time.
    machines.running = set()
    look_again()
    assert machines.fetch(planned, target, FROM_CHECKPOINT)["page"] == 4
    # The event comes late: the execution has been redriven since.
    machines.stop("one")
    machines.running = {"one"}
    look_again()
    machines.turn_all(planned, target)
    assert keys_by_manifest(aws, machines.finish(planned)) == KEYS


@pytest.mark.usefixtures("source")
def test_a_redriven_execution_does_not_go_on_beside_another_run(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"}, "one")
    target = target_of(aws, planned)
    machines.stop("one")
    other = machines.plan({"crawl": "c"}, "two")
    machines.running = {"one", "two"}
    with pytest.raises(RunStoppedError, match=f"{other['run']['run_id']} of the crawl c is running since, in two"):
        machines.fetch(planned, target, FROM_CHECKPOINT)
    publish_as_it_is(machines.finish(other)["run_id"])
    machines.fetch(planned, target, FROM_CHECKPOINT)
    # Two runs at once, where the crawl allows them.
    machines.catalogue = {"c": {**CRAWL, "overlap": "allow"}}
    three = machines.plan({"crawl": "c"}, "three")
    machines.plan({"crawl": "c"}, "four")
    machines.stop("three")
    machines.running = {"three", "four"}
    look_again()
    machines.fetch(three, target, FROM_CHECKPOINT)


@pytest.mark.usefixtures("source")
def test_a_failed_execution_that_is_redriven_turns_pages_again(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"}, "one")
    summary = machines.finish(planned)
    assert "error" in machines.fail(summary, "one")
    machines.stop("one", "FAILED")
    machines.running = {"one"}
    machines.entered_at = LATER
    resumed = machines.plan(json.loads(machines.fail(summary, "one", redrives=1)["output"]), "one")
    machines.fetch(resumed, target_of(aws, resumed), FROM_CHECKPOINT)


@pytest.mark.usefixtures("source")
def test_fetch_page_looks_every_few_seconds_and_reads_half_a_unit(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = machines.plan({"crawl": "c"}, "one")
    run, crawl = Run.from_dict(planned["run"]), Crawl.from_dict(planned["crawl"])
    client = clients.client("dynamodb")
    whole = client.get_item
    looks: list[bool] = []

    def get_item(**request: Any) -> Any:
        looks.append(request["ConsistentRead"])
        return whole(**request)

    monkeypatch.setattr(client, "get_item", get_item)
    check = StopCheck(Stores.of_environment(), lambda _: False)
    for now in (0.0, 1.0, LOOK_SECONDS - 0.1):
        check.check(run, crawl, 1000 + now)
    assert looks == [False]
    machines.stop("one")
    looks.clear()
    check.check(run, crawl, 1000 + LOOK_SECONDS - 0.1)
    assert not looks
    with pytest.raises(RunStoppedError):
        check.check(run, crawl, 1000.0 + LOOK_SECONDS)
    # A clock that was set back does not make the last look new.
    with pytest.raises(RunStoppedError):
        check.check(run, crawl, 900.0)


def test_whether_an_execution_runs_is_asked_of_step_functions(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    stepfunctions = boto3.client("stepfunctions")
    definition = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    role = "arn:aws:iam::123456789012:role/r"
    machine = stepfunctions.create_state_machine(name="m", definition=definition, roleArn=role)["stateMachineArn"]
    execution = stepfunctions.start_execution(stateMachineArn=machine)["executionArn"]
    assert clients.is_running(execution)
    stepfunctions.stop_execution(executionArn=execution)
    assert not clients.is_running(execution)
    assert not clients.is_running(f"{execution}-none")
    assert not clients.is_running("none")
    monkeypatch.setattr(clients.client("stepfunctions").meta.events, "emit_until_response", _unreachable)
    with pytest.raises(TransientError):
        clients.is_running(execution)


def _unreachable(*_: Any, **__: Any) -> Any:
    from botocore.exceptions import EndpointConnectionError

    raise EndpointConnectionError(endpoint_url="https://states")
