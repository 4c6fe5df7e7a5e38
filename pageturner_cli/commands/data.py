"""`items`, `query` and `changes`: what was listed, what is published, and what has changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

import click

from pageturner.messages import count_of
from pageturner.verdicts import ENDED
from pageturner_cli import asking, athena, executions, finding, manifests, outcomes, screen
from pageturner_cli.athena import Row, literal
from pageturner_cli.failures import COMPLETE, WRONG, Failure
from pageturner_cli.options import Settings, common, complete_runs, pass_settings
from pageturner_cli.text import Column, columns_of, json_text

# A table has to be read before it is drawn.
_MOST_ROWS = 1_000
_KINDS = ("new", "changed", "gone")


@click.command(
    epilog="""\b
pageturner items buckets | jq -r .Name
pageturner items buckets-20260203T040506Z-1a2b3c4d | head -3
"""
)
@click.argument("what", metavar="CRAWL|RUN", shell_complete=complete_runs)
@common
@pass_settings
def items(given: Settings, what: str) -> int:
    """Print items as JSON lines: those that are published of a crawl, or those that a run has listed.

    If that run is not complete, the exit code is 1.
    """
    missing = ""
    if given.deployment.stores.publications.state(what).current is not None:
        found = manifests.items_published(given.deployment, what)
    else:
        run = finding.found(given.deployment, what)
        if what == run.crawl:
            raise Failure(
                f"Nothing is published of {what} yet. pageturner items {run.run_id} has what that run listed."
            )
        outcomes.refuse_unfinished(run)
        assert run.run is not None  # noqa: S101 - it has a summary
        found, missing = manifests.items_of_run(given.deployment, run.run), _missing(given, run)
    screen.documents(found, json_text)
    sys.stdout.flush()
    if missing:
        raise Failure(missing, WRONG)
    return COMPLETE


def _missing(given: Settings, run: finding.Found) -> str:
    """What is not in the listing of a run: half of one must not pass for a whole one. Empty if it is complete."""
    summary = run.record.summary if run.record is not None else None
    if summary is None or summary["outcome"] == "succeeded":
        return ""
    of = sum(summary["targets"].values())
    short = of - sum(summary["targets"].get(verdict, 0) for verdict in ENDED)
    why = asking.typed(["why", run.run_id], given.asked)
    return f"This is not all: of {count_of(of, 'target')}, {short:,} are not complete. {why} says why."


@click.command(
    epilog="""\b
pageturner query 'SELECT crawl, verdict, items FROM runs ORDER BY started_at DESC LIMIT 5'
pageturner query 'SELECT * FROM buckets' --json | jq -r .name
"""
)
@click.argument("sql")
@common
@pass_settings
def query(given: Settings, sql: str) -> int:
    """Ask Athena, in the stack's database, and print the rows."""
    rows = athena.query(given.deployment, sql)
    if given.json:
        screen.documents(rows)
        return COMPLETE
    _show_rows(rows, sys.stdout.isatty())
    return COMPLETE


def _show_rows(rows: Iterator[Row], is_terminal: bool) -> None:
    found = list(islice(rows, _MOST_ROWS))
    if not found:
        screen.say("no rows")
        return
    columns = columns_of(found)
    screen.rows(columns, (list(row.values()) for row in found))
    if next(rows, None) is not None:
        said = f"only the first {_MOST_ROWS:,} rows are shown; --json prints all"
        screen.say(said, "dim") if is_terminal else print(said, file=sys.stderr)


@click.command(
    epilog="""\b
pageturner changes
pageturner changes buckets
pageturner changes buckets-20260203T040506Z-1a2b3c4d buckets-20260204T040506Z-5e6f7a8b
"""
)
@click.argument("run", required=False, shell_complete=complete_runs)
@click.argument("other", metavar="[RUN]", required=False, shell_complete=complete_runs)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many changes to show.")
@common
@pass_settings
def changes(given: Settings, run: str | None, other: str | None, limit: int) -> int:
    """Show what a run has changed in what is published; or how two runs of a crawl differ, the earlier one first."""
    found = finding.found(given.deployment, run)
    if other is not None:
        return _compare(given, found, finding.found(given.deployment, other))
    outcomes.refuse_unfinished(found)
    published = (found.record.published if found.record else None) or {}
    if "name" not in published:
        said = published.get("message", "it has not been published yet")
        raise Failure(f"{found.run_id} has changed nothing: {said}.", WRONG)
    sql = (
        "SELECT kind, key, fields, account, region, before, after FROM changes "  # noqa: S608 - literals are quoted
        f"WHERE crawl = {literal(found.crawl)} AND run = {literal(published['name'])} ORDER BY kind, key"
    )
    if given.json:
        screen.documents(athena.query(given.deployment, sql))
        return COMPLETE
    screen.say(f"{found.run_id}  {published['message']}")
    total = sum(published[kind] for kind in _KINDS)
    if not total:
        return COMPLETE
    rows = list(athena.query(given.deployment, f"{sql} LIMIT {limit}"))
    columns = [Column("kind"), Column("key", whole=True), Column("fields", spare=True), Column("where", spare=True)]
    screen.rows(columns, ((r["kind"], r["key"], r["fields"], f"{r['account']} {r['region']}") for r in rows))
    if total > len(rows):
        screen.say(f"and {total - len(rows):,} more: --limit {total}, or --json, shows all", "dim")
    return COMPLETE


def _compare(given: Settings, earlier: finding.Found, later: finding.Found) -> int:
    asked = {"changes": [earlier.run_id, later.run_id]}
    execution = executions.ended(given.deployment, executions.begin(given.deployment, asked))
    if execution.refusal is not None:
        raise execution.refusal
    if execution.status != "SUCCEEDED":
        raise Failure(f"The runs could not be compared: {execution.error}: {execution.said}", WRONG)
    summary: Mapping[str, Any] = execution.output
    if given.json:
        screen.document(summary)
        return COMPLETE
    screen.say(str(summary["message"]))
    named = chain.from_iterable(((kind, key) for key in summary.get(f"{kind}_keys", ())) for kind in _KINDS)
    found = list(named)
    if found:
        screen.rows([Column("kind"), Column("key", whole=True)], found)
    total = sum(summary[kind] for kind in _KINDS)
    if total > len(found):
        screen.field("all", f"{count_of(total, 'change')}, as Parquet, in {summary['changes']}")
    return COMPLETE
