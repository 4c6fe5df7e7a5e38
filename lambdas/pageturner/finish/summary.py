"""What a run came to: the verdict of each target and of the run, and the manifest of its files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.finish.sweep import is_swept
from pageturner.page_state import Place, Run, Target
from pageturner.stores.checkpoints import Listing
from pageturner.stores.target_records import SweepRecord

# The verdicts of targets whose listing has come to its end, so that there is nothing to resume.
ENDED = ("complete", "limited")
# The error of a target that goes on in another execution, because this one nears Step Functions' limit of events.
CONTINUES = "ContinuesInAnotherExecution"


def counts(listing: Listing) -> dict[str, Any]:
    """What the pages of a target come to, and how the last of them says that it ended."""
    records, end = listing.records, listing.end or Place()
    tokens = [record.place.token for record in records if record.place.token]
    return {
        "end": end.verdict,
        "pages_missing": end.pages - len(records),
        "resume_token": end.token if end.verdict else None,
        "pages": len(records),
        "items": sum(record.items for record in records),
        "bytes": sum(record.bytes for record in records),
        "milliseconds": sum(record.milliseconds for record in records),
        "restarts": max(listing.pass_number - 1, 0),
        "shared_keys": end.shared_keys,
        "large_items": end.large_items,
        "sums": end.sums,
        "non_aggregate": json.loads(records[0].non_aggregate or "{}") if records else {},
        "first_page_at": records[0].fetched_at if records else None,
        "last_page_at": records[-1].fetched_at if records else None,
        # Tokens can hold data of the listing; their hashes tell whether two are the same.
        "first_token_hash": _hash(tokens[0]) if tokens else None,
        "last_token_hash": _hash(tokens[-1]) if tokens else None,
    }


# What of the counts makes the verdict, and is not beside it.
_JUDGED = ("end", "pages_missing", "resume_token")


def files(listing: Listing) -> Iterator[dict[str, Any]]:
    """The files of a target, as the manifest has them."""
    for record in listing.records:
        yield {"key": record.key, "items": record.items, "bytes": record.bytes}


@dataclass(frozen=True)
class Ends:
    """What is known of the targets of a run when it ends, by target id: `counts`, and what was recorded besides."""

    counted: Mapping[str, Mapping[str, Any]]
    verdicts: Mapping[str, Mapping[str, str]]
    sweeps: Mapping[str, SweepRecord]
    throttles: Mapping[str, int] = field(default_factory=dict)


def entries(crawl: Crawl, targets: Iterable[Target], ends: Ends) -> Iterator[dict[str, Any]]:
    """Yield the manifest's entry of each target, with its verdict.

    What the last page says of its target counts first, then the recorded verdict; a target of which neither knows an
    end is `unfinished`, and so is one whose listing is complete but whose stale items have not all been dealt with.
    """
    nothing = counts(Listing(""))
    complete_parts = Counter(
        target_id.rpartition("-")[0] for target_id, counted in ends.counted.items() if counted["end"] == "complete"
    )
    for target in targets:
        listing_id, counted = target.listing_id, ends.counted.get(target.target_id, nothing)
        sweep = ends.sweeps.get(listing_id, SweepRecord())
        whole = target.part is None or complete_parts[listing_id] == target.part.count
        is_first = target.part is None or target.part.number == 1
        yield {
            **target.as_dict(),
            **_verdict(
                crawl, counted, ends.verdicts.get(target.target_id, {}), swept=listing_id in ends.sweeps or not whole
            ),
            **{name: value for name, value in counted.items() if name not in _JUDGED},
            "throttles": ends.throttles.get(target.target_id, 0),
            # The parts of a listing are swept together.
            "stale_items": sweep.stale if is_first else 0,
            "merged_items": sweep.merged if is_first else 0,
            "stale_items_kept_because": sweep.kept_because,
        }


def _verdict(crawl: Crawl, counted: Mapping[str, Any], recorded: Mapping[str, str], *, swept: bool) -> dict[str, str]:
    end = counted["end"]
    if end not in (*ENDED, "endless"):
        found = {"verdict": "unfinished", **recorded}
        return {**found, "cause": _message(found["cause"])} if "cause" in found else found
    if counted["pages_missing"]:
        # The manifest is made of these records, and would be short of them.
        cause = (
            f"the records of {count_of(counted['pages_missing'], 'page')} have gone from the runs table; run it anew"
        )
        return {"verdict": "unfinished", "error": "PagesMissing", "cause": cause}
    if is_swept(crawl, end) and not swept:
        cause = "the listing is complete, but its stale items have not all been dealt with"
        return {"verdict": "unfinished", "error": "NotSwept", "cause": cause}
    return {"verdict": end, **({"resume_token": counted["resume_token"]} if counted["resume_token"] else {})}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:16]


_SUMMED = (
    "pages",
    "items",
    "bytes",
    "milliseconds",
    "restarts",
    "shared_keys",
    "large_items",
    "throttles",
    "stale_items",
    "merged_items",
)


@dataclass
class Tally:
    """Adds up the entries of a run's targets, as they come."""

    crawl: Crawl
    verdicts: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    short: int = 0
    first_short: Mapping[str, Any] | None = None
    continues: bool = False

    def add(self, entry: Mapping[str, Any]) -> None:
        """Count an entry in."""
        self.verdicts[entry["verdict"]] += 1
        self.totals.update({name: entry[name] for name in _SUMMED})
        self.continues = self.continues or entry.get("error") == CONTINUES
        if not _is_as_wanted(self.crawl, entry):
            self.short += 1
            self.first_short = self.first_short or entry


def summary(run: Run, tally: Tally, ended: datetime) -> dict[str, Any]:
    """Return the output of the run: its verdict with the sentence that a person needs, and totals.

    `outcome` is "succeeded" for a run that came to what was asked for, "continues" for one that is to go on in another
    execution, or else "failed".
    """
    verdict = "complete"
    if set(tally.verdicts) - {"complete"}:
        verdict = "limited" if set(tally.verdicts) <= set(ENDED) else "incomplete"
    return {
        "run_id": run.run_id,
        "crawl": tally.crawl.name,
        # The input of the execution in which a run that continues goes on.
        "continuation": {"resume": run.run_id},
        "outcome": "continues" if tally.continues else "failed" if tally.short else "succeeded",
        "verdict": verdict,
        "message": _sentence(run, tally),
        "targets": dict(tally.verdicts),
        **{name: tally.totals[name] for name in _SUMMED if name != "milliseconds"},
        "seconds": round((ended - datetime.fromisoformat(run.started_at)).total_seconds(), 3),
    }


def _is_as_wanted(crawl: Crawl, target: Mapping[str, Any]) -> bool:
    verdict = target["verdict"]
    # A listing is limited only by what pagination_config asks for.
    if verdict in ENDED or verdict in crawl.tolerate:
        return True
    cause = str(target.get("cause", ""))
    return any(code == target.get("error") or f"({code})" in cause for code in crawl.ignore_errors)


def _sentence(run: Run, tally: Tally) -> str:
    targets = count_of(tally.verdicts.total(), "target")
    written = f"{count_of(tally.totals['items'], 'item')} on {count_of(tally.totals['pages'], 'page')} of {targets}"
    by_verdict = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(tally.verdicts.items()))
    first = tally.first_short
    if first is None:
        if set(tally.verdicts) <= {"complete"}:
            return f"complete: {written}"
        return f"as was asked for ({by_verdict}): {written}"
    why = "it was not paged to its end"
    if first["verdict"] == "endless":
        why = f"it has more than max_pages ({tally.crawl.max_pages:,}) pages"
    elif first.get("error"):
        why = f"{first['error']}: {first['cause']}"
    return (
        f"{tally.short:,} of {targets} not complete ({by_verdict}); {first['target_id']}: {why}. "
        f'To go on where it ended, redrive the execution, or start {{"resume": "{run.run_id}"}}'
    )


def count_of(count: int, noun: str) -> str:
    """A number with its noun: "1 page", "2 pages"."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def _message(cause: str) -> str:
    """What a function's exception said: Lambda reports it as JSON, together with the stack trace."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause
