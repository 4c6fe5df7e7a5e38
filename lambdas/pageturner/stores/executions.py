"""The executions that turn pages, in the runs table: one row an execution, for as long as it drives a run.

Another row says for longer which run an execution was about.

A stopped execution does not stop the PageLoops that it has started. They look for its row, and end without it. This
only saves requests: what they still write is fenced off, or is under a name that nobody reads any more.
"""

from __future__ import annotations

import json
from typing import Any

from pageturner.page_state import Run
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, expires_at

# How often FetchPage looks for the row.
LOOK_SECONDS = 5


class ExecutionStore:
    """Records which executions drive runs."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def begin(self, run: Run, crawl_name: str) -> None:
        """Record that a run's execution drives it. Repeating this is harmless."""
        self._table.put_row(
            keys.row(keys.EXECUTION.format(run.execution), "execution"),
            f"the execution of run {run.run_id}",
            {
                "crawl": {"S": crawl_name},
                "run_id": {"S": run.run_id},
                "generation": {"N": str(run.generation)},
                "expires_at": expires_at(run),
            },
        )

    def name(self, run: Run, crawl_name: str) -> None:
        """Record which run an execution is about, from its first second. Repeating this is harmless."""
        about = {"crawl": {"S": crawl_name}, "run": {"S": json.dumps(run.as_dict())}, "expires_at": expires_at(run)}
        self._table.put_row(_about(run.execution), f"the execution of run {run.run_id}", about)

    def run_of(self, execution: str) -> tuple[Run, str] | None:
        """Return the run that an execution is, or was, about, and the name of its crawl; None if it is about none."""
        row = self._table.get(_about(execution), f"execution {execution}")
        return None if row is None else (Run.from_dict(json.loads(row["run"]["S"])), str(row["crawl"]["S"]))

    def drives(self, execution: str) -> bool:
        """Return whether an execution drives a run. A change shows within a second, for half a read unit."""
        return self._row(execution, consistent=False) is not None

    def end(self, execution: str, generation: int) -> None:
        """Record that an execution has ended by itself, and drives its run no longer, unless it was redriven since."""
        row = keys.row(keys.EXECUTION.format(execution), "execution")
        self._table.delete_at(row, "an execution that has ended", generation)

    def stop(self, execution: str) -> str | None:
        """Record that an execution was stopped. Returns its run, or None if it drives none."""
        row = self._row(execution, consistent=True)
        if row is None:
            return None
        self.end(execution, int(row["generation"]["N"]) if "generation" in row else 1)
        return str(row["run_id"]["S"])

    def _row(self, execution: str, *, consistent: bool) -> Any:
        row = keys.row(keys.EXECUTION.format(execution), "execution")
        return self._table.get(row, f"execution {execution}", consistent=consistent)


def _about(execution: str) -> dict[str, Any]:
    return keys.row(keys.EXECUTION.format(execution), "about")
