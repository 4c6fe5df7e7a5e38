"""Runs and locks in the runs table: one record a run, one lock a crawl, and the latest run of a crawl."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.page_state import Run
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, at_generation, expires_at

# Seconds until the next execution of a run has begun to plan, and has the lock. PlanRun may be retried.
_LONGEST_HAND_OVER = 900


@dataclass(frozen=True)
class RunRecord:
    """The record of a run: its `execution` while it is running, and its `summary` once it has ended.

    `begun_by` and `planned_by` name its first and its last plan. `as_catalogued` says that it lists what the crawl of
    its name in the catalogue listed when it began, and `begun_as` is the hash of that; `source` is the run whose items
    its targets come from; `published` says what became of its publication; `window`, if its crawl has `since`, has the
    times `from` which and `to` which it lists what is new.
    """

    run: Mapping[str, Any]
    crawl: Mapping[str, Any]
    execution: str
    summary: Mapping[str, Any] | None
    begun_by: str = ""
    planned_by: str = ""
    as_catalogued: bool = False
    source: str | None = None
    published: Mapping[str, Any] | None = None
    window: Mapping[str, Any] | None = None
    begun_as: str = ""

    @property
    def generation(self) -> int:
        """The generation of the run."""
        return int(self.run.get("generation", 1))

    @property
    def is_published(self) -> bool:
        """Whether its last generation has been published, or had nothing to publish."""
        return self.published is not None and self.published.get("generation") == self.generation

    @property
    def is_as_catalogued(self) -> bool:
        """Whether it still lists what it listed when it began, as the catalogue has it."""
        return self.as_catalogued and self.begun_as in ("", Crawl.from_dict(self.crawl).listing_hash)

    @property
    def continues(self) -> bool:
        """Whether its execution has ended, so that it continues in another one."""
        return self.summary is not None and self.summary["outcome"] == "continues"


@dataclass(frozen=True)
class Owner:
    """The owner of a lock. `is_continuing` says that its execution has ended, and another one is about to begin."""

    run_id: str
    execution: str
    is_continuing: bool = False


class RunStore:
    """Begins, finds and ends runs, and prevents two runs of a crawl at the same time."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def begin(
        self,
        run: Run,
        crawl: Mapping[str, Any],
        targets: int,
        planned_by: str,
        *,
        as_catalogued: bool,
        source: str | None,
        window: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record that a run has begun. Returns False if it had begun before."""
        about = {"run": run.as_dict(), "crawl": crawl, "execution": run.execution, "targets": targets}
        origin = {
            **dict.fromkeys(("begun_by", "planned_by"), planned_by),
            "as_catalogued": int(as_catalogued),
            "begun_as": Crawl.from_dict(crawl).listing_hash,
            "source": source,
            "window": window,
        }
        return self._table.put_first(
            run, keys.THE_RUN, started_at=run.started_at, generation=run.generation, **about, **origin
        )

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
            begun_by=item["begun_by"]["S"] if "begun_by" in item else "",
            planned_by=item["planned_by"]["S"] if "planned_by" in item else "",
            as_catalogued=item.get("as_catalogued") == {"N": "1"},
            source=item["source"]["S"] if "source" in item else None,
            published=json.loads(item["published"]["S"]) if "published" in item else None,
            window=json.loads(item["window"]["S"]) if "window" in item else None,
            begun_as=item["begun_as"]["S"] if "begun_as" in item else "",
        )

    def resume(self, run: Run, crawl: Mapping[str, Any], planned_by: str) -> bool:
        """Record that a run continues, in its next generation, and what its crawl is now.

        Returns False if another plan has resumed it before.
        """
        return self._table.write_if(
            f"could not write the resumption of run {run.run_id} to the runs table",
            "update_item",
            Key=_run(run.run_id),
            UpdateExpression=(
                "SET #run = :run, crawl = :crawl, execution = :execution, generation = :next, planned_by = :planned_by "
                f"REMOVE summary, {keys.failed_in(run.execution)}"
            ),
            ConditionExpression=at_generation(run.generation - 1),
            ExpressionAttributeNames={"#run": "run"},
            ExpressionAttributeValues={
                ":run": {"S": json.dumps(run.as_dict())},
                ":crawl": {"S": json.dumps(crawl)},
                ":execution": {"S": run.execution},
                ":next": {"N": str(run.generation)},
                ":planned_by": {"S": planned_by},
                ":generation": {"N": str(run.generation - 1)},
            },
        )

    def finish(self, run: Run, summary: Mapping[str, Any]) -> bool:
        """Record the summary of a run that has ended. Returns False if it was resumed since."""
        return self._table.write_if(
            f"could not write the summary of run {run.run_id} to the runs table",
            "update_item",
            Key=_run(run.run_id),
            UpdateExpression="SET summary = :summary, execution = :none",
            ConditionExpression=at_generation(run.generation),
            ExpressionAttributeValues={
                ":summary": {"S": json.dumps(summary)},
                ":none": {"S": ""},
                ":generation": {"N": str(run.generation)},
            },
        )

    def record_published(self, run_id: str, generation: int, published: Mapping[str, Any]) -> bool:
        """Record what became of the publication of a generation. Returns False if that of a later one is on record."""
        return self._table.write_if(
            f"could not write the publication of run {run_id} to the runs table",
            "update_item",
            Key=_run(run_id),
            UpdateExpression="SET published = :published, published_generation = :generation",
            ConditionExpression=(
                "attribute_exists(pk) AND (attribute_not_exists(published_generation) "
                "OR published_generation <= :generation)"
            ),
            ExpressionAttributeValues={
                ":published": {"S": json.dumps(published)},
                ":generation": {"N": str(generation)},
            },
        )

    def record_failure(self, run_id: str, generation: int, execution_id: str, redrives: int) -> bool:
        """Record that an execution, redriven so often, fails a generation of its run. Repeating this is harmless.

        Returns False if it has failed the run before it was redriven, and has not resumed it since.
        """
        failed_in = keys.failed_in(execution_id)
        if self._table.write_if(
            f"could not write the failure of run {run_id} to the runs table",
            "update_item",
            Key=_run(run_id),
            UpdateExpression=f"SET {failed_in} = :redrives",
            ConditionExpression=(
                f"({at_generation(generation)}) AND (attribute_not_exists({failed_in}) OR {failed_in} = :redrives)"
            ),
            ExpressionAttributeValues={
                ":redrives": {"N": str(redrives)},
                ":generation": {"N": str(generation)},
            },
        ):
            return True
        found = self._table.get(_run(run_id), run_id)
        return found is None or found.get(failed_in, {}).get("N") in (None, str(redrives))

    def lock(self, crawl_name: str, run: Run, instead_of: Owner | None = None) -> Owner | None:
        """Take the lock of a crawl for a generation of a run. Returns its owner if another run or execution has it.

        Step Functions' own lists of executions are eventually consistent, and a schedule can deliver twice. The lock of
        `instead_of`, whose execution is dead, is taken over. A lock expires an hour after the run's deadline.
        """
        until = datetime.fromisoformat(run.deadline) + timedelta(hours=1)
        generation = {"N": str(run.generation)}
        values = {
            ":run": {"S": run.run_id},
            ":mine": {"S": run.execution},
            ":generation": generation,
            ":now": {"N": str(int(time.time()))},
        }
        # The plan of a run may be made twice, but not once the lock waits for the next execution; and whoever resumes a
        # run has the lock of its earlier generations.
        again = "generation = :generation AND execution = :mine AND attribute_not_exists(continues_until)"
        same = f"(run_id = :run AND (generation < :generation OR ({again})))"
        condition = f"attribute_not_exists(pk) OR {same} OR expires_at < :now"
        if instead_of is not None:
            condition += " OR execution = :dead"
            values[":dead"] = {"S": instead_of.execution}
        lock = {
            **_lock(crawl_name),
            "run_id": {"S": run.run_id},
            "execution": {"S": run.execution},
            "generation": generation,
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
            return self.lock(crawl_name, run, instead_of)
        is_continuing = int(held.get("continues_until", {"N": "0"})["N"]) > time.time()
        return Owner(held["run_id"]["S"], held["execution"]["S"], is_continuing)

    def hand_lock_over(self, crawl_name: str, run: Run) -> None:
        """Keep the lock of a crawl, if this generation of a run has it, until another execution continues the run."""
        self._table.write_if(
            f"could not write the lock of crawl {crawl_name} to the runs table",
            "update_item",
            Key=_lock(crawl_name),
            UpdateExpression="SET continues_until = :until",
            ConditionExpression=f"run_id = :run AND {at_generation(run.generation)}",
            ExpressionAttributeValues={
                ":run": {"S": run.run_id},
                ":generation": {"N": str(run.generation)},
                ":until": {"N": str(int(time.time()) + _LONGEST_HAND_OVER)},
            },
        )

    def unlock(self, crawl_name: str, run: Run) -> None:
        """Release the lock of a crawl, if this generation of a run has it."""
        self._table.write_if(
            f"could not delete the lock of crawl {crawl_name} from the runs table",
            "delete_item",
            Key=_lock(crawl_name),
            ConditionExpression=f"run_id = :run AND {at_generation(run.generation)}",
            ExpressionAttributeValues={
                ":run": {"S": run.run_id},
                ":generation": {"N": str(run.generation)},
            },
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
        row = self._table.get(_latest(crawl), f"the latest run of crawl {crawl.name}")
        return row["run_id"]["S"] if row else None


def _run(run_id: str) -> dict[str, Any]:
    return keys.run_row(run_id, keys.THE_RUN)


def _lock(crawl_name: str) -> dict[str, Any]:
    return keys.row(keys.LOCK.format(crawl_name), "lock")


def _latest(crawl: Crawl) -> dict[str, Any]:
    return keys.row(keys.LATEST.format(crawl.name), crawl.listing_hash)
