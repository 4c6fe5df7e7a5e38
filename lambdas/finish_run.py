"""FinishRun: gives the run its verdict, and writes the manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pageturner import clients, telemetry
from pageturner.crawl import Crawl
from pageturner.page_state import Run
from pageturner.page_store import PageStore, manifest_key, page_prefix, targets_key
from pageturner.run_store import RunStore
from pageturner.summary import manifest, summary

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Finish the run of `event["run"]` and `event["crawl"]`, in `event["execution"]`. Returns its summary."""
    run, crawl = Run(**event["run"]), Crawl.from_dict(event["crawl"])
    telemetry.logger.set_correlation_id(run.run_id)
    store = PageStore(clients.client("s3"), os.environ["ITEMS_BUCKET"])
    runs = RunStore(clients.client("dynamodb"), os.environ["RUNS_TABLE"])
    targets = store.get_json(targets_key(run))
    whole = manifest(run, crawl, targets, runs.pages(run), runs.verdicts(run), runs.sweeps(run), runs.throttles(run))
    store.put_json(manifest_key(run), whole)
    result = {
        **summary(run, crawl, whole, datetime.now(UTC)),
        "manifest": f"s3://{store.bucket}/{manifest_key(run)}",
        "items_prefix": f"s3://{store.bucket}/{page_prefix(run, crawl.name)}",
        "items_table": os.environ["ITEMS_TABLE"],
    }
    runs.finish(run, result)
    runs.unlock(crawl.name, event["execution"])
    telemetry.logger.info("run finished", extra={"summary": result})
    return result
