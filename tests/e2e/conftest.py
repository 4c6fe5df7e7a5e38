"""The real stack, deployed once by the CDK CLI to an emulator that the end-to-end tests share."""

from __future__ import annotations

import fcntl
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.deployment import deploy_assembly, synth
from local.emulator import Emulator
from local.fault_proxy import Fault, FaultProxy, Request
from local.runs import deployment_on
from pageturner.report.page import data_in
from pageturner.stores.keys import partition_key
from pageturner.verdicts import target_of
from pageturner_cli import athena
from pageturner_cli.athena import Row

RUN_SECONDS = 300
OBJECTS = 300
PAGE_SIZE = 10
# Ten pages, for what shows on any page.
FEW_PAGES: dict[str, Any] = {"crawl": "objects", "pagination_config": {"PageSize": 30}}


def lists_source(request: Request) -> bool:
    """Whether a request lists a page of the bucket `source`."""
    return request.method == "GET" and request.path.startswith("/source?list-type=2")


def crawl_of_parameters(path: str, regions: Sequence[str]) -> dict[str, Any]:
    """A crawl of the parameters under a path, two on a page.

    Regions are tested with it, and not with S3, because botocore redirects each request to the bucket's own region.
    """
    return {
        "service": "ssm",
        "operation": "get_parameters_by_path",
        "parameters": {"Path": path},
        "pagination_config": {"PageSize": 2},
        "key": "Name",
        "regions": regions,
    }


def lists_parameters(region: str) -> Callable[[Request], bool]:
    """Return whether a request lists a page of the parameters in a region."""
    return lambda request: (
        request.target == "AmazonSSM.GetParametersByPath" and f"/{region}/ssm/" in request.authorization
    )


def slow_pages() -> Fault:
    """Return a fault that makes the default pages of `source` fill more than three loops of a second."""
    return Fault(lists_source, times=OBJECTS, before=lambda _: time.sleep(0.12))


def held_pages(goes_on: threading.Event) -> Fault:
    """Return a fault that holds each page of `source` until it may go on, or for 20 s: then botocore would give up."""

    def hold(_: Request) -> None:
        goes_on.wait(20)

    return Fault(lists_source, times=OBJECTS, before=hold)


def wait_until_ended(stepfunctions: Any, execution: str) -> dict[str, Any]:
    """Wait until an execution ends, and return its description."""
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        found: dict[str, Any] = stepfunctions.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.1)
    raise AssertionError(f"{execution} still runs after {RUN_SECONDS} s")


@dataclass
class OnEmulator:
    """The deployed stack, and what the tests do with it."""

    emulator: Emulator
    outputs: Mapping[str, str]

    def __post_init__(self) -> None:
        self.s3 = self.emulator.client("s3")
        self.dynamodb = self.emulator.client("dynamodb")
        self.stepfunctions = self.emulator.client("stepfunctions")
        self.terminal = deployment_on(self.emulator, self.outputs)

    def start(self, execution_input: Any) -> str:
        """Start the Crawl machine, and return the execution's ARN."""
        return str(
            self.stepfunctions.start_execution(
                stateMachineArn=self.outputs["CrawlMachineArn"], input=json.dumps(execution_input)
            )["executionArn"]
        )

    def wait(self, execution: str) -> dict[str, Any]:
        """Wait until an execution ends, and return its description."""
        return wait_until_ended(self.stepfunctions, execution)

    def run(self, execution_input: Any) -> dict[str, Any]:
        """Run a crawl that must succeed, and return its summary."""
        ended = self.wait(self.start(execution_input))
        assert ended["status"] == "SUCCEEDED", ended
        summary: dict[str, Any] = json.loads(ended["output"])
        return summary

    def manifest(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """The manifest of a run."""
        key = f"runs/{summary['run_id']}/manifest.json"
        body = self.s3.get_object(Bucket=self.outputs["ItemsBucket"], Key=key)["Body"].read()
        document: dict[str, Any] = json.loads(body)
        return document

    def shown(self, key: str) -> dict[str, Any]:
        """Return the data of a page for people."""
        body = self.s3.get_object(Bucket=self.outputs["ItemsBucket"], Key=key)["Body"].read().decode("ascii")
        found = data_in(iter(body.splitlines()))
        assert found is not None
        return found

    def keys_in_s3(self, summary: Mapping[str, Any]) -> list[str]:
        """The keys of all items in the files that a run's manifest lists."""
        return [line["key"] for line in self.lines(summary)]

    def lines(self, summary: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The lines of all files that a run's manifest lists."""
        found = []
        for file in self.manifest(summary)["files"]:
            body = self.s3.get_object(Bucket=self.outputs["ItemsBucket"], Key=file["key"])["Body"].read()
            lines = [json.loads(line) for line in gzip.decompress(body).splitlines()]
            assert len(lines) == file["items"]
            found += lines
        return found

    def create_table(self, name: str, ids: Sequence[str]) -> None:
        """Create a table with an item for each id, its key."""
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        for start in range(0, len(ids), 25):
            rows = [{"PutRequest": {"Item": {"id": {"S": each}}}} for each in ids[start : start + 25]]
            self.dynamodb.batch_write_item(RequestItems={name: rows})

    def put_parameters(self, region: str, names: Sequence[str]) -> None:
        """Put parameters of SSM into a region."""
        ssm = self.emulator.client("ssm", region_name=region)
        for name in names:
            ssm.put_parameter(Name=name, Value="x", Type="String", Overwrite=True)

    def keys_of_bucket(self, bucket: str) -> list[str]:
        """The keys that a plain boto3 paginator lists in a bucket."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def keys_in_dynamodb(self, summary: Mapping[str, Any]) -> list[str]:
        """The sort keys of all items in the items table of the listings that a run has, from any run."""
        targets = self.manifest(summary)["targets"]
        return sorted(
            row["sk"]["S"]
            for listing in {target_of(entry).listing_id for entry in targets}
            for row in self.rows(partition_key(summary["crawl"], listing))
        )

    def rows(self, partition: str) -> list[dict[str, Any]]:
        """The rows of a partition of the items table."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.outputs["ItemsTable"],
            KeyConditionExpression="pk = :partition",
            ExpressionAttributeValues={":partition": {"S": partition}},
        )
        return [row for page in pages for row in page["Items"]]

    def query(self, sql: str) -> list[Row]:
        """The rows of a query through Athena's API."""
        return list(athena.query(self.terminal, sql))

    def run_of(self, execution: str) -> str:
        """The ID of the run that an execution planned."""
        (planned,) = [
            json.loads(event["stateExitedEventDetails"]["output"])
            for event in self.history(execution)
            if event.get("stateExitedEventDetails", {}).get("name") == "PlanRun"
        ]
        return str(planned["run"]["run_id"])

    def summary_of(self, run_id: str) -> dict[str, Any]:
        """The summary in a run's record; empty while the run is in progress."""
        key = {"pk": {"S": f"run#{run_id}"}, "sk": {"S": "run"}}
        item = self.dynamodb.get_item(TableName=self.outputs["RunsTable"], Key=key)["Item"]
        summary: dict[str, Any] = json.loads(item["summary"]["S"]) if "summary" in item else {}
        return summary

    def function(self, name: str) -> str:
        """The whole name of one of the stack's functions."""
        pages = self.emulator.client("lambda").get_paginator("list_functions").paginate()
        prefix = self.outputs["CrawlMachineArn"].rpartition(":")[2].removesuffix("-Crawl")
        names = [each["FunctionName"] for page in pages for each in page["Functions"]]
        begins = (f"{prefix}-Functions{name}", f"{prefix}-Publishing{name}")
        (found,) = [each for each in names if each.startswith(begins)]
        return str(found)

    def stop_run(self, execution: str) -> None:
        """Invoke StopRun with the event of an execution that was stopped."""
        functions, name = self.emulator.client("lambda"), self.function("StopRun")
        event = {"source": "aws.states", "detail": {"executionArn": execution, "status": "ABORTED"}}
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        assert "FunctionError" not in answer, answer["Payload"].read()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition is true."""
        deadline = time.monotonic() + RUN_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "the condition did not become true in time"
            time.sleep(0.05)

    def wait_for_children(self, execution: str) -> None:
        """Wait until the children of an execution's Maps have ended, which go on when it is stopped."""
        for children in self.map_runs(execution).values():
            for child in children:
                self.wait(child)

    def abort_page_loops(self) -> int:
        """Abort all running PageLoops, and return how many there were."""
        aborted = 0
        for loop in self.running("PageLoopArn"):
            # It may have ended just now.
            with suppress(self.stepfunctions.exceptions.ClientError):
                self.stepfunctions.stop_execution(executionArn=loop)
                aborted += 1
        return aborted

    def running(self, machine: str = "CrawlMachineArn") -> list[str]:
        """The running executions of the state machine whose ARN is in this stack output."""
        found = self.stepfunctions.list_executions(stateMachineArn=self.outputs[machine], statusFilter="RUNNING")[
            "executions"
        ]
        return [execution["executionArn"] for execution in found]

    def map_runs(self, execution: str) -> dict[str, list[str]]:
        """The child executions of each Distributed Map of an execution, by the Map's label."""
        found = {}
        for run in self.stepfunctions.list_map_runs(executionArn=execution)["mapRuns"]:
            label = run["mapRunArn"].rpartition("/")[2].partition(":")[0]
            pages = self.stepfunctions.get_paginator("list_executions").paginate(mapRunArn=run["mapRunArn"])
            found[label] = [child["executionArn"] for page in pages for child in page["executions"]]
        return found

    def input_of(self, execution: str) -> Any:
        """The input of an execution."""
        return json.loads(self.stepfunctions.describe_execution(executionArn=execution)["input"])

    def history(self, execution: str) -> list[dict[str, Any]]:
        """All history events of an execution."""
        pages = self.stepfunctions.get_paginator("get_execution_history").paginate(executionArn=execution)
        return [event for page in pages for event in page["events"]]


@dataclass
class Deployed(OnEmulator):
    """The same, where the functions reach the emulator through a proxy that can answer in its place."""

    proxy: FaultProxy


@contextmanager
def loops_of(deployed: Deployed, *, seconds: int) -> Iterator[None]:
    """Have loops of so many seconds.

    What is left to LongTargets all runs at once on the emulator, and each child starts a process of FetchPage.
    """
    functions, name = deployed.emulator.client("lambda"), deployed.function("FetchPage")
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    changed = {**before, "LOOP_SECONDS": str(seconds)}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": changed})
    yield
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of the synthesized stacks, which all workers of xdist share."""
    folder = tmp_path_factory.getbasetemp()
    return (folder if worker_id == "master" else folder.parent) / "assembly"


@pytest.fixture(scope="session")
def _stack(assembly: Path) -> Iterator[Deployed]:
    with FaultProxy() as proxy, Emulator(wait_scale=0.01, lambda_endpoint_url=proxy.url) as emulator:
        proxy.upstream = emulator.url
        # Loops of one second, so that a small listing needs many hand-overs.
        context = {
            "catalogue": "tests/e2e/crawls.yaml",
            "loop_seconds": "1",
            "most_rows": "1100",
            "adhoc_crawls": "true",
        }
        with assembly.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not assembly.exists():
                # Under its name only when it is whole.
                synth(emulator, context, assembly.with_suffix(".new"))
                assembly.with_suffix(".new").rename(assembly)
        yield Deployed(emulator, deploy_assembly(emulator, assembly), proxy)


@pytest.fixture(scope="session")
def source(_stack: Deployed) -> list[str]:
    """Create a bucket with special characters in its keys, and return the keys that a plain boto3 paginator lists."""
    _stack.s3.create_bucket(Bucket="source")
    for number in range(OBJECTS):
        _stack.s3.put_object(Bucket="source", Key=f"{'ü +%/'[number % 5]}{number:05}", Body=b"x")
    return listed_by_boto3(_stack)


def listed_by_boto3(deployed: Deployed) -> list[str]:
    """The keys that a plain boto3 paginator lists in the bucket `source` now."""
    return deployed.keys_of_bucket("source")


@pytest.fixture
def deployed(_stack: Deployed) -> Iterator[Deployed]:
    yield _stack
    _stack.proxy.clear()
