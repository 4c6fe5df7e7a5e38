"""ReportRun: says what a run came to: to the history, to people, and to CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pageturner import telemetry
from pageturner.page_state import utc_text
from pageturner.report.telling import tell
from pageturner.stores import Stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Report the run of `event["summary"]`, which is published as far as it was to be.

    A comparison of two runs is nothing to report.
    """
    summary = event["summary"]
    if "compared_with" in summary:
        return
    telemetry.logger.set_correlation_id(summary["run_id"])
    tell(Stores.of_environment(), summary, utc_text(datetime.now(UTC)))
