"""What starts runs without a person: schedules and chains, on the deployed stack; and what is delivered twice."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from local.emulator import ACCOUNT, REGION
from local.fault_proxy import Fault, Request
from tests.e2e.conftest import FEW_PAGES, OBJECTS, RUN_SECONDS, Deployed, lists_source

BUCKETS = ["chained-a", "chained-b"]


@pytest.fixture(scope="module", autouse=True)
def _buckets(_stack: Deployed) -> None:
    for bucket in BUCKETS:
        _stack.s3.create_bucket(Bucket=bucket)
        _stack.s3.put_object(Bucket=bucket, Key=f"in-{bucket}", Body=b"x")


@pytest.fixture(scope="module")
def heard(_stack: Deployed) -> str:
    """The URL of a queue that gets each event `Run finished`."""
    sqs, events = _stack.emulator.client("sqs"), _stack.emulator.client("events")
    url = str(sqs.create_queue(QueueName="finished")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["pageturner"], "detail-type": ["Run finished"]}
    events.put_rule(Name="finished", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="finished", Targets=[{"Id": "queue", "Arn": arn}])
    return url


def event_of(deployed: Deployed, queue: str, run_id: str) -> dict[str, Any]:
    """The event that says that a run has finished."""
    sqs = deployed.emulator.client("sqs")
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            event: dict[str, Any] = json.loads(message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            if event["detail"]["run_id"] == run_id:
                return event
        time.sleep(0.1)
    raise AssertionError(f"no event of {run_id} came within {RUN_SECONDS} s")


def started_by(deployed: Deployed, execution_input: dict[str, Any]) -> list[str]:
    """The executions that have this input, the first one first."""
    pages = deployed.stepfunctions.get_paginator("list_executions").paginate(
        stateMachineArn=deployed.outputs["CrawlMachineArn"]
    )
    found = [each["executionArn"] for page in pages for each in page["executions"]]
    return [each for each in reversed(found) if deployed.input_of(each) == execution_input]


def ended_by(deployed: Deployed, execution_input: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """Wait until there are so many executions with this input, and the last one has succeeded; return its output."""
    deployed.wait_for(lambda: len(started_by(deployed, execution_input)) == number)
    ended = deployed.wait(started_by(deployed, execution_input)[-1])
    assert ended["status"] == "SUCCEEDED", ended
    output: dict[str, Any] = json.loads(ended["output"])
    return output


def schedule_of(deployed: Deployed, crawl: str) -> dict[str, Any]:
    """The schedule of a crawl."""
    scheduler = deployed.emulator.client("scheduler")
    found = [
        scheduler.get_schedule(Name=each["Name"], GroupName=each["GroupName"])
        for each in scheduler.list_schedules()["Schedules"]
    ]
    (only,) = [each for each in found if json.loads(each["Target"]["Input"]).get("crawl") == crawl]
    return dict(only)


@pytest.fixture
def fires_now(deployed: Deployed) -> Iterator[dict[str, Any]]:
    """Let the schedule of `chain-buckets` fire when the emulator looks next, which it does every ten seconds."""
    scheduler, found = deployed.emulator.client("scheduler"), schedule_of(deployed, "chain-buckets")
    name = {"Name": found["Name"], "GroupName": found["GroupName"]}
    kept = {key: found[key] for key in ("FlexibleTimeWindow", "Target")}
    now = f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})"
    scheduler.update_schedule(**name, **kept, ScheduleExpression=now, State="ENABLED")
    yield found
    scheduler.update_schedule(**name, **kept, ScheduleExpression=found["ScheduleExpression"], State=found["State"])


def test_a_schedule_fires_and_all_runs_of_its_chain_complete(
    deployed: Deployed, fires_now: dict[str, Any], heard: str
) -> None:
    assert fires_now["Target"]["Arn"] == deployed.outputs["CrawlMachineArn"]
    assert fires_now["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    buckets = ended_by(deployed, json.loads(fires_now["Target"]["Input"]))
    assert (buckets["verdict"], deployed.keys_in_s3(buckets)) == ("complete", BUCKETS)

    objects = ended_by(deployed, {"crawl": "chain-objects", "trigger": f"after {buckets['run_id']}"})
    assert (objects["verdict"], deployed.keys_in_dynamodb(objects)) == ("complete", ["in-chained-a", "in-chained-b"])
    groups = ended_by(deployed, {"crawl": "chain-groups", "trigger": f"after {objects['run_id']}"})
    assert groups["verdict"] == "complete"

    event = event_of(deployed, heard, buckets["run_id"])
    assert (event["source"], event["detail-type"]) == ("pageturner", "Run finished")
    said = {name: event["detail"][name] for name in ("crawl", "outcome", "verdict", "as_catalogued", "stack", "items")}
    stack = deployed.outputs["CrawlMachineArn"].rpartition(":")[2].removesuffix("-Crawl")
    assert said == {
        "crawl": "chain-buckets",
        "outcome": "succeeded",
        "verdict": "complete",
        "as_catalogued": True,
        "stack": stack,
        "items": 2,
    }


def test_the_next_crawl_of_a_chain_has_the_items_of_that_very_run(deployed: Deployed) -> None:
    deployed.s3.create_bucket(Bucket="chained-new")
    deployed.s3.put_object(Bucket="chained-new", Key="new", Body=b"x")
    buckets = deployed.run({"crawl": "chain-buckets"})
    asked = {"crawl": "chain-objects", "trigger": f"after {buckets['run_id']}"}
    objects = ended_by(deployed, asked)
    assert "new" in deployed.keys_in_dynamodb(objects)
    (planned,) = [
        json.loads(event["stateExitedEventDetails"]["output"])
        for event in deployed.history(started_by(deployed, asked)[0])
        if event.get("stateExitedEventDetails", {}).get("name") == "PlanRun"
    ]
    assert planned["for_each_item_of"] == buckets["run_id"]


def test_an_event_that_is_delivered_twice_starts_one_run(deployed: Deployed, heard: str) -> None:
    events = deployed.emulator.client("events")
    buckets = deployed.run({"crawl": "chain-buckets"})
    asked = {"crawl": "chain-objects", "trigger": f"after {buckets['run_id']}"}
    objects = ended_by(deployed, asked)
    event = event_of(deployed, heard, buckets["run_id"])
    entry = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
    events.put_events(Entries=[entry])
    again = ended_by(deployed, asked, number=2)
    assert (again["outcome"], again["run_id"]) == ("duplicate", objects["run_id"])
    assert again["execution"] == started_by(deployed, asked)[0]
    assert f"has started run {objects['run_id']} of the crawl chain-objects already" in again["message"]

    # Published again, it is announced again.
    deployed.run({"publish": buckets["run_id"]})
    assert ended_by(deployed, asked, number=3)["outcome"] == "duplicate"
    assert len(started_by(deployed, {"crawl": "chain-groups", "trigger": f"after {objects['run_id']}"})) == 1


def test_a_run_that_lists_something_else_starts_nothing(deployed: Deployed) -> None:
    """The emulator starts what an event starts before it answers to who sends it."""
    part = deployed.run({"crawl": "chain-buckets", "search": "Buckets[?Name == 'chained-a']"})
    assert part["outcome"] == "succeeded"
    assert not started_by(deployed, {"crawl": "chain-objects", "trigger": f"after {part['run_id']}"})


def test_of_two_executions_with_the_same_trigger_one_runs(deployed: Deployed, source: list[str]) -> None:
    asked = {**FEW_PAGES, "trigger": "by hand, and by hand again"}
    outputs = []
    for execution in [deployed.start(asked), deployed.start(asked)]:
        ended = deployed.wait(execution)
        assert ended["status"] == "SUCCEEDED", ended
        outputs.append({**json.loads(ended["output"]), "by": execution})
    (ran,) = [each for each in outputs if each["outcome"] == "succeeded"]
    (said,) = [each for each in outputs if each["outcome"] == "duplicate"]
    assert (said["run_id"], said["execution"], said["crawl"]) == (ran["run_id"], ran["by"], "objects")
    assert deployed.keys_in_s3(ran) == source


def test_crawls_from_the_console_that_differ_run_at_once_and_the_same_one_does_not(
    deployed: Deployed, source: list[str]
) -> None:
    whole: dict[str, Any] = {
        "service": "s3",
        "operation": "list_objects_v2",
        "parameters": {"Bucket": "source"},
        "key": "Key",
    }
    # So that it goes on for as long as its pages are held.
    whole["pagination_config"] = {"PageSize": 10}
    part = {**whole, "parameters": {"Bucket": "source", "Prefix": "+"}}
    asked, goes_on = threading.Event(), threading.Event()

    def wait(_: Request) -> None:
        asked.set()
        goes_on.wait(20)

    deployed.proxy.add(
        Fault(lambda request: lists_source(request) and "prefix=" not in request.path, OBJECTS, before=wait)
    )
    first = deployed.start(whole)
    assert asked.wait(RUN_SECONDS)
    beside = deployed.run(part)
    refused = deployed.run(whole)
    goes_on.set()
    ended = deployed.wait(first)
    assert ended["status"] == "SUCCEEDED", ended
    summary = json.loads(ended["output"])
    assert (refused["outcome"], refused["run_id"], refused["execution"]) == ("refused", summary["run_id"], first)
    keys = [key for key in source if key.startswith("+")]
    assert (deployed.keys_in_s3(beside), deployed.keys_in_s3(summary)) == (keys, source)
    # What both listed is in one table, with what other tests have listed so.
    assert beside["published"]["table"] == summary["published"]["table"] == "adhoc_s3_list_objects_v2"
    rows = deployed.query("SELECT run_id, count(*) AS number FROM adhoc_s3_list_objects_v2 GROUP BY run_id")
    numbers = {row["run_id"]: row["number"] for row in rows}
    assert (numbers[summary["run_id"]], numbers[beside["run_id"]]) == (str(OBJECTS), str(len(keys)))


def test_what_cannot_start_is_kept_in_the_queue_of_dead_letters(deployed: Deployed) -> None:
    """As it is deployed; the emulator itself puts nothing there."""
    sqs, events = deployed.emulator.client("sqs"), deployed.emulator.client("events")
    url = deployed.outputs["DeadLetterQueue"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    config = {"Arn": attributes["QueueArn"]}
    assert schedule_of(deployed, "chain-buckets")["Target"]["DeadLetterConfig"] == config
    conditions = [each["Condition"] for each in json.loads(attributes["Policy"])["Statement"]]
    assert [each["ArnLike"]["aws:SourceArn"] for each in conditions if "ArnLike" in each] == [
        f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*"
    ]
    rules = {each["Name"]: json.loads(each["EventPattern"]) for each in events.list_rules()["Rules"]}
    (rule,) = [
        name
        for name, of in rules.items()
        if of["detail-type"] == ["Run finished"] and "detail" in of and of["detail"]["crawl"] == ["chain-objects"]
    ]
    (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
    assert (target["DeadLetterConfig"], target["RetryPolicy"]["MaximumRetryAttempts"]) == (config, 10)

    gone = {**target, "Arn": f"{deployed.outputs['CrawlMachineArn']}-that-is-gone"}
    events.put_targets(Rule=rule, Targets=[gone])
    objects = deployed.run({"crawl": "chain-objects"})
    events.put_targets(Rule=rule, Targets=[target])
    assert not started_by(deployed, {"crawl": "chain-groups", "trigger": f"after {objects['run_id']}"})
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0", "docs/emulator.md is out of date"
