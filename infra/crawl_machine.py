"""Crawl, the slow gear: a Standard state machine that plans a run, pages every target of it, and finishes it.

Written in JSONPath throughout. A hand-over (`TurnPages` → `PageLoopSucceeded?` → `TakePlace` → `WhatNext?` →
`TurnPages`) is 11 history events of the 25,000 that an execution may have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra.functions import FETCH_PAGE_TIMEOUT, PLAN_RUN_TIMEOUT, Functions, crawl_machine_name
from infra.item_store import MAP_RESULTS_PREFIX, ItemStore
from infra.page_loop import FUNCTION_TIMEOUT, LAMBDA_ERRORS, PageLoop
from pageturner.errors import (
    AccessDeniedError,
    DeadlinePassedError,
    InvalidCrawlError,
    InvalidRequestError,
    NotFoundError,
    OverlapError,
    RepeatedTokenError,
    SinkError,
    ThrottledError,
    TooManyRestartsError,
    TransientError,
)
from pageturner.page_state import AFTER_THROTTLING, FROM_CHECKPOINT, Sweep
from pageturner.stores import keys
from pageturner.verdicts import CONTINUES

# PageLoop has already tried for most of a minute when Crawl begins to wait.
FIRST_WAIT_SECONDS = 15
LONGEST_WAIT_SECONDS = 240
MOST_INTERRUPTIONS = 5


class CrawlMachine(Construct):
    """`PlanRun` → `AnythingToDo?` → `EachTarget` → `FinishRun` → `RunComplete?`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Functions,
        page_loop: PageLoop,
        store: ItemStore,
        hand_overs: int,
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, construct_id)
        self._store = store
        self._hand_overs = hand_overs
        plan_run = tasks.LambdaInvoke(
            self,
            "PlanRun",
            lambda_function=functions.plan_run,
            payload=sfn.TaskInput.from_object(
                {
                    "input": sfn.JsonPath.entire_payload,
                    "execution": {
                        "id": sfn.JsonPath.string_at("$$.Execution.Id"),
                        "started_at": sfn.JsonPath.string_at("$$.Execution.StartTime"),
                        "entered_at": sfn.JsonPath.string_at("$$.State.EnteredTime"),
                    },
                }
            ),
            payload_response_only=True,
            task_timeout=sfn.Timeout.duration(PLAN_RUN_TIMEOUT.plus(Duration.minutes(1))),
            retry_on_service_exceptions=False,
        )
        finish_run = tasks.LambdaInvoke(
            self,
            "FinishRun",
            lambda_function=functions.finish_run,
            payload=sfn.TaskInput.from_object(
                {
                    "run_id": sfn.JsonPath.string_at("$.run.run_id"),
                    "execution": sfn.JsonPath.string_at("$$.Execution.Id"),
                }
            ),
            payload_response_only=True,
            task_timeout=sfn.Timeout.duration(Duration.minutes(16)),
            retry_on_service_exceptions=False,
        )
        plan_run.add_catch(self._refused(), errors=[InvalidCrawlError.__name__, OverlapError.__name__])
        for task in (plan_run, finish_run):
            # PlanRun reads services too: accounts, regions, keys.
            ours = [SinkError.__name__, ThrottledError.__name__, TransientError.__name__]
            _retry(task, [*ours, FUNCTION_TIMEOUT, *LAMBDA_ERRORS])

        each_target = sfn.DistributedMap(
            self,
            "EachTarget",
            label="EachTarget",
            map_execution_type=sfn.StateMachineType.STANDARD,
            max_concurrency_path="$.max_concurrency",
            item_reader=sfn.S3JsonItemReader(
                bucket_name_path=sfn.JsonPath.string_at("$.targets.bucket"),
                key=sfn.JsonPath.string_at("$.targets.key"),
            ),
            item_selector={
                "run": sfn.JsonPath.object_at("$.run"),
                "crawl": sfn.JsonPath.object_at("$.crawl"),
                "target": sfn.JsonPath.object_at("$$.Map.Item.Value"),
                # A redriven child goes on where it was.
                "place": FROM_CHECKPOINT,
                "patience": _patience(),
                "hand_overs": 0,
                "sweep": asdict(Sweep()),
            },
            # The targets' verdicts judge the run, in FinishRun; one lost child is not to end all others.
            tolerated_failure_percentage=100,
            result_writer_v2=sfn.ResultWriterV2(bucket=store.bucket, prefix=MAP_RESULTS_PREFIX),
            result_path=sfn.JsonPath.DISCARD,
        ).item_processor(self._turn_target(page_loop, functions))
        each_target.add_catch(finish_run, result_path="$.map_error")

        anything_to_do = sfn.Choice(self, "AnythingToDo?")
        anything_to_do.when(sfn.Condition.is_present("$.targets"), each_target)
        anything_to_do.otherwise(sfn.Succeed(self, "NothingToDo", output_path="$.nothing_to_do"))
        each_target.next(finish_run)
        run_complete = sfn.Choice(self, "RunComplete?")
        run_complete.when(sfn.Condition.string_equals("$.outcome", "succeeded"), sfn.Succeed(self, "RunSucceeded"))
        run_complete.when(sfn.Condition.string_equals("$.outcome", "continues"), self._continue_run())
        run_complete.otherwise(self._fail_run(functions).next(plan_run))
        finish_run.next(run_complete)
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=crawl_machine_name(self),
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_chainable(plan_run.next(anything_to_do)),
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(self, "Logs", retention=log_retention, removal_policy=RemovalPolicy.DESTROY),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
        )
        store.bucket.grant_read(self.state_machine, "runs/*")
        store.runs.grant(self.state_machine, "dynamodb:PutItem")

    def _fail_run(self, functions: Functions) -> tasks.LambdaInvoke:
        """Fails the execution, by its token so that the cause is a plain sentence, but not when it is redriven."""
        fail_run = tasks.LambdaInvoke(
            self,
            "FailRun",
            lambda_function=functions.fail_run,
            integration_pattern=sfn.IntegrationPattern.WAIT_FOR_TASK_TOKEN,
            payload=sfn.TaskInput.from_object(
                {
                    "run_id": sfn.JsonPath.string_at("$.run_id"),
                    "message": sfn.JsonPath.string_at("$.message"),
                    "execution": sfn.JsonPath.string_at("$$.Execution.Id"),
                    "token": sfn.JsonPath.task_token,
                }
            ),
            task_timeout=sfn.Timeout.duration(Duration.minutes(2)),
            retry_on_service_exceptions=False,
        )
        _retry(fail_run, [SinkError.__name__, FUNCTION_TIMEOUT, *LAMBDA_ERRORS])
        return fail_run

    def _refused(self) -> sfn.Chain:
        """Ends the execution with the sentence that says what is wrong, without the JSON that Lambda puts around it."""
        read = sfn.Pass(
            self,
            "ReadRefusal",
            parameters={"refusal": sfn.JsonPath.string_to_json(sfn.JsonPath.string_at("$.Cause"))},
        )
        refused = sfn.Fail(self, "CrawlRefused", error_path="$.refusal.errorType", cause_path="$.refusal.errorMessage")
        return read.next(refused)

    def _continue_run(self) -> sfn.Chain:
        """Start the next execution of a run for which one is too short.

        Raw, because a task that starts its own machine would depend on itself; the machine may start itself anyway,
        for the sake of the Distributed Map.
        """
        start = sfn.CustomState(
            self,
            "ContinueRun",
            state_json={
                "Type": "Task",
                "Resource": f"arn:{Stack.of(self).partition}:states:::states:startExecution",
                "Parameters": {"StateMachineArn.$": "$$.StateMachine.Id", "Input.$": "$.continuation"},
                # Not None, which jsii drops: the output is to be the summary, not the answer of startExecution.
                "ResultPath": sfn.JsonPath.DISCARD,
                "TimeoutSeconds": 60,
                "Retry": [
                    {
                        "ErrorEquals": ["States.ALL"],
                        "IntervalSeconds": 2,
                        "BackoffRate": 2,
                        "MaxDelaySeconds": 60,
                        "MaxAttempts": 6,
                        "JitterStrategy": "FULL",
                    }
                ],
            },
        )
        return start.next(sfn.Succeed(self, "RunContinues"))

    def _turn_target(self, page_loop: PageLoop, functions: Functions) -> sfn.Chain:
        """The child execution of one target."""
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
            result_path="$.page_loop",
            # Express ends by itself after five minutes.
            task_timeout=sfn.Timeout.duration(Duration.minutes(6)),
        )
        # Only of the call itself: what becomes of the child is in its Status. A loop that was started twice is
        # harmless, because the first writer of a page wins.
        _retry(turn_pages, ["States.ALL"])

        # A child that failed or timed out has no Output, and its Status is the only thing that is always there.
        succeeded = sfn.Choice(self, "PageLoopSucceeded?")
        take_place = sfn.Pass(
            self,
            "TakePlace",
            parameters={
                **_unchanging(),
                "place": sfn.JsonPath.string_to_json(sfn.JsonPath.string_at("$.page_loop.Output")),
                "patience": _patience(),
            },
        )
        record_verdict = self._record_verdict()
        continues = self._verdict(
            "ContinueElsewhere", "unfinished", error=CONTINUES, cause="it goes on in another execution"
        )
        what_next = sfn.Choice(self, "WhatNext?")
        what_next.when(_next_is("end"), self._sweep(functions))
        what_next.when(
            sfn.Condition.number_greater_than_equals("$.hand_overs", self._hand_overs), continues.next(record_verdict)
        )
        # Before a pass begins, whatever may still be at work on the one before has ended, so that it can write nothing
        # after the sweep.
        outlive = sfn.Wait(self, "OutlivePass", time=sfn.WaitTime.duration(FETCH_PAGE_TIMEOUT))
        what_next.when(_next_is("begin_pass"), outlive.next(turn_pages))
        what_next.otherwise(turn_pages)
        what_failed = self._what_failed(what_next, record_verdict)
        turn_pages.add_catch(what_failed, result_path="$.page_loop")
        succeeded.when(sfn.Condition.string_equals("$.page_loop.Status", "SUCCEEDED"), take_place.next(what_next))
        succeeded.otherwise(what_failed)
        return turn_pages.next(succeeded)

    def _sweep(self, functions: Functions) -> sfn.Chain:
        """What is left to do with the items that the run did not see."""
        sweep_items = tasks.LambdaInvoke(
            self,
            "SweepItems",
            lambda_function=functions.sweep_items,
            payload=sfn.TaskInput.from_object(
                {name: sfn.JsonPath.object_at(f"$.{name}") for name in ("run", "crawl", "target", "place", "sweep")}
            ),
            payload_response_only=True,
            result_path="$.sweep",
            task_timeout=sfn.Timeout.duration(Duration.minutes(4)),
            retry_on_service_exceptions=False,
        )
        _retry(sweep_items, [SinkError.__name__, FUNCTION_TIMEOUT, *LAMBDA_ERRORS])
        ended = sfn.Succeed(self, "TargetEnded")
        # FinishRun sees that the sweep is not done.
        sweep_items.add_catch(ended, result_path="$.sweep_error")
        more = sfn.Choice(self, "MoreToSweep?")
        more.when(sfn.Condition.string_equals("$.sweep.next", "sweep"), sweep_items)
        more.otherwise(ended)
        return sweep_items.next(more)

    def _what_failed(self, what_next: sfn.Choice, record_verdict: sfn.TaskStateBase) -> sfn.Choice:
        denied = self._verdict("Denied", "denied").next(record_verdict)
        failed = self._verdict("Failed", "failed").next(record_verdict)
        given_up = self._verdict(
            "GivenUp",
            "unfinished",
            error="Interrupted",
            cause=f"PageLoop was interrupted {MOST_INTERRUPTIONS} times in a row; its log group says by what",
        ).next(record_verdict)
        given_up_with_error = self._verdict("GivenUpWithError", "unfinished").next(record_verdict)

        what_failed = sfn.Choice(self, "WhatFailed?")
        what_failed.when(_failed_with(ThrottledError), self._back_off(what_next))
        late = self._verdict("Late", "unfinished").next(record_verdict)
        what_failed.when(_failed_with(DeadlinePassedError), late)
        what_failed.when(_failed_with(AccessDeniedError), denied)
        what_failed.when(
            _failed_with(
                InvalidRequestError, InvalidCrawlError, NotFoundError, RepeatedTokenError, TooManyRestartsError
            ),
            failed,
        )
        # All else cut the loop short: a time-out, a crash, a sink that is away. The checkpoint knows the place.
        what_failed.otherwise(self._interrupted(what_next, given_up, given_up_with_error))
        return what_failed

    def _back_off(self, what_next: sfn.Choice) -> sfn.Wait:
        """Wait where waiting costs nothing, and each time twice as long, up to some minutes."""
        wait = sfn.Wait(self, "BackOff", time=sfn.WaitTime.seconds_path("$.patience.wait_seconds"))
        longest = sfn.Choice(self, "WaitedLongest?")
        doubled = sfn.JsonPath.math_add(
            sfn.JsonPath.number_at("$.patience.wait_seconds"), sfn.JsonPath.number_at("$.patience.wait_seconds")
        )
        longest_wait: dict[str, Any] = {"wait_seconds": LONGEST_WAIT_SECONDS, "interruptions": 0}
        again = self._from_checkpoint("BackedOffLongest", longest_wait, AFTER_THROTTLING)
        longer = self._from_checkpoint("BackedOff", {"wait_seconds": doubled, "interruptions": 0}, AFTER_THROTTLING)
        longest.when(
            sfn.Condition.number_greater_than_equals("$.patience.wait_seconds", LONGEST_WAIT_SECONDS / 2),
            again.next(what_next),
        )
        longest.otherwise(longer.next(what_next))
        wait.next(longest)
        return wait

    def _interrupted(self, what_next: sfn.Choice, given_up: sfn.Chain, with_error: sfn.Chain) -> sfn.Choice:
        too_often = sfn.Choice(self, "InterruptedTooOften?")
        is_last = sfn.Condition.number_greater_than_equals("$.patience.interruptions", MOST_INTERRUPTIONS - 1)
        # One that was timed out or aborted has no error.
        said = [sfn.Condition.is_present(f"$.page_loop.{name}") for name in ("Error", "Cause")]
        too_often.when(sfn.Condition.and_(is_last, *said), with_error)
        too_often.when(is_last, given_up)
        # An abandoned invocation may still be at work for as long as the function's timeout.
        wait = sfn.Wait(self, "OutliveAbandoned", time=sfn.WaitTime.duration(FETCH_PAGE_TIMEOUT))
        once_more = self._from_checkpoint(
            "Interrupted",
            {
                "wait_seconds": FIRST_WAIT_SECONDS,
                "interruptions": sfn.JsonPath.math_add(sfn.JsonPath.number_at("$.patience.interruptions"), 1),
            },
        )
        too_often.otherwise(wait.next(once_more).next(what_next))
        return too_often

    def _from_checkpoint(
        self, name: str, patience: dict[str, Any], place: Mapping[str, Any] = FROM_CHECKPOINT
    ) -> sfn.Pass:
        """The state from which TurnPages goes on after a loop that did not say where it was."""
        return sfn.Pass(self, name, parameters={**_unchanging(), "place": place, "patience": patience})

    def _verdict(self, name: str, verdict: str, error: str | None = None, cause: str | None = None) -> sfn.Pass:
        return sfn.Pass(
            self,
            name,
            parameters={
                "run": sfn.JsonPath.object_at("$.run"),
                "target": sfn.JsonPath.object_at("$.target"),
                "verdict": verdict,
                "error": error or sfn.JsonPath.string_at("$.page_loop.Error"),
                "cause": cause or sfn.JsonPath.string_at("$.page_loop.Cause"),
            },
        )

    def _record_verdict(self) -> tasks.DynamoPutItem:
        def text(path: str) -> tasks.DynamoAttributeValue:
            return tasks.DynamoAttributeValue.from_string(sfn.JsonPath.string_at(path))

        record_verdict = tasks.DynamoPutItem(
            self,
            "RecordVerdict",
            table=self._store.runs,
            item={
                "pk": tasks.DynamoAttributeValue.from_string(
                    sfn.JsonPath.format(keys.RUN, sfn.JsonPath.string_at("$.run.run_id"))
                ),
                "sk": tasks.DynamoAttributeValue.from_string(
                    sfn.JsonPath.format(keys.VERDICT, sfn.JsonPath.string_at("$.target.target_id"))
                ),
                "verdict": text("$.verdict"),
                "error": text("$.error"),
                "cause": text("$.cause"),
                "expires_at": tasks.DynamoAttributeValue.number_from_string(
                    sfn.JsonPath.format("{}", sfn.JsonPath.string_at("$.run.expires_at"))
                ),
            },
            result_path=sfn.JsonPath.DISCARD,
            task_timeout=sfn.Timeout.duration(Duration.minutes(1)),
        )
        _retry(record_verdict, ["States.ALL"])
        return record_verdict


def _unchanging() -> dict[str, Any]:
    """All but place and patience; and that there was one hand-over more."""
    names = ("run", "crawl", "target", "sweep")
    same = {name: sfn.JsonPath.object_at(f"$.{name}") for name in names}
    return {**same, "hand_overs": sfn.JsonPath.math_add(sfn.JsonPath.number_at("$.hand_overs"), 1)}


def _patience() -> dict[str, int]:
    """How long the next BackOff waits, and how often in a row PageLoop was interrupted: as new after every success."""
    return {"wait_seconds": FIRST_WAIT_SECONDS, "interruptions": 0}


def _next_is(what: str) -> sfn.Condition:
    present = sfn.Condition.is_present("$.place.next")
    return sfn.Condition.and_(present, sfn.Condition.string_equals("$.place.next", what))


def _failed_with(*errors: type[Exception]) -> sfn.Condition:
    named = [sfn.Condition.string_equals("$.page_loop.Error", error.__name__) for error in errors]
    return sfn.Condition.and_(sfn.Condition.is_present("$.page_loop.Error"), sfn.Condition.or_(*named))


def _retry(task: sfn.TaskStateBase, errors: list[str]) -> None:
    task.add_retry(
        errors=errors,
        interval=Duration.seconds(2),
        backoff_rate=2,
        max_delay=Duration.seconds(60),
        max_attempts=6,
        jitter_strategy=sfn.JitterType.FULL,
    )
