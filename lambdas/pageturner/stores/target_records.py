"""Records of targets in the runs table, besides their pages: verdicts and throttles.

The Crawl machine itself records the verdict of a target that cannot continue. The verdict of the last page takes
precedence over it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pageturner.page_state import CONTINUES, Patience, Run, Target, known
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, expires_at

_LONGEST_MESSAGE = 300


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

    def _records(self, run: Run, prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the records whose names begin with `prefix`, each with the rest of its name."""
        for record, item in self._table.records(run, prefix):
            yield record.removeprefix(prefix), item
