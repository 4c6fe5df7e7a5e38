"""What a run came to: the verdict of each target and of the run, and the manifest of its files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pageturner.crawl import Crawl
from pageturner.page_state import Place, Run
from pageturner.run_store import PageRecord
from pageturner.sweep import is_swept

# The verdicts of targets whose listing has come to its end, so that there is nothing to resume.
ENDED = ("complete", "limited")
# The error of a target that goes on in another execution, because this one nears Step Functions' limit of events.
CONTINUES = "ContinuesInAnotherExecution"


@dataclass
class _TargetPages:
    """The pages of the last pass of a target, of which alone its listing consists."""

    pass_number: int = 0
    records: list[PageRecord] = field(default_factory=list)

    def add(self, record: PageRecord) -> None:
        if record.pass_number > self.pass_number:
            self.pass_number, self.records = record.pass_number, []
        if record.page > 0:
            self.records.append(record)


def manifest(
    run: Run,
    crawl: Crawl,
    targets: Iterable[Mapping[str, Any]],
    pages: Iterable[PageRecord],
    verdicts: Mapping[str, Mapping[str, str]],
    sweeps: Mapping[str, tuple[int, str]],
    throttles: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return the manifest: every file with its count, and every target with its verdict.

    `pages` come by pass and page. What the last page says of its target counts first, then what is in `verdicts`; a
    target of which neither knows an end is `unfinished`, and so is one whose stale items have not all been dealt with.
    """
    listings: dict[str, _TargetPages] = {}
    for record in pages:
        listings.setdefault(record.target_id, _TargetPages()).add(record)
    entries, files = [], []
    for target in targets:
        target_id = target["target_id"]
        listing = listings.get(target_id, _TargetPages())
        entries.append(
            {
                **target,
                **_verdict(crawl, listing, verdicts.get(target_id, {}), swept=target_id in sweeps),
                **_counts(listing),
                "throttles": (throttles or {}).get(target_id, 0),
                "stale_items": sweeps.get(target_id, (0, ""))[0],
                "stale_items_kept_because": sweeps.get(target_id, (0, ""))[1],
            }
        )
        files += [{"key": record.key, "items": record.items, "bytes": record.bytes} for record in listing.records]
    return {"run_id": run.run_id, "crawl": crawl.as_dict(), "targets": entries, "files": files}


def _verdict(crawl: Crawl, listing: _TargetPages, recorded: Mapping[str, str], *, swept: bool) -> dict[str, str]:
    last = listing.records[-1].place if listing.records else None
    if last is None or last.verdict not in (*ENDED, "endless"):
        found = {"verdict": "unfinished", **recorded}
        return {**found, "cause": _message(found["cause"])} if "cause" in found else found
    if is_swept(crawl, last.verdict) and not swept:
        cause = "the listing is complete, but its stale items have not all been dealt with"
        return {"verdict": "unfinished", "error": "NotSwept", "cause": cause}
    return {"verdict": last.verdict, **({"resume_token": last.token} if last.token else {})}


def _counts(listing: _TargetPages) -> dict[str, Any]:
    records = listing.records
    last = records[-1].place if records else Place()
    tokens = [record.place.token for record in records if record.place.token]
    return {
        "pages": len(records),
        "items": sum(record.items for record in records),
        "bytes": sum(record.bytes for record in records),
        "restarts": max(listing.pass_number - 1, 0),
        "shared_keys": last.shared_keys,
        "large_items": last.large_items,
        "sums": last.sums,
        "non_aggregate": json.loads(records[0].non_aggregate or "{}") if records else {},
        "first_page_at": records[0].fetched_at if records else None,
        "last_page_at": records[-1].fetched_at if records else None,
        # Tokens can hold data of the listing; their hashes tell whether two are the same.
        "first_token_hash": _hash(tokens[0]) if tokens else None,
        "last_token_hash": _hash(tokens[-1]) if tokens else None,
    }


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def summary(run: Run, crawl: Crawl, manifest: Mapping[str, Any], ended: datetime) -> dict[str, Any]:
    """Return the output of the run: its verdict with the sentence that a person needs, and totals.

    `outcome` is "succeeded" for a run that came to what was asked for, "continues" for one that is to go on in another
    execution, or else "failed".
    """
    targets: Sequence[Mapping[str, Any]] = manifest["targets"]
    verdicts = Counter(str(target["verdict"]) for target in targets)
    short = [target for target in targets if not _is_as_wanted(crawl, target)]
    names = ("pages", "items", "bytes", "restarts", "shared_keys", "large_items", "throttles", "stale_items")
    totals = {name: sum(target[name] for target in targets) for name in names}
    continues = any(target.get("error") == CONTINUES for target in targets)
    verdict = "complete"
    if set(verdicts) - {"complete"}:
        verdict = "limited" if set(verdicts) <= set(ENDED) else "incomplete"
    return {
        "run_id": run.run_id,
        "crawl": crawl.name,
        # The input of the execution in which a run that continues goes on.
        "continuation": {"resume": run.run_id},
        "outcome": "continues" if continues else "failed" if short else "succeeded",
        "verdict": verdict,
        "message": _sentence(run, verdicts, short, totals, crawl),
        "targets": dict(verdicts),
        **totals,
        "seconds": round((ended - datetime.fromisoformat(run.started_at)).total_seconds(), 3),
    }


def _is_as_wanted(crawl: Crawl, target: Mapping[str, Any]) -> bool:
    verdict = target["verdict"]
    if verdict == "complete" or verdict in crawl.tolerate:
        return True
    if verdict == "limited" and "MaxItems" in crawl.pagination_config:
        return True
    cause = str(target.get("cause", ""))
    return any(code == target.get("error") or f"({code})" in cause for code in crawl.ignore_errors)


def _sentence(
    run: Run,
    verdicts: Mapping[str, int],
    short: Sequence[Mapping[str, Any]],
    totals: Mapping[str, int],
    crawl: Crawl,
) -> str:
    count = sum(verdicts.values())
    nouns = [f"{n:,} {noun if n == 1 else noun + 's'}" for n, noun in _numbered(totals, count)]
    written = f"{nouns[0]} on {nouns[1]} of {nouns[2]}"
    by_verdict = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(verdicts.items()))
    if not short:
        if set(verdicts) <= {"complete"}:
            return f"complete: {written}"
        return f"as was asked for ({by_verdict}): {written}"
    first = short[0]
    why = "it was not paged to its end"
    if first["verdict"] == "endless":
        why = f"it has more than max_pages ({crawl.max_pages:,}) pages"
    elif first.get("error"):
        why = f"{first['error']}: {first['cause']}"
    return (
        f"{len(short):,} of {nouns[2]} not complete ({by_verdict}); {first['target_id']}: {why}. "
        f'To go on where it ended: {{"resume": "{run.run_id}"}}'
    )


def _numbered(totals: Mapping[str, int], targets: int) -> list[tuple[int, str]]:
    return [(totals["items"], "item"), (totals["pages"], "page"), (targets, "target")]


def _message(cause: str) -> str:
    """What a function's exception said: Lambda reports it as JSON, together with the stack trace."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause
