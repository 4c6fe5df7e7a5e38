"""The items in DynamoDB: a projection of the page objects, keyed by item, so that a repeat is harmless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from pageturner.errors import SinkError, as_sink_error
from pageturner.page_state import Run, Target
from pageturner.stores.conditional_write import conditional_write
from pageturner.stores.keys import partition_key, sort_key
from pageturner.stores.page_store import CommittedPage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

# DynamoDB Developer Guide, "Quotas": items in a BatchWriteItem request, size of an item.
_BATCH = 25
_LARGEST_ITEM = 400 * 1024
# Room for the other attributes of an item: two keys of up to 1 KiB, each twice, and names.
_ROOM = 16 * 1024


class ItemTable:
    """Writes the items of committed pages, and sweeps stale ones."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self.name = table

    def project(self, page: CommittedPage, target: Target, primary: str) -> None:
        """Put every item of a page of `target`; `primary` is the primary result key. Raises `SinkError`."""
        # DynamoDB rejects a batch that has the same key twice.
        items = [_item(record, target, primary, page.key, line) for line, record in enumerate(page.records, start=1)]
        puts: dict[str, WriteRequestTypeDef] = {item["sk"]["S"]: {"PutRequest": {"Item": item}} for item in items}
        requests = list(puts.values())
        for start in range(0, len(requests), _BATCH):
            self._write(requests[start : start + _BATCH])

    def _write(self, batch: Sequence[WriteRequestTypeDef]) -> None:
        unprocessed = batch
        while unprocessed:
            with as_sink_error(f"could not write a batch of items to table {self.name}"):
                answer = self._dynamodb.batch_write_item(RequestItems={self.name: unprocessed})
            left = cast("list[WriteRequestTypeDef]", answer.get("UnprocessedItems", {}).get(self.name, []))
            if len(left) >= len(unprocessed):
                # The state machine waits, because a Lambda function is billed while it waits.
                raise SinkError(f"table {self.name} is throttled: it accepted none of a batch of {len(left)} items")
            unprocessed = left

    def has_any(self, crawl_name: str, target: Target) -> bool:
        """Return whether a target's listing has any items."""
        return bool(self._query(crawl_name, target, Limit=1)["Items"])

    def sweep(
        self,
        crawl_name: str,
        target: Target,
        run: Run,
        passes: Mapping[str, int],
        start_key: Mapping[str, Any] | None,
        *,
        mark: bool,
    ) -> tuple[Mapping[str, Any] | None, int, int]:
        """Remove or mark the stale items among the next items of a target's listing.

        Stale items are those of abandoned passes of this run (`passes` has the last pass of each target of the
        listing), and those last seen before this run. Returns the key to continue from (None at the end), the number of
        stale items, and the number of others.
        Raises `SinkError`.
        """
        more: dict[str, Any] = {"ExclusiveStartKey": start_key} if start_key else {}
        answer = self._query(
            crawl_name,
            target,
            ProjectionExpression="pk, sk, run_id, target, #pass, fetched_at",
            ExpressionAttributeNames={"#pass": "pass"},
            **more,
        )
        stale = [item for item in answer["Items"] if _is_stale(item, run, passes)]
        for item in stale:
            self._retire(item, run, mark=mark)
        return answer.get("LastEvaluatedKey"), len(stale), len(answer["Items"]) - len(stale)

    def _query(self, crawl_name: str, target: Target, **more: Any) -> Any:
        values = {":pk": {"S": partition_key(crawl_name, target)}}
        with as_sink_error(f"could not read table {self.name}"):
            return self._dynamodb.query(
                TableName=self.name,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=values,
                ConsistentRead=True,
                **more,
            )

    def _retire(self, item: Mapping[str, Any], run: Run, *, mark: bool) -> None:
        request: dict[str, Any] = {
            "TableName": self.name,
            "Key": {"pk": item["pk"], "sk": item["sk"]},
            # Another run may have seen the item in the meantime.
            "ConditionExpression": "fetched_at = :seen",
            "ExpressionAttributeValues": {":seen": item["fetched_at"]},
        }
        retire: Any = self._dynamodb.delete_item
        if mark:
            retire = self._dynamodb.update_item
            request["UpdateExpression"] = "SET stale_since = if_not_exists(stale_since, :since)"
            request["ExpressionAttributeValues"][":since"] = {"S": run.started_at}
        conditional_write(f"could not remove or mark a stale item of table {self.name}", retire, **request)


def _is_stale(item: Mapping[str, Any], run: Run, passes: Mapping[str, int]) -> bool:
    if item["run_id"]["S"] == run.run_id:
        return int(item["pass"]["N"]) != passes.get(item["target"]["S"])
    return str(item["fetched_at"]["S"]) < run.started_at


def _item(record: Mapping[str, Any], target: Target, primary: str, page_object: str, line: int) -> dict[str, Any]:
    # A string item is its own key, and can be as large as a page.
    key = sort_key(record["key"])
    own = record["result_key"] == primary
    item: dict[str, Any] = {
        "pk": {"S": partition_key(record["crawl"], target)},
        # A folder and a file may have the same name.
        "sk": {"S": key if own else sort_key(f"{record['result_key']}#{record['key']}")},
        "key": {"S": key},
        "pass": {"N": str(record["pass"])},
        "page_object": {"S": page_object},
        "line": {"N": str(line)},
    }
    for name in ("crawl", "run_id", "account", "region", "target", "result_key", "fetched_at"):
        item[name] = {"S": record[name]}
    if not is_large(record):
        item["item"] = {"S": record["item"]}
    return item


def is_large(record: Mapping[str, Any]) -> bool:
    """Return whether an item's text, which is ASCII, is too large for DynamoDB; its page object still has it."""
    return len(record["item"]) > _LARGEST_ITEM - _ROOM
