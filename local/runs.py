"""Runs on the emulator, as the demo watches them, and what plain boto3 lists in their place."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jmespath

from local.emulator import Emulator
from pageturner.crawls.crawl import Crawl
from pageturner.finish.witness import in_words
from pageturner.page_state import Run
from pageturner.stores import Stores, keys
from pageturner.turn.records import item_json
from pageturner.verdicts import counted

_POLL_SECONDS = 0.3


class RunError(Exception):
    """An execution did not succeed; the message has its error and cause."""


@dataclass(frozen=True)
class Progress:
    """How far a run is: pages and items of the last pass of all its targets."""

    run_id: str
    pages: int = 0
    items: int = 0


class Runs:
    """Starts, watches and reads runs of the deployed stack, whose `outputs` these are."""

    def __init__(self, emulator: Emulator, outputs: Mapping[str, str]) -> None:
        self._machine = outputs["CrawlMachineArn"]
        self._stepfunctions = emulator.client("stepfunctions")
        self._dynamodb = emulator.client("dynamodb")
        self._s3 = emulator.client("s3")
        self._runs_table = outputs["RunsTable"]
        self._stores = Stores(emulator.client, outputs["ItemsBucket"], outputs["ItemsTable"], outputs["RunsTable"])

    def start(self, execution_input: Mapping[str, Any]) -> str:
        """Start an execution of the Crawl machine; return its ARN."""
        started = self._stepfunctions.start_execution(stateMachineArn=self._machine, input=json.dumps(execution_input))
        return str(started["executionArn"])

    def stop(self, execution: str) -> None:
        """Stop an execution."""
        self._stepfunctions.stop_execution(executionArn=execution)

    def wait(self, execution: str, watch: Callable[[Progress], bool] = lambda _: True) -> dict[str, Any] | None:
        """Wait for the end of an execution, and return its output. Raises `RunError`.

        `watch` is called with the run's progress now and then. When it returns False, this returns None at once.
        """
        run: Run | None = None
        while (state := self._stepfunctions.describe_execution(executionArn=execution))["status"] == "RUNNING":
            run = run or self._run_of(execution)
            if run is not None and not watch(self._progress(run)):
                return None
            time.sleep(_POLL_SECONDS)
        if run is not None:
            watch(self._progress(run))
        if state["status"] != "SUCCEEDED":
            raise RunError(f"{state['status']}  {state.get('error', '')}: {state.get('cause', '')}")
        output: dict[str, Any] = json.loads(state["output"])
        return output

    def items(self, summary: Mapping[str, Any]) -> list[Any]:
        """The items of a run, in the order of the files in its manifest."""
        bucket, files = self._stores.pages.bucket, self._manifest(summary)["files"]
        bodies = (self._s3.get_object(Bucket=bucket, Key=file["key"])["Body"].read() for file in files)
        return [json.loads(json.loads(line)["item"]) for body in bodies for line in gzip.decompress(body).splitlines()]

    def witness(self, summary: Mapping[str, Any]) -> str:
        """What was said about the only target of a run, or why nothing was; empty if nobody else counts it."""
        (target,) = self._manifest(summary)["targets"]
        witness = target["witness"]
        if witness is None or witness["count"] is None:
            return witness["why"] if witness else ""
        return f"{in_words(witness)} {'✓' if witness['agrees'] else '✗'}"

    def _manifest(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        bucket, _, key = summary["manifest"].removeprefix("s3://").partition("/")
        manifest: dict[str, Any] = json.loads(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        return manifest

    def _run_of(self, execution: str) -> Run | None:
        for answer in self._dynamodb.get_paginator("scan").paginate(
            TableName=self._runs_table,
            FilterExpression="sk = :run AND execution = :execution",
            ExpressionAttributeValues={":run": {"S": keys.THE_RUN}, ":execution": {"S": execution}},
        ):
            for row in answer["Items"]:
                return Run(**json.loads(row["run"]["S"]))
        return None

    def _progress(self, run: Run) -> Progress:
        progress = Progress(run.run_id)
        for _, counts in counted(self._stores.checkpoints.pages(run)):
            progress = replace(progress, pages=progress.pages + counts["pages"], items=progress.items + counts["items"])
        return progress


@dataclass(frozen=True)
class OwnListing:
    """What boto3's own paginator lists: the number of pages, and the items as JSON."""

    pages: int
    items: list[Any]


def listed_by_boto3(emulator: Emulator, crawl: Crawl) -> OwnListing:
    """List what a crawl lists, with nothing but boto3. Raises botocore's errors."""
    client = emulator.client(crawl.service)
    if client.can_paginate(crawl.operation):
        paginator = client.get_paginator(crawl.operation)
        pages = list(paginator.paginate(**crawl.parameters, PaginationConfig=dict(crawl.pagination_config)))
    else:
        pages = [getattr(client, crawl.operation)(**crawl.parameters)]
    items = [item for page in pages for item in jmespath.search(crawl.primary_result_key, page) or []]
    return OwnListing(len(pages), [json.loads(item_json(item)) for item in items])
