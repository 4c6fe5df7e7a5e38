"""The verdict of each target, from its pages and its other records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pageturner.errors import MistrustedListingError
from pageturner.messages import count_of
from pageturner.page_state import CONTINUES, Place, Target
from pageturner.stores.checkpoints import Listing
from pageturner.stores.target_records import Throttles

# The verdicts of targets whose listing has ended, so that there is nothing to resume.
ENDED = ("complete", "limited")
# The errors of targets with which a run that continues by itself goes on; None if they were cut short without one.
GOES_ON = (None, CONTINUES)
# The error of a target whose listing ended, but of which the runs table no longer has all page records.
PAGES_MISSING = "PagesMissing"


def counts(listing: Listing) -> dict[str, Any]:
    """Return the totals of a target's pages, and the end that the last page records."""
    records, end = listing.records, listing.end or Place()
    tokens = [record.place.token for record in records if record.place.token]
    return {
        "end": end.verdict,
        "end_error": {"error": end.error, "cause": end.cause} if end.error else {},
        "pass_number": listing.pass_number,
        "pages_missing": end.pages - len(records),
        "resume_token": end.token if end.verdict and not end.error else None,
        "pages": len(records),
        "items": sum(record.items for record in records),
        "bytes": sum(record.bytes for record in records),
        "milliseconds": sum(record.milliseconds for record in records),
        "restarts": max(listing.pass_number - 1, 0),
        "page_errors": end.page_errors,
        "ignored_errors": end.ignored_errors,
        "miscount": end.miscount,
        "errors_in_pages": [
            {"page": record.page, **error} for record in records if record.errors for error in json.loads(record.errors)
        ],
        "sums": end.sums,
        "non_aggregate": json.loads(records[0].non_aggregate or "{}") if records else {},
        "first_page_at": records[0].fetched_at if records else None,
        "last_page_at": records[-1].fetched_at if records else None,
        # Tokens can hold data of the listing; hashes are enough to compare them.
        "first_token_hash": _hash(tokens[0]) if tokens else None,
        "last_token_hash": _hash(tokens[-1]) if tokens else None,
    }


_TARGET = tuple(each.name for each in fields(Target))
# The counts that decide the verdict or the next pass, and are not in the entry themselves.
_JUDGED = ("end", "end_error", "pass_number", "pages_missing", "resume_token", "miscount")


@dataclass(frozen=True)
class Ends:
    """What is known of a run's targets when it ends: `counts` and records, by target id.

    Why a listing is `mistrusted` is by listing id and the last pass of the listing.
    """

    counted: Mapping[str, Mapping[str, Any]]
    verdicts: Mapping[str, Mapping[str, str]]
    mistrusted: Mapping[tuple[str, int], str] = field(default_factory=dict)
    throttles: Mapping[str, Throttles] = field(default_factory=dict)

    def last_pass(self, target: Target) -> int:
        """Return the last pass of the target's listing: of all its parts."""
        return max(self.counted[part]["pass_number"] if part in self.counted else 0 for part in target.listing_targets)


def entries(targets: Iterable[Target], ends: Ends) -> Iterator[dict[str, Any]]:
    """Yield the manifest's entry of each target, with its verdict.

    The end that the last page records takes precedence over the recorded verdict. A target with neither is
    `unfinished`.
    """
    nothing = counts(Listing(""))
    for target in targets:
        counted = ends.counted.get(target.target_id, nothing)
        mistrusted = ends.mistrusted.get((target.listing_id, ends.last_pass(target)), "")
        throttles = ends.throttles.get(target.target_id, Throttles())
        yield {
            **target.as_dict(),
            **_verdict(counted, ends.verdicts.get(target.target_id, {}), mistrusted),
            **{name: value for name, value in counted.items() if name not in _JUDGED},
            "throttles": throttles.count,
            "last_throttle": throttles.last,
        }


def target_of(entry: Mapping[str, Any]) -> Target:
    """Return the target of a manifest's entry."""
    return Target.from_dict({name: entry[name] for name in _TARGET if name in entry})


def _verdict(counted: Mapping[str, Any], recorded: Mapping[str, str], mistrusted: str) -> dict[str, str]:
    end = counted["end"]
    if counted["end_error"]:
        return {"verdict": end, **counted["end_error"]}
    if end not in (*ENDED, "endless"):
        found = {"verdict": "unfinished", **recorded}
        return {**found, "cause": _message(found["cause"])} if "cause" in found else found
    if counted["pages_missing"]:
        # The manifest is made from these records, and would be incomplete.
        cause = f"the records of {count_of(counted['pages_missing'], 'page')} are missing from the runs table"
        return {"verdict": "unfinished", "error": PAGES_MISSING, "cause": cause}
    if mistrusted and end == "complete":
        return {"verdict": "failed", "error": MistrustedListingError.__name__, "cause": mistrusted}
    return {"verdict": end, **({"resume_token": counted["resume_token"]} if counted["resume_token"] else {})}


def _message(cause: str) -> str:
    """Return the message of a function's exception, which Lambda reports as JSON with the stack trace."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:16]
