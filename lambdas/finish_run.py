"""FinishRun: gives the run its verdict and writes the manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pageturner import telemetry
from pageturner.console import Console
from pageturner.finish.finishing import Finisher
from pageturner.finish.progress import LIMITS
from pageturner.stores import Stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.handler
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Finish a generation of the run `event["run_id"]`, in the execution `event["execution"]`.

    Returns its summary, or the `outcome` "again" if there is more to do: see `Finisher.finish`.
    """
    telemetry.logger.set_correlation_id(event["run_id"])
    # The machine of an earlier version passes neither the targets nor the generation.
    loop_seconds, long_targets = float(os.environ["LOOP_SECONDS"]), event.get("long_targets", 0)
    of_region = Console(os.environ["AWS_REGION"])
    finisher = Finisher(Stores.of_environment(), of_region, LIMITS, loop_seconds, long_targets)
    summary = finisher.finish(event["run_id"], event["execution"], datetime.now(UTC), event.get("generation"))
    telemetry.logger.info("goes on" if summary["outcome"] == "again" else "run finished", extra={"summary": summary})
    return summary
