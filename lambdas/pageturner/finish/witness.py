"""Who else counted a listing, in the manifest and in sentences, and whether the two numbers agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.errors import MistrustedListingError
from pageturner.messages import count_of
from pageturner.page_state import Run, Target
from pageturner.paging.counts import PAGE_COUNTS
from pageturner.stores.witness_records import Comparison, LastListing, OfListing, Testimony
from pageturner.verdicts import Ends

# A count that is not of this moment, or only about right, and a listing agree if they differ by at most this share.
AGREES_WITHIN = 0.1
LAST_RUN = "the last complete run"


def counted_by(said: Testimony) -> str:
    """What a witness said, in a sentence: "CloudWatch counted 1,010 on 2026-11-25"."""
    when = f" on {said.at[:10]}" if said.at is not None else f", up to {said.age:g} hours ago"
    more = f" (with {said.more})" if said.more else ""
    return f"{said.who} counted {said.count or 0:,}{when}{more}"


def listed_by(last: LastListing) -> str:
    """What the last complete run had, in a sentence."""
    return f"{LAST_RUN} listed {last.items:,} on {last.started_at[:10]}"


@dataclass(frozen=True)
class Witnessed:
    """What is known of the counts of a run's listings: testimonies by target id and pass, comparisons by listing id and
    last pass.
    """

    crawl: Crawl
    run: Run
    testimonies: Mapping[OfListing, Testimony]
    comparisons: Mapping[OfListing, Comparison]

    def mistrusted(self) -> dict[OfListing, str]:
        """Why listings are mistrusted, by id and last pass."""
        return {of: found.mistrusted for of, found in self.comparisons.items() if found.mistrusted}

    def of(self, target: Target, ends: Ends) -> dict[str, Any] | None:
        """Return the manifest's `witness` of a target, or None if its listing has none.

        The first of these that there is: an answer that has other items than it says; someone who was asked, or the
        answers' own total; the last complete run. Of a split listing, it stands with the first part.
        """
        counted = ends.counted.get(target.target_id)
        if counted is None or counted["end"] != "complete" or (target.part and target.part.number > 1):
            return None
        comparison = self.comparisons.get((target.listing_id, ends.last_pass(target)))
        if comparison is None and target.part:
            return None  # not all parts have ended
        listed = comparison.listed if comparison is not None else counted["items"]
        if counted["miscount"]:
            crawl = self.crawl.of(target.service, target.operation)
            member = PAGE_COUNTS[crawl.service, crawl.operation]
            return _witness(f"{crawl.service} ({member})", listed + counted["miscount"], listed, agrees=False)
        said = self.testimonies.get((target.target_id, counted["pass_number"]))
        if said is not None and said.count is not None:
            agrees = agree(said, listed)
            more = {"more": said.more} if said.more else {}
            return _witness(said.who, said.count, listed, agrees=agrees, age=said.age, at=said.at) | more
        why = {"why": f"{said.who} was asked: {said.why}"} if said is not None else {}
        last = comparison.last if comparison is not None else None
        if last is not None:
            began = datetime.fromisoformat(self.run.started_at) - datetime.fromisoformat(last.started_at)
            age = round(max(began.total_seconds(), 0) / 3600, 1)
            # A listing may well have grown since.
            agrees = listed >= (1 - AGREES_WITHIN) * last.items
            return _witness(LAST_RUN, last.items, listed, agrees=agrees, age=age, at=last.started_at) | why
        return _witness(said.who, None, listed, agrees=None, age=None) | why if said is not None else None


def agree(said: Testimony, listed: int) -> bool:
    """Return whether a witness agrees: an exact count is equal, any other is at most a tenth of the larger one off."""
    if said.count is None or said.exact:
        return said.count == listed
    return abs(said.count - listed) <= AGREES_WITHIN * max(said.count, listed)


def _witness(
    who: str, count: int | None, listed: int, *, agrees: bool | None, age: float | None = 0, at: str | None = None
) -> dict[str, Any]:
    return {"who": who, "count": count, "listed": listed, "age": age, "at": at, "agrees": agrees}


def in_words(witness: Mapping[str, Any]) -> str:
    """A manifest's `witness` that has a count, in a sentence."""
    if witness["who"] == LAST_RUN:
        return listed_by(LastListing(witness["count"], "", witness["at"]))
    # It explains a difference.
    more = witness.get("more", "") if witness["count"] != witness["listed"] else ""
    return counted_by(Testimony(witness["who"], witness["count"], witness["at"], witness["age"], more=more))


@dataclass
class WitnessTally:
    """Adds up the witnesses of a run's targets: how many agree, how many do not, and how many targets have none.

    `unexplained` is the first that disagrees with a target whose own error does not say so.
    """

    agreed: int = 0
    disagreed: int = 0
    none: int = 0
    first: str = ""
    first_that_disagrees: str = ""
    unexplained: str = ""

    def add(self, entry: Mapping[str, Any], name: str) -> None:
        """Add a target's entry; `name` is the target's in messages."""
        if entry.get("part") and entry["part"]["number"] > 1:
            return  # the first part stands for the listing
        witness = entry.get("witness")
        if witness is None or witness["agrees"] is None:
            self.none += 1
            return
        self.agreed += witness["agrees"]
        self.disagreed += not witness["agrees"]
        self.first = self.first or in_words(witness)
        if not witness["agrees"]:
            disagrees = f"{name}: {count_of(witness['listed'], 'item')}, but {in_words(witness)}"
            self.first_that_disagrees = self.first_that_disagrees or disagrees
            if entry.get("error") != MistrustedListingError.__name__:
                self.unexplained = self.unexplained or disagrees

    def as_dict(self) -> dict[str, int]:
        """The field of the summary."""
        return {"agreed": self.agreed, "disagreed": self.disagreed, "none": self.none}

    def sentence(self) -> str:
        """What a run's message says about its witnesses, or an empty string if there are none."""
        witnessed, targets = self.agreed + self.disagreed, self.agreed + self.disagreed + self.none
        if not witnessed:
            return ""
        if targets == 1:
            return self.first if self.agreed else f"but {self.first}"
        said = f"{self.agreed:,} of {targets:,} targets {'agrees' if self.agreed == 1 else 'agree'} with a witness"
        if not self.disagreed:
            return said
        do_not, more = ("does not", "") if self.disagreed == 1 else ("do not", " …")
        return f"{said}, and {self.disagreed:,} {do_not}: {self.first_that_disagrees}{more}"
