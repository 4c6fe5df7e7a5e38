"""A deployment in the middle of a run, on a stack of its own: the run ends as if nobody had deployed.

The functions' code changes with the catalogue, which is in their assets, and the definitions with `hand_overs`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.deployment import deploy
from local.emulator import Emulator
from local.fault_proxy import Fault, FaultProxy, Request
from tests.e2e.conftest import Deployed

BUCKETS = {"long": 120, "short-1": 5, "short-2": 25, "short-3": 0}
PAGE_SIZE = 5
CRAWL = {
    "service": "s3",
    "operation": "list_objects_v2",
    "key": "Key",
    "pagination_config": {"PageSize": PAGE_SIZE},
    "for_each": {"list": [{"Bucket": bucket} for bucket in BUCKETS]},
    "max_concurrency": 2,
}
ALWAYS = 100_000


def lists(request: Request) -> bool:
    return request.method == "GET" and "?list-type=2" in request.path


def context(folder: Path, crawls: dict[str, Any], **settings: str) -> dict[str, str]:
    """The context of a deployment of these crawls."""
    catalogue = folder / "crawls.yaml"
    catalogue.write_text(json.dumps({"crawls": crawls}))
    return {"catalogue": str(catalogue), "loop_seconds": "2", **settings}


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    """The stack as it is before."""
    with FaultProxy() as proxy, Emulator(wait_scale=0.01, lambda_endpoint_url=proxy.url) as emulator:
        proxy.upstream = emulator.url
        outputs = deploy(emulator, context(tmp_path, {"objects": CRAWL}, hand_overs="900"))
        yield Deployed(emulator, outputs, proxy)


def code_of(deployed: Deployed) -> dict[str, str]:
    """The hash of each function's code, by its name."""
    functions = deployed.emulator.client("lambda")
    pages = functions.get_paginator("list_functions").paginate()
    return {each["FunctionName"]: each["CodeSha256"] for page in pages for each in page["Functions"]}


def definition_of(deployed: Deployed) -> str:
    machine = deployed.outputs["CrawlMachineArn"]
    return str(deployed.stepfunctions.describe_state_machine(stateMachineArn=machine)["definition"])


def test_a_deployment_in_the_middle_of_a_run(deployed: Deployed, tmp_path: Path) -> None:
    for bucket, objects in BUCKETS.items():
        deployed.s3.create_bucket(Bucket=bucket)
        for number in range(objects):
            deployed.s3.put_object(Bucket=bucket, Key=f"{number:05}", Body=b"x")
    # Two dozen pages of a second are several loops, of which the deployment takes some.
    slow = deployed.proxy.add(Fault(lists, ALWAYS, before=lambda _: time.sleep(1)))
    code, definition = code_of(deployed), definition_of(deployed)

    execution = deployed.start({"crawl": "objects"})
    deployed.wait_for(lambda: "LongTargets" in deployed.map_runs(execution))
    deployed.wait_for(lambda: bool(deployed.running("PageLoopArn")))
    pages = slow.answered

    # What it crawls is another crawl now, and one more.
    after = {"objects": {**CRAWL, "max_concurrency": 3}, "buckets": {"service": "s3", "operation": "list_buckets"}}
    outputs = deploy(deployed.emulator, context(tmp_path, after, hand_overs="800"))
    assert outputs == deployed.outputs
    assert deployed.running() == [execution], "the run has ended before the deployment has"
    assert slow.answered > pages
    names = {name: digest for name, digest in code_of(deployed).items() if name in code}
    assert set(names) == set(code)
    changed = {name for name in code if "FetchPage" in name or "FinishRun" in name or "Publish" in name}
    assert all(names[name] != code[name] for name in changed), names
    assert definition_of(deployed) != definition
    slow.times = 0

    ended = deployed.wait(execution)
    assert ended["status"] == "SUCCEEDED", ended
    summary = json.loads(ended["output"])
    assert summary["outcome"] == "succeeded"
    assert summary["targets"] == {"complete": len(BUCKETS)}
    keys = [(line["target"], line["key"]) for line in deployed.lines(summary)]
    assert len(keys) == len(set(keys)) == sum(BUCKETS.values())
    assert len(deployed.keys_in_dynamodb(summary)) == sum(BUCKETS.values())
    assert deployed.run({"crawl": "buckets"})["outcome"] == "succeeded"
