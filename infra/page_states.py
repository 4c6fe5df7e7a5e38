"""The states that turn the pages of a target, in every Express execution that does: PageLoop's, and ShortTargets'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra.functions import FETCH_PAGE_TIMEOUT
from infra.retries import LAMBDA_ERRORS
from pageturner.errors import SinkError, StillRunningError, ThrottledError, TransientError


class PageStates(Construct):
    """`FetchPage` → `AnotherPage?` → `FetchPage` … `start` is the first state.

    They work on the page state, of which they change `place`, until there is nothing more to turn here, and go on to
    `then`. When they go on to `failed`, `failure` is what FetchPage has failed with. `more` is passed on to FetchPage.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        fetch_page: lambda_.IFunction,
        then: sfn.IChainable,
        failed: sfn.IChainable,
        more: Mapping[str, Any] | None = None,
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
                    **(more or {}),
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
        fetch.add_catch(failed, result_path="$.failure")
        pause = sfn.Wait(self, "Pause", time=sfn.WaitTime.timestamp_path("$.place.not_before"))
        another_page = sfn.Choice(self, "AnotherPage?")
        another_page.when(sfn.Condition.string_equals("$.place.next", "page"), fetch)
        another_page.when(sfn.Condition.string_equals("$.place.next", "pause"), pause.next(fetch))
        another_page.otherwise(then)
        self.start = fetch.next(another_page)
