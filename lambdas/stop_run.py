"""StopRun: when a Crawl execution has ended, none of its PageLoops turns pages, and people have heard how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pageturner import clients, notices, telemetry
from pageturner.console import Console
from pageturner.errors import SinkError
from pageturner.finish.output import output_of
from pageturner.page_state import Run, utc_text
from pageturner.report.telling import NOT_COMPLETE, count, tell
from pageturner.stores import Stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.handler
def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Take EventBridge's "Step Functions Execution Status Change" of an execution that has ended, or was redriven.

    The event may come late or twice. An execution that was redriven meanwhile drives its run again. What ReportRun has
    reported is not reported again: most have nothing else to do. Raises `SinkError`, after which Lambda tries again.
    """
    detail, stores = event["detail"], Stores.of_environment()
    execution, redrives = detail["executionArn"], int(detail.get("redriveCount") or 0)
    if detail["status"] == "RUNNING":
        _go_on(stores, execution, redrives)
        return
    running = clients.running_redrive(execution)
    if running is not None and running > redrives:
        return
    if running is not None:
        raise SinkError(f"Step Functions says that {execution} is running, and that it has ended; ask again")
    _ended(stores, detail, execution, redrives)


def _go_on(stores: Stores, execution: str, redrives: int) -> None:
    """Let a run go on that counts as stopped, unless its execution was stopped again since this redrive."""
    about = stores.executions.run_of(execution)
    row = stores.history.run(*about) if about else None
    if about and row and row.told_after is not None and row.told_after < redrives:
        stores.history.go_on(*about)


def _ended(stores: Stores, detail: Mapping[str, Any], execution: str, redrives: int) -> None:
    status, now = detail["status"], utc_text(datetime.now(UTC))
    if status != "SUCCEEDED" and (run_id := stores.executions.stop(execution)):
        telemetry.logger.set_correlation_id(run_id)
        telemetry.logger.warning("run stopped", extra={"status": status, "execution": execution})
    asked, said = _input(detail), _said(detail)
    by_itself = "trigger" in asked
    about = stores.executions.run_of(execution) or _to_continue(stores, asked, execution)
    if about is None:
        if by_itself and status != "SUCCEEDED":
            count(NOT_COMPLETE)
            notices.send(notices.of_no_run(said, execution, _link(execution)))
        return
    run, crawl = about
    row = stores.history.run(run, crawl)
    if row is None or row.reported_at is not None or (row.told_after is not None and row.told_after >= redrives):
        return
    # What continues in another execution does not if that one could not start, or ended before it drove the run.
    has_ended = status != "SUCCEEDED" if row.outcome == "continues" else row.execution == execution
    if not has_ended:
        return
    found = stores.runs.find(run.run_id)
    if found is not None and found.summary is not None and found.is_published:
        tell(stores, output_of(found.summary, found.published or {}), now)
        return
    # Whoever starts an execution by hand sees that it did not begin a run.
    if by_itself or found is not None:
        count(NOT_COMPLETE)
        notices.send(notices.of_stopped(crawl, run.run_id, said, execution, _link(execution)))
    stores.history.stop(run, crawl, said, now, told_after=redrives)


def _to_continue(stores: Stores, asked: Mapping[str, Any], execution: str) -> tuple[Run, str] | None:
    """Return the run that an execution was started to continue, and the name of its crawl, if it is still to."""
    found = stores.runs.find(str(asked["resume"])) if "resume" in asked else None
    if found is None or not found.continues:
        return None
    run, crawl = Run.from_dict(found.run), str(found.crawl["name"])
    # As ContinueRun names it.
    name = sha256(run.execution.encode()).hexdigest()
    return (run, crawl) if execution.rpartition(":")[2] == name else None


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
