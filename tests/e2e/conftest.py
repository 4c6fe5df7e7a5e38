"""The real stack, deployed by the CDK CLI to an emulator of its own, once for all end-to-end tests."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from local.deployment import deploy
from local.emulator import Emulator
from tests.e2e.fault_proxy import FaultProxy

RUN_SECONDS = 120


@dataclass
class Deployed:
    """The deployed stack, and what one does with it."""

    emulator: Emulator
    proxy: FaultProxy
    outputs: Mapping[str, str]

    def __post_init__(self) -> None:
        self.s3 = self.emulator.client("s3")
        self.dynamodb = self.emulator.client("dynamodb")
        self.stepfunctions = self.emulator.client("stepfunctions")

    def start(self, execution_input: Any) -> str:
        """Start the Crawl machine, and return the execution's ARN."""
        return str(
            self.stepfunctions.start_execution(
                stateMachineArn=self.outputs["CrawlMachineArn"], input=json.dumps(execution_input)
            )["executionArn"]
        )

    def wait(self, execution: str) -> dict[str, Any]:
        """Wait for an execution's end, and return it."""
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.stepfunctions.describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                return found
            time.sleep(0.2)
        raise AssertionError(f"{execution} still runs after {RUN_SECONDS} s")

    def run(self, execution_input: Any) -> dict[str, Any]:
        """Run a crawl that is to succeed, and return its summary."""
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

    def keys_in_s3(self, summary: Mapping[str, Any]) -> list[str]:
        """The keys of all items of a run, as its manifest leads to them."""
        found = []
        for file in self.manifest(summary)["files"]:
            body = self.s3.get_object(Bucket=self.outputs["ItemsBucket"], Key=file["key"])["Body"].read()
            lines = [json.loads(line) for line in gzip.decompress(body).splitlines()]
            assert len(lines) == file["items"]
            found += [line["key"] for line in lines]
        return found

    def keys_in_dynamodb(self, summary: Mapping[str, Any]) -> list[str]:
        """The keys of all items that a run wrote to the items table."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.outputs["ItemsTable"])
        return sorted(
            row["sk"]["S"] for page in pages for row in page["Items"] if row["run_id"]["S"] == summary["run_id"]
        )

    def children(self, execution: str) -> list[str]:
        """The child executions of the Distributed Map of an execution."""
        return [
            child["executionArn"]
            for run in self.stepfunctions.list_map_runs(executionArn=execution)["mapRuns"]
            for child in self.stepfunctions.list_executions(mapRunArn=run["mapRunArn"])["executions"]
        ]

    def history(self, execution: str) -> list[dict[str, Any]]:
        """All history events of an execution."""
        pages = self.stepfunctions.get_paginator("get_execution_history").paginate(executionArn=execution)
        return [event for page in pages for event in page["events"]]


@pytest.fixture(scope="session")
def _stack() -> Iterator[Deployed]:
    with FaultProxy() as proxy, Emulator(wait_scale=0.1, lambda_endpoint_url=proxy.url) as emulator:
        proxy.upstream = emulator.url
        # A loop of a second, so that a few hundred items are many hand-overs.
        outputs = deploy(emulator, {"catalogue": "tests/e2e/crawls.yaml", "loop_seconds": "1"})
        yield Deployed(emulator, proxy, outputs)


@pytest.fixture
def deployed(_stack: Deployed) -> Iterator[Deployed]:
    yield _stack
    _stack.proxy.clear()
