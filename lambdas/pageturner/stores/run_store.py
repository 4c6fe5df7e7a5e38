"""Runs and checkpoints, in the runs table.

All records of a run share a partition, `run#<run_id>`: the run itself, one record a page, a verdict for each target.
A page's record is the checkpoint after it, so the checkpoint of a target is the last of its page records. A late
duplicate of an older page writes that page's own record once more, and can move nothing back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from pageturner.crawls.crawl import Crawl
from pageturner.errors import as_sink_error
from pageturner.page_state import Place, Run, Target
from pageturner.stores.conditional_write import conditional_write

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_LONGEST_TEXT = 300_000


@dataclass(frozen=True)
class PageRecord:
    """A page that was written: the `place` after it, its own item count and size, and the key of its object.

    `milliseconds` is how long fetching and writing it took; `non_aggregate` is the JSON text of botocore's
    `non_aggregate_part`, which only the first page has.
    """

    target_id: str
    pass_number: int
    page: int
    items: int
    bytes: int
    key: str
    place: Place
    non_aggregate: str | None = None
    fetched_at: str = ""
    milliseconds: int = 0


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run: its `execution` while it is going, and its `summary` when it has ended."""

    run: Mapping[str, Any]
    crawl: Mapping[str, Any]
    execution: str
    summary: Mapping[str, Any] | None


@dataclass(frozen=True)
class Owner:
    """Who has a lock."""

    run_id: str
    execution: str


@dataclass(frozen=True)
class SweepRecord:
    """What a sweep came to: how many items were `stale`, and in the place of how many listed ones there is another.

    `merged` ones were listed more than once, or on different pages under a key that is not theirs alone.
    `kept_because` says why stale items were left alone, where they were.
    """

    stale: int = 0
    merged: int = 0
    kept_because: str = ""


@dataclass
class Listing:
    """The pages of the last pass of a target, of which alone its listing consists."""

    target_id: str
    pass_number: int = 0
    records: list[PageRecord] = field(default_factory=list)

    @property
    def end(self) -> Place | None:
        """The place after its last page, or None where there is no page."""
        return self.records[-1].place if self.records else None


def by_target(records: Iterable[PageRecord]) -> Iterator[Listing]:
    """Group page records, which come by target, pass and page."""
    for target_id, of_target in groupby(records, key=lambda record: record.target_id):
        listing = Listing(target_id)
        for record in of_target:
            if record.pass_number > listing.pass_number:
                listing.pass_number, listing.records = record.pass_number, []
            if record.page > 0:
                listing.records.append(record)
        yield listing


class RunStore:
    """Reads and writes the runs table."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def begin(self, run: Run, crawl: Mapping[str, Any], execution_id: str, targets: int) -> None:
        """Record that a run has begun."""
        about = {"run": asdict(run), "crawl": crawl, "execution": execution_id, "targets": targets}
        self._put(run, "run", started_at=run.started_at, **about)

    def find(self, run_id: str) -> RunRecord | None:
        """Return the record of a run, or None where there is none."""
        with as_sink_error(f"{run_id} was not looked up"):
            answer = self._dynamodb.get_item(TableName=self._table, Key=_key(run_id, "run"), ConsistentRead=True)
        item = answer.get("Item")
        if item is None:
            return None
        return RunRecord(
            run=json.loads(item["run"]["S"]),
            crawl=json.loads(item["crawl"]["S"]),
            execution=item["execution"]["S"],
            summary=json.loads(item["summary"]["S"]) if "summary" in item else None,
        )

    def resume(self, run: Run, execution_id: str) -> None:
        """Record that a run goes on, in another execution or in one that was redriven."""
        expression = "SET execution = :execution REMOVE summary DELETE failed_in :executions"
        values = {":execution": {"S": execution_id}, ":executions": {"SS": [execution_id]}}
        self._update(run, "run", expression, values)

    def lock(self, crawl_name: str, run: Run, execution_id: str, instead_of: Owner | None = None) -> Owner | None:
        """Take the lock of a crawl for a run; return who has it, where another execution does.

        Step Functions' own lists of executions are eventually consistent, and a schedule can deliver twice. The lock of
        `instead_of`, whose execution is dead, is taken over. It ends by itself an hour after the run's deadline.
        """
        until = datetime.fromisoformat(run.deadline) + timedelta(hours=1)
        values = {":mine": {"S": execution_id}, ":now": {"N": str(int(time.time()))}}
        condition = "attribute_not_exists(pk) OR execution = :mine OR expires_at < :now"
        if instead_of is not None:
            condition += " OR execution = :dead"
            values[":dead"] = {"S": instead_of.execution}
        lock = {
            **_lock_key(crawl_name),
            "run_id": {"S": run.run_id},
            "execution": {"S": execution_id},
            "expires_at": {"N": str(int(until.timestamp()))},
        }
        if conditional_write(
            f"the lock of {crawl_name} was not taken",
            self._dynamodb.put_item,
            TableName=self._table,
            Item=lock,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
        ):
            return None
        with as_sink_error(f"the lock of {crawl_name} was not read"):
            held = self._dynamodb.get_item(TableName=self._table, Key=_lock_key(crawl_name), ConsistentRead=True)
        if "Item" not in held:  # given back just now
            return self.lock(crawl_name, run, execution_id, instead_of)
        return Owner(held["Item"]["run_id"]["S"], held["Item"]["execution"]["S"])

    def unlock(self, crawl_name: str, execution_id: str) -> None:
        """Give back the lock of a crawl, where this execution has it."""
        conditional_write(
            f"the lock of {crawl_name} was not given back",
            self._dynamodb.delete_item,
            TableName=self._table,
            Key=_lock_key(crawl_name),
            ConditionExpression="execution = :mine",
            ExpressionAttributeValues={":mine": {"S": execution_id}},
        )

    def finish(self, run: Run, summary: Mapping[str, Any]) -> None:
        """Record how a run has ended, and that its execution has nothing more to do with it."""
        values = {":summary": {"S": json.dumps(summary)}, ":none": {"S": ""}}
        self._update(run, "run", "SET summary = :summary, execution = :none", values)

    def record_failure(self, run_id: str, execution_id: str) -> bool:
        """Record that an execution fails of its run. Returns False where it has, and has not resumed the run since."""
        return conditional_write(
            f"the failure of {run_id} was not recorded",
            self._dynamodb.update_item,
            TableName=self._table,
            Key=_key(run_id, "run"),
            UpdateExpression="ADD failed_in :executions",
            ConditionExpression="NOT contains(failed_in, :execution)",
            ExpressionAttributeValues={":execution": {"S": execution_id}, ":executions": {"SS": [execution_id]}},
        )

    def record_latest(self, run: Run, crawl: Crawl) -> None:
        """Record that the latest run that came to all that `crawl` lists is this one, unless there is a later one."""
        key = {"pk": {"S": f"latest#{crawl.name}"}, "sk": {"S": crawl.listing_hash}}
        item = {**key, "run_id": {"S": run.run_id}, "started_at": {"S": run.started_at}, "expires_at": _expires_at(run)}
        conditional_write(
            f"the latest run of {crawl.name} was not recorded",
            self._dynamodb.put_item,
            TableName=self._table,
            Item=item,
            ConditionExpression="attribute_not_exists(pk) OR started_at < :started_at",
            ExpressionAttributeValues={":started_at": {"S": run.started_at}},
        )

    def latest(self, crawl: Crawl) -> str | None:
        """The latest run that came to all that `crawl` lists, or None where there is none."""
        key = {"pk": {"S": f"latest#{crawl.name}"}, "sk": {"S": crawl.listing_hash}}
        with as_sink_error(f"the latest run of {crawl.name} was not looked up"):
            answer = self._dynamodb.get_item(TableName=self._table, Key=cast(Any, key), ConsistentRead=True)
        return answer["Item"]["run_id"]["S"] if "Item" in answer else None

    def record_page(self, run: Run, record: PageRecord) -> None:
        """Move the checkpoint of a target past a page."""
        self._put(
            run,
            f"page#{record.target_id}#{record.pass_number:04d}#{record.page:08d}",
            items=record.items,
            bytes=record.bytes,
            key=record.key,
            fetched_at=record.fetched_at,
            milliseconds=record.milliseconds,
            place=record.place.as_dict(),
            # A DynamoDB item is at most 400 KB; what is larger than this is also more than a summary.
            non_aggregate=record.non_aggregate if len(record.non_aggregate or "") <= _LONGEST_TEXT else None,
        )

    def checkpoint(self, run: Run, target_id: str) -> Place | None:
        """The place after the last page of a target that was written, or None where there is none yet."""
        with as_sink_error(f"the checkpoint of {target_id} was not read"):
            found = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
                ExpressionAttributeValues={":pk": _key(run.run_id, "")["pk"], ":sk": {"S": f"page#{target_id}#"}},
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=1,
            )["Items"]
        return Place(**json.loads(found[0]["place"]["S"])) if found else None

    def count_throttle(self, run: Run, target: Target) -> None:
        """Count one throttled request of a target."""
        values = {":one": {"N": "1"}, ":expires_at": _expires_at(run)}
        expression = "ADD throttles :one SET expires_at = :expires_at"
        self._update(run, f"throttles#{target.target_id}", expression, values)

    def begin_pass(self, run: Run, target: Target, place: Place) -> None:
        """Move the checkpoint of a target to `place`, the first page of a pass. A late repeat moves nothing back."""
        self._put(run, f"page#{target.target_id}#{place.pass_number:04d}#{0:08d}", place=place.as_dict())

    def forget_verdicts(self, run: Run, target_ids: Iterable[str]) -> None:
        """Remove the verdict records of targets that are paged again."""
        for target_id in target_ids:
            with as_sink_error(f"the verdict of {target_id} was not removed"):
                self._dynamodb.delete_item(TableName=self._table, Key=_key(run.run_id, f"verdict#{target_id}"))

    def claim_sweep(self, run: Run, target: Target) -> bool:
        """Whether it is this target that sweeps the items of its listing: the first that asks, and no other."""
        item = {**_key(run.run_id, f"sweeper#{target.listing_id}"), "expires_at": _expires_at(run)}
        return conditional_write(
            f"the sweep of {target.listing_id} was not claimed",
            self._dynamodb.put_item,
            TableName=self._table,
            Item={**item, "target_id": {"S": target.target_id}},
            ConditionExpression="attribute_not_exists(pk) OR target_id = :mine",
            ExpressionAttributeValues={":mine": {"S": target.target_id}},
        )

    def record_sweep(self, run: Run, listing_id: str, record: SweepRecord) -> None:
        """Record that the items of a listing have been swept."""
        self._put(run, f"sweep#{listing_id}", **asdict(record))

    def sweeps(self, run: Run) -> dict[str, SweepRecord]:
        """What the sweep of each listing that was swept came to."""
        return {
            sk.removeprefix("sweep#"): SweepRecord(
                int(item["stale"]["N"]), int(item["merged"]["N"]), item["kept_because"]["S"]
            )
            for sk, item in self._records(run, "sweep#")
        }

    def pages(self, run: Run) -> Iterator[PageRecord]:
        """Yield the records of all pages of a run, by target, pass and page; page 0 is the beginning of a pass."""
        for sk, item in self._records(run, "page#"):
            _, target_id, pass_number, page = sk.split("#")
            if int(page) == 0:
                yield PageRecord(target_id, int(pass_number), 0, 0, 0, "", Place(**json.loads(item["place"]["S"])))
                continue
            yield PageRecord(
                target_id,
                int(pass_number),
                int(page),
                items=int(item["items"]["N"]),
                bytes=int(item["bytes"]["N"]),
                key=item["key"]["S"],
                fetched_at=item["fetched_at"]["S"],
                milliseconds=int(item["milliseconds"]["N"]),
                place=Place(**json.loads(item["place"]["S"])),
                non_aggregate=item["non_aggregate"]["S"] if "non_aggregate" in item else None,
            )

    def verdicts(self, run: Run) -> dict[str, dict[str, str]]:
        """The verdict records of a run by target: `verdict`, and where there is one `error` and `cause`."""
        return {
            sk.removeprefix("verdict#"): {
                name: value["S"] for name, value in item.items() if name in ("verdict", "error", "cause")
            }
            for sk, item in self._records(run, "verdict#")
        }

    def throttles(self, run: Run) -> dict[str, int]:
        """How many requests of each target were throttled, where any was."""
        return {
            sk.removeprefix("throttles#"): int(item["throttles"]["N"]) for sk, item in self._records(run, "throttles#")
        }

    def _records(self, run: Run, prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        answers = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": _key(run.run_id, "")["pk"], ":sk": {"S": prefix}},
            ConsistentRead=True,
        )
        with as_sink_error(f"the records of {run.run_id} were not read"):
            for answer in answers:
                for item in answer["Items"]:
                    yield item["sk"]["S"], item

    def _update(self, run: Run, sk: str, expression: str, values: Mapping[str, Any]) -> None:
        with as_sink_error(f"{sk} of {run.run_id} was not recorded"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(run.run_id, sk),
                UpdateExpression=expression,
                ExpressionAttributeValues=values,
            )

    def _put(self, of: Run, sk: str, **values: Any) -> None:
        item = {**_key(of.run_id, sk), "expires_at": _expires_at(of)}
        for name, value in values.items():
            if value is None:
                continue
            if isinstance(value, int):
                item[name] = {"N": str(value)}
            else:
                item[name] = {"S": value if isinstance(value, str) else json.dumps(value)}
        with as_sink_error(f"{sk} of {of.run_id} was not recorded"):
            self._dynamodb.put_item(TableName=self._table, Item=item)


def _lock_key(crawl_name: str) -> dict[str, Any]:
    return {"pk": {"S": f"lock#{crawl_name}"}, "sk": {"S": "lock"}}


def _key(run_id: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": f"run#{run_id}"}, "sk": {"S": sk}}


def _expires_at(run: Run) -> dict[str, str]:
    return {"N": str(run.expires_at)}
