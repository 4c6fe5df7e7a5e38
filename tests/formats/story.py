"""The runs that are recorded: of three buckets, through every stage, with a denied bucket and a throttled one.

Everything is small, so that there are several of each: a page has two keys, a loop a few pages, an execution two loops
of a target, a step of FinishRun one target, a part of a publication ten rows.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pageturner.finish.progress import Limits
from tests.formats.snapshot import Snapshot
from tests.machines.service import Bucket
from tests.machines.world import Definitions, Process, World, installed

CRAWL = {
    "service": "s3",
    "operation": "list_objects_v2",
    "key": "Key",
    "pagination_config": {"PageSize": 2},
    "deadline_hours": 0.5,
    "max_concurrency": 1,
    # Keys and common prefixes are in no common order. Of b3, the order is known, and CloudWatch counts it.
    "for_each": {"list": [{"Bucket": "b1", "Delimiter": "|"}, {"Bucket": "b2", "Delimiter": "|"}, {"Bucket": "b3"}]},
}
KEYS = {"b1": "ab", "b2": "abcdefghijk", "b3": "abc"}
DENIED = "b1"
LOOP_SECONDS, MOST_ROWS, HAND_OVERS = 0.1, 10, 2
LIMITS = Limits(records=3, targets=1, steps=2)
# Longer than PageLoop retries.
THROTTLED_SECONDS = 100


class Recorder(World):
    """A world that keeps what its functions were given, and what they returned."""

    def __init__(self, definitions: Definitions) -> None:
        super().__init__(definitions, random.Random(1), {"c": CRAWL})
        self.calls: list[tuple[str, Any, Any]] = []
        self.places: dict[str, Any] = {}  # that a PageLoop has come to, by target

    def _invoke(self, module: str, timeout: float, event: Any, settle: Callable[[Any], None]) -> None:
        given = json.loads(json.dumps(event))
        if module == "fetch_page" and "share" not in event:
            self.places[event["target"]["target_id"]] = given["place"]

        def settled(result: Any) -> None:
            self.calls.append((module, given, result))
            settle(result)

        super()._invoke(module, timeout, event, settled)

    @property
    def latest(self) -> Process:
        """The execution that began last."""
        return list(self.executions.values())[-1]

    def play_to(self, is_there: Callable[[Recorder], bool]) -> Snapshot:
        """Go on until this moment."""
        self.run(lambda: is_there(self))
        assert is_there(self), "the story has ended before"
        return Snapshot.of(self, self.places)


@contextmanager
def deployed(world: World) -> Iterator[None]:
    """Let the handlers work in a world as small as this."""
    with installed(world, LOOP_SECONDS, MOST_ROWS, LIMITS):
        yield


def play(world: Recorder) -> Iterator[tuple[str, Snapshot]]:
    """Play the runs, and yield each stage by its name."""
    for bucket, keys in KEYS.items():
        world.service.buckets[bucket] = Bucket()
        for key in keys:
            world.service.buckets[bucket].put(key, 0)
    world.service.buckets[DENIED].denied = True
    run = world.start({"crawl": "c"})
    yield "planned", world.play_to(_in_state("ShortTargets"))
    yield "short_targets", world.play_to(lambda _: len(_calls(world, "fetch_page")) >= 2)
    yield "page_loop", world.play_to(lambda _: any(place.get("page") == 3 for place in world.places.values()))
    world.service.throttled_until = world.clock.now + THROTTLED_SECONDS
    yield "throttled", world.play_to(lambda _: any(child.state == "BackOff" for child in run.children.values()))
    yield "continues", world.play_to(lambda _: world.latest is not run and world.latest.state == "PlanRun")
    yield "finishing", world.play_to(_in_state("FinishRun", 3))
    yield "finished", world.play_to(_in_state("PublishRun"))
    before = len(_calls(world, "publish_part"))
    yield "scattered", world.play_to(lambda _: len(_calls(world, "publish_part")) >= before + 2)
    yield "merged", world.play_to(_in_state("PublishRun", 3))
    before = len(_calls(world, "publish_part"))
    yield "telling", world.play_to(lambda _: len(_calls(world, "publish_part")) >= before + 1)
    yield "failed", world.play_to(lambda _: world.latest.status == "FAILED")
    allow(world)
    world.start({"resume": run_id_of(world)})
    yield "resumed", world.play_to(_in_state("FinishRun"))
    yield "published", world.play_to(lambda _: world.latest.status == "SUCCEEDED")
    world.service.buckets["b3"].put("z", world.clock.now)
    world.start({"crawl": "c"})
    yield "next_run", world.play_to(_in_state("PublishParts", 3))
    world.run()


def allow(world: World) -> None:
    """Allow what was denied."""
    world.service.buckets[DENIED].denied = False


def run_id_of(world: World) -> str:
    """The run of the first execution."""
    rows = world.dynamodb.tables["runs"].values()
    return min(str(json.loads(row["run"]["S"])["run_id"]) for row in rows if row["sk"]["S"] == "run")


def _in_state(state: str, times: int = 1) -> Callable[[Recorder], bool]:
    """The latest execution has come to this state so often."""
    return lambda world: world.latest.state == state and world.latest.machine.entered.count(state) == times


def _calls(world: Recorder, module: str) -> list[Any]:
    return [given for name, given, _ in world.calls if name == module]
