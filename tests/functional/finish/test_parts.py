"""A manifest that is too large for one object is made in steps, and is in parts: it says the same as a single one."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from pageturner.console import Console
from pageturner.errors import CannotPublishError, RunStoppedError
from pageturner.finish.finishing import Finisher
from pageturner.finish.progress import LIMITS, Limits
from pageturner.page_state import Place, Run
from pageturner.stores import witness_records
from pageturner.stores.checkpoints import PageRecord
from tests.fakes import FakeS3
from tests.histories import Killed, Listed, Process, World, item, listed, target_of

pytestmark = pytest.mark.usefixtures("_one_connection")
TINY = Limits(records=7, targets=3, steps=2)
ENDED = datetime(2126, 1, 3, tzinfo=UTC)


def pages(name: str, count: int) -> list[list[Any]]:
    return [[item(f"{name}-{page}-{each}") for each in range(2)] for page in range(count)]


# Listings of one page and of many, of several passes, that were cut short, and of which there is none.
TARGETS = {
    "z": listed(*pages("z", 2)),
    "e": Listed([pages("e", 3), pages("e", 6)]),
    "b": listed(*pages("b", 1)),
    "c": listed(*pages("c", 3), verdict="limited"),
    "d": listed(*pages("d", 1), verdict="denied"),
    "a": Listed([[], pages("a", 4), pages("a", 2)]),
    "f": listed(*pages("f", 2), ignored_errors=2),
}


def begun(limits: Limits) -> tuple[World, Run]:
    """A world in which a run has published these listings, and another one has listed them again, and not ended."""
    world = World(limits=limits)
    world.publish(world.run({name: listed(*pages(name, 1)) for name in TARGETS}))
    run, _ = world.begin(TARGETS, mistrust="10%")
    for name in ("b", "e"):
        world.stores.targets.count_throttle(run, target_of(name), "Rate exceeded")
        said = witness_records.Testimony("CloudWatch", 24, run.started_at)
        for pass_number in (1, 2):
            world.stores.witnesses.claim(run, target_of(name), pass_number, "CloudWatch")
            world.stores.witnesses.record(run, target_of(name), pass_number, said)
    return world, run


def document(world: World, key: str) -> Any:
    return json.loads(world.s3.objects[key].body)


def lines(world: World, key: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(world.s3.objects[key].body).splitlines()]


def manifest(world: World, run: Run) -> dict[str, Any]:
    """The manifest as if it were one."""
    found = dict(document(world, f"runs/{run.run_id}/manifest.json"))
    for whole, parts, count in (("files", "file_parts", "files"), ("targets", "target_parts", "targets")):
        if parts in found:
            of_parts = [lines(world, part["key"]) for part in found[parts]]
            assert [len(each) for each in of_parts] == [part[count] for part in found.pop(parts)]
            found[whole] = [line for each in of_parts for line in each]
    return found


def comparisons(world: World) -> dict[Any, Any]:
    return {key: row for key, row in world.dynamodb.tables["runs"].items() if key[1].startswith("comparison#")}


@cache
def single() -> tuple[dict[str, Any], dict[str, Any], dict[Any, Any]]:
    """The summary, the manifest and the comparisons of a run that is finished in one step."""
    world, run = begun(LIMITS)
    summary = world.finish(run)
    assert {"files", "targets"} <= document(world, summary["manifest"].removeprefix("s3://bucket/")).keys()
    assert not [key for key in world.s3.objects if key.startswith("finishing/")]
    return summary, manifest(world, run), comparisons(world)


def test_a_small_manifest_has_the_files_of_the_last_passes_and_the_targets_by_id() -> None:
    _, found, _ = single()
    assert [entry["target_id"] for entry in found["targets"]] == sorted(TARGETS)
    for name, each in TARGETS.items():
        verdict = {"denied": "denied", "limited": "limited"}.get(each.verdict, "complete")
        files = [file for file in found["files"] if file["target_id"] == name]
        at_pass = len(each.passes)
        assert [file["key"].rpartition("/")[2] for file in files] == [
            f"{name}-{at_pass}-{page:08d}.jsonl.gz" for page in range(1, len(each.pages) + 1)
        ]
        assert {file["verdict"] for file in files} <= {verdict, "failed"}
    assert found["verdicts"] == {"complete": 3, "failed": 2, "limited": 1, "denied": 1}


@pytest.mark.parametrize(
    ("records", "targets", "steps"), [(1, 1, 1), (2, 3, 3), (3, 2, 100), (7, 7, 1), (11, 1000, 2), (1000, 4, 1)]
)
def test_many_steps_come_to_the_same_as_one(records: int, targets: int, steps: int) -> None:
    world, run = begun(Limits(records, targets, steps))
    assert (world.finish(run), manifest(world, run), comparisons(world)) == single()
    is_in_parts = "file_parts" in document(world, f"runs/{run.run_id}/manifest.json")
    assert is_in_parts == (records < 50 or targets <= len(TARGETS))


def test_no_part_has_more_than_its_limit() -> None:
    world, run = begun(TINY)
    world.finish(run)
    index = document(world, f"runs/{run.run_id}/manifest.json")
    assert max(part["files"] for part in index["file_parts"]) <= TINY.records
    assert [part["targets"] for part in index["target_parts"]] == [3, 3, 1]
    assert all(part["key"].startswith(f"runs/{run.run_id}/manifest-1/") for part in index["file_parts"])


def requests_of(world: World, run: Run) -> int:
    process = Process()
    world.copy().finish(run, process)
    return len(process.requests)


def test_finishing_that_is_killed_at_any_request_goes_on() -> None:
    expected = single()
    world, run = begun(TINY)
    for dies_at in range(1, requests_of(world, run) + 1):
        there = world.copy()
        with pytest.raises(Killed):
            there.finish(run, Process(dies_at))
        assert (there.finish(run), manifest(there, run), comparisons(there)) == expected, dies_at


def test_a_request_of_finishing_that_is_done_twice_changes_nothing() -> None:
    expected = single()
    world, run = begun(TINY)
    for doubles in range(1, requests_of(world, run) + 1, 2):
        there = world.copy()
        assert (there.finish(run, Process(doubles=doubles)), manifest(there, run)) == expected[:2], doubles


def a_page_more(world: World, run: Run, name: str) -> None:
    """The record of a page comes late: of an invocation that was given up."""
    record = PageRecord(name, 1, 6, 1, 10, f"late-{name}", Place(page=7, token="token"), fetched_at=run.started_at)
    world.stores.checkpoints.record_page(run, record)


@dataclass
class Overtaken(Process):
    """A process that something overtakes before its n-th request."""

    at: int = 0
    what: Callable[[], object] = lambda: None

    def request(self, name: str, operation: Any, arguments: Mapping[str, Any]) -> Any:
        if len(self.requests) + 1 == self.at:
            self.what()
        return super().request(name, operation, arguments)


@pytest.mark.parametrize("name", ["a", "d"])
def test_who_makes_a_step_otherwise_goes_on_with_the_one_that_is_there(name: str) -> None:
    world, run = begun(Limits(records=7, targets=2, steps=100))
    for at in range(1, requests_of(world, run) + 1, 2):
        there = world.copy()

        def finished(there: World = there) -> None:
            a_page_more(there, run, name)
            there.finish(run)

        there.finish(run, Overtaken(at=at, what=finished))
        consistent(manifest(there, run))


def consistent(found: Mapping[str, Any]) -> None:
    """What it says of its targets is what its files say, and the totals are those of the targets."""
    files = Counter(file["target_id"] for file in found["files"])
    items = Counter[str]()
    for file in found["files"]:
        items[file["target_id"]] += file["items"]
    for entry in found["targets"]:
        name = entry["target_id"]
        assert (entry["pages"], entry["items"]) == (files[name], items[name])
        assert {file["verdict"] for file in found["files"] if file["target_id"] == name} <= {entry["verdict"]}
    for total in ("pages", "items", "bytes"):
        assert found[total] == sum(entry[total] for entry in found["targets"])
    assert len({file["key"] for file in found["files"]}) == len(found["files"])


def test_steps_of_an_earlier_generation_do_not_count() -> None:
    world, run = begun(TINY)
    resumed = replace(run, generation=2, since=2)
    before = single()[0]["pages"]
    for at in range(1, requests_of(world, run), 9):
        there = world.copy()
        with suppress(Killed):
            there.finish(run, Process(at))
        found = there.stores.runs.find(run.run_id)
        assert found is not None
        assert there.stores.runs.resume(resumed, found.crawl, "plan again")
        with pytest.raises(RunStoppedError, match="was resumed in another execution"):
            there.finish(run)
        a_page_more(there, resumed, "d")
        summary = there.finish(resumed)
        assert (summary["generation"], summary["pages"]) == (2, before + 1)
        objects = dict(there.s3.objects)
        assert there.finish(run) == summary, "who is late says what the run has come to"
        assert there.s3.objects == objects


def test_an_index_that_is_put_late_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world, run = begun(TINY)
    resumed = replace(run, generation=2, since=2)
    whole = FakeS3.put_object

    def put_object(self: FakeS3, **request: Any) -> Any:
        if request["Key"].endswith("manifest.json"):
            monkeypatch.setattr(FakeS3, "put_object", whole)
            found = world.stores.runs.find(run.run_id)
            assert found is not None
            assert world.stores.runs.resume(resumed, found.crawl, "plan again")
            world.finish(resumed)
        return whole(self, **request)

    monkeypatch.setattr(FakeS3, "put_object", put_object)
    with pytest.raises(RunStoppedError, match="was resumed in another execution"):
        world.finish(run)
    index = document(world, f"runs/{run.run_id}/manifest.json")
    assert all("/manifest-2/" in part["key"] for part in index["file_parts"] + index["target_parts"])


def test_a_manifest_in_parts_is_published_like_a_single_one() -> None:
    worlds = World(), World(limits=TINY)
    for world in worlds:
        before = world.run({name: Listed([each.passes[0] or [[]]]) for name, each in TARGETS.items()})
        world.publish(before)
        world.check(world.publish(world.run(TARGETS)))
    one, other = worlds
    assert (one.table(), one.rows(), one.glue.tables) == (other.table(), other.rows(), other.glue.tables)
    assert [each["Detail"] for each in one.events.sent] == [each["Detail"] for each in other.events.sent]
    summaries = [key for key in one.s3.objects if key.startswith("summaries/")]
    assert summaries
    # What publishing cost depends on the time.
    rows = [[{**row, "dollars": None} for key in summaries for row in world.parquet(key)] for world in worlds]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("kind", ["files", "targets"])
def test_a_part_that_is_gone_is_not_published_around(kind: str) -> None:
    world = World(limits=TINY)
    ran = world.run(TARGETS)
    (part, *_) = [key for key in world.s3.objects if f"manifest-1/{kind}-00002" in key]
    del world.s3.objects[part]
    with pytest.raises(CannotPublishError, match=f"a part of the manifest is gone: s3://bucket/{part}"):
        world.publish(ran)


def test_an_invocation_does_so_many_steps_at_most() -> None:
    world, run = begun(TINY)
    recorded = [0]
    while True:
        summary = Finisher(world.stores, Console("eu-west-1"), TINY).finish(run.run_id, "e", ENDED, 1)
        prefix = f"finishing/{run.run_id}/1/"
        found = sorted(key for key in world.s3.objects if key.startswith(prefix) and key.endswith(".json"))
        assert found == [f"{prefix}{step + 1:06d}.json" for step in range(len(found))]
        recorded.append(len(found))
        if summary["outcome"] != "again":
            break
        assert summary == {"outcome": "again", "run": {"run_id": run.run_id, "generation": 1}, "targets": {"count": 1}}
    made = [after - before for before, after in pairwise(recorded)]
    assert set(made[:-1]) == {TINY.steps}
