"""What a run came to: the verdict of each target and of the run, and the manifest of its files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pageturner.crawl import Crawl
from pageturner.page_state import Run
from pageturner.run_store import PageRecord


@dataclass
class _TargetPages:
    """The pages of the last pass of a target, of which alone its listing consists."""

    pass_number: int = 0
    records: list[PageRecord] = field(default_factory=list)

    def add(self, record: PageRecord) -> None:
        if record.pass_number > self.pass_number:
            self.pass_number, self.records = record.pass_number, []
        self.records.append(record)


def manifest(
    run: Run,
    crawl: Crawl,
    targets: Iterable[Mapping[str, Any]],
    pages: Iterable[PageRecord],
    verdicts: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """Return the manifest: every file with its count, and every target with its verdict.

    `pages` come by pass and page. What the last page says of its target counts first, then what is in `verdicts`; a
    target of which neither knows an end is `unfinished`.
    """
    listings: dict[str, _TargetPages] = {}
    for record in pages:
        listings.setdefault(record.target_id, _TargetPages()).add(record)
    entries, files = [], []
    for target in targets:
        listing = listings.get(target["target_id"], _TargetPages())
        last = listing.records[-1].place if listing.records else None
        verdict = {"verdict": "unfinished", **verdicts.get(target["target_id"], {})}
        if last and last.verdict in ("complete", "limited", "endless"):
            verdict = {"verdict": last.verdict}
            if last.token:
                verdict["resume_token"] = last.token
        entries.append(
            {
                **target,
                **verdict,
                "pages": len(listing.records),
                "items": sum(record.items for record in listing.records),
                "bytes": sum(record.bytes for record in listing.records),
                "shared_keys": last.shared_keys if last else 0,
                "large_items": last.large_items if last else 0,
                "sums": last.sums if last else {},
                "non_aggregate": json.loads(listing.records[0].non_aggregate or "{}") if listing.records else {},
            }
        )
        files += [{"key": record.key, "items": record.items, "bytes": record.bytes} for record in listing.records]
    return {"run_id": run.run_id, "crawl": crawl.as_dict(), "targets": entries, "files": files}


def summary(run: Run, crawl: Crawl, manifest: Mapping[str, Any], throttles: int, ended: datetime) -> dict[str, Any]:
    """Return the output of the run: its verdict with the sentence that a person needs, and totals.

    `outcome` is "succeeded" for a run that came to what was asked for, or else "failed".
    """
    targets: Sequence[Mapping[str, Any]] = manifest["targets"]
    verdicts = Counter(str(target["verdict"]) for target in targets)
    wanted = {"complete"}
    if "MaxItems" in crawl.pagination_config:
        wanted.add("limited")
    short = [target for target in targets if target["verdict"] not in wanted]
    totals = {
        name: sum(target[name] for target in targets)
        for name in ("pages", "items", "bytes", "shared_keys", "large_items")
    }
    verdict = "complete"
    if set(verdicts) - {"complete"}:
        verdict = "limited" if not short else "incomplete"
    return {
        "run_id": run.run_id,
        "crawl": crawl.name,
        "outcome": "failed" if short else "succeeded",
        "verdict": verdict,
        "message": _sentence(verdicts, short, totals, crawl),
        "targets": dict(verdicts),
        **totals,
        "throttles": throttles,
        "seconds": round((ended - datetime.fromisoformat(run.started_at)).total_seconds(), 3),
    }


def _sentence(
    verdicts: Mapping[str, int], short: Sequence[Mapping[str, Any]], totals: Mapping[str, int], crawl: Crawl
) -> str:
    count = sum(verdicts.values())
    written = f"{totals['items']:,} items on {totals['pages']:,} pages of {count:,} targets"
    if not short:
        limit = crawl.pagination_config.get("MaxItems")
        return f"limited to {limit:,} items a target: {written}" if "limited" in verdicts else f"complete: {written}"
    by_verdict = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(verdicts.items()))
    first = short[0]
    why = "it was not paged to its end"
    if first["verdict"] == "endless":
        why = f"it has more than max_pages ({crawl.max_pages:,}) pages"
    elif first.get("error"):
        why = f"{first['error']}: {_message(first['cause'])}"
    return f"{len(short):,} of {count:,} targets are not complete ({by_verdict}); {first['target_id']}: {why}"


def _message(cause: str) -> str:
    """What a function's exception said: Lambda reports it as JSON, together with the stack trace."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause
