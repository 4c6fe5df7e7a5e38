"""Both machines under many schedules, in virtual time: what is green is whole, and stays so.

A schedule has up to five faults: invocations given up at any request, which go on up to 15 minutes later; invocations
delivered twice; requests that fail before or after they take effect; killed functions; lost PageLoops that go on.
Between them, executions are started (some by a trigger that is delivered twice), stopped, resumed and redriven, keys
come and go, tokens expire, and the service throttles. Then all faults end, every run must become green, and a last run
must find everything in order.

A fifth as many schedules are about publishing: runs overlap, and only the functions that publish are late. As many are
about finishing: a run takes FinishRun many steps, and its manifest is in parts.

The environment variable MACHINE_SCHEDULES says how many schedules to play, MACHINE_SCHEDULES_FROM the first seed.
"""

from __future__ import annotations

import os

import pytest

from tests.machines.parts_schedule import PartsSchedule
from tests.machines.publishing_schedule import PublishingSchedule
from tests.machines.schedule import Schedule
from tests.machines.world import Definitions, Violation

COUNT = int(os.environ.get("MACHINE_SCHEDULES", "60"))
FIRST = int(os.environ.get("MACHINE_SCHEDULES_FROM", "0"))
BLOCK = 20


@pytest.mark.parametrize("kind", [Schedule, PublishingSchedule, PartsSchedule])
@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, BLOCK))
def test_schedules(definitions: Definitions, first: int, kind: type[Schedule]) -> None:
    # The others take longer.
    block = BLOCK if kind is Schedule else BLOCK // 5
    seeds = range(first, min(first + block, FIRST + COUNT))
    broken: dict[int, str] = {}
    for seed in seeds:
        try:
            kind(seed, definitions).play()
        except Violation as violation:
            broken[seed] = str(violation)
    if broken:
        said = "\n".join(text.partition("\n")[0] for text in broken.values())
        pytest.fail(f"{len(broken)} of {len(seeds)} schedules:\n{said}\n\n{next(iter(broken.values()))}", pytrace=False)


def test_a_seed_decides_everything(definitions: Definitions) -> None:
    def story(seed: int) -> str:
        schedule = Schedule(seed, definitions)
        try:
            schedule.play()
        except Violation as violation:
            return str(violation)
        return schedule.story()

    seeds = range(FIRST, FIRST + 5)
    assert [story(seed) for seed in seeds] == [story(seed) for seed in seeds]
