"""PlanRun: validates what was asked for, names the run or finds it, and writes its targets for the Distributed Map."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pageturner import clients, telemetry
from pageturner.crawl import Crawl, parse_catalogue, parse_input, parse_resume
from pageturner.page_store import PageStore
from pageturner.planning import Execution, Planner
from pageturner.run_store import RunStore

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Plan the run that `event["input"]` asks for, in `event["execution"]` (`id` and `started_at`).

    Returns `run`, `crawl`, where the `targets` lie, `max_concurrency`, and, for people, `paging`; or `nothing_to_do`.
    Raises `InvalidCrawlError` and `OverlapError`.
    """
    execution = Execution(**event["execution"])
    planner = Planner(
        PageStore(clients.client("s3"), os.environ["ITEMS_BUCKET"]),
        RunStore(clients.client("dynamodb"), os.environ["RUNS_TABLE"]),
        _is_running,
    )
    if run_id := parse_resume(event["input"]):
        plan = planner.resume(run_id, execution)
    else:
        crawl = parse_input(event["input"], _catalogue())
        account = context.invoked_function_arn.split(":")[4]
        plan = planner.begin(crawl, execution, account, os.environ["AWS_REGION"])
    telemetry.logger.info("run planned", extra={"plan": plan})
    return plan


def _is_running(execution: str) -> bool:
    try:
        found = clients.client("stepfunctions").describe_execution(executionArn=execution)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
            return False
        raise
    return bool(found["status"] in ("RUNNING", "PENDING_REDRIVE"))


@cache
def _catalogue() -> Mapping[str, Crawl]:
    return parse_catalogue(json.loads(Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")))
