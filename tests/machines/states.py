"""A strict interpreter of the Amazon States Language, of as much of it as our two state machines use.

It is a generator: it yields what takes time (`Wait`, `Call`, `Map`), and whoever drives it sends the result, or throws
`Failed`. So it needs no thread, no clock and no service, and a thousand executions can interleave. An inline Map, whose
iterations run one after another, is part of the execution.

What it does not know raises `NotInTheLanguage`: an unknown field, operator or intrinsic, a value of another type, a
path that finds nothing. moto's interpreter is the oracle for the rest (`test_states.py`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

State = Mapping[str, Any]

_FIELDS = {
    "Task": {"Resource", "Parameters", "ResultSelector", "ResultPath", "OutputPath", "InputPath", "TimeoutSeconds"}
    | {"Retry", "Catch", "Next", "End"},
    "DISTRIBUTED": {"ItemReader", "ItemSelector", "ItemProcessor", "MaxConcurrency", "MaxConcurrencyPath", "Label"}
    | {"ToleratedFailurePercentage", "ResultWriter", "ResultPath", "Retry", "Catch", "Next", "End"},
    "INLINE": {"ItemsPath", "ItemSelector", "ItemProcessor", "MaxConcurrency"}
    | {"ResultPath", "Retry", "Catch", "Next", "End"},
    "Pass": {"Parameters", "Result", "ResultPath", "InputPath", "OutputPath", "Next", "End"},
    "Choice": {"Choices", "Default", "InputPath", "OutputPath"},
    "Wait": {"Seconds", "SecondsPath", "Timestamp", "TimestampPath", "InputPath", "OutputPath", "Next", "End"},
    "Succeed": {"InputPath", "OutputPath"},
    "Fail": {"Error", "ErrorPath", "Cause", "CausePath"},
}
_RETRIER = {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy"}
_CATCHER = {"ErrorEquals", "Next", "ResultPath"}
_MACHINE = {"StartAt", "States", "TimeoutSeconds", "Comment"}
_PROCESSOR = {"StartAt", "States", "ProcessorConfig"}
_PROCESSOR_CONFIGS = (("INLINE", None), ("DISTRIBUTED", "STANDARD"), ("DISTRIBUTED", "EXPRESS"))
# The errors that States.ALL does not match (Developer Guide, "Handling errors in Step Functions workflows").
_NOT_ALL = {"States.DataLimitExceeded", "States.Runtime"}
_MOST_BYTES = 256 * 1024
# The others return what they get.
_MAKES_OUTPUT = ("Task", "Map", "Pass")


class NotInTheLanguage(Exception):  # noqa: N818 - the definition is wrong, or the interpreter too small
    """The definition has something that the interpreter does not know, or that is wrong."""


class Failed(Exception):  # noqa: N818 - Step Functions' own word
    """A task, or an execution, has failed. A timed out execution has no cause."""

    def __init__(self, error: str, cause: str | None = None) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


@dataclass(frozen=True)
class Wait:
    """Wait for some seconds, or until an ISO 8601 time."""

    seconds: float = 0
    until: str | None = None


@dataclass(frozen=True)
class Call:
    """Call a task's resource; `context` is the context object of this attempt."""

    resource: str
    parameters: Any
    timeout: float
    context: Mapping[str, Any]


@dataclass(frozen=True)
class Map:
    """Run a child execution for each item that the reader finds, each with the input that `select` makes of it.

    If it does not tolerate failures, the first child that fails ends the others. Children are of `kind` STANDARD, or
    EXPRESS: then they end after five minutes, and cannot be redriven.
    """

    kind: str
    reader: Mapping[str, Any]
    processor: State
    select: Callable[[int, Any], Any]
    concurrency: int
    tolerates: bool


Effect = Wait | Call | Map


@dataclass
class Execution:
    """An execution: where it is, so that it can be redriven from there.

    `context` is the part of the context object that does not change, `now` tells the time as ISO 8601, and `jitter`
    chooses a delay of at most some seconds.
    """

    definition: State
    input: Any
    context: Mapping[str, Any]
    now: Callable[[], str]
    jitter: Callable[[float], float]
    state: str = ""
    entered: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        _check(self.definition)
        self.state = self.state or self.definition["StartAt"]

    def run(self) -> Generator[Effect, Any, Any]:
        """Go on at `state` with `input`, and return the output. Raises `Failed`."""
        while True:
            definition = self.definition["States"].get(self.state)
            if definition is None:
                raise NotInTheLanguage(f"there is no state {self.state}")
            self.entered.append(self.state)
            output, following = yield from self._enter(definition)
            if definition["Type"] in _MAKES_OUTPUT and len(json.dumps(output)) > _MOST_BYTES:
                raise Failed("States.DataLimitExceeded", f"the output of {self.state} is larger than 256 KiB")
            if following is None:
                return output
            self.state, self.input = following, output

    def _enter(self, state: State) -> Generator[Effect, Any, tuple[Any, str | None]]:
        context = {**self.context, "State": {"Name": self.state, "EnteredTime": self.now(), "RetryCount": 0}}
        kind = state["Type"]
        if kind in ("Task", "Map"):
            return (yield from self._try(state, context))
        data = _at(state.get("InputPath", "$"), self.input, context)
        following = state.get("Next")
        if kind == "Fail":
            raise Failed(*(_text_of(state, name, data, context) for name in ("Error", "Cause")))
        if kind == "Choice":
            chosen = [rule["Next"] for rule in state["Choices"] if _holds(rule, data, context)]
            if not chosen and "Default" not in state:
                raise Failed("States.NoChoiceMatched", f"{self.state} matches nothing")
            following = chosen[0] if chosen else state["Default"]
        elif kind == "Wait":
            yield _wait(state, data, context)
        elif kind == "Pass":
            result = state.get("Result", data)
            if "Parameters" in state:
                result = fill(state["Parameters"], data, context)
            data = _put(state.get("ResultPath", "$"), self.input, result)
        return _at(state.get("OutputPath", "$"), data, context), following

    def _try(self, state: State, context: dict[str, Any]) -> Generator[Effect, Any, tuple[Any, str | None]]:
        """Run a Task or a Map with its retriers and catchers."""
        data = _at(state.get("InputPath", "$"), self.input, context)
        attempts = [0] * len(state.get("Retry", []))
        while True:
            try:
                result = yield from self._work(state, data, context)
            except Failed as failed:
                retrier = _first_matching(state.get("Retry", []), failed.error)
                if retrier is not None and attempts[retrier] < state["Retry"][retrier].get("MaxAttempts", 3):
                    yield Wait(self._delay(state["Retry"][retrier], attempts[retrier]))
                    attempts[retrier] += 1
                    context = {**context, "State": {**context["State"], "RetryCount": sum(attempts)}}
                    continue
                catcher = _first_matching(state.get("Catch", []), failed.error)
                if catcher is None:
                    raise
                caught = state["Catch"][catcher]
                error = {"Error": failed.error, **({} if failed.cause is None else {"Cause": failed.cause})}
                return _put(caught.get("ResultPath", "$"), self.input, error), caught["Next"]
            if "ResultSelector" in state:
                result = fill(state["ResultSelector"], result, context)
            output = _put(state.get("ResultPath", "$"), self.input, result)
            return _at(state.get("OutputPath", "$"), output, context), state.get("Next")

    def _work(self, state: State, data: Any, context: Mapping[str, Any]) -> Generator[Effect, Any, Any]:
        if state["Type"] == "Task":
            if ".waitForTaskToken" in state["Resource"]:
                at = context["State"]
                token = f"{context['Execution']['Id']}/{at['Name']}/{at['EnteredTime']}/{at['RetryCount']}"
                context = {**context, "Task": {"Token": token}}
            parameters = fill(state["Parameters"], data, context) if "Parameters" in state else data
            return (yield Call(state["Resource"], parameters, state.get("TimeoutSeconds", 99_999_999), context))

        def select(index: int, item: Any) -> Any:
            if "ItemSelector" not in state:
                return item
            return fill(state["ItemSelector"], data, _of_item(context, index, item))

        processor = state["ItemProcessor"]
        if _mode(state) == "INLINE":
            results = []
            for index, item in enumerate(_as(list, _at(state.get("ItemsPath", "$"), data, context))):
                about = {**self.context, "Map": _of_item(context, index, item)["Map"]}
                iteration = Execution(processor, select(index, item), about, self.now, self.jitter)
                results.append((yield from iteration.run()))
            return results
        reader = {**state["ItemReader"], "Parameters": fill(state["ItemReader"]["Parameters"], data, context)}
        most = state["MaxConcurrency"] if "MaxConcurrency" in state else _at(state["MaxConcurrencyPath"], data, context)
        tolerates = state.get("ToleratedFailurePercentage", 0) == 100
        kind = processor["ProcessorConfig"]["ExecutionType"]
        return (yield Map(kind, reader, processor, select, most, tolerates))

    def _delay(self, retrier: State, attempt: int) -> float:
        delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** attempt
        delay = min(delay, retrier.get("MaxDelaySeconds", delay))
        return self.jitter(delay) if retrier.get("JitterStrategy") == "FULL" else delay


def _of_item(context: Mapping[str, Any], index: int, item: Any) -> dict[str, Any]:
    return {**context, "Map": {"Item": {"Index": index, "Value": item}}}


def _wait(state: State, data: Any, context: Mapping[str, Any]) -> Wait:
    if "Seconds" in state:
        return Wait(_as(int, state["Seconds"]))
    if "SecondsPath" in state:
        return Wait(_as(int, _at(state["SecondsPath"], data, context)))
    until = state["Timestamp"] if "Timestamp" in state else _at(state["TimestampPath"], data, context)
    return Wait(until=_as(str, until))


def _text_of(state: State, name: str, data: Any, context: Mapping[str, Any]) -> str:
    if f"{name}Path" in state:
        return str(_as(str, _at(state[f"{name}Path"], data, context)))
    return str(state[name])


def _first_matching(rules: Any, error: str) -> int | None:
    for number, rule in enumerate(rules):
        for name in rule["ErrorEquals"]:
            if name == error or (name == "States.ALL" and error not in _NOT_ALL):
                return number
            if name == "States.TaskFailed" and error not in ("States.Timeout", *_NOT_ALL):
                return number
    return None


_CHECKED: dict[int, State] = {}  # definitions by their id


def _check(definition: State) -> None:
    if id(definition) not in _CHECKED:
        _check_machine(definition, set())
        _CHECKED[id(definition)] = definition


def _check_machine(definition: State, names: set[str]) -> None:
    """Check a machine, or the processor of a Map in it. Names are unique in all of it."""
    _known(definition, _MACHINE | _PROCESSOR, "the machine")
    for name, state in definition["States"].items():
        if name in names:
            raise NotInTheLanguage(f"there are two states {name}")
        names.add(name)
        _check_state(name, state)
        if "ItemProcessor" in state:
            _check_machine(state["ItemProcessor"], names)


def _check_state(name: str, state: State) -> None:
    kind = _mode(state) if state["Type"] == "Map" else state["Type"]
    if kind not in _FIELDS:
        raise NotInTheLanguage(f"{name} is of the type {kind}")
    _known(state, _FIELDS[kind] | {"Type", "Comment"}, name)
    if kind == "INLINE" and state.get("MaxConcurrency") != 1:
        raise NotInTheLanguage(f"{name}, whose iterations overlap")
    if kind == "DISTRIBUTED" and state.get("ToleratedFailurePercentage", 0) not in (0, 100):
        raise NotInTheLanguage(f"{name}, which tolerates some failures")
    for retrier in state.get("Retry", []):
        _known(retrier, _RETRIER, f"a retrier of {name}")
    for catcher in state.get("Catch", []):
        _known(catcher, _CATCHER, f"a catcher of {name}")


def _mode(state: State) -> str:
    """Return the mode of a Map's processor, if it is one of the two."""
    config = dict(state["ItemProcessor"].get("ProcessorConfig", {}))
    mode = config.pop("Mode", "INLINE")
    kind = config.pop("ExecutionType", None)
    if config or (mode, kind) not in _PROCESSOR_CONFIGS:
        raise NotInTheLanguage(f"the ProcessorConfig {state['ItemProcessor']['ProcessorConfig']}")
    return str(mode)


def _known(document: Mapping[str, Any], names: set[str], what: str) -> None:
    if unknown := set(document) - names:
        raise NotInTheLanguage(f"{what} has {', '.join(sorted(unknown))}")


# Paths.

_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]")


@cache
def _steps(path: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            raise NotInTheLanguage(f"the path {path}")
        steps.append(found[1] if found[1] is not None else int(found[2]))
        at = found.end()
    return tuple(steps)


_NOTHING = object()


def _find(path: str, data: Any, context: Mapping[str, Any]) -> Any:
    if path.startswith("$$"):
        data, path = context, path[2:]
    elif path.startswith("$"):
        path = path[1:]
    else:
        raise NotInTheLanguage(f"the path {path}")
    for step in _steps(path):
        is_there = step in data if isinstance(data, Mapping) else isinstance(data, list) and step in range(len(data))
        if not is_there:
            return _NOTHING
        data = data[step]
    return data


def _at(path: str | None, data: Any, context: Mapping[str, Any]) -> Any:
    if path is None:
        return {}
    found = _find(path, data, context)
    if found is _NOTHING:
        raise NotInTheLanguage(f"the path {path} finds nothing in {json.dumps(data)[:500]}")
    return found


def _put(path: str | None, data: Any, result: Any) -> Any:
    """Return `data` with `result` at a ResultPath."""
    if path is None:
        return data
    if path == "$":
        return result
    steps = _steps(path[1:])
    changed = at = dict(_as(dict, data))
    for step in steps[:-1]:
        at[step] = at = dict(_as(dict, at.get(step, {})))
    at[steps[-1]] = result
    return changed


def _as(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise NotInTheLanguage(f"{json.dumps(value)[:200]} is no {kind.__name__}")
    return value


# Payload templates and intrinsic functions.


def fill(template: Any, data: Any, context: Mapping[str, Any]) -> Any:
    """Return a payload template with its values."""
    if isinstance(template, Mapping):
        return {
            name.removesuffix(".$"): (
                evaluate(_as(str, value), data, context) if name.endswith(".$") else fill(value, data, context)
            )
            for name, value in template.items()
        }
    if isinstance(template, list):
        return [fill(element, data, context) for element in template]
    return template


def evaluate(text: str, data: Any, context: Mapping[str, Any]) -> Any:
    """Return the value of a path or an intrinsic function."""
    if text.startswith("$"):
        return _at(text, data, context)
    value, rest = _argument(text, data, context)
    if rest:
        raise NotInTheLanguage(f"the expression {text}")
    return value


_LITERAL = re.compile(r"'((?:[^'\\]|\\.)*)'|(-?\d+(?:\.\d+)?)(?![\w.])|(true|false|null)(?!\w)")
_PATH = re.compile(r"\$[\w.$\[\]]*")


def _argument(text: str, data: Any, context: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the value of the argument that `text` begins with, and the rest of the text."""
    text = text.strip()
    if found := _LITERAL.match(text):
        value = re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else json.loads(found[0])
        return value, text[found.end() :].strip()
    if found := _PATH.match(text):
        return _at(found[0], data, context), text[found.end() :].strip()
    name, bracket, rest = text.partition("(")
    if name not in _INTRINSICS or not bracket:
        raise NotInTheLanguage(f"the expression {text}")
    arguments: list[Any] = []
    while not rest.strip().startswith(")"):
        value, rest = _argument(rest.strip().removeprefix(","), data, context)
        arguments.append(value)
    return _INTRINSICS[name](*arguments), rest.strip()[1:].strip()


def _format(template: str, *values: Any) -> str:
    parts = _as(str, template).split("{}")
    if len(parts) != len(values) + 1:
        raise NotInTheLanguage(f"States.Format of {template} with {len(values)} values")
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return "".join(part + text for part, text in zip(parts, [*texts, ""], strict=True))


def _string_to_json(text: str) -> Any:
    try:
        return json.loads(_as(str, text))
    except ValueError as error:
        raise NotInTheLanguage(f"States.StringToJson of {text[:200]}") from error


def _hash(text: str, algorithm: str) -> str:
    if algorithm != "SHA-256":
        raise NotInTheLanguage(f"States.Hash by {algorithm}")
    return hashlib.sha256(_as(str, text).encode()).hexdigest()


def _json_merge(one: Any, other: Any, deep: bool) -> Any:
    if deep is not False:
        raise NotInTheLanguage("States.JsonMerge, which can only be shallow")
    return {**_as(dict, one), **_as(dict, other)}


_INTRINSICS: Mapping[str, Callable[..., Any]] = {
    "States.Format": _format,
    "States.JsonToString": lambda value: json.dumps(value, separators=(",", ":")),
    "States.StringToJson": _string_to_json,
    "States.MathAdd": lambda one, other: _as(int, one) + _as(int, other),
    "States.Base64Decode": lambda text: base64.b64decode(_as(str, text)).decode(),
    "States.Hash": _hash,
    "States.JsonMerge": _json_merge,
}


# Choice rules.

_OPERATOR = re.compile(r"(String|Numeric|Boolean|Timestamp)(Equals|(?:Less|Greater)Than(?:Equals)?)(Path)?")
_TYPES: Mapping[str, Any] = {"String": str, "Numeric": (int, float), "Boolean": bool, "Timestamp": str}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda one, other: bool(one == other),
    "LessThan": lambda one, other: bool(one < other),
    "LessThanEquals": lambda one, other: bool(one <= other),
    "GreaterThan": lambda one, other: bool(one > other),
    "GreaterThanEquals": lambda one, other: bool(one >= other),
}


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """The pattern of StringMatches: an asterisk is for any text, and a backslash before one, or another, escapes it."""
    parts = re.findall(r"\\[\\*]|[^\\]", text, re.DOTALL)
    if "".join(parts) != text:
        raise NotInTheLanguage(f"the pattern {text}")
    return re.compile("".join(".*" if part == "*" else re.escape(part[-1]) for part in parts), re.DOTALL)


def _holds(rule: State, data: Any, context: Mapping[str, Any]) -> bool:
    operators = set(rule) - {"Variable", "Next", "Comment"}
    if len(operators) != 1:
        raise NotInTheLanguage(f"a choice rule with {sorted(operators)}")
    (operator,) = operators
    if operator == "And":
        return all(_holds(each, data, context) for each in rule["And"])
    if operator == "Or":
        return any(_holds(each, data, context) for each in rule["Or"])
    if operator == "Not":
        return not _holds(rule["Not"], data, context)
    if operator == "IsPresent":
        return (_find(rule["Variable"], data, context) is not _NOTHING) is rule["IsPresent"]
    if operator == "StringMatches":
        return _pattern(rule[operator]).fullmatch(_as(str, _at(rule["Variable"], data, context))) is not None
    found = _OPERATOR.fullmatch(operator)
    if found is None:
        raise NotInTheLanguage(f"the operator {operator}")
    kind, how, by_path = found.groups()
    value, other = _at(rule["Variable"], data, context), rule[operator]
    if by_path:
        other = _at(other, data, context)
    for each in (value, other):
        if not isinstance(each, _TYPES[kind]) or (kind == "Numeric" and isinstance(each, bool)):
            raise NotInTheLanguage(f"{operator} of {json.dumps(each)[:200]}")
    return _COMPARE[how](value, other)
