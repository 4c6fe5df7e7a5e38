"""PageLoop, the fast gear: an Express state machine that turns pages for two minutes, then hands its place over."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra.functions import FETCH_PAGE_TIMEOUT, machine_log_group
from infra.retries import LAMBDA_ERRORS
from pageturner.errors import SinkError, StillRunningError, ThrottledError, TransientError


class PageLoop(Construct):
    """`FetchPage` → `AnotherPage?` → `FetchPage` … Its input is the page state, its output the place it reached."""

    def __init__(
        self, scope: Construct, construct_id: str, *, fetch_page: lambda_.IFunction, log_retention: logs.RetentionDays
    ) -> None:
        super().__init__(scope, construct_id)
        fetch = tasks.LambdaInvoke(
            self,
            "FetchPage",
            lambda_function=fetch_page,
            payload=sfn.TaskInput.from_object(
                {
                    "run": sfn.JsonPath.object_at("$.run"),
                    "crawl": sfn.JsonPath.object_at("$.crawl"),
                    "target": sfn.JsonPath.object_at("$.target"),
                    "place": sfn.JsonPath.object_at("$.place"),
                    "loop_started_at": sfn.JsonPath.string_at("$$.Execution.StartTime"),
                    "retry_count": sfn.JsonPath.number_at("$$.State.RetryCount"),
                }
            ),
            payload_response_only=True,
            result_path="$.place",
            # Longer than the function's own timeout, so that the function has ended when Step Functions gives up on it.
            task_timeout=sfn.Timeout.duration(FETCH_PAGE_TIMEOUT.plus(Duration.seconds(5))),
            retry_on_service_exceptions=False,
        )
        # Together, both retriers wait for 66 s at most; with full jitter, half of that on average.
        fetch.add_retry(
            errors=[ThrottledError.__name__, StillRunningError.__name__],
            interval=Duration.seconds(1),
            backoff_rate=2,
            max_delay=Duration.seconds(20),
            max_attempts=6,
            jitter_strategy=sfn.JitterType.FULL,
        )
        fetch.add_retry(
            errors=[TransientError.__name__, SinkError.__name__, *LAMBDA_ERRORS],
            interval=Duration.seconds(1),
            backoff_rate=2,
            max_delay=Duration.seconds(20),
            max_attempts=4,
            jitter_strategy=sfn.JitterType.FULL,
        )
        hand_over = sfn.Succeed(self, "HandOver", output_path="$.place")
        pause = sfn.Wait(self, "Pause", time=sfn.WaitTime.timestamp_path("$.place.not_before"))
        another_page = sfn.Choice(self, "AnotherPage?")
        another_page.when(sfn.Condition.string_equals("$.place.next", "page"), fetch)
        another_page.when(sfn.Condition.string_equals("$.place.next", "pause"), pause.next(fetch))
        another_page.otherwise(hand_over)
        # A loop that has turned a page has made progress, and hands its place over. If the error persists, it fails the
        # next loop at its first page.
        turned_any = sfn.Choice(self, "TurnedAny?")
        turned_any.when(
            sfn.Condition.and_(
                sfn.Condition.is_present("$.place.turned_in"),
                sfn.Condition.string_equals_json_path("$.place.turned_in", "$$.Execution.StartTime"),
            ),
            hand_over,
        )
        failed = sfn.Fail(self, "LoopFailed", error_path="$.failure.Error", cause_path="$.failure.Cause")
        turned_any.otherwise(failed)
        fetch.add_catch(turned_any, result_path="$.failure")
        name = f"{Stack.of(self).stack_name}-PageLoop"
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=name,
            state_machine_type=sfn.StateMachineType.EXPRESS,
            definition_body=sfn.DefinitionBody.from_chainable(fetch.next(another_page)),
            timeout=Duration.minutes(5),
            tracing_enabled=True,
            # At level ALL, the logs of an Express execution cost more than the execution.
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "Logs",
                    log_group_name=machine_log_group(name),
                    retention=log_retention,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
        )
