"""The pace that all targets share which ask the same service in the same account and region, in virtual time."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest

from pageturner import costs
from pageturner.turn.pace import BLOCK_SECONDS, PAGES_PER_MOMENT, ROOM_FACTOR
from pageturner.turn.page_step import FIRST_INTERVAL
from tests.fakes import client_error
from tests.machines.invocations import Killed
from tests.machines.service import Bucket
from tests.machines.world import Client, Definitions, Process, World, installed

KEYS = 30
PAGE_SIZE = 2
PAGES = KEYS // PAGE_SIZE


@dataclass
class Asked:
    """The requests that list: when, in which region, and of which bucket; and how often moments were reserved."""

    world: World
    times: list[tuple[float, str, str]] = field(default_factory=list)
    reservations: int = 0
    at: Callable[[str, str], None] = lambda *_: None

    def __post_init__(self) -> None:
        of_world = self.world.client

        def client(service: str, region: str | None = None, account: str | None = None) -> Any:
            made = of_world(service, region, account)
            return made if region is None or service != "s3" else _Regional(self, made, region)

        def count(_: str, operation: str, arguments: Mapping[str, Any]) -> None:
            self.reservations += operation == "update_item" and "free_at" in arguments["UpdateExpression"]

        self.world.client = client  # type: ignore[method-assign]
        self.world.on_request = count

    def takes(self, seconds: float) -> None:
        """The request takes so long."""
        assert self.world.current is not None
        self.world.current.pause(seconds)

    def of(self, region: str = "us-east-1") -> list[float]:
        return sorted(time for time, where, _ in self.times if where == region)


@dataclass
class _Regional:
    asked: Asked
    client: Client
    region: str

    def list_objects_v2(self, **arguments: Any) -> Any:
        self.asked.times.append((self.asked.world.clock.now, self.region, arguments["Bucket"]))
        self.asked.at(self.region, arguments["Bucket"])
        return self.client.list_objects_v2(**arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


def crawl_of(buckets: int, **more: Any) -> dict[str, Any]:
    each = {"list": [{"Bucket": f"b{number}"} for number in range(1, buckets + 1)]}
    asked: dict[str, Any] = {"service": "s3", "operation": "list_objects_v2", "key": "Key", "for_each": each}
    return (
        asked
        | {"pagination_config": {"PageSize": PAGE_SIZE}, "max_concurrency": buckets, "regions": ["us-east-1"]}
        | more
    )


@contextmanager
def world_of(
    definitions: Definitions, catalogue: Mapping[str, Any], keys: int = KEYS, loop_seconds: float = 225
) -> Iterator[Asked]:
    world = World(definitions, random.Random(1), catalogue)
    for entry in catalogue.values():
        for each in entry["for_each"]["list"]:
            bucket = world.service.buckets[each["Bucket"]] = Bucket()
            for number in range(keys):
                bucket.put(f"{number:04}", 0)
    asked = Asked(world)
    with installed(world, loop_seconds, most_rows=1000):
        yield asked


def is_kept(times: list[float], rate: float, side_by_side: int) -> bool:
    """Whether no time has more pages than documented: each can be a second early, and one of each target late."""
    return all(
        index - first + 1 <= rate * (times[index] - times[first] + 1) + 1 + side_by_side
        for first in range(len(times))
        for index in range(first, len(times))
    )


@pytest.mark.parametrize(("buckets", "rate"), [(1, 2), (5, 2), (10, 0.5), (4, 20)])
def test_targets_keep_the_pace_in_sum(definitions: Definitions, buckets: int, rate: float) -> None:
    with world_of(definitions, {"c": crawl_of(buckets, max_pages_per_second=rate)}) as asked:
        process = asked.world.start({"crawl": "c"})
        asked.world.run()
    assert process.status == "SUCCEEDED"
    times = asked.of()
    assert len(times) == buckets * PAGES
    assert is_kept(times, rate, buckets)
    # Over the whole time it is the pace, and not half of it, unless the service is slower than that.
    seconds = times[-1] - times[0]
    assert (len(times) - 1) / rate - 1 <= seconds
    if rate < 20:
        assert seconds <= 1.3 * len(times) / rate + 5


def test_short_targets_keep_the_pace(definitions: Definitions) -> None:
    """Targets of one page, twenty in an execution, one after another."""
    with world_of(definitions, {"c": crawl_of(40, max_pages_per_second=2, max_concurrency=2)}, keys=1) as asked:
        process = asked.world.start({"crawl": "c"})
        asked.world.run()
    assert process.status == "SUCCEEDED"
    assert "LongTargets" not in process.machine.entered
    assert len(asked.times) == asked.reservations == 40
    assert is_kept(asked.of(), 2, 2)
    assert asked.of()[-1] - asked.of()[0] >= 39 / 2 - 1


@pytest.mark.parametrize(("buckets", "rate"), [(1, 2), (5, 2), (10, 4), (3, 0.5)])
def test_long_targets_take_turns_with_blocks_of_moments(definitions: Definitions, buckets: int, rate: float) -> None:
    pages = 200 if buckets > 1 else 1000
    asked_for = crawl_of(buckets, max_pages_per_second=rate)
    with world_of(definitions, {"c": asked_for}, keys=pages * PAGE_SIZE) as asked:
        process = asked.world.start({"crawl": "c"})
        asked.world.run()
    assert process.status == "SUCCEEDED"
    times = asked.of()
    assert len(times) == buckets * pages
    assert is_kept(times, rate, buckets)
    # Little is lost of blocks that nobody uses up.
    assert len(times) / rate - 2 <= times[-1] - times[0] <= 1.15 * len(times) / rate
    for bucket in asked.world.service.buckets:
        of_target = [time for time, _, listed in asked.times if listed == bucket]
        gaps = sorted(after - before for before, after in pairwise(of_target))
        # All others have a turn meanwhile. Who goes on from a checkpoint, in LongTargets or in another execution of the
        # run, reserves anew, and has waited in vain.
        assert gaps[-3] <= buckets * BLOCK_SECONDS + 2
        assert gaps[-1] <= 2 * buckets * BLOCK_SECONDS
    # The costs of a run have about as many.
    run = costs.Turned(targets=buckets, pages=len(times), seconds=len(times) * asked.world.latency * 2)
    crawl = asked.world.catalogue["c"]
    paced, without = (costs.of_run(each, run, buckets) for each in (crawl, replace(crawl, max_pages_per_second=None)))
    assert asked.reservations == pytest.approx(paced.write_units - without.write_units, rel=0.2)
    assert asked.reservations < 0.6 * len(times)
    if buckets == 1:
        assert asked.reservations <= 1.3 * len(times) / (rate * BLOCK_SECONDS)


def test_costs_know_the_blocks() -> None:
    found = (costs.BLOCK_SECONDS, costs.PAGES_PER_MOMENT, costs.ROOM_FACTOR)
    assert found == (BLOCK_SECONDS, PAGES_PER_MOMENT, ROOM_FACTOR)


def test_who_is_slower_than_the_pace_reserves_no_block(definitions: Definitions) -> None:
    """Four targets have the whole pace together. None alone could use a block up."""
    with world_of(definitions, {"c": crawl_of(4, max_pages_per_second=1)}, keys=200) as asked:
        asked.at = lambda *_: asked.takes(1.5)
        process = asked.world.start({"crawl": "c"})
        asked.world.run()
    assert process.status == "SUCCEEDED"
    times = asked.of()
    assert is_kept(times, 1, 4)
    assert times[-1] - times[0] <= 1.1 * len(times)
    assert len(times) <= asked.reservations <= 1.05 * len(times)


def test_nobody_catches_up_what_is_missed_of_a_block(definitions: Definitions) -> None:
    with world_of(definitions, {"c": crawl_of(2, max_pages_per_second=3)}, keys=1000) as asked:
        asked.at = lambda *_: asked.takes(4 if len(asked.times) % 50 == 0 else 0)
        process = asked.world.start({"crawl": "c"})
        asked.world.run()
    assert process.status == "SUCCEEDED"
    assert len(asked.times) == 1000
    assert is_kept(asked.of(), 3, 2)
    assert asked.reservations < len(asked.times) / 3


def test_targets_that_wait_longer_than_a_loop_lasts_get_their_pages(definitions: Definitions) -> None:
    """Twenty targets at a page in 20 s: each waits 400 s for its next page, and a loop lasts 225 s."""
    asked_for = crawl_of(20, max_pages_per_second=0.05)
    with world_of(definitions, {"c": asked_for}, keys=5) as asked:
        process = asked.world.start({"crawl": "c"})
        asked.world.run()
    assert process.status == "SUCCEEDED"
    assert len(asked.times) == 60
    assert is_kept(asked.of(), 0.05, 20)
    # What waits in ShortTargets for longer than there is time loses its moment, and so does what goes on in another
    # execution of the run, which here is soon.
    assert asked.of()[-1] - asked.of()[0] <= (60 + 3 * 20) * 20


def test_other_scopes_do_not_slow_each_other(definitions: Definitions) -> None:
    asked_for = crawl_of(3, max_pages_per_second=1, max_concurrency=6, regions=["us-east-1", "eu-west-1"])
    with world_of(definitions, {"c": asked_for}) as asked:
        asked.world.start({"crawl": "c"})
        asked.world.run()
    for region in ("us-east-1", "eu-west-1"):
        times = asked.of(region)
        assert len(times) == 3 * PAGES
        assert is_kept(times, 1, 3)
        assert times[-1] - times[0] <= 1.3 * len(times) + 5


def test_a_loop_of_no_time_waits_too(definitions: Definitions) -> None:
    """With `loop_seconds: 0`, each loop turns a page. None hands over at once because its page has to wait."""
    with world_of(definitions, {"c": crawl_of(3, max_pages_per_second=0.2)}, keys=5, loop_seconds=0) as asked:
        process = asked.world.start({"crawl": "c"})
        asked.world.run()
    assert process.status == "SUCCEEDED"
    assert len(asked.times) == 9
    assert is_kept(asked.of(), 0.2, 3)
    assert len(asked.world.executions) <= 3


@pytest.mark.parametrize(("pace", "together"), [("run", 2), ("deployment", 1)])
def test_runs_share_a_pace_if_they_say_so(definitions: Definitions, pace: str, together: float) -> None:
    asked_for = crawl_of(2, max_pages_per_second=1, pace=pace, overlap="allow")
    with world_of(definitions, {"c": asked_for}) as asked:
        processes = [asked.world.start({"crawl": "c"}) for _ in range(2)]
        asked.world.run()
    assert [process.status for process in processes] == ["SUCCEEDED"] * 2
    times = asked.of()
    seconds = times[-1] - times[0]
    assert len(times) == 4 * PAGES
    assert len(times) / together - 2 <= seconds <= 1.3 * len(times) / together + 5
    assert is_kept(times, together, 4)


@pytest.mark.parametrize("keys", [KEYS, 300])
def test_what_dies_takes_no_part_of_the_pace_with_it(definitions: Definitions, keys: int) -> None:
    """A loop that is killed leaves a block unused at most, and then the others have the whole pace."""
    with world_of(definitions, {"c": crawl_of(4, max_pages_per_second=1)}, keys=keys) as asked:
        killed: list[Process] = []

        def kill(_: str, bucket: str) -> None:
            if bucket == "b1" and len(asked.times) > 0.8 * 4 * keys / PAGE_SIZE and not killed:
                killed.append(process)
                raise Killed("Sandbox.Timedout")

        asked.at = kill
        process = asked.world.start({"crawl": "c"})
        asked.world.run()
    assert killed
    assert process.status == "SUCCEEDED"
    times = asked.of()
    assert is_kept(times, 1, 4)
    assert times[-1] - times[0] <= 1.3 * len(times) + 70


def test_who_is_throttled_slows_the_others_down(definitions: Definitions) -> None:
    """One target is throttled once; the other slows down at its next look, and the one elsewhere does not."""
    asked_for = crawl_of(2, regions=["us-east-1", "eu-west-1"], max_concurrency=4)
    with world_of(definitions, {"c": asked_for}, keys=400) as asked:
        throttled: list[float] = []

        def throttle(region: str, bucket: str) -> None:
            if (region, bucket) == ("us-east-1", "b1") and asked.world.clock.now > began + 10 and not throttled:
                throttled.append(asked.world.clock.now)
                raise client_error("SlowDown", "ListObjectsV2")

        asked.world.latency = 0.4
        asked.at = throttle
        began = asked.world.clock.now
        process = asked.world.start({"crawl": "c"})
        asked.world.run()
    assert process.status == "SUCCEEDED"
    assert len(throttled) == 1
    rows = asked.world.dynamodb.tables["runs"]
    intervals: dict[str, list[float]] = {}
    for (_, sk), row in sorted(rows.items()):
        if sk.startswith("page#"):
            intervals.setdefault(sk.split("#")[1], []).append(json.loads(row["place"]["S"])["interval"])
    slowed = {target: sum(b > a for a, b in pairwise([0.0, *of])) for target, of in intervals.items()}
    assert sorted(slowed.values()) == [0, 0, 1, 1]
    assert {target.split("-us-")[0] != target for target, times in slowed.items() if times} == {True}
    assert {max(intervals[target]) for target, times in slowed.items() if times} == {FIRST_INTERVAL}
    assert [pk.rpartition("#")[2] for pk, _ in rows if pk.startswith("pace#")] == ["us-east-1"]
