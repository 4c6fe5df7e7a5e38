"""Records of targets in the runs table, besides their pages: verdicts and throttles.

The Crawl machine itself records the verdict of a target that cannot continue. The verdict of the last page takes
precedence over it.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from pageturner.formats import known
from pageturner.page_state import CONTINUES, Patience, Run, Target
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

    def verdicts(self, run: Run, after: str = "") -> Iterator[tuple[str, dict[str, str]]]:
        """Yield the verdict record of each target that has one: `verdict`, and `error` and `cause` if there are any.

        Those of earlier generations count as long as the run has continued by itself since; but what continued then
        has done so. All records are yielded by target id; only those of targets behind `after`, if it is set.
        """
        generations = range(run.since, run.generation + 1)
        found = heapq.merge(*(self._verdicts(run, each, after) for each in generations), key=itemgetter(0))
        for of, records in groupby(found, key=itemgetter(0)):
            *_, (_, last) = records
            yield of, last

    def _verdicts(self, run: Run, generation: int, after: str) -> Iterator[tuple[str, dict[str, str]]]:
        for of, item in self._records(run, keys.VERDICT.format(generation, ""), after):
            record = {name: value["S"] for name, value in item.items() if name in ("verdict", "error", "cause")}
            if generation == run.generation or record.get("error") != CONTINUES:
                yield of, record

    def patience(self, run: Run) -> Iterator[tuple[str, Patience]]:
        """Yield the patience that was left with each target when it got its verdict."""
        for of, item in self._records(run, keys.VERDICT.format(run.generation, "")):
            if "patience" in item:
                yield of, Patience(**known(Patience, json.loads(item["patience"]["S"])))

    def count_throttle(self, run: Run, target: Target, message: str) -> None:
        """Count one throttled request of a target, and keep the beginning of what the service said."""
        values = {":one": {"N": "1"}, ":expires_at": expires_at(run), ":last": {"S": message[:_LONGEST_MESSAGE]}}
        expression = "ADD throttles :one SET expires_at = :expires_at, last_throttle = :last"
        self._table.update(run, keys.THROTTLES.format(target.target_id), expression, values)

    def throttles(self, run: Run, after: str = "") -> Iterator[tuple[str, Throttles]]:
        """Yield the throttled requests of each target that has any."""
        for of, item in self._records(run, keys.prefix(keys.THROTTLES), after):
            yield of, Throttles(int(item["throttles"]["N"]), item.get("last_throttle", {}).get("S", ""))

    def _records(self, run: Run, prefix: str, after: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the records whose names begin with `prefix`, each with the rest of its name."""
        for record, item in self._table.records(run, prefix, keys.behind(f"{prefix}{after}") if after else ""):
            yield record.removeprefix(prefix), item
