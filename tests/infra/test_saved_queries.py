"""The saved queries say what their names promise, in SQL that Athena's dialect has and DuckDB runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from infra.saved_queries import NamedQuery, saved_queries
from pageturner import table_names
from pageturner.publish.columns import Column, all_columns

QUERIES = {query.name: query for query in saved_queries(["my-roles", "other"])}
TODAY = datetime.now(UTC).replace(tzinfo=None)
COLUMNS = {
    "changes": [*table_names.CHANGES_COLUMNS, *((key, "string") for key in table_names.CHANGES_PARTITION_KEYS)],
    "runs": table_names.RUNS_COLUMNS,
    "targets": table_names.TARGETS_COLUMNS,
    "my_roles": all_columns([Column("Arn", "arn", "string")]),
    "my_roles_history": [*all_columns([Column("Arn", "arn", "string")]), ("run", "string")],
}


def run(crawl: str, number: int, **more: Any) -> dict[str, Any]:
    started = TODAY - timedelta(days=20 - 4 * number)
    its: dict[str, Any] = {"verdict": "complete", "published": True, "message": f"{crawl} {number}", "items": number}
    times = {"started_at": started, "ended_at": started + timedelta(hours=1)}
    return {"run_id": f"{crawl}-{number}", "crawl": crawl, **times, **its, **more}


def change(crawl: str, number: int, kind: str, key: str, fields: tuple[str, ...] = ()) -> dict[str, Any]:
    name = {"run": f"{crawl}-{number}", "run_id": f"{crawl}-{number}"}
    return {"crawl": crawl, "kind": kind, "key": key, "fields": list(fields), "before": "{}", **name}


ROWS: dict[str, list[dict[str, Any]]] = {
    # The last run of a is incomplete, and was not published.
    "runs": [
        *(run("a", number) for number in (1, 2, 3, 4)),
        run("a", 5, verdict="incomplete", published=False),
        run("b", 3, verdict="incomplete"),
        run("b", 5),
    ],
    "changes": [
        change("a", 3, "gone", "gone long ago"),
        change("a", 4, "new", "n"),
        change("a", 4, "changed", "c", ("LastUsed", "Tags")),
        change("a", 4, "gone", "g"),
        change("b", 3, "changed", "c", ("LastUsed",)),
        change("b", 3, "changed", "d", ("LastUsed",)),
    ],
    "targets": [
        {"crawl": "a", "run_id": "a-4", "account": "1", "verdict": "failed"},
        {"crawl": "a", "run_id": "a-5", "account": "1", "verdict": "denied"},
        {"crawl": "a", "run_id": "a-5", "account": "2", "verdict": "complete"},
        {"crawl": "b", "run_id": "b-5", "account": "3", "verdict": "limited"},
    ],
    "my_roles": [{"account": "1", "region": "r"}, {"account": "2", "region": "r"}, {"account": "2", "region": "r"}],
    "my_roles_history": [{"run": "my-roles-1"}, {"run": "my-roles-2"}, {"run": "my-roles-2"}],
}
# The first columns of what each query finds.
FOUND: dict[str, list[tuple[Any, ...]]] = {
    "What changed in the last run": [("a", "changed"), ("a", "gone"), ("a", "new")],
    "Gone items of the last 7 days": [(TODAY - timedelta(days=4) + timedelta(hours=1), "a", None, None, "g")],
    "Fields that change most often": [("b", "LastUsed", 2, 1), ("a", "LastUsed", 1, 1), ("a", "Tags", 1, 1)],
    "Last three runs of each crawl": [("a", "a-5"), ("a", "a-4"), ("a", "a-3"), ("b", "b-5"), ("b", "b-3")],
    "Crawls whose last run is not complete": [("a", "a-5")],
    "Targets that are not complete": [("a", "1"), ("b", "3")],
    "Items per account and region of my-roles": [("2", "r", 2), ("1", "r", 1)],
    "Items of my-roles in each publication": [("my-roles-2", 2), ("my-roles-1", 1)],
}


@pytest.fixture(scope="module")
def db() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("SET TimeZone = 'UTC'")  # as Athena's
    types = {"string": "VARCHAR", "array<string>": "VARCHAR[]"}
    for table, columns in COLUMNS.items():
        described = ", ".join(f'"{name}" {types.get(kind, kind)}' for name, kind in columns)
        made.execute(f"CREATE TABLE {table} ({described})")
        for row in ROWS[table]:
            values = [row.get(name) for name, _ in columns]
            made.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608
    return made


def test_each_query_is_checked() -> None:
    assert FOUND.keys() == QUERIES.keys()
    assert saved_queries([]) == saved_queries(["x"])[:-2]


@pytest.mark.parametrize("query", QUERIES.values(), ids=lambda query: query.name)
def test_a_query_finds_what_its_name_says(query: NamedQuery, db: duckdb.DuckDBPyConnection) -> None:
    rows = db.execute(query.sql).fetchall()
    found = FOUND[query.name]
    assert [row[: len(wanted)] for row, wanted in zip(rows, found, strict=True)] == found


@pytest.mark.parametrize("query", QUERIES.values(), ids=lambda query: query.name)
def test_a_query_is_athena_s_sql_too(query: NamedQuery, db: duckdb.DuckDBPyConnection) -> None:
    """sqlglot translates Athena's dialect to DuckDB's: if that finds the same, both mean the same by it."""
    (parsed,) = sqlglot.parse(query.sql, read="athena", error_level=sqlglot.ErrorLevel.RAISE)
    assert isinstance(parsed, exp.Select)
    assert not list(parsed.find_all(exp.Anonymous)), "a function that Athena does not have"
    assert db.execute(parsed.sql(dialect="duckdb")).fetchall() == db.execute(query.sql).fetchall()
    assert {column.name for column in parsed.find_all(exp.Column)} <= {
        *(name for columns in COLUMNS.values() for name, _ in columns),
        *("latest", "items", "field"),
    }


@pytest.mark.parametrize("query", QUERIES.values(), ids=lambda query: query.name)
def test_a_query_fits_into_athena(query: NamedQuery) -> None:
    # Athena API Reference, CreateNamedQuery.
    assert 1 <= len(query.name) <= 128
    assert 1 <= len(query.description) <= 1024
    assert 1 <= len(query.sql) <= 262144
    assert all(len(line) <= 120 for line in query.sql.splitlines())
