"""Whether complete listings are trusted: `mistrust` says how much less one may have than before or than was counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.finish.witness import counted_by, listed_by
from pageturner.messages import count_of
from pageturner.page_state import Run, Target
from pageturner.stores.publications import Published
from pageturner.stores.witness_records import Comparison, LastListing, OfListing, Testimony

Counts = Mapping[str, Any]


@dataclass(frozen=True)
class Trust:
    """Judges the listings of a run that have ended, by what is `published` of the crawl."""

    published: Published
    run: Run
    crawl: Crawl

    def judge(
        self,
        target: Target,
        counted: Mapping[str, Counts],
        testimonies: Mapping[OfListing, Testimony],
        recorded: Mapping[OfListing, Comparison],
    ) -> dict[OfListing, Comparison]:
        """Compare a complete listing with the one that is published. Nothing is returned of one that is not complete.

        `target` is any of the listing's targets, `counted` has the counts of each, and `recorded` the comparisons of
        earlier generations. A listing that this run has published is trusted since; another pass of it is compared
        like any other.
        """
        parts = {part: counted[part] for part in target.listing_targets if part in counted}
        if len(parts) < len(target.listing_targets) or not all(map(_is_complete, parts.values())):
            return {}
        passes = {part: counts["pass_number"] for part, counts in parts.items()}
        listed = sum(counts["items"] for counts in parts.values())
        of = target.listing_id, max(passes.values())
        if self._has_published(target, passes):
            return {of: replace(recorded.get(of, Comparison(listed)), mistrusted="")}
        last = self._last(target)
        first = target.listing_targets[0]
        said = testimonies.get((first, passes[first]))
        return {of: Comparison(listed, last, self._mistrusted(listed, last, said))}

    def _has_published(self, target: Target, passes: Mapping[str, int]) -> bool:
        before = self.published.listings.get(target.listing_id)
        return before is not None and (before.run_id, before.passes) == (self.run.run_id, passes)

    def _last(self, target: Target) -> LastListing | None:
        """Return the published listing, if it says something about what there was before."""
        if self.crawl.since is not None:
            return None  # what is new says nothing about what was new before
        before = self.published.listings.get(target.listing_id)
        if before is None or not before.is_complete or before.definition != self.crawl.definition:
            return None
        if before.run_id != self.run.run_id and before.started_at >= self.run.started_at:
            return None
        return LastListing(before.items, before.run_id, before.started_at)

    def _mistrusted(self, listed: int, last: LastListing | None, said: Testimony | None) -> str:
        """Return why a listing is mistrusted, or an empty string."""
        share = self.crawl.mistrusted_share
        if share is None or (listed == 0 and self.crawl.allow_empty):
            return ""
        expected = [(last.items, listed_by(last))] if last is not None else []
        # Who also counts something else is no measure where there is a better one.
        if said is not None and said.count is not None and not (said.more and last is not None):
            expected.append((said.count, counted_by(said)))
        less = [said_by for items, said_by in expected if items and round(items - listed - share * items, 6) >= 0]
        if not less:
            return ""
        most = self.crawl.mistrust
        return f"the listing has {count_of(listed, 'item')}, but {' and '.join(less)}, and mistrust is {most}"


def _is_complete(counts: Counts) -> bool:
    return counts["end"] == "complete" and not counts["pages_missing"]
