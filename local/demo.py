"""`make demo`: the real stack on the emulator, real crawls, and what they came to.

With ``--keep`` (`make local`) everything keeps running afterwards, until Ctrl-C.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import EndpointConnectionError, HTTPClientError

from local.deployment import DeploymentError, deploy
from local.emulator import Emulator, EmulatorError, stop_on_signals
from local.seed import seed

CRAWLS = ("s3-objects", "iam-policies", "dynamodb-operations")
_ITEMS_SHOWN = 3
_POLL_SECONDS = 0.5


def main() -> int:
    """Run the demo. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the emulator and the stack running until Ctrl-C")
    keep = parser.parse_args().keep
    stop_on_signals()
    try:
        with Emulator() as emulator:
            return _demo(emulator, keep=keep)
    except (EmulatorError, DeploymentError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except (EndpointConnectionError, HTTPClientError) as error:
        print(f"\nThe emulator no longer answers: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped, and cleaned up.")
        return 128 + signal.SIGINT


def _demo(emulator: Emulator, *, keep: bool) -> int:
    print(f"MiniStack, an AWS emulator, listens on {emulator.url}")
    with _stage("Deploying the stack with the CDK CLI: synth, bootstrap, deploy") as done:
        outputs = deploy(emulator)
        done(f"state machine {outputs['CrawlMachineArn'].rpartition(':')[2]}")
    with _stage("Seeding a bucket and a table with botocore's own data") as done:
        objects, rows = seed(emulator)
        done(f"{objects:,} objects, {rows:,} rows")
    watch = Watch(emulator, outputs)
    watch.dry_run(CRAWLS[0])
    succeeded = [watch.crawl({"crawl": name}) for name in CRAWLS]
    _say_what_is_next(emulator, outputs, keep=keep)
    if keep:
        signal.pause()
    return 0 if all(succeeded) else 1


class Watch:
    """Starts crawls, shows how they get on, and what they came to."""

    def __init__(self, emulator: Emulator, outputs: Mapping[str, str]) -> None:
        self._outputs = outputs
        self._stepfunctions = emulator.client("stepfunctions")
        self._dynamodb = emulator.client("dynamodb")
        self._s3 = emulator.client("s3")

    def crawl(self, execution_input: Mapping[str, Any]) -> bool:
        """Run the crawl of an execution input through the Step Functions API; True when it succeeded."""
        print(f"\n▶ {json.dumps(execution_input)}")
        execution = self._stepfunctions.start_execution(
            stateMachineArn=self._outputs["CrawlMachineArn"], input=json.dumps(execution_input)
        )["executionArn"]
        with _live_line() as show:
            while (state := self._stepfunctions.describe_execution(executionArn=execution))["status"] == "RUNNING":
                show(self._progress(execution))
                time.sleep(_POLL_SECONDS)
        if state["status"] != "SUCCEEDED":
            print(f"  ✗ {state['status']}  {state.get('error', '')}: {state.get('cause', '')}")
            return False
        self._tell(json.loads(state["output"]))
        return True

    def dry_run(self, name: str) -> None:
        """Ask what a crawl would do, and show the estimate with its arithmetic."""
        asked = {"crawl": name, "dry_run": True}
        print(f"\n▶ {json.dumps(asked)}")
        execution = self._stepfunctions.start_execution(
            stateMachineArn=self._outputs["CrawlMachineArn"], input=json.dumps(asked)
        )["executionArn"]
        while (state := self._stepfunctions.describe_execution(executionArn=execution))["status"] == "RUNNING":
            time.sleep(_POLL_SECONDS)
        if state["status"] != "SUCCEEDED":
            print(f"  ✗ {state['status']}  {state.get('error', '')}: {state.get('cause', '')}")
            return
        report = json.loads(state["output"])
        print(f"  {report['message']}")
        for line in (*report["estimate"]["arithmetic"], *report["estimate"]["cost_arithmetic"]):
            print(f"    {line}")

    def _progress(self, execution: str) -> str:
        """How far the run is, from the checkpoints in the runs table."""
        run = self._run_of(execution)
        if run is None:
            return "planning …"
        pages = items = size = 0
        for answer in self._dynamodb.get_paginator("query").paginate(
            TableName=self._outputs["RunsTable"],
            KeyConditionExpression="pk = :run AND begins_with(sk, :pages)",
            # The beginning of a pass is recorded as a page that was not fetched.
            FilterExpression="attribute_exists(fetched_at)",
            ExpressionAttributeValues={":run": {"S": run}, ":pages": {"S": "page#"}},
        ):
            pages += answer["Count"]
            items += sum(int(row["items"]["N"]) for row in answer["Items"])
            size += sum(int(row["bytes"]["N"]) for row in answer["Items"])
        return f"{pages:,} pages · {items:,} items · {_size(size)}"

    def _run_of(self, execution: str) -> str | None:
        for answer in self._dynamodb.get_paginator("scan").paginate(
            TableName=self._outputs["RunsTable"],
            FilterExpression="sk = :run AND execution = :execution",
            ExpressionAttributeValues={":run": {"S": "run"}, ":execution": {"S": execution}},
        ):
            for row in answer["Items"]:
                return str(row["pk"]["S"])
        return None

    def _tell(self, summary: Mapping[str, Any]) -> None:
        targets = ", ".join(f"{count:,} {verdict}" for verdict, count in summary["targets"].items())
        print(f"  ✓ verdict    {summary['verdict']}  (targets: {targets})")
        print(f"    turned     {summary['pages']:,} pages, {summary['items']:,} items, {_size(summary['bytes'])}")
        print(f"    throttles  {summary['throttles']:,}")
        print(f"    took       {summary['seconds']:.1f} s")
        print(f"    cost       about ${summary['estimated_cost']:.4f}, on AWS")
        print(f"    S3         {summary['items_prefix']}")
        print(f"    DynamoDB   {summary['items_table']}")
        print(f"    manifest   {summary['manifest']}")
        width = shutil.get_terminal_size().columns - 15
        for label, item in zip(("items", *[""] * _ITEMS_SHOWN), self._first_items(summary["manifest"]), strict=False):
            print(f"    {label:10} {item if len(item) <= width else item[: width - 1] + '…'}")

    def _first_items(self, manifest_url: str) -> Iterator[str]:
        bucket, _, key = manifest_url.removeprefix("s3://").partition("/")
        manifest = json.loads(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        for file in manifest["files"][:1]:
            lines = gzip.decompress(self._s3.get_object(Bucket=bucket, Key=file["key"])["Body"].read()).splitlines()
            for line in lines[:_ITEMS_SHOWN]:
                yield json.loads(line)["item"]


def _say_what_is_next(emulator: Emulator, outputs: Mapping[str, str], *, keep: bool) -> None:
    print("\nNext")
    if not keep:
        print("  make local   does the same, and keeps it running for your own AWS CLI")
        print("  README.md    tells how to deploy to an account; crawls.yaml is where your own crawls go")
        return
    print("  Look around with your own AWS CLI, in another terminal:")
    print(f"    export AWS_ENDPOINT_URL={emulator.url}")
    print("    export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1")
    print(f"    aws s3 ls --recursive s3://{outputs['ItemsBucket']}/runs/")
    print(f"    aws dynamodb scan --max-items 3 --table-name {outputs['ItemsTable']}")
    print("  Or start a crawl of your own:")
    print(f"    aws stepfunctions start-execution --state-machine-arn {outputs['CrawlMachineArn']} \\")
    print("""      --input '{"service": "ec2", "operation": "describe_instance_types"}'""")
    print("  Ctrl-C stops it and leaves nothing behind.")


@contextmanager
def _stage(title: str) -> Iterator[Callable[[str], None]]:
    """Say what is being done; call what it gives with what came of it."""
    print(f"{title} …", flush=True)
    began = time.monotonic()
    yield lambda result: print(f"  {result} ({time.monotonic() - began:.0f} s)", flush=True)


@contextmanager
def _live_line() -> Iterator[Callable[[str], None]]:
    """A line that changes in place on a terminal; elsewhere, a new line for every change."""
    last = ""

    def show(text: str) -> None:
        nonlocal last
        if text != last:
            print(f"\r  {text:60}" if sys.stdout.isatty() else f"  {text}", end="" if sys.stdout.isatty() else "\n")
            sys.stdout.flush()
            last = text

    yield show
    if sys.stdout.isatty():
        print(f"\r{'':64}\r", end="")


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"


if __name__ == "__main__":
    sys.exit(main())
