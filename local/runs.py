"""Runs on the emulator, as the demo watches them, and what plain boto3 lists in their place."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath

from local.emulator import Emulator
from pageturner.crawls.crawl import Crawl
from pageturner.finish.witness import in_words
from pageturner.page_state import Run
from pageturner.turn.records import item_json
from pageturner_cli import asking, executions, finding, watching
from pageturner_cli.aws_errors import Asked
from pageturner_cli.deployment import Deployment
from pageturner_cli.failures import Failure
from pageturner_cli.manifests import items_of_run, manifest_of
from pageturner_cli.watching import Progress, Watcher

# The demo's runs take seconds.
_POLL_SECONDS = 0.3


def deployment_on(emulator: Emulator, outputs: Mapping[str, str]) -> Deployment:
    """The stack that was deployed to an emulator, with these outputs."""
    return Deployment(Asked(asking.DEFAULT_STACK), emulator, given=outputs)


@dataclass(frozen=True)
class Runs:
    """Runs of the deployed stack, through the terminal's own code."""

    deployment: Deployment

    def output(self, asked: Mapping[str, Any], go_on: Callable[[Progress], bool]) -> dict[str, Any] | None:
        """Start an execution with an input, watch its run, and return the output. Raises `Failure`.

        `go_on` is called with the run's progress now and then. When it returns False, the execution is stopped, and
        this returns None.
        """
        execution = executions.begin(self.deployment, asked)
        crawl = asking.crawl_of(asked)
        run_id = executions.run_id_of(crawl, execution) if crawl is not None else str(asked["resume"])
        execution = watching.until_it_drives(self.deployment, execution, run_id, lambda: time.sleep(_POLL_SECONDS))
        if execution.is_running:
            watcher = Watcher(self.deployment, finding.by_id(self.deployment, run_id))
            while (progress := watcher.look()).phase != "ended":
                if not go_on(progress):
                    self.deployment.client("stepfunctions").stop_execution(executionArn=execution.arn)
                    return None
                time.sleep(_POLL_SECONDS)
            go_on(progress)
        return self.ended(execution.arn)

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Start an execution that begins no run, such as a dry run, and return its output. Raises `Failure`."""
        execution = executions.begin(self.deployment, asked)
        return self.ended(executions.ended(self.deployment, execution).arn)

    def ended(self, arn: str) -> dict[str, Any]:
        """Return the output of an execution that has ended. Raises `Failure` if it has failed."""
        ended = executions.described(self.deployment, arn)
        if ended is None or ended.status != "SUCCEEDED":
            raise Failure(f"{ended.status}  {ended.error}: {ended.cause}" if ended else f"{arn} is gone")
        output: dict[str, Any] = ended.output
        return output

    def items(self, summary: Mapping[str, Any]) -> list[Any]:
        """The items of a run, in the order of the files in its manifest."""
        return [json.loads(item) for item in items_of_run(self.deployment, self._run(summary))]

    def witness(self, summary: Mapping[str, Any]) -> str:
        """What was said about the only target of a run, or why nothing was; empty if nobody else counts it."""
        with manifest_of(self.deployment, self._run(summary)) as manifest:
            (target,) = manifest.entries()
        witness = target["witness"]
        if witness is None or witness["count"] is None:
            return str(witness["why"]) if witness else ""
        return f"{in_words(witness)} {'✓' if witness['agrees'] else '✗'}"

    def _run(self, summary: Mapping[str, Any]) -> Run:
        record = self.deployment.stores.runs.find(str(summary["run_id"]))
        if record is None:
            raise Failure(f"the record of {summary['run_id']} is gone")
        return Run.from_dict(record.run)


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
