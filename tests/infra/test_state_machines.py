from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from infra.retries import CONDITION_FAILED, EXECUTION_EXISTS, LAMBDA_ERRORS, TIMEOUTS, UNREADABLE
from infra.settings import LONGEST_LOOP_SECONDS, MOST_HAND_OVERS
from pageturner.turn.pace import LONGEST_WAIT_SECONDS, SHORT_WAIT_SECONDS
from pageturner.turn.page_step import LONGEST_INTERVAL
from tests.infra.conftest import PROJECT, Synth
from tests.infra.conftest import machine as definition_of
from tests.our_errors import OUR_ERRORS

# History events per state of a Standard execution: entered and exited; for a Task also scheduled, started, succeeded.
HISTORY_EVENTS = {"Task": 5, "Choice": 2, "Pass": 2, "Wait": 2, "Succeed": 2}
# The time for an error response and the state transition.
SECONDS_OF_A_FAILURE = 2
AWS_ERRORS = {*LAMBDA_ERRORS, *TIMEOUTS, CONDITION_FAILED, EXECUTION_EXISTS, UNREADABLE, "States.ALL"}


def states(definition: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in definition["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])


def error_names(definition: Mapping[str, Any]) -> set[str]:
    """Return all error names that a state machine matches in Retry, Catch and Choice."""

    def compared(rule: Any) -> Iterator[str]:
        if isinstance(rule, list):
            for part in rule:
                yield from compared(part)
        elif isinstance(rule, dict):
            if str(rule.get("Variable", "")).endswith(".Error") and "StringEquals" in rule:
                yield rule["StringEquals"]
            for part in rule.values():
                yield from compared(part)

    names: set[str] = set()
    for _, state in states(definition):
        for handler in [*state.get("Retry", []), *state.get("Catch", [])]:
            names.update(handler["ErrorEquals"])
        names.update(compared(state.get("Choices", [])))
    return names


def retrier(state: Mapping[str, Any], error: str) -> dict[str, Any]:
    (found,) = [each for each in state["Retry"] if error in each["ErrorEquals"]]
    return dict(found)


def worst_wait(retrier: Mapping[str, int]) -> int:
    waits = [retrier["IntervalSeconds"] * 2**attempt for attempt in range(retrier["MaxAttempts"])]
    assert retrier["BackoffRate"] == 2
    return sum(min(wait, retrier["MaxDelaySeconds"]) for wait in waits)


def test_every_error_name_is_known(page_loop: dict[str, Any], crawl_machine: dict[str, Any]) -> None:
    assert error_names(page_loop) | error_names(crawl_machine) <= OUR_ERRORS | AWS_ERRORS
    # Crawl does not match TransientError and SinkError: after any error that is neither throttling nor final, it
    # continues from the checkpoint; RunStoppedError is such an error if the execution has been redriven since.
    # FetchPage never raises TokenInvalidError: it returns the start of the next pass.
    handled = error_names(page_loop) | error_names(crawl_machine)
    # FinishRun writes a MistrustedListingError into the manifest, and nothing raises it.
    never_raised = {"TokenInvalidError", "RunStoppedError", "MistrustedListingError"}
    # The execution fails with them, and a redrive tries again; after a mistake, Crawl goes on as after any other error.
    never_handled = {"CannotPublishError", "UnexpectedError"}
    assert handled >= OUR_ERRORS - never_raised - never_handled


def test_throttling_is_retried_with_backoff_a_cap_and_full_jitter(
    page_loop: dict[str, Any], short_target: dict[str, Any]
) -> None:
    fetch_page = page_loop["States"]["FetchPage"]
    assert short_target["States"]["FetchPage"]["Retry"] == fetch_page["Retry"]
    assert retrier(fetch_page, "ThrottledError") == {
        "ErrorEquals": ["ThrottledError", "StillRunningError"],
        "IntervalSeconds": 1,
        "BackoffRate": 2,
        "MaxDelaySeconds": 20,
        "MaxAttempts": 6,
        "JitterStrategy": "FULL",
    }
    for error in ["TransientError", "SinkError", *LAMBDA_ERRORS]:
        assert retrier(fetch_page, error)["MaxAttempts"] == 4
    assert not {"AccessDeniedError", "DeploymentDeniedError", "InvalidRequestError"} & error_names(page_loop)


def test_what_the_deployment_denies_itself_is_said_at_once(crawl_machine: dict[str, Any]) -> None:
    """No attempt would end otherwise: not at a page, where it is a verdict, and not elsewhere."""
    retried = {
        name for _, state in states(crawl_machine) for each in state.get("Retry", []) for name in each["ErrorEquals"]
    }
    assert "SinkError" in retried
    assert "DeploymentDeniedError" not in retried
    of_functions = [state for _, state in states(crawl_machine) if "SinkError" in str(state.get("Retry"))]
    assert len(of_functions) >= 6
    assert not [each for state in of_functions for each in state["Retry"] if "States.ALL" in each["ErrorEquals"]]
    (refused,) = [each for each in crawl_machine["States"]["PlanRun"]["Catch"] if "OverlapError" in each["ErrorEquals"]]
    assert "DeploymentDeniedError" in refused["ErrorEquals"]


def test_a_loop_ends_before_express_ends_it(page_loop: dict[str, Any], short_target: dict[str, Any]) -> None:
    """Until the longest budget is over, FetchPage may begin, and then time out. Behind it, FetchPage hands over."""
    assert page_loop["TimeoutSeconds"] == 300
    for machine in (page_loop, short_target):
        page = machine["States"]["FetchPage"]["TimeoutSeconds"]
        assert LONGEST_LOOP_SECONDS + page + SECONDS_OF_A_FAILURE < 300
    # A loop that has turned no page has an error to report, and all attempts at its first page.
    retriers = page_loop["States"]["FetchPage"]["Retry"]
    assert len(retriers) == 2
    waits, attempts = sum(map(worst_wait, retriers)), sum(each["MaxAttempts"] for each in retriers)
    first_page = waits + attempts * SECONDS_OF_A_FAILURE + page_loop["States"]["FetchPage"]["TimeoutSeconds"]
    assert first_page < 300
    # Also if it has waited for its moment.
    assert SHORT_WAIT_SECONDS + first_page < 300
    assert LONGEST_WAIT_SECONDS <= LONGEST_LOOP_SECONDS
    # A pause that begins at the last moment ends before Express does, and then nothing is fetched.
    assert LONGEST_LOOP_SECONDS + LONGEST_INTERVAL + SECONDS_OF_A_FAILURE < 300


def test_a_page_loop_asks_one_question_and_hands_its_place_over(page_loop: dict[str, Any]) -> None:
    question = page_loop["States"]["AnotherPage?"]
    assert question["Choices"] == [
        {"Variable": "$.place.next", "StringEquals": "page", "Next": "FetchPage"},
        {"Variable": "$.place.next", "StringEquals": "pause", "Next": "Pause"},
    ]
    pause = page_loop["States"]["Pause"]
    assert (pause["TimestampPath"], pause["Next"]) == ("$.place.not_before", "FetchPage")
    assert page_loop["States"][question["Default"]] == {"Type": "Succeed", "OutputPath": "$.place"}
    assert page_loop["States"]["FetchPage"]["Parameters"]["loop_started_at.$"] == "$$.Execution.StartTime"


def test_a_loop_that_made_progress_says_where_it_is_and_any_other_fails(page_loop: dict[str, Any]) -> None:
    assert page_loop["States"]["FetchPage"]["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "TurnedAny?"},
    ]
    (turned,) = page_loop["States"]["TurnedAny?"]["Choices"]
    assert turned["Next"] == "HandOver"
    assert turned["And"][1] == {
        "Variable": "$.place.turned_in",
        "StringEqualsPath": "$$.Execution.StartTime",
    }
    assert page_loop["States"]["TurnedAny?"]["Default"] == "LoopFailed"


def test_no_task_waits_for_ever(page_loop: dict[str, Any], crawl_machine: dict[str, Any]) -> None:
    """The default timeout of a Task is three years."""
    tasks = [
        (name, state)
        for name, state in itertools.chain(states(page_loop), states(crawl_machine))
        if state["Type"] == "Task"
    ]
    names = {"FetchPage", "PlanRun", "FinishRun", "ReportRun", "FailRun", "TurnPages", "RecordVerdict", "ContinueRun"}
    names |= {"LastPage", "PublishRun", "PublishPart", "PlanLongTargets", "ShortRecordVerdict"}
    assert {name for name, _ in tasks} == names
    assert all(0 < state["TimeoutSeconds"] <= 960 for _, state in tasks)
    assert all(state["Retry"] for _, state in tasks)


def test_a_target_ends_with_its_listing_or_with_its_verdict(child: dict[str, Any]) -> None:
    assert child["States"]["WhatNext?"]["Choices"][0]["Next"] == "TargetEnded"
    assert child["States"]["PageLoopEnded?"]["Choices"][1]["Next"] == "TargetEnded"
    assert child["States"]["RecordVerdict"]["Next"] == "TargetEnded"
    verdicts = {name for name, state in child["States"].items() if state.get("Next") == "RecordVerdict"}
    assert {"ContinueElsewhere", "Denied", "Failed", "Late", "Absent"} <= verdicts


def test_a_hand_over_is_cheap(child: dict[str, Any]) -> None:
    path = way_of(child, {"PageLoopEnded?": "TakePlace"})
    assert path == ["TurnPages", "PageLoopEnded?", "TakePlace"]
    assert events_of(child, path) == 9


def test_the_last_hand_over_asks_whether_the_execution_goes_on(child: dict[str, Any]) -> None:
    hand_over, end, succeeded = child["States"]["PageLoopEnded?"]["Choices"]
    says, goes_on = hand_over["And"]
    assert goes_on["Not"] == {"Variable": "$.hand_overs", "NumericGreaterThanEquals": MOST_HAND_OVERS - 1}
    assert [each["And"][1]["Or"][0]["StringMatches"] for each in ({"And": says["And"]}, end)] == [
        '*"next":"hand_over"*',
        '*"next":"end"*',
    ]
    assert succeeded["Next"] == "ReadPlace"
    assert child["States"]["ReadPlace"] == {**child["States"]["TakePlace"], "Next": "WhatNext?"}


def test_an_execution_goes_on_in_another_one_before_its_history_is_full(child: dict[str, Any]) -> None:
    most = max(
        events_of(child, way_of(child, {"PageLoopEnded?": "WhatFailed?", "WhatNext?": "TurnPages", **way}))
        for way in (
            {"WhatFailed?": "BackOff", "WaitedLongest?": "BackedOff"},
            {"WhatFailed?": "BackOff", "WaitedLongest?": "BackedOffLongest"},
            {"WhatFailed?": "LastPage", "MovedOn?": "InterruptedFurtherOn"},
            {"WhatFailed?": "LastPage", "MovedOn?": "InterruptedTooOften?", "InterruptedTooOften?": "Interrupted"},
        )
    )
    # A retry of TurnPages adds three events, but is rare.
    assert most * MOST_HAND_OVERS < 25_000 * 0.99
    nearly_full = child["States"]["WhatNext?"]["Choices"][2]
    assert nearly_full == {
        "Variable": "$.hand_overs",
        "NumericGreaterThanEquals": MOST_HAND_OVERS,
        "Next": "ContinueElsewhere",
    }


def way_of(child: dict[str, Any], chosen: Mapping[str, str]) -> list[str]:
    """Return the states of one iteration, in which the Choices take these branches."""
    path: list[str] = []
    name = child["StartAt"]
    while not path or name != child["StartAt"]:
        path.append(name)
        name = chosen.get(name) or child["States"][name]["Next"]
    return path


def events_of(child: dict[str, Any], path: list[str]) -> int:
    return sum(HISTORY_EVENTS[child["States"][name]["Type"]] for name in path)


def test_the_place_survives_a_hand_over(child: dict[str, Any]) -> None:
    assert child["States"]["TakePlace"]["Parameters"] == {
        "run.$": "$.run",
        "crawl.$": "$.crawl",
        "target.$": "$.target",
        "hand_overs.$": "States.MathAdd($.hand_overs, 1)",
        "place.$": "States.StringToJson($.page_loop.ended.Output)",
        "patience": {
            "wait_seconds": 15,
            "interruptions.$": "$.patience.interruptions",
            "last_page.$": "$.patience.last_page",
        },
    }
    throttled = {"BackedOff": True, "BackedOffLongest": True, "Interrupted": False, "InterruptedFurtherOn": False}
    for name, after_throttling in throttled.items():
        parameters = child["States"][name]["Parameters"]
        assert parameters["place"] == {"from_checkpoint": True, "throttled": after_throttling}
        assert child["States"][name]["Next"] == ("WhatNext?" if after_throttling else "LetRecover")
        assert {"run.$", "crawl.$", "target.$"} <= parameters.keys()
    assert child["States"]["LetRecover"]["Next"] == "WhatNext?"


def test_after_an_interruption_the_last_page_is_looked_up(child: dict[str, Any]) -> None:
    last_page = child["States"]["LastPage"]
    assert last_page["Resource"].endswith(":states:::aws-sdk:dynamodb:query")
    query = dict(last_page["Parameters"])
    assert query.pop("TableName").startswith("StoreRunTable")
    assert query == {
        "KeyConditionExpression": "pk = :run AND begins_with(sk, :pages)",
        "ExpressionAttributeValues": {
            ":run": {"S.$": "States.Format('run#{}', $.run.run_id)"},
            ":pages": {"S.$": "States.Format('page#{}#', $.target.target_id)"},
        },
        "ProjectionExpression": "sk",
        "ScanIndexForward": False,
        "Limit": 1,
        "ConsistentRead": True,
    }
    # If nobody can say whether there is a new page, there is none.
    (catch,) = last_page["Catch"]
    assert catch == {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "InterruptedTooOften?"}


def test_the_patience_of_a_target_outlasts_its_execution(crawl_machine: dict[str, Any], child: dict[str, Any]) -> None:
    selector = crawl_machine["States"]["LongTargets"]["ItemSelector"]
    assert selector["patience.$"] == "$$.Map.Item.Value.patience"
    item = child["States"]["RecordVerdict"]["Parameters"]["Item"]
    assert item["patience"] == {"S.$": "States.JsonToString($.patience)"}
    for name, state in child["States"].items():
        if state.get("Next") == "RecordVerdict":
            assert state["Parameters"]["patience.$"] == "$.patience", name


def test_a_choice_is_a_question(page_loop: dict[str, Any], crawl_machine: dict[str, Any]) -> None:
    for name, state in itertools.chain(states(page_loop), states(crawl_machine)):
        assert name.endswith("?") == (state["Type"] == "Choice"), name


def test_all_is_jsonpath(page_loop: dict[str, Any], crawl_machine: dict[str, Any]) -> None:
    """The emulator's Distributed Map supports only JSONPath."""
    for _, state in itertools.chain([("", page_loop), ("", crawl_machine)], states(page_loop), states(crawl_machine)):
        assert state.get("QueryLanguage", "JSONPath") == "JSONPath"


@pytest.mark.parametrize(
    ("name", "kind", "file", "after"),
    [
        ("ShortTargets", "EXPRESS", "batches", "PlanLongTargets"),
        ("LongTargets", "STANDARD", "targets", "FinishRun"),
    ],
)
def test_no_child_ends_the_others(crawl_machine: dict[str, Any], name: str, kind: str, file: str, after: str) -> None:
    each = crawl_machine["States"][name]
    assert each["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": kind}
    assert each["ToleratedFailurePercentage"] == 100
    assert each["MaxConcurrencyPath"] == "$.max_concurrency"
    assert each["ItemReader"]["ReaderConfig"] == {"InputType": "JSON"}
    assert each["ItemReader"]["Parameters"] == {"Bucket.$": f"$.{file}.bucket", "Key.$": f"$.{file}.key"}
    # Also if the map fails, every target gets its verdict.
    assert each["ResultPath"] is None
    assert each["Next"] == after
    assert each["Catch"] == [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.map_error", "Next": after}]


def test_a_batch_is_turned_one_target_after_another_each_from_its_checkpoint(
    crawl_machine: dict[str, Any], short_child: dict[str, Any]
) -> None:
    assert crawl_machine["States"]["ShortTargets"]["ItemSelector"] == {
        "run.$": "$.run",
        "crawl.$": "$.crawl",
        "targets.$": "$$.Map.Item.Value.targets",
    }
    assert list(short_child["States"]) == ["EachOfBatch"]
    each = short_child["States"]["EachOfBatch"]
    assert (each["ItemsPath"], each["MaxConcurrency"]) == ("$.targets", 1)
    long = crawl_machine["States"]["LongTargets"]["ItemSelector"]
    assert each["ItemSelector"] == {**long, "share.$": "$$.Map.Item.Value.share"}
    assert long["place"] == {"from_checkpoint": True, "throttled": False}


def test_what_is_not_final_is_left_to_long_targets(short_target: dict[str, Any]) -> None:
    """None of them fails the child, behind which there may be other targets of the batch."""
    fetch_page = short_target["States"]["FetchPage"]
    assert fetch_page["Parameters"]["share.$"] == "$.share"
    assert fetch_page["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "WhatFailedShort?"}
    ]
    assert short_target["States"]["WhatFailedShort?"]["Default"] == "ShortEnded"
    assert short_target["States"]["AnotherPage?"]["Default"] == "ShortEnded"
    # What they return together must be small.
    assert short_target["States"]["ShortEnded"] == {"Type": "Pass", "Result": {}, "End": True}


def test_a_short_target_gets_only_its_first_verdict(short_target: dict[str, Any], child: dict[str, Any]) -> None:
    """The Express execution may be a late copy: another one, or LongTargets, may have come to another verdict."""
    record = short_target["States"]["ShortRecordVerdict"]
    whole = child["States"]["RecordVerdict"]["Parameters"]
    assert record["Parameters"] == {**whole, "ConditionExpression": "attribute_not_exists(pk)"}
    assert record["Retry"][0] == {"ErrorEquals": [CONDITION_FAILED], "MaxAttempts": 0}
    assert record["Retry"][1]["ErrorEquals"] == ["States.ALL"]
    assert record["Catch"] == [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "ShortEnded"}]
    assert record["Next"] == "ShortEnded"


def test_the_final_errors_of_a_short_target_are_those_of_a_long_one(
    short_target: dict[str, Any], child: dict[str, Any]
) -> None:
    def verdicts(machine: dict[str, Any], question: str) -> dict[str, str]:
        found = {}
        for rule in machine["States"][question]["Choices"]:
            for error in rule["And"][1].get("Or", [rule["And"][1]]):
                to = machine["States"][rule["Next"]]
                found[error["StringEquals"]] = to.get("Parameters", {}).get("verdict", "")
        return found

    of_long = verdicts(child, "WhatFailed?")
    assert {of_long.pop("ThrottledError"), of_long.pop("StillRunningError")} == {""}
    assert verdicts(short_target, "WhatFailedShort?") == of_long


def test_what_is_left_is_planned_from_the_records(crawl_machine: dict[str, Any]) -> None:
    plan = crawl_machine["States"]["PlanLongTargets"]
    assert plan["Parameters"] == {"run.$": "$.run", "targets.$": "$.targets"}
    assert plan["ResultPath"] == "$.targets"
    assert plan["Next"] == "AnyLeft?"
    assert retrier(plan, "SinkError")["MaxAttempts"] == 6
    assert crawl_machine["States"]["AnyLeft?"] == {
        "Type": "Choice",
        "Choices": [{"Variable": "$.targets.count", "NumericGreaterThan": 0, "Next": "LongTargets"}],
        "Default": "FinishRun",
    }


def test_nothing_waits_for_what_was_given_up(crawl_machine: dict[str, Any]) -> None:
    """It is fenced off instead: whoever may write late does so under another name, or on a condition."""
    assert crawl_machine["States"]["AnythingToDo?"]["Choices"] == [
        {"Variable": "$.refused", "IsPresent": True, "Next": "RunRefused"},
        {"Variable": "$.batches", "IsPresent": True, "Next": "ShortTargets"},
        {"Variable": "$.targets", "IsPresent": True, "Next": "LongTargets"},
        {"Variable": "$.publish", "IsPresent": True, "Next": "OnlyPublish"},
    ]
    waits = {name for name, state in states(crawl_machine) if state["Type"] == "Wait"}
    # Pause is for the pace of the pages, in a child of ShortTargets as in PageLoop.
    assert waits == {"BackOff", "LetRecover", "Pause"}


def test_what_the_machines_write_belongs_to_a_generation(crawl_machine: dict[str, Any], child: dict[str, Any]) -> None:
    finish = crawl_machine["States"]["FinishRun"]["Parameters"]
    assert finish["generation.$"] == "$.run.generation"
    (name,) = child["States"]["RecordVerdict"]["Parameters"]["Item"]["sk"].values()
    assert name == "States.Format('verdict#{}#{}', $.run.generation, $.target.target_id)"


def test_a_wrong_crawl_ends_at_plan_run_with_its_sentence(crawl_machine: dict[str, Any]) -> None:
    (catch,) = crawl_machine["States"]["PlanRun"]["Catch"]
    assert catch == {
        "ErrorEquals": [
            "DeploymentDeniedError",
            *("InvalidCrawlError", "OverlapError", "RunStoppedError", "RunWouldFailError", "Runtime.UnmarshalError"),
        ],
        "Next": "ReadRefusal",
    }
    refused = crawl_machine["States"][crawl_machine["States"]["ReadRefusal"]["Next"]]
    assert refused == {
        "Type": "Fail",
        "ErrorPath": "$.refusal.errorType",
        "CausePath": "$.refusal.errorMessage",
    }


def test_a_run_that_is_not_complete_fails_with_its_sentence(crawl_machine: dict[str, Any]) -> None:
    question = crawl_machine["States"]["RunComplete?"]
    assert question["Choices"] == [
        {"Variable": "$.outcome", "StringEquals": "succeeded", "Next": "RunSucceeded"},
    ]
    assert question["Default"] == "FailRun"
    fail_run = crawl_machine["States"]["FailRun"]
    # FailRun fails by its task token, so that the cause is only the message.
    assert fail_run["Resource"].endswith(":states:::lambda:invoke.waitForTaskToken")
    assert fail_run["Parameters"]["Payload"] == {
        "run_id.$": "$.run_id",
        "generation.$": "$.generation",
        "message.$": "$.message",
        "execution.$": "$$.Execution.Id",
        "redrives.$": "$$.Execution.RedriveCount",
        "token.$": "$$.Task.Token",
    }
    # On a redrive, a Fail state would fail again; FailRun returns an input that resumes the run.
    assert fail_run["Next"] == "PlanRun"
    assert not [name for name, state in states(crawl_machine) if state["Type"] == "Fail" and name != "CrawlRefused"]


def test_an_execution_that_goes_on_elsewhere_still_has_its_summary_for_output(crawl_machine: dict[str, Any]) -> None:
    continue_run = crawl_machine["States"]["ContinueRun"]
    assert "ResultPath" in continue_run
    assert continue_run["ResultPath"] is None
    assert continue_run["Next"] == "RunContinues"


def test_a_run_continues_only_once_even_if_the_response_to_that_is_lost(crawl_machine: dict[str, Any]) -> None:
    """Step Functions accepts the same name and input again while the execution runs, and then says that it exists."""
    continue_run = crawl_machine["States"]["ContinueRun"]
    assert continue_run["Parameters"] == {
        "StateMachineArn.$": "$$.StateMachine.Id",
        "Input.$": "$.continuation",
        "Name.$": "States.Hash($$.Execution.Id, 'SHA-256')",
    }
    exists = "StepFunctions.ExecutionAlreadyExistsException"
    assert continue_run["Retry"][0] == {"ErrorEquals": [exists], "MaxAttempts": 0}
    assert continue_run["Retry"][1]["ErrorEquals"] == ["States.ALL"]
    assert continue_run["Catch"] == [{"ErrorEquals": [exists], "ResultPath": None, "Next": "RunContinues"}]


def test_the_documents_name_every_error_of_lambda_that_is_retried() -> None:
    text = (PROJECT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert not [name for name in (*LAMBDA_ERRORS, *TIMEOUTS) if f"`{name}`" not in text]


def test_a_function_that_dies_is_tried_again(page_loop: dict[str, Any], crawl_machine: dict[str, Any]) -> None:
    functions = {
        "FetchPage",
        "PlanRun",
        "PlanLongTargets",
        "FinishRun",
        "FailRun",
        "PublishRun",
        "PublishPart",
        "ReportRun",
    }
    both = itertools.chain(states(page_loop), states(crawl_machine))
    invoked = {name: state for name, state in both if name in functions}
    assert invoked.keys() == functions
    for state in invoked.values():
        for error in ("Runtime.ExitError", "Runtime.OutOfMemory", "Lambda.Unknown"):
            assert retrier(state, error)["MaxAttempts"] >= 4
    # PageLoop has no time for a second timeout.
    for error in ("Sandbox.Timedout", "States.Timeout"):
        assert {name for name, state in invoked.items() if error in str(state["Retry"])} == functions - {"FetchPage"}


def test_a_pass_begins_at_once_and_before_the_run_continues_elsewhere(child: dict[str, Any]) -> None:
    begins = child["States"]["WhatNext?"]["Choices"][1]
    assert begins["And"][1] == {"Variable": "$.place.next", "StringEquals": "begin_pass"}
    assert begins["Next"] == "TurnPages"


def test_hand_overs_is_the_limit_of_a_child(synth: Synth) -> None:
    crawl = definition_of(synth(hand_overs="2").to_json()["Resources"], "STANDARD")
    long_target = crawl["States"]["LongTargets"]["ItemProcessor"]["States"]
    limits = [
        part["NumericGreaterThanEquals"]
        for name in ("WhatNext?", "PageLoopEnded?")
        for part in parts(long_target[name]["Choices"])
        if part.get("Variable") == "$.hand_overs"
    ]
    # A place is taken as usual before the last hand-over.
    assert limits == [2, 1]


def parts(rule: Any) -> Iterator[dict[str, Any]]:
    """All rules within a rule of a Choice, or within a list of them."""
    for part in rule if isinstance(rule, list) else rule.values():
        if isinstance(part, dict):
            yield part
        if isinstance(part, dict | list):
            yield from parts(part)
