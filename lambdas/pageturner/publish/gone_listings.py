"""Which listings are gone: published ones that a complete run has no longer.

A bucket was deleted, an account left the organization, a region was taken out of the catalogue: no target lists their
items any more. Only a run of which every target is complete may say so, and only if what its targets come from was
listed as completely: otherwise a listing may be missing for another reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.stores import Stores
from pageturner.stores.publications import PublishedListing
from pageturner.stores.runs_and_locks import RunRecord

_LATER_SOURCE = "its targets come from a later listing than this run's"


@dataclass(frozen=True)
class GoneListings:
    """Finds them for the run of a record, whose manifest has this `summary`."""

    stores: Stores
    record: RunRecord
    summary: Mapping[str, Any]

    def among(self, published: Mapping[str, PublishedListing], own: set[str]) -> tuple[set[str], dict[str, int]]:
        """Return those that are gone, of which the run has not its `own` listing, and why how many others stay.

        Raises `SinkError`.
        """
        began = self.record.run["started_at"], self.record.run["run_id"]
        missing = {
            of: each
            for of, each in published.items()
            # What a run listed beyond the catalogue's crawl is nobody's to remove.
            if of not in own and each.as_catalogued and _last(each) < began
        }
        if not missing or not self.record.as_catalogued or self._only_adds:
            return set(), {}
        if reason := self._reason_to_keep(own):
            return set(), {reason: len(missing)}
        later = {
            run_id: self.comes_from_a_later_listing(run_id) for run_id in {each.run_id for each in missing.values()}
        }
        gone = {of for of, each in missing.items() if not later[each.run_id]}
        return gone, {_LATER_SOURCE: len(missing) - len(gone)} if len(gone) < len(missing) else {}

    def tells(self, own: set[str]) -> bool:
        """Return whether the catalogue's crawl has no other listings than the run's `own`. Raises `SinkError`."""
        return self.record.as_catalogued and not self._only_adds and not self._reason_to_keep(own)

    @property
    def _only_adds(self) -> bool:
        """Whether the run lists only what is new: what it does not list was listed before."""
        return Crawl.from_dict(self.record.crawl).since is not None

    def _reason_to_keep(self, own: set[str]) -> str:
        if set(self.summary["targets"]) - {"complete", "absent"}:
            return "not all targets of this run are complete"
        if not own and not Crawl.from_dict(self.record.crawl).allow_empty:
            return "the run has no targets; to remove the items of all earlier ones, set allow_empty: true"
        found: RunRecord | None = self.record
        while found is not None and (source := found.source):
            found = self.stores.runs.find(source)
            if found is None or found.summary is None or found.summary["verdict"] != "complete":
                return f"not all targets of {source}, whose items are the source of this run's targets, are complete"
            if found.summary.get("ignored_errors"):
                return f"answers of {source}, the source of this run's targets, had errors, which its crawl ignores"
        return ""

    def comes_from_a_later_listing(self, run_id: str) -> bool:
        """Return whether what an earlier run's targets come from had not been listed when this run's was begun.

        It may then have what was created since. That is so if the catalogue defined the source differently meanwhile,
        and does so as before again: the source's latest run by that definition is an old one.
        """
        own: RunRecord | None = self.record
        other = self.stores.runs.find(run_id)
        listed_at: str | None = other.run["started_at"] if other is not None else ""
        while own is not None and own.source and other is not None:
            if own.source == other.source:
                return False
            own = self.stores.runs.find(own.source)
            if other.source:
                other = self.stores.runs.find(other.source)
                # An expired record is older than all that have not expired.
                listed_at = (other.summary["ended_at"] if other.summary else None) if other else ""
            if own is not None and (listed_at is None or listed_at > own.run["started_at"]):
                return True
        return False


def _last(listing: PublishedListing) -> tuple[str, str]:
    """Return when the last run began that has listed or added something, and its id."""
    return max([(listing.started_at, listing.run_id), *((began, of) for of, began in listing.added.items())])
