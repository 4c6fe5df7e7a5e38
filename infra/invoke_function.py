"""A task of Crawl that invokes a function: with a timeout, and with Crawl's own retries in place of the CDK's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra.retries import retry_function


def invoke_function(
    scope: Construct,
    name: str,
    function: lambda_.IFunction,
    payload: Mapping[str, Any],
    *,
    timeout: Duration,
    own_errors: Iterable[type[Exception]],
    result_path: str | None = None,
) -> tasks.LambdaInvoke:
    """Return a task whose result is the function's. It is retried on the function's `own_errors` and on Lambda's."""
    task = tasks.LambdaInvoke(
        scope,
        name,
        lambda_function=function,
        payload=sfn.TaskInput.from_object(payload),
        payload_response_only=True,
        result_path=result_path,
        task_timeout=sfn.Timeout.duration(timeout),
        retry_on_service_exceptions=False,
    )
    retry_function(task, own_errors)
    return task
