"""The child execution of a long target: PageLoop turns its pages, minutes at a time, until the listing ends.

A hand-over (`TurnPages` → `PageLoopEnded?` → `TakePlace` → `TurnPages`) is three state transitions, which is what a
long listing pays for Standard, and 9 of the 25,000 history events that an execution may have.
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


class LongTarget(Construct):
    """`TurnPages` → `PageLoopEnded?` → `TakePlace` → `TurnPages` … `TargetEnded`. `start` is its first state."""

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
        verdicts = VerdictStates(self, "Verdicts", runs=store.runs, failure="$.page_loop.ended")
        turn_pages = self._turn_pages(page_loop)
        place = sfn.JsonPath.string_to_json(sfn.JsonPath.string_at("$.page_loop.ended.Output"))
        take_place = sfn.Pass(self, "TakePlace", parameters=after_a_loop(place, after_success()))
        read_place = sfn.Pass(self, "ReadPlace", parameters=after_a_loop(place, after_success()))

        what_next = sfn.Choice(self, "WhatNext?")
        target_ended = sfn.Succeed(self, "TargetEnded")
        verdicts.record_verdict.next(target_ended)
        what_next.when(_next_is("end"), target_ended)
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
        ended = sfn.Choice(self, "PageLoopEnded?")
        # The text says what is usual, so that it need not be parsed before anybody can choose. What it does not say is
        # parsed.
        is_last = sfn.Condition.number_greater_than_equals("$.hand_overs", hand_overs - 1)
        ended.when(sfn.Condition.and_(_says("hand_over"), sfn.Condition.not_(is_last)), take_place.next(turn_pages))
        ended.when(_says("end"), target_ended)
        # A PageLoop that failed or timed out has no Output. Only its Status is always there.
        ended.when(sfn.Condition.string_equals("$.page_loop.ended.Status", "SUCCEEDED"), read_place.next(what_next))
        ended.otherwise(failed.start)
        self.start = turn_pages.next(ended)

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


def _says(what: str) -> sfn.Condition:
    """Whether the output's text has this `next`: nothing else can, because quotes inside of strings are escaped."""
    output = "$.page_loop.ended.Output"
    texts = [f'"next":{space}"{what}"' for space in ("", " ")]  # AWS writes none; emulators do
    matches = sfn.Condition.or_(*(sfn.Condition.string_matches(output, f"*{text}*") for text in texts))
    return sfn.Condition.and_(sfn.Condition.is_present(output), matches)
