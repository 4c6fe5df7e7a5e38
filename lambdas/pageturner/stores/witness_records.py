"""Records of a run about how many items others counted: what witnesses said, and how listings compare with before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pageturner.formats import known, readable, stamped
from pageturner.page_state import Run, Target
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, expires_at

# The id of a target or a listing, and its pass.
OfListing = tuple[str, int]


@dataclass(frozen=True)
class Testimony:
    """What `who` said about a listing: the `count`, or `why` there is none.

    It was made at `at` (ISO 8601), if that is known, and is at most `age` hours old. An `exact` count is of the moment
    when it was asked for. `more` says what is counted besides what is listed.
    """

    who: str
    count: int | None = None
    at: str | None = None
    age: float = 0
    exact: bool = True
    more: str = ""
    why: str = ""


@dataclass(frozen=True)
class LastListing:
    """A complete listing that was published: how many `items` it had, and the run, which began at `started_at`."""

    items: int
    run_id: str
    started_at: str


@dataclass(frozen=True)
class Comparison:
    """How a listing that ended compares with the `last` complete one before it, and why it is `mistrusted`."""

    listed: int
    last: LastListing | None = None
    mistrusted: str = ""


class WitnessRecords:
    """Reads and writes these records."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def claim(self, run: Run, target: Target, pass_number: int, who: str) -> bool:
        """Return whether to ask a witness now: nobody has been asked about this pass of the target before.

        Until the answer is recorded, the record says that there was none.
        """
        unanswered = Testimony(who, why="FetchPage ended before it had the answer")
        row = keys.run_row(run.run_id, keys.WITNESS.format(target.target_id, pass_number))
        return self._table.write_if(
            f"could not write the witness of {target.target_id} to the runs table",
            "put_item",
            Item={**row, "expires_at": expires_at(run), "testimony": {"S": _text(unanswered)}},
            ConditionExpression="attribute_not_exists(pk)",
        )

    def record(self, run: Run, target: Target, pass_number: int, testimony: Testimony) -> None:
        """Record what a witness said, for whoever `claim` allowed to ask."""
        self._table.put(run, keys.WITNESS.format(target.target_id, pass_number), testimony=_text(testimony))

    def testimony(self, run: Run, target_id: str, pass_number: int) -> Testimony | None:
        """Return what was said about a target, or None if nobody was asked."""
        row = keys.run_row(run.run_id, keys.WITNESS.format(target_id, pass_number))
        found = self._table.get(row, f"the witness of {target_id}")
        return _testimony(found) if found is not None else None

    def testimonies(self, run: Run, after: str = "") -> Iterator[tuple[str, tuple[int, Testimony]]]:
        """Yield what was said about each target, by its id, with the pass; only of those behind `after`, if it is set.

        A target can have several.
        """
        for of, pass_number, item in self._records(run, keys.WITNESS, after):
            yield of, (pass_number, _testimony(item))

    def compare(self, run: Run, comparisons: Mapping[OfListing, Comparison]) -> None:
        """Record how listings that have ended complete compare, by their ids and the last pass of all their targets."""
        texts = {of: json.dumps(stamped(asdict(comparison))) for of, comparison in comparisons.items()}
        self._table.put_all(run, {keys.COMPARISON.format(*of): {"comparison": text} for of, text in texts.items()})

    def comparisons(self, run: Run, after: str = "") -> Iterator[tuple[str, tuple[int, Comparison]]]:
        """Yield the comparisons of each listing that FinishRun has judged, by its id, with the last pass."""
        for of, pass_number, item in self._records(run, keys.COMPARISON, after):
            yield of, (pass_number, _comparison(json.loads(item["comparison"]["S"])))

    def _records(self, run: Run, template: str, after: str) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
        prefix = keys.prefix(template)
        for record, item in self._table.records(run, prefix, keys.behind(f"{prefix}{after}") if after else ""):
            of, _, pass_number = record.removeprefix(prefix).rpartition("#")
            yield of, int(pass_number), item


def _text(testimony: Testimony) -> str:
    return json.dumps(stamped(asdict(testimony)))


def _testimony(item: Mapping[str, Any]) -> Testimony:
    return Testimony(**known(Testimony, readable(json.loads(item["testimony"]["S"]), "what a witness said")))


def _comparison(document: Mapping[str, Any]) -> Comparison:
    last = readable(document, "the comparison of a listing")["last"]
    before = LastListing(**known(LastListing, last)) if last else None
    return Comparison(document["listed"], before, document["mistrusted"])
