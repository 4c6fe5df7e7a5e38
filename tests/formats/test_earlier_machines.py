"""Executions of earlier definitions end as they should with today's functions, whatever happens to them.

They are redriven for two weeks (Step Functions Developer Guide, "Redriving executions"), so that they meet everything.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.formats.corpus import Recording, recordings
from tests.formats.deployment import resources
from tests.formats.story import HAND_OVERS
from tests.infra.conftest import machine
from tests.machines.parts_schedule import PartsSchedule
from tests.machines.publishing_schedule import PublishingSchedule
from tests.machines.schedule import Schedule
from tests.machines.world import Definitions

VERSIONS = recordings()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("kind", "seeds"), [(Schedule, range(8)), (PublishingSchedule, range(2)), (PartsSchedule, range(2))]
)
def test_schedules(version: str, kind: type[Schedule], seeds: range) -> None:
    of = resources()
    today = Definitions.of_template(of, machine(of, "STANDARD"), machine(of, "EXPRESS"), HAND_OVERS)
    earlier = replace(today, crawl=Recording.read(VERSIONS[version]).crawl)
    for seed in seeds:
        kind(seed, earlier).play()
