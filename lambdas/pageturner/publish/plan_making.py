"""Makes the plan of a publication from a run's manifest, and from what was published before."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.errors import CannotPublishError, MistrustedListingError, RunStoppedError
from pageturner.finish.manifest import Manifest
from pageturner.page_state import Run
from pageturner.publish.columns import Column, columns_of
from pageturner.publish.gone_listings import GoneListings
from pageturner.publish.plan import ListingPlan, Plan, put_plan, read_plan
from pageturner.stores import Stores
from pageturner.stores.keys import manifest_key
from pageturner.stores.publications import Publication, Published, PublishedListing, State
from pageturner.stores.runs_and_locks import RunRecord
from pageturner.verdicts import ENDED, target_of

# A function reads so many page objects at once, as long as they have no more items than it can publish.
_MOST_FILES = 500
# What a function holds of compressed pages besides: items can be large.
_MOST_BYTES = 256 * 1024 * 1024
_LATER = "a later run has published it"
_EMPTY = "it is empty, and what is published is not; to publish it, set allow_empty: true"
_OTHER_ITEMS = "its input changes what its items are; to publish it, set stale_items"
_NOT_COMPARABLE = "it is limited, and what its items or keys are has changed"


@dataclass
class _Listing:
    """What a run's manifest says of a listing: the entries of its targets, and why it is not published."""

    entries: list[Mapping[str, Any]]
    plan: ListingPlan | None = None
    kept: str = ""

    def total(self, name: str) -> int:
        return sum(entry[name] for entry in self.entries)


@dataclass(frozen=True)
class PlanMaker:
    """Makes plans. `most_rows` is how many rows a function publishes at once."""

    stores: Stores
    most_rows: int

    def make(self, found: RunRecord, state: State, asked_by: str, at: str) -> Plan | None:
        """Make and put the plan of the next publication, of a run's last generation; None if there is nothing to do.

        Raises `SinkError`, `CannotPublishError` if the run has no manifest, and `RunStoppedError` if it is resumed.
        """
        run, crawl = Run(**found.run), Crawl.from_dict(found.crawl)
        before = self.stores.publications.published(state.current)
        with tempfile.TemporaryDirectory() as folder:
            manifest = self._manifest(run, Path(folder) / "manifest.json")
            listings = _listings(manifest)
            for listing_id, listing in listings.items():
                _decide(listing, before.listings.get(listing_id), run, found, asked=bool(asked_by))
            gone, why = GoneListings(self.stores, found, manifest.summary()).among(before.listings, set(listings))
            if not gone and not asked_by and not any(listing.plan for listing in listings.values()):
                return None
            after = self._after(listings, before, gone, run, found)
            publication = self._publication(run, crawl, state, after, asked_by, at)
            kept = Counter(listing.kept for listing in listings.values() if listing.kept)
            plan = Plan(
                publication=publication,
                run=run,
                crawl=crawl,
                base=state.current,
                published=after,
                listings={of: listing.plan for of, listing in listings.items() if listing.plan}
                | {of: ListingPlan("remove") for of in gone},
                of_targets={
                    entry["target_id"]: of
                    for of, listing in listings.items()
                    if listing.plan
                    for entry in listing.entries
                },
                chunks=0,
                rehashes=before.ignore_fields != crawl.ignore_fields,
                kept=dict(kept + Counter({why: len(before.listings)} if why else {})),
            )
            plan = replace(plan, chunks=self._put_chunks(plan, manifest))
        put_plan(self.stores, plan)
        # Another attempt may have put it before.
        return read_plan(self.stores, publication)

    def _manifest(self, run: Run, path: Path) -> Manifest:
        key = manifest_key(run)
        if not self.stores.pages.download(key, path):
            raise CannotPublishError(f"the manifest of the run is gone: s3://{self.stores.pages.bucket}/{key}")
        manifest = Manifest(path)
        # An earlier version of Pageturner did not say.
        if manifest.summary().get("generation", run.generation) != run.generation:
            raise RunStoppedError(f"{run.run_id} was resumed in another execution, which publishes it")
        return manifest

    def _after(
        self, listings: Mapping[str, _Listing], before: Published, gone: set[str], run: Run, found: RunRecord
    ) -> Published:
        """Return what is published then."""
        crawl = Crawl.from_dict(found.crawl)
        after = {of: each for of, each in before.listings.items() if of not in gone}
        for listing_id, listing in listings.items():
            if listing.plan is not None:
                after[listing_id] = _published(listing, before.listings.get(listing_id), run, found)
        columns = columns_of(crawl, [Column(*each) for each in before.columns])
        return Published(after, tuple(astuple(each) for each in columns), crawl.ignore_fields)

    def _publication(
        self, run: Run, crawl: Crawl, state: State, after: Published, asked_by: str, at: str
    ) -> Publication:
        number = state.last + 1
        is_first = run.generation == 1 and not asked_by
        rows = sum(listing.items for listing in after.listings.values())
        size = sum(listing.bytes for listing in after.listings.values())
        buckets = 1
        # A power of two, so that a bucket is a part of one before, or has it whole.
        while rows > buckets * self.most_rows or size > buckets * _MOST_BYTES:
            buckets *= 2
        return Publication(
            number=number,
            crawl=crawl.name,
            run_id=run.run_id,
            generation=run.generation,
            name=run.run_id if is_first else f"{run.run_id}.{number}",
            buckets=buckets,
            base=state.current.number if state.current else 0,
            begun_at=at,
            asked_by=asked_by,
        )

    def _put_chunks(self, plan: Plan, manifest: Manifest) -> int:
        """Put the lists of page objects, and return how many there are."""
        chunk: list[str] = []
        items, size, number = 0, 0, 0
        for file in manifest.files():
            if file["target_id"] not in plan.of_targets:
                continue
            if chunk and (
                len(chunk) == _MOST_FILES
                or items + file["items"] > self.most_rows
                or size + file["bytes"] > _MOST_BYTES
            ):
                self.stores.pages.put_json(plan.chunk_key(number), chunk)
                chunk, items, size, number = [], 0, 0, number + 1
            chunk.append(file["key"])
            items, size = items + file["items"], size + file["bytes"]
        if chunk:
            self.stores.pages.put_json(plan.chunk_key(number), chunk)
            number += 1
        return number


def _listings(manifest: Manifest) -> dict[str, _Listing]:
    """Return the listings of a run, each with the entries of its targets."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for entry in manifest.entries():
        found[target_of(entry).listing_id].append(entry)
    return {of: _Listing(entries) for of, entries in found.items()}


def _decide(listing: _Listing, before: PublishedListing | None, run: Run, found: RunRecord, *, asked: bool) -> None:
    """Decide how a listing is published, or why it is not."""
    crawl = Crawl.from_dict(found.crawl)
    verdicts = {_verdict(entry, asked=asked) for entry in listing.entries}
    part = target_of(listing.entries[0]).part
    if not verdicts <= set(ENDED) or (part is not None and len(listing.entries) < part.count):
        return  # it has not ended
    is_comparable = before is None or before.definition == crawl.definition
    newer: tuple[str, ...] = ()
    if before is not None:
        if before.is_complete and (before.started_at, before.run_id) > (run.started_at, run.run_id):
            listing.kept = _LATER
            return
        if not asked and before.run_id == run.run_id and before.is_complete and before.passes == _passes(listing):
            return  # this run has published it
        newer = tuple(sorted(of for of, began in before.added.items() if (began, of) > (run.started_at, run.run_id)))
    if not is_comparable and crawl.stale_items == "keep" and not found.as_catalogued:
        listing.kept = _OTHER_ITEMS
    elif verdicts == {"complete"} and not listing.total("ignored_errors"):
        was_empty = before is None or not (before.items or before.added)
        if not listing.total("items") and not was_empty and not crawl.allow_empty:
            listing.kept = _EMPTY
        else:
            listing.plan = ListingPlan("replace", is_comparable, newer)
    elif not is_comparable:
        listing.kept = _NOT_COMPARABLE
    else:
        # What a limited listing does not have, or what was beside an ignored error, may still exist.
        listing.plan = ListingPlan("add", newer=newer)


def _verdict(entry: Mapping[str, Any], *, asked: bool) -> str:
    if asked and entry.get("error") == MistrustedListingError.__name__:
        return "complete"
    return str(entry["verdict"])


def _passes(listing: _Listing) -> dict[str, int]:
    return {entry["target_id"]: entry["restarts"] + 1 for entry in listing.entries}


def _published(listing: _Listing, before: PublishedListing | None, run: Run, found: RunRecord) -> PublishedListing:
    crawl, entry = Crawl.from_dict(found.crawl), listing.entries[0]
    is_limited = any(_verdict(each, asked=True) == "limited" for each in listing.entries)
    added = dict(before.added) if before is not None else {}
    if is_limited:
        added[run.run_id] = run.started_at
        if before is not None:
            return replace(before, added=added)
    assert listing.plan is not None
    return PublishedListing(
        account=entry["account"],
        region=entry["region"],
        parameters=entry["parameters"] if entry.get("part") is None else {},
        run_id=run.run_id,
        started_at=run.started_at,
        items=listing.total("items"),
        bytes=listing.total("bytes"),
        passes=_passes(listing),
        definition=crawl.definition,
        as_catalogued=found.as_catalogued,
        is_complete=not is_limited,
        added=added if is_limited else {of: added[of] for of in listing.plan.newer},
    )
