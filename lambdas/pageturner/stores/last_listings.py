"""The last complete listing of each target of a crawl, in the runs table, over all runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.page_state import Run, Target
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, expires_at


@dataclass(frozen=True)
class LastListing:
    """A complete listing: how many `items` it had, and the run, which began at `started_at`."""

    items: int
    run_id: str
    started_at: str


class LastListings:
    """Reads and writes the last complete listings."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def last(self, crawl: Crawl, target: Target) -> LastListing | None:
        """Return the last complete listing of the same items, or None if there is none."""
        found = self._table.get(_row(crawl, target), f"the last complete listing of {target.listing_id}")
        if found is None:
            return None
        return LastListing(int(found["items"]["N"]), found["run_id"]["S"], found["started_at"]["S"])

    def record(self, run: Run, crawl: Crawl, target: Target, items: int) -> None:
        """Record a complete listing, unless that of a later run is on record."""
        started_at = {"S": run.started_at}
        about = {"items": {"N": str(items)}, "run_id": {"S": run.run_id}, "started_at": started_at}
        self._table.write_if(
            f"could not write the last complete listing of {target.listing_id} to the runs table",
            "put_item",
            Item={**_row(crawl, target), **about, "expires_at": expires_at(run)},
            ConditionExpression="attribute_not_exists(pk) OR started_at <= :started_at",
            ExpressionAttributeValues={":started_at": started_at},
        )


def _row(crawl: Crawl, target: Target) -> dict[str, Any]:
    return keys.row(keys.LAST_LISTING.format(crawl.name, target.listing_id), crawl.items_hash)
