"""PublishRun: makes the complete listings of a run what people see, or says what is next to do for that."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from pageturner import clients, telemetry
from pageturner.page_state import utc_text
from pageturner.publish.announcing import Announcer
from pageturner.publish.comparing import Comparer
from pageturner.publish.metering import OF_PUBLISH_RUN, Meter
from pageturner.publish.publishing import Publisher
from pageturner.publish.tables import Tables
from pageturner.stores import Stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.handler
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Publish the run of `event["state"]`, in `event["execution"]`; or compare it with another.

    Returns `next`, and what that needs: see `pageturner.publish.publishing`. `asked` says that a person asks for it.
    """
    state = event["state"]
    publisher().meter.begin(OF_PUBLISH_RUN)
    telemetry.logger.set_correlation_id(state["run_id"])
    if "compare" in state:
        step = Comparer(publisher().stores, publisher().most_rows).compare(*state["compare"])
    else:
        asked_by = event["execution"] if state.get("asked") else ""
        step = publisher().publish(state["run_id"], state["generation"], asked_by, utc_text(datetime.now(UTC)))
    telemetry.logger.info("published" if step["next"] == "end" else "goes on", extra={"step": {"next": step["next"]}})
    return step


@cache
def publisher() -> Publisher:
    """Return what publishes, by the function's environment variables."""
    stores, database = Stores.of_environment(), os.environ["DATABASE"]
    meter = Meter()
    for service in ("dynamodb", "glue", "s3"):
        meter.watch(clients.client(service))
    return Publisher(
        stores,
        Tables(clients.client("glue"), database, os.environ["ITEMS_BUCKET"]),
        Announcer(stores, clients.client("events"), database, os.environ["POWERTOOLS_METRICS_NAMESPACE"]),
        int(os.environ["MOST_ROWS"]),
        meter,
    )
