"""The runs table, which the stores of runs, checkpoints and targets share: rows of strings and numbers, in partitions.

Every failed request raises `SinkError`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pageturner.errors import SinkError
from pageturner.own_resources import as_sink_error
from pageturner.page_state import Run
from pageturner.stores import keys
from pageturner.stores.conditional_write import conditional_write
from pageturner.stores.transactions import transact

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# DynamoDB Developer Guide, "Quotas": requests of a BatchWriteItem.
_BATCH_WRITE = 25
_KB = 1024
# How many rows of a partition are read at once.
_ROWS = 100


class RunTable:
    """Reads and writes rows. All rows of a run share its partition and expire with it."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self.name = table

    def put(self, run: Run, record: str, /, **values: Any) -> None:
        """Put a record of a run: numbers as numbers, strings as strings, all else as JSON; None is left out."""
        with as_sink_error(f'could not write record "{record}" of run {run.run_id} to the runs table'):
            self._dynamodb.put_item(TableName=self.name, Item=_record(run, record, values))

    def put_while(self, run: Run, condition: str, record: str, /, **values: Any) -> bool:
        """Put a record of a run, as `put` does, if a condition of the run's own row holds; return whether it did.

        The condition names the run's generation as `at_generation` does.
        """
        check = {
            "ConditionCheck": {
                "TableName": self.name,
                "Key": keys.run_row(run.run_id, keys.THE_RUN),
                "ConditionExpression": condition,
                "ExpressionAttributeValues": {":generation": {"N": str(run.generation)}},
            }
        }
        put = {"Put": {"TableName": self.name, "Item": _record(run, record, values)}}
        not_done = f'could not write record "{record}" of run {run.run_id} to the runs table'
        return not transact(self._dynamodb, not_done, [check, put])

    def put_all(self, run: Run, records: Mapping[str, Mapping[str, Any]]) -> None:
        """Put records of a run, as `put` does, by name."""
        left: list[Any] = [{"PutRequest": {"Item": _record(run, record, of)}} for record, of in records.items()]
        while left:
            batch, left = left[:_BATCH_WRITE], left[_BATCH_WRITE:]
            with as_sink_error(f"could not write {len(batch)} records of run {run.run_id} to the runs table"):
                answer = self._dynamodb.batch_write_item(RequestItems={self.name: batch})
            unwritten = answer["UnprocessedItems"].get(self.name, [])
            if len(unwritten) == len(batch):
                raise SinkError(f"the runs table is throttled: it took none of {len(batch)} records of {run.run_id}")
            left += unwritten

    def put_first(self, run: Run, record: str, /, **values: Any) -> bool:
        """Put a record of a run, as `put` does, if there is none yet; return whether it did."""
        return self.write_if(
            f'could not write record "{record}" of run {run.run_id} to the runs table',
            "put_item",
            Item=_record(run, record, values),
            ConditionExpression="attribute_not_exists(pk)",
        )

    def update(self, run: Run, record: str, expression: str, values: Mapping[str, Any]) -> None:
        """Update a record of a run."""
        with as_sink_error(f'could not write record "{record}" of run {run.run_id} to the runs table'):
            self._dynamodb.update_item(
                TableName=self.name,
                Key=keys.run_row(run.run_id, record),
                UpdateExpression=expression,
                ExpressionAttributeValues=values,
            )

    def get(self, row: Mapping[str, Any], what: str, *, consistent: bool = True) -> Mapping[str, Any] | None:
        """Return a row, or None if there is none; `what` names it in an error message."""
        with as_sink_error(f"could not read {what} from the runs table"):
            answer = self._dynamodb.get_item(TableName=self.name, Key=row, ConsistentRead=consistent)
        return answer.get("Item")

    def put_row(self, row: Mapping[str, Any], what: str, values: Mapping[str, Any]) -> None:
        """Put a row that is no record of a run."""
        with as_sink_error(f"could not write {what} to the runs table"):
            self._dynamodb.put_item(TableName=self.name, Item={**row, **values})

    def update_row(
        self, row: Mapping[str, Any], what: str, expression: str, values: Mapping[str, Any], condition: str = ""
    ) -> Mapping[str, Any] | None:
        """Update a row that is no record of a run, and return what was set, or None if the condition does not hold."""
        answer: dict[str, Any] = {}

        def update(**request: Any) -> None:
            answer.update(self._dynamodb.update_item(**request))

        held = conditional_write(
            f"could not write {what} to the runs table",
            update,
            TableName=self.name,
            Key=row,
            UpdateExpression=expression,
            ExpressionAttributeValues=values,
            ReturnValues="UPDATED_NEW",
            **({"ConditionExpression": condition} if condition else {}),
        )
        return answer["Attributes"] if held else None

    def delete_at(self, row: Mapping[str, Any], what: str, generation: int) -> bool:
        """Delete a row that a run of this generation has put; return whether it was there."""
        return self.write_if(
            f"could not delete {what} from the runs table",
            "delete_item",
            Key=row,
            ConditionExpression=at_generation(generation),
            ExpressionAttributeValues={":generation": {"N": str(generation)}},
        )

    def records(self, run: Run, prefix: str, after: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the records of a run whose sort keys begin with `prefix`, in order, each with its sort key.

        If `after` is set, which is no sort key of a record, only those behind it.
        """
        asked = self._beginning_with(run, prefix)
        if after:
            asked["KeyConditionExpression"] = "pk = :pk AND sk BETWEEN :sk AND :end"
            asked["ExpressionAttributeValues"] |= {":sk": {"S": after}, ":end": {"S": keys.behind(prefix[:-1])}}
        answers = self._dynamodb.get_paginator("query").paginate(**asked)
        with as_sink_error(f"could not read the records of run {run.run_id} from the runs table"):
            for answer in answers:
                for item in answer["Items"]:
                    yield item["sk"]["S"], item

    def rows(
        self, partition: str, *, latest_first: bool = False, limit: int | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of a partition in the order of their sort keys, or the other way round; at most `limit`."""
        answers = self._dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
            ScanIndexForward=not latest_first,
            ConsistentRead=True,
            # Most look at the first few.
            PaginationConfig={"PageSize": min(limit or _ROWS, _ROWS), **({"MaxItems": limit} if limit else {})},
        )
        with as_sink_error(f"could not read {partition} from the runs table"):
            for answer in answers:
                yield from answer["Items"]

    def last(self, run: Run, prefix: str) -> Mapping[str, Any] | None:
        """Return the last record of a run whose sort key begins with `prefix`, or None if there is none."""
        with as_sink_error(f'could not read the last "{prefix}" record of run {run.run_id} from the runs table'):
            answer = self._dynamodb.query(**self._beginning_with(run, prefix), ScanIndexForward=False, Limit=1)
        return answer["Items"][0] if answer["Items"] else None

    def write_if(
        self, not_done: str, operation: Literal["put_item", "update_item", "delete_item"], **request: Any
    ) -> bool:
        """Write a row if the ConditionExpression of the `request` holds; return whether it did.

        The message of a `SinkError` begins with `not_done`.
        """
        return conditional_write(not_done, getattr(self._dynamodb, operation), TableName=self.name, **request)

    def _beginning_with(self, run: Run, prefix: str) -> dict[str, Any]:
        return {
            "TableName": self.name,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
            "ExpressionAttributeValues": {":pk": {"S": keys.RUN.format(run.run_id)}, ":sk": {"S": prefix}},
            "ConsistentRead": True,
        }


def expires_at(run: Run) -> dict[str, str]:
    """When DynamoDB may delete the rows of a run, in seconds since 1970."""
    return {"N": str(run.expires_at)}


def at_generation(generation: int) -> str:
    """The condition that a row is of this generation of its run, the value of `:generation`."""
    is_at = "generation = :generation"
    # Rows of an earlier version of Pageturner have none.
    return f"attribute_exists(pk) AND (attribute_not_exists(generation) OR {is_at})" if generation == 1 else is_at


def write_units(row: Mapping[str, Any]) -> int:
    """Return what DynamoDB charges for a row: a unit for each KB of it (Developer Guide, "Item sizes and formats")."""
    return -(-sum(len(name.encode()) + _size(value) for name, value in row.items()) // _KB)


def _size(value: Mapping[str, str]) -> int:
    if "S" in value:
        return len(value["S"].encode(errors="surrogatepass"))
    # About a byte for two digits, and one more.
    return (len(value["N"]) + 1) // 2 + 1


def _record(run: Run, record: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {**keys.run_row(run.run_id, record), "expires_at": expires_at(run), **values_of(values)}


def values_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as DynamoDB has them: numbers as numbers, strings as strings, all else as JSON, None left out."""
    item: dict[str, Any] = {}
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, int):
            item[name] = {"N": str(value)}
        else:
            item[name] = {"S": value if isinstance(value, str) else json.dumps(value)}
    return item
