"""State machines that somebody writes in an afternoon: each pages a listing in a loop, in Standard.

The input of a loop is that of `bench.peers.plain`.
"""

from __future__ import annotations

from typing import Any

State = dict[str, Any]


def lambda_loop(function_arn: str) -> State:
    """`Turn` (a Lambda function: one page) → `Another?` → `Turn` …: 7 events a page."""
    return _loop(
        "Turn",
        {
            "Turn": _task("lambda:invoke", {"FunctionName": function_arn, "Payload.$": "$"}, "Another?")
            | {"OutputPath": "$.Payload"},
            "Another?": _choice({"Variable": "$.token", "IsNull": False}, "Turn"),
        },
    )


def sdk_loop(table: str) -> State:
    """`List` → `Put` → `Another?` → `Next` → `ListNext` → …: without a function, 14 events a page.

    MiniStack has no aws-sdk:s3:putObject, so `Put` makes a row of the page. On AWS, state and row limit a page to
    256 KiB and 400 KB.
    """
    first = {"Bucket.$": "$.bucket", "Prefix.$": "$.prefix", "MaxKeys.$": "$.page_size"}
    row = {
        "pk": {"S.$": "$.under"},
        "sk": {"N.$": "States.Format('{}', $.page)"},
        "fetched_at": {"S.$": "$$.State.EnteredTime"},
        "items": {"S.$": "States.JsonToString($.answer.Contents)"},
    }
    after = {
        **{f"{name}.$": f"$.{name}" for name in ("bucket", "prefix", "page_size", "under")},
        "page.$": "States.MathAdd($.page, 1)",
        "token.$": "$.answer.NextContinuationToken",
    }
    answer = {"ResultPath": "$.answer"}
    return _loop(
        "List",
        {
            "List": _task("aws-sdk:s3:listObjectsV2", first, "Put") | answer,
            "Put": _task("aws-sdk:dynamodb:putItem", {"TableName": table, "Item": row}, "Another?")
            | {"ResultPath": None},
            "Another?": _choice({"Variable": "$.answer.NextContinuationToken", "IsPresent": True}, "Next"),
            "Next": {"Type": "Pass", "Parameters": after, "Next": "ListNext"},
            "ListNext": _task("aws-sdk:s3:listObjectsV2", {**first, "ContinuationToken.$": "$.token"}, "Put") | answer,
        },
    )


def each_target(loop: State) -> State:
    """A Distributed Map of Standard children, each of which runs a loop. Its input has `targets`, their inputs."""
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **loop}
    each = {
        "Type": "Map",
        "ItemsPath": "$.targets",
        "MaxConcurrency": 8,
        "ItemProcessor": processor,
        "ResultPath": None,
        "End": True,
    }
    return {"StartAt": "EachTarget", "States": {"EachTarget": each}}


def _loop(first: str, states: State) -> State:
    return {"StartAt": first, "States": {**states, "Ended": {"Type": "Succeed"}}}


def _task(what: str, parameters: State, then: str) -> State:
    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 2}
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::{what}",
        "Parameters": parameters,
        "Retry": [retry],
        "Next": then,
    }


def _choice(condition: State, then: str) -> State:
    return {"Type": "Choice", "Choices": [{**condition, "Next": then}], "Default": "Ended"}
