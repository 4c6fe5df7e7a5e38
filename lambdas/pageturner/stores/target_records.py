"""Records of targets in the runs table, besides their pages: verdicts, throttles, and sweeps of their listings.

The Crawl machine itself records the verdict of a target that cannot continue. The verdict of the last page takes
precedence over it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pageturner.page_state import CONTINUES, Patience, Run, Target, known
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, expires_at

_LONGEST_MESSAGE = 300


@dataclass(frozen=True)
class SweepRecord:
    """The result of a sweep: how many items were `stale`, `merged` or had `shared` keys.

    Merged items were listed more than once, and are one row. Items with a shared key are rows of their own.
    `kept_because` says why stale items were kept, if they were.
    """

    stale: int = 0
    merged: int = 0
    shared: int = 0
    kept_because: str = ""


@dataclass(frozen=True)
class Throttles:
    """The number of throttled requests of a target, and the message of the last one."""

    count: int = 0
    last: str = ""


class TargetRecords:
    """Reads and writes the records of a run's targets."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def verdicts(self, run: Run) -> dict[str, dict[str, str]]:
        """Return the verdict records of a run by target: `verdict`, and `error` and `cause` if there are any.

        Those of earlier generations count as long as the run has continued by itself since; but what continued then
        has done so.
        """
        found: dict[str, dict[str, str]] = {}
        for generation in range(run.since, run.generation + 1):
            for of, item in self._records(run, keys.VERDICT.format(generation, "")):
                record = {name: value["S"] for name, value in item.items() if name in ("verdict", "error", "cause")}
                if generation == run.generation or record.get("error") != CONTINUES:
                    found[of] = record
        return found

    def patience(self, run: Run) -> dict[str, Patience]:
        """Return the patience that was left with each target when it got its verdict."""
        return {
            of: Patience(**known(Patience, json.loads(item["patience"]["S"])))
            for of, item in self._records(run, keys.VERDICT.format(run.generation, ""))
            if "patience" in item
        }

    def count_throttle(self, run: Run, target: Target, message: str) -> None:
        """Count one throttled request of a target, and keep the beginning of what the service said."""
        values = {":one": {"N": "1"}, ":expires_at": expires_at(run), ":last": {"S": message[:_LONGEST_MESSAGE]}}
        expression = "ADD throttles :one SET expires_at = :expires_at, last_throttle = :last"
        self._table.update(run, keys.THROTTLES.format(target.target_id), expression, values)

    def throttles(self, run: Run) -> dict[str, Throttles]:
        """Return the throttled requests of each target that has any."""
        return {
            of: Throttles(int(item["throttles"]["N"]), item.get("last_throttle", {}).get("S", ""))
            for of, item in self._records(run, keys.prefix(keys.THROTTLES))
        }

    def claim_sweep(self, run: Run, target: Target, pass_number: int) -> bool:
        """Return whether this target sweeps the items of its listing: only the first target that asks does.

        `pass_number` is the last pass of all targets of the listing, here and below.
        """
        row = keys.run_row(run.run_id, keys.SWEEPER.format(target.listing_id, pass_number))
        return self._table.write_if(
            f"could not write the sweeper of {target.listing_id} to the runs table",
            "put_item",
            Item={**row, "expires_at": expires_at(run), "target_id": {"S": target.target_id}},
            ConditionExpression="attribute_not_exists(pk) OR target_id = :mine",
            ExpressionAttributeValues={":mine": {"S": target.target_id}},
        )

    def record_sweep(self, run: Run, listing_id: str, pass_number: int, record: SweepRecord) -> None:
        """Record that the items of a listing have been swept. The first record stays: it counted what was there."""
        self._table.put_first(run, keys.SWEEP.format(listing_id, pass_number), **asdict(record))

    def is_swept(self, run: Run, listing_id: str) -> bool:
        """Return whether the items of any pass of a listing have been swept."""
        return self._table.last(run, f"{keys.prefix(keys.SWEEP)}{listing_id}#") is not None

    def sweeps(self, run: Run) -> dict[tuple[str, int], SweepRecord]:
        """Return the sweep record of each listing, and pass of it, that was swept."""
        return {
            (listing_id, int(pass_number)): SweepRecord(
                stale=int(item["stale"]["N"]),
                merged=int(item["merged"]["N"]),
                shared=int(item["shared"]["N"]),
                kept_because=item["kept_because"]["S"],
            )
            for of, item in self._records(run, keys.prefix(keys.SWEEP))
            for listing_id, _, pass_number in [of.partition("#")]
            if pass_number  # an earlier version of Pageturner did not name it
        }

    def _records(self, run: Run, prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the records whose names begin with `prefix`, each with the rest of its name."""
        for record, item in self._table.records(run, prefix):
            yield record.removeprefix(prefix), item
