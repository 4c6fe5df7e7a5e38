"""What the report of a run shows, as data."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from pageturner.crawls.crawl import ADHOC_PREFIX, Crawl
from pageturner.finish.summary import Tally, changes_to_resume, headline, resuming
from pageturner.report.targets import COLUMNS, Targets, interned

# So many reasons are in a report. A run with more has one for every target.
_MOST_REASONS = 50
# As `made.keys` of a publication: so many of each kind.
KINDS = ("new", "changed", "gone")
_TOTALS = ("pages", "items", "bytes", "throttles", "restarts", "page_errors", "ignored_errors")


def document_of(
    summary: Mapping[str, Any], head: Mapping[str, Any], entries: Iterator[Mapping[str, Any]], region: str
) -> dict[str, Any]:
    """Return what the report of a run shows; `head` and `entries` are its manifest's, `region` the deployment's own."""
    crawl = Crawl.from_dict(head["crawl"])
    tally, targets = Tally(crawl, region), Targets(crawl, region)
    for entry in entries:
        tally.add(entry)
        targets.add(entry)
    tally.close()
    elsewhere_is_short = tally.reasons is tally.elsewhere
    texts, rows = interned(targets.rows(elsewhere_is_short=elsewhere_is_short))
    return {
        "run": {
            **{name: summary.get(name) for name in ("run_id", "crawl", "generation", "ended_at")},
            **{name: summary.get(name) for name in ("seconds", "window", "message")},
            # The execution of a person who publishes what is not complete succeeds, and says so; the run did not.
            **{name: head[name] for name in ("outcome", "verdict")},
            "started_at": head["started_at"],
            "what": _what(crawl),
        },
        "headline": headline_of(summary, tally),
        "totals": {name: summary.get(name, 0) for name in _TOTALS},
        "verdicts": dict(summary.get("targets", {})),
        "witnesses": {**summary.get("witnesses", {}), "disagrees": tally.witnesses.first_that_disagrees},
        "timeline": head.get("timeline"),
        "throttled": targets.throttled(),
        "by": {kind: targets.grouped(kind, elsewhere_is_short=elsewhere_is_short) for kind in targets.groups},
        "targets": {"columns": COLUMNS, "texts": texts, "rows": rows, "total": targets.total, "short": tally.short},
        "reasons": _reasons(tally),
        "next": _next(summary["run_id"], crawl, tally),
        "published": _published(summary),
        "cost": {name: summary.get(name) for name in ("estimated_cost", "cost_arithmetic")},
        "places": {name: summary.get(name) for name in ("manifest", "items_prefix", "items_table")},
        "links": summary.get("links", {}),
    }


def headline_of(summary: Mapping[str, Any], tally: Tally) -> str:
    """The run in a sentence; that of a run that is complete says what was published, too."""
    if not tally.short and summary.get("message"):
        return str(summary["message"])
    by_hand = "; published by hand" if (summary.get("published") or {}).get("asked_by") else ""
    return f"{headline(tally)}{by_hand}"


def _what(crawl: Crawl) -> str:
    if crawl.operations:
        return "inventory" if crawl.operations == "inventory" else ", ".join(crawl.operations)
    return f"{crawl.service}:{crawl.operation}"


def _reasons(tally: Tally) -> dict[str, Any]:
    ranked = sorted(tally.reasons.items(), key=lambda each: -each[1].targets)
    found = [
        {"verdict": verdict, "targets": reason.targets, "of": reason.of, "why": reason.why, "to_do": reason.advice.text}
        for (verdict, *_), reason in ranked
    ]
    return {"rows": found[:_MOST_REASONS], "others": len(found[_MOST_REASONS:])}


def _next(run_id: str, crawl: Crawl, tally: Tally) -> dict[str, Any]:
    """Return what is next to do: a sentence, and what to copy."""
    if not tally.short:
        return {"said": "Nothing: the run is as the crawl asks.", "copies": []}
    copies: list[dict[str, Any]] = []
    helped, changes = changes_to_resume(tally.reasons.values())
    if statements := [found for reason in tally.reasons.values() if (found := reason.allowing.statement)]:
        one = len(statements) == 1
        what = "The IAM policy statement that allows it" if one else "The IAM policy statements that allow it"
        copies.append({"what": what, "json": statements[0] if one else statements})
    if tally.continues:
        pass
    elif helped:
        words = [word for name, value in changes.items() for word in ("--set", f"{name}={_word(value)}")]
        copies.append({"what": "In a terminal", "text": shlex.join(["pageturner", "resume", run_id, *words])})
        copies.append({"what": "Or the input of a new execution", "json": {"resume": run_id, **changes}})
    elif not crawl.name.startswith(ADHOC_PREFIX):
        copies.append({"what": "A new run in a terminal", "text": shlex.join(["pageturner", "start", crawl.name])})
        copies.append({"what": "Or the input of a new execution", "json": {"crawl": crawl.name}})
    return {"said": f"{resuming(tally)}.", "copies": copies}


def _word(value: object) -> str:
    # As YAML, "off" would be false.
    return json.dumps(value)


def _published(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    published = summary.get("published")
    if not published:
        return None
    return {
        **{
            name: published.get(name, 0) for name in (*KINDS, "replaced", "listings", "gone_listings", "number", "rows")
        },
        **{name: published.get(name, "") for name in ("message", "table", "database", "changes", "name")},
        "kept": published.get("kept", {}),
        "by_hand": bool(published.get("asked_by")),
        "keys": {kind: published.get(f"{kind}_keys", []) for kind in KINDS},
    }
