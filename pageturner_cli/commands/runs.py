"""`watch`, `runs`, `show` and `why`: what is known of runs."""

from __future__ import annotations

import heapq
import webbrowser
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

import click

from pageturner.errors import SinkError
from pageturner.finish.in_words import named
from pageturner.stores.history import HistoryRow
from pageturner.stores.keys import report_key
from pageturner.verdicts import ENDED
from pageturner_cli import finding, outcomes, reasons, screen
from pageturner_cli.commands.starting import watched
from pageturner_cli.failures import COMPLETE, WRONG, Failure
from pageturner_cli.manifests import manifest_of
from pageturner_cli.options import Settings, common, complete_crawls, complete_runs, pass_settings
from pageturner_cli.reasons import Command
from pageturner_cli.text import Column, ago, took

# How many accounts are named in a line.
_ACCOUNTS = 5

_RUN = click.argument("run", required=False, shell_complete=complete_runs)


@click.command(
    epilog="""\b
pageturner watch
pageturner watch buckets
pageturner watch buckets-20260203T040506Z-1a2b3c4d --json
"""
)
@_RUN
@common
@pass_settings
def watch(given: Settings, run: str | None) -> int:
    """Watch a run until it ends. Ctrl-C ends the watching, not the run.

    RUN is the id of a run, or the name of a crawl, whose latest run is meant. The default is the latest run.
    """
    return watched(given, finding.found(given.deployment, run))


@click.command(
    epilog="""\b
pageturner runs
pageturner runs buckets --limit 5
pageturner runs --json | jq 'select(.outcome != "succeeded") | .run_id'
"""
)
@click.argument("crawl", required=False, shell_complete=complete_crawls)
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many, the latest first."
)
@common
@pass_settings
def runs(given: Settings, crawl: str | None, limit: int) -> int:
    """List the runs of a crawl, or of all, the latest first."""
    found = finding.latest_runs(given.deployment, crawl, limit)
    if given.json:
        screen.documents(map(finding.as_document, found))
        return COMPLETE
    if not found:
        screen.say(f"{crawl or 'No crawl'} has {'not ' if crawl else ''}run yet.")
        return COMPLETE
    columns = [
        *(Column("run", whole=True), Column("outcome"), Column("items", right=True), Column("pages", right=True)),
        *(Column("took", right=True, spare=True), Column("changed", spare=True), Column("began", spare=True)),
    ]
    now = datetime.now(UTC)
    screen.rows(columns, (_row(row, now) for row in found), coloured=1)
    return COMPLETE


def _row(row: HistoryRow, now: datetime) -> tuple[object, ...]:
    changes = [(row.new, "new"), (row.changed, "changed"), (row.gone, "gone")]
    return (
        row.run_id,
        row.outcome or "running",
        "" if row.items is None else f"{row.items:,}",
        "" if row.pages is None else f"{row.pages:,}",
        "" if row.seconds is None else took(float(row.seconds)),
        ", ".join(f"{count:,} {kind}" for count, kind in changes if count),
        ago(row.started_at, now),
    )


@click.command(
    epilog="""\b
pageturner show
pageturner show buckets --targets 100
pageturner show buckets --report
pageturner show buckets --report --to report.html
"""
)
@_RUN
@click.option("--targets", default=20, show_default=True, type=click.IntRange(0), help="How many targets, worst first.")
@click.option("--report", is_flag=True, help="Open the run's report in a browser.")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to a file instead.")
@common
@pass_settings
def show(given: Settings, run: str | None, targets: int, report: bool, to: Path | None) -> int:
    """Show what a run came to, with its targets, the worst first."""
    found = finding.found(given.deployment, run)
    if report or to is not None:
        return _report(found, to)
    if found.run is None or found.record is None or found.record.summary is None:
        return outcomes.tell(found, as_json=given.json)
    with manifest_of(given.deployment, found.run) as manifest:
        worst = heapq.nsmallest(targets, manifest.entries(), key=_worst_first)
    if given.json:
        screen.document({**outcomes.summary_of(found), "worst_targets": worst})
        return outcomes.exit_code(found)
    code = outcomes.tell(found, as_json=False)
    count = sum(found.record.summary["targets"].values())
    screen.say()
    screen.rows(
        [
            *(Column("verdict"), Column("target"), Column("pages", right=True), Column("items", right=True)),
            *(Column("throttled", right=True, spare=True), Column("error", spare=True)),
        ],
        (_target(entry) for entry in worst),
        coloured=0,
    )
    if count > len(worst):
        screen.say(f"and {count - len(worst):,} more: --targets {count} shows all", "dim")
    return code


def _worst_first(entry: Mapping[str, Any]) -> tuple[bool, int, str]:
    return entry["verdict"] in ENDED, -entry["pages"], str(entry["target_id"])


def _target(entry: Mapping[str, Any]) -> tuple[object, ...]:
    error = f"{entry['error']}: {entry.get('cause', '')}" if "error" in entry else ""
    throttles = f"{entry['throttles']:,}" if entry["throttles"] else ""
    return entry["verdict"], named(entry), f"{entry['pages']:,}", f"{entry['items']:,}", throttles, error


def _report(found: finding.Found, to: Path | None) -> int:
    """Download the report of a run, and open it unless it was to go to a file."""
    outcomes.refuse_unfinished(found)
    assert found.run is not None  # noqa: S101 - it has a summary
    key, pages = report_key(found.run), found.deployment.stores.pages
    path = to or Path.home() / ".cache" / "pageturner" / f"{found.run_id}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    try:
        is_there = pages.download(key, partial)
    except SinkError:
        partial.unlink(missing_ok=True)
        raise
    if not is_there:
        partial.unlink()
        raise Failure(f"{found.run_id} has no report (s3://{pages.bucket}/{key}): it has not been reported.", WRONG)
    partial.replace(path)
    screen.say(str(path))
    if to is None and not webbrowser.open(path.as_uri()):
        screen.say("There is no browser here; the file is the report.", "dim")
    return COMPLETE


@click.command(
    epilog="""\b
pageturner why
pageturner why buckets
pageturner why buckets-20260203T040506Z-1a2b3c4d --json | jq -r '.commands[].command'
"""
)
@_RUN
@common
@pass_settings
def why(given: Settings, run: str | None) -> int:
    """Say why a run is not complete, each reason once, and what to type next."""
    found = finding.found(given.deployment, run)
    explanation = reasons.explained(found)
    to_type = explanation.to_type(given.deployment.account)
    is_complete = explanation.outcome == "succeeded"
    if given.json:
        said = [each.as_dict() for each in explanation.reasons]
        about = {"run_id": found.run_id, "crawl": found.crawl, "outcome": explanation.outcome}
        screen.document({**about, "reasons": said, "commands": [asdict(each) for each in to_type]})
        return COMPLETE if is_complete else WRONG
    screen.say(f"{found.run_id}  {explanation.outcome}", screen.style_of(explanation.outcome))
    if is_complete:
        screen.field("verdict", str(outcomes.summary_of(found).get("message", "complete")))
        return COMPLETE
    for each in explanation.reasons:
        screen.say()
        what = f"{each.targets:,} {each.what}" if each.targets else each.what
        screen.field("what", what, "red")
        screen.field("why", each.why)
        if each.names:
            more = each.targets - len(each.names)
            screen.field("where", "; ".join(each.names) + (f"; and {more:,} more" if more else ""))
        screen.field("do", f"{each.to_do}.")
        if each.policy:
            screen.field("policy", each.policy)
    _say_what_to_type(to_type, given.deployment.account)
    return WRONG


def _say_what_to_type(commands: list[Command], own: str) -> None:
    """Print commands, and whose credentials they need where these are not always those of the deployment."""
    by_text = [(text, [each.account for each in alike]) for text, alike in groupby(commands, attrgetter("command"))]
    is_own = all(each.account == own for each in commands)
    for accounts, alike in groupby(by_text, itemgetter(1)):
        more = len(accounts) - _ACCOUNTS
        named = ", ".join(accounts[:_ACCOUNTS]) + (f" and {more} more" if more > 0 else "")
        screen.say()
        screen.say("Then type" if is_own else f"Then type, with the credentials of {named}")
        for text, _ in alike:
            screen.command(text)
