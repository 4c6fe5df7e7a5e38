"""The state of a target's child execution, as its states pass it on.

`run`, `crawl`, `target`, `place` and `sweep` are those of `pageturner.page_state`. `hand_overs` counts the PageLoops.
`patience` says how long the next BackOff waits, and how many times in a row PageLoop was interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aws_cdk import aws_stepfunctions as sfn

from infra.back_off import FIRST_WAIT_SECONDS
from pageturner.page_state import FROM_CHECKPOINT, Sweep


def at_first() -> dict[str, Any]:
    """The initial state of a child execution: the Map's ItemSelector."""
    return {
        "run": sfn.JsonPath.object_at("$.run"),
        "crawl": sfn.JsonPath.object_at("$.crawl"),
        "target": sfn.JsonPath.object_at("$$.Map.Item.Value"),
        # A redriven child continues where it was.
        "place": FROM_CHECKPOINT,
        "patience": new_patience(),
        "hand_overs": 0,
        "sweep": asdict(Sweep()),
    }


def after_a_loop(place: Any, patience: Mapping[str, Any]) -> dict[str, Any]:
    """The state after a PageLoop: a new place and patience, and one more hand-over."""
    unchanged = {name: sfn.JsonPath.object_at(f"$.{name}") for name in ("run", "crawl", "target", "sweep")}
    hand_overs = sfn.JsonPath.math_add(sfn.JsonPath.number_at("$.hand_overs"), 1)
    return {**unchanged, "hand_overs": hand_overs, "place": place, "patience": patience}


def new_patience() -> dict[str, int]:
    """The initial patience, and the patience after every PageLoop that succeeded."""
    return {"wait_seconds": FIRST_WAIT_SECONDS, "interruptions": 0}
