"""Placeholders for `pageturner.table_names` and `infra.saved_queries`, which another branch writes. To be deleted."""

from __future__ import annotations

from dataclasses import dataclass

CHANGES, RUNS, TARGETS = "changes", "runs", "targets"
_TEXT = (
    *("kind", "account", "region", "target", "listing", "result_key", "key", "name"),
    *("fields", "before", "after", "hash", "first_seen", "last_changed", "fetched_at", "run_id", "page_object"),
)
CHANGES_COLUMNS = tuple((name, "array<string>" if name == "fields" else "string") for name in _TEXT)
RUNS_COLUMNS = (("run_id", "string"), ("crawl", "string"), ("verdict", "string"), ("items", "bigint"))
TARGETS_COLUMNS = (("run_id", "string"), ("crawl", "string"), ("target", "string"), ("verdict", "string"))


@dataclass(frozen=True)
class NamedQuery:
    """A query that the workgroup offers."""

    name: str
    description: str
    sql: str


SAVED_QUERIES = (
    NamedQuery("Last runs", "The last runs of all crawls", "SELECT * FROM runs ORDER BY run_id DESC LIMIT 20"),
)
