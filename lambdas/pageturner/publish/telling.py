"""Tells DynamoDB what a publication changed: its difference, or, where the two may disagree, that from the table.

They may disagree if DynamoDB was not told of the publication before (it was given up, or the crawl had no such sink),
if the table was restored, if what becomes of stale items has changed, or if a person asks for a publication.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pageturner.errors import RunStoppedError
from pageturner.publish import rows
from pageturner.publish.database import Database, database, quoted
from pageturner.publish.making import Maker
from pageturner.publish.page_files import download_files
from pageturner.publish.plan import Plan
from pageturner.stores import Stores
from pageturner.stores.item_rows import Change, Listing
from pageturner.stores.publications import State, Told
from pageturner.stores.publishing_fences import LANES


def is_told(plan: Plan, told: Told | None) -> bool:
    """Whether DynamoDB has been told of a publication, or the crawl has no items there."""
    return "dynamodb" not in plan.crawl.sinks or (told is not None and told.number == plan.publication.number)


@dataclass(frozen=True)
class Teller:
    """Tells the table with this id of one committed publication, the pending one of `state`."""

    stores: Stores
    maker: Maker
    state: State
    table_id: str

    @classmethod
    def of(cls, stores: Stores, maker: Maker, state: State) -> Teller:
        """Return who tells the table that there is now, whatever takes its name meanwhile. Raises `SinkError`."""
        return cls(stores, maker, state, stores.items.table_id())

    def begin(self) -> None:
        """Put up the fence, and tell which listings there are. Raises `SinkError`, `RunStoppedError` if it is late."""
        plan = self.maker.plan
        number, name = plan.publication.number, plan.crawl.name
        if not self.stores.fences.put_up(name, number):
            raise _late()
        there = {} if self._reconciles() else self._listings_there()
        put = {of: each for of, each in plan.published.listings.items() if of not in there}
        if not self.stores.items.tell_listings(name, number, put, {}):
            raise _late()

    def tell(self, bucket: int, seconds: float, lanes: range) -> bool:
        """Tell of a bucket's changes for some seconds, from where it was left. Returns whether that is all of them.

        Raises `SinkError`, and `RunStoppedError` if it is late.
        """
        is_told = self._tell(bucket, seconds, lanes)
        if is_told:
            self.maker.record_told(bucket)
        return is_told

    def _tell(self, bucket: int, seconds: float, lanes: range) -> bool:
        ends = time.monotonic() + seconds
        publication = self.maker.plan.publication
        if not self._reconciles() and not self.maker.changed(bucket):
            return True
        with database() as db:
            file = self._list(db, bucket)
            ((total,),) = db.rows(f"SELECT count(*) FROM read_parquet({quoted(str(file))})")
            reached = self.stores.publications.reached(publication, bucket)
            while reached < total and time.monotonic() < ends:
                told = self.stores.items.tell_in_parallel(
                    self.maker.plan.crawl,
                    publication.number,
                    _changes(db, file, reached),
                    self.maker.plan.run.started_at,
                    ends - time.monotonic(),
                    lanes,
                )
                if told is None:
                    raise _late()
                reached += told
                self.stores.publications.record_reached(publication, bucket, reached)
        return bool(reached >= total)

    def end(self) -> None:
        """Tell which listings are gone, and record that DynamoDB has been told. Raises as `tell` does."""
        plan = self.maker.plan
        # The items of a gone listing are found by its row, until they are removed.
        if plan.crawl.stale_items == "remove":
            gone = {of: each for of, each in self._listings_there().items() if of not in plan.published.listings}
            if not self.stores.items.tell_listings(plan.crawl.name, plan.publication.number, {}, gone):
                raise _late()
        told = Told(plan.publication.number, self.table_id, plan.crawl.stale_items)
        self.stores.publications.record_told(plan.publication, told)

    def _listings_there(self) -> Mapping[str, Listing]:
        """The listings in DynamoDB, by id."""
        if self._reconciles():
            return dict(self.stores.items.listings_there(self.maker.plan.crawl.name))
        return self.stores.publications.published(self.maker.plan.base).listings

    def _reconciles(self) -> bool:
        plan, told = self.maker.plan, self.state.told
        return (
            bool(plan.publication.asked_by)
            or told is None
            or told != Told(plan.publication.base, self.table_id, plan.crawl.stale_items)
        )

    def _list(self, db: Database, bucket: int) -> Path:
        """Return the file of what DynamoDB is told of a bucket."""
        if not self._reconciles():
            (file,) = self._download(db, [self.maker.changes_key(bucket)])
            return file
        key = f"{self.maker.plan.prefix}reconciled-{bucket}.parquet"
        if self.stores.pages.version(key) is None:
            self.stores.pages.put_file(key, self._reconciled(db, bucket))
        (file,) = self._download(db, [key])
        return file

    def _reconciled(self, db: Database, bucket: int) -> Path:
        """Write how the table differs from what is published, in a bucket of the sort keys' hash."""
        plan = self.maker.plan
        listings = {*plan.published.listings, *dict(self.stores.items.listings_there(plan.crawl.name))}
        listings |= set(self.stores.publications.published(plan.base).listings)

        def there() -> Iterator[tuple[str, str, str, str, str, str]]:
            for of in sorted(listings):
                for row in self.stores.items.rows_there(plan.crawl.name, of):
                    yield of, row.name, row.result_key, row.key, row.hash, str(row.is_stale).lower()

        buckets = plan.publication.buckets
        files = self._download(db, [self.maker.table_key(each) for each in range(buckets)])
        return rows.write_reconciled(db, files, there(), bucket, buckets, plan.crawl.stale_items)

    def _download(self, db: Database, keys: Sequence[str]) -> list[Path]:
        return download_files(self.stores.pages, keys, db.folder, "a file of the publication")


def lanes_of(bucket: int, buckets: int) -> range:
    """The lanes for a bucket: buckets are told side by side, and a single one has them all."""
    return range(LANES) if buckets == 1 else range(bucket % LANES, bucket % LANES + 1)


def _changes(db: Database, file: Path, start: int) -> Iterator[Change]:
    for row in rows.stream_changes(db, file, start):
        yield Change(*row)


def _late() -> RunStoppedError:
    return RunStoppedError("a later publication tells DynamoDB: this one was given up, and is late")
