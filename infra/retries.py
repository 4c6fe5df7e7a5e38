"""Which errors of a task are retried, by AWS's names, and how. Both state machines use this.

`docs/reliability.md` says what each name means.
"""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn

# The errors that AWS says always to retry (Developer Guide, "Handling transient Lambda service exceptions"); throttling
# by Lambda; and what Lambda reports, as the function's error, when an execution environment dies.
LAMBDA_ERRORS = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Runtime.TruncatedResponse",
    "Runtime.Unknown",
    "Sandbox.Failure",
)
# The function, or the task, timed out. PageLoop has no time for another minute of it, and leaves it to Crawl.
TIMEOUTS = ("Sandbox.Timedout", "States.Timeout")
# Lambda's runtime itself cannot read the input: it is nested too deeply. It never can.
UNREADABLE = "Runtime.UnmarshalError"
# An optimized integration puts the service's name before the error, and "Exception" behind it.
EXECUTION_EXISTS = "StepFunctions.ExecutionAlreadyExistsException"
CONDITION_FAILED = "DynamoDB.ConditionalCheckFailedException"


def retry_function(task: sfn.TaskStateBase, own_errors: Iterable[type[Exception]]) -> None:
    """Retry a task of Crawl that invokes a function, if the function raises one of these errors or Lambda fails."""
    _retry(task, [*(error.__name__ for error in own_errors), *TIMEOUTS, *LAMBDA_ERRORS])


def retry_always(task: sfn.TaskStateBase | sfn.CustomState) -> None:
    """Retry a task of Crawl on any error."""
    _retry(task, ["States.ALL"])


def _retry(task: sfn.TaskStateBase | sfn.CustomState, errors: list[str]) -> None:
    task.add_retry(
        errors=errors,
        interval=Duration.seconds(2),
        backoff_rate=2,
        max_delay=Duration.seconds(60),
        max_attempts=6,
        jitter_strategy=sfn.JitterType.FULL,
    )
