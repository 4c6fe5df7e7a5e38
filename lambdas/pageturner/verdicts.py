"""The verdict of each target, from its pages and its other records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import groupby
from typing import Any

from pageturner.errors import MistrustedListingError
from pageturner.formats import known
from pageturner.messages import count_of
from pageturner.page_state import CONTINUES, Place, Target
from pageturner.stores.checkpoints import PageRecord
from pageturner.stores.target_records import Throttles

# The verdicts of targets whose listing has ended, so that there is nothing to resume.
ENDED = ("complete", "limited")
# The errors of targets with which a run that continues by itself goes on; None if they were cut short without one.
GOES_ON = (None, CONTINUES)
# The error of a target whose listing ended, but of which the runs table no longer has all page records.
PAGES_MISSING = "PagesMissing"


# So many errors of a target are in its counts, the first ones; `page_errors` counts all.
MOST_ERRORS = 100


@dataclass
class PageCounts:
    """Adds up the page records of a target, in their order.

    Only the pages of its last pass are its listing, so each pass begins at nothing.
    """

    pass_number: int = 0
    end: Place | None = None
    pages: int = 0
    items: int = 0
    bytes: int = 0
    milliseconds: int = 0
    write_units: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    non_aggregate: str | None = None
    first_page_at: str | None = None
    last_page_at: str | None = None
    first_token: str | None = None
    last_token: str | None = None

    def add(self, record: PageRecord) -> None:
        """Add a record."""
        if record.pass_number > self.pass_number:
            vars(self).update(vars(PageCounts(record.pass_number)))
        if record.page == 0:
            return
        if not self.pages:
            self.non_aggregate, self.first_page_at = record.non_aggregate, record.fetched_at
        self.end, self.last_page_at = record.place, record.fetched_at
        self.pages += 1
        self.items += record.items
        self.bytes += record.bytes
        self.milliseconds += record.milliseconds
        self.write_units += record.write_units
        if record.errors and len(self.errors) < MOST_ERRORS:
            found = [{"page": record.page, **error} for error in json.loads(record.errors)]
            self.errors += found[: MOST_ERRORS - len(self.errors)]
        if record.place.token:
            self.last_token = record.place.token
            self.first_token = self.first_token or self.last_token

    def counts(self) -> dict[str, Any]:
        """Return the totals, and the end that the last page records."""
        end = self.end or Place()
        return {
            "end": end.verdict,
            "end_error": {"error": end.error, "cause": end.cause} if end.error else {},
            "pass_number": self.pass_number,
            "pages_missing": end.pages - self.pages,
            "resume_token": end.token if end.verdict and not end.error else None,
            "pages": self.pages,
            "items": self.items,
            "bytes": self.bytes,
            "milliseconds": self.milliseconds,
            "write_units": self.write_units,
            "restarts": max(self.pass_number - 1, 0),
            "page_errors": end.page_errors,
            "ignored_errors": end.ignored_errors,
            "missing_details": end.missing_details,
            "miscount": end.miscount,
            "errors_in_pages": list(self.errors),
            "sums": end.sums,
            "non_aggregate": json.loads(self.non_aggregate or "{}"),
            "first_page_at": self.first_page_at,
            "last_page_at": self.last_page_at,
            # Tokens can hold data of the listing; hashes are enough to compare them.
            "first_token_hash": _hash(self.first_token) if self.first_token else None,
            "last_token_hash": _hash(self.last_token) if self.last_token else None,
        }

    def as_dict(self) -> dict[str, Any]:
        """The counts so far, as JSON."""
        return {**vars(self), "end": self.end.as_dict() if self.end else None, "errors": list(self.errors)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> PageCounts:
        """The inverse of `as_dict`."""
        end, values = document["end"], known(cls, document)
        return cls(**{**values, "end": Place.from_dict(end) if end else None, "errors": list(document["errors"])})


def counted(records: Iterable[PageRecord]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the counts of each target. The records must be in order of target, pass and page."""
    for target_id, of_target in groupby(records, key=lambda record: record.target_id):
        pages = PageCounts()
        for record in of_target:
            pages.add(record)
        yield target_id, pages.counts()


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
    nothing = PageCounts().counts()
    for target in targets:
        counts = ends.counted.get(target.target_id, nothing)
        mistrusted = ends.mistrusted.get((target.listing_id, ends.last_pass(target)), "")
        throttles = ends.throttles.get(target.target_id, Throttles())
        yield {
            **target.as_dict(),
            **_verdict(counts, ends.verdicts.get(target.target_id, {}), mistrusted),
            **{name: value for name, value in counts.items() if name not in _JUDGED},
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
