"""Makes the plan of a publication from a run's manifest, and from what was published before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.since import without_window
from pageturner.page_state import Run
from pageturner.publish.columns import Column, columns_of
from pageturner.publish.gone_listings import GoneListings
from pageturner.publish.operation_tables import tables_of
from pageturner.publish.plan import ListingPlan, Plan, was_given_up
from pageturner.publish.run_listings import RunListing, buckets_for, listings_in, manifest_of, pinned, targets_of
from pageturner.stores import Stores
from pageturner.stores.publications import Publication, Published, PublishedListing, State
from pageturner.stores.runs_and_locks import RunRecord

_LATER = "a later run has published it"
_GONE = "a later run lists it no longer"
_EMPTY = "it is empty, and what is published is not; to publish it, set allow_empty: true"
_OTHER_ITEMS = "its input changes what its items are; to publish it, set stale_items"
_NOT_COMPARABLE = "it is limited, and what its items or keys are has changed"

# So many of the last runs that have added what is new to a listing are known.
_RUNS_KNOWN = 100


@dataclass(frozen=True)
class PlanMaker:
    """Makes plans. `most_rows` is how many rows a function publishes at once."""

    stores: Stores
    most_rows: int

    def make(self, found: RunRecord, state: State, asked_by: str, at: str) -> Plan | Mapping[str, int]:
        """Make and put the plan of the next publication, of a run's last generation.

        If there is nothing to publish, returns what the plan would have as `kept`. Raises `SinkError`,
        `CannotPublishError` if the run has no manifest, and `RunStoppedError` if it is resumed.
        """
        run, crawl = Run.from_dict(found.run), Crawl.from_dict(found.crawl)
        before = self.stores.publications.published(state.current)
        with manifest_of(self.stores, run) as manifest:
            listings = listings_in(manifest, asked=bool(asked_by))
            own = set(listings)
            is_late = self._is_late(found, before)
            plans: dict[str, ListingPlan] = {}
            kept: Counter[str] = Counter()
            for listing_id, listing in listings.items():
                if is_late and listing_id not in before.listings:
                    kept[_GONE] += 1
                    continue
                how = _how(listing, before.listings.get(listing_id), run, crawl, found)
                if isinstance(how, ListingPlan):
                    plans[listing_id] = how
                elif how:
                    kept[how] += 1
            of_run = GoneListings(self.stores, found, manifest.summary())
            gone, stay = of_run.among(before.listings, own)
            kept.update(stay)
            if not plans and not gone and not asked_by:
                return kept
            after = {of: each for of, each in before.listings.items() if of not in gone}
            after |= {
                of: _published(listings[of], plan, before.listings.get(of), run, crawl, found)
                for of, plan in plans.items()
            }
            is_hashed_alike = before.ignore_fields == crawl.ignore_fields or all(
                of not in before.listings or (of in plans and plans[of].how == "replace" and not plans[of].newer)
                for of in after
            )
            has_several = bool(crawl.operations)
            columns = [] if has_several else columns_of(crawl, [Column(*each) for each in before.columns])
            operations = {of: (each.service, each.operation) for of, each in {**before.listings, **after}.items()}
            plan = Plan(
                publication=self._publication(run, state, crawl.name, after, asked_by, at),
                run=run,
                crawl=crawl,
                base=state.current,
                published=Published(
                    after,
                    tuple(astuple(each) for each in columns),
                    crawl.ignore_fields if is_hashed_alike else None,
                    max(before.told_by, (run.started_at, run.run_id)) if of_run.tells(own) else before.told_by,
                    tables_of(crawl, after.values(), before.tables) if has_several else {},
                ),
                listings=plans | {of: ListingPlan("remove") for of in gone},
                of_targets=targets_of(listings, plans),
                chunks=0,
                most_rows=self.most_rows,
                rehashes=before.ignore_fields != crawl.ignore_fields,
                kept=dict(kept),
                operations={
                    of: operations[of] if has_several else (crawl.service, crawl.operation) for of in operations
                },
            )
            return pinned(self.stores, plan, manifest)

    def _is_late(self, found: RunRecord, before: Published) -> bool:
        """Return whether a later run has told which listings there are, and could know all that this one has."""
        began, run_id = before.told_by
        if not found.as_catalogued or (began, run_id) <= (found.run["started_at"], found.run["run_id"]):
            return False
        later = self.stores.runs.find(run_id)
        return later is None or not GoneListings(self.stores, later, {}).comes_from_a_later_listing(found.run["run_id"])

    def _publication(
        self, run: Run, state: State, crawl: str, after: Mapping[str, PublishedListing], asked_by: str, at: str
    ) -> Publication:
        number = state.last + 1
        is_first = run.generation == 1 and not asked_by and not was_given_up(self.stores, crawl, run.run_id)
        rows = sum(listing.items for listing in after.values())
        size = sum(listing.bytes for listing in after.values())
        return Publication(
            number=number,
            crawl=crawl,
            run_id=run.run_id,
            generation=run.generation,
            name=run.run_id if is_first else f"{run.run_id}.{number}",
            buckets=buckets_for(rows, size, self.most_rows),
            base=state.current.number if state.current else 0,
            begun_at=at,
            asked_by=asked_by,
        )


def _how(
    listing: RunListing, before: PublishedListing | None, run: Run, crawl: Crawl, found: RunRecord
) -> ListingPlan | str:
    """Return how a listing is published, or why it is not: an empty string if that needs no mention."""
    if not listing.has_ended:
        return ""
    is_comparable = before is None or before.definition == crawl.definition
    newer: tuple[str, ...] = ()
    if before is not None:
        own = run.started_at, run.run_id
        if before.is_complete and (before.started_at, before.run_id) > own:
            return _LATER
        if not listing.asked and before.is_complete and before.run_id == run.run_id and before.passes == listing.passes:
            return ""  # this run has published it
        newer = tuple(sorted(of for of, began in before.added.items() if (began, of) > own))
    if not is_comparable and crawl.stale_items == "keep" and not found.as_catalogued:
        return _OTHER_ITEMS
    if crawl.since is not None:
        # What was new for earlier runs is not listed again.
        return "" if before is not None and not listing.total("items") else ListingPlan("add", newer=newer)
    if listing.is_limited or listing.total("ignored_errors"):
        # What a limited listing does not have, or what was beside an ignored error, may still exist.
        return ListingPlan("add", newer=newer) if is_comparable else _NOT_COMPARABLE
    has_any = before is not None and bool(before.items or before.added)
    if has_any and not listing.total("items") and not crawl.allow_empty:
        return _EMPTY
    return ListingPlan("replace", is_comparable, newer)


def _published(
    listing: RunListing, plan: ListingPlan, before: PublishedListing | None, run: Run, crawl: Crawl, found: RunRecord
) -> PublishedListing:
    if crawl.since is not None:
        return _published_with_new(listing, before, run, crawl, found)
    entry = listing.entries[0]
    added = dict(before.added) if before is not None else {}
    # What was there before stays beside what is added.
    least = before if before is not None and plan.how == "add" else None
    # A run of less than the catalogue's crawl may list it again.
    as_catalogued = found.as_catalogued or (before is not None and before.as_catalogued)
    if listing.is_limited:
        added[run.run_id] = run.started_at
        if before is not None:
            return replace(before, added=added, as_catalogued=as_catalogued)
    return PublishedListing(
        account=entry["account"],
        region=entry["region"],
        parameters=entry["parameters"] if entry.get("part") is None else {},
        run_id=run.run_id,
        started_at=run.started_at,
        items=max(listing.total("items"), least.items if least else 0),
        bytes=max(listing.total("bytes"), least.bytes if least else 0),
        passes=listing.passes,
        definition=crawl.definition,
        as_catalogued=as_catalogued,
        is_complete=not listing.is_limited,
        added=added if plan.how == "add" else {of: added[of] for of in plan.newer},
        service=listing.operation[0],
        operation=listing.operation[1],
    )


def _published_with_new(
    listing: RunListing, before: PublishedListing | None, run: Run, crawl: Crawl, found: RunRecord
) -> PublishedListing:
    """Return what is published of a listing when a run has added what is new in it."""
    entry = listing.entries[0]
    added = before.added if before is not None else {}
    # An item is listed by several runs only if all but the last of these were not complete: that is soon over.
    known = sorted({**added, run.run_id: run.started_at}.items(), key=lambda each: each[::-1])[-_RUNS_KNOWN:]
    return PublishedListing(
        account=entry["account"],
        region=entry["region"],
        parameters=without_window(crawl, entry["parameters"]),
        run_id=run.run_id,
        started_at=run.started_at,
        # At most, if the run adds again what it has added before.
        items=listing.total("items") + (before.items if before is not None else 0),
        bytes=listing.total("bytes") + (before.bytes if before is not None else 0),
        passes=listing.passes,
        definition=crawl.definition,
        as_catalogued=found.as_catalogued or (before is not None and before.as_catalogued),
        is_complete=False,
        added=dict(known),
    )
