"""The interpreter agrees with moto's on hundreds of scripts, and is strict where moto's is not.

A script says how the tasks of a machine end, one after another. moto runs the same machine, with each task replaced by
states that take the result, or the error, from the input of the execution.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import pytest

from infra.retries import CONDITION_FAILED
from tests.machines import states
from tests.machines.states import Call, Execution, Failed, NotInTheLanguage, Wait
from tests.machines.world import Definitions
from tests.moto_states import run_by_moto
from tests.our_errors import OUR_ERRORS

SCRIPTS = 110  # of each machine
ERRORS = sorted(OUR_ERRORS)
ERRORS += ["Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError"]
MOST_TASKS = 3
BEGAN = "2026-01-01T00:00:00.000Z"
Step = Mapping[str, Any] | Failed


class Scripts:
    """Scripts of a machine: `start` is its input, and each task's name has a method that says how it ends."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def failed(self) -> Failed:
        message = json.dumps({"errorType": self.rng.choice(ERRORS), "errorMessage": "why"})
        return Failed(self.rng.choice(ERRORS), message)

    def some_of(self, share_of_failures: float, *results: Mapping[str, Any]) -> Step:
        return self.failed() if self.rng.random() < share_of_failures else self.rng.choice(results)

    def step(self, task: str) -> Step:
        found: Step = getattr(self, task)()
        return found

    def start(self) -> dict[str, Any]:
        place = {"from_checkpoint": True, "throttled": False}
        patience = {
            "wait_seconds": self.rng.choice((15, 60, 120, 240)),
            "interruptions": self.rng.randint(0, 5),
            "last_page": "page 1",
        }
        state = {
            "run": RUN,
            "crawl": {"name": "c"},
            "target": {"target_id": "t"},
            "place": place,
        }
        return {**state, "patience": patience, "hand_overs": self.rng.randint(0, 4)}


RUN = {"run_id": "r", "expires_at": 1, "generation": 1}
ENDED = {"run_id": "r", "generation": 1, "message": "m"}


class PageLoopScripts(Scripts):
    def start(self) -> dict[str, Any]:
        return {**super().start(), "began": BEGAN}

    def FetchPage(self) -> Step:  # noqa: N802
        turned = self.rng.choice(({"turned_in": BEGAN}, {"turned_in": "another"}))
        pause = {"next": "pause", "not_before": BEGAN}
        return self.some_of(
            0.4, *({**place, **turned} for place in ({"next": "page"}, pause, {"next": "end"}, {"next": "begin_pass"}))
        )


class ShortScripts(Scripts):
    """Of the target of a batch."""

    def start(self) -> dict[str, Any]:
        return {**super().start(), "began": BEGAN, "share": 0.5}

    def FetchPage(self) -> Step:  # noqa: N802
        nexts = ("page", "page", "end", "hand_over", "begin_pass")
        pause = {"next": "pause", "not_before": BEGAN}
        return self.some_of(0.4, *({"next": name} for name in nexts), pause)

    def ShortRecordVerdict(self) -> Step:  # noqa: N802
        if self.rng.random() < 0.3:
            return Failed(CONDITION_FAILED, "the conditional request failed")
        return self.some_of(0.2, {})


class LongScripts(Scripts):
    def TurnPages(self) -> Step:  # noqa: N802
        token = self.rng.choice((None, '"next":"end"', '{"next":"hand_over"}'))
        places = [{"token": token, "next": name, "page": 2} for name in ("page", "hand_over", "begin_pass", "end")]
        # AWS writes no spaces, and emulators do. Anything else is parsed.
        separators = self.rng.choice(((",", ":"), (", ", ": "), (" , ", " : ")))
        texts = [json.dumps(place, separators=separators) for place in places]
        loops: list[dict[str, Any]] = [{"Status": "SUCCEEDED", "Output": text} for text in texts]
        failed = self.failed()
        loops += [{"Status": "FAILED", "Error": failed.error, "Cause": failed.cause}] * 4
        return self.some_of(0.2, *loops, {"Status": "TIMED_OUT"})

    def LastPage(self) -> Step:  # noqa: N802
        pages = ({"Count": 1, "Items": [{"sk": {"S": name}}]} for name in ("page 1", "page 2"))
        return self.some_of(0.2, {"Count": 0, "Items": []}, *pages)

    def RecordVerdict(self) -> Step:  # noqa: N802
        return self.some_of(0.2, {})


class PartScripts(Scripts):
    def start(self) -> dict[str, Any]:
        return {"plan": "p", "what": "tell", "index": self.rng.randint(0, 9)}

    def PublishPart(self) -> Step:  # noqa: N802
        return self.some_of(0.3, *({**self.start(), "next": name} for name in ("part", "part", "end")))


class CrawlScripts(Scripts):
    def start(self) -> dict[str, Any]:
        return self.rng.choice(({"crawl": "c"}, {"resume": "r"}))

    def PlanRun(self) -> Step:  # noqa: N802
        file = {"bucket": "b", "key": "k", "count": 2}
        planned = {"run": RUN, "crawl": {}, "targets": file, "max_concurrency": 1}
        if self.rng.random() < 0.6:
            planned["batches"] = file
        refused = {"outcome": "refused"}
        others = (
            {"publish": {"run_id": "r", "generation": 1}},
            {"nothing_to_do": {"outcome": "succeeded"}},
            {"refused": refused, "nothing_to_do": refused},
        )
        return self.some_of(0.3, planned, {**planned, "wait_seconds": 0}, *others)

    def ShortTargets(self) -> Step:  # noqa: N802
        return self.some_of(0.3, {})

    def PlanLongTargets(self) -> Step:  # noqa: N802
        return self.some_of(0.2, *({"bucket": "b", "key": "k", "count": count} for count in (0, 1)))

    def LongTargets(self) -> Step:  # noqa: N802
        return self.some_of(0.3, {})

    def FinishRun(self) -> Step:  # noqa: N802
        about = {**ENDED, "continuation": {"resume": "r"}}
        again = {"outcome": "again", "run": RUN, "targets": {"count": 1}}
        ended = ({**about, "outcome": outcome} for outcome in ("succeeded", "continues", "failed"))
        return self.some_of(0.2, again, *ended)

    def PublishRun(self) -> Step:  # noqa: N802
        summaries = [{"next": "end", "summary": {**ENDED, "outcome": outcome}} for outcome in ("succeeded", "failed")]
        parts = {"next": "parts", "parts": {"bucket": "b", "key": "k"}}
        return self.some_of(0.2, *summaries, *summaries, {"next": "again"}, parts)

    def PublishParts(self) -> Step:  # noqa: N802
        return self.some_of(0.2, {})

    def ContinueRun(self) -> Step:  # noqa: N802
        return self.some_of(0.3, {"ExecutionArn": "e"})

    def ReportRun(self) -> Step:  # noqa: N802
        return self.some_of(0.5, {})

    def FailRun(self) -> Step:  # noqa: N802
        return self.some_of(0.5, {"resume": "r"})


def without_retries(machine: states.State) -> dict[str, Any]:
    """moto waits in real time before it retries."""
    found = {name: {k: v for k, v in state.items() if k != "Retry"} for name, state in machine["States"].items()}
    return {"StartAt": machine["StartAt"], "States": found}


def ours(machine: states.State, scripts: Scripts, most: int) -> tuple[Any, list[Step], Any]:
    """Return the input of a script, how its tasks ended, and how it ends by our interpreter."""
    given, steps = scripts.start(), list[Step]()
    context = {"Execution": {"StartTime": BEGAN, "Id": "e", "RedriveCount": 0}, "StateMachine": {"Id": "m"}}
    execution = Execution(machine, given, context, lambda: BEGAN, lambda most: most)
    running = execution.run()
    try:
        effect = next(running)
        while True:
            if isinstance(effect, Wait):
                effect = running.send(None)
                continue
            if len(steps) == most:
                return given, steps, {"came_to": execution.state, "with": execution.input}
            steps.append(step := scripts.step(execution.state))
            effect = running.throw(step) if isinstance(step, Failed) else running.send(step)
    except StopIteration as ended:
        return given, steps, ended.value
    except Failed as failed:
        return given, steps, {"Error": failed.error, "Cause": failed.cause}


def test_an_input_that_lambda_cannot_read_ends_the_execution_at_once(definitions: Definitions) -> None:
    said = "Unable to unmarshal input: maximum recursion depth exceeded"
    cause = json.dumps({"errorMessage": said, "errorType": "Runtime.UnmarshalError", "requestId": "", "stackTrace": []})

    class Unreadable(CrawlScripts):
        def PlanRun(self) -> Step:  # noqa: N802
            return Failed("Runtime.UnmarshalError", cause)

    _, steps, end = ours(definitions.crawl, Unreadable(0), most=10)
    assert (len(steps), end) == (1, {"Error": "Runtime.UnmarshalError", "Cause": said})


def for_moto(machine: states.State) -> dict[str, Any]:
    """The machine with a copy of each state for each number of tasks that have ended.

    moto compares nothing with the context object, so that the time at which PageLoop began is in its input.
    """
    machine = json.loads(json.dumps(machine).replace("$$.Execution.StartTime", "$.began"))
    made: dict[str, Any] = {"Given": {"Type": "Pass", "InputPath": "$.given", "Next": f"{machine['StartAt']}@0"}}
    for done in range(MOST_TASKS + 1):
        for name, state in machine["States"].items():
            here = f"{name}@{done}"
            if state["Type"] == "Wait":
                made[here] = _renamed({"Type": "Pass", "Next": state["Next"]}, done)
            elif state["Type"] not in ("Task", "Map"):
                made[here] = _renamed(state, done)
            else:
                made |= _task(here, state, done)
    return {"StartAt": "Given", "States": made}


def _task(here: str, state: states.State, done: int) -> dict[str, Any]:
    stops = {"Type": "Pass", "Parameters": {"came_to": here.partition("@")[0], "with.$": "$"}, "End": True}
    if done == MOST_TASKS:
        return {here: stops}
    step = f"$$.Execution.Input.steps.step{done}"
    kept = {name: state[name] for name in ("ResultPath", "Next", "End") if name in state}
    assert not {"InputPath", "OutputPath"} & set(state)
    path = kept.get("ResultPath", "$")
    fail = {"Type": "Fail", "ErrorPath": f"{step}.error", "CausePath": f"{step}.cause"}
    fails = {"StartAt": f"F {here}", "States": {f"F {here}": fail}}
    catch = {"Catch": state["Catch"]} if "Catch" in state else {}
    choices = [
        {"Variable": f"{step}.stops", "IsPresent": True, "Next": f"{here} stops"},
        {"Variable": f"{step}.error", "IsPresent": True, "Next": f"{here} fails"},
    ]
    taken: dict[str, Any] = {"Type": "Pass", "InputPath": f"{step}.result", "ResultPath": path}
    if "ResultSelector" in state:
        taken["Parameters"] = state["ResultSelector"]
    following = {name: value for name, value in kept.items() if name in ("Next", "End")}
    return {
        here: {"Type": "Choice", "Choices": choices, "Default": f"{here} returns"},
        f"{here} stops": stops,
        f"{here} fails": _renamed({"Type": "Parallel", "Branches": [fails], **kept, **catch}, done + 1),
        f"{here} returns": {**taken, "Next": f"{here} returned"},
        f"{here} returned": _renamed({"Type": "Pass", **following}, done + 1),
    }


def _renamed(document: Any, number: int) -> Any:
    """The state with the names of the copies that follow it."""
    if isinstance(document, list):
        return [_renamed(each, number) for each in document]
    if not isinstance(document, Mapping):
        return document
    return {
        name: f"{value}@{number}"
        if name in ("Next", "Default")
        else _renamed(value, number)
        if name in ("Choices", "Catch")
        else value
        for name, value in document.items()
    }


@pytest.mark.parametrize(
    ("which", "kind"),
    [
        ("page_loop", PageLoopScripts),
        ("short_target", ShortScripts),
        ("long_target", LongScripts),
        ("part", PartScripts),
        ("crawl", CrawlScripts),
    ],
)
def test_it_agrees_with_moto(definitions: Definitions, which: str, kind: type[Scripts]) -> None:
    machines = {
        "page_loop": definitions.page_loop,
        "short_target": batch_map(definitions)["ItemProcessor"],
        "long_target": definitions.crawl["States"]["LongTargets"]["ItemProcessor"],
        "part": definitions.crawl["States"]["PublishParts"]["ItemProcessor"],
        "crawl": definitions.crawl,
    }
    machine = without_retries(machines[which])
    scripts = [ours(machine, kind(seed), 1 + seed % MOST_TASKS) for seed in range(SCRIPTS)]
    inputs = [{"given": given, "steps": _steps(steps)} for given, steps, _ in scripts]
    theirs = run_by_moto(for_moto(machine), inputs)
    for (_, _, end), other, given in zip(scripts, theirs, inputs, strict=True):
        assert other == end, given
    assert len({json.dumps(end) for *_, end in scripts}) > 20


def batch_map(definitions: Definitions) -> Any:
    """The Map over a batch, in a child of ShortTargets."""
    return definitions.crawl["States"]["ShortTargets"]["ItemProcessor"]["States"]["EachOfBatch"]


def test_a_map_over_a_batch_agrees_with_moto(definitions: Definitions) -> None:
    """Each target has what its task came to among its parameters, and the machine says where it went."""
    iteration = batch_map(definitions)["ItemProcessor"]["States"]
    ended = {"target_id.$": "$.target.target_id", "index.$": "$$.Map.Item.Index", "of.$": "$$.Map.Item.Value.target_id"}
    states_: dict[str, Any] = {
        "Fetched": {"Type": "Pass", "InputPath": "$.target.result", "ResultPath": "$.place", "Next": "AnotherPage?"},
        "AnotherPage?": {**iteration["AnotherPage?"], "Default": "Ended"},
        "FetchPage": {"Type": "Fail", "ErrorPath": "$.target.target_id", "Cause": "another page"},
        "Pause": {"Type": "Pass", "Parameters": {"pauses.$": "$.place.not_before"}, "End": True},
        "Ended": {"Type": "Pass", "Parameters": ended, "End": True},
    }
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Fetched", "States": states_}
    batch = {**batch_map(definitions), "ItemProcessor": processor, "ResultPath": "$.ended"}
    batch["Catch"] = [{"ErrorEquals": ["t0", "t2"], "ResultPath": "$.error", "Next": "Caught"}]
    caught = {"Type": "Pass", "Parameters": {"caught.$": "$.error.Error"}, "End": True}
    machine = {"StartAt": "EachOfBatch", "States": {"EachOfBatch": batch, "Caught": caught}}
    inputs = []
    for number in range(30):
        rng = random.Random(number)
        results = [{"next": "end"}, {"next": "hand_over"}, {"next": "pause", "not_before": BEGAN}] * 2
        targets = [
            {"target_id": f"t{index}", "patience": {}, "share": 1, "result": rng.choice([*results, {"next": "page"}])}
            for index in range(rng.randint(0, 5))
        ]
        inputs.append({"run": RUN, "crawl": {"name": "c"}, "targets": targets})
    ends = [ended_without_tasks(machine, given) for given in inputs]
    assert run_by_moto(machine, inputs) == ends
    assert any("caught" in end for end in ends)
    assert len({json.dumps(end) for end in ends}) > 10


def ended_without_tasks(machine: states.State, given: Any) -> Any:
    """How an execution ends that waits for nothing: the output, or error and cause."""
    running = Execution(machine, given, {"Execution": {"Id": "e"}}, lambda: BEGAN, lambda most: most).run()
    try:
        raise AssertionError(f"it waits for {next(running)}")
    except StopIteration as end:
        return end.value
    except Failed as failed:
        return {"Error": failed.error, "Cause": failed.cause}


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a*c", "abbc", True),
        ("a*c", "ac\nd", False),
        ("*c*", "a\nc\nd", True),
        ("a.c", "abc", False),
        ("", "", True),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        (r"a\\*", r"a\b", True),
        (r"a\\", "a", False),
    ],
)
def test_a_pattern_has_asterisks_that_can_be_escaped(pattern: str, text: str, matches: bool) -> None:
    """Amazon States Language, "Choice State": the escape of an asterisk is `\\*` in JSON; moto knows none."""
    choices = [{"Variable": "$.text", "StringMatches": pattern, "Next": "N"}]
    states_ = machine_of(Type="Choice", Choices=choices, Default="Z")
    states_["States"]["Z"] = {"Type": "Succeed"}
    assert (execution(states_, {"text": text})[0] != {"text": text}) is matches


def _steps(steps: list[Step]) -> dict[str, Any]:
    """The steps by name, because moto finds no element of a list in the context object."""
    found: list[Any] = [
        {"error": step.error, "cause": step.cause} if isinstance(step, Failed) else {"result": step} for step in steps
    ]
    return {f"step{number}": step for number, step in enumerate([*found, {"stops": True}])}


def execution(definition: Any, given: Any) -> Any:
    """Run a machine whose tasks return their parameters, or fail if these are an error."""
    delays: list[float] = []

    def jitter(most: float) -> float:
        delays.append(most)
        return most

    running = Execution(definition, given, {"Execution": {"Id": "e"}}, lambda: BEGAN, jitter).run()
    try:
        effect = next(running)
        while True:
            if isinstance(effect, Call) and isinstance(effect.parameters, dict) and "fails" in effect.parameters:
                effect = running.throw(Failed(effect.parameters["fails"], "cause"))
            else:
                effect = running.send(effect.parameters if isinstance(effect, Call) else None)
    except StopIteration as ended:
        return ended.value, delays
    except Failed as failed:
        return failed.error, delays


def machine_of(**state: Any) -> Any:
    return {"StartAt": "S", "States": {"S": state, "N": {"Type": "Pass", "Parameters": {"n.$": "$"}, "End": True}}}


def test_retries_wait_twice_as_long_each_time_and_each_retrier_counts_for_itself() -> None:
    retry = {"IntervalSeconds": 1, "BackoffRate": 2, "MaxDelaySeconds": 3, "MaxAttempts": 3, "JitterStrategy": "FULL"}
    task = {"Type": "Task", "Resource": "r", "Parameters": {"fails.$": "$.error"}, "End": True}
    retried = machine_of(**task, Retry=[{"ErrorEquals": ["Known"], **retry}])
    assert execution(retried, {"error": "Known"}) == ("Known", [1, 2, 3])
    assert execution(retried, {"error": "Unknown"}) == ("Unknown", [])
    caught = machine_of(**task, Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.why", "Next": "N"}])
    why = {"Error": "Unknown", "Cause": "cause"}
    assert execution(caught, {"error": "Unknown"}) == ({"n": {"error": "Unknown", "why": why}}, [])
    assert execution(caught, {"error": "States.Runtime"}) == ("States.Runtime", [])


def test_the_attempts_are_counted_in_the_context_object() -> None:
    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}
    counts = {
        "Type": "Task",
        "Resource": "r",
        "Parameters": {"n.$": "$$.State.RetryCount"},
        "Retry": [retry],
        "End": True,
    }
    running = Execution(machine_of(**counts), {}, {"Execution": {"Id": "e"}}, lambda: BEGAN, lambda most: most).run()
    seen = [next(running)]
    for _ in range(2):
        seen += [running.throw(Failed("Known")), running.send(None)]
    assert [each.parameters if isinstance(each, Call) else each for each in seen] == [
        {"n": 0},
        Wait(1),
        {"n": 1},
        Wait(2),
        {"n": 2},
    ]


ITERATION = {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Parallel", "Branches": []},
        {"Type": "Pass", "Assign": {}, "End": True},
        {"Type": "Pass", "Parameters": {"a.$": "$.nothing"}, "End": True},
        {"Type": "Pass", "InputPath": "$.nothing", "End": True},
        {"Type": "Pass", "InputPath": "$.*", "End": True},
        {"Type": "Pass", "Parameters": {"a.$": "States.UUID()"}, "End": True},
        {"Type": "Pass", "Parameters": {"a.$": "States.MathAdd($.text, 1)"}, "End": True},
        {"Type": "Pass", "Parameters": {"a.$": "States.StringToJson($.text)"}, "End": True},
        {"Type": "Pass", "Parameters": {"a.$": "States.Format('{}{}', $.text)"}, "End": True},
        {"Type": "Pass", "Next": "Nowhere"},
        {"Type": "Choice", "Choices": [{"Variable": "$.text", "StringMatches": r"\n", "Next": "N"}]},
        {"Type": "Choice", "Choices": [{"Variable": "$.number", "StringMatches": "*", "Next": "N"}]},
        {"Type": "Choice", "Choices": [{"Variable": "$.text", "NumericEquals": 1, "Next": "N"}]},
        {"Type": "Choice", "Choices": [{"Variable": "$.nothing", "StringEquals": "", "Next": "N"}]},
        {"Type": "Wait", "SecondsPath": "$.text", "Next": "N"},
        {"Type": "Fail", "ErrorPath": "$.nothing", "Cause": "c"},
        {"Type": "Task", "Resource": "r", "Retry": [{"ErrorEquals": [], "Jitter": 1}], "End": True},
        {"Type": "Map", "ItemsPath": "$.list", "MaxConcurrency": 2, "ItemProcessor": ITERATION, "End": True},
        {"Type": "Map", "ItemsPath": "$.text", "MaxConcurrency": 1, "ItemProcessor": ITERATION, "End": True},
        {"Type": "Map", "MaxConcurrencyPath": "$.number", "ItemProcessor": ITERATION, "End": True},
        {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": {**ITERATION, "ProcessorConfig": {"Mode": "FAST"}}},
        {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": {"StartAt": "N", "States": {"N": {"Type": "Succeed"}}}},
    ],
    ids=lambda state: json.dumps(state)[:60],
)
def test_it_is_strict(state: dict[str, Any]) -> None:
    with pytest.raises(NotInTheLanguage):
        execution(machine_of(**state), {"text": "t", "number": 1, "list": [1]})
