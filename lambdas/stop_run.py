"""StopRun: when a Crawl execution has ended, none of its PageLoops turns pages, and people have heard how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pageturner import clients, notices, telemetry
from pageturner.console import Console
from pageturner.finish.output import output_of
from pageturner.page_state import utc_text
from pageturner.report.telling import NOT_COMPLETE, count, tell
from pageturner.stores import Stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Take EventBridge's "Step Functions Execution Status Change" of an execution that has ended.

    The event may come late or twice. An execution that was redriven meanwhile drives its run again. What ReportRun has
    reported is not reported again: most have nothing else to do.
    """
    detail, stores, now = event["detail"], Stores.of_environment(), utc_text(datetime.now(UTC))
    execution, status = detail["executionArn"], detail["status"]
    if clients.is_running(execution):
        return
    if status != "SUCCEEDED" and (run_id := stores.executions.stop(execution)):
        telemetry.logger.set_correlation_id(run_id)
        telemetry.logger.warning("run stopped", extra={"status": status, "execution": execution})
    said, by_itself = _said(detail), "trigger" in _input(detail)
    about = stores.executions.run_of(execution)
    if about is None:
        if by_itself and status != "SUCCEEDED":
            count(NOT_COMPLETE)
            notices.send(notices.of_no_run(said, execution, _link(execution)))
        return
    run, crawl = about
    row = stores.history.run(run, crawl)
    if row is None or (row.execution, row.reported_at) != (execution, None) or row.outcome == "continues":
        return
    found = stores.runs.find(run.run_id)
    if found is not None and found.summary is not None and found.is_published:
        tell(stores, output_of(found.summary, found.published or {}), now)
        return
    # Whoever starts an execution by hand sees that it did not begin a run.
    if by_itself or found is not None:
        count(NOT_COMPLETE)
        notices.send(notices.of_stopped(crawl, run.run_id, said, execution, _link(execution)))
    stores.history.stop(run, crawl, said, now, is_reported=True)


def _said(detail: Mapping[str, Any]) -> str:
    """Say how an execution has ended, and what it was asked."""
    how = {"ABORTED": "was stopped", "TIMED_OUT": "timed out"}.get(detail["status"], "failed")
    reason = ": ".join(filter(None, (detail.get("error"), detail.get("cause"))))
    return f"The execution {how}{f': {reason}' if reason else ''}. Its input: {detail.get('input') or 'not known'}"


def _input(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the input of an execution, if it is known (EventBridge leaves it out if it is large) and an object."""
    try:
        found = json.loads(detail.get("input") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _link(execution: str) -> str:
    return Console(os.environ["AWS_REGION"]).execution(execution)
