"""Makes the files of a publication: its table, and what it changed. All at once, or a part at a time.

What has more rows than a function can hold is made in parts. First, each chunk of page objects is scattered over the
buckets of the names' hash; then each bucket is merged with what was published of it before. A part says that it is done
by an object that has what the next ones need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from pageturner.errors import CannotPublishError
from pageturner.publish import rows
from pageturner.publish.columns import Column
from pageturner.publish.database import Database, database
from pageturner.publish.ignored import IgnoredFields
from pageturner.publish.page_files import download_pages
from pageturner.publish.plan import Plan
from pageturner.stores import Stores
from pageturner.stores.keys import changes_prefix, page_prefix, table_prefix
from pageturner.stores.publications import Publication

_AT_ONCE = 8
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
    """Makes the files of one publication, by its plan."""

    stores: Stores
    plan: Plan

    def make_whole(self) -> None:
        """Make everything. Raises `SinkError` and `CannotPublishError`."""
        with database() as db:
            self._read_pages(db, range(self.plan.chunks))
            self._merge(db, 0)

    def scatter(self, chunk: int) -> None:
        """Scatter a chunk of page objects over the buckets. Raises `SinkError` and `CannotPublishError`."""
        with database() as db:
            self._read_pages(db, [chunk])
            files = rows.write_scattered(db, self.plan.publication.buckets)
            for bucket, path in files.items():
                self.stores.pages.put_file(self._scattered_key(chunk, bucket), path)
        self.stores.pages.put_json(self._done_key("scattered", chunk), sorted(files))

    def merge(self, bucket: int) -> None:
        """Merge what was scattered into a bucket. Raises `SinkError` and `CannotPublishError`."""
        chunks = range(self.plan.chunks)
        done = [self.stores.pages.get_json(self._done_key("scattered", chunk)) for chunk in chunks]
        with database() as db:
            keys = [self._scattered_key(chunk, bucket) for chunk in chunks if bucket in done[chunk]]
            rows.read_scattered(db, self._download(db, keys))
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
        self.stores.pages.put_json(self._done_key("told", bucket), True)

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
        return f"{changes_prefix(made.crawl, made.name)}{bucket:04d}.parquet"

    def table_key(self, bucket: int) -> str:
        """The key of the file of what is published of a bucket."""
        return table_file_key(self.plan.publication, bucket)

    def _made(self, bucket: int) -> Made:
        return Made(**self.stores.pages.get_json(self._done_key("merged", bucket)))

    def _read_pages(self, db: Database, chunks: Iterable[int]) -> None:
        plan, pages = self.plan, self.stores.pages
        keys = [key for chunk in chunks for key in pages.get_json(plan.chunk_key(chunk))]
        files = download_pages(pages, keys, db.folder, IgnoredFields(plan.crawl.ignore_fields))
        if files:
            prefix = page_prefix(plan.run, plan.crawl.name)
            rows.read_pages(db, files, plan.of_targets, plan.crawl.result_keys, prefix)
        else:
            rows.read_scattered(db, [])
        for file in files:
            file.path.unlink()

    def _merge(self, db: Database, bucket: int) -> None:
        plan = self.plan
        ignored = IgnoredFields(plan.crawl.ignore_fields)
        files = self._download(db, _earlier(plan.base, bucket, plan.publication.buckets))
        rows.read_published(db, files, bucket, plan.publication.buckets, ignored if plan.rehashes else None)
        rows.merge(db, plan.listings)
        rows.compare(db, plan.run.run_id, ignored)
        table = rows.write_table(db, [Column(*each) for each in plan.published.columns])
        self.stores.pages.put_file(self.table_key(bucket), table)
        changes = dict(db.rows("SELECT kind, count(*) FROM changes GROUP BY kind"))
        if changes:
            self.stores.pages.put_file(self.changes_key(bucket), rows.write_changes(db))
        ((count,),) = db.rows("SELECT count(*) FROM after")
        keys = {
            kind: [
                key for (key,) in db.rows(f"SELECT key FROM changes WHERE kind = '{kind}' ORDER BY 1 LIMIT {_SAMPLE}")
            ]
            for kind in changes
        }
        self.stores.pages.put_json(self._done_key("merged", bucket), asdict(Made(count, changes, keys)))

    def _download(self, db: Database, keys: Sequence[str]) -> list[Path]:
        def download(numbered: tuple[int, str]) -> Path:
            number, key = numbered
            path = db.folder / f"{number}.parquet"
            if not self.stores.pages.download(key, path):
                raise CannotPublishError(
                    f"an earlier publication's file is gone: s3://{self.stores.pages.bucket}/{key}"
                )
            return path

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(download, enumerate(keys)))

    def _scattered_key(self, chunk: int, bucket: int) -> str:
        return f"{self.plan.prefix}scattered/{chunk}/{bucket}.parquet"

    def _done_key(self, what: str, number: int) -> str:
        return f"{self.plan.prefix}{what}-{number}.json"

    def _not_done(self, what: str, count: int) -> list[int]:
        return [number for number in range(count) if self.stores.pages.version(self._done_key(what, number)) is None]


def table_file_key(publication: Publication, bucket: int) -> str:
    """The key of the file of what is published of a bucket with a publication."""
    return f"{table_prefix(publication.crawl, publication.name)}{bucket:04d}.parquet"


def _earlier(base: Publication | None, bucket: int, buckets: int) -> list[str]:
    """Return the keys of an earlier publication's files that have rows of a bucket. Both numbers are powers of two."""
    if base is None:
        return []
    step = min(base.buckets, buckets)
    return [table_file_key(base, other) for other in range(bucket % step, base.buckets, step)]
