"""Runs and locks in the runs table: one record a run, one lock a crawl, and the latest run of a crawl."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.page_state import Run
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, expires_at


@dataclass(frozen=True)
class RunRecord:
    """The record of a run: its `execution` while it is running, and its `summary` once it has ended.

    `as_catalogued` says that it lists what the catalogue's crawl of its name listed when it began; `source` is the run
    whose items its targets come from.
    """

    run: Mapping[str, Any]
    crawl: Mapping[str, Any]
    execution: str
    summary: Mapping[str, Any] | None
    as_catalogued: bool = False
    source: str | None = None

    @property
    def continues(self) -> bool:
        """Whether its execution has ended, so that it continues in another one."""
        return self.summary is not None and self.summary["outcome"] == "continues"


@dataclass(frozen=True)
class Owner:
    """The owner of a lock."""

    run_id: str
    execution: str


class RunStore:
    """Begins, finds and ends runs, and prevents two runs of a crawl at the same time."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def begin(
        self, run: Run, crawl: Mapping[str, Any], targets: int, *, as_catalogued: bool, source: str | None
    ) -> None:
        """Record that a run has begun."""
        about = {"run": asdict(run), "crawl": crawl, "execution": run.execution, "targets": targets}
        origin = {"as_catalogued": int(as_catalogued), "source": source}
        self._table.put(run, keys.THE_RUN, started_at=run.started_at, **about, **origin)

    def find(self, run_id: str) -> RunRecord | None:
        """Return the record of a run, or None if there is none."""
        item = self._table.get(_run(run_id), run_id)
        if item is None:
            return None
        return RunRecord(
            run=json.loads(item["run"]["S"]),
            crawl=json.loads(item["crawl"]["S"]),
            execution=item["execution"]["S"],
            summary=json.loads(item["summary"]["S"]) if "summary" in item else None,
            as_catalogued=item.get("as_catalogued") == {"N": "1"},
            source=item["source"]["S"] if "source" in item else None,
        )

    def resume(self, run: Run, crawl: Mapping[str, Any], execution_id: str) -> None:
        """Record that a run goes on, in another execution or in a redriven one, with its deadline and crawl now."""
        expression = (
            f"SET execution = :execution, run = :run, crawl = :crawl REMOVE summary, {keys.failed_in(execution_id)}"
        )
        values = {
            ":execution": {"S": execution_id},
            ":run": {"S": json.dumps(asdict(run))},
            ":crawl": {"S": json.dumps(crawl)},
        }
        self._table.update(run, keys.THE_RUN, expression, values)

    def finish(self, run: Run, summary: Mapping[str, Any]) -> None:
        """Record the summary of a run that has ended, and clear its execution."""
        values = {":summary": {"S": json.dumps(summary)}, ":none": {"S": ""}}
        self._table.update(run, keys.THE_RUN, "SET summary = :summary, execution = :none", values)

    def record_failure(self, run_id: str, execution_id: str, redrives: int) -> bool:
        """Record that an execution, redriven so often, fails its run. Repeating this is harmless.

        Returns False if it has failed the run before it was redriven, and has not resumed it since.
        """
        failed_in = keys.failed_in(execution_id)
        return self._table.write_if(
            f"could not write the failure of run {run_id} to the runs table",
            "update_item",
            Key=_run(run_id),
            UpdateExpression=f"SET {failed_in} = :redrives",
            ConditionExpression=f"attribute_not_exists({failed_in}) OR {failed_in} = :redrives",
            ExpressionAttributeValues={":redrives": {"N": str(redrives)}},
        )

    def lock(self, crawl_name: str, run: Run, execution_id: str, instead_of: Owner | None = None) -> Owner | None:
        """Take the lock of a crawl for a run. Returns its owner if another execution has it.

        Step Functions' own lists of executions are eventually consistent, and a schedule can deliver twice. The lock of
        `instead_of`, whose execution is dead, is taken over. A lock expires an hour after the run's deadline.
        """
        until = datetime.fromisoformat(run.deadline) + timedelta(hours=1)
        values = {":mine": {"S": execution_id}, ":now": {"N": str(int(time.time()))}}
        condition = "attribute_not_exists(pk) OR execution = :mine OR expires_at < :now"
        if instead_of is not None:
            condition += " OR execution = :dead"
            values[":dead"] = {"S": instead_of.execution}
        lock = {
            **_lock(crawl_name),
            "run_id": {"S": run.run_id},
            "execution": {"S": execution_id},
            "expires_at": {"N": str(int(until.timestamp()))},
        }
        if self._table.write_if(
            f"could not write the lock of crawl {crawl_name} to the runs table",
            "put_item",
            Item=lock,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
        ):
            return None
        held = self._table.get(_lock(crawl_name), f"the lock of crawl {crawl_name}")
        if held is None:  # released just now
            return self.lock(crawl_name, run, execution_id, instead_of)
        return Owner(held["run_id"]["S"], held["execution"]["S"])

    def unlock(self, crawl_name: str, execution_id: str) -> None:
        """Release the lock of a crawl, if this execution has it."""
        self._table.write_if(
            f"could not delete the lock of crawl {crawl_name} from the runs table",
            "delete_item",
            Key=_lock(crawl_name),
            ConditionExpression="execution = :mine",
            ExpressionAttributeValues={":mine": {"S": execution_id}},
        )

    def record_latest(self, run: Run, crawl: Crawl) -> None:
        """Record this run as the latest one that listed all that `crawl` lists, unless there is a later one."""
        started_at = {"S": run.started_at}
        about = {"run_id": {"S": run.run_id}, "started_at": started_at, "expires_at": expires_at(run)}
        self._table.write_if(
            f"could not write the latest run of crawl {crawl.name} to the runs table",
            "put_item",
            Item={**_latest(crawl), **about},
            ConditionExpression="attribute_not_exists(pk) OR started_at < :started_at",
            ExpressionAttributeValues={":started_at": started_at},
        )

    def latest(self, crawl: Crawl) -> str | None:
        """Return the latest run that listed all that `crawl` lists, or None if there is none."""
        found = self._table.get(_latest(crawl), f"the latest run of crawl {crawl.name}")
        return found["run_id"]["S"] if found is not None else None


def _run(run_id: str) -> dict[str, Any]:
    return keys.run_row(run_id, keys.THE_RUN)


def _lock(crawl_name: str) -> dict[str, Any]:
    return keys.row(keys.LOCK.format(crawl_name), "lock")


def _latest(crawl: Crawl) -> dict[str, Any]:
    return keys.row(keys.LATEST.format(crawl.name), crawl.listing_hash)
