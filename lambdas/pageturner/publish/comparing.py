"""Compares two runs of a crawl, whichever they are, as long as their pages are there. It publishes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.errors import CannotPublishError
from pageturner.messages import count_of
from pageturner.page_state import Run
from pageturner.publish.making import Maker
from pageturner.publish.parts import make, parts_of
from pageturner.publish.plan import ListingPlan, Plan, is_planned, prefix_of
from pageturner.publish.run_listings import RunListing, buckets_for, listings_in, manifest_of, pinned, targets_of
from pageturner.stores import Stores
from pageturner.stores.keys import comparison_prefix
from pageturner.stores.publications import Publication, Published
from pageturner.stores.runs_and_locks import RunRecord

_NOT_COMPLETE = "not complete in both"


@dataclass(frozen=True)
class Comparer:
    """Compares runs. `most_rows` is how many rows one function takes at once."""

    stores: Stores
    most_rows: int

    def compare(self, earlier: str, later: str) -> dict[str, Any]:
        """Compare two runs of a crawl, or do the next step of that. Returns and raises as `Publisher.publish` does."""
        records = self._record(earlier), self._record(later)
        comparison = _comparison(*records)
        if not is_planned(self.stores, comparison):
            self._plan(*records, comparison)
        maker = Maker.of(self.stores, prefix_of(comparison))
        if maker.earlier is not None and maker.plan.publication.buckets > 1:
            # Both runs are scattered before anything is merged.
            for each in (Maker(self.stores, maker.earlier), maker):
                if not_scattered := each.not_scattered():
                    return parts_of(each, "scatter", not_scattered)
        if (step := make(maker)) is not None:
            return step
        return {"next": "end", "summary": self._summary(earlier, maker)}

    def _record(self, run_id: str) -> RunRecord:
        found = self.stores.runs.find(run_id)
        if found is None:
            raise CannotPublishError(f"the record of run {run_id} is gone")
        return found

    def _plan(self, earlier: RunRecord, later: RunRecord, comparison: Publication) -> None:
        """Put the plans of both runs; what is compared are the listings that are complete in both."""
        crawl, runs = Crawl.from_dict(later.crawl), (Run.from_dict(earlier.run), Run.from_dict(later.run))
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
            plan = Plan(
                publication=replace(comparison, buckets=buckets),
                run=runs[1],
                crawl=crawl,
                base=None,
                published=Published(),
                listings=dict.fromkeys(both, ListingPlan("replace")),
                of_targets=targets_of(complete[1], both),
                chunks=0,
                most_rows=self.most_rows,
                kept={_NOT_COMPLETE: len((set(found[0]) | set(found[1])) - both)},
                operations={
                    of: complete[1][of].operation if crawl.operations else (crawl.service, crawl.operation)
                    for of in both
                },
            )
            before = replace(
                plan,
                # It needs another name.
                publication=replace(plan.publication, name=f"{comparison.name}-before"),
                run=runs[0],
                of_targets=targets_of(complete[0], both),
            )
            before = pinned(self.stores, before, of_earlier)
            pinned(self.stores, replace(plan, compared_with=before.prefix), of_later)

    def _summary(self, earlier: str, maker: Maker) -> dict[str, Any]:
        made, publication = maker.made(), maker.plan.publication
        found = ", ".join(f"{made.changes[kind]:,} {kind}" for kind in ("new", "changed", "gone"))
        not_compared = maker.plan.kept[_NOT_COMPLETE]
        missing = f"; {count_of(not_compared, 'listing')} {_NOT_COMPLETE}" if not_compared else ""
        return {
            "run_id": publication.run_id,
            "generation": publication.generation,
            "crawl": publication.crawl,
            "outcome": "succeeded",
            "compared_with": earlier,
            "message": f"{publication.run_id} compared with {earlier}: {found}{missing}",
            **{kind: made.changes[kind] for kind in ("new", "changed", "gone")},
            **{f"{kind}_keys": keys for kind, keys in made.keys.items() if keys},
            "not_compared": not_compared,
            "changes": f"s3://{self.stores.pages.bucket}/{comparison_prefix(publication.crawl, publication.name)}",
        }


def _comparison(earlier: RunRecord, later: RunRecord) -> Publication:
    """What names a comparison. Runs that are resumed are compared anew."""
    return Publication(
        number=0,
        crawl=later.crawl["name"],
        run_id=later.run["run_id"],
        generation=later.generation,
        name="--".join(f"{each.run['run_id']}.{each.generation}" for each in (earlier, later)),
        buckets=1,
        base=0,
        begun_at=later.run["started_at"],
    )


def _complete(listings: dict[str, RunListing]) -> dict[str, RunListing]:
    """Return the listings of a run that are complete. What was beside an ignored error may exist, and is not gone."""
    return {
        of: each
        for of, each in listings.items()
        if each.has_ended and not each.is_limited and not each.total("ignored_errors")
    }
