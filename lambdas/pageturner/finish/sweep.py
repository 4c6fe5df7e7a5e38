"""What becomes of the items in DynamoDB that a run did not see.

Only a target whose listing is complete may touch them: what a listing that was cut short did not see may still be
there. Nor may one that came back empty when there were items before, unless the crawl says that it may be so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from pageturner.page_state import PageState, Place, Sweep
from pageturner.stores import Stores
from pageturner.stores.target_records import SweepRecord
from pageturner.verdicts import is_swept

# A sweep goes on in the next invocation, from where this one ended.
_SECONDS = 20


@dataclass(frozen=True)
class Sweeper:
    """Sweeps the items of a target."""

    stores: Stores

    def go_on(self, state: PageState, sweep: Sweep) -> Sweep:
        """Sweep for some seconds, and return how far it came. A repeat of it is harmless. Raises `SinkError`."""
        place = state.place or self.stores.checkpoints.checkpoint(state.run, state.target.target_id) or Place()
        if not is_swept(state.crawl, place.verdict):
            return replace(sweep, next="end")
        parts = self._ends_of_parts(state, place)
        if not all(is_swept(state.crawl, end.verdict) for end in parts.values()):
            # The last part of the listing to come to its end sweeps for all.
            return replace(sweep, next="end")
        if state.target.part is not None and not self.stores.targets.claim_sweep(state.run, state.target):
            # Two came to their end at once, and the other one sweeps.
            return replace(sweep, next="end")
        listed = sum(end.items for end in parts.values())
        if listed == 0 and not state.crawl.allow_empty and self.stores.items.has_any(state.crawl.name, state.target):
            reason = "the listing came back empty, and the one before was not; allow_empty would remove them"
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
        """Where each target of the listing is, up to the first one that has not come to its end."""
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
