"""ReportRun: says what a run came to: to the history, to people, and to CloudWatch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pageturner import telemetry
from pageturner.console import Console
from pageturner.errors import CannotPublishError, SinkError
from pageturner.page_state import utc_text
from pageturner.report.index import Index
from pageturner.report.reporting import Reporter
from pageturner.report.telling import tell
from pageturner.stores import Stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.handler
def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Report the run of `event["summary"]`, which is published as far as it was to be.

    A comparison of two runs is nothing to report.
    """
    summary = event["summary"]
    if "compared_with" in summary:
        return
    telemetry.logger.set_correlation_id(summary["run_id"])
    stores, console = Stores.of_environment(), Console(os.environ["AWS_REGION"])
    # What people are told links to the report. If that fails, they are told all the same; and if it takes the function
    # with it, by StopRun.
    try:
        Reporter(stores, console).write(summary)
    except (CannotPublishError, SinkError) as error:
        telemetry.logger.error("the run has no report: %s", error)
    if run := tell(stores, summary, utc_text(datetime.now(UTC))):
        index = Index(stores, console, lambda: context.get_remaining_time_in_millis() / 1000)
        # Who fails here has told people: they are not told again. The next run adds this one.
        try:
            index.add(run, summary["crawl"])
        except SinkError as error:
            telemetry.logger.error("the run is not on the page of all runs: %s", error)
