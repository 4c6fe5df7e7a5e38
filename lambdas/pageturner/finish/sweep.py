"""Sweeps the items in DynamoDB that a run did not see.

Only a target whose listing is complete may touch them: items that an interrupted listing did not see may still exist.
A listing that is empty, when there were items before, may touch them only if the crawl sets `allow_empty`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from pageturner.page_state import PageState, Place, Sweep
from pageturner.stores import Stores
from pageturner.stores.target_records import SweepRecord
from pageturner.verdicts import is_swept

# After this time, the next invocation continues the sweep.
_SECONDS = 20


@dataclass(frozen=True)
class Sweeper:
    """Sweeps the items of a target."""

    stores: Stores

    def go_on(self, state: PageState, sweep: Sweep) -> Sweep:
        """Sweep for some seconds and return the progress. A repeat is harmless. Raises `SinkError`."""
        place = state.place or self.stores.checkpoints.checkpoint(state.run, state.target.target_id) or Place()
        if not is_swept(state.crawl, place.verdict):
            return replace(sweep, next="end")
        parts = self._ends_of_parts(state, place)
        if not all(is_swept(state.crawl, end.verdict) for end in parts.values()):
            # The part of the listing that ends last sweeps for all parts.
            return replace(sweep, next="end")
        if state.target.part is not None and not self.stores.targets.claim_sweep(state.run, state.target):
            # Two parts ended at the same time, and the other one sweeps.
            return replace(sweep, next="end")
        listed = sum(end.items for end in parts.values())
        if listed == 0 and not state.crawl.allow_empty and self.stores.items.has_any(state.crawl.name, state.target):
            reason = "the listing is empty, but DynamoDB still has items of it; to remove them, set allow_empty: true"
            return self._end(state, sweep, SweepRecord(kept_because=reason))
        began = time.monotonic()
        while time.monotonic() - began < _SECONDS:
            start_key, stale, others = self.stores.items.sweep(
                state.crawl.name,
                state.target,
                state.run,
                {target_id: end.pass_number for target_id, end in parts.items()},
                sweep.start_key,
                mark=state.crawl.stale_items == "mark",
            )
            sweep = replace(sweep, start_key=start_key, stale=sweep.stale + stale, others=sweep.others + others)
            if start_key is None:
                return self._end(state, sweep, SweepRecord(sweep.stale, max(0, listed - sweep.others)))
        return sweep

    def _ends_of_parts(self, state: PageState, place: Place) -> dict[str, Place]:
        """Return the place of each target of the listing, up to the first one that has not ended."""
        ends = {state.target.target_id: place}
        for target_id in state.target.listing_targets:
            if target_id not in ends:
                ends[target_id] = self.stores.checkpoints.checkpoint(state.run, target_id) or Place()
                if ends[target_id].next != "end":
                    break
        return ends

    def _end(self, state: PageState, sweep: Sweep, record: SweepRecord) -> Sweep:
        self.stores.targets.record_sweep(state.run, state.target.listing_id, record)
        return replace(sweep, next="end", start_key=None)
