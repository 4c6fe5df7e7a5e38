"""StopRun: a Crawl execution was stopped, so that the PageLoops it has started turn no more pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pageturner import telemetry
from pageturner.stores import Stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Take EventBridge's "Step Functions Execution Status Change" of an execution that did not succeed.

    The event may come late or twice. An execution that was redriven meanwhile drives its run again by itself.
    """
    detail = event["detail"]
    if run_id := Stores.of_environment().executions.stop(detail["executionArn"]):
        telemetry.logger.set_correlation_id(run_id)
        telemetry.logger.warning("run stopped", extra={"status": detail["status"], "execution": detail["executionArn"]})
