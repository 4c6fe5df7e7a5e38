"""Which errors of a task are retried, by AWS's names, and how: the state machines share this."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn

# Those that AWS says always to retry (Developer Guide, "Handling transient Lambda service exceptions"), and the ones
# that a function meets when its environment dies or Lambda itself is throttled.
LAMBDA_ERRORS = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
)
# A function that ran into its time-out. PageLoop has not the time for another minute of it, and leaves it to Crawl.
FUNCTION_TIMEOUT = "Sandbox.Timedout"


def retry_function(task: sfn.TaskStateBase, own_errors: Iterable[type[Exception]]) -> None:
    """Retry a task of Crawl that calls a function: when the function raises one of these errors, or Lambda fails."""
    _retry(task, [*(error.__name__ for error in own_errors), FUNCTION_TIMEOUT, *LAMBDA_ERRORS])


def retry_always(task: sfn.TaskStateBase) -> None:
    """Retry a task of Crawl whatever its error is."""
    _retry(task, ["States.ALL"])


def _retry(task: sfn.TaskStateBase, errors: list[str]) -> None:
    task.add_retry(
        errors=errors,
        interval=Duration.seconds(2),
        backoff_rate=2,
        max_delay=Duration.seconds(60),
        max_attempts=6,
        jitter_strategy=sfn.JitterType.FULL,
    )
