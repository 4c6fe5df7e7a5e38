"""The states that publish, and what the functions that publish may do."""

from __future__ import annotations

from typing import Any

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
