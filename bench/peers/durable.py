"""A Lambda durable function: the same loop, and a step for each page, which is retried by itself."""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from plain import turn


@durable_execution  # type: ignore[untyped-decorator]
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Turn all pages of a target."""
    after = _step(context, event)
    while after["token"]:
        after = _step(context, after)
    return after


def _step(context: DurableContext, event: dict[str, Any]) -> dict[str, Any]:
    after: dict[str, Any] = context.step(lambda _: turn(event), name=f"page-{event['page']}")
    return after
