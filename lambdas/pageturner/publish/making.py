"""Makes the files of a publication: its table, and what it changed. All at once, or a part at a time.

What has more rows than a function can hold is made in parts. First, each chunk of page objects is scattered over the
buckets of the names' hash; then each bucket is merged with what was published of it before. A part says that it is done
by an object that has what the next ones need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pageturner.formats import known
from pageturner.publish import rows
from pageturner.publish.columns import Column
from pageturner.publish.database import Database, database, quoted
from pageturner.publish.ignored import IgnoredFields
from pageturner.publish.operation_tables import write_tables
from pageturner.publish.page_files import download_files, download_pages
from pageturner.publish.plan import Plan, read_plan
from pageturner.stores import Stores
from pageturner.stores.keys import changes_prefix, comparison_prefix, page_prefix, table_prefix
from pageturner.stores.publications import Publication

# So many keys of each kind are in the event.
_SAMPLE = 20


@dataclass(frozen=True)
class Made:
    """What became of a bucket: the number of rows, of changes by kind, and the first keys of each kind."""

    rows: int
    changes: dict[str, int]
    keys: dict[str, list[str]]


@dataclass(frozen=True)
class Maker:
    """Makes the files of one publication, by its plan, or of a comparison with the run of an `earlier` plan."""

    stores: Stores
    plan: Plan
    earlier: Plan | None = None

    @classmethod
    def of(cls, stores: Stores, prefix: str) -> Maker:
        """Return the maker of the plan under a prefix. Raises `SinkError`, `CannotPublishError` if it is gone."""
        plan = read_plan(stores, prefix)
        return cls(stores, plan, read_plan(stores, plan.compared_with) if plan.compared_with else None)

    def make_whole(self) -> None:
        """Make everything. Raises `SinkError` and `CannotPublishError`."""
        with database() as db:
            if self.earlier is not None:
                self._read_pages(db, self.earlier, range(self.earlier.chunks))
            self._read_base(db, 0)
            self._read_pages(db, self.plan, range(self.plan.chunks))
            self._merge(db, 0)

    def scatter(self, chunk: int) -> None:
        """Scatter a chunk of page objects over the buckets. Raises `SinkError` and `CannotPublishError`."""
        with database() as db:
            self._read_pages(db, self.plan, [chunk])
            files = rows.write_scattered(db, self.plan.publication.buckets)
            for bucket, path in files.items():
                self.stores.pages.put_file(_scattered_key(self.plan, chunk, bucket), path)
        self.stores.pages.put_json(_done_key(self.plan, "scattered", chunk), sorted(files))

    def merge(self, bucket: int) -> None:
        """Merge what was scattered into a bucket. Raises `SinkError` and `CannotPublishError`."""
        with database() as db:
            if self.earlier is not None:
                self._read_scattered(db, self.earlier, bucket)
            self._read_base(db, bucket)
            self._read_scattered(db, self.plan, bucket)
            self._merge(db, bucket)

    def not_scattered(self) -> list[int]:
        """Return the chunks that are not scattered yet."""
        return self._not_done("scattered", self.plan.chunks)

    def not_merged(self) -> list[int]:
        """Return the buckets that are not merged yet."""
        return self._not_done("merged", self.plan.publication.buckets)

    def not_told(self) -> list[int]:
        """Return the buckets of which DynamoDB has not been told yet."""
        return self._not_done("told", self.plan.publication.buckets)

    def record_told(self, bucket: int) -> None:
        """Record that DynamoDB has been told of a bucket."""
        self.stores.pages.put_json(_done_key(self.plan, "told", bucket), True)

    def made(self) -> Made:
        """Return what became of all buckets."""
        found = [self._made(bucket) for bucket in range(self.plan.publication.buckets)]
        kinds = ("new", "changed", "gone", "replaced")
        return Made(
            rows=sum(each.rows for each in found),
            changes={kind: sum(each.changes.get(kind, 0) for each in found) for kind in kinds},
            keys={kind: [key for each in found for key in each.keys.get(kind, [])][:_SAMPLE] for kind in kinds},
        )

    def changed(self, bucket: int) -> int:
        """Return the number of changes of a bucket."""
        return sum(self._made(bucket).changes.values())

    def changes_key(self, bucket: int) -> str:
        """The key of the file of what the publication changed in a bucket."""
        made = self.plan.publication
        is_comparison = self.earlier is not None
        prefix = (comparison_prefix if is_comparison else changes_prefix)(made.crawl, made.name)
        return f"{prefix}{bucket:04d}.parquet"

    def table_key(self, bucket: int) -> str:
        """The key of the file of what is published of a bucket."""
        return table_file_key(self.plan.publication, bucket)

    def _made(self, bucket: int) -> Made:
        return Made(**known(Made, self.stores.pages.get_json(_done_key(self.plan, "merged", bucket))))

    def _read_pages(self, db: Database, plan: Plan, chunks: Iterable[int]) -> None:
        keys = [key for chunk in chunks for key in self.stores.pages.get_json(plan.chunk_key(chunk))]
        files = download_pages(self.stores.pages, keys, db.folder, IgnoredFields(plan.crawl.ignore_fields))
        if files:
            prefix = page_prefix(plan.run, plan.crawl.name)
            rows.read_pages(db, files, plan.of_targets, plan.result_keys, prefix)
        else:
            rows.read_scattered(db, [])
        for file in files:
            file.path.unlink()

    def _read_scattered(self, db: Database, plan: Plan, bucket: int) -> None:
        done = [self.stores.pages.get_json(_done_key(plan, "scattered", chunk)) for chunk in range(plan.chunks)]
        keys = [_scattered_key(plan, chunk, bucket) for chunk, buckets in enumerate(done) if bucket in buckets]
        rows.read_scattered(db, self._download(db, keys))

    def _read_base(self, db: Database, bucket: int) -> None:
        """Read what was published before, or take what was just read of an earlier run."""
        plan, buckets = self.plan, self.plan.publication.buckets
        files = self._download(db, _earlier_files(plan.base, bucket, buckets))
        rehash = IgnoredFields(plan.crawl.ignore_fields) if plan.rehashes else None
        rows.read_published(db, files, bucket, buckets, rehash)
        if self.earlier is not None:
            rows.merge(db, self.earlier.listings)
            rows.take_as_base(db)

    def _merge(self, db: Database, bucket: int) -> None:
        plan, pages = self.plan, self.stores.pages
        rows.merge(db, plan.listings)
        rows.load_operations(db, plan.operations)
        rows.compare(db, plan.run.run_id, IgnoredFields(plan.crawl.ignore_fields))
        if self.earlier is None:
            pages.put_file(
                self.table_key(bucket), rows.write_table(db, [Column(*each) for each in plan.published.columns])
            )
            for table, path in write_tables(db, plan.published.tables) if plan.crawl.operations else ():
                pages.put_file(table_file_key(plan.publication, bucket, table), path)
                path.unlink()
        changes = dict(db.rows("SELECT kind, count(*) FROM changes GROUP BY kind"))
        if changes:
            pages.put_file(self.changes_key(bucket), rows.write_changes(db))
        ((count,),) = db.rows("SELECT count(*) FROM after")
        first = "SELECT left(key, 200) FROM changes WHERE kind = {} ORDER BY 1 LIMIT {}"
        keys = {kind: [key for (key,) in db.rows(first.format(quoted(kind), _SAMPLE))] for kind in changes}
        pages.put_json(_done_key(plan, "merged", bucket), asdict(Made(count, changes, keys)))

    def _download(self, db: Database, keys: Sequence[str]) -> list[Path]:
        return download_files(self.stores.pages, keys, db.folder, "an earlier publication's file")

    def _not_done(self, what: str, count: int) -> list[int]:
        pages = self.stores.pages
        return [number for number in range(count) if pages.version(_done_key(self.plan, what, number)) is None]


def table_file_key(publication: Publication, bucket: int, table: str = "") -> str:
    """The key of the file of what is published of a bucket with a publication, in the crawl's own or another table."""
    return f"{table_prefix(publication.crawl, publication.name, table)}{bucket:04d}.parquet"


def _scattered_key(plan: Plan, chunk: int, bucket: int) -> str:
    return f"{plan.prefix}scattered/{chunk}/{bucket}.parquet"


def _done_key(plan: Plan, what: str, number: int) -> str:
    return f"{plan.prefix}{what}-{number}.json"


def _earlier_files(base: Publication | None, bucket: int, buckets: int) -> list[str]:
    """Return the keys of an earlier publication's files that have rows of a bucket. Both numbers are powers of two."""
    if base is None:
        return []
    step = min(base.buckets, buckets)
    return [table_file_key(base, other) for other in range(bucket % step, base.buckets, step)]
