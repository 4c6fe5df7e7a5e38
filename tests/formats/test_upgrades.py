"""What earlier versions began, today's functions end: from each stage of a run that a version has recorded.

An execution keeps the definition of the version in which it began, and calls today's functions and today's PageLoop.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from tests.formats.corpus import Recording, recordings
from tests.formats.deployment import resources
from tests.formats.outcome import outcome
from tests.formats.story import HAND_OVERS, Recorder, allow, deployed, run_id_of
from tests.infra.conftest import machine
from tests.machines.world import Definitions, Process

VERSIONS = recordings()
RESUMABLE = ("planned", "short_targets", "page_loop", "throttled", "continues", "finishing", "finished", "failed")


@cache
def recording(version: str) -> Recording:
    return Recording.read(VERSIONS[version])


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    """Today's."""
    of = resources()
    return Definitions.of_template(of, machine(of, "STANDARD"), machine(of, "EXPRESS"), HAND_OVERS)


def stages(*names: str) -> pytest.MarkDecorator:
    """All stages of all recordings, or those of some names."""
    return pytest.mark.parametrize(
        ("version", "stage"),
        [
            (version, stage)
            for version in VERSIONS
            for stage in recording(version).stages
            if not names or stage in names
        ],
    )


class Upgraded:
    """The deployment of a recorded stage, after it was upgraded to what there is now."""

    def __init__(self, version: str, stage: str, definitions: Definitions) -> None:
        self.was = recording(version)
        self.world = Recorder(definitions)
        self.executions = self.was.stages[stage].restore(self.world, self.was.crawl)

    @property
    def latest(self) -> Process:
        return self.world.latest

    def end(self) -> None:
        """Let everything come to its end, and the first run be resumed if it is not complete."""
        self.world.run()
        if self.latest.status == "FAILED":
            assert self.latest.failure is not None
            assert self.latest.failure.error == "RunIncomplete", self.latest.failure
            allow(self.world)
            self.resume()
            self.world.run()
        assert self.latest.status == "SUCCEEDED", (self.latest.state, self.latest.failure)

    def resume(self) -> None:
        self.world.start({"resume": run_id_of(self.world)})

    def check(self, which: str) -> None:
        """What has come of it is what came of it where nothing was upgraded."""
        was = self.was.outcomes[which]
        assert outcome(self.world, was["run_id"]) == was


@stages()
def test_it_goes_on(definitions: Definitions, version: str, stage: str) -> None:
    upgraded = Upgraded(version, stage, definitions)
    with deployed(upgraded.world):
        upgraded.end()
        upgraded.check("next" if stage == "next_run" else "first")


@stages()
def test_it_is_stopped_and_redriven(definitions: Definitions, version: str, stage: str) -> None:
    upgraded = Upgraded(version, stage, definitions)
    with deployed(upgraded.world):
        if upgraded.latest.status == "RUNNING":
            upgraded.world.stop(upgraded.latest)
        if upgraded.latest.status != "SUCCEEDED":
            upgraded.world.run()
            allow(upgraded.world)
            upgraded.latest.redrive()
        upgraded.end()
        upgraded.check("next" if stage == "next_run" else "first")


@stages(*RESUMABLE)
def test_it_is_stopped_and_resumed(definitions: Definitions, version: str, stage: str) -> None:
    upgraded = Upgraded(version, stage, definitions)
    with deployed(upgraded.world):
        if upgraded.latest.status == "RUNNING":
            upgraded.world.stop(upgraded.latest)
        upgraded.world.run()
        allow(upgraded.world)
        upgraded.resume()
        upgraded.end()
        upgraded.check("first")


@stages("published", "resumed", "failed")
def test_it_is_published_again(definitions: Definitions, version: str, stage: str) -> None:
    upgraded = Upgraded(version, stage, definitions)
    with deployed(upgraded.world):
        upgraded.end()
        process = upgraded.world.start({"publish": run_id_of(upgraded.world)})
        upgraded.world.run()
        assert process.status == "SUCCEEDED"
        upgraded.check("first")


@stages("page_loop", "telling")
def test_the_next_run_comes_after_it(definitions: Definitions, version: str, stage: str) -> None:
    """What is published of the old run is compared with by a new one."""
    upgraded = Upgraded(version, stage, definitions)
    with deployed(upgraded.world):
        upgraded.end()
        upgraded.world.service.buckets["b3"].put("z", upgraded.world.clock.now)
        process = upgraded.world.start({"crawl": "c"})
        upgraded.end()
        found = outcome(upgraded.world, process.output["run_id"])
        was = upgraded.was.outcomes["next"]
        assert {**found, "run_id": was["run_id"]} == was


@stages("page_loop", "throttled", "finished", "merged")
def test_it_is_reported(definitions: Definitions, version: str, stage: str) -> None:
    """Also if its machine has no state for that."""
    upgraded = Upgraded(version, stage, definitions)
    with deployed(upgraded.world):
        upgraded.end()
        rows = upgraded.world.dynamodb.tables["runs"].values()
        (row,) = [row for row in rows if row["pk"]["S"] == "history#c"]
        assert row["outcome"]["S"] == "succeeded"
        assert "reported_at" in row


@stages("planned", "page_loop", "throttled")
def test_its_own_execution_is_reported(definitions: Definitions, version: str, stage: str) -> None:
    """Also if it fails, and nobody resumes the run."""
    upgraded = Upgraded(version, stage, definitions)
    with deployed(upgraded.world):
        upgraded.world.run()
        assert upgraded.latest.status == "FAILED"
        rows = upgraded.world.dynamodb.tables["runs"].values()
        (row,) = [row for row in rows if row["pk"]["S"] == "history#c"]
        (status,) = [row for row in rows if row["pk"]["S"] == "status"]
        assert (row["outcome"]["S"], status["outcome"]["S"]) == ("failed", "failed")
        assert "reported_at" in row
        assert [each["kind"] for each in upgraded.world.sns.sent] == ["not complete"]


@stages("page_loop")
def test_an_execution_that_comes_too_early_is_refused(definitions: Definitions, version: str, stage: str) -> None:
    """Its machine may be of the version before, if it began just before the deployment."""
    upgraded = Upgraded(version, stage, definitions)
    world = upgraded.world
    world.definitions = replace(definitions, crawl=upgraded.was.crawl)
    with deployed(world):
        process = world.start({"crawl": "c"})
        world.run(lambda: process.status != "RUNNING")
        assert process.status == "SUCCEEDED"
        assert process.output["outcome"] == "refused"
