"""A deployment in virtual time: both state machines, the real handlers, and the services that they call, in memory.

Everything happens in an order that one random number generator decides. `Faults` says what goes wrong.
"""

from __future__ import annotations

import gzip
import heapq
import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

import fail_run
import fetch_page
import finish_run
import plan_long_targets
import plan_run
import publish_part
import publish_run
import report_run
import stop_run
from pageturner import clients, telemetry
from pageturner.crawls import starts
from pageturner.crawls.crawl import Crawl
from pageturner.errors import PageturnerError
from pageturner.finish.progress import LIMITS, Limits
from pageturner.publish import page_files
from pageturner.stores import item_table
from tests.conftest import ACCOUNT, REGION, LambdaContext
from tests.fake_glue import FakeEvents, FakeGlue, FakeSns
from tests.fakes import FakeDynamoDB, FakePaginator, FakeS3, client_error
from tests.machines import states
from tests.machines.clock import Clock, virtual_time
from tests.machines.invocations import Killed, Worker
from tests.machines.publishing_services import InlineExecutor, connect
from tests.machines.service import Service
from tests.machines.states import Call, Failed, Map, NotInTheLanguage, Wait

HANDLERS: Mapping[str, ModuleType] = {
    "fail_run": fail_run,
    "fetch_page": fetch_page,
    "finish_run": finish_run,
    "plan_long_targets": plan_long_targets,
    "plan_run": plan_run,
    "publish_part": publish_part,
    "publish_run": publish_run,
    "report_run": report_run,
    "stop_run": stop_run,
}
# What the caller of an invocation hears that was given up, and goes on; and of one that was killed.
GIVEN_UP = (
    "Lambda.ServiceException",
    "Lambda.SdkClientException",
    "Lambda.Unknown",
    "Lambda.ClientExecutionTimeoutException",
)
KILLED = ("Runtime.ExitError", "Lambda.Unknown", "Sandbox.Timedout")
# A schedule that has not come to rest by then never will.
MOST_EXECUTIONS = 60
MOST_SECONDS = 14 * 24 * 3600
FAULTS = ("fails before", "fails after", "killed before", "killed after", "given up", "given up")
_WRITES = ("put", "update", "delete", "transact", "batch_write")
# What happens to an Express child: it runs twice; the Map hears of a failure, though it goes on, or never began; it
# times out in the middle.
CHILD_FAULTS = ("repeated", "repeated", "lost", "never begun", "timed out")
EXPRESS_SECONDS = 300
Settle = Callable[[Any], None]


class Violation(AssertionError):  # noqa: N818 - not a mistake, but what a test finds
    """A rule is broken."""


@dataclass(frozen=True)
class Definitions:
    """Both machines and the functions, as the template has them."""

    crawl: states.State
    page_loop: states.State
    functions: Mapping[str, tuple[str, float]]  # by logical id: the handler's module, and the timeout
    hand_overs: int

    @classmethod
    def of_template(
        cls, resources: Mapping[str, Any], crawl: states.State, page_loop: states.State, hand_overs: int
    ) -> Definitions:
        functions = {
            name: (resource["Properties"]["Handler"].removesuffix(".handler"), float(resource["Properties"]["Timeout"]))
            for name, resource in resources.items()
            if resource["Type"] == "AWS::Lambda::Function"
            and resource["Properties"].get("Handler", "x").split(".")[0] in HANDLERS
        }
        return cls(crawl, page_loop, functions, hand_overs)


@dataclass
class Faults:
    """What goes wrong at requests and invocations: at most `budget` times, in functions with a likelihood above 0."""

    rng: random.Random
    budget: int = 0
    likelihood: Mapping[str, float] = field(default_factory=dict)
    kinds: tuple[str, ...] = FAULTS
    # Of giving up an invocation, in seconds: for how long it pauses before it goes on.
    pauses: tuple[float, ...] = (1, 10, 70, 150, 400, 900)
    late_events: bool = False
    old_answers: bool = False  # of Step Functions, about what has just ended
    on_give_up: Callable[[], None] = lambda: None
    deaths: tuple[str, ...] = KILLED
    operations: frozenset[str] = frozenset()  # to which requests of functions it happens; empty: to all

    def strikes(self, where: str, times: float = 1) -> bool:
        """Whether something goes wrong here; it is some times as likely as usual."""
        if self.budget <= 0 or self.rng.random() >= times * self.likelihood.get(where, 0.0):
            return False
        self.budget -= 1
        return True

    def of_a_child(self, _: Any) -> str:
        """What happens to the Express child with this input, if something does."""
        return self.rng.choice(CHILD_FAULTS) if self.strikes("ShortTargets") else ""

    def pause(self) -> float:
        return self.rng.choice(self.pauses) * self.rng.random()


class Process:
    """An execution of a state machine: of Crawl, of one of its targets (a child), or of PageLoop."""

    def __init__(
        self, world: World, arn: str, definition: states.State, given: Any, on_end: Callable[[Process], None]
    ) -> None:
        self.world, self.arn, self.input, self._on_end = world, arn, given, on_end
        self.status = "RUNNING"
        self.output: Any = None
        self.failure: Failed | None = None
        self.began = self.driven_since = self.ended_at = world.clock.now
        self.redrives = 0
        self.children: dict[int, Process] = {}  # of the Map that it is in
        self._inputs: list[Any] = []
        self._succeeded: set[int] = set()
        context = {
            "Execution": {"Id": arn, "StartTime": world.clock.text(), "Input": given, "RedriveCount": 0},
            "StateMachine": {"Id": "Crawl"},
        }
        self.machine = states.Execution(
            definition, given, context, world.clock.text, lambda most: world.rng.random() * most
        )
        self._turn = 0
        self._goes_on = False  # with the children that there are
        self._running = self.machine.run()
        if "TimeoutSeconds" in definition:
            self.end_after(definition["TimeoutSeconds"])
        world.after(0, partial(self._go_on, 0, None))

    def end_after(self, seconds: float) -> None:
        """Time out then."""
        self.world.after(seconds, partial(self.end, "TIMED_OUT"), lambda: self.status == "RUNNING")

    @property
    def state(self) -> str:
        return self.machine.state

    def _go_on(self, turn: int, value: Any) -> None:
        """Send a result to the machine, or throw a `Failed`, if it still waits for it."""
        if self.status != "RUNNING" or turn != self._turn:
            return
        self._turn += 1
        self._goes_on, goes_on = False, self._goes_on
        try:
            effect = self._running.throw(value) if isinstance(value, Failed) else self._running.send(value)
        except StopIteration as ended:
            self.output = ended.value
            self.end("SUCCEEDED")
        except Failed as failed:
            self.failure = failed
            self.end("FAILED")
        else:
            self._goes_on = goes_on and isinstance(effect, Map)
            self._do(effect, partial(self._go_on, self._turn))

    def _do(self, effect: states.Effect, settle: Settle) -> None:
        world = self.world
        if isinstance(effect, Wait):
            seconds = effect.seconds
            if effect.until is not None:
                # Step Functions truncates the timestamp of a Wait to seconds.
                seconds = int(datetime.fromisoformat(effect.until).timestamp()) - world.clock.now
            world.after(max(0.0, seconds), partial(settle, None))
        elif isinstance(effect, Map):
            self._map(effect, settle)
        else:
            turn = self._turn
            is_waiting = lambda: self.status == "RUNNING" and self._turn == turn  # noqa: E731
            world.after(effect.timeout, partial(settle, Failed("States.Timeout", "")), only_if=is_waiting)
            world.call(self, effect, settle, is_waiting)

    def _map(self, effect: Map, settle: Settle) -> None:
        world = self.world
        if self._goes_on:
            waiting = [index for index in range(len(self._inputs)) if index not in self._succeeded]
        else:
            items = json.loads(world.s3.objects[effect.reader["Parameters"]["Key"]].body)
            world.on_map(self, items)
            waiting = list(range(len(items)))
            self._inputs = [effect.select(index, item) for index, item in enumerate(items)]
            self.children, self._succeeded = {}, set()
        left, turn = len(waiting), self._turn

        def ended(index: int, failure: str) -> None:
            nonlocal left
            if self._turn != turn:  # it was stopped
                return
            left -= 1
            if not failure:
                self._succeeded.add(index)
            if failure and not effect.tolerates:
                waiting.clear()
                if self.status == "RUNNING" and left >= 0:
                    left = -1
                    for other in self.children.values():
                        other.end("ABORTED")
                    settle(Failed("States.ExceedToleratedFailureThreshold", failure))
            elif left == 0:
                settle({})
            elif waiting:
                start()

        def start() -> None:
            index = waiting.pop(0)
            if effect.kind == "EXPRESS":
                self._start_express(index, effect.processor, partial(ended, index))
                return

            def child_ended(child: Process) -> None:
                ended(index, "" if child.status == "SUCCEEDED" else str(child.failure))

            if index in self.children:
                self.children[index].redrive(child_ended)
            else:
                self.children[index] = Process(
                    world, f"{self.arn}/{index}", effect.processor, self._inputs[index], child_ended
                )

        if not waiting:
            settle({})
        for _ in range(min(effect.concurrency, len(waiting))):
            start()

    def _start_express(self, index: int, definition: states.State, ended: Callable[[str], None]) -> None:
        """Start an Express child. The Map hears once how it ended, which need not be true; a redrive starts another."""
        world, given = self.world, self._inputs[index]
        how = world.faults.of_a_child(given)

        def begin(on_end: Callable[[Process], None]) -> Process:
            arn = f"{self.arn}/short-{index}-{next(world.numbers)}"
            process = Process(world, arn, definition, given, on_end)
            process.end_after(EXPRESS_SECONDS)
            return process

        def child_ended(child: Process) -> None:
            ended("" if child.status == "SUCCEEDED" else child.status)

        if how:
            world.say(self.arn, f"its child {index} is {how}")
        if how in ("lost", "never begun"):
            if how == "lost":
                begin(lambda _: None)
            world.after(world.faults.pause() / 10, partial(ended, how))
            return
        self.children[index] = begin(child_ended)
        if how == "timed out":
            self.children[index].end_after(world.rng.random() * world.rng.choice((5, 50, EXPRESS_SECONDS)))
        elif how == "repeated":
            begin_again: Callable[[], Any] = partial(begin, lambda _: None)
            world.after(world.faults.pause(), begin_again)

    def end(self, status: str) -> None:
        """End, and stop the children. What was started otherwise goes on."""
        if self.status != "RUNNING":
            return
        self.status, self.ended_at = status, self.world.clock.now
        self._turn += 1
        for child in self.children.values():
            child.end("ABORTED")
        self.world.say(self.arn, f"{status} in {self.state}" + (f": {self.failure}"[:120] if self.failure else ""))
        self._on_end(self)

    def status_as_told(self) -> str:
        """What Step Functions says, which may be a moment old."""
        is_old = self.world.faults.old_answers and self.world.clock.now < self.ended_at + 1
        return "RUNNING" if is_old else self.status

    def redrive(self, on_end: Callable[[Process], None] | None = None) -> None:
        """Go on in the state in which the execution failed or was stopped."""
        assert self.status not in ("RUNNING", "SUCCEEDED")
        self.status, self.failure = "RUNNING", None
        self.redrives += 1
        self.driven_since = self.world.clock.now
        self._goes_on = self.machine.definition["States"][self.state]["Type"] == "Map"
        execution = {**self.machine.context["Execution"], "RedriveCount": self.redrives}
        self.machine.context = {**self.machine.context, "Execution": execution}
        self._on_end = on_end or self._on_end
        self._running = self.machine.run()
        self.world.say(self.arn, f"redriven in {self.state}")
        if self.arn in self.world.executions:
            self.world.tell_of(self)
        self.world.after(0, partial(self._go_on, self._turn, None))


class Invocation:
    """An invocation of a handler. `settle` hears its result, unless nobody waits for it."""

    def __init__(self, world: World, module: str, timeout: float, event: Any, settle: Settle) -> None:
        self.world, self.module, self.settle = world, module, settle
        self.ends = world.clock.now + timeout
        self._event = json.dumps(event)
        self.is_lost = False
        self._number = next(world.numbers)
        self._is_killed = False
        self._worker = Worker.begin(self._run)
        self.is_over = False
        world.invocations.add(self)

    @property
    def name(self) -> str:
        return f"{self.module}-{self._number}"

    def resume(self) -> None:
        """Take a turn. Runs in the world's thread."""
        before, self.world.current = self.world.current, self
        self._worker.take_turn()
        self.world.current = before
        if self.world.broken is not None:
            raise self.world.broken

    def kill(self) -> None:
        """End at once."""
        self._is_killed = True
        if not self.is_over:
            self.resume()

    def pause(self, seconds: float) -> None:
        """Let everything happen that comes before now and `seconds`. Runs in the invocation's thread."""
        if not self.world.skip(seconds):
            self.world.after(seconds, self.resume)
            self._worker.pass_turn()
        if self._is_killed:
            raise Killed

    def give_up(self, error: str) -> None:
        """Nobody waits for the result any more; the invocation goes on."""
        self.is_lost = True
        self.world.after(0, partial(self.settle, Failed(error, "given up")))

    def _run(self) -> None:
        result: Any
        try:
            result = json.loads(json.dumps(HANDLERS[self.module].handler(json.loads(self._event), LambdaContext())))
        except Killed as killed:
            result = Failed(
                str(killed) or "Sandbox.Timedout", json.dumps({"errorType": "killed", "errorMessage": "killed"})
            )
        except (PageturnerError, ClientError) as error:
            kind = type(error).__name__
            result = Failed(kind, json.dumps({"errorMessage": str(error), "errorType": kind, "stackTrace": []}))
        except BaseException as error:  # noqa: BLE001 - a mistake, in the handler or in this world
            self.world.broken = error
            result = None
        self.is_over = True
        self.world.invocations.discard(self)
        if not self._is_killed:
            if isinstance(result, Failed):
                self.world.say(self.name, str(result)[:120])
            if not self.is_lost:
                self.world.after(0, partial(self.settle, result))


class Client:
    """A client whose every request is a place where the invocation can be suspended, fail, or be killed."""

    # What a request costs, nobody says here.
    meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_: None))

    def __init__(self, world: World, name: str, service: Any) -> None:
        self._world, self._name, self._service = world, name, service

    def __getattr__(self, operation: str) -> Any:
        if operation == "get_paginator":
            return lambda of: FakePaginator(getattr(self, of))
        request = getattr(self._service, operation)
        return partial(self._world.request, self._name, operation, request)


class StepFunctions:
    """What the functions ask of Step Functions."""

    def __init__(self, world: World) -> None:
        self._world = world

    def describe_execution(self, *, executionArn: str, includedData: str) -> dict[str, Any]:
        if executionArn not in self._world.executions:
            raise client_error("ExecutionDoesNotExist", "DescribeExecution")
        process = self._world.executions[executionArn]
        return {"status": process.status_as_told(), "redriveCount": process.redrives}

    def send_task_success(self, *, taskToken: str, output: str) -> dict[str, Any]:
        self._settle(taskToken, json.loads(output))
        return {}

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> dict[str, Any]:
        self._settle(taskToken, Failed(error, cause))
        return {}

    def _settle(self, token: str, value: Any) -> None:
        settle, is_waiting = self._world.tokens.pop(token, (None, lambda: False))
        if settle is None or not is_waiting():
            raise client_error("TaskTimedOut", "SendTask")
        self._world.after(0, partial(settle, value))


class World:
    """A deployment, and everything that happens in it."""

    def __init__(self, definitions: Definitions, rng: random.Random, catalogue: Mapping[str, Any]) -> None:
        self.definitions, self.rng = definitions, rng
        self.clock = Clock()
        self.s3, self.dynamodb = FakeS3(), FakeDynamoDB()
        self.pages_refused_until = 0.0
        self.service = Service(self.clock)
        self.glue, self.events, self.sns = FakeGlue("database"), FakeEvents(), FakeSns()
        self.faults = Faults(rng)
        self.latency = 0.02
        self.catalogue = {name: Crawl.from_dict({"name": name, **entry}) for name, entry in catalogue.items()}
        self.executions: dict[str, Process] = {}
        self.named: dict[str, Process] = {}
        self.tokens: dict[str, tuple[Settle, Callable[[], bool]]] = {}
        self.invocations: set[Invocation] = set()
        self.current: Invocation | None = None
        self.broken: BaseException | None = None
        self.story: list[tuple[float, str, str]] = []
        self.numbers = iter(range(1, 10**9))
        self.lost_events = 0
        self.on_start: Callable[[Process, Process | None], None] = lambda *_: None
        self.on_end: Callable[[Process], None] = lambda _: None
        self.on_map: Callable[[Process, list[Any]], None] = lambda *_: None
        self.on_page_loop: Callable[[Mapping[str, Any]], None] = lambda _: None
        self.on_verdict: Callable[[Process, Any], None] = lambda *_: None  # that was recorded, and the one before
        self.on_request: Callable[[str, str, Mapping[str, Any]], None] = lambda *_: None  # that has taken effect
        self._happening: list[tuple[float, int, Callable[[], None], Callable[[], bool] | None]] = []
        self._clients: dict[tuple[str, bool], Client] = {}

    # Time.

    def after(self, seconds: float, what: Callable[[], None], only_if: Callable[[], bool] | None = None) -> None:
        """Do something after some seconds; time does not pass for something that need not be done any more."""
        heapq.heappush(self._happening, (self.clock.now + seconds, next(self.numbers), what, only_if))

    def skip(self, seconds: float) -> bool:
        """Let time pass if nothing happens meanwhile."""
        while self._happening and self._happening[0][0] <= self.clock.now + seconds:
            only_if = self._happening[0][3]
            if only_if is None or only_if():
                return False
            heapq.heappop(self._happening)
        self.clock.now += seconds
        return True

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Let everything happen, until nothing is left."""
        began = self.clock.now
        while self._happening and not until():
            at, _, what, only_if = heapq.heappop(self._happening)
            if only_if is not None and not only_if():
                continue
            self.clock.now = max(self.clock.now, at)
            what()
            if self.clock.now - began > MOST_SECONDS or len(self.executions) > MOST_EXECUTIONS:
                raise Violation(f"it does not end: {len(self.executions)} executions in {self.clock.now - began:.0f} s")

    def say(self, who: str, what: str) -> None:
        self.story.append((self.clock.now, who, what))

    # Executions.

    def start(self, given: Any, after: Process | None = None, name: str | None = None) -> Process:
        """Start an execution of Crawl, perhaps one in which the run of another one continues."""
        arn = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:Crawl:{name or len(self.executions) + 1}"
        self.say(arn, f"starts with {json.dumps(given)}")
        process = self.executions[arn] = Process(self, arn, self.definitions.crawl, given, self._ended)
        self.on_start(process, after)
        return process

    def stop(self, process: Process) -> None:
        """StopExecution."""
        process.end("ABORTED")

    def _ended(self, process: Process) -> None:
        self.tell_of(process)
        self.on_end(process)

    def tell_of(self, process: Process) -> None:
        """Send the event that says how an execution is."""
        about = {"status": process.status, "redriveCount": process.redrives, "input": json.dumps(process.input)}
        detail = {"executionArn": process.arn, **about}
        how = self.rng.choice(("soon", "soon", "late", "twice", "lost")) if self.faults.late_events else "soon"
        self.lost_events += how == "lost"
        if how != "lost":
            self.after(
                self.rng.random() * (900 if how == "late" else 2), partial(self._stop_run, {"detail": detail}, 3)
            )
        if how == "twice":
            self.after(self.rng.random() * 900, partial(self._stop_run, {"detail": detail}, 3))

    def _stop_run(self, event: Any, attempts: int) -> None:
        def settle(result: Any) -> None:
            if isinstance(result, Failed) and attempts > 1:
                self.after(60, partial(self._stop_run, event, attempts - 1))
            self.lost_events += isinstance(result, Failed) and attempts == 1

        ((module, timeout),) = [each for each in self.definitions.functions.values() if each[0] == "stop_run"]
        self._invoke(module, timeout, event, settle)

    # Tasks.

    def call(self, process: Process, call: Call, settle: Settle, is_waiting: Callable[[], bool]) -> None:
        """Do a task."""
        resource = call.resource.rpartition(":states:::")[2]
        parameters = call.parameters
        if resource in self.definitions.functions:
            self._invoke(*self.definitions.functions[resource], parameters, settle)
        elif resource == "lambda:invoke.waitForTaskToken":
            self.tokens[call.context["Task"]["Token"]] = settle, is_waiting

            def invoked(result: Any) -> None:
                if isinstance(result, Failed):
                    settle(result)

            self._invoke(*self.definitions.functions[parameters["FunctionName"]], parameters["Payload"], invoked)
        elif resource == "aws-sdk:sfn:startSyncExecution":
            self.on_page_loop(json.loads(parameters["Input"]))
            self._start_page_loop(process, parameters, settle)
        elif resource == "states:startExecution":
            self._direct("StartExecution", partial(self._start_execution, process, **parameters), settle)
        elif resource == "dynamodb:putItem":
            self._direct("put_item", partial(self._put_verdict, process, {**parameters, "TableName": "runs"}), settle)
        elif resource == "aws-sdk:dynamodb:query":
            self._direct("query", partial(self.dynamodb.query, **{**parameters, "TableName": "runs"}), settle)
        else:
            raise NotInTheLanguage(f"the resource {call.resource}")

    def _start_execution(
        self, process: Process, StateMachineArn: str, Input: Any, Name: str | None = None
    ) -> dict[str, Any]:
        """StartExecution, which starts none if one of the name and with the input is running."""
        if Name is not None and Name in self.named:
            if self.named[Name].status != "RUNNING" or self.named[Name].input != Input:
                raise client_error("ExecutionAlreadyExists", "StartExecution")
            return {"ExecutionArn": self.named[Name].arn}
        started = self.start(Input, process, Name)
        if Name is not None:
            self.named[Name] = started
        return {"ExecutionArn": started.arn}

    def _put_verdict(self, process: Process, request: dict[str, Any]) -> Any:
        key = request["Item"]["pk"]["S"], request["Item"]["sk"]["S"]
        before = self.dynamodb.tables["runs"].get(key)
        answer = self.dynamodb.put_item(**request)
        self.on_verdict(process, before)
        return answer

    def _direct(self, what: str, request: Callable[[], Any], settle: Settle) -> None:
        """Do what a task asks of a service, or fail before or after it took effect."""

        def done() -> None:
            try:
                how = self.rng.choice(("before", "after")) if self.faults.strikes(what) else ""
                if how:
                    self.say(what, f"fails {how} it takes effect")
                result = request() if how != "before" else None
            except ClientError as error:
                code = error.response["Error"]["Code"]
                service = "StepFunctions" if what == "StartExecution" else "DynamoDB"
                settle(Failed(f"{service}.{code.removesuffix('Exception')}Exception", code))
            else:
                settle(Failed("Service.InternalError", "failed") if how else result)

        self.after(self.rng.random() * self.latency, done)

    def _start_page_loop(self, process: Process, parameters: Mapping[str, Any], settle: Settle) -> None:
        arn = f"PageLoop-{next(self.numbers)} of {process.arn.rpartition(':')[2]}"

        def ended(loop: Process) -> None:
            answer: dict[str, Any] = {"ExecutionArn": arn, "Status": loop.status, "Input": parameters["Input"]}
            if loop.status == "SUCCEEDED":
                answer["Output"] = json.dumps(loop.output)
            elif loop.failure is not None:
                answer |= {"Error": loop.failure.error, "Cause": loop.failure.cause}
            settle(answer)

        Process(self, arn, self.definitions.page_loop, json.loads(parameters["Input"]), ended)
        if self.faults.strikes("PageLoop"):
            # The caller loses the loop, which goes on.
            self.say(arn, "is lost")
            lost = Failed(self.rng.choice(("Sfn.SdkClientException", "States.Timeout")), "lost")
            self.after(self.faults.pause(), partial(settle, lost))

    def _invoke(self, module: str, timeout: float, event: Any, settle: Settle) -> None:
        invocation = Invocation(self, module, timeout, event, settle)
        self.after(self.rng.random() * self.latency, invocation.resume)
        if self.faults.strikes(f"twice {module}"):
            delay = self.faults.pause()
            self.say(invocation.name, f"is delivered again in {delay:.0f} s")
            again = Invocation(self, module, timeout + delay, event, lambda _: None)
            again.is_lost = True
            self.after(delay, again.resume)

    # Requests of the functions.

    def client(self, service: str, region: str | None = None, account: str | None = None) -> Client:
        """In place of `pageturner.clients.client`."""
        own = region is None
        if (service, own) not in self._clients:
            made = (
                {"s3": self.s3, "dynamodb": self.dynamodb, "glue": self.glue, "events": self.events, "sns": self.sns}
                if own
                else dict.fromkeys(("s3", "cloudwatch"), self.service)
            )
            found = StepFunctions(self) if service == "stepfunctions" else made[service]
            self._clients[service, own] = Client(self, service if own else "crawled", found)
        return self._clients[service, own]

    def request(self, service: str, operation: str, request: Callable[..., Any], **arguments: Any) -> Any:
        """Make a request of the current invocation, which something else may overtake. Runs in its thread."""
        invocation = self.current
        assert invocation is not None
        how = ""
        # What is written late does more harm than what is read late.
        times = 3 if operation.startswith(_WRITES) else 1
        is_hit = operation in self.faults.operations or not self.faults.operations
        if is_hit and not invocation.is_lost and self.faults.strikes(invocation.module, times):
            how = self.rng.choice(self.faults.kinds)
            self.say(invocation.name, f"{how} at {service}.{operation}")
        seconds = self.rng.random() * self.latency
        if how == "given up":
            invocation.give_up(self.rng.choice(GIVEN_UP))
            seconds = self.faults.pause()
            self.faults.on_give_up()
        invocation.pause(seconds)
        if self.clock.now > invocation.ends and not invocation.is_lost:
            raise Killed("Sandbox.Timedout")
        if how == "killed before":
            raise Killed(self.rng.choice(self.faults.deaths))
        is_refused = self.clock.now < self.pages_refused_until and "items/" in arguments.get("Key", "")
        if how == "fails before" or is_refused:
            raise client_error("InternalServerError", operation)
        try:
            answer = request(**arguments)
            self.on_request(service, operation, arguments)
        except ClientError:
            raise
        except Exception as error:
            self.broken = error
            raise
        if how == "killed after":
            raise Killed(self.rng.choice(self.faults.deaths))
        if how == "fails after":
            raise client_error("InternalServerError", operation)
        return answer

    def lines(self, key: str) -> list[dict[str, Any]]:
        """The lines of a page object."""
        if key not in self.s3.objects:
            raise Violation(f"there is no {key}")
        return [json.loads(line) for line in gzip.decompress(self.s3.objects[key].body).splitlines()]

    def whole_manifest(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """A manifest with its files and targets, which may be in parts."""
        whole = dict(manifest)
        for name, parts in (("files", "file_parts"), ("targets", "target_parts")):
            if parts in whole:
                whole[name] = [line for part in whole.pop(parts) for line in self.lines(part["key"])]
        return whole

    def close(self) -> None:
        """End what is left of the invocations."""
        self.broken = None
        for invocation in list(self.invocations):
            invocation.kill()


@contextmanager
def installed(world: World, loop_seconds: float, most_rows: int, limits: Limits = LIMITS) -> Iterator[None]:
    """Let the handlers work in this world."""
    level = telemetry.logger.log_level
    with pytest.MonkeyPatch.context() as patch, virtual_time(world.clock):
        environment = {"ITEMS_BUCKET": "bucket", "ITEMS_TABLE": "items", "RUNS_TABLE": "runs", "ACCOUNT": ACCOUNT}
        for name, value in {**environment, "AWS_REGION": REGION, "LOOP_SECONDS": str(loop_seconds)}.items():
            patch.setenv(name, value)
        patch.setenv("DATABASE", "database")
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Stack")
        patch.setenv("NOTICES_TOPIC", "topic")
        patch.setenv("MOST_ROWS", str(most_rows))
        patch.setattr(finish_run, "LIMITS", limits)
        patch.setattr("pageturner.publish.database.duckdb.connect", connect)
        for module in (page_files, item_table):
            patch.setattr(module, "ThreadPoolExecutor", InlineExecutor)
        patch.setattr(clients, "client", world.client)
        patch.setattr(clients, "client_that_asks_once", world.client)
        patch.setattr(plan_run, "_catalogue", lambda: world.catalogue)
        patch.setattr(telemetry, "count", lambda *_: None)
        patch.setattr(starts, "wrong_timezone", lambda _: None)  # it reads hundreds of files
        forget()
        telemetry.logger.setLevel("CRITICAL")
        try:
            yield
        finally:
            world.close()
            telemetry.logger.setLevel(level)
            forget()


def forget() -> None:
    """Forget what the functions keep from one invocation to the next."""
    for kept in (fetch_page._page_step, fetch_page._stop_check, publish_run.publisher):
        kept.cache_clear()
