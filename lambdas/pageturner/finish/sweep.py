"""Makes the rows of an ended listing in DynamoDB what was listed: every item, and nothing else.

It goes in steps. `count` compares the rows of this run with the listed items. If there are fewer rows, `tell_apart`
reads the page objects, and gives each item that shares its key with a different one a row of its own. `remove` then
sweeps the items that the run did not see. In this order, items that were told apart before are not taken for stale.

Only a target whose listing is complete may sweep: items that an interrupted listing did not see may still exist. A
listing that is empty, when there were items before, may only if the crawl sets `allow_empty`, and one whose answers had
errors that the crawl ignores may not, nor one that it mistrusts (`pageturner.finish.trust`). Without a sweep, nothing
counts the rows, so that the items of any listing with keys that may be shared are told apart.

Before it removes anything, it puts up the fence of the listing, behind which older runs and passes write no items. If a
run that began later has put it up, DynamoDB has the items of that one, and stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice

from pageturner.finish.trust import Trust
from pageturner.page_state import PageState, Place, Run, Sweep
from pageturner.paging.identity import keys_of
from pageturner.stores import Stores
from pageturner.stores.keys import page_key
from pageturner.stores.target_records import SweepRecord
from pageturner.verdicts import is_swept

# After this time, the next invocation continues the sweep.
_SECONDS = 20
_SUPERSEDED = "a later run has listed it completely, and DynamoDB has the items of that one"


@dataclass(frozen=True)
class Sweeper:
    """Sweeps the items of a target."""

    stores: Stores

    def go_on(self, state: PageState, sweep: Sweep) -> Sweep:
        """Sweep for some seconds and return the progress. A repeat is harmless. Raises `SinkError`."""
        has_rows = "dynamodb" in state.crawl.sinks
        place = state.place or self.stores.checkpoints.checkpoint(state.run, state.target.target_id) or Place()
        if place.next != "end" and (state.target.part is None or not has_rows):
            return self._tell_apart_what_there_is(state, sweep, place) if has_rows else replace(sweep, next="end")
        parts = self._ends_of_parts(state, place)
        if not all(end.next == "end" for end in parts.values()):
            # The part of the listing that ends last sweeps for all parts.
            return replace(sweep, next="end")
        last_pass = max(_passes(parts).values())
        if state.target.part is not None and not self.stores.targets.claim_sweep(state.run, state.target, last_pass):
            # Two parts ended at the same time, and the other one sweeps.
            return replace(sweep, next="end")
        trust = Trust(self.stores, state, parts)
        if sweep.step != "remove" and not trust.is_trusted():
            may_tell_apart = has_rows and state.target.part is None
            return self._tell_apart_what_there_is(state, sweep, place) if may_tell_apart else replace(sweep, next="end")
        after = self._sweep(state, sweep, parts) if has_rows else self._end(state, sweep, parts, SweepRecord())
        if after.next == "end":
            trust.record_last()
        return after

    def _sweep(self, state: PageState, sweep: Sweep, parts: Mapping[str, Place]) -> Sweep:
        """Sweep a listing of which all parts have ended, for some seconds."""
        swept = all(is_swept(state.crawl, end.verdict) for end in parts.values())
        listed = sum(end.items for end in parts.values())
        if swept and listed == 0 and not state.crawl.allow_empty and self._has_any(state):
            reason = "the listing is empty, but DynamoDB still has items of it; to remove them, set allow_empty: true"
            return self._end(state, sweep, parts, SweepRecord(kept_because=reason))
        # What answers with errors could not list may still exist, and an older run may have listed it.
        is_fenced = swept and not any(end.ignored_errors for end in parts.values())
        if is_fenced and not self.stores.fences.put_up(
            state.run, state.crawl.name, state.target, max(_passes(parts).values())
        ):
            return self._end(state, sweep, parts, SweepRecord(kept_because=_SUPERSEDED))
        began = time.monotonic()
        while sweep.next != "end" and time.monotonic() - began < _SECONDS:
            if sweep.step == "tell_apart" or not swept:
                sweep = self._tell_apart(state, sweep, parts, swept=swept, is_fenced=is_fenced)
            else:
                sweep = self._look(state, sweep, parts, listed, is_fenced=is_fenced)
        return sweep

    def _tell_apart_what_there_is(self, state: PageState, sweep: Sweep, place: Place) -> Sweep:
        """Tell the items of a target that was cut short apart, if the run may succeed without the rest of it.

        No sweep is recorded: when the target is resumed and ends, its items are told apart again.
        """
        began = time.monotonic()
        may_succeed = bool(state.crawl.tolerate or state.crawl.ignore_errors)
        while may_succeed and sweep.pages < place.pages and time.monotonic() - began < _SECONDS:
            told = self._tell_page_apart(state, sweep, {state.target.target_id: place}, is_fenced=False)
            if told is None or told.next == "end":  # no items can share a key, or a later run has listed it
                return replace(sweep, next="end")
            sweep = told
        return sweep if may_succeed and sweep.pages < place.pages else replace(sweep, next="end")

    def _look(
        self, state: PageState, sweep: Sweep, parts: Mapping[str, Place], listed: int, *, is_fenced: bool
    ) -> Sweep:
        """Count the next rows, and in the step `remove` also sweep them."""
        seen = self.stores.items.sweep(
            state.crawl.name,
            state.target,
            state.run,
            _passes(parts),
            sweep.start_key,
            state.crawl.stale_items if sweep.step == "remove" and is_fenced else "keep",
        )
        sweep = replace(
            sweep,
            start_key=seen.next_key,
            stale=sweep.stale + seen.stale,
            others=sweep.others + seen.others,
            own=sweep.own + seen.own,
            apart=sweep.apart + seen.apart,
        )
        if seen.next_key is not None:
            return sweep
        if sweep.step == "count" and (sweep.apart or sweep.own < listed):
            # Items that are already told apart are of a run that was cut off: some may not be.
            return Sweep(step="tell_apart")
        if sweep.step == "count" and sweep.stale and is_fenced:
            return Sweep(step="remove")
        record = SweepRecord(sweep.stale, max(0, listed - sweep.others), sweep.apart)
        if not is_fenced and sweep.stale:
            reason = "some answers had errors beside their items, which the crawl ignores"
            record = replace(record, kept_because=reason)
        return self._end(state, sweep, parts, record)

    def _tell_apart(
        self, state: PageState, sweep: Sweep, parts: Mapping[str, Place], *, swept: bool, is_fenced: bool
    ) -> Sweep:
        """Tell the items of the next page apart, and go on with what comes when there is none."""
        told = self._tell_page_apart(state, sweep, parts, is_fenced=is_fenced)
        if told is not None and told.next == "end":
            return self._end(state, sweep, parts, SweepRecord(kept_because=_SUPERSEDED))
        if told is not None:
            return told
        return Sweep(step="remove") if swept else self._end(state, sweep, parts, SweepRecord())

    def _tell_page_apart(
        self, state: PageState, sweep: Sweep, parts: Mapping[str, Place], *, is_fenced: bool
    ) -> Sweep | None:
        """Tell the items of the next page apart. Returns None if there is no page, or no item can share its key.

        The sweep ends if a later run has listed the listing meanwhile.
        """
        crawl = state.crawl
        keys = keys_of(crawl.service, crawl.operation, crawl.paginator.definition, crawl.key, crawl.search)
        may_share = any(identity is not None and identity.unique for identity in keys.values())
        page = next(islice(_page_keys(state, parts), sweep.pages, None), None) if may_share else None
        if page is None:
            return None
        committed = self.stores.pages.read(page)

        @cache
        def is_left(run_id: str) -> bool:
            return self._is_left(run_id, state.target.listing_id)

        passes = _passes(parts)
        last_pass = max(passes.values())
        check = self.stores.fences.check(state.run, crawl.name, state.target, last_pass, behind=is_fenced)
        told = self.stores.items.tell_apart(
            committed, state.target, crawl.result_keys, state.run, passes, is_left, check
        )
        return replace(sweep, step="tell_apart", pages=sweep.pages + 1) if told else replace(sweep, next="end")

    def _is_left(self, run_id: str, listing_id: str) -> bool:
        """Return whether a run has not told the items of a listing apart, and does not go on: it was stopped."""
        found = self.stores.runs.find(run_id)
        if found is None:
            return True
        return not (
            self.stores.executions.drives(found.execution) or self.stores.targets.is_swept(Run(**found.run), listing_id)
        )

    def _has_any(self, state: PageState) -> bool:
        return self.stores.items.has_any(state.crawl.name, state.target)

    def _ends_of_parts(self, state: PageState, place: Place) -> dict[str, Place]:
        """Return the place of each target of the listing, up to the first one that has not ended."""
        ends = {state.target.target_id: place}
        for target_id in state.target.listing_targets:
            if target_id not in ends:
                ends[target_id] = self.stores.checkpoints.checkpoint(state.run, target_id) or Place()
                if ends[target_id].next != "end":
                    break
        return ends

    def _end(self, state: PageState, sweep: Sweep, parts: Mapping[str, Place], record: SweepRecord) -> Sweep:
        last_pass = max(_passes(parts).values())
        self.stores.targets.record_sweep(state.run, state.target.listing_id, last_pass, record)
        return replace(sweep, next="end", start_key=None)


def _passes(parts: Mapping[str, Place]) -> dict[str, int]:
    """The last pass of each target of a listing."""
    return {target_id: end.pass_number for target_id, end in parts.items()}


def _page_keys(state: PageState, parts: Mapping[str, Place]) -> Iterator[str]:
    """Yield the keys of all page objects of a listing."""
    for target_id, end in sorted(parts.items()):
        target = replace(state.target, target_id=target_id)
        for page in range(1, end.pages + 1):
            yield page_key(state.run, state.crawl.name, target, Place(pass_number=end.pass_number, page=page))
