"""What a run says it cost, beside what is counted of it: requests, bytes, seconds, transitions, at prices of its own.

Everything that the functions ask of AWS goes through the proxy; their log groups have their lines and durations. The
emulator cannot show some things, which are stated here: the start of environments, and what Step Functions does by
itself (the files that a Map reads and writes).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from local.fault_proxy import Fault, Request
from tests.e2e.conftest import Deployed

WITHIN = 0.1
# us-east-1, November 2026.
DOLLARS = {
    "request": 0.20e-6,
    "GB-second": 0.0000133334,
    "Express execution": 1e-6,
    "Express GB-second": 0.00001667,
    "transition": 25e-6,
    "put": 5e-6,
    "get": 0.4e-6,
    "write unit": 0.625e-6,
    "read unit": 0.125e-6,
    "GB of logs": 0.50,
    "hour of a metric": 0.30 / 730,
    "Glue request": 1e-6,
    "event": 1e-6,
}
# Which no function and no emulator shows: the start of FetchPage's environments, as each run may have new ones. All
# functions are warm here, and PublishRun knows whether it is.
START_SECONDS, FETCH_PAGE_GB = 0.6, 0.5
# A Map reads its file, and puts a manifest and two files of results.
GETS_OF_MAP, PUTS_OF_MAP = 1, 3
# CloudWatch Logs adds this to each event, and the functions do not log START, END and REPORT.
EVENT_BYTES = 26
OF_LAMBDA = ("START ", "END ", "REPORT ")
TRANSITIONS_OF_LOOP = 3


@dataclass
class Bill:
    """Counts what a run is charged for."""

    deployed: Deployed
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    seen: list[tuple[Request, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        def see(request: Request, answer: bytes) -> None:
            self.seen.append((request, answer))

        self.deployed.proxy.add(Fault(lambda _: True, times=10**9, after=see))

    def counted(self, execution: str, environments: int) -> dict[str, float]:
        """Return how much there is of everything; FetchPage had so many environments."""
        parts = (self._functions(environments), self._step_functions(execution), self._requests())
        return {name: sum(part.get(name, 0) for part in parts) for name in DOLLARS}

    def _functions(self, environments: int) -> dict[str, float]:
        lines = list(self._lines())
        reports = [
            dict(fact.split(": ") for fact in line.split("\t")[1:]) for line in lines if line.startswith("REPORT ")
        ]
        own = [line for line in lines if not line.startswith(OF_LAMBDA)]
        metrics = {
            metric["Name"]
            for line in own
            if '"_aws"' in line
            for of in json.loads(line)["_aws"]["CloudWatchMetrics"]
            for metric in of["Metrics"]
        }
        hours = datetime.now(UTC).timestamp() // 3600 - self.began.timestamp() // 3600 + 1
        gb_seconds = sum(_number(of["Duration"]) / 1000 * _number(of["Memory Size"]) / 1024 for of in reports)
        return {
            "request": len(reports),
            "GB-second": gb_seconds + environments * START_SECONDS * FETCH_PAGE_GB,
            "GB of logs": sum(len(line.encode()) + EVENT_BYTES for line in own) / 1e9,
            "hour of a metric": len(metrics) * hours,
        }

    def _lines(self) -> Iterator[str]:
        """Yield what the functions have logged."""
        logs = self.deployed.emulator.client("logs")
        since = int(self.began.timestamp() * 1000)
        groups = [
            of["logGroupName"]
            for page in logs.get_paginator("describe_log_groups").paginate()
            for of in page["logGroups"]
        ]
        for group in (name for name in groups if "/Pageturner/" in name):
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since):
                yield from (event["message"] for event in page["events"])

    def _step_functions(self, execution: str) -> dict[str, float]:
        stepfunctions = self.deployed.stepfunctions
        # Once for each state that is entered, and for each child of a Map.
        transitions = sum(event["type"].endswith("StateEntered") for event in self.deployed.history(execution))
        maps = stepfunctions.list_map_runs(executionArn=execution)["mapRuns"]
        express = self._executions(stateMachineArn=self.deployed.outputs["PageLoopArn"])
        # The history of a child has no states here: each PageLoop is three of them.
        transitions += TRANSITIONS_OF_LOOP * len(express)
        for each in maps:
            children = self._executions(mapRunArn=each["mapRunArn"])
            transitions += len(children)
            if "ShortTargets" in each["mapRunArn"]:
                express += children
        seconds = [(each["stopDate"] - each["startDate"]).total_seconds() for each in express]
        return {
            "transition": transitions,
            "Express execution": len(express),
            "Express GB-second": sum(math.ceil(each * 10) / 10 for each in seconds) * 64 / 1024,
            "put": PUTS_OF_MAP * len(maps),
            "get": GETS_OF_MAP * len(maps),
        }

    def _executions(self, **of: str) -> list[dict[str, Any]]:
        pages = self.deployed.stepfunctions.get_paginator("list_executions").paginate(**of)
        return [each for page in pages for each in page["executions"] if each["startDate"] >= self.began]

    def _requests(self) -> dict[str, float]:
        bucket, *tables = (self.deployed.outputs[name] for name in ("ItemsBucket", "ItemsTable", "RunsTable"))
        counted: dict[str, float] = dict.fromkeys(DOLLARS, 0)
        for request, answer in self.seen:
            service, _, operation = request.target.partition(".")
            if request.path.startswith(f"/{bucket}/"):
                kind = {"GET": "get", "HEAD": "get", "PUT": "put"}.get(request.method)
                if kind is not None:
                    counted[kind] += 1
            elif service == "AWSGlue":
                counted["Glue request"] += 1
            elif service == "AWSEvents":
                counted["event"] += len(json.loads(request.body)["Entries"])
            elif service.startswith("DynamoDB"):
                body = json.loads(request.body)
                if any(table in request.body.decode() for table in tables):
                    kind, units = self._units(operation, body, json.loads(answer or b"{}"))
                    counted[kind] += units
        return counted

    def _units(self, operation: str, body: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[str, float]:
        if operation in ("GetItem", "Query"):
            rows = answer.get("Items", [answer.get("Item", {})])
            units = max(1, math.ceil(sum(map(size_of, rows)) / 4096))
            return "read unit", units if body.get("ConsistentRead") else units / 2
        if operation == "TransactWriteItems":
            actions = [action for each in body["TransactItems"] for action in each.values()]
            return "write unit", 2 * sum(map(self._write_units, actions))
        if operation == "BatchWriteItem":
            puts = [each["PutRequest"] for of_table in body["RequestItems"].values() for each in of_table]
            return "write unit", sum(map(self._write_units, puts))
        if operation in ("PutItem", "UpdateItem", "DeleteItem"):
            return "write unit", self._write_units(body)
        assert operation == "DescribeTable"
        return "read unit", 0

    def _write_units(self, action: Mapping[str, Any]) -> int:
        """A unit for each KB of the whole row: as it is put, or as it is when the run has ended."""
        row = action.get("Item")
        if row is None:
            row = self.deployed.dynamodb.get_item(TableName=action["TableName"], Key=action["Key"]).get("Item", {})
        return max(1, math.ceil(size_of(row) / 1024))


def _number(text: str) -> float:
    """The number of "12 ms"."""
    return float(text.split()[0])


def size_of(row: Mapping[str, Any]) -> int:
    """The size of a row: names, texts, and numbers of at most 21 bytes."""
    sizes = (
        len(str(value.get("S", "")).encode(errors="surrogatepass")) if "S" in value else len(value["N"]) / 2 + 1
        for value in row.values()
    )
    return math.ceil(sum(len(name.encode()) for name in row) + sum(sizes))


LISTING = {"service": "s3", "operation": "list_objects_v2", "key": "Key"}
OF_BUCKET = {**LISTING, "parameters": {"Bucket": "costly"}}
OF_TABLE = {"service": "dynamodb", "operation": "scan", "key": "id.S", "parameters": {"TableName": "costly"}}
# What is crawled, and how many environments FetchPage may have at once.
RUNS: Mapping[str, tuple[dict[str, Any], int]] = {
    "many small pages": ({**OF_BUCKET, "pagination_config": {"PageSize": 5}}, 1),
    "many targets of one page": (
        {
            **LISTING,
            "for_each": {"list": [{"Bucket": "costly", "Prefix": f"{number:02}/"} for number in range(16)]},
            "max_concurrency": 5,
        },
        5,
    ),
    # The emulator shortens the pauses of 20 s to a hundredth, and still they are most of the time.
    "a pace": ({**OF_BUCKET, "pagination_config": {"PageSize": 30}, "max_pages_per_second": 0.05}, 1),
    "large items": ({**OF_TABLE, "pagination_config": {"PageSize": 10}}, 1),
}


@pytest.fixture(scope="module")
def _warm(_stack: Deployed) -> None:
    """Create what is crawled, and let all functions begin."""
    _stack.s3.create_bucket(Bucket="costly")
    for number in range(300):
        _stack.s3.put_object(Bucket="costly", Key=f"{number // 10:02}/{number:03}", Body=b"x")
    _stack.create_table("costly", [])
    for number in range(40):
        row = {"id": {"S": f"{number:03}"}, "text": {"S": "kilobytes " * (200 + 10 * number)}}
        _stack.dynamodb.put_item(TableName="costly", Item=row)
    asked, _ = RUNS["many targets of one page"]
    _stack.run({**asked, "sinks": []})


@pytest.mark.usefixtures("_warm")
@pytest.mark.parametrize("name", RUNS)
def test_what_a_run_says_it_cost_is_what_is_counted(deployed: Deployed, name: str) -> None:
    asked, environments = RUNS[name]
    report = deployed.run({**asked, "dry_run": True}) if name == "large items" else None
    bill = Bill(deployed)
    execution = deployed.start(asked)
    ended = deployed.wait(execution)
    assert ended["status"] == "SUCCEEDED", ended
    summary = json.loads(ended["output"])
    counted = bill.counted(execution, environments)
    dollars = {what: number * DOLLARS[what] for what, number in counted.items()}
    lines = summary["cost_arithmetic"]
    story = "\n".join([*lines, *(f"counted: {counted[what]:g} {what} = ${dollars[what]:.6f}" for what in DOLLARS)])
    total = sum(dollars.values())
    assert summary["estimated_cost"] == pytest.approx(total, rel=WITHIN), story
    # What is as simple as the hours of metrics must not hide all else.
    metrics = dollars["hour of a metric"]
    assert summary["estimated_cost"] - metrics == pytest.approx(total - metrics, rel=WITHIN), story
    if name == "a pace":
        express = dollars["Express execution"] + dollars["Express GB-second"]
        (said,) = (float(line.rpartition("$")[2]) for line in lines if line.startswith("Step Functions Express"))
        assert said == pytest.approx(express, rel=2 * WITHIN), story
    if report is not None:
        assert report["estimate"]["estimated_cost"] == pytest.approx(total, rel=2 * WITHIN), story
