"""What the runs table has of a target besides its pages: a verdict, its throttles, the sweep of its listing.

The Crawl machine itself records verdicts, of targets that cannot go on; what the last page says comes before them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from pageturner.page_state import Run, Target
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, expires_at


@dataclass(frozen=True)
class SweepRecord:
    """What a sweep came to: how many items were `stale`, and in the place of how many listed ones there is another.

    `merged` ones were listed more than once, or on different pages under a key that is not theirs alone.
    `kept_because` says why stale items were left alone, where they were.
    """

    stale: int = 0
    merged: int = 0
    kept_because: str = ""


class TargetRecords:
    """Reads and writes the records of a run's targets."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def verdicts(self, run: Run) -> dict[str, dict[str, str]]:
        """The verdict records of a run by target: `verdict`, and where there is one `error` and `cause`."""
        return {
            record.removeprefix(keys.prefix(keys.VERDICT)): {
                name: value["S"] for name, value in item.items() if name in ("verdict", "error", "cause")
            }
            for record, item in self._table.records(run, keys.prefix(keys.VERDICT))
        }

    def forget_verdicts(self, run: Run, target_ids: Iterable[str]) -> None:
        """Remove the verdict records of targets that are paged again."""
        for target_id in target_ids:
            self._table.delete(run, keys.VERDICT.format(target_id))

    def count_throttle(self, run: Run, target: Target) -> None:
        """Count one throttled request of a target."""
        values = {":one": {"N": "1"}, ":expires_at": expires_at(run)}
        expression = "ADD throttles :one SET expires_at = :expires_at"
        self._table.update(run, keys.THROTTLES.format(target.target_id), expression, values)

    def throttles(self, run: Run) -> dict[str, int]:
        """How many requests of each target were throttled, where any was."""
        return {
            record.removeprefix(keys.prefix(keys.THROTTLES)): int(item["throttles"]["N"])
            for record, item in self._table.records(run, keys.prefix(keys.THROTTLES))
        }

    def claim_sweep(self, run: Run, target: Target) -> bool:
        """Whether it is this target that sweeps the items of its listing: the first that asks, and no other."""
        row = keys.row(keys.RUN.format(run.run_id), keys.SWEEPER.format(target.listing_id))
        return self._table.put_if(
            "attribute_not_exists(pk) OR target_id = :mine",
            {**row, "expires_at": expires_at(run), "target_id": {"S": target.target_id}},
            {":mine": {"S": target.target_id}},
            f"who sweeps {target.listing_id}",
        )

    def record_sweep(self, run: Run, listing_id: str, record: SweepRecord) -> None:
        """Record that the items of a listing have been swept."""
        self._table.put(run, keys.SWEEP.format(listing_id), **asdict(record))

    def sweeps(self, run: Run) -> dict[str, SweepRecord]:
        """What the sweep of each listing that was swept came to."""
        return {
            record.removeprefix(keys.prefix(keys.SWEEP)): SweepRecord(
                int(item["stale"]["N"]), int(item["merged"]["N"]), item["kept_because"]["S"]
            )
            for record, item in self._table.records(run, keys.prefix(keys.SWEEP))
        }
