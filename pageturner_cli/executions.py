"""Executions of the Crawl machine: begun, described, waited for, and found again by the name of their run."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from pageturner.console import Console
from pageturner.crawls.crawl import Crawl
from pageturner.plan.targets import plan_run
from pageturner_cli.deployment import Deployment
from pageturner_cli.failures import REFUSED, USAGE, WRONG, Failure

# Step Functions describes executions a few times a second for everyone in the account.
POLL_SECONDS = 1.0
# The outcome of what did not begin, because a run of its crawl goes on.
REFUSED_OUTCOME = "refused"
_MOST_LISTED = 1_000
# Step Functions need not know at once what it has just started.
_KNOWN_SECONDS = 30.0


@dataclass(frozen=True)
class Execution:
    """An execution, as Step Functions describes it; `error` and `cause` are empty if it succeeded."""

    arn: str
    status: str
    started_at: datetime
    input: Any
    output: Any = None
    error: str = ""
    cause: str = ""

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.status in ("RUNNING", "PENDING_REDRIVE")

    @property
    def said(self) -> str:
        """Why it did not succeed: the sentence that its cause begins with."""
        return self.cause.partition("\n\n{")[0].strip()

    @property
    def refusal(self) -> Failure | None:
        """What kept it from doing what it was asked for, if PlanRun has refused that."""
        if self.status == "SUCCEEDED":
            if isinstance(self.output, Mapping) and self.output.get("outcome") == REFUSED_OUTCOME:
                return Failure(str(self.output["message"]), REFUSED)
            return None
        codes = {
            "DeploymentDeniedError": WRONG,
            "InvalidCrawlError": USAGE,
            "OverlapError": REFUSED,
            "RunWouldFailError": WRONG,
        }
        return Failure(self.said, codes[self.error]) if self.error in codes else None


def begin(deployment: Deployment, asked: Mapping[str, Any]) -> Execution:
    """Start an execution with this input."""
    # With a name, a start whose answer was lost can be repeated, as botocore does, and starts nothing twice.
    name = str(uuid.uuid4())
    try:
        started = deployment.client("stepfunctions").start_execution(
            stateMachineArn=deployment.machine, name=name, input=json.dumps(asked)
        )
    except ClientError as error:
        arn = f"{deployment.machine.replace(':stateMachine:', ':execution:')}:{name}"
        # The first start has ended meanwhile.
        if error.response["Error"]["Code"] == "ExecutionAlreadyExists" and (found := described(deployment, arn)):
            return found
        raise
    return Execution(started["executionArn"], "RUNNING", started["startDate"], asked)


def described(deployment: Deployment, arn: str) -> Execution | None:
    """Return an execution, or None if Step Functions no longer knows it."""
    try:
        found = deployment.client("stepfunctions").describe_execution(executionArn=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
            return None
        raise
    return Execution(
        arn,
        found["status"],
        found["startDate"],
        _parsed(found.get("input")),
        _parsed(found.get("output")),
        found.get("error", ""),
        found.get("cause", ""),
    )


def ended(deployment: Deployment, execution: Execution, meanwhile: Callable[[], object] = lambda: None) -> Execution:
    """Wait until an execution has ended, and return it. `meanwhile` is called with each look."""
    until = time.monotonic() + _KNOWN_SECONDS
    while True:
        found = described(deployment, execution.arn)
        if found is None and time.monotonic() < until:
            found = execution
        if found is None:
            raise Failure(f"Step Functions no longer knows the execution {execution.arn}.")
        if not found.is_running:
            return found
        meanwhile()
        time.sleep(POLL_SECONDS)


def run_id_of(crawl: str, execution: Execution) -> str:
    """Return the name of the run that an execution begins for a crawl."""
    began = execution.started_at.isoformat()
    return plan_run(Crawl(crawl), execution.arn, began, began).run_id


def of_run(deployment: Deployment, run_id: str) -> Execution | None:
    """Return the execution that was to begin a run, which may have failed before it did; None if it is not among the
    last 1,000.
    """
    pages = (
        deployment.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=deployment.machine)
    )
    listed = (each for page in pages for each in page["executions"])
    for each in islice(listed, _MOST_LISTED):
        if hashlib.sha256(each["executionArn"].encode()).hexdigest()[:8] == run_id[-8:]:
            return described(deployment, each["executionArn"])
    return None


def console(deployment: Deployment, arn: str) -> str:
    """The page of an execution in the AWS console."""
    return Console(deployment.region).execution(arn)


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
