"""The summary of a run: its verdict, as a word and as a sentence, and its totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.messages import count_of
from pageturner.page_state import Run
from pageturner.verdicts import CONTINUES, ENDED

_SUMMED = (
    "pages",
    "items",
    "bytes",
    "milliseconds",
    "restarts",
    "large_items",
    "throttles",
    "stale_items",
    "merged_items",
    "shared_keys",
)


@dataclass
class Tally:
    """Adds up the entries of a run's targets, one by one."""

    crawl: Crawl
    verdicts: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    short: int = 0
    first_short: Mapping[str, Any] | None = None
    continues: bool = False

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add an entry."""
        self.verdicts[entry["verdict"]] += 1
        self.totals.update({name: entry[name] for name in _SUMMED})
        self.continues = self.continues or entry.get("error") == CONTINUES
        if not _is_as_wanted(self.crawl, entry):
            self.short += 1
            self.first_short = self.first_short or entry


def summary(run: Run, tally: Tally, ended: datetime) -> dict[str, Any]:
    """Return the output of the run: its verdict, with a sentence for people, and its totals.

    `outcome` is "succeeded" if every target ended as the crawl asks or tolerates, "continues" if the run continues in
    another execution, and "failed" otherwise.
    """
    verdict = "complete"
    if set(tally.verdicts) - {"complete"}:
        verdict = "limited" if set(tally.verdicts) <= set(ENDED) else "incomplete"
    return {
        "run_id": run.run_id,
        "crawl": tally.crawl.name,
        # The input of the execution in which the run continues.
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
    # Only pagination_config limits a listing, so a limited one is as requested.
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
        return f"as requested ({by_verdict}): {written}"
    why = "paging did not reach the end of the listing"
    if first["verdict"] == "endless":
        why = f"the listing has more than max_pages ({tally.crawl.max_pages:,}) pages"
    elif first.get("error"):
        why = f"{first['error']}: {first['cause']}"
    return (
        f"{tally.short:,} of {targets} not complete ({by_verdict}). First: {first['target_id']}: {why}. "
        f'To continue the run, redrive its execution or start a new one with the input {{"resume": "{run.run_id}"}}'
    )
