"""Schedules in which FinishRun needs many invocations, each of which may be late, killed, or delivered twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from pageturner.finish.progress import Limits
from tests.machines.schedule import Schedule


@dataclass
class PartsSchedule(Schedule):
    """One of these schedules."""

    limits: ClassVar[Limits] = Limits(records=3, targets=1, steps=2)

    def _with_faults(self) -> None:
        super()._with_faults()
        faults = self.world.faults
        likelihood = {**faults.likelihood, "finish_run": 0.05, "twice finish_run": 0.1}
        self.world.faults = replace(faults, budget=faults.budget + 2, likelihood=likelihood)
