"""What Crawl does after each way in which PageLoop can end, run by moto's interpreter of the Amazon States Language.

This is a second check of the Choice states, and the only one of a result that the emulator never returns: an Express
execution with the status TIMED_OUT, which has neither Output nor Error.
"""

from __future__ import annotations

import json
import time
from typing import Any

import boto3
import pytest
from moto import mock_aws

from pageturner.errors import PageturnerError

GIVES_UP = {"AccessDeniedError": "denied", "NotFoundError": "failed", "InvalidRequestError": "failed"}
GIVES_UP |= {"RepeatedTokenError": "failed", "TooManyRestartsError": "failed", "DeadlinePassedError": "unfinished"}
GIVES_UP |= {"InvalidCrawlError": "failed", "NoEndpointError": "absent"}
GIVES_UP |= {"PageErrorsError": "failed", "TruncatedListingError": "failed"}


def after(child: dict[str, Any], page_loop: dict[str, Any], interruptions: int = 0) -> dict[str, Any]:
    """Return the Task state that the child execution reaches after this result of PageLoop, and its input."""
    states: dict[str, Any] = {}
    for name, state in child["States"].items():
        if state["Type"] == "Task":
            states[name] = {"Type": "Pass", "Parameters": {"came_to": name, "with.$": "$"}, "End": True}
        elif state["Type"] == "Wait":
            states[name] = {"Type": "Pass", "Next": state["Next"]}
        else:
            states[name] = state
    definition = {"StartAt": "PageLoopSucceeded?", "States": states}
    place = {"from_checkpoint": True, "throttled": False}
    given = {"run": {}, "crawl": {}, "target": {}, "sweep": {}, "place": place, "hand_overs": 3, "page_loop": page_loop}
    given["patience"] = {"wait_seconds": 60, "interruptions": interruptions}
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        stepfunctions = boto3.client("stepfunctions")
        machine = stepfunctions.create_state_machine(
            name="child", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/r"
        )["stateMachineArn"]
        execution = stepfunctions.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
        for _ in range(200):
            ended = stepfunctions.describe_execution(executionArn=execution)
            if ended["status"] != "RUNNING":
                break
            time.sleep(0.05)
    assert ended["status"] == "SUCCEEDED", ended
    output: dict[str, Any] = json.loads(ended["output"])
    return output


@pytest.mark.parametrize("status", ["TIMED_OUT", "ABORTED"])
def test_a_loop_that_was_ended_is_gone_on_with_from_the_checkpoint(child: dict[str, Any], status: str) -> None:
    found = after(child, {"Status": status}, interruptions=1)
    assert found["came_to"] == "TurnPages"
    assert found["with"]["place"] == {"from_checkpoint": True, "throttled": False}
    assert found["with"]["patience"] == {"wait_seconds": 15, "interruptions": 2}
    assert found["with"]["hand_overs"] == 4


def test_the_fifth_loop_in_a_row_that_was_ended_is_the_last(child: dict[str, Any]) -> None:
    found = after(child, {"Status": "TIMED_OUT"}, interruptions=4)
    assert (found["came_to"], found["with"]["verdict"]) == ("RecordVerdict", "unfinished")
    assert found["with"]["cause"].startswith("PageLoop was interrupted 5 times in a row")
    broken = {"Status": "FAILED", "Error": "SinkError", "Cause": "the bucket is gone"}
    found = after(child, broken, interruptions=4)
    assert (found["came_to"], found["with"]["verdict"]) == ("RecordVerdict", "unfinished")
    assert (found["with"]["error"], found["with"]["cause"]) == ("SinkError", "the bucket is gone")


@pytest.mark.parametrize("error", sorted(kind.__name__ for kind in PageturnerError.__subclasses__()))
def test_every_error_of_a_loop_is_waited_out_gone_on_after_or_a_verdict(child: dict[str, Any], error: str) -> None:
    found = after(child, {"Status": "FAILED", "Error": error, "Cause": '{"errorMessage": "why"}'})
    if error in GIVES_UP:
        assert (found["came_to"], found["with"]["verdict"]) == ("RecordVerdict", GIVES_UP[error])
        assert (found["with"]["error"], found["with"]["cause"]) == (error, '{"errorMessage": "why"}')
    else:
        throttled = error in ("ThrottledError", "StillRunningError")
        assert found["came_to"] == "TurnPages"
        assert found["with"]["place"] == {"from_checkpoint": True, "throttled": throttled}
        wait_seconds = 120 if throttled else 15
        assert found["with"]["patience"] == {"wait_seconds": wait_seconds, "interruptions": 0 if throttled else 1}


@pytest.mark.parametrize(
    ("next_", "came_to"),
    [("hand_over", "TurnPages"), ("page", "TurnPages"), ("begin_pass", "TurnPages"), ("end", "SweepItems")],
)
def test_a_place_that_was_handed_over_is_taken(child: dict[str, Any], next_: str, came_to: str) -> None:
    place = {"pass_number": 2, "page": 7, "token": "t", "next": next_}
    found = after(child, {"Status": "SUCCEEDED", "Output": json.dumps(place)}, interruptions=3)
    assert found["came_to"] == came_to
    assert found["with"]["place"] == place
    assert found["with"]["patience"] == {"wait_seconds": 15, "interruptions": 0}
