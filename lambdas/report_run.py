"""ReportRun: says what a run came to: to the history, to people, and to CloudWatch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pageturner import telemetry
from pageturner.console import Console
from pageturner.errors import CannotPublishError, SinkError
from pageturner.page_state import Run, utc_text
from pageturner.report.index import Index
from pageturner.report.reporting import Reporter
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
    stores = Stores.of_environment()
    if run := tell(stores, summary, utc_text(datetime.now(UTC))):
        _put_pages(stores, run, summary)


def _put_pages(stores: Stores, run: Run, summary: Mapping[str, Any]) -> None:
    """Put the report of the run and the page of all runs. Whoever fails here has told people: they are not told again.

    Publishing the run once more puts them, too.
    """
    try:
        if Reporter(stores, Console(os.environ["AWS_REGION"])).write(summary):
            row = stores.history.run(run, summary["crawl"])
            if row is not None:
                Index(stores).add(row)
    except (CannotPublishError, SinkError) as error:
        telemetry.logger.error("the run has no report: %s", error)
