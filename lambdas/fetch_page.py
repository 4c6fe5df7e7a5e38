"""FetchPage: turns one page of a target and returns the place after it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit

from pageturner import clients, telemetry
from pageturner.errors import ThrottledError
from pageturner.item_table import ItemTable
from pageturner.page_state import PageState
from pageturner.page_step import PageStep, Turned
from pageturner.page_store import PageStore
from pageturner.run_store import RunStore

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Turn the page at `event["place"]`; see `pageturner.page_state` for the shapes. Returns the next place."""
    state = PageState.from_event(event)
    step = _page_step()
    with telemetry.about_run(state.run.run_id, state.crawl.name):
        try:
            turned = step.turn(state)
        except ThrottledError as error:
            step.runs.count_throttle(state.run, state.target)
            telemetry.count("Throttles", 1)
            facts = {"target": state.target.target_id, "retry": event["retry_count"], "error": str(error)}
            telemetry.logger.warning("throttled", extra=facts)
            raise
        _report(state, turned)
    return _after_budget(turned, event["loop_started_at"])


@cache
def _page_step() -> PageStep:
    dynamodb = clients.client("dynamodb")
    return PageStep(
        clients.client,
        PageStore(clients.client("s3"), os.environ["ITEMS_BUCKET"]),
        ItemTable(dynamodb, os.environ["ITEMS_TABLE"]),
        RunStore(dynamodb, os.environ["RUNS_TABLE"]),
    )


def _report(state: PageState, turned: Turned) -> None:
    if turned.page is None:
        return
    telemetry.count("PagesFetched", 1)
    telemetry.count("ItemsWritten", len(turned.page.records))
    telemetry.count("BytesWritten", turned.page.bytes, MetricUnit.Bytes)
    telemetry.count("FetchTime", turned.fetch_ms, MetricUnit.Milliseconds)
    telemetry.count("WriteTime", turned.write_ms, MetricUnit.Milliseconds)
    telemetry.logger.info(
        "page turned",
        extra={
            "target": state.target.target_id,
            "page": turned.place.pages,
            "items": len(turned.page.records),
            "bytes": turned.page.bytes,
            "fetch_ms": round(turned.fetch_ms),
            "write_ms": round(turned.write_ms),
            "verdict": turned.place.verdict,
        },
    )


def _after_budget(turned: Turned, loop_started_at: str) -> dict[str, Any]:
    """The place, with the word that ends this PageLoop when its time is used up: Express cannot tell time."""
    place = turned.place.as_dict()
    spent = datetime.now(UTC) - datetime.fromisoformat(loop_started_at)
    if place["next"] == "page" and spent.total_seconds() >= float(os.environ["LOOP_SECONDS"]):
        place["next"] = "hand_over"
    return place
