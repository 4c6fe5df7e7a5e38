"""The schedules notice when the code loses what protects it: each of these breaks turns them red."""

from __future__ import annotations

from itertools import chain

import pytest

from tests.machines.breaks import Break, put_without_condition, replaced, write_without_condition
from tests.machines.schedule import Schedule
from tests.machines.world import Definitions, Violation

BREAKS = [
    Break("the second writer of a page wins", put_without_condition("items/")),
    Break("the last writer of a targets file wins", put_without_condition("/targets")),
    Break("the last writer of a manifest wins", put_without_condition("/manifest")),
    Break("items are written through a fence", write_without_condition("fence#", "", "ConditionCheck")),
    Break("a fence is moved back", write_without_condition("fence#", "", "Update")),
    Break("an older item takes the place of a newer one", write_without_condition("c#", "", "Put")),
    Break("a sweep removes what has changed since it looked", write_without_condition("c#", "", "Delete")),
    Break("anybody gets the lock", write_without_condition("lock#", "lock", "Put")),
    Break("anybody releases the lock", write_without_condition("lock#", "lock", "Delete")),
    Break("a run begins again", write_without_condition("run#", "run", "Put")),
    Break("an earlier generation ends or resumes a run", write_without_condition("run#", "run", "Update")),
    Break("the beginning of a pass is written again", write_without_condition("run#", "page#", "Put")),
    Break(
        "a resumption goes on with the token that was refused", replaced("pageturner.plan.planning._BEGINS_ANEW", set())
    ),
]


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_a_break_is_noticed(definitions: Definitions, monkeypatch: pytest.MonkeyPatch, broken: Break) -> None:
    broken.patch(monkeypatch)
    for seed in chain(broken.seeds, range(broken.within)):
        try:
            Schedule(seed, definitions).play()
        except Violation:
            return
    pytest.fail(f"no schedule of {broken.within} notices it")
