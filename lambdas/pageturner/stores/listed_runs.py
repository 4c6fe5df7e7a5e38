"""The runs of a crawl whose targets may have items in DynamoDB that no later run looks at, in the runs table.

A row says that a run, of the crawl as the catalogue defined it, began to write items. It goes when a later complete run
has dealt with the items of all targets that it does not have itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pageturner.page_state import Run
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, expires_at


@dataclass(frozen=True)
class ListedRun:
    """A run, and how many of the targets in its targets file have been dealt with."""

    run_id: str
    started_at: str
    done: int


class ListedRuns:
    """Registers runs, and returns those that a run has to look at."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def register(self, run: Run, crawl_name: str) -> None:
        """Record that the targets of a run may have items, none of which has been dealt with."""
        self._put(crawl_name, ListedRun(run.run_id, run.started_at, 0), expires_at(run))

    def runs(self, crawl_name: str) -> Iterator[ListedRun]:
        """Yield the registered runs of a crawl in the order in which they began."""
        for row in self._table.rows(keys.LISTED.format(crawl_name), f"the listed runs of crawl {crawl_name}"):
            yield ListedRun(row["run_id"]["S"], row["started_at"]["S"], int(row["done"]["N"]))

    def go_on_at(self, run: Run, crawl_name: str, done: int) -> None:
        """Record how many of a run's targets have been dealt with."""
        self._put(crawl_name, ListedRun(run.run_id, run.started_at, done), expires_at(run))

    def forget(self, crawl_name: str, listed: ListedRun) -> None:
        """Record that nothing is left to do for a run."""
        self._table.delete_row(_row(crawl_name, listed), f"listed run {listed.run_id}")

    def _put(self, crawl_name: str, listed: ListedRun, expires: dict[str, str]) -> None:
        values = {
            "run_id": {"S": listed.run_id},
            "started_at": {"S": listed.started_at},
            "done": {"N": str(listed.done)},
            "expires_at": expires,
        }
        self._table.put_row(_row(crawl_name, listed), f"listed run {listed.run_id}", values)


def _row(crawl_name: str, listed: ListedRun) -> dict[str, Any]:
    return keys.row(keys.LISTED.format(crawl_name), f"{listed.started_at}#{listed.run_id}")
