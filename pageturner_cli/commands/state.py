"""`crawls` and `doctor`: is it well?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from pageturner.stores.history import CrawlStatus
from pageturner_cli import asking, finding, screen
from pageturner_cli.doctor import Doctor
from pageturner_cli.failures import COMPLETE, UNREACHABLE, WRONG
from pageturner_cli.options import Settings, common, pass_settings
from pageturner_cli.text import Column, ago

_MARKS: Mapping[str, str] = {"ok": "✓", "wrong": "✗", "unknown": "?", "note": "·"}


@click.command(
    epilog="""\b
pageturner crawls
pageturner crawls --json | jq -r 'select(.outcome == "failed") | .crawl'
"""
)
@common
@pass_settings
def crawls(given: Settings) -> int:
    """Say how each crawl is: its last run, and the last one that was complete.

    A crawl of the catalogue that has never run is there if something is to start it by itself. The exit code is 1 if
    the last run of any has failed, or if any is overdue.
    """
    found = given.deployment.stores.history.crawls()
    code = WRONG if any(each.outcome in ("failed", "stopped") or each.overdue_since for each in found) else COMPLETE
    if given.json:
        screen.documents(map(finding.as_document, found))
        return code
    if not found:
        screen.say("Nothing has run yet. pageturner start CRAWL starts a crawl of the catalogue.")
        return COMPLETE
    now = datetime.now(UTC)
    columns = [
        *(Column("crawl", whole=True), Column("last run"), Column("complete"), Column("began", spare=True)),
        Column("next", whole=True, spare=True),
    ]
    screen.rows(columns, (_row(given, each, now) for each in found), coloured=1)
    return code


def _row(given: Settings, status: CrawlStatus, now: datetime) -> tuple[Any, ...]:
    outcome = status.outcome or ("running" if status.run_id else "refused" if status.refused else "not yet")
    complete = ago(status.complete_ended_at, now) or "never"
    if status.overdue_since:
        complete = f"overdue: {complete}"
    return status.crawl, outcome, complete, ago(status.started_at, now), _next(given, status, outcome)


def _next(given: Settings, status: CrawlStatus, outcome: str) -> str:
    if outcome == "running":
        return asking.typed(["watch", status.crawl], given.asked)
    if outcome in ("failed", "stopped"):
        return asking.typed(["why", status.crawl], given.asked)
    if status.overdue_since:
        return asking.typed(["doctor"], given.asked)
    return f"{status.refused} starts were refused since" if status.refused else ""


@click.command(
    epilog="""\b
pageturner doctor
pageturner doctor --json | jq 'select(.level == "wrong")'
"""
)
@common
@pass_settings
def doctor(given: Settings) -> int:
    """Look at the deployment: what is there, what answers, what starts by itself, and what has gone wrong.

    The exit code is 1 if anything is wrong, and 4 if nothing is, but not everything could be looked at.
    """
    found, looking = Counter[str](), Doctor(given.deployment, datetime.now(UTC))
    for check in looking.checks():
        found[check.level] += 1
        if given.json:
            screen.document(asdict(check))
            continue
        screen.say(f"{_MARKS[check.level]} {check.what}: {check.said}", screen.style_of(check.level))
        if check.to_do:
            screen.field("", check.to_do, "bold")
    wrong, unknown = found["wrong"], found["unknown"]
    if not given.json:
        said = f"{wrong} wrong" if wrong else "nothing wrong was found" if unknown else "nothing is wrong"
        style = screen.style_of("wrong" if wrong else "unknown" if unknown else "ok")
        screen.say(f"{said}, {unknown} unknown" if unknown else said, style)
    return WRONG if wrong else UNREACHABLE if looking.is_refused else COMPLETE
