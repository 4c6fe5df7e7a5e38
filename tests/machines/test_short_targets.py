"""What ShortTargets leaves is finished by LongTargets, whatever happens to its Express children."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.fakes import client_error
from tests.machines.audit import Auditor
from tests.machines.breaks import Break, broken_definitions, short_verdicts_without_condition
from tests.machines.invocations import Killed
from tests.machines.service import Bucket
from tests.machines.world import Definitions, Faults, Process, Violation, World, installed

BUCKETS = [f"b{number}" for number in range(1, 11)]
KEYS = "abcdefg"
LOOP_SECONDS = 225


@dataclass
class ChildFaults(Faults):
    """Something happens to the first Express child, and to no other."""

    how: str = ""

    def of_a_child(self, _: Any) -> str:
        how, self.how = self.how, ""
        return how


@dataclass
class Run:
    """A run of a crawl of some buckets, in batches of all of them, with the requests that it made."""

    world: World
    auditor: Auditor
    listed: list[str] = field(default_factory=list)  # the buckets, of each page
    loops: list[str] = field(default_factory=list)  # the target of each PageLoop
    maps: dict[str, list[Any]] = field(default_factory=dict)  # what each Map has read first
    at: Callable[[str, Process], None] = lambda *_: None  # a request that lists this bucket

    def __post_init__(self) -> None:
        on_request, on_map, on_page_loop = self.world.on_request, self.world.on_map, self.world.on_page_loop

        def at_a_request(service: str, operation: str, arguments: Any) -> None:
            on_request(service, operation, arguments)
            if operation == "list_objects_v2":
                self.listed.append(arguments["Bucket"])
                self.at(arguments["Bucket"], self.process)

        def at_a_map(process: Process, items: Any) -> None:
            on_map(process, items)
            self.maps.setdefault(process.state, items)

        def at_a_page_loop(state: Any) -> None:
            on_page_loop(state)
            self.loops.append(state["target"]["parameters"]["Bucket"])

        self.world.on_request, self.world.on_map, self.world.on_page_loop = at_a_request, at_a_map, at_a_page_loop

    def start(self) -> Process:
        self.process = self.world.start({"crawl": "c"})
        return self.process

    def plays(self) -> Process:
        """Play the run to its end; it is audited."""
        process = self.start()
        self.world.run()
        self.auditor.at_rest()
        return process

    @property
    def children(self) -> list[Process]:
        """The Express children of ShortTargets that the Map waits for."""
        return list(self.process.children.values())

    @property
    def left(self) -> list[str]:
        """The buckets that ShortTargets has left."""
        return [target["parameters"]["Bucket"] for target in self.maps.get("LongTargets", [])]

    def verdicts(self, process: Process) -> dict[str, str]:
        manifest = json.loads(self.world.s3.objects[f"runs/{self.run_id(process)}/manifest.json"].body)
        return {each["parameters"]["Bucket"]: each["verdict"] for each in manifest["targets"]}

    def run_id(self, process: Process) -> str:
        return str(self.auditor.runs[process.arn])

    def records(self, kind: str) -> dict[str, Any]:
        """The records of this kind of all runs, by their name."""
        rows = self.world.dynamodb.tables.get("runs", {})
        return {sk: row for (_, sk), row in rows.items() if sk.startswith(f"{kind}#")}


Runs = Callable[..., Run]


@pytest.fixture
def run_of(definitions: Definitions) -> Iterator[Runs]:
    """Makes a run of buckets with this many keys each, one batch of them, whose requests last up to some seconds."""
    with ExitStack() as stack:

        def make(
            sizes: Mapping[str, int], seconds: float = 0.02, how: str = "", broken: Break | None = None, **crawl: Any
        ) -> Run:
            each = {"list": [{"Bucket": bucket} for bucket in sizes]}
            asked: dict[str, Any] = {"service": "s3", "operation": "list_objects_v2", "key": "Key", "for_each": each}
            asked |= {"pagination_config": {"PageSize": 2}, "max_concurrency": 1, "deadline_hours": 0.5, **crawl}
            rng = random.Random(1)
            world = World(broken_definitions(definitions, broken) if broken else definitions, rng, {"c": asked})
            world.latency = seconds
            world.faults = ChildFaults(rng, how=how, pauses=(100,))
            for bucket, size in sizes.items():
                made = world.service.buckets[bucket] = Bucket()
                for key in KEYS[:size]:
                    made.put(key, 0)
            stack.enter_context(installed(world, LOOP_SECONDS, most_rows=1000))
            return Run(world, Auditor(world))

        yield make


def complete(buckets: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(buckets, "complete")


def test_a_batch_whose_targets_are_short_ends_in_its_child(run_of: Runs) -> None:
    run = run_of(dict.fromkeys(BUCKETS, 3))
    process = run.plays()
    assert run.verdicts(process) == complete(BUCKETS)
    assert [len(batch["targets"]) for batch in run.maps["ShortTargets"]] == [10]
    assert (run.left, run.loops) == ([], [])
    assert run.listed == sorted(BUCKETS * 2, key=BUCKETS.index)
    assert "LongTargets" not in process.machine.entered


def test_behind_a_child_that_dies_the_rest_of_its_batch_is_finished(run_of: Runs) -> None:
    run = run_of(dict.fromkeys(BUCKETS, 3))

    def dies(bucket: str, process: Process) -> None:
        if bucket == "b5" and run.listed.count("b5") == 1:
            run.world.after(0, lambda: process.children[0].end("FAILED"))
            raise Killed("Runtime.ExitError")

    run.at = dies
    process = run.plays()
    assert run.left == run.loops == BUCKETS[4:]
    assert run.verdicts(process) == complete(BUCKETS)
    # The page that was fetched when the function died was not written.
    assert Counter(run.listed) == {**dict.fromkeys(BUCKETS, 2), "b5": 3}


@pytest.mark.parametrize("how", ["lost", "never begun", "timed out", "repeated"])
def test_whatever_becomes_of_a_child_each_page_is_listed_once(run_of: Runs, how: str) -> None:
    run = run_of(dict.fromkeys(BUCKETS, 3), seconds=2, how=how)
    process = run.plays()
    assert process.status == "SUCCEEDED"
    assert run.verdicts(process) == complete(BUCKETS)
    assert Counter(run.listed) >= Counter(BUCKETS * 2)
    if how == "never begun":
        assert run.left == BUCKETS
    elif how == "repeated":
        assert run.left == []
    else:
        # The first targets had ended, or another one was under way.
        assert run.left == BUCKETS[-len(run.left) :]
        assert run.left


def a_late_copy_comes_to_another_verdict(run: Run) -> tuple[Any, Any]:
    """The verdict of LongTargets, and what has become of it when a copy of the child has come to another one.

    The child never began. LongTargets is denied b1, and turns the pages of b2 for a minute. Meanwhile b1 is deleted.
    """
    run.world.service.buckets["b1"].denied = True
    whole = run.world.service.list_objects_v2
    is_gone: list[float] = []  # since when, and when the copy has asked for it

    def list_objects_v2(**request: Any) -> Any:
        if is_gone and request["Bucket"] == "b1":
            is_gone.append(run.world.clock.now)
            raise client_error("NoSuchBucket", "ListObjectsV2")
        return whole(**request)

    run.world.service.list_objects_v2 = list_objects_v2  # type: ignore[method-assign]
    process = run.start()
    run.world.run(until=lambda: bool(run.records("verdict")))
    verdict = dict(run.records("verdict"))
    is_gone.append(run.world.clock.now)
    batch = run.maps["ShortTargets"][0]["targets"]
    given = {**{name: process.machine.input[name] for name in ("run", "crawl")}, "targets": batch}
    definition = process.machine.definition["States"]["ShortTargets"]["ItemProcessor"]
    copy = Process(run.world, f"{process.arn}/copy", definition, given, lambda _: None)
    # It shares the pace with LongTargets, so it waits first.
    run.world.run(until=lambda: len(is_gone) > 1 and run.world.clock.now > is_gone[1] + 1)
    assert process.status == "RUNNING"
    found = dict(run.records("verdict"))
    run.world.run()
    assert copy.status == "SUCCEEDED"
    return verdict, found


SLOW = {"pagination_config": {"PageSize": 1}, "max_pages_per_second": 0.05}


def test_a_late_copy_of_a_child_changes_no_verdict(run_of: Runs) -> None:
    verdict, found = a_late_copy_comes_to_another_verdict(run_of({"b1": 1, "b2": 5}, how="never begun", **SLOW))
    assert [each["verdict"]["S"] for each in verdict.values()] == ["denied"]
    assert found == verdict


def test_without_its_condition_the_verdict_of_a_late_copy_would_count(run_of: Runs) -> None:
    run = run_of({"b1": 1, "b2": 5}, how="never begun", broken=Break("", edit=short_verdicts_without_condition), **SLOW)
    with pytest.raises(Violation, match="has another verdict already"):
        a_late_copy_comes_to_another_verdict(run)


def test_behind_a_long_target_the_others_of_its_batch_get_their_page(run_of: Runs) -> None:
    run = run_of({"b1": 7, "b2": 1, "b3": 1}, **SLOW)
    process = run.start()
    run.world.run(until=lambda: process.state == "PlanLongTargets")
    first = run.listed.count("b1")
    assert 1 < first < 7
    assert run.listed == ["b1"] * first + ["b2", "b3"]
    run.world.run()
    run.auditor.at_rest()
    # It goes on behind its last page.
    assert run.listed == ["b1"] * first + ["b2", "b3"] + ["b1"] * (7 - first)
    assert run.left == run.loops == ["b1"]
    assert run.verdicts(process) == complete(["b1", "b2", "b3"])


def test_a_single_target_has_no_batch(run_of: Runs) -> None:
    run = run_of({"b1": 3})
    process = run.plays()
    assert run.loops == ["b1"]
    assert not {"ShortTargets", "PlanLongTargets"} & set(process.machine.entered)
    assert run.verdicts(process) == complete(["b1"])


def test_a_throttled_batch_is_left_to_the_back_offs_of_long_targets(run_of: Runs) -> None:
    run = run_of(dict.fromkeys(BUCKETS[:3], 3))
    run.world.service.throttled_until = run.world.clock.now + 500
    process = run.start()
    run.world.run(until=lambda: process.state == "PlanLongTargets")
    assert [child.status for child in run.children] == ["SUCCEEDED"]
    run.world.run()
    run.auditor.at_rest()
    assert run.left == BUCKETS[:3]
    assert "BackOff" in process.children[0].machine.entered
    assert run.verdicts(process) == complete(BUCKETS[:3])


def test_behind_the_deadline_a_batch_is_unfinished_and_nothing_is_left(run_of: Runs) -> None:
    run = run_of({"b1": 7, "b2": 1, "b3": 1}, deadline_hours=0.015, **SLOW)
    process = run.plays()
    assert (process.status, process.failure and process.failure.error) == ("FAILED", "RunIncomplete")
    assert run.verdicts(process) == dict.fromkeys(["b1", "b2", "b3"], "unfinished")
    assert [row["error"]["S"] for row in run.records("verdict").values()] == ["DeadlinePassedError"] * 3
    assert (run.left, run.loops) == ([], [])
    assert set(run.listed) == {"b1"}


@pytest.mark.parametrize("goes_on", ["resume", "redrive"])
def test_a_run_that_was_stopped_in_short_targets_goes_on(run_of: Runs, goes_on: str) -> None:
    run = run_of(dict.fromkeys(BUCKETS, 3))
    process = run.start()

    def stop(bucket: str, _: Process) -> None:
        if bucket == "b5":
            run.world.after(0, lambda: run.world.stop(process))

    run.at = stop
    run.world.run()
    assert (process.status, process.state) == ("ABORTED", "ShortTargets")
    assert [child.status for child in run.children] == ["ABORTED"]
    run.at = lambda *_: None
    before = len(run.listed)
    if goes_on == "redrive":
        process.redrive()
    else:
        process = run.world.start({"resume": run.run_id(process)})
    run.world.run()
    run.auditor.at_rest()
    assert run.verdicts(process) == complete(BUCKETS)
    # What had ended is not listed again, and Express children are not redriven, but begin anew.
    again = run.listed[before:]
    assert set(BUCKETS[:4]).isdisjoint(again)
    assert (run.left, run.loops) == ([], [])
