"""Schedules about publishing: runs that overlap, and end while others are published, and functions that are late."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.machines.schedule import Schedule
from tests.machines.world import Faults

# What fails or is late: requests that write one thing, or any.
_OPERATIONS = (
    ("transact_write_items",),
    ("update_item",),
    ("get_table", "create_table", "update_table"),
    ("put_object",),
    (),
)
_STALE_ITEMS = ("remove", "mark", "keep")


@dataclass
class PublishingSchedule(Schedule):
    """One of these schedules. Of the functions, only those that publish are late, are killed or fail."""

    def _crawl(self) -> dict[str, Any]:
        crawl = super()._crawl()
        crawl["for_each"] = {"list": crawl["for_each"]["list"][:2]}
        crawl["overlap"] = "allow"
        return crawl

    def _with_faults(self) -> None:
        rng, world = self.rng, self.world
        self._allow()
        world.latency = rng.choice((0.02, 0.5, 2.0))
        operations = rng.choice(_OPERATIONS)
        likely = rng.choice((0.1, 0.2)) if operations else rng.choice((0.02, 0.05))
        likelihood = {"publish_run": likely, "publish_part": likely}
        if rng.random() < 0.2:
            likelihood["twice publish_run"] = 0.5
        kinds = rng.choice((("given up",), ("given up", "given up", "fails before", "fails after", "killed after")))
        pauses = rng.choice(((70,), (70, 400), (900,)))
        world.faults = Faults(rng, rng.choice((1, 2, 3)), likelihood, kinds, pauses, operations=frozenset(operations))
        self.auditor.then = self._after_an_execution
        world.faults.on_give_up = self._something_new
        world.start({"crawl": "c"})
        at = 0.0
        for _ in range(rng.randint(0, 3)):
            at += rng.choice((1, 5, 30, 200)) * rng.random()
            world.after(at, self._something_new)
        for what in rng.sample((self._stop, self._resume, self._redrive, self._publish, self._change_stale_items), 2):
            world.after(at * 2 * rng.random(), what)

    def _something_new(self) -> None:
        """Keys come and go, and a run starts that sees it."""
        self._change_a_key()
        self.world.after(self.rng.random() * 20, self._start)

    def _change_stale_items(self) -> None:
        changed = replace(self.world.catalogue["c"], stale_items=self.rng.choice(_STALE_ITEMS))
        self.world.say("catalogue", f"has stale_items: {changed.stale_items}")
        self.world.catalogue["c"] = changed
