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
from pageturner.stores.run_table import RunTable, at_generation, expires_at


@dataclass(frozen=True)
class ListedRun:
    """A run, and how many of the targets in its targets file have been dealt with.

    `generation` is that of the run when it was registered: a run that is resumed may write items again.
    """

    run_id: str
    started_at: str
    done: int
    generation: int


class ListedRuns:
    """Registers runs, and returns those that a run has to look at."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def register(self, run: Run, crawl_name: str) -> None:
        """Record that the targets of a run may have items, none of which has been dealt with."""
        listed = ListedRun(run.run_id, run.started_at, 0, run.generation)
        values = {
            "run_id": {"S": run.run_id},
            "started_at": {"S": run.started_at},
            "done": {"N": "0"},
            "generation": {"N": str(run.generation)},
            "expires_at": expires_at(run),
        }
        self._table.put_row(_row(crawl_name, listed), f"listed run {run.run_id}", values)

    def runs(self, crawl_name: str) -> Iterator[ListedRun]:
        """Yield the registered runs of a crawl in the order in which they began."""
        for row in self._table.rows(keys.LISTED.format(crawl_name), f"the listed runs of crawl {crawl_name}"):
            generation = int(row["generation"]["N"]) if "generation" in row else 1
            yield ListedRun(row["run_id"]["S"], row["started_at"]["S"], int(row["done"]["N"]), generation)

    def go_on_at(self, crawl_name: str, listed: ListedRun, done: int) -> None:
        """Record how many of a run's targets have been dealt with, unless it was resumed since."""
        self._table.write_if(
            f"could not write listed run {listed.run_id} to the runs table",
            "update_item",
            Key=_row(crawl_name, listed),
            UpdateExpression="SET done = :done",
            ConditionExpression=at_generation(listed.generation),
            ExpressionAttributeValues={":done": {"N": str(done)}, ":generation": {"N": str(listed.generation)}},
        )

    def forget(self, crawl_name: str, listed: ListedRun) -> None:
        """Record that nothing is left to do for a run, unless it was resumed since."""
        self._table.delete_at(_row(crawl_name, listed), f"listed run {listed.run_id}", listed.generation)


def _row(crawl_name: str, listed: ListedRun) -> dict[str, Any]:
    return keys.row(keys.LISTED.format(crawl_name), f"{listed.started_at}#{listed.run_id}")
