"""The rows of items in DuckDB: what a run listed, what was published before, what is published then, what changed.

An item is known in its listing by its `name`: its key, behind its result key if that is not the primary one, because a
folder and a file may have the same key. Different items that share a name are told apart by a hash. So `id` is the
name, or the name with the hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pageturner.publish.columns import ENVELOPE, Column, select_table
from pageturner.publish.database import Database, names_of, quoted
from pageturner.publish.ignored import IgnoredFields
from pageturner.publish.page_files import PageFile
from pageturner.publish.plan import ListingPlan
from pageturner.stores.keys import item_hash
from pageturner.table_names import CHANGES_COLUMNS

# What a line of a page has that is needed here. `name` and `hash` are there where `page_files` has put them.
_LINE = (
    *("run_id", "account", "region", "target", "pass", "page"),
    *("result_key", "key", "name", "hash", "fetched_at", "parent"),
)
# DuckDB takes buffers of several times what it is told to be the longest line.
_USUAL_LINE = 1024 * 1024
# As pages have times.
_TIME = "%Y-%m-%dT%H:%M:%S.%gZ"
_TIMES = ("first_seen", "last_changed", "fetched_at")
_SPREAD = "md5(listing || chr(10) || name)"
# All text.
_ROW = ", ".join(f'"{name}"' for name in (*(name for name, _ in ENVELOPE), "id", "item"))
_ID = "CASE shares_key WHEN 'true' THEN name || '#' || hash ELSE name END AS id"
_PARQUET = "(FORMAT parquet, COMPRESSION zstd)"


def bucket_of(buckets: int, column: str = "name") -> str:
    """The SQL expression of the bucket of a row. All items that share a name are in the same one."""
    return f"md5_number_lower(listing || chr(10) || {column}) % {buckets}"


def read_pages(
    db: Database,
    files: Sequence[PageFile],
    of_targets: Mapping[str, str],
    result_keys: Callable[[str], Sequence[str]],
    page_prefix: str,
) -> None:
    """Make the table `lines` of the items in page objects of the targets in `of_targets`, which has their listings.

    The objects are under `page_prefix`; the first of the `result_keys` of a listing is the primary one.
    Raises `CannotPublishError`.
    """
    db.load(
        "of_targets",
        {**_texts("target", "listing"), "result_keys": "VARCHAR[]"},
        ((target, listing, list(result_keys(listing))) for target, listing in of_targets.items()),
    )
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in (*_LINE, "item"))
    longest = max(_USUAL_LINE, *(file.longest + 1 for file in files))
    source = (
        f"read_json({names_of([file.path for file in files])}, format = 'newline_delimited', compression = 'gzip', "
        f"columns = {{{columns}}}, maximum_object_size = {longest})"
    )
    own = "coalesce(line.name, line.key)"
    looks_otherwise = f"len(list_filter(result_keys, lambda name: starts_with({own}, name || '#'))) > 0"
    is_plain = f"line.result_key = result_keys[1] AND NOT {looks_otherwise}"
    page = "line.target || '-' || line.pass || '-' || lpad(line.page, 8, '0') || '.jsonl.gz'"
    db.execute(
        f"""CREATE OR REPLACE TABLE lines AS SELECT line.account, line.region, line.target, of_targets.listing,
        line.result_key, line.key, CASE WHEN {is_plain} THEN {own} ELSE line.result_key || '#' || {own} END AS name,
        coalesce(line.hash, left(sha256(line.item), 16)) AS hash, line.run_id, line.fetched_at,
        {quoted(page_prefix)} || {page} AS page_object, line.parent, line.item
        FROM {source} AS line JOIN of_targets ON of_targets.target = line.target"""
    )


def write_scattered(db: Database, buckets: int) -> dict[int, Path]:
    """Write `lines` to a file for each bucket that has any; return them by bucket. Raises `CannotPublishError`."""
    found = db.rows(f"SELECT DISTINCT {bucket_of(buckets)} FROM lines ORDER BY 1")
    files = {int(bucket): db.folder / f"scattered-{bucket}.parquet" for (bucket,) in found}
    for bucket, path in files.items():
        own = f"SELECT * FROM lines WHERE {bucket_of(buckets)} = {bucket}"
        db.execute(f"COPY ({own}) TO {quoted(str(path))} {_PARQUET}")
    return files


def read_scattered(db: Database, files: Sequence[Path]) -> None:
    """Make `lines` of the files of a bucket that `write_scattered` wrote. Raises `CannotPublishError`."""
    names = [name for name, _ in ENVELOPE if name not in ("shares_key", "first_seen", "last_changed")]
    source = _with_parent(files) if files else _no_rows(names)
    db.execute(f"CREATE OR REPLACE TABLE lines AS {source}")


def read_published(
    db: Database, files: Sequence[Path], bucket: int, buckets: int, rehash: IgnoredFields | None
) -> None:
    """Make the table `base` of what the files of an earlier publication have in a bucket.

    `rehash` is there if other fields may have been ignored than now. Then `compared` is the hash without these, and the
    `hash` stays: it may be in the id. Raises `CannotPublishError`.
    """
    source = _read_table(files) if files else _no_rows(dict(ENVELOPE))
    own = f"SELECT *, {_ID}, hash AS compared FROM ({source}) WHERE {bucket_of(buckets)} = {bucket}"
    db.execute(f"CREATE OR REPLACE TABLE base AS {own}")
    if rehash is None:
        return
    rows = db.stream("SELECT listing, id, item FROM base")
    db.load(
        "rehashed",
        _texts("listing", "id", "hash"),
        ((listing, id_, item_hash(rehash.without(item))) for listing, id_, item in rows),
    )
    db.execute(
        "UPDATE base SET compared = rehashed.hash FROM rehashed WHERE base.listing = rehashed.listing "
        "AND base.id = rehashed.id"
    )


def merge(db: Database, listings: Mapping[str, ListingPlan]) -> None:
    """Make the table `after` of `lines` and `base`: what is published then. Raises `CannotPublishError`."""
    plans = ((of, each.how, str(each.is_comparable).lower()) for of, each in listings.items())
    db.load("plans", _texts("listing", "how", "is_comparable"), plans)
    newer = ((of, run_id) for of, each in listings.items() for run_id in each.newer)
    db.load("newer", _texts("listing", "run_id"), newer)
    # Of the same item on several pages, the first.
    db.execute(
        """DELETE FROM lines WHERE rowid IN (SELECT rowid FROM (SELECT lines.rowid, row_number() OVER (
        PARTITION BY listing, name, hash ORDER BY page_object, item) AS place FROM lines JOIN (
        SELECT listing, name, hash FROM lines GROUP BY ALL HAVING count(*) > 1) USING (listing, name, hash))
        WHERE place > 1)"""
    )
    db.execute(
        """CREATE OR REPLACE TABLE shared AS SELECT listing, name FROM lines GROUP BY ALL HAVING count(*) > 1
        UNION SELECT listing, name FROM base JOIN plans USING (listing) WHERE how = 'add' AND shares_key = 'true'"""
    )
    db.execute(
        f"""CREATE OR REPLACE VIEW listed AS SELECT *, {_ID} FROM (SELECT lines.*,
        (shared.name IS NOT NULL)::VARCHAR AS shares_key FROM lines LEFT JOIN shared USING (listing, name))"""
    )
    db.execute(
        f"""CREATE OR REPLACE TABLE after AS
        SELECT {_ROW} FROM (
            SELECT listed.*, coalesce(base.first_seen, listed.fetched_at) AS first_seen,
            CASE WHEN base.compared = listed.hash THEN base.last_changed ELSE listed.fetched_at END AS last_changed
            FROM listed LEFT JOIN base USING (listing, id)
            ANTI JOIN newer ON newer.listing = base.listing AND newer.run_id = base.run_id)
        UNION ALL SELECT {_ROW} FROM base ANTI JOIN plans USING (listing)
        UNION ALL SELECT {_ROW} FROM base SEMI JOIN newer USING (listing, run_id)
        UNION ALL SELECT {_ROW} FROM base SEMI JOIN (FROM plans WHERE how = 'add') USING (listing)
            ANTI JOIN newer USING (listing, run_id) ANTI JOIN listed USING (listing, id)
            ANTI JOIN (SELECT listing, name, 'false' AS shares_key FROM shared) USING (listing, name, shares_key)"""
    )


def load_operations(db: Database, operations: Mapping[str, tuple[str, str]]) -> None:
    """Make the table `operations` of the service and operation of each listing. Raises `CannotPublishError`."""
    known = ((listing, *operation) for listing, operation in operations.items())
    db.load("operations", _texts("listing", "service", "operation"), known)


def take_as_base(db: Database) -> None:
    """Make `after`, which is then to be made anew, the table `base`. Raises `CannotPublishError`."""
    db.execute("CREATE OR REPLACE TABLE base AS SELECT *, hash AS compared FROM after")


def compare(db: Database, run_id: str, ignored: IgnoredFields) -> None:
    """Make the table `changes` of `base`, `after` and `operations`, for the run that changed it.

    Raises `CannotPublishError`.
    """
    db.execute(
        f"""CREATE OR REPLACE TABLE differences AS SELECT
        CASE WHEN plans.is_comparable = 'false' THEN 'replaced' WHEN base.id IS NULL THEN 'new'
            WHEN after.id IS NULL THEN 'gone' ELSE 'changed' END AS kind,
        {", ".join(f"coalesce(after.{name}, base.{name}) AS {name}" for name in _BOTH)},
        listing, id, base.item AS before, after.item AS after, coalesce(after.hash, '') AS hash,
        {quoted(run_id)} AS run_id
        FROM (FROM base SEMI JOIN plans USING (listing)) AS base
        FULL JOIN (FROM after SEMI JOIN plans USING (listing)) AS after USING (listing, id)
        JOIN plans USING (listing)
        WHERE base.id IS NULL OR after.id IS NULL
        OR (base.compared <> after.hash AND base.page_object <> after.page_object)"""
    )
    changed = db.stream("SELECT listing, id, before, after FROM differences WHERE kind = 'changed'")
    db.load(
        "fields",
        {**_texts("listing", "id"), "fields": "VARCHAR[]"},
        ((listing, id_, ignored.changed_fields(before, after)) for listing, id_, before, after in changed),
    )
    db.execute(
        """CREATE OR REPLACE TABLE changes AS
        SELECT kind, account, region, target, listing, result_key, key, id AS name,
        coalesce(fields.fields, []) AS fields, before, after, hash, first_seen, last_changed, fetched_at, run_id,
        page_object, service, operation, parent
        FROM differences LEFT JOIN fields USING (listing, id) LEFT JOIN operations USING (listing)"""
    )


_BOTH = (
    *("account", "region", "target", "result_key", "key"),
    *("first_seen", "last_changed", "fetched_at", "page_object", "parent"),
)


def write_table(db: Database, columns: Sequence[Column]) -> Path:
    """Write `after` as a file of a crawl's table. Raises `CannotPublishError`."""
    return copy_to_parquet(db, f"{select_table(columns, 'after')} ORDER BY account, region, listing, name", "table")


def copy_to_parquet(db: Database, query: str, name: str) -> Path:
    """Write what a query finds to a file. Raises `CannotPublishError`."""
    path = db.folder / f"{name}.parquet"
    db.execute(f"COPY ({query}) TO {quoted(str(path))} {_PARQUET}")
    return path


def write_changes(db: Database) -> Path:
    """Write `changes` in an order that spreads DynamoDB's writes over its partitions. Raises `CannotPublishError`."""
    return copy_to_parquet(db, f"SELECT {_typed()} FROM changes ORDER BY {_SPREAD}", "changes")


def stream_changes(db: Database, file: Path, start: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a file of changes, from row `start` on, as `Change` has them."""
    names = (name for name, _ in CHANGES_COLUMNS if name not in ("fields", "before", "service", "operation"))
    columns = ", ".join(f"strftime({name}, {quoted(_TIME)})" if name in _TIMES else name for name in names)
    yield from db.stream(
        f"SELECT {columns} FROM ({_with_parent([file], 'file_row_number = true')}) "
        f"WHERE file_row_number >= {start} ORDER BY file_row_number"
    )


def write_reconciled(
    db: Database, files: Sequence[Path], there: Iterable[Sequence[str]], bucket: int, buckets: int, stale_items: str
) -> Path:
    """Write how DynamoDB differs from a publication's files, as changes, in a bucket of the sort keys' hash.

    `there` has listing, sort key, result key, key, hash, and whether it is stale ("true"), of each row in DynamoDB.
    """
    db.load("there", _texts("listing", "sk", "result_key", "key", "hash", "is_stale"), there)
    # As stores.keys.sort_key has it.
    sort_key = "CASE WHEN strlen(id) BETWEEN 1 AND 1024 THEN id ELSE 'sha256:' || sha256(id) END"
    own = f"{bucket_of(buckets, 'sk')} = {bucket}"
    # A stale row stays as it is marked.
    is_wrong = "true" if stale_items == "remove" else "there.is_stale = 'false'" if stale_items == "mark" else "false"
    db.execute(
        f"""CREATE OR REPLACE TABLE wanted AS FROM (SELECT *, {sort_key} AS sk FROM (
        SELECT *, {_ID} FROM ({_read_table(files)}))) WHERE {own}"""
    )
    db.execute(
        f"""CREATE OR REPLACE TABLE changes AS
        SELECT 'new' AS kind, account, region, target, listing, result_key, key, id AS name, []::VARCHAR[] AS fields,
        NULL::VARCHAR AS before, item AS after, wanted.hash, first_seen, last_changed, fetched_at, run_id, page_object,
        '' AS service, '' AS operation, parent
        FROM wanted ANTI JOIN (FROM there WHERE is_stale = 'false') AS there USING (listing, sk, hash)
        UNION ALL
        SELECT 'gone', '', '', '', listing, result_key, key, sk, [], NULL, NULL, '', NULL, NULL, NULL, '', '', '', '',
        NULL
        FROM there ANTI JOIN wanted USING (listing, sk) WHERE {own} AND {is_wrong}"""
    )
    return write_changes(db)


def _read_table(files: Sequence[Path]) -> str:
    """The query that reads published rows, with the envelope as text."""
    texts = {"timestamp": f"strftime({{}}, {quoted(_TIME)})", "boolean": "{}::VARCHAR"}
    envelope = ", ".join(f'{texts.get(kind, "{}").format(name)} AS "{name}"' for name, kind in ENVELOPE)
    return f"SELECT {envelope}, item FROM ({_with_parent(files)})"


def _with_parent(files: Sequence[Path], option: str = "union_by_name = true") -> str:
    """The query that reads Parquet files of any version: earlier ones have no column `parent`."""
    return (
        f"FROM read_parquet({names_of(files)}, {option}) UNION ALL BY NAME SELECT NULL::VARCHAR AS parent WHERE false"
    )


def _no_rows(names: Iterable[str]) -> str:
    """The query of the same without any rows."""
    return f"SELECT {', '.join(f'NULL::VARCHAR AS {name}' for name in (*names, 'item'))} WHERE false"


def _typed() -> str:
    """The columns of changes with their types."""
    return ", ".join(
        f"TRY_CAST({name} AS TIMESTAMP_MS) AS {name}" if name in _TIMES else name for name, _ in CHANGES_COLUMNS
    )


def _texts(*columns: str) -> dict[str, str]:
    """Columns of text, as a table is loaded with."""
    return dict.fromkeys(columns, "VARCHAR")
