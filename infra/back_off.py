"""How Crawl backs off when throttling outlasts PageLoop's own retries: each wait is twice as long as the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from pageturner.page_state import Patience

LONGEST_WAIT_SECONDS = 240


class BackOff(Construct):
    """`BackOff` → `WaitedLongest?` → `go_on`, which makes a state of a name and the patience after the wait."""

    def __init__(
        self, scope: Construct, construct_id: str, *, go_on: Callable[[str, Mapping[str, Any]], sfn.IChainable]
    ) -> None:
        super().__init__(scope, construct_id)
        # Waiting in Standard costs nothing.
        self.start = sfn.Wait(self, "BackOff", time=sfn.WaitTime.seconds_path("$.patience.wait_seconds"))
        longest = sfn.Choice(self, "WaitedLongest?")
        doubled = sfn.JsonPath.math_add(
            sfn.JsonPath.number_at("$.patience.wait_seconds"), sfn.JsonPath.number_at("$.patience.wait_seconds")
        )
        longest.when(
            sfn.Condition.number_greater_than_equals("$.patience.wait_seconds", LONGEST_WAIT_SECONDS / 2),
            go_on("BackedOffLongest", asdict(Patience(LONGEST_WAIT_SECONDS))),
        )
        longest.otherwise(go_on("BackedOff", {**asdict(Patience()), "wait_seconds": doubled}))
        self.start.next(longest)
