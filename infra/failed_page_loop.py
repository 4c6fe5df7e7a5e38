"""What Crawl does after a failed PageLoop: it waits, continues from the checkpoint, or gives the target a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra.back_off import BackOff
from infra.retries import retry_always
from infra.target_state import after_a_loop, patience
from infra.verdict_states import VerdictStates
from pageturner.errors import StillRunningError, ThrottledError
from pageturner.page_state import AFTER_THROTTLING, FROM_CHECKPOINT
from pageturner.stores import keys

MOST_INTERRUPTIONS = 5


class FailedPageLoop(Construct):
    """`WhatFailed?` → `BackOff`, `LastPage` or a verdict. `start` is its first state, `what_next` its last."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        verdicts: VerdictStates,
        what_next: sfn.IChainable,
        runs: dynamodb.ITableV2,
    ) -> None:
        super().__init__(scope, construct_id)
        self._what_next = what_next
        self._runs = runs
        self._verdicts = verdicts
        back_off = BackOff(
            self,
            "Throttled",
            go_on=lambda name, left: self._go_on(name, left, AFTER_THROTTLING).next(what_next),
        )
        # The order of these lines is the order of the rules.
        self.start = sfn.Choice(self, "WhatFailed?")
        self.start.when(verdicts.failed_with(ThrottledError, StillRunningError), back_off.start)
        verdicts.add_final(self.start)
        # Anything else interrupted the loop: a timeout, a crash, an unavailable sink. The checkpoint has the place.
        self.start.otherwise(self._interrupted())

    def _interrupted(self) -> tasks.CallAwsService:
        """Count the interruptions since the target's last page: a loop that was ended may have turned many before."""
        # What failed may need some time: a bucket, a table, or Lambda itself. Nothing else depends on this wait.
        wait = sfn.Wait(self, "LetRecover", time=sfn.WaitTime.duration(Duration.minutes(1)))
        wait.next(self._what_next)
        too_often = self._too_often(wait)
        last_page = self._last_page()
        # The interruption counts if nobody can say that there was progress.
        last_page.add_catch(too_often, result_path=sfn.JsonPath.DISCARD)
        moved_on = sfn.Choice(self, "MovedOn?")
        found = "$.last_page.Items[0].sk.S"
        known = sfn.Condition.string_equals_json_path(found, "$.patience.last_page")
        moved_on.when(
            sfn.Condition.and_(sfn.Condition.number_greater_than("$.last_page.Count", 0), sfn.Condition.not_(known)),
            self._go_on("InterruptedFurtherOn", patience(1, sfn.JsonPath.string_at(found)), FROM_CHECKPOINT).next(wait),
        )
        moved_on.otherwise(too_often)
        last_page.next(moved_on)
        return last_page

    def _last_page(self) -> tasks.CallAwsService:
        run, target = sfn.JsonPath.string_at("$.run.run_id"), sfn.JsonPath.string_at("$.target.target_id")
        last_page = tasks.CallAwsService(
            self,
            "LastPage",
            service="dynamodb",
            action="query",
            parameters={
                "TableName": self._runs.table_name,
                "KeyConditionExpression": "pk = :run AND begins_with(sk, :pages)",
                "ExpressionAttributeValues": {
                    ":run": {"S": sfn.JsonPath.format(keys.RUN, run)},
                    ":pages": {"S": sfn.JsonPath.format(keys.pages_of("{}"), target)},
                },
                "ProjectionExpression": "sk",
                "ScanIndexForward": False,
                "Limit": 1,
                "ConsistentRead": True,
            },
            iam_action="dynamodb:Query",
            iam_resources=[self._runs.table_arn],
            result_path="$.last_page",
            task_timeout=sfn.Timeout.duration(Duration.minutes(1)),
        )
        retry_always(last_page)
        return last_page

    def _too_often(self, wait: sfn.Wait) -> sfn.Choice:
        given_up = self._verdicts.verdict(
            "GivenUp",
            "unfinished",
            error="Interrupted",
            cause=f"PageLoop was interrupted {MOST_INTERRUPTIONS} times in a row; its log group has the reason",
        )
        too_often = sfn.Choice(self, "InterruptedTooOften?")
        is_last = sfn.Condition.number_greater_than_equals("$.patience.interruptions", MOST_INTERRUPTIONS - 1)
        # A PageLoop that timed out or was aborted has no error.
        said = [sfn.Condition.is_present(f"$.page_loop.ended.{name}") for name in ("Error", "Cause")]
        too_often.when(sfn.Condition.and_(is_last, *said), self._verdicts.verdict("GivenUpWithError", "unfinished"))
        too_often.when(is_last, given_up)
        once_more = patience(
            sfn.JsonPath.math_add(sfn.JsonPath.number_at("$.patience.interruptions"), 1),
            sfn.JsonPath.string_at("$.patience.last_page"),
        )
        too_often.otherwise(self._go_on("Interrupted", once_more, FROM_CHECKPOINT).next(wait))
        return too_often

    def _go_on(self, name: str, left: Mapping[str, Any], place: Mapping[str, Any]) -> sfn.Pass:
        """Continue from the checkpoint, because a failed loop does not return its place."""
        return sfn.Pass(self, name, parameters=after_a_loop(place, left))
