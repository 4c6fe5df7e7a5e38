"""PlanLongTargets: finds the targets that ShortTargets has left, and writes them for LongTargets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pageturner import telemetry
from pageturner.page_state import Run
from pageturner.plan.long_targets import put_long_targets
from pageturner.stores import Stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.handler
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the location and `count` of those of `event["targets"]` that are left of the run `event["run"]`."""
    run = Run.from_dict(event["run"])
    telemetry.logger.set_correlation_id(run.run_id)
    left = put_long_targets(Stores.of_environment(), run, event["targets"]["key"])
    telemetry.logger.info("short targets ended", extra={"targets": event["targets"]["count"], "left": left["count"]})
    return left
