"""The executions that turn pages, in the runs table: one row an execution, for as long as it drives a run.

A stopped execution does not stop the PageLoops that it has started. They look for its row, and end without it.
"""

from __future__ import annotations

import time
from typing import Any

from pageturner.page_state import Run
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, expires_at

# How often FetchPage looks for the row.
LOOK_SECONDS = 5
# When the last invocation of a stopped execution has ended: it may have looked just before the stop, and then lasts as
# long as Lambda lets it (60 s). The rest is for clocks and slow requests.
OUTLIVED_SECONDS = LOOK_SECONDS + 60 + 10


class ExecutionStore:
    """Records which executions drive runs, and when one of them was stopped."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def begin(self, run: Run, crawl_name: str) -> None:
        """Record that a run's execution drives it. Repeating this is harmless."""
        self._table.put_row(
            keys.row(keys.EXECUTION.format(run.execution), "execution"),
            f"the execution of run {run.run_id}",
            {"crawl": {"S": crawl_name}, "run_id": {"S": run.run_id}, "expires_at": expires_at(run)},
        )

    def drives(self, execution: str) -> bool:
        """Return whether an execution drives a run. A change shows within a second, for half a read unit."""
        return self._row(execution, consistent=False) is not None

    def end(self, execution: str) -> None:
        """Record that an execution has ended by itself, and drives its run no longer."""
        self._table.delete_row(keys.row(keys.EXECUTION.format(execution), "execution"), "an execution that has ended")

    def stop(self, execution: str) -> str | None:
        """Record that an execution was stopped. Returns its run, or None if it drives none."""
        row = self._row(execution, consistent=True)
        if row is None:
            return None
        now = int(time.time())
        # First, so that a repeat after a failure still finds the execution, and records a later time.
        self._table.put_row(
            _stopped(row["crawl"]["S"]),
            f"the stopped run of crawl {row['crawl']['S']}",
            {"at": {"N": str(now)}, "run_id": row["run_id"], "expires_at": {"N": str(now + 3600)}},
        )
        self.end(execution)
        return str(row["run_id"]["S"])

    def seconds_to_outlive(self, crawl_name: str) -> int:
        """Return for how long what is left of a stopped execution of a crawl may still write items; 0 if nothing is."""
        found = self._table.get(_stopped(crawl_name), f"the stopped run of crawl {crawl_name}")
        if found is None:
            return 0
        return max(0, int(found["at"]["N"]) + OUTLIVED_SECONDS - int(time.time()))

    def _row(self, execution: str, *, consistent: bool) -> Any:
        row = keys.row(keys.EXECUTION.format(execution), "execution")
        return self._table.get(row, f"execution {execution}", consistent=consistent)


def _stopped(crawl_name: str) -> dict[str, Any]:
    return keys.row(keys.LOCK.format(crawl_name), "stopped")
