"""In-memory S3 and DynamoDB, with only what pages and sweeps need: moto is too slow for thousands of schedules.

`tests/contract/stores/test_fakes.py` compares them with moto.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from pageturner.stores import Stores


def client_error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


def stores_in(s3: Any, dynamodb: Any) -> Stores:
    """Return the stores of a bucket and tables, reached through these clients."""
    clients = {"s3": s3, "dynamodb": dynamodb}
    return Stores(clients.__getitem__, "bucket", "items", "runs")


@dataclass
class FakeS3:
    """`put_object` with ``IfNoneMatch="*"``, and `get_object`."""

    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)

    def put_object(
        self, *, Bucket: str, Key: str, Body: bytes, Metadata: dict[str, str] | None = None, **more: Any
    ) -> dict[str, Any]:
        if more.get("IfNoneMatch") == "*" and Key in self.objects:
            raise client_error("PreconditionFailed", "PutObject")
        self.objects[Key] = (Body, Metadata or {})
        return {}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        body, metadata = self.objects[Key]
        return {"Body": io.BytesIO(body), "Metadata": metadata}


@dataclass
class FakePaginator:
    """Returns everything in a single page."""

    operation: Callable[..., dict[str, Any]]

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        return [self.operation(**request)]


@dataclass
class FakeDynamoDB:
    """Tables with the keys `pk` and `sk`, and the requests that Pageturner sends to them."""

    tables: dict[str, dict[tuple[str, str], dict[str, Any]]] = field(default_factory=dict)

    def _table(self, name: str) -> dict[tuple[str, str], dict[str, Any]]:
        return self.tables.setdefault(name, {})

    def put_item(
        self, *, TableName: str, Item: dict[str, Any], ConditionExpression: str = "", **_: Any
    ) -> dict[str, Any]:
        key = Item["pk"]["S"], Item["sk"]["S"]
        there = self._table(TableName).get(key)
        # "attribute_not_exists(pk)", or that "OR started_at <= :started_at"
        newer = (
            there is not None
            and "started_at" in ConditionExpression
            and there["started_at"]["S"] > Item["started_at"]["S"]
        )
        if newer or (there is not None and ConditionExpression and "started_at" not in ConditionExpression):
            raise client_error("ConditionalCheckFailedException", "PutItem")
        self._table(TableName)[key] = Item
        return {}

    def get_item(self, *, TableName: str, Key: dict[str, Any], **_: Any) -> dict[str, Any]:
        found = self._table(TableName).get((Key["pk"]["S"], Key["sk"]["S"]))
        return {} if found is None else {"Item": found}

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        for table, requests in RequestItems.items():
            for request in requests:
                self.put_item(TableName=table, Item=request["PutRequest"]["Item"])
        return {"UnprocessedItems": {}}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        return {
            "Responses": {
                table: [
                    row
                    for key in asked["Keys"]
                    if (row := self._table(table).get((key["pk"]["S"], key["sk"]["S"]))) is not None
                ]
                for table, asked in RequestItems.items()
            },
            "UnprocessedKeys": {},
        }

    def query(
        self,
        *,
        TableName: str,
        ExpressionAttributeValues: dict[str, Any],
        ScanIndexForward: bool = True,
        Limit: int | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        values = {name: next(iter(value.values())) for name, value in ExpressionAttributeValues.items()}
        rows = [
            row
            for (pk, sk), row in sorted(self._table(TableName).items())
            if pk == values[":pk"] and sk.startswith(values.get(":sk", ""))
        ]
        if not ScanIndexForward:
            rows.reverse()
        return {"Items": rows[:Limit]}

    def get_paginator(self, operation: str) -> FakePaginator:
        return FakePaginator(getattr(self, operation))

    def delete_item(
        self, *, TableName: str, Key: dict[str, Any], ExpressionAttributeValues: dict[str, Any], **_: Any
    ) -> dict[str, Any]:
        key = Key["pk"]["S"], Key["sk"]["S"]
        row = self._table(TableName).get(key)
        if row is None or row["fetched_at"] != ExpressionAttributeValues[":seen"]:
            raise client_error("ConditionalCheckFailedException", "DeleteItem")
        del self._table(TableName)[key]
        return {}
