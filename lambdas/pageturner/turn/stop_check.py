"""Notices that the execution that drives a run was stopped: its PageLoops are not stopped with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pageturner.crawls.crawl import Crawl
from pageturner.errors import RunStoppedError
from pageturner.page_state import Run
from pageturner.stores import Stores
from pageturner.stores.executions import LOOK_SECONDS


@dataclass(frozen=True)
class StopCheck:
    """Looks now and then. `is_running` says whether the execution with an ARN is running."""

    stores: Stores
    is_running: Callable[[str], bool]
    _looked: dict[str, float] = field(default_factory=dict)  # by execution

    def check(self, run: Run, crawl: Crawl, now: float) -> None:
        """Raise `RunStoppedError` if the run's execution no longer drives it, as far as the last look says.

        `now` is in seconds since 1970: a monotonic clock may stand still while Lambda freezes the function.
        """
        if not run.execution:  # it was planned by a version that did not say
            return
        looked = self._looked.get(run.execution)
        if looked is not None and 0 <= now - looked < LOOK_SECONDS:
            return
        if not self.stores.executions.drives(run.execution):
            self._drive_again(run, crawl)
        self._looked.clear()  # an environment seldom sees two runs, and lives through many
        self._looked[run.execution] = now

    def _drive_again(self, run: Run, crawl: Crawl) -> None:
        """Let a redriven execution drive its run again, unless another execution or run has taken its place."""
        found = self.stores.runs.find(run.run_id)
        if found is None or found.execution != run.execution:
            raise RunStoppedError(f"{run.execution} no longer drives {run.run_id}, which has ended or was resumed")
        if not self.is_running(run.execution):
            raise RunStoppedError(f"{run.execution} was stopped; it turns no more pages of {run.run_id}")
        # What travels does not have all that names the lock.
        lock_name = Crawl.from_dict(found.crawl).lock_name
        if crawl.overlap == "refuse" and (owner := self.stores.runs.lock(lock_name, run)):
            raise RunStoppedError(
                f"{run.execution} was stopped and redriven, but {owner.run_id} of the crawl {crawl.name} is running "
                f"since, in {owner.execution}; redrive again when it has ended"
            )
        self.stores.executions.begin(run, crawl.name)
