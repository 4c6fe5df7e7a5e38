"""The items in DynamoDB: a projection of the page objects, keyed by item, so that a repeat is harmless."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pageturner.errors import SinkError, as_sink_error
from pageturner.page_state import Run, Target
from pageturner.stores.conditional_write import conditional_write
from pageturner.stores.keys import item_hash, partition_key, sort_key
from pageturner.stores.page_store import CommittedPage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

# DynamoDB Developer Guide, "Quotas": items in a BatchWriteItem and a BatchGetItem request, size of an item.
_BATCH = 25
_BATCH_READ = 100
_LARGEST_ITEM = 400 * 1024
# Room for the other attributes of an item: two keys of up to 1 KiB, each twice, and names.
_ROOM = 16 * 1024
# What says whose a row is, in a query.
_WITHOUT_ITEMS: dict[str, Any] = {
    "ProjectionExpression": "pk, sk, run_id, target, #pass, fetched_at, apart",
    "ExpressionAttributeNames": {"#pass": "pass"},
}


@dataclass(frozen=True)
class Seen:
    """What a look at some rows of a listing found.

    `stale` rows are not of the listing any more; `others` are. `own` rows are those that this run wrote, and `apart`
    those of them that are told apart from others with the same key. `next_key` is DynamoDB's key to continue from (None
    at the end).
    """

    next_key: Mapping[str, Any] | None
    stale: int
    others: int
    own: int
    apart: int


class ItemTable:
    """Writes the items of committed pages, tells apart those that share a key, and sweeps stale ones."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self.name = table

    def project(self, page: CommittedPage, target: Target, result_keys: Sequence[str]) -> None:
        """Put every item of a page of `target`; the first of `result_keys` is the primary one. Raises `SinkError`."""
        self._put(_rows(page, target, result_keys))

    def tell_apart(
        self,
        page: CommittedPage,
        target: Target,
        result_keys: Sequence[str],
        run: Run,
        passes: Mapping[str, int],
        is_left: Callable[[str], bool],
    ) -> None:
        """Give each item of a page that shares its key with a different item of the listing a row of its own.

        All pages of the listing (of `passes`, as in `sweep`) must be projected before; the row of a key then has one of
        its items. Whichever item of a page differs from it shares the key: both move to rows whose key has a hash of
        the item, and the row of the key alone goes. Later pages see by its absence, and by the rows that this run has
        told apart, that the key is shared. So nothing depends on the order of pages, and a page can be repeated.

        What another run has written since then is that run's to tell apart. Only where `is_left` says that it will not
        does an item that differs from its row get one of its own. Raises `SinkError`.
        """
        rows = list(_rows(page, target, result_keys))
        found = self._rows(rows)
        apart: list[dict[str, Any]] = []
        shared: dict[str, Mapping[str, Any]] = {}
        told: dict[str, bool] = {}
        for row in rows:
            key = row["sk"]["S"]
            listed = found.get(key)
            if listed is None:
                # Otherwise, a later run has removed the item.
                if key not in told:
                    told[key] = self._has_told_apart(row, run, passes)
                if told[key]:
                    apart.append(_apart(row))
            elif _identity(listed) == _identity(row):
                continue
            elif _is_listed(listed, run, passes):
                shared[key] = listed
            elif (other := listed["run_id"]["S"]) != run.run_id and is_left(other):
                apart.append(_apart(row))
        apart += [_apart(row) for row in rows if row["sk"]["S"] in shared]
        apart += [_apart(dict(listed)) for listed in shared.values()]
        self._put(apart)
        for listed in shared.values():
            self._retire(listed, run, mark=False)

    def has_any(self, crawl_name: str, target: Target) -> bool:
        """Return whether a target's listing has any items."""
        return bool(self._query(partition_key(crawl_name, target), Limit=1)["Items"])

    def sweep(
        self,
        crawl_name: str,
        target: Target,
        run: Run,
        passes: Mapping[str, int],
        start_key: Mapping[str, Any] | None,
        stale_items: str,
    ) -> Seen:
        """Look at the next items of a target's listing, and remove, mark or keep the stale ones among them.

        Stale items are those of abandoned passes of this run (`passes` has the last pass of each target of the
        listing), and those last seen before this run. Raises `SinkError`.
        """
        more: dict[str, Any] = {"ExclusiveStartKey": start_key} if start_key else {}
        answer = self._query(partition_key(crawl_name, target), **_WITHOUT_ITEMS, **more)
        stale = [item for item in answer["Items"] if _is_stale(item, run, passes)]
        own = [item for item in answer["Items"] if _is_listed(item, run, passes)]
        if stale_items != "keep":
            for item in stale:
                self._retire(item, run, mark=stale_items == "mark")
        return Seen(
            answer.get("LastEvaluatedKey"),
            stale=len(stale),
            others=len(answer["Items"]) - len(stale),
            own=len(own),
            apart=sum("apart" in item for item in own),
        )

    def _put(self, rows: Sequence[Mapping[str, Any]] | Iterator[Mapping[str, Any]]) -> None:
        # DynamoDB rejects a batch that has the same key twice.
        puts: dict[str, WriteRequestTypeDef] = {row["sk"]["S"]: {"PutRequest": {"Item": row}} for row in rows}
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

    def _rows(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """Return the rows that the table has under the keys of `rows`, by sort key."""
        keys = list({row["sk"]["S"]: {"pk": row["pk"], "sk": row["sk"]} for row in rows}.values())
        found: dict[str, Mapping[str, Any]] = {}
        while keys:
            batch, keys = keys[:_BATCH_READ], keys[_BATCH_READ:]
            with as_sink_error(f"could not read a batch of items from table {self.name}"):
                answer = self._dynamodb.batch_get_item(
                    RequestItems={self.name: {"Keys": batch, "ConsistentRead": True}}
                )
            found |= {row["sk"]["S"]: row for row in cast("list[Any]", answer["Responses"].get(self.name, []))}
            unread = answer["UnprocessedKeys"][self.name]["Keys"] if answer.get("UnprocessedKeys") else []
            if len(unread) >= len(batch):
                raise SinkError(f"table {self.name} is throttled: it returned none of a batch of {len(batch)} items")
            keys += unread
        return found

    def _has_told_apart(self, row: dict[str, Any], run: Run, passes: Mapping[str, int]) -> bool:
        """Return whether this run has told items with the key of `row` apart.

        If DynamoDB accepts no longer key than that, the others have no common prefix, and are not looked for.
        """
        key = row["sk"]["S"]
        prefix = f"{key}#"
        if not _apart(row)["sk"]["S"].startswith(prefix):
            return True
        start: dict[str, Any] = {}
        while True:
            answer = self._query(row["pk"]["S"], prefix, **_WITHOUT_ITEMS, **start)
            for other in answer["Items"]:
                # Another key may begin with this one.
                if "apart" in other and other["sk"]["S"].rpartition("#")[0] == key and _is_listed(other, run, passes):
                    return True
            if "LastEvaluatedKey" not in answer:
                return False
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _query(self, partition: str, prefix: str = "", **more: Any) -> Any:
        condition, values = "pk = :pk", {":pk": {"S": partition}}
        if prefix:
            condition, values = f"{condition} AND begins_with(sk, :sk)", {**values, ":sk": {"S": prefix}}
        with as_sink_error(f"could not read table {self.name}"):
            return self._dynamodb.query(
                TableName=self.name,
                KeyConditionExpression=condition,
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
        conditional_write(f"could not remove or mark a row of table {self.name}", retire, **request)


def _is_stale(item: Mapping[str, Any], run: Run, passes: Mapping[str, int]) -> bool:
    if item["run_id"]["S"] == run.run_id:
        return not _is_listed(item, run, passes)
    return str(item["fetched_at"]["S"]) < run.started_at


def _is_listed(item: Mapping[str, Any], run: Run, passes: Mapping[str, int]) -> bool:
    """Whether this run listed the item, in the last pass of its target."""
    return item["run_id"]["S"] == run.run_id and int(item["pass"]["N"]) == passes.get(item["target"]["S"])


def _identity(row: Mapping[str, Any]) -> tuple[str, str]:
    """What two rows of the same item have in common."""
    return row["result_key"]["S"], row["item_hash"]["S"] if "item_hash" in row else item_hash(row["item"]["S"])


def _apart(row: dict[str, Any]) -> dict[str, Any]:
    _, hashed = _identity(row)
    return {**row, "sk": {"S": sort_key(f"{row['sk']['S']}#{hashed}")}, "apart": {"BOOL": True}}


def _rows(page: CommittedPage, target: Target, result_keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    for line, record in enumerate(page.records, start=1):
        yield _row(record, target, result_keys, page.key, line)


def _row(
    record: Mapping[str, Any], target: Target, result_keys: Sequence[str], page_object: str, line: int
) -> dict[str, Any]:
    item: dict[str, Any] = {
        "pk": {"S": partition_key(record["crawl"], target)},
        "sk": {"S": _name(record, result_keys)},
        # A string item is its own key, and can be as large as a page.
        "key": {"S": sort_key(record["key"])},
        "pass": {"N": str(record["pass"])},
        "page_object": {"S": page_object},
        "line": {"N": str(line)},
    }
    for name in ("crawl", "run_id", "account", "region", "target", "result_key", "fetched_at"):
        item[name] = {"S": record[name]}
    if is_large(record):
        item["item_hash"] = {"S": item_hash(record["item"])}
    else:
        item["item"] = {"S": record["item"]}
    return item


def _name(record: Mapping[str, Any], result_keys: Sequence[str]) -> str:
    """The sort key of an item. A folder and a file may have the same name, so the result key comes before it.

    A primary item does without, unless its own key looks as if it had one.
    """
    key, of = record["key"], record["result_key"]
    is_plain = of == result_keys[0] and not key.startswith(tuple(f"{name}#" for name in result_keys))
    return sort_key(key if is_plain else f"{of}#{key}")


def is_large(record: Mapping[str, Any]) -> bool:
    """Return whether an item's text, which is ASCII, is too large for DynamoDB; its page object still has it."""
    return len(record["item"]) > _LARGEST_ITEM - _ROOM
