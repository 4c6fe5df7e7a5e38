"""The states that publish, and what the functions that publish may do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.test_resources import actions_of, statements
from tests.infra.test_state_machines import retrier

BOTH = ("PublishingPublishRun", "PublishingPublishPart")


def test_a_run_is_published_unless_it_continues(crawl_machine: dict[str, Any]) -> None:
    states = crawl_machine["States"]
    assert states["FinishRun"]["Next"] == "Continues?"
    assert states["Continues?"]["Choices"] == [
        {"Variable": "$.outcome", "StringEquals": "again", "Next": "FinishRun"},
        {"Variable": "$.outcome", "StringEquals": "continues", "Next": "ContinueRun"},
    ]
    assert states["Continues?"]["Default"] == "PublishRun"
    publish_run = states["PublishRun"]
    assert publish_run["Parameters"] == {"state.$": "$", "execution.$": "$$.Execution.Id"}
    assert (publish_run["ResultPath"], publish_run["Next"]) == ("$.publishing", "Published?")


def test_publishing_goes_on_until_it_has_a_summary(crawl_machine: dict[str, Any]) -> None:
    states = crawl_machine["States"]
    assert states["Published?"]["Choices"] == [
        {"Variable": "$.publishing.next", "StringEquals": "parts", "Next": "PublishParts"},
        {"Variable": "$.publishing.next", "StringEquals": "again", "Next": "PublishRun"},
    ]
    assert states["PublishParts"]["Next"] == "PublishRun"
    summary = {"Type": "Pass", "OutputPath": "$.publishing.summary", "Next": "ReportRun"}
    assert states[states["Published?"]["Default"]] == summary


def test_what_is_only_to_be_published_begins_there(crawl_machine: dict[str, Any]) -> None:
    only = {"Type": "Pass", "OutputPath": "$.publish", "Next": "PublishRun"}
    assert crawl_machine["States"]["OnlyPublish"] == only


def test_parts_are_published_each_by_itself_and_all_of_them(crawl_machine: dict[str, Any]) -> None:
    parts = crawl_machine["States"]["PublishParts"]
    assert parts["ItemReader"]["Parameters"] == {
        "Bucket.$": "$.publishing.parts.bucket",
        "Key.$": "$.publishing.parts.key",
    }
    assert parts["ItemReader"]["ReaderConfig"] == {"InputType": "JSON"}
    assert parts["MaxConcurrency"] == 8
    # None may fail, which is the default, and the state stays as it is.
    assert not {"ToleratedFailurePercentage", "ToleratedFailureCount", "ItemSelector", "ResultWriter"} & parts.keys()
    assert parts["ResultPath"] is None
    child = parts["ItemProcessor"]
    assert child["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert child["StartAt"] == "PublishPart"
    # The state becomes the next part.
    assert child["States"]["PublishPart"]["Parameters"] == {"part.$": "$"}
    assert "ResultPath" not in child["States"]["PublishPart"]
    assert child["States"]["MoreOfPart?"] == {
        "Type": "Choice",
        "Choices": [{"Variable": "$.next", "StringEquals": "part", "Next": "PublishPart"}],
        "Default": "PartPublished",
    }


def test_an_execution_that_cannot_publish_fails_there_so_that_a_redrive_goes_on_there(
    crawl_machine: dict[str, Any],
) -> None:
    states = crawl_machine["States"]
    for state in (states["PublishRun"], states["PublishParts"]["ItemProcessor"]["States"]["PublishPart"]):
        assert "Catch" not in state
        for error in ("SinkError", "ThrottledError", "TransientError", "Sandbox.Timedout", "Runtime.OutOfMemory"):
            assert retrier(state, error)["MaxAttempts"] == 6
        # Longer than the function's own timeout.
        assert state["TimeoutSeconds"] == 960
    assert "Catch" not in states["PublishParts"]


@pytest.mark.parametrize("role", BOTH)
def test_who_publishes_may_do_what_it_does_and_no_more(resources: dict[str, Any], role: str) -> None:
    allowed = {
        (action, place)
        for statement in statements(resources, role)
        for action in actions_of(statement)
        for place in places(statement["Resource"])
        if not action.startswith("xray:")
    }
    written = ("publishing/*", "published/*", "tables/*", "changes/*", "comparisons/*", "summaries/*")
    items = ("DescribeTable", "Query", "PutItem", "UpdateItem", "DeleteItem")
    runs = ("GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem")
    tables = ("GetTable", "CreateTable", "UpdateTable", "BatchCreatePartition")
    assert allowed == {
        *(("s3:GetObject", prefix) for prefix in ("items/*", "runs/*", *written)),
        *(("s3:PutObject", prefix) for prefix in written),
        *{("s3:PutObjectTagging", "tables/*"), ("s3:DeleteObject", "published/*"), ("s3:ListBucket", "StoreItems")},
        *((f"dynamodb:{action}", "StoreItemTable") for action in items),
        *((f"dynamodb:{action}", "StoreRunTable") for action in runs),
        *(
            (f"glue:{action}", of)
            for action in tables
            for of in ("catalog", "database/pageturner", "table/pageturner/*")
        ),
        ("events:PutEvents", "event-bus/default"),
    }


def places(resource: Any) -> list[str]:
    """Return what the ARNs of a statement's resource end with, or the construct whose ARN they are."""
    if isinstance(resource, str):
        return [resource]
    if isinstance(resource, list):
        return [place for each in resource for place in places(each)]
    if "Fn::GetAtt" in resource:
        (name, _) = resource["Fn::GetAtt"]
        return [name[: -len("01234567")]]  # without the CDK's hash
    return [resource["Fn::Join"][1][-1].removeprefix(":").removeprefix("/")]


@pytest.mark.parametrize("role", BOTH)
def test_who_publishes_may_list_only_its_own_folders(resources: dict[str, Any], role: str) -> None:
    (statement,) = [each for each in statements(resources, role) if "s3:ListBucket" in actions_of(each)]
    assert statement["Condition"] == {"StringLikeIfExists": {"s3:prefix": ["publishing/*", "tables/*"]}}


def test_the_crawl_machine_may_invoke_them_and_read_the_parts(resources: dict[str, Any]) -> None:
    allowed = list(statements(resources, "CrawlStateMachine"))
    invoked = next(each["Resource"] for each in allowed if "lambda:InvokeFunction" in actions_of(each))
    assert all(role in str(invoked) for role in BOTH)
    (read,) = [each for each in allowed if "s3:GetObject*" in actions_of(each)]
    assert {place for place in places(read["Resource"]) if "*" in place} == {"runs/*", "publishing/*"}


def test_they_know_where_to_publish_and_have_room_for_it(resources: dict[str, Any]) -> None:
    functions = [each["Properties"] for name, each in resources.items() if is_publisher(name, each)]
    assert len(functions) == 2
    for function in functions:
        variables = function["Environment"]["Variables"]
        assert (variables["DATABASE"], variables["MOST_ROWS"]) == ("pageturner", "1000000")
        assert {"ITEMS_BUCKET", "ITEMS_TABLE", "RUNS_TABLE"} < variables.keys()
        assert (function["MemorySize"], function["EphemeralStorage"]) == (3008, {"Size": 4096})


def is_publisher(name: str, resource: dict[str, Any]) -> bool:
    return resource["Type"] == "AWS::Lambda::Function" and name.startswith("Publishing")
