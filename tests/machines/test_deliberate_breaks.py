"""The schedules notice when the code loses what protects it: each of these breaks turns them red."""

from __future__ import annotations

from itertools import chain

import pytest

from pageturner.plan import planning
from pageturner.stores import checkpoints
from pageturner.turn import page_step
from tests.machines.breaks import Break, put_without_condition, replaced, write_without_condition
from tests.machines.schedule import Schedule
from tests.machines.world import Definitions, Violation

BREAKS = [
    Break("the second writer of a page wins", put_without_condition("items/")),
    Break("anybody gets the lock", write_without_condition("runs", lambda pk, _: pk.startswith("lock#"), "Put")),
    Break("a sweep removes what another run has seen", write_without_condition("items", lambda *_: True, "Delete")),
    Break("anybody releases the lock", write_without_condition("runs", lambda pk, _: pk.startswith("lock#"), "Delete")),
    Break(
        "every part of a listing sweeps",
        write_without_condition("runs", lambda _, sk: sk.startswith("sweeper#"), "Put"),
    ),
    Break("a resumption goes on with the token that was refused", replaced(planning, "_BEGINS_ANEW", set())),
    Break("no pass is ever begun", replaced(checkpoints.CheckpointStore, "begin_pass", lambda *_: None)),
    Break("a rejected token never begins a pass", replaced(page_step, "MOST_RESTARTS", 0)),
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
