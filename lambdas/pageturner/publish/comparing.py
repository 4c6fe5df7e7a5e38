"""Compares two runs of a crawl, whichever they are, as long as their pages are there. It publishes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.errors import CannotPublishError
from pageturner.finish.manifest import Manifest
from pageturner.messages import count_of
from pageturner.page_state import Run
from pageturner.publish.making import Maker
from pageturner.publish.parts import make, parts_of
from pageturner.publish.plan import ListingPlan, Plan
from pageturner.publish.run_listings import RunListing, buckets_for, listings_in, manifest_of, pinned
from pageturner.stores import Stores
from pageturner.stores.keys import comparison_prefix
from pageturner.stores.publications import Publication, Published
from pageturner.stores.runs_and_locks import RunRecord


@dataclass(frozen=True)
class Comparer:
    """Compares runs. `most_rows` is how many rows one function takes at once."""

    stores: Stores
    most_rows: int

    def compare(self, earlier: str, later: str) -> dict[str, Any]:
        """Compare two runs of a crawl, or do the next step of that. Returns and raises as `Publisher.publish` does."""
        records = self._record(earlier), self._record(later)
        plans, not_compared = self._plans(*records)
        makers = [Maker.of(self.stores, plan.prefix) for plan in plans]
        if makers[1].plan.publication.buckets > 1:
            # Both runs are scattered before anything is merged.
            for maker in makers:
                if not_scattered := maker.not_scattered():
                    return parts_of(maker, "scatter", not_scattered)
        if (step := make(makers[1])) is not None:
            return step
        return {"next": "end", "summary": self._summary(records[1], earlier, makers[1], not_compared)}

    def _record(self, run_id: str) -> RunRecord:
        found = self.stores.runs.find(run_id)
        if found is None:
            raise CannotPublishError(f"the record of run {run_id} is gone")
        return found

    def _plans(self, earlier: RunRecord, later: RunRecord) -> tuple[tuple[Plan, Plan], int]:
        """Return the plans of both runs, and how many listings are not complete in both."""
        crawl, runs = Crawl.from_dict(later.crawl), (Run(**earlier.run), Run(**later.run))
        if Crawl.from_dict(earlier.crawl).definition != crawl.definition:
            raise CannotPublishError(
                f"{runs[0].run_id} and {runs[1].run_id} cannot be compared: "
                "what their items are, or the keys of these, is not defined in the same way (search, key, ...)"
            )
        with manifest_of(self.stores, runs[0]) as of_earlier, manifest_of(self.stores, runs[1]) as of_later:
            found = [listings_in(of_earlier, asked=False), listings_in(of_later, asked=False)]
            complete = [_complete(listings) for listings in found]
            both = set(complete[0]) & set(complete[1])
            buckets = max(
                buckets_for(
                    sum(listings[of].total("items") for of in both),
                    sum(listings[of].total("bytes") for of in both),
                    self.most_rows,
                )
                for listings in complete
            )
            before = self._put(runs, 0, crawl, buckets, {of: complete[0][of] for of in both}, of_earlier)
            after = self._put(runs, 1, crawl, buckets, {of: complete[1][of] for of in both}, of_later, before.prefix)
        return (before, after), len((set(found[0]) | set(found[1])) - both)

    def _put(
        self,
        runs: tuple[Run, Run],
        which: int,
        crawl: Crawl,
        buckets: int,
        listings: dict[str, RunListing],
        manifest: Manifest,
        compared_with: str = "",
    ) -> Plan:
        names = [f"{run.run_id}.{run.generation}" for run in runs]
        run = runs[which]
        plan = Plan(
            # The plan of the earlier run alone has another name.
            publication=Publication(
                number=0,
                crawl=crawl.name,
                run_id=run.run_id,
                generation=run.generation,
                name="--".join(names) if compared_with else f"{'--'.join(names)}-before",
                buckets=buckets,
                base=0,
                begun_at=run.started_at,
            ),
            run=run,
            crawl=crawl,
            base=None,
            published=Published(),
            listings=dict.fromkeys(listings, ListingPlan("replace")),
            of_targets={entry["target_id"]: of for of, listing in listings.items() for entry in listing.entries},
            chunks=0,
            most_rows=self.most_rows,
            compared_with=compared_with,
        )
        return pinned(self.stores, plan, manifest)

    def _summary(self, later: RunRecord, earlier: str, maker: Maker, not_compared: int) -> dict[str, Any]:
        made, publication = maker.made(), maker.plan.publication
        found = ", ".join(f"{made.changes[kind]:,} {kind}" for kind in ("new", "changed", "gone"))
        missing = f"; {count_of(not_compared, 'listing')} not complete in both" if not_compared else ""
        return {
            "run_id": publication.run_id,
            "generation": later.generation,
            "crawl": publication.crawl,
            "outcome": "succeeded",
            "compared_with": earlier,
            "message": f"{publication.run_id} compared with {earlier}: {found}{missing}",
            **{kind: made.changes[kind] for kind in ("new", "changed", "gone")},
            **{f"{kind}_keys": keys for kind, keys in made.keys.items() if keys},
            "not_compared": not_compared,
            "changes": f"s3://{self.stores.pages.bucket}/{comparison_prefix(publication.crawl, publication.name)}",
        }


def _complete(listings: dict[str, RunListing]) -> dict[str, RunListing]:
    """Return the listings of a run that are complete. What was beside an ignored error may exist, and is not gone."""
    return {
        of: each
        for of, each in listings.items()
        if each.has_ended and not each.is_limited and not each.total("ignored_errors")
    }
