"""PublishPart: does a part of the work of a publication that is too large for one function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pageturner import telemetry
from pageturner.formats import known
from pageturner.publish.metering import OF_PUBLISH_PART
from pageturner.publish.parts import Part
from publish_run import publisher

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.handler
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do the part `event["part"]`, and return it with `next`: "part" if there is more to do of it, or "end"."""
    publisher().meter.begin(OF_PUBLISH_PART)
    part = Part(**known(Part, event["part"]))
    is_done = publisher().do(part)
    telemetry.logger.info("part done" if is_done else "part goes on", extra={"part": event["part"]})
    return {**event["part"], "next": "end" if is_done else "part"}
