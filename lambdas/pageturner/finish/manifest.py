"""The manifest of a run: every file of its listings, and every target with its verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.finish.summary import Tally
from pageturner.page_state import Run, Target
from pageturner.stores import Stores
from pageturner.stores.checkpoints import Listing, by_target
from pageturner.stores.keys import targets_key
from pageturner.stores.page_store import array_text
from pageturner.verdicts import Ends, counts, entries


def manifest(stores: Stores, run: Run, crawl: Crawl, tally: Tally) -> Iterator[str]:
    """Yield the text of a run's manifest in chunks, and add its targets to `tally`.

    Memory holds a few counts of each target, never the list of all files.
    """
    counted: dict[str, dict[str, Any]] = {}

    def all_files() -> Iterator[dict[str, Any]]:
        for listing in by_target(stores.checkpoints.pages(run)):
            counted[listing.target_id] = counts(listing)
            yield from files(listing)

    def all_entries() -> Iterator[dict[str, Any]]:
        recorded = stores.targets
        ends = Ends(counted, recorded.verdicts(run), recorded.sweeps(run), recorded.throttles(run))
        targets = map(Target.from_dict, stores.pages.json_array(targets_key(run)))
        for entry in entries(crawl, targets, ends):
            tally.add(entry)
            if "resume_token" in entry:
                # What a person can copy must be the token itself.
                entry["resume_token"] = stores.pages.token(entry["resume_token"])
            yield entry

    yield f'{{"run_id": {json.dumps(run.run_id)}, "crawl": {json.dumps(crawl.as_dict())},\n"files": '
    yield from array_text(all_files())
    yield ',\n"targets": '
    yield from array_text(all_entries())
    yield "}\n"


def files(listing: Listing) -> Iterator[dict[str, Any]]:
    """Yield the manifest's entry of each file of a target."""
    for record in listing.records:
        yield {"key": record.key, "items": record.items, "bytes": record.bytes}
