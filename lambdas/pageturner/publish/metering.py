"""Counts what AWS charges for a publication, while its functions work: their seconds, and their clients' requests.

DynamoDB says itself which units a request has consumed (API Reference, "ReturnConsumedCapacity"), and does not charge
for that. It does not say so of a request that fails.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Lock
from typing import Any

from botocore.model import OperationModel

from pageturner.costs import OF_REPORTING, PUBLISHING_MEMORY_MB, PUBLISHING_START_SECONDS
from pageturner.prices import Volume

# How S3 charges for what publishing asks of it; a DeleteObject costs nothing.
_S3 = {
    "GetObject": Volume(gets=1),
    "HeadObject": Volume(gets=1),
    "PutObject": Volume(puts=1),
    "PutObjectTagging": Volume(puts=1),
}
_READS = ("GetItem", "Query")
_LOG_GB = 4e-6
# State transitions: of each PublishRun, PublishRun and Published?; of a Map of parts, itself; of each child, its start,
# PublishPart, MoreOfPart? and PartPublished, because most parts are done at once.
OF_PUBLISH_RUN, OF_PARTS, OF_PUBLISH_PART = 2, 1, 4
# What an invocation still does when it has taken its last look: it puts the rows of the run, sends the events, records
# the publication, and lets the next one begin. ReportRun, and three more states, end the execution.
REST = OF_REPORTING + Volume(
    gb_seconds=0.3 * PUBLISHING_MEMORY_MB / 1024,
    transitions=3,
    puts=3,
    gets=3,
    write_units=8,
    read_units=4,
    events=2,
)


class Meter:
    """Counts from the time at which an invocation `begins`. The clients that it watches can have many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_new = True
        self.begin(0)

    def watch(self, client: Any) -> None:
        """Count the requests of a client from now on."""
        client.meta.events.register("provide-client-params", _with_consumed_capacity)
        client.meta.events.register("after-call", self._after_call)

    def begin(self, transitions: int) -> None:
        """Begin an invocation that comes with so many state transitions."""
        with self._lock:
            self._since = time.monotonic()
            self._counted = Volume(requests=1, transitions=transitions, log_gb=_LOG_GB)

    def take(self) -> Volume:
        """Return what has been counted since the invocation has begun, or since this was called."""
        with self._lock:
            now = time.monotonic()
            seconds, self._since = now - self._since, now
            if self._is_new:
                # Which no function can measure.
                seconds, self._is_new = seconds + PUBLISHING_START_SECONDS, False
            taken, self._counted = self._counted, Volume()
        return taken + Volume(gb_seconds=seconds * PUBLISHING_MEMORY_MB / 1024)

    def take_last(self) -> Volume:
        """Return the same, before the publication is announced, with what that and all that follows will take."""
        return self.take() + REST

    def _after_call(self, parsed: Mapping[str, Any], model: OperationModel, **_: Any) -> None:
        service, operation = model.service_model.service_name, model.name
        if service == "dynamodb":
            counted = _units(parsed, is_read=operation in _READS)
        elif service == "glue":
            counted = Volume(glue_requests=1)
        else:
            counted = _S3.get(operation, Volume())
        with self._lock:
            self._counted += counted


def _with_consumed_capacity(params: dict[str, Any], model: OperationModel, **_: Any) -> dict[str, Any] | None:
    """Let DynamoDB say what a request has consumed."""
    shape = model.input_shape
    if shape is None or "ReturnConsumedCapacity" not in shape.members:
        return None
    return {**params, "ReturnConsumedCapacity": "TOTAL"}


def _units(answer: Mapping[str, Any], *, is_read: bool) -> Volume:
    """Return the units that an answer says were consumed, of one table or of each."""
    found = answer.get("ConsumedCapacity", [])
    units = sum(each["CapacityUnits"] for each in ([found] if isinstance(found, Mapping) else found))
    return Volume(read_units=units) if is_read else Volume(write_units=units)
