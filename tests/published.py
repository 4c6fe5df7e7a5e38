"""What PublishRun leaves behind: the complete listings of a run are published."""

from __future__ import annotations

from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.page_state import Run, Target
from pageturner.stores import Stores
from pageturner.stores.checkpoints import by_target
from pageturner.stores.keys import manifest_key
from pageturner.stores.publications import Publication, Published, PublishedListing
from pageturner.verdicts import target_of
from tests.conftest import Aws, Machines


def publish_as_it_is(run_id: str) -> None:
    """Publish the complete listings of a run, as its manifest says, where no later run has, and release its lock."""
    stores = Stores.of_environment()
    found = stores.runs.find(run_id)
    assert found is not None
    run, crawl = Run(**found.run), Crawl.from_dict(found.crawl)
    state = stores.publications.state(crawl.name)
    before = stores.publications.published(state.current)
    listings = dict(before.listings)
    for listing_id, published in _complete(stores, run, crawl, as_catalogued=found.as_catalogued).items():
        if listing_id not in listings or listings[listing_id].started_at <= run.started_at:
            listings[listing_id] = published
    base, number = state.current.number if state.current else 0, state.last + 1
    publication = Publication(number, crawl.name, run_id, run.generation, f"{run_id}-{number}", 1, base, run.started_at)
    assert stores.publications.begin(publication)
    stores.publications.put_published(publication, Published(listings, before.columns, before.ignore_fields))
    assert stores.publications.commit(publication)
    assert stores.publications.finish(publication)
    stores.runs.unlock(crawl.name, run)


def _complete(stores: Stores, run: Run, crawl: Crawl, *, as_catalogued: bool) -> dict[str, PublishedListing]:
    manifest = stores.pages.get_json(manifest_key(run))
    counted = {listing.target_id: listing for listing in by_target(stores.checkpoints.pages(run))}
    parts: dict[str, list[Target]] = {}
    ended = {each["target_id"]: each["verdict"] for each in manifest["targets"]}
    for target in map(target_of, manifest["targets"]):
        parts.setdefault(target.listing_id, []).append(target)
    return {
        listing_id: PublishedListing(
            account=targets[0].account,
            region=targets[0].region,
            parameters=targets[0].parameters,
            run_id=run.run_id,
            started_at=run.started_at,
            items=sum(record.items for target in targets for record in counted[target.target_id].records),
            bytes=sum(record.bytes for target in targets for record in counted[target.target_id].records),
            passes={target.target_id: counted[target.target_id].pass_number for target in targets},
            definition=crawl.definition,
            as_catalogued=as_catalogued,
        )
        for listing_id, targets in parts.items()
        if {ended[target.target_id] for target in targets} == {"complete"}
    }


def run_and_publish(aws: Aws, machines: Machines, crawl_name: str = "c") -> dict[str, Any]:
    """Run a crawl of the catalogue, and publish it."""
    summary = machines.run(aws, {"crawl": crawl_name})
    publish_as_it_is(summary["run_id"])
    return summary
