"""Schedules that lead to one thing for certain, where a seed that happens to do so would be rare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.machines.schedule import Schedule
from tests.machines.service import Bucket
from tests.machines.world import Faults, Process


class CertainFaults(Faults):
    """They strike at the first requests that they can; who is given up goes on after that many seconds."""

    def pause(self) -> float:
        return self.pauses[0]

    def of_a_child(self, _: Any) -> str:
        return self.kinds[0] if self.strikes("ShortTargets") else ""


@dataclass
class Scenario(Schedule):
    """Runs of one bucket. `_after` says what happens after each execution, from the first on."""

    def _crawl(self) -> dict[str, Any]:
        return {
            "service": "s3",
            "operation": "list_objects_v2",
            "key": "Key",
            "pagination_config": {"PageSize": 2},
            "deadline_hours": 0.5,
            "overlap": "allow",
            "for_each": {"list": [{"Bucket": "b1"}]},
        }

    def _fill_buckets(self) -> None:
        self.bucket = self.world.service.buckets["b1"] = Bucket()
        for key in "abcdefg":
            self.bucket.put(key, 0)

    def _with_faults(self) -> None:
        self.ended = 0
        self.auditor.then = self._count
        self._begin()
        self._start()

    def _count(self, process: Process) -> None:
        self.ended += 1
        self._after(self.ended)

    def _begin(self) -> None:
        """Before the first execution."""

    def _after(self, ended: int) -> None:
        """After so many executions."""

    def strike(self, module: str, kind: str, *operations: str, times: int = 1, seconds: float = 0) -> None:
        """Let this happen to the next requests of a function, or to the next children of ShortTargets."""
        self.world.faults = CertainFaults(
            self.rng, times, {module: 1}, (kind,), (seconds,), operations=frozenset(operations)
        )

    def start_after_deleting(self, key: str) -> None:
        self.bucket.delete(key, self.world.clock.now)
        self._start()


class ALatePage(Scenario):
    """A page is put after another invocation has put it with other items."""

    def _begin(self) -> None:
        self.strike("fetch_page", "given up", "put_object", seconds=20)
        self.world.faults.on_give_up = lambda: self.bucket.delete("a", self.world.clock.now)


class ALateManifest(Scenario):
    """The manifest of a run that has failed is put after that of its resumption."""

    def _begin(self) -> None:
        self.bucket.denied = True
        self.strike("finish_run", "given up", "put_object", seconds=200)

    def _after(self, ended: int) -> None:
        self._allow()
        if ended == 1:
            self._resume()


class ADeadFunction(Scenario):
    """The process of a function ends."""

    def _begin(self) -> None:
        self.strike("plan_run", "killed before")
        self.world.faults.deaths = ("Runtime.ExitError",)


class ADeadFailRun(Scenario):
    """FailRun dies between recording the failure and telling Step Functions."""

    def _begin(self) -> None:
        self.bucket.denied = True
        self.strike("fail_run", "killed after", "put_item", "update_item")


class ALateMove(Scenario):
    """A table is moved in Glue after the next publication has moved it."""

    def _after(self, ended: int) -> None:
        if ended == 1:
            self.strike("publish_run", "given up", "update_table", seconds=200)
        if ended < 3:
            self.start_after_deleting("abc"[ended])


class ARefusingTable(Scenario):
    """DynamoDB takes the fence and the listings, and then refuses the first items."""

    def _begin(self) -> None:
        on_request, taken = self.world.on_request, []

        def and_then_fail(service: str, operation: str, arguments: Any) -> None:
            on_request(service, operation, arguments)
            taken.append(operation)
            if operation == "transact_write_items" and taken.count(operation) == 2:
                self.strike("publish_run", "fails before", operation)

        self.world.on_request = and_then_fail


class OtherStaleItems(Scenario):
    """Items that were kept are to be removed."""

    def _crawl(self) -> dict[str, Any]:
        return {**super()._crawl(), "stale_items": "keep"}

    def _after(self, ended: int) -> None:
        if ended == 2:
            self.world.catalogue["c"] = replace(self.world.catalogue["c"], stale_items="remove")
        if ended < 3:
            self.start_after_deleting("abc"[ended])


class ALateChild(Scenario):
    """A child of ShortTargets runs twice: its late copy is denied a bucket, which has that verdict already."""

    def _crawl(self) -> dict[str, Any]:
        # One batch of both.
        return {**super()._crawl(), "for_each": {"list": [{"Bucket": "b1"}, {"Bucket": "b2"}]}, "max_concurrency": 1}

    def _fill_buckets(self) -> None:
        super()._fill_buckets()
        # The pages of the other bucket keep the run going until the copy is there.
        self.world.service.buckets["b2"] = replace(self.bucket)
        self.bucket.denied = True

    def _loop_seconds(self) -> float:
        # Else a child may turn no page at all, and leave its targets to LongTargets.
        return 225

    def _begin(self) -> None:
        self.world.latency = 2
        self.strike("ShortTargets", "repeated", seconds=10)
