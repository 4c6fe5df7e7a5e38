"""SweepItems: removes or marks the items in DynamoDB that a complete listing no longer has, some at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pageturner import telemetry
from pageturner.finish.sweep import Sweeper
from pageturner.page_state import PageState, Sweep
from pageturner.stores import Stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Continue `event["sweep"]` of a target whose listing has ended, and return it; see `pageturner.finish.sweep`."""
    state = PageState.from_event(event)
    telemetry.logger.set_correlation_id(state.run.run_id)
    sweep = Sweeper(Stores.of_environment()).go_on(state, Sweep(**event["sweep"]))
    telemetry.logger.info("items swept", extra={"target": state.target.target_id, "sweep": asdict(sweep)})
    return asdict(sweep)
