"""What a newer version has written is read, or refused in words; nothing is taken for something else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pytest

from pageturner import formats
from pageturner.errors import SinkError
from pageturner.page_state import Place, Run, Target
from pageturner.stores.publications import Publication, Told
from tests.fakes import FakeDynamoDB, FakeS3, stores_in
from tests.formats.corpus import Recording, recordings
from tests.formats.deployment import resources
from tests.formats.outcome import outcome
from tests.formats.shapes import shapes_of
from tests.formats.snapshot import Snapshot
from tests.formats.story import HAND_OVERS, Recorder, allow, deployed, play, run_id_of
from tests.infra.conftest import PROJECT, machine
from tests.machines.world import Definitions

OLD, NEW = formats.FORMAT, formats.FORMAT + 1
NEWEST = Recording.read(list(recordings().values())[-1])
# The stages in which something is read next that a run has written before.
STAGES = ("short_targets", "page_loop", "throttled", "finishing", "finished", "scattered", "telling", "failed")
# What carries its format. What belongs to one of these and is read with it needs none: the records of verdicts and
# throttles, the parts of a manifest, of the finishing of a run, and of a publication.
STAMPED = {
    "execution#arn:aws:states:us-east-* about",
    "run#c-*-* run",
    "run#c-*-* page#*-us-east-*-*#*#*",
    "run#c-*-* comparison#*-us-east-*-*#*",
    "run#c-*-* witness#*-us-east-*-*#*",
    "published#c published",
    "runs/c-*-*/targets.json",
    "runs/c-*-*/targets-*-*.json",
    "runs/c-*-*/batches.json",
    "runs/c-*-*/long-targets.json",
    "runs/c-*-*/manifest.json",
    "finishing/c-*-*/*/*.json",
    "items/crawl=c/date=*-*-*/run=c-*-*/*-us-east-*-*-*-*.jsonl.gz",
    "published/c/*.json",
    "publishing/c/*-*-c-*-*/plan.json",
}


@contextmanager
def version_of(number: int) -> Iterator[None]:
    """A version of Pageturner that reads and writes this format."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "FORMAT", number)
        yield


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    """Today's."""
    of = resources()
    return Definitions.of_template(of, machine(of, "STANDARD"), machine(of, "EXPRESS"), HAND_OVERS)


@pytest.fixture(scope="module")
def newer(definitions: Definitions) -> Mapping[str, Snapshot]:
    """What a newer version writes in each stage."""
    world = Recorder(definitions)
    with version_of(NEW), deployed(world):
        return {name: Snapshot(**json.loads(json.dumps(asdict(stage)))) for name, stage in play(world)}


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        (Run, {"run_id": "r", "date": "d", "started_at": "s", "deadline": "l", "expires_at": 1}),
        (Target, {"target_id": "t", "account": "a", "region": "r", "parameters": {}}),
        (Place, {"page": 2}),
    ],
)
def test_what_has_more_is_read(kind: Any, document: dict[str, Any]) -> None:
    assert kind.from_dict({**document, "something_new": 1}) == kind.from_dict(document)
    with pytest.raises(SinkError, match=r"in format 3, .* reads formats up to 2; deploy the newer version again"):
        kind.from_dict({**document, "format": NEW})


def test_the_refusal_is_the_one_in_the_documents() -> None:
    with pytest.raises(SinkError) as raised:
        formats.readable({"format": NEW}, "run buckets-20260101T000000Z-12345678")
    documented = (PROJECT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert str(raised.value) in " ".join(documented.split())


def test_everything_has_its_format(newer: Mapping[str, Snapshot]) -> None:
    found = shapes_of(newer.values(), [])
    stamped = {of.partition(" ")[2] for of, paths in found.items() if any("format (number)" in path for path in paths)}
    assert stamped == STAMPED


@pytest.mark.parametrize("stage", STAGES)
def test_an_earlier_version_refuses_it_and_loses_nothing(
    definitions: Definitions, newer: Mapping[str, Snapshot], stage: str
) -> None:
    """A deployment is rolled back while a run goes on, and the newer version deployed again."""
    world = Recorder(definitions)
    newer[stage].restore(world, definitions.crawl)
    with deployed(world):
        with version_of(OLD):
            world.run()
            assert world.latest.status == "FAILED"
            process = world.start({"resume": run_id_of(world)})
            world.run()
            assert process.failure is not None
            assert process.failure.error == "SinkError"
            assert "deploy the newer version again" in str(process.failure.cause)
        with version_of(NEW):
            _end(world)
            assert outcome(world, run_id_of(world)) == NEWEST.outcomes["first"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_newer_version_goes_on(definitions: Definitions, stage: str) -> None:
    """Records of both formats are in one run."""
    world = Recorder(definitions)
    NEWEST.stages[stage].restore(world, NEWEST.crawl)
    with deployed(world), version_of(NEW):
        world.run()
        _end(world)
        assert outcome(world, run_id_of(world)) == NEWEST.outcomes["first"]


def test_what_is_published_in_a_newer_format_stays(definitions: Definitions, newer: Mapping[str, Snapshot]) -> None:
    world = Recorder(definitions)
    newer["published"].restore(world, definitions.crawl)
    before = outcome(world, run_id_of(world))
    with deployed(world), version_of(OLD):
        process = world.start({"crawl": "c"})
        world.run()
        assert process.status == "FAILED"
        assert process.failure is not None
        assert process.failure.error == "SinkError"
        assert outcome(world, before["run_id"]) == before


def _end(world: Recorder) -> None:
    """Resume the run if it is not complete."""
    allow(world)
    world.start({"resume": run_id_of(world)})
    world.run()
    assert world.latest.status == "SUCCEEDED", (world.latest.state, world.latest.failure)


def test_a_pending_publication_is_ended_by_a_version_that_writes_it_differently() -> None:
    """Its row says by its number that it is pending, and not by its text."""
    dynamodb = FakeDynamoDB()
    store = stores_in(FakeS3(), dynamodb).publications
    assert store.begin(Publication(1, "c", "r", 1, "r", 1, 0, "2026-01-01T00:00:00.000Z"))
    row = dynamodb.tables["runs"]["published#c", "published"]
    row["pending"] = {"S": json.dumps({"something_new": 1, **json.loads(row["pending"]["S"])})}
    pending = store.state("c").pending
    assert pending is not None
    assert store.commit(pending)
    assert store.record_told(pending, Told(1, "items", "remove"))
    assert store.finish(pending)
    assert not store.finish(pending)
    assert store.state("c").current == pending
