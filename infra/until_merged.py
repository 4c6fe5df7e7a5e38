"""A placeholder for `infra.saved_queries`, which another branch writes. To be deleted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NamedQuery:
    """A query that the workgroup offers."""

    name: str
    description: str
    sql: str


SAVED_QUERIES = (
    NamedQuery("Last runs", "The last runs of all crawls", "SELECT * FROM runs ORDER BY run_id DESC LIMIT 20"),
)
