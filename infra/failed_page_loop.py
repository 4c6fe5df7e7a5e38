"""What Crawl does after a failed PageLoop: it waits, continues from the checkpoint, or gives the target a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.back_off import FIRST_WAIT_SECONDS, BackOff
from infra.functions import FETCH_PAGE_TIMEOUT
from infra.target_state import after_a_loop
from infra.verdict_states import VerdictStates
from pageturner.errors import (
    AccessDeniedError,
    DeadlinePassedError,
    InvalidCrawlError,
    InvalidRequestError,
    NoEndpointError,
    NotFoundError,
    PageErrorsError,
    RepeatedTokenError,
    StillRunningError,
    ThrottledError,
    TooManyRestartsError,
    TruncatedListingError,
)
from pageturner.page_state import AFTER_THROTTLING, FROM_CHECKPOINT

MOST_INTERRUPTIONS = 5


class FailedPageLoop(Construct):
    """`WhatFailed?` → `BackOff`, `OutliveAbandoned` or a verdict. `start` is its first state, `what_next` its last."""

    def __init__(
        self, scope: Construct, construct_id: str, *, verdicts: VerdictStates, what_next: sfn.IChainable
    ) -> None:
        super().__init__(scope, construct_id)
        self._what_next = what_next
        self._verdicts = verdicts
        back_off = BackOff(
            self, "Throttled", go_on=lambda name, patience: self._go_on(name, patience, AFTER_THROTTLING)
        )
        # The order of these lines is the order of the rules.
        self.start = sfn.Choice(self, "WhatFailed?")
        self.start.when(_failed_with(ThrottledError, StillRunningError), back_off.start)
        self.start.when(_failed_with(DeadlinePassedError), verdicts.verdict("Late", "unfinished"))
        self.start.when(_failed_with(AccessDeniedError), verdicts.verdict("Denied", "denied"))
        self.start.when(_failed_with(NoEndpointError), verdicts.verdict("Absent", "absent"))
        self.start.when(
            _failed_with(
                InvalidRequestError,
                InvalidCrawlError,
                NotFoundError,
                PageErrorsError,
                RepeatedTokenError,
                TooManyRestartsError,
                TruncatedListingError,
            ),
            verdicts.verdict("Failed", "failed"),
        )
        # Anything else interrupted the loop: a timeout, a crash, an unavailable sink. The checkpoint has the place.
        self.start.otherwise(self._interrupted())

    def _interrupted(self) -> sfn.Choice:
        given_up = self._verdicts.verdict(
            "GivenUp",
            "unfinished",
            error="Interrupted",
            cause=f"PageLoop was interrupted {MOST_INTERRUPTIONS} times in a row; its log group has the reason",
        )
        too_often = sfn.Choice(self, "InterruptedTooOften?")
        is_last = sfn.Condition.number_greater_than_equals("$.patience.interruptions", MOST_INTERRUPTIONS - 1)
        # A PageLoop that timed out or was aborted has no error.
        said = [sfn.Condition.is_present(f"$.page_loop.{name}") for name in ("Error", "Cause")]
        too_often.when(sfn.Condition.and_(is_last, *said), self._verdicts.verdict("GivenUpWithError", "unfinished"))
        too_often.when(is_last, given_up)
        # An abandoned invocation may keep running until the function's timeout.
        wait = sfn.Wait(self, "OutliveAbandoned", time=sfn.WaitTime.duration(FETCH_PAGE_TIMEOUT))
        interruptions = sfn.JsonPath.math_add(sfn.JsonPath.number_at("$.patience.interruptions"), 1)
        patience = {"wait_seconds": FIRST_WAIT_SECONDS, "interruptions": interruptions}
        too_often.otherwise(wait.next(self._go_on("Interrupted", patience, FROM_CHECKPOINT)))
        return too_often

    def _go_on(self, name: str, patience: Mapping[str, Any], place: Mapping[str, Any]) -> sfn.Chain:
        """Continue from the checkpoint, because a failed loop does not return its place."""
        return sfn.Pass(self, name, parameters=after_a_loop(place, patience)).next(self._what_next)


def _failed_with(*errors: type[Exception]) -> sfn.Condition:
    named = [sfn.Condition.string_equals("$.page_loop.Error", error.__name__) for error in errors]
    return sfn.Condition.and_(sfn.Condition.is_present("$.page_loop.Error"), sfn.Condition.or_(*named))
