"""Sweeps the items of listings that earlier runs of a crawl had, and that a complete run has no longer.

A bucket was deleted, an account left the organization, a region was taken out of the catalogue: no target sweeps their
items any more. Only a run of which every target is complete may touch them, and only if what its targets come from was
listed as completely: otherwise a listing may be missing for another reason.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.page_state import Run, Target
from pageturner.stores import Stores
from pageturner.stores.keys import targets_key
from pageturner.stores.listed_runs import ListedRun
from pageturner.verdicts import is_swept

# FinishRun also writes the manifest, and lasts for 15 minutes at most. The next complete run goes on.
_SECONDS = 240


@dataclass
class Gone:
    """What became of gone listings: how many had stale items, how many items these were, and why they were kept."""

    targets: int = 0
    stale: int = 0
    kept_because: str = ""

    def as_dict(self) -> dict[str, object]:
        """The fields of the summary."""
        return {"gone_targets": self.targets, "gone_targets_kept_because": self.kept_because}


@dataclass
class GoneListings:
    """Sweeps the gone listings of one crawl for one run of it."""

    stores: Stores
    run: Run
    crawl: Crawl
    gone: Gone = field(default_factory=Gone)

    def sweep(self, verdicts: Mapping[str, int]) -> Gone:
        """Sweep for some minutes; `verdicts` counts the run's targets. Raises `SinkError`.

        A repeat is harmless, but counts only what it sweeps itself.
        """
        if not is_swept(self.crawl, "complete"):
            return self.gone
        listed = list(self.stores.listed_runs.runs(self.crawl.name))
        if self.run.run_id not in {each.run_id for each in listed}:
            return self.gone  # its input changed what the catalogue's crawl lists
        earlier = [each for each in listed if each.started_at < self.run.started_at]
        if not earlier:
            return self.gone
        own = {target.listing_id for target in self._targets(self.run)}
        reason = self._reason_to_keep(verdicts, own)
        ends = time.monotonic() + _SECONDS
        if not reason:
            earlier = self._without_later_listings(earlier, own, ends)
        # The last one is often only a repeat of this one, and can be forgotten even if nothing may be removed.
        for each in [earlier[-1], *earlier[:-1]] if reason else earlier:
            if time.monotonic() >= ends or not self._look_at(each, own, reason, ends):
                break
        return self.gone

    def _reason_to_keep(self, verdicts: Mapping[str, int], own: set[str]) -> str:
        if set(verdicts) - {"complete", "absent"}:
            return "not all targets of this run are complete"
        if not own and not self.crawl.allow_empty:
            return "the run has no targets; to remove the items of all earlier ones, set allow_empty: true"
        found = self.stores.runs.find(self.run.run_id)
        while found is not None and (source := found.source):
            found = self.stores.runs.find(source)
            if found is None or found.summary is None or found.summary["verdict"] != "complete":
                return f"not all targets of {source}, whose items are the source of this run's targets, are complete"
            if found.summary.get("ignored_errors"):
                return f"answers of {source}, the source of this run's targets, had errors, which its crawl ignores"
        return ""

    def _without_later_listings(self, earlier: Sequence[ListedRun], own: set[str], ends: float) -> list[ListedRun]:
        """Return the runs whose targets this run can judge, and add those of the others to its `own`."""
        later = [each for each in earlier if self._comes_from_a_later_listing(each)]
        for each in later:
            self._look_at(each, own, "its targets come from a later listing than this run's", ends)
        for each in later:
            if (found := self.stores.runs.find(each.run_id)) is not None and self._has_targets(Run(**found.run)):
                own |= {target.listing_id for target in self._targets(Run(**found.run))}
        return [each for each in earlier if each not in later]

    def _comes_from_a_later_listing(self, listed: ListedRun) -> bool:
        """Return whether what an earlier run's targets come from had not been listed when this run's was begun.

        It may then have what was created since. That is so if the catalogue defined the source differently meanwhile,
        and does so as before again: the source's latest run by that definition is an old one.
        """
        own, other = self.stores.runs.find(self.run.run_id), self.stores.runs.find(listed.run_id)
        listed_at: str | None = listed.started_at
        while own is not None and own.source and other is not None:
            if own.source == other.source:
                return False
            own = self.stores.runs.find(own.source)
            if other.source:
                other = self.stores.runs.find(other.source)
                # An expired record is older than all that have not expired.
                listed_at = (other.summary["ended_at"] if other.summary else None) if other else ""
            if own is not None and (listed_at is None or listed_at > own.run["started_at"]):
                return True
        return False

    def _look_at(self, listed: ListedRun, own: set[str], reason: str, ends: float) -> bool:
        """Deal with the listings of an earlier run that are gone. Returns whether to go on with the next run."""
        found = self.stores.runs.find(listed.run_id)
        if found is None:  # it has just expired, and its row with it
            return True
        run = Run(**found.run)
        if not self._has_targets(run):  # somebody deleted it, and nobody knows its targets
            self.stores.listed_runs.forget(self.crawl.name, listed)
            return True
        left: int | None = None
        for number, target in self._gone_targets(run, listed.done, own):
            if time.monotonic() >= ends:
                self.stores.listed_runs.go_on_at(self.crawl.name, listed, number if left is None else left)
                return False
            if reason:
                if self.stores.items.has_any(self.crawl.name, target):
                    self.gone.kept_because = reason
                    return False
            elif self._sweep_listing(target) and left is None:
                left = number
        # A run that is going on may write more, and so may one that is resumed, which registers it again. Items that
        # were seen since this run began are for the next one.
        if left is None and not self.stores.executions.drives(found.execution):
            self.stores.listed_runs.forget(self.crawl.name, listed)
        return True

    def _gone_targets(self, run: Run, done: int, own: set[str]) -> list[tuple[int, Target]]:
        """Return the targets of a run, one a listing, whose listings are gone, each with its number."""
        return [
            (number, target)
            for number, target in enumerate(self._targets(run))
            if number >= done and target.listing_id not in own and (target.part is None or target.part.number == 1)
        ]

    def _sweep_listing(self, target: Target) -> int:
        """Sweep a gone listing, and return how many items were seen since this run began."""
        # A later run lists it again, if it has put up the fence.
        if not self.stores.fences.put_up(self.run, self.crawl.name, target, 0):
            return 0
        start_key: Mapping[str, Any] | None = None
        swept, left = 0, 0
        while True:
            seen = self.stores.items.sweep(self.crawl.name, target, self.run, {}, start_key, self.crawl.stale_items)
            start_key, swept, left = seen.next_key, swept + seen.stale, left + seen.others
            if start_key is None:
                break
        self.gone.targets += bool(swept)
        self.gone.stale += swept
        return left

    def _has_targets(self, run: Run) -> bool:
        return self.stores.pages.version(targets_key(run)) is not None

    def _targets(self, run: Run) -> Iterator[Target]:
        return map(Target.from_dict, self.stores.pages.json_array(targets_key(run)))
