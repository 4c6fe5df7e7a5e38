"""The items in DynamoDB: a projection of the page objects, keyed by item, so that a repeat is harmless.

Every write is conditional. A row goes only from an older run or pass to a newer one, and none is written behind the
fence of its listing (`pageturner.stores.listing_fences`), whenever a writer that was given up wakes up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from pageturner.errors import SinkError, as_sink_error
from pageturner.page_state import Run, Target
from pageturner.stores.conditional_write import conditional_write
from pageturner.stores.item_rows import apart, identity, is_listed, is_stale, rows_of
from pageturner.stores.keys import partition_key
from pageturner.stores.page_store import CommittedPage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# DynamoDB Developer Guide, "Quotas": actions and bytes of a TransactWriteItems request; keys of a BatchGetItem.
_TRANSACTION = 100
_TRANSACTION_BYTES = 4 * 1024 * 1024
_BATCH_READ = 100
# How large the attributes of a row can be besides its item, and the request around it.
_ROW_BYTES = 8 * 1024
# The parts of a split listing check the same fence. Transactions that meet there are tried again, after up to 20 ms,
# doubling to a second: for 7 s at most.
_MOST_CONFLICTS = 12
_CONFLICT_SECONDS = 0.02
_LONGEST_CONFLICT_SECONDS = 1.0
# What says whose a row is, in a query.
_WITHOUT_ITEMS: dict[str, Any] = {
    "ProjectionExpression": "pk, sk, run_id, target, #pass, #version, fetched_at, apart",
    "ExpressionAttributeNames": {"#pass": "pass", "#version": "version"},
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

    def project(
        self, page: CommittedPage, target: Target, result_keys: Sequence[str], run: Run, check: Mapping[str, Any]
    ) -> bool:
        """Put every item of a page of `target`; the first of `result_keys` is the primary one. Raises `SinkError`.

        `check` is that of the listing's fence. Returns False if the page is behind it: a newer run or pass has listed
        all of the listing.
        """
        rows = list(rows_of(page, target, result_keys, run))
        if page.is_repeat:
            # Whoever put the page has written some of them. So a page that is too much for one invocation gets written.
            found = self._rows(rows)
            rows = [row for row in rows if found.get(row["sk"]["S"]) != row]
        return self._put(rows, check)

    def tell_apart(
        self,
        page: CommittedPage,
        target: Target,
        result_keys: Sequence[str],
        run: Run,
        passes: Mapping[str, int],
        is_left: Callable[[str], bool],
        check: Mapping[str, Any],
    ) -> bool:
        """Give each item of a page that shares its key with a different item of the listing a row of its own.

        All pages of the listing (of `passes`, as in `sweep`) must be projected before; the row of a key then has one of
        its items. Whichever item of a page differs from it shares the key: both move to rows whose key has a hash of
        the item, and the row of the key alone goes. Later pages see by its absence, and by the rows that this run has
        told apart, that the key is shared. So nothing depends on the order of pages, and a page can be repeated.

        What another run has written since then is that run's to tell apart. Only where `is_left` says that it will not
        does an item that differs from its row get one of its own. Returns False as `project` does. Raises `SinkError`.
        """
        rows = list(rows_of(page, target, result_keys, run))
        found = self._rows(rows)
        moved: list[dict[str, Any]] = []
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
                    moved.append(apart(row))
            elif identity(listed) == identity(row):
                continue
            elif is_listed(listed, run, passes):
                shared[key] = listed
            elif (other := listed["run_id"]["S"]) != run.run_id and is_left(other):
                moved.append(apart(row))
        moved += [apart(row) for row in rows if row["sk"]["S"] in shared]
        moved += [apart(listed) for listed in shared.values()]
        if not self._put(moved, check):
            return False
        for listed in shared.values():
            self._retire(listed, run, mark=False)
        return True

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
        stale = [item for item in answer["Items"] if is_stale(item, run, passes)]
        own = [item for item in answer["Items"] if is_listed(item, run, passes)]
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

    def _put(self, rows: Iterable[Mapping[str, Any]], check: Mapping[str, Any]) -> bool:
        # DynamoDB rejects a transaction that has the same key twice.
        puts = {row["sk"]["S"]: row for row in rows}
        return all(self._write(batch, check) for batch in _transactions(list(puts.values())))

    def _write(self, rows: Sequence[Mapping[str, Any]], check: Mapping[str, Any]) -> bool:
        """Put rows in one transaction, but for those that a newer run or pass has put. Returns as `project` does."""
        left, conflicts = list(rows), 0
        while left:
            reasons = self._transact([check, *map(self._put_if_newer, left)])
            if not reasons:
                return True
            failed = [reason["Code"] == "ConditionalCheckFailed" for reason in reasons]
            if failed[0]:
                return False
            others = [reason for reason in reasons if reason["Code"] not in ("None", "ConditionalCheckFailed")]
            if any(reason["Code"] != "TransactionConflict" for reason in others) or conflicts == _MOST_CONFLICTS:
                # The state machine waits, because a Lambda function is billed while it waits.
                codes = ", ".join(sorted({f"{reason['Code']}: {reason.get('Message', '')}" for reason in others}))
                raise SinkError(f"table {self.name} accepted none of a batch of {len(left)} items: {codes}")
            if others:
                longest = min(_CONFLICT_SECONDS * 2**conflicts, _LONGEST_CONFLICT_SECONDS)
                time.sleep(longest * random.random())  # noqa: S311 - so that they do not meet again
                conflicts += 1
            left = [row for row, is_newer in zip(left, failed[1:], strict=True) if not is_newer]
        return True

    def _transact(self, actions: Sequence[Any]) -> list[Any]:
        """Return the reasons why a transaction was cancelled, one for each action, or nothing if it was not."""
        with as_sink_error(f"could not write a batch of items to table {self.name}"):
            try:
                self._dynamodb.transact_write_items(TransactItems=actions)
            except ClientError as error:
                reasons: Any = error.response.get("CancellationReasons")
                if not reasons:  # it was not cancelled, or nobody says why
                    raise
                return cast("list[Any]", reasons)
        return []

    def _put_if_newer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": self.name,
                "Item": row,
                "ConditionExpression": "attribute_not_exists(#version) OR #version <= :mine",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":mine": row["version"]},
            }
        }

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
        if not apart(row)["sk"]["S"].startswith(prefix):
            return True
        start: dict[str, Any] = {}
        while True:
            answer = self._query(row["pk"]["S"], prefix, **_WITHOUT_ITEMS, **start)
            for other in answer["Items"]:
                # Another key may begin with this one.
                if "apart" in other and other["sk"]["S"].rpartition("#")[0] == key and is_listed(other, run, passes):
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
        if "version" in item:
            request["ConditionExpression"] += " AND #version = :version"
            request["ExpressionAttributeNames"] = {"#version": "version"}
            request["ExpressionAttributeValues"][":version"] = item["version"]
        retire: Any = self._dynamodb.delete_item
        if mark:
            retire = self._dynamodb.update_item
            request["UpdateExpression"] = "SET stale_since = if_not_exists(stale_since, :since)"
            request["ExpressionAttributeValues"][":since"] = {"S": run.started_at}
        conditional_write(f"could not remove or mark a row of table {self.name}", retire, **request)


def _transactions(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Yield the rows in batches that, with the check of the fence, are no larger than a transaction."""
    batch: list[Mapping[str, Any]] = []
    size = _ROW_BYTES
    for row in rows:
        needed = _ROW_BYTES + len(row.get("item", {}).get("S", ""))
        if batch and (len(batch) == _TRANSACTION - 1 or size + needed > _TRANSACTION_BYTES):
            yield batch
            batch, size = [], _ROW_BYTES
        batch.append(row)
        size += needed
    if batch:
        yield batch
