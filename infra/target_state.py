"""The state of a target's child execution, as its states pass it on.

`run`, `crawl`, `target`, `place` and `patience` are those of `pageturner.page_state`. `hand_overs` counts the
PageLoops.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_stepfunctions as sfn

from pageturner.page_state import FIRST_WAIT_SECONDS, FROM_CHECKPOINT


def at_first() -> dict[str, Any]:
    """The initial state of a child execution: the Map's ItemSelector."""
    return {
        "run": sfn.JsonPath.object_at("$.run"),
        "crawl": sfn.JsonPath.object_at("$.crawl"),
        "target": sfn.JsonPath.object_at("$$.Map.Item.Value"),
        # A redriven child continues where it was.
        "place": FROM_CHECKPOINT,
        # PlanRun puts it into the targets file, because it outlasts the execution.
        "patience": sfn.JsonPath.object_at("$$.Map.Item.Value.patience"),
        "hand_overs": 0,
    }


def after_a_loop(place: Any, left: Mapping[str, Any]) -> dict[str, Any]:
    """The state after a PageLoop: a new place, the patience that is left, and one more hand-over."""
    unchanged = {name: sfn.JsonPath.object_at(f"$.{name}") for name in ("run", "crawl", "target")}
    hand_overs = sfn.JsonPath.math_add(sfn.JsonPath.number_at("$.hand_overs"), 1)
    return {**unchanged, "hand_overs": hand_overs, "place": place, "patience": left}


def patience(interruptions: Any, last_page: Any) -> dict[str, Any]:
    """The patience after so many interrupted PageLoops since this page; a BackOff begins with its first wait."""
    return {"wait_seconds": FIRST_WAIT_SECONDS, "interruptions": interruptions, "last_page": last_page}


def after_success() -> dict[str, Any]:
    """The patience after a PageLoop that succeeded. If it turned pages, the next interruption counts from anew."""
    return patience(sfn.JsonPath.number_at("$.patience.interruptions"), sfn.JsonPath.string_at("$.patience.last_page"))
