"""Runs and checkpoints, in the runs table.

All records of a run share a partition, `run#<run_id>`: the run itself, one record a page, a verdict for each target.
A page's record is the checkpoint after it, so the checkpoint of a target is the last of its page records. A late
duplicate of an older page writes that page's own record once more, and can move nothing back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pageturner.errors import SinkError
from pageturner.page_state import Place, Run, Target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_LONGEST_TEXT = 300_000


@dataclass(frozen=True)
class PageRecord:
    """A page that was written: the `place` after it, its own item count and size, and the key of its object.

    `non_aggregate` is the JSON text of botocore's `non_aggregate_part`, which only the first page has.
    """

    target_id: str
    pass_number: int
    page: int
    items: int
    bytes: int
    key: str
    place: Place
    non_aggregate: str | None = None


class RunStore:
    """Reads and writes the runs table."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def begin(
        self, run: Run, crawl: Mapping[str, Any], paging: Mapping[str, Any], execution_id: str, targets: int
    ) -> None:
        """Record that a run has begun."""
        about = {"crawl": crawl, "paging": paging, "execution": execution_id, "targets": targets}
        self._put(run, "run", started_at=run.started_at, **about)

    def finish(self, run: Run, summary: Mapping[str, Any]) -> None:
        """Record how a run has ended."""
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(run, "run"),
                UpdateExpression="SET summary = :summary",
                ExpressionAttributeValues={":summary": {"S": json.dumps(summary)}},
            )
        except ClientError as error:
            raise SinkError(f"the end of {run.run_id} was not recorded: {error}") from error

    def record_page(self, run: Run, record: PageRecord) -> None:
        """Move the checkpoint of a target past a page."""
        self._put(
            run,
            f"page#{record.target_id}#{record.pass_number:04d}#{record.page:08d}",
            items=record.items,
            bytes=record.bytes,
            key=record.key,
            place=record.place.as_dict(),
            # A DynamoDB item is at most 400 KB; what is larger than this is also more than a summary.
            non_aggregate=record.non_aggregate if len(record.non_aggregate or "") <= _LONGEST_TEXT else None,
        )

    def checkpoint(self, run: Run, target: Target) -> Place | None:
        """The place after the last page of a target that was written, or None where there is none yet."""
        found = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": _key(run, "")["pk"], ":sk": {"S": f"page#{target.target_id}#"}},
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=1,
        )["Items"]
        return Place(**json.loads(found[0]["place"]["S"])) if found else None

    def count_throttle(self, run: Run, target: Target) -> None:
        """Count one throttled request of a target."""
        self._dynamodb.update_item(
            TableName=self._table,
            Key=_key(run, f"throttles#{target.target_id}"),
            UpdateExpression="ADD throttles :one SET expires_at = :expires_at",
            ExpressionAttributeValues={":one": {"N": "1"}, ":expires_at": _expires_at(run)},
        )

    def pages(self, run: Run) -> Iterator[PageRecord]:
        """Yield the records of all pages of a run, by target, pass and page."""
        for sk, item in self._records(run, "page#"):
            _, target_id, pass_number, page = sk.split("#")
            yield PageRecord(
                target_id,
                int(pass_number),
                int(page),
                items=int(item["items"]["N"]),
                bytes=int(item["bytes"]["N"]),
                key=item["key"]["S"],
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

    def throttles(self, run: Run) -> int:
        """How many requests of a run were throttled."""
        return sum(int(item["throttles"]["N"]) for _, item in self._records(run, "throttles#"))

    def _records(self, run: Run, prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for answer in self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": _key(run, "")["pk"], ":sk": {"S": prefix}},
            ConsistentRead=True,
        ):
            for item in answer["Items"]:
                yield item["sk"]["S"], item

    def _put(self, run: Run, sk: str, **values: Any) -> None:
        item = {**_key(run, sk), "expires_at": _expires_at(run)}
        for name, value in values.items():
            if value is None:
                continue
            if isinstance(value, int):
                item[name] = {"N": str(value)}
            else:
                item[name] = {"S": value if isinstance(value, str) else json.dumps(value)}
        try:
            self._dynamodb.put_item(TableName=self._table, Item=item)
        except ClientError as error:
            raise SinkError(f"{sk} of {run.run_id} was not recorded: {error}") from error


def _key(run: Run, sk: str) -> dict[str, Any]:
    return {"pk": {"S": f"run#{run.run_id}"}, "sk": {"S": sk}}


def _expires_at(run: Run) -> dict[str, str]:
    return {"N": str(run.expires_at)}
