"""What Crawl does after each way in which PageLoop can end, run by moto's interpreter of the Amazon States Language.

This is a second check of the Choice states, and the only one of a result that the emulator never returns: an Express
execution with the status TIMED_OUT, which has neither Output nor Error.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.settings import MOST_HAND_OVERS
from pageturner.stores import keys
from tests.moto_states import run_by_moto
from tests.our_errors import OUR_ERRORS

GIVES_UP = {"AccessDeniedError": "denied", "NotFoundError": "failed", "InvalidRequestError": "failed"}
GIVES_UP |= {"RepeatedTokenError": "failed", "TooManyRestartsError": "failed", "DeadlinePassedError": "unfinished"}
GIVES_UP |= {"DeploymentDeniedError": "unfinished"}
GIVES_UP |= {"InvalidCrawlError": "failed", "NoEndpointError": "absent"}
GIVES_UP |= {"PageErrorsError": "failed", "TruncatedListingError": "failed"}


def page(number: int, pass_number: int = 1) -> str:
    """The sort key of a page's record."""
    return keys.PAGE.format("t", pass_number, number)


def after(
    child: dict[str, Any],
    page_loop: dict[str, Any],
    interruptions: int = 0,
    *,
    last_page: str = "",
    known_page: str = "",
    hand_overs: int = 3,
) -> dict[str, Any]:
    """Return the Task state that the child execution reaches after this result of PageLoop, and its input.

    `last_page` is the last record of a page in the runs table, and `known_page` the one at the last interruption.
    """
    states: dict[str, Any] = {}
    for name, state in child["States"].items():
        if name == "LastPage":
            found = "$$.Execution.Input.found"
            states[name] = {
                "Type": "Pass",
                "InputPath": found,
                "ResultPath": state["ResultPath"],
                "Next": state["Next"],
            }
        elif state["Type"] == "Task":
            states[name] = {"Type": "Pass", "Parameters": {"came_to": name, "with.$": "$"}, "End": True}
        elif state["Type"] == "Wait":
            states[name] = {"Type": "Pass", "Next": state["Next"]}
        else:
            states[name] = state
    # The response of startSyncExecution, from which TurnPages selects.
    turn_pages = child["States"]["TurnPages"]
    states["Response"] = {
        "Type": "Pass",
        "InputPath": "$.response",
        "Parameters": turn_pages["ResultSelector"],
        "ResultPath": turn_pages["ResultPath"],
        "Next": turn_pages["Next"],
    }
    place = {"from_checkpoint": True, "throttled": False}
    given: dict[str, Any] = {"run": {}, "crawl": {}, "target": {}, "place": place}
    given |= {"hand_overs": hand_overs, "response": {"Input": json.dumps(given), "Name": "n", **page_loop}}
    items = [{"sk": {"S": last_page}}] if last_page else []
    given["found"] = {"Count": len(items), "Items": items, "ScannedCount": len(items)}
    given["patience"] = {"wait_seconds": 60, "interruptions": interruptions, "last_page": known_page}
    return run({"StartAt": "Response", "States": states}, given)


def run(definition: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the output of an execution."""
    (output,) = run_by_moto(definition, [given])
    assert "Error" not in output, output
    return dict(output)


@pytest.mark.parametrize("status", ["TIMED_OUT", "ABORTED"])
def test_a_loop_that_was_ended_is_gone_on_with_from_the_checkpoint(child: dict[str, Any], status: str) -> None:
    found = after(child, {"Status": status}, interruptions=1)
    assert found["came_to"] == "TurnPages"
    assert found["with"]["place"] == {"from_checkpoint": True, "throttled": False}
    assert found["with"]["patience"] == {"wait_seconds": 15, "interruptions": 2, "last_page": ""}
    assert found["with"]["hand_overs"] == 4


def test_the_fifth_loop_in_a_row_that_was_ended_is_the_last(child: dict[str, Any]) -> None:
    found = after(child, {"Status": "TIMED_OUT"}, interruptions=4)
    assert (found["came_to"], found["with"]["verdict"]) == ("RecordVerdict", "unfinished")
    assert found["with"]["cause"].startswith("PageLoop was interrupted 5 times in a row")
    broken = {"Status": "FAILED", "Error": "SinkError", "Cause": "the bucket is gone"}
    found = after(child, broken, interruptions=4)
    assert (found["came_to"], found["with"]["verdict"]) == ("RecordVerdict", "unfinished")
    assert (found["with"]["error"], found["with"]["cause"]) == ("SinkError", "the bucket is gone")


@pytest.mark.parametrize("error", sorted(OUR_ERRORS))
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
        interruptions = 0 if throttled else 1
        assert found["with"]["patience"] == {
            "wait_seconds": wait_seconds,
            "interruptions": interruptions,
            "last_page": "",
        }


@pytest.mark.parametrize("next_", ["hand_over", "page", "begin_pass"])
def test_a_place_that_was_handed_over_is_taken(child: dict[str, Any], next_: str) -> None:
    place = {"pass_number": 2, "page": 7, "token": "t", "next": next_}
    found = after(child, {"Status": "SUCCEEDED", "Output": json.dumps(place)}, interruptions=3, known_page=page(6))
    assert found["came_to"] == "TurnPages"
    assert found["with"]["place"] == place
    # The next interruption looks whether it turned a page.
    assert found["with"]["patience"] == {"wait_seconds": 15, "interruptions": 3, "last_page": page(6)}


def test_a_target_ends_with_the_last_page(child: dict[str, Any]) -> None:
    place = {"pass_number": 2, "page": 7, "token": None, "next": "end"}
    found = after(child, {"Status": "SUCCEEDED", "Output": json.dumps(place)})
    assert (found["page_loop"]["ended"]["Output"], "came_to" in found) == (json.dumps(place), False)


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("token", ['"next":"end"', '{"next": "hand_over"}'])
@pytest.mark.parametrize("next_", ["end", "hand_over", "begin_pass"])
def test_the_text_of_a_place_is_read_right_whatever_is_in_it(
    child: dict[str, Any], next_: str, token: str, separators: tuple[str, str]
) -> None:
    place = {"page": 7, "token": token, "next": next_}
    found = after(child, {"Status": "SUCCEEDED", "Output": json.dumps(place, separators=separators)})
    assert found.get("came_to") == (None if next_ == "end" else "TurnPages")
    if next_ != "end":
        assert found["with"]["place"] == place
        assert found["with"]["hand_overs"] == 4


def test_a_loop_that_turned_pages_before_it_was_ended_is_the_first_to_be_interrupted_there(
    child: dict[str, Any],
) -> None:
    """A loop that times out has no output, so only the runs table knows that it turned pages."""
    patience: dict[str, Any] = {"interruptions": 0, "last_page": ""}
    for number in (55, 110, 165, 220, 275, 330, 330, 330, 330):
        found = after(
            child,
            {"Status": "TIMED_OUT"},
            patience["interruptions"],
            known_page=patience["last_page"],
            last_page=page(number),
        )
        assert found["came_to"] == "TurnPages"
        patience = found["with"]["patience"]
        assert patience["last_page"] == page(number)
    assert patience == {"wait_seconds": 15, "interruptions": 4, "last_page": page(330)}
    found = after(child, {"Status": "TIMED_OUT"}, 4, known_page=page(330), last_page=page(330))
    assert (found["came_to"], found["with"]["error"]) == ("RecordVerdict", "Interrupted")
    found = after(child, {"Status": "TIMED_OUT"}, 4, known_page=page(330), last_page=page(0, pass_number=2))
    assert found["came_to"] == "TurnPages"


def test_a_bucket_that_refuses_pages_is_given_up_however_many_executions_the_run_takes(child: dict[str, Any]) -> None:
    broken = {"Status": "FAILED", "Error": "SinkError", "Cause": "the bucket is gone"}
    patience: dict[str, Any] = {"interruptions": 0, "last_page": ""}
    errors = []
    for _ in range(5):
        # Each execution ends after its first loop; PlanRun hands the recorded patience to the next one.
        found = after(
            child,
            broken,
            patience["interruptions"],
            known_page=patience["last_page"],
            last_page=page(3),
            hand_overs=MOST_HAND_OVERS,
        )
        assert found["came_to"] == "RecordVerdict"
        errors.append(found["with"]["error"])
        patience = found["with"]["patience"]
    assert errors == ["ContinuesInAnotherExecution"] * 4 + ["SinkError"]


def test_throttling_waits_as_long_in_the_next_execution(child: dict[str, Any]) -> None:
    throttled = {"Status": "FAILED", "Error": "ThrottledError", "Cause": "slow down"}
    found = after(child, throttled, hand_overs=MOST_HAND_OVERS)
    assert (found["came_to"], found["with"]["error"]) == ("RecordVerdict", "ContinuesInAnotherExecution")
    assert found["with"]["patience"]["wait_seconds"] == 120


def test_a_pass_begins_even_at_the_last_hand_over(child: dict[str, Any]) -> None:
    """The next execution would begin at the checkpoint, with the token that was just rejected, and end likewise."""
    place = {"pass_number": 2, "page": 1, "next": "begin_pass"}
    ended = {"Status": "SUCCEEDED", "Output": json.dumps(place)}
    found = after(child, ended, hand_overs=MOST_HAND_OVERS)
    assert (found["came_to"], found["with"]["place"]) == ("TurnPages", place)
    found = after(child, {**ended, "Output": json.dumps({**place, "next": "hand_over"})}, hand_overs=MOST_HAND_OVERS)
    assert (found["came_to"], found["with"]["error"]) == ("RecordVerdict", "ContinuesInAnotherExecution")


def test_the_response_of_a_loop_comes_back_without_its_input(child: dict[str, Any]) -> None:
    """Twice in the state, a target of 150 KB would be more than Step Functions' 256 KiB, which moto enforces."""
    place = json.dumps({"page": 2, "next": "hand_over"})
    large = json.dumps({"target": {"parameters": {"Ids": [f"id-{number:016}" for number in range(6_000)]}}})
    assert len(large) > 120_000
    given = {"Status": "SUCCEEDED", "Output": place, "Input": large}
    turn_pages = child["States"]["TurnPages"]
    whole: dict[str, Any] = {"Type": "Pass", "InputPath": "$.response", "ResultPath": turn_pages["ResultPath"]}
    whole |= {"Parameters": turn_pages["ResultSelector"], "End": True}
    found = run({"StartAt": "s", "States": {"s": whole}}, {"state": 1, "response": given})
    assert found["page_loop"]["ended"] == {"Status": "SUCCEEDED", "Output": place, "Input": ""}
