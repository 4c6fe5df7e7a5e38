"""The machines as the template has them, with few hand-overs, so that runs continue in other executions."""

from __future__ import annotations

import pytest

from tests.infra.conftest import Synth, machine, synth  # noqa: F401 - a fixture
from tests.machines.world import Definitions

HAND_OVERS = 4


@pytest.fixture(scope="session")
def definitions(synth: Synth) -> Definitions:  # noqa: F811 - the fixture
    resources = synth(hand_overs=HAND_OVERS).to_json()["Resources"]
    return Definitions.of_template(resources, machine(resources, "STANDARD"), machine(resources, "EXPRESS"), HAND_OVERS)
