"""PlanRun: validates what was asked for, names the run, and writes its targets for the Distributed Map."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pageturner import clients, targets, telemetry
from pageturner.crawl import Crawl, parse_catalogue, parse_input
from pageturner.identity import keys_of
from pageturner.page_store import PageStore, targets_key
from pageturner.run_store import RunStore

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Plan the run that `event["input"]` asks for.

    `event["execution"]` holds the `id` and `started_at` of the execution. Returns `run`, `crawl`, where the `targets`
    lie, and, for people, `paging`. Raises `InvalidCrawlError`.
    """
    crawl = parse_input(event["input"], _catalogue())
    execution = event["execution"]
    run = targets.plan_run(crawl, execution["id"], execution["started_at"])
    telemetry.logger.set_correlation_id(run.run_id)
    account = context.invoked_function_arn.split(":")[4]
    planned = [asdict(target) for target in targets.targets(crawl, account, os.environ["AWS_REGION"])]
    pages = PageStore(clients.client("s3"), os.environ["ITEMS_BUCKET"])
    pages.put_json(targets_key(run), planned)
    runs = RunStore(clients.client("dynamodb"), os.environ["RUNS_TABLE"])
    paging = _paging(crawl)
    runs.begin(run, crawl.as_dict(), paging, execution["id"], len(planned))
    telemetry.logger.info("run planned", extra={"crawl": crawl.name, "targets": len(planned), "paging": paging})
    where = {"bucket": pages.bucket, "key": targets_key(run), "count": len(planned)}
    return {"run": asdict(run), "crawl": crawl.as_dict(), "targets": where, "paging": paging}


def _paging(crawl: Crawl) -> dict[str, Any]:
    """How the run will page, for the person who looks: with which paginator, and what makes an item that item."""
    paginator = crawl.paginator
    keys = keys_of(crawl.service, crawl.operation, paginator.definition, crawl.key, crawl.search)
    return {
        "paginator": paginator.source,
        **paginator.definition,
        "keys": {name: expression or "a hash of the item" for name, expression in keys.items()},
    }


@cache
def _catalogue() -> Mapping[str, Crawl]:
    return parse_catalogue(json.loads(Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")))
