"""The items in DynamoDB: what is published of each crawl, by key. Publishing tells the table what has changed.

Every write is part of a transaction that checks the fence of its crawl (`pageturner.stores.publishing_fences`), and
says what is, not what to add. So repeating one is harmless, and whoever is late writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from pageturner.crawls.crawl import Crawl
from pageturner.errors import SinkError
from pageturner.own_resources import as_sink_error
from pageturner.stores import keys
from pageturner.stores.item_rows import (
    ITEM_ATTRIBUTES,
    Change,
    Listing,
    ListingRow,
    Row,
    is_large,
    item_of,
    item_row,
    key_of,
    listing_of,
    listing_row,
)
from pageturner.stores.publishing_fences import PublishingFences
from pageturner.stores.transactions import MOST_ACTIONS, MOST_BYTES, is_invalid, transact

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# How large the attributes of a row can be besides its item, and the request around it.
_ROW_BYTES = 8 * 1024
_DAY = 24 * 60 * 60


class ItemTable:
    """Tells DynamoDB what publications changed, and reads what it has."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, fences: PublishingFences) -> None:
        self._dynamodb = dynamodb
        self._fences = fences
        self.name = table

    def table_id(self) -> str:
        """Return what tells the table from one that was restored or created anew under its name: when it was created.

        Raises `SinkError`.
        """
        with as_sink_error(f"could not describe table {self.name}"):
            created_at = self._dynamodb.describe_table(TableName=self.name)["Table"]["CreationDateTime"]
        return str(created_at.timestamp())

    def tell(self, crawl: Crawl, number: int, changes: Sequence[Change], lane: int, stale_since: str) -> bool:
        """Apply what publication `number` changed; of an item that is changed twice, the last. Raises `SinkError`.

        Items that are no longer listed are removed, marked with `stale_since`, or kept, as the crawl says. Returns
        False if a newer publication has put up the fence: then the rest is not written.
        """
        # DynamoDB rejects a transaction that has the same key twice.
        last = {(change.listing, keys.sort_key(change.name)): change for change in changes}
        check = self._fences.check(crawl.name, number, lane)
        return all(
            self._write(check, [self._action(crawl, number, change, stale_since) for change in batch])
            for batch in _batches(
                change for change in last.values() if change.after is not None or crawl.stale_items != "keep"
            )
        )

    def tell_in_parallel(
        self,
        crawl: Crawl,
        number: int,
        changes: Iterable[Change],
        stale_since: str,
        seconds: float,
        lanes: Sequence[int],
    ) -> int | None:
        """Apply changes, each of another item, as `tell` does, with a worker in each of the `lanes`.

        Takes no more once the `seconds` are over, but for a first batch. Returns how many are surely applied, from the
        beginning; None if a newer publication has put up the fence. If one fails and none before it is applied, raises
        its `SinkError`. Only one worker at a time takes changes; with a single lane, it is the caller's thread.
        """
        batches = _Batches(changes, time.monotonic() + seconds)

        def work(lane: int) -> bool:
            for place, batch in batches:
                is_told = False
                try:
                    is_told = self.tell(crawl, number, batch, lane, stale_since)
                finally:
                    batches.end(place, is_told=is_told)
                if not is_told:
                    return False
            return True

        try:
            with ThreadPoolExecutor(max_workers=len(lanes)) as pool:
                others = [pool.submit(work, lane) for lane in lanes[1:]]
                is_told = work(lanes[0])
            is_told = all([is_told, *(other.result() for other in others)])
        except SinkError:
            if not batches.told():
                raise
            return batches.told()
        return batches.told() if is_told else None

    def tell_listings(
        self, crawl_name: str, number: int, put: Mapping[str, Listing], gone: Mapping[str, Listing], lane: int = 0
    ) -> bool:
        """Put the rows of the listings `put`, by id, and delete those that are `gone`. Returns and raises as `tell`."""
        actions: list[dict[str, Any]] = [
            {"Delete": {"TableName": self.name, "Key": keys.listing_row(crawl_name, of.account, of.region, listing_id)}}
            for listing_id, of in gone.items()
        ]
        actions += [
            {"Put": {"TableName": self.name, "Item": listing_row(crawl_name, listing_id, of)}}
            for listing_id, of in put.items()
        ]
        check = self._fences.check(crawl_name, number, lane)
        ends = range(0, len(actions), MOST_ACTIONS - 1)
        return all(self._write(check, actions[start : start + MOST_ACTIONS - 1]) for start in ends)

    def rows_there(self, crawl_name: str, listing_id: str) -> Iterator[Row]:
        """Yield what the table has of a listing, in the order of the names. Raises `SinkError`."""
        names = {f"#{name}": name for name in ITEM_ATTRIBUTES}
        rows = self._partition(
            keys.partition_key(crawl_name, listing_id),
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
        )
        return map(item_of, rows)

    def listings_there(self, crawl_name: str) -> Iterator[tuple[str, ListingRow]]:
        """Yield the listings of a crawl that the table has, each after its id. Raises `SinkError`."""
        return map(listing_of, self._partition(crawl_name))

    def _partition(self, partition: str, **more: Any) -> Iterator[Mapping[str, Any]]:
        answers = self._dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
            ConsistentRead=True,
            **more,
        )
        with as_sink_error(f"could not read table {self.name}"):
            for answer in answers:
                yield from answer["Items"]

    def _action(self, crawl: Crawl, number: int, change: Change, stale_since: str) -> dict[str, Any]:
        if change.after is not None:
            return {"Put": {"TableName": self.name, "Item": item_row(crawl.name, number, change)}}
        there = {"TableName": self.name, "Key": key_of(crawl.name, change)}
        if crawl.stale_items == "remove":
            return {"Delete": there}
        marks: dict[str, Any] = {"stale_since": {"S": stale_since}}
        if crawl.time_to_live is not None:
            seconds = int(datetime.fromisoformat(stale_since).timestamp()) + crawl.time_to_live * _DAY
            marks["expires_at"] = {"N": str(seconds)}
        update = ", ".join(f"{name} = if_not_exists({name}, :{name})" for name in marks)
        return {
            "Update": {
                **there,
                "UpdateExpression": f"SET publication = :publication, {update}",
                # Without it, the row of an item that is not there would be nothing but marks.
                "ConditionExpression": "attribute_exists(pk)",
                "ExpressionAttributeValues": {
                    ":publication": {"N": str(number)},
                    **{f":{name}": value for name, value in marks.items()},
                },
            }
        }

    def _write(self, check: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]) -> bool:
        """Do the actions in one transaction, but for those whose rows are not there. Returns and raises as `tell`."""
        left = list(actions)
        while left:
            try:
                failed = transact(self._dynamodb, f"could not write items to table {self.name}", [check, *left])
            except SinkError as error:
                # DynamoDB may count what it has to remove, which nobody here has measured.
                if not is_invalid(error) or len(left) == 1:
                    raise
                half = len(left) // 2
                return self._write(check, left[:half]) and self._write(check, left[half:])
            if 0 in failed:
                return False
            if not failed:
                break
            left = [action for place, action in enumerate(left, start=1) if place not in failed]
        return True


class _Batches:
    """Hands changes out in batches, to many workers, and counts how many from the beginning are applied."""

    def __init__(self, changes: Iterable[Change], until: float) -> None:
        self._batches = _batches(changes)
        self._until = until
        self._lock = Lock()
        self._sizes: list[int] = []
        self._told: set[int] = set()
        self._is_over = False

    def __iter__(self) -> Iterator[tuple[int, list[Change]]]:
        while (taken := self._take()) is not None:
            yield taken

    def end(self, place: int, *, is_told: bool) -> None:
        """Note that a batch was told, or else that no more are to be taken."""
        with self._lock:
            if is_told:
                self._told.add(place)
            else:
                self._is_over = True

    def told(self) -> int:
        """Return how many changes from the beginning are told."""
        first = next((place for place in range(len(self._sizes)) if place not in self._told), len(self._sizes))
        return sum(self._sizes[:first])

    def _take(self) -> tuple[int, list[Change]] | None:
        with self._lock:
            if self._is_over or (self._sizes and time.monotonic() >= self._until):
                return None
            batch = next(self._batches, None)
            if batch is None:
                return None
            self._sizes.append(len(batch))
            return len(self._sizes) - 1, batch


def _batches(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Yield the changes in batches that, with the check of the fence, are no larger than a transaction."""
    batch: list[Change] = []
    size = _ROW_BYTES
    for change in changes:
        item = change.after or ""
        needed = _ROW_BYTES + (0 if is_large(item) else len(item))
        if batch and (len(batch) == MOST_ACTIONS - 1 or size + needed > MOST_BYTES):
            yield batch
            batch, size = [], _ROW_BYTES
        batch.append(change)
        size += needed
    if batch:
        yield batch
