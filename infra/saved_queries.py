"""The queries that the workgroup offers, in SQL that Athena and DuckDB understand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pageturner.table_names import history_name, table_name


@dataclass(frozen=True)
class NamedQuery:
    """A query that the workgroup offers."""

    name: str
    description: str
    sql: str


SAVED_QUERIES = (
    NamedQuery(
        "What changed in the last run",
        "New, changed and gone items of the last published run of each crawl",
        """\
WITH last_runs AS (SELECT crawl, max_by(run_id, started_at) AS run_id FROM runs WHERE published GROUP BY crawl)
SELECT changes.crawl, changes.kind, changes.account, changes.region, changes.key, changes.fields, changes.before,
  changes.after, changes.run
FROM changes
JOIN last_runs ON last_runs.crawl = changes.crawl AND last_runs.run_id = changes.run_id
ORDER BY changes.crawl, changes.kind, changes.account, changes.region, changes.key
""",
    ),
    NamedQuery(
        "Gone items of the last 7 days",
        "Items that complete listings no longer had, with what they were",
        """\
SELECT runs.ended_at, changes.crawl, changes.account, changes.region, changes.key, changes.first_seen, changes.before
FROM changes
JOIN runs ON runs.crawl = changes.crawl AND runs.run_id = changes.run_id
WHERE changes.kind = 'gone' AND runs.ended_at >= current_timestamp - INTERVAL '7' DAY
ORDER BY runs.ended_at DESC, changes.crawl, changes.account, changes.region, changes.key
""",
    ),
    NamedQuery(
        "Fields that change most often",
        "What to put into ignore_fields: fields that differ in many changed items, by crawl",
        """\
SELECT changes.crawl, f.field, count(*) AS items, count(DISTINCT changes.run_id) AS runs
FROM changes
CROSS JOIN UNNEST(changes.fields) AS f(field)
WHERE changes.kind = 'changed'
GROUP BY changes.crawl, f.field
ORDER BY items DESC, changes.crawl, f.field
LIMIT 100
""",
    ),
    NamedQuery(
        "Last three runs of each crawl",
        "Their verdicts, counts, seconds and dollars",
        """\
SELECT crawl, run_id, started_at, verdict, outcome, items, new, changed, gone, pages, seconds, dollars, message
FROM (SELECT *, row_number() OVER (PARTITION BY crawl ORDER BY started_at DESC) AS latest FROM runs) AS numbered
WHERE latest <= 3
ORDER BY crawl, started_at DESC
""",
    ),
    NamedQuery(
        "Crawls whose last run is not complete",
        "What is missing, and what to do",
        """\
SELECT crawl, run_id, started_at, verdict, outcome, message, manifest
FROM (SELECT *, row_number() OVER (PARTITION BY crawl ORDER BY started_at DESC) AS latest FROM runs) AS numbered
WHERE latest = 1 AND verdict <> 'complete'
ORDER BY crawl
""",
    ),
    NamedQuery(
        "Targets that are not complete",
        "The targets of the last run of each crawl whose listing is not complete, with their errors",
        """\
WITH last_runs AS (SELECT crawl, max_by(run_id, started_at) AS run_id FROM runs GROUP BY crawl)
SELECT targets.crawl, targets.account, targets.region, targets.parameters, targets.verdict, targets.error,
  targets.cause, targets.items, targets.published, targets.run_id
FROM targets
JOIN last_runs ON last_runs.crawl = targets.crawl AND last_runs.run_id = targets.run_id
WHERE targets.verdict <> 'complete'
ORDER BY targets.crawl, targets.account, targets.region, targets.parameters
""",
    ),
)


def saved_queries(crawl_names: Iterable[str]) -> tuple[NamedQuery, ...]:
    """Return the queries for a catalogue. Those about a crawl's own tables are for its first crawl, as examples."""
    first = next(iter(crawl_names), None)
    return SAVED_QUERIES if first is None else (*SAVED_QUERIES, *_of_crawl(first))


def _of_crawl(name: str) -> tuple[NamedQuery, ...]:
    return (
        NamedQuery(
            f"Items per account and region of {name}",
            "How many there are, and when the last one changed",
            f"""\
SELECT account, region, count(*) AS items, max(last_changed) AS last_changed
FROM "{table_name(name)}"
GROUP BY account, region
ORDER BY items DESC, account, region
""",  # noqa: S608 - names of the catalogue
        ),
        NamedQuery(
            f"Items of {name} in each publication",
            "How many there were after each run",
            f"""\
SELECT run, count(*) AS items
FROM "{history_name(name)}"
GROUP BY run
ORDER BY run DESC
""",  # noqa: S608 - names of the catalogue
        ),
    )
