"""Whether a complete listing is trusted: `mistrust` says how much less it may have than before, or than was counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pageturner.finish.witness import counted_by, listed_by
from pageturner.messages import count_of
from pageturner.page_state import PageState, Place
from pageturner.stores import Stores
from pageturner.stores.last_listings import LastListing
from pageturner.stores.witness_records import Comparison, Testimony


@dataclass(frozen=True)
class Trust:
    """Judges the listing of a target, all `parts` of which have ended: their places, by target id."""

    stores: Stores
    state: PageState
    parts: Mapping[str, Place]

    def is_trusted(self) -> bool:
        """Compare the listing with the last complete one, record that, and return whether it may be swept.

        A listing that is not complete is compared with nothing. One that is on record as the last complete one was
        trusted before; another pass of it is compared like any other. Raises `SinkError`.
        """
        if not self._is_complete():
            return True
        state = self.state
        last = self.stores.last_listings.last(state.crawl, state.target)
        if last == LastListing(self._listed(), state.run.run_id, state.run.started_at):
            return True
        if last is not None and last.started_at > state.run.started_at:
            last = None  # it says nothing about what there was before
        mistrusted = self._mistrusted(last)
        comparison = Comparison(self._listed(), last, mistrusted)
        last_pass = max(end.pass_number for end in self.parts.values())
        self.stores.witnesses.compare(state.run, state.target.listing_id, last_pass, comparison)
        return not mistrusted

    def record_last(self) -> None:
        """Record the listing as the last complete one, if it is complete. Raises `SinkError`."""
        if self._is_complete():
            state = self.state
            self.stores.last_listings.record(state.run, state.crawl, state.target, self._listed())

    def _is_complete(self) -> bool:
        return all(end.verdict == "complete" for end in self.parts.values())

    def _listed(self) -> int:
        return sum(end.items for end in self.parts.values())

    def _mistrusted(self, last: LastListing | None) -> str:
        """Return why the listing is mistrusted, or an empty string."""
        share, listed = self.state.crawl.mistrusted_share, self._listed()
        if share is None or (listed == 0 and self.state.crawl.allow_empty):
            return ""
        expected = [(last.items, listed_by(last))] if last is not None else []
        said = self._testimony()
        # Who also counts something else is no measure where there is a better one.
        if said is not None and said.count is not None and not (said.more and last is not None):
            expected.append((said.count, counted_by(said)))
        less = [said_by for items, said_by in expected if items and round(items - listed - share * items, 6) >= 0]
        if not less:
            return ""
        most = self.state.crawl.mistrust
        return f"the listing has {count_of(listed, 'item')}, but {' and '.join(less)}, and mistrust is {most}"

    def _testimony(self) -> Testimony | None:
        """What was said about the listing; about one that is split, the first part asked."""
        asked = self.state.target.listing_targets[0]
        return self.stores.witnesses.testimony(self.state.run, asked, self.parts[asked].pass_number)
