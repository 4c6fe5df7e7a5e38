"""The child execution of a target: PageLoop turns its pages, two minutes at a time, until the listing ends.

A hand-over (`TurnPages` → `PageLoopSucceeded?` → `TakePlace` → `WhatNext?` → `TurnPages`) is 11 of the 25,000
history events that an execution may have.
"""

from __future__ import annotations

import base64

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra.failed_page_loop import FailedPageLoop
from infra.item_store import ItemStore
from infra.page_loop import PageLoop
from infra.retries import retry_always
from infra.target_state import after_a_loop, after_success
from infra.verdict_states import VerdictStates
from pageturner.page_state import CONTINUES


class TargetChild(Construct):
    """`TurnPages` → `PageLoopSucceeded?` → `WhatNext?` → `TurnPages` … `TargetEnded`. `start` is its first state."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        page_loop: PageLoop,
        store: ItemStore,
        hand_overs: int,
    ) -> None:
        super().__init__(scope, construct_id)
        verdicts = VerdictStates(self, "Verdicts", runs=store.runs)
        turn_pages = self._turn_pages(page_loop)
        # A PageLoop that failed or timed out has no Output. Only its Status is always there.
        succeeded = sfn.Choice(self, "PageLoopSucceeded?")
        place = sfn.JsonPath.string_to_json(sfn.JsonPath.string_at("$.page_loop.ended.Output"))
        take_place = sfn.Pass(self, "TakePlace", parameters=after_a_loop(place, after_success()))

        what_next = sfn.Choice(self, "WhatNext?")
        ended = sfn.Succeed(self, "TargetEnded")
        verdicts.record_verdict.next(ended)
        what_next.when(_next_is("end"), ended)
        # Also at the last hand-over: another execution would begin at the checkpoint, with the token that was rejected.
        what_next.when(_next_is("begin_pass"), turn_pages)
        what_next.when(
            sfn.Condition.number_greater_than_equals("$.hand_overs", hand_overs),
            verdicts.verdict(
                "ContinueElsewhere",
                "unfinished",
                error=CONTINUES,
                cause="the target continues in another execution",
            ),
        )
        what_next.otherwise(turn_pages)

        failed = FailedPageLoop(self, "FailedPageLoop", verdicts=verdicts, what_next=what_next, runs=store.runs)
        turn_pages.add_catch(failed.start, result_path="$.page_loop.ended")
        succeeded.when(sfn.Condition.string_equals("$.page_loop.ended.Status", "SUCCEEDED"), take_place.next(what_next))
        succeeded.otherwise(failed.start)
        self.start = turn_pages.next(succeeded)

    def _turn_pages(self, page_loop: PageLoop) -> tasks.CallAwsService:
        # In base64, because braces are not allowed in an intrinsic function's strings everywhere.
        no_input = base64.b64encode(b'{"Input":""}').decode()
        turn_pages = tasks.CallAwsService(
            self,
            "TurnPages",
            service="sfn",
            action="startSyncExecution",
            parameters={
                "StateMachineArn": page_loop.state_machine.state_machine_arn,
                "Input": sfn.JsonPath.json_to_string(sfn.JsonPath.object_at("$")),
            },
            iam_action="states:StartSyncExecution",
            iam_resources=[page_loop.state_machine.state_machine_arn],
            # The response repeats the input, which would then be in the state twice. It is emptied, because what is to
            # be kept cannot be named: Output, or Error and Cause, are not always there.
            result_selector={
                "ended": sfn.JsonPath.json_merge(
                    sfn.JsonPath.object_at("$"), sfn.JsonPath.string_to_json(sfn.JsonPath.base64_decode(no_input))
                )
            },
            result_path="$.page_loop",
            # The Express execution times out by itself after five minutes.
            task_timeout=sfn.Timeout.duration(Duration.minutes(6)),
        )
        # This retries only the call itself: how the loop ended is in its Status. Starting a loop twice is harmless,
        # because the first writer of a page wins.
        retry_always(turn_pages)
        return turn_pages


def _next_is(what: str) -> sfn.Condition:
    present = sfn.Condition.is_present("$.place.next")
    return sfn.Condition.and_(present, sfn.Condition.string_equals("$.place.next", what))
