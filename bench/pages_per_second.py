"""Measures pages per second on the emulator, beside what people write instead: ``python -m bench.pages_per_second``.

Each contestant pages the same bucket, as one target of 240 pages and as eight targets of 30 pages, with the same page
size, and writes each page's items. The rounds take turns, and the best of each contestant counts, because other
processes only ever slow one down. Two rates are reported: of the whole execution, and from the first page written to
the last. The CPU time of a page depends on what else runs least.

The emulator has none of AWS's latency: its state transitions cost less than a millisecond, and all functions share
this machine's processors with it. Ratios of CPU time are what it can show.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import psutil
from botocore.config import Config

from bench.peers.deployment import BUCKET, DURABLE, TABLE, Peers
from local.command import CommandError
from local.deployment import deploy
from local.emulator import Emulator, EmulatorError, stop_on_signals

CATALOGUE = "bench/pages_per_second.yaml"
LISTED, PAGE_SIZE, TARGETS = "listed", 20, 8
PAGES = 240
ROUNDS = 2
_POLL_SECONDS = 0.05
_SEED_THREADS = 8
# Seconds: what took less of a run is not reported.
_SHORTEST_STAGE = 0.01


@dataclass(frozen=True)
class Paged:
    """What a contestant did: the seconds of its execution, when each page was written, and the seconds of stages."""

    seconds: float
    written: Sequence[datetime]
    stages: Mapping[str, float]

    @property
    def whole(self) -> float:
        """Pages per second of the whole execution."""
        return len(self.written) / self.seconds

    @property
    def steady(self) -> float:
        """Pages per second from the first page written to the last."""
        return (len(self.written) - 1) / (max(self.written) - min(self.written)).total_seconds()


@dataclass(frozen=True)
class Measured:
    """What a contestant did, and the milliseconds of CPU time that a page took: the emulator's and its functions'."""

    paged: Paged
    emulator_ms: float
    functions_ms: float


@dataclass(frozen=True)
class World:
    """The emulator, and what is deployed to it: Pageturner's outputs, and the state machines of the peers by name."""

    emulator: Emulator
    outputs: Mapping[str, str]
    machines: Mapping[str, str]

    def run(self, machine: str, execution_input: Any) -> tuple[Any, float, str]:
        """Run an execution that must succeed. Returns its output, the seconds that it took, and its ARN."""
        stepfunctions = self.emulator.client("stepfunctions")
        execution = stepfunctions.start_execution(stateMachineArn=machine, input=json.dumps(execution_input))
        arn = execution["executionArn"]
        while (found := stepfunctions.describe_execution(executionArn=arn))["status"] == "RUNNING":
            time.sleep(_POLL_SECONDS)
        assert found["status"] == "SUCCEEDED", found
        return json.loads(found["output"]), (found["stopDate"] - found["startDate"]).total_seconds(), arn

    def stages(self, execution: str) -> dict[str, float]:
        """The seconds that an execution spent in each of its states that took any time."""
        pages = self.emulator.client("stepfunctions").get_paginator("get_execution_history")
        times: dict[str, list[datetime]] = {}
        for page in pages.paginate(executionArn=execution):
            for event in page["events"]:
                details = event.get("stateEnteredEventDetails") or event.get("stateExitedEventDetails") or {}
                if "name" in details:
                    times.setdefault(details["name"], []).append(event["timestamp"])
        seconds = {name: (each[-1] - each[0]).total_seconds() for name, each in times.items()}
        return {name: each for name, each in seconds.items() if each >= _SHORTEST_STAGE}

    def objects(self, bucket: str, prefix: str) -> list[datetime]:
        """When each page under a prefix was written."""
        pages = self.emulator.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [found["LastModified"] for page in pages for found in page.get("Contents", [])]

    def rows(self, partitions: Sequence[str]) -> list[datetime]:
        """When each page was put as a row, by the partition keys of its targets."""
        query = self.emulator.client("dynamodb").get_paginator("query")
        values = ({":pk": {"S": partition}} for partition in partitions)
        return [
            datetime.fromisoformat(row["fetched_at"]["S"])
            for value in values
            for page in query.paginate(
                TableName=TABLE, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=value
            )
            for row in page["Items"]
        ]

    def cpu_seconds(self) -> tuple[float, float]:
        """The CPU time until now: of the emulator, and of the processes of its functions."""
        emulator = psutil.Process(self.emulator.pid)
        own = emulator.cpu_times()
        functions = own.children_user + own.children_system
        for process in emulator.children(recursive=True):
            # The process of a durable function ends with its execution.
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                functions += times.user + times.system
        return own.user + own.system, functions


def pageturner(world: World, targets: int, _: str) -> Paged:
    """Pageturner, as `make deploy` deploys it."""
    crawl = "one" if targets == 1 else "eight"
    summary, seconds, execution = world.run(world.outputs["CrawlMachineArn"], {"crawl": crawl})
    bucket, _, manifest = summary["manifest"].removeprefix("s3://").partition("/")
    body = world.emulator.client("s3").get_object(Bucket=bucket, Key=manifest)["Body"].read()
    first = json.loads(body)["files"][0]["key"]
    return Paged(seconds, world.objects(bucket, first.rpartition("/")[0]), world.stages(execution))


def lambda_loop(world: World, targets: int, name: str, *, silent: bool = False) -> Paged:
    """A loop in Standard of a Lambda function that turns a page."""
    return Paged(_run_loop(world, "lambda", targets, name, silent=silent), world.objects(BUCKET, f"{name}/"), {})


def sdk_loop(world: World, targets: int, name: str) -> Paged:
    """A loop in Standard of SDK integrations, without a function."""
    seconds = _run_loop(world, "sdk", targets, name)
    return Paged(seconds, world.rows([each["under"] for each in _inputs(targets, name)]), {})


def durable_function(world: World, targets: int, name: str) -> Paged:
    """A Lambda durable function with a step for each page, and an execution for each target."""
    once = Config(read_timeout=900, retries={"total_max_attempts": 1})
    client = world.emulator.client("lambda", config=once)

    def invoke(event: Mapping[str, Any]) -> None:
        answer = client.invoke(FunctionName=DURABLE, Qualifier="$LATEST", Payload=json.dumps(event).encode())
        ended = json.loads(answer["Payload"].read())
        assert ended.get("Status") == "SUCCEEDED", ended

    began = time.perf_counter()
    with ThreadPoolExecutor(targets) as pool:
        list(pool.map(invoke, _inputs(targets, name)))
    return Paged(time.perf_counter() - began, world.objects(BUCKET, f"{name}/"), {})


def _run_loop(world: World, kind: str, targets: int, name: str, *, silent: bool = False) -> float:
    inputs = _inputs(targets, name, silent=silent)
    if targets == 1:
        return world.run(world.machines[f"{kind}-loop"], inputs[0])[1]
    return world.run(world.machines[f"{kind}-loops"], {"targets": inputs})[1]


def _inputs(targets: int, name: str, *, silent: bool = False) -> list[dict[str, Any]]:
    common = {"bucket": LISTED, "page_size": PAGE_SIZE, "to": BUCKET, "page": 1, "token": None, "silent": silent}
    prefixes = [""] if targets == 1 else [f"{number}/" for number in range(targets)]
    return [{**common, "prefix": prefix, "under": f"{name}/{prefix}"} for prefix in prefixes]


PEER = "Standard loop of a Lambda"
CONTESTANTS: dict[str, Callable[[World, int, str], Paged]] = {
    "Pageturner": pageturner,
    PEER: lambda_loop,
    "the same, without a log": partial(lambda_loop, silent=True),
    "Standard loop of SDK calls": sdk_loop,
    "Lambda durable function": durable_function,
}
Found = dict[tuple[str, int], Measured]


def measure(world: World) -> Found:
    """The best round of each contestant, by its name and the number of targets."""
    found: dict[tuple[str, int], list[Measured]] = {}
    for number in range(ROUNDS + 1):
        for name, contestant in CONTESTANTS.items():
            # The first round starts the functions.
            for targets in (1, TARGETS) if number else (TARGETS,):
                emulator, functions = world.cpu_seconds()
                paged = contestant(world, targets, f"{name}-{number}-{targets}")
                assert len(paged.written) == PAGES, (name, targets, len(paged.written))
                emulator_after, functions_after = world.cpu_seconds()
                spent = (emulator_after - emulator, functions_after - functions)
                if number:
                    measured = Measured(paged, *(1000 * each / PAGES for each in spent))
                    found.setdefault((name, targets), []).append(measured)
                    print(f"round {number}: {name}, targets: {targets}, {paged.whole:.1f} pages/s", file=sys.stderr)
    return {key: min(rounds, key=lambda each: each.paged.seconds) for key, rounds in found.items()}


def table(found: Found) -> Iterator[str]:
    """The lines of a table, with each rate's ratio to that of the plain loop of a Lambda function."""
    heads = (
        "whole run: pages/s",
        "ratio",
        "first to last page: pages/s",
        "ratio",
        "CPU ms/page: emulator",
        "functions",
    )
    for targets in (1, TARGETS):
        yield f"{f'{PAGES} pages, targets: {targets}':28}" + "".join(f"  {head}" for head in heads)
        peer = found[PEER, targets].paged
        for name in CONTESTANTS:
            measured = found[name, targets]
            whole, steady = measured.paged.whole, measured.paged.steady
            ratios = (whole, whole / peer.whole, steady, steady / peer.steady)
            cells = (*ratios, measured.emulator_ms, measured.functions_ms)
            yield f"{name:28}" + "".join(f"  {cell:{len(head)}.2f}" for head, cell in zip(heads, cells, strict=True))
        stages = found["Pageturner", targets].paged.stages
        yield "Pageturner's seconds: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in stages.items()) + "\n"


def seed(emulator: Emulator) -> None:
    """Fill the bucket that is listed: eight prefixes of as many pages."""
    s3 = emulator.client("s3", config=Config(max_pool_connections=_SEED_THREADS))
    s3.create_bucket(Bucket=LISTED)
    keys = [f"{number}/{each:06}" for number in range(TARGETS) for each in range(PAGES // TARGETS * PAGE_SIZE)]
    with ThreadPoolExecutor(_SEED_THREADS) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=LISTED, Key=key), keys))


def main() -> int:
    """Deploy all to an emulator, and measure. Returns the exit code."""
    stop_on_signals()
    try:
        with Emulator() as emulator:
            outputs = deploy(emulator, {"catalogue": CATALOGUE})
            seed(emulator)
            with Peers(emulator) as peers:
                print("\n".join(table(measure(World(emulator, outputs, peers.machines)))))
    except (EmulatorError, CommandError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
