"""In-memory S3 and DynamoDB, with only what Pageturner asks of them: moto is too slow for thousands of schedules.

They are strict: a request that they do not know, an expression that they cannot parse, or a value that no expression
uses fails. `tests/contract/stores/test_fakes.py` compares them with moto.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from operator import itemgetter
from threading import RLock
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from pageturner.stores import Stores

_STATUS = {"NoSuchKey": 404, "404": 404, "PreconditionFailed": 412, "ConditionalRequestConflict": 409}
_STATUS |= {"InternalError": 500, "InternalServerError": 500, "SlowDown": 503, "AccessDenied": 403}


def client_error(code: str, operation: str, **more: Any) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": _STATUS.get(code, 400)},
        **more,
    }
    return ClientError(answer, operation)


def stores_in(s3: Any, dynamodb: Any) -> Stores:
    """Return the stores of a bucket and tables, reached through these clients."""
    clients = {"s3": s3, "dynamodb": dynamodb}
    return Stores(clients.__getitem__, "bucket", "items", "runs")


@dataclass(frozen=True)
class StoredObject:
    """An object in S3."""

    body: bytes
    metadata: Mapping[str, str]

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass
class FakeS3:
    """The objects of a bucket. A put may have ``IfNoneMatch="*"``, or `IfMatch` with an ETag."""

    objects: dict[str, StoredObject] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: Any,
        Metadata: Mapping[str, str] | None = None,
        ContentType: str = "",
        IfNoneMatch: str | None = None,
        IfMatch: str | None = None,
    ) -> dict[str, Any]:
        there = self.objects.get(Key)
        if IfNoneMatch is not None:
            assert IfNoneMatch == "*", "S3 knows no other"
            if there is not None:
                raise client_error("PreconditionFailed", "PutObject")
        if IfMatch is not None:
            if there is None:
                raise client_error("NoSuchKey", "PutObject")
            if there.etag != IfMatch:
                raise client_error("PreconditionFailed", "PutObject")
        put = StoredObject(Body if isinstance(Body, bytes) else Body.read(), dict(Metadata or {}))
        self.objects[Key] = put
        self.tags.pop(Key, None)
        return {"ETag": put.etag}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        found = self._object(Key, "NoSuchKey", "GetObject")
        body = StreamingBody(io.BytesIO(found.body), len(found.body))
        return {"Body": body, "Metadata": dict(found.metadata), "ETag": found.etag}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        found = self._object(Key, "404", "HeadObject")
        return {"ContentLength": len(found.body), "Metadata": dict(found.metadata), "ETag": found.etag}

    def delete_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self.objects.pop(Key, None)
        self.tags.pop(Key, None)
        return {}

    def put_object_tagging(self, *, Bucket: str, Key: str, Tagging: Mapping[str, Any]) -> dict[str, Any]:
        self._object(Key, "NoSuchKey", "PutObjectTagging")
        self.tags[Key] = {tag["Key"]: tag["Value"] for tag in Tagging["TagSet"]}
        return {}

    def _object(self, key: str, code: str, operation: str) -> StoredObject:
        if key not in self.objects:
            raise client_error(code, operation)
        return self.objects[key]


@dataclass
class FakePaginator:
    """Returns everything in a single page."""

    operation: Callable[..., dict[str, Any]]

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        yield self.operation(**request)


Row = dict[str, Any]
Table = dict[tuple[str, str], Row]


@dataclass
class FakeDynamoDB:
    """Tables with the keys `pk` and `sk`, and the requests that Pageturner sends to them."""

    tables: dict[str, Table] = field(default_factory=dict)
    created_at: dict[str, datetime] = field(default_factory=dict)
    # Requests of many threads are as atomic as DynamoDB's.
    _lock: Any = field(default_factory=RLock, repr=False)

    def _table(self, name: str) -> Table:
        return self.tables.setdefault(name, {})

    def put_item(self, *, TableName: str, Item: Row, **condition: Any) -> dict[str, Any]:
        self._write("PutItem", {"Put": {"TableName": TableName, "Item": Item, **condition}})
        return {}

    def update_item(
        self, *, TableName: str, Key: Row, UpdateExpression: str, ReturnValues: str = "NONE", **more: Any
    ) -> dict[str, Any]:
        assert ReturnValues in ("NONE", "UPDATED_NEW")
        request = {"TableName": TableName, "Key": Key, "UpdateExpression": UpdateExpression, **more}
        with self._lock:
            self._write("UpdateItem", {"Update": request})
            if ReturnValues == "NONE":
                return {}
            row = self._table(TableName)[_key_of({"Update": request})[1]]
        # Only what a SET names: nothing asks for more.
        names = re.findall(r"(\w+) =", UpdateExpression)
        return {"Attributes": {name: row[name] for name in names}}

    def delete_item(self, *, TableName: str, Key: Row, **condition: Any) -> dict[str, Any]:
        self._write("DeleteItem", {"Delete": {"TableName": TableName, "Key": Key, **condition}})
        return {}

    def describe_table(self, *, TableName: str) -> dict[str, Any]:
        return {"Table": {"CreationDateTime": self.created_at.get(TableName, datetime(2026, 1, 1, tzinfo=UTC))}}

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        assert 1 <= len(TransactItems) <= 100
        written = [(each, _key_of(each)) for each in TransactItems]
        if len({key for _, key in written}) < len(written):
            raise client_error("ValidationException", "TransactWriteItems")
        assert sum(_size_of(each) for each in TransactItems) <= 4 * 1024 * 1024
        with self._lock:
            hold = [self._holds(each) for each in TransactItems]
            if not all(hold):
                reasons = [{"Code": "None" if held else "ConditionalCheckFailed"} for held in hold]
                raise client_error("TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons)
            for each in TransactItems:
                self._apply(each)
        return {}

    def _write(self, operation: str, request: dict[str, Any]) -> None:
        _size_of(request)
        with self._lock:
            if not self._holds(request):
                raise client_error("ConditionalCheckFailedException", operation)
            self._apply(request)

    def _holds(self, request: dict[str, Any]) -> bool:
        table, key = _key_of(request)
        ((kind, body),) = request.items()
        unknown = set(body) - {"TableName", "Item", "Key", *_EXPRESSIONS}
        assert not unknown, f"{kind} with {unknown}"
        expressions = Expressions(body)
        held = expressions.holds(self._table(table).get(key, {}))
        expressions.check_used()
        return held

    def _apply(self, request: dict[str, Any]) -> None:
        name, key = _key_of(request)
        ((kind, body),) = request.items()
        table = self._table(name)
        if kind == "Put":
            table[key] = body["Item"]
        elif kind == "Delete":
            table.pop(key, None)
        elif kind == "Update":
            table[key] = Expressions(body).updated(table.get(key, body["Key"]))
        else:
            assert kind == "ConditionCheck", kind

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        for table, requests in RequestItems.items():
            assert 1 <= len(requests) <= 25
            for request in requests:
                ((kind, body),) = request.items()
                self._apply({kind.removesuffix("Request"): {"TableName": table, **body}})
        return {"UnprocessedItems": {}}

    def get_item(self, *, TableName: str, Key: Row, ConsistentRead: bool = False) -> dict[str, Any]:
        found = self._table(TableName).get((Key["pk"]["S"], Key["sk"]["S"]))
        return {} if found is None else {"Item": found}

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
        ConsistentRead: bool = False,
        ScanIndexForward: bool = True,
        Limit: int | None = None,
        ExclusiveStartKey: Row | None = None,
        **request: Any,
    ) -> dict[str, Any]:
        expressions = Expressions(request)
        start = None if ExclusiveStartKey is None else (ExclusiveStartKey["pk"]["S"], ExclusiveStartKey["sk"]["S"])
        rows = []
        name, equals, value, *_ = _tokens(request["KeyConditionExpression"])
        assert (name, equals) == ("pk", "=")
        partition = request["ExpressionAttributeValues"][value]["S"]
        found_in = [(key, row) for key, row in self._table(TableName).items() if key[0] == partition]
        for key, row in sorted(found_in, key=itemgetter(0), reverse=not ScanIndexForward):
            if start is not None and (key <= start if ScanIndexForward else key >= start):
                continue
            if expressions.holds(row, "KeyConditionExpression"):
                rows.append(row)
        if not rows:
            expressions.holds({"pk": {"S": ""}, "sk": {"S": ""}}, "KeyConditionExpression")
        expressions.check_used()
        items = [expressions.projected(row) for row in rows[:Limit]]
        found: dict[str, Any] = {"Items": items, "Count": len(items)}
        if Limit is not None and len(rows) >= Limit:
            found["LastEvaluatedKey"] = {name: rows[Limit - 1][name] for name in ("pk", "sk")}
        return found

    def get_paginator(self, operation: str) -> FakePaginator:
        return FakePaginator(getattr(self, operation))


def _key_of(request: Mapping[str, Any]) -> tuple[str, tuple[str, str]]:
    (body,) = request.values()
    key = body["Item"] if "Item" in body else body["Key"]
    for name, longest in (("pk", 2048), ("sk", 1024)):
        assert 0 < len(key[name]["S"].encode()) <= longest, f"DynamoDB accepts no such {name}"
    return body["TableName"], (key["pk"]["S"], key["sk"]["S"])


def _size_of(request: Mapping[str, Any]) -> int:
    """The size of the row that a request puts, as DynamoDB counts it: in UTF-8, with the names."""
    (body,) = request.values()
    row = body.get("Item", {})
    size = sum(len(f"{name}{value}".encode()) for name, typed in row.items() for value in typed.values())
    assert size <= 400 * 1024, "DynamoDB accepts no larger row"
    return size


# DynamoDB's expressions.

_EXPRESSIONS = ("ConditionExpression", "UpdateExpression", "ExpressionAttributeNames", "ExpressionAttributeValues")
_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),+-]|[#:]?\w+)")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: bool(one == other),
    "<>": lambda one, other: bool(one != other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}


@cache
def _tokens(text: str) -> tuple[str, ...]:
    assert _TOKEN.sub("", text).strip() == "", text
    return tuple(_TOKEN.findall(text))


class Expressions:
    """The expressions of a request, evaluated for a row (an empty one if there is none)."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._request = request
        self._names: Mapping[str, str] = request.get("ExpressionAttributeNames", {})
        self._values: Mapping[str, Any] = request.get("ExpressionAttributeValues", {})
        self._row: Mapping[str, Any] = {}
        self._left: list[str] = []

    def check_used(self) -> None:
        """DynamoDB refuses names and values that no expression uses."""
        used = {token for name, text in self._request.items() if name.endswith("Expression") for token in _tokens(text)}
        unused = (set(self._names) | set(self._values)) - used
        assert not unused, f"no expression uses {unused}"

    def holds(self, row: Mapping[str, Any], expression: str = "ConditionExpression") -> bool:
        """Whether a condition holds."""
        if expression not in self._request:
            return True
        self._row, self._left = row, list(_tokens(self._request[expression]))
        held = self._or()
        assert not self._left, self._left
        return held

    def projected(self, row: Row) -> Row:
        """The attributes of a row that a query asks for."""
        if "ProjectionExpression" not in self._request:
            return row
        names = [self._name(token) for token in _tokens(self._request["ProjectionExpression"]) if token != ","]
        return {name: row[name] for name in names if name in row}

    def updated(self, row: Row) -> Row:
        """The row after an update."""
        self._row, self._left = row, list(_tokens(self._request["UpdateExpression"]))
        changed = dict(row)
        while self._left:
            clause = self._left.pop(0)
            assert clause in ("SET", "REMOVE", "ADD", "DELETE"), clause
            while True:
                self._change(clause, changed)
                if self._left[:1] != [","]:
                    break
                self._left.pop(0)
        return changed

    def _change(self, clause: str, changed: Row) -> None:
        name = self._name(self._left.pop(0))
        if clause == "SET":
            self._take("=")
            changed[name] = self._sum()
        elif clause == "REMOVE":
            changed.pop(name, None)
        else:
            value = self._operand()
            ((kind, new),) = value.items()
            old = changed.get(name, {kind: "0" if kind == "N" else []})[kind]
            if clause == "ADD" and kind == "N":
                changed[name] = {"N": str(int(old) + int(new))}
                return
            assert kind == "SS", kind
            left = sorted(set(old) | set(new) if clause == "ADD" else set(old) - set(new))
            changed[name] = {"SS": left}
            if not left:
                del changed[name]

    def _sum(self) -> Any:
        value = self._operand()
        if value is None:  # the attribute is not there
            raise client_error("ValidationException", "UpdateItem")
        while self._left[:1] in (["+"], ["-"]):
            sign = 1 if self._left.pop(0) == "+" else -1
            value = {"N": str(int(value["N"]) + sign * int(self._operand()["N"]))}
        return value

    def _or(self) -> bool:
        held = self._and()
        while self._left[:1] == ["OR"]:
            self._left.pop(0)
            held = self._and() or held
        return held

    def _and(self) -> bool:
        held = self._not()
        while self._left[:1] == ["AND"]:
            self._left.pop(0)
            held = self._not() and held
        return held

    def _not(self) -> bool:
        if self._left[0] == "NOT":
            self._left.pop(0)
            return not self._not()
        if self._left[0] == "(":
            self._left.pop(0)
            held = self._or()
            self._take(")")
            return held
        if self._left[1] == "(" and self._left[0] != "if_not_exists":
            return self._function()
        value = self._operand()
        operator = self._left.pop(0)
        if operator == "IN":
            self._take("(")
            others = [self._operand()]
            while self._left.pop(0) == ",":
                others.append(self._operand())
            return value in others
        other = self._operand()
        if operator == "BETWEEN":
            self._take("AND")
            least, most = _comparable(other), _comparable(self._operand())
            return value is not None and bool(least <= _comparable(value) <= most)
        if value is None or other is None or value.keys() != other.keys():
            return operator == "<>"
        return _COMPARE[operator](*(_comparable(each) for each in (value, other)))

    def _function(self) -> bool:
        function = self._left.pop(0)
        self._take("(")
        value = self._operand()
        if function in ("attribute_exists", "attribute_not_exists"):
            self._take(")")
            return (value is not None) is (function == "attribute_exists")
        self._take(",")
        other = self._operand()
        self._take(")")
        if value is None:
            return False
        ((_, one),), ((_, part),) = value.items(), other.items()
        if function == "begins_with":
            return bool(one.startswith(part))
        assert function == "contains", function
        return part in one

    def _operand(self) -> Any:
        token = self._left.pop(0)
        if token.startswith(":"):
            return self._values[token]
        if token != "if_not_exists":
            return self._row.get(self._name(token))
        self._take("(")
        value = self._operand()
        self._take(",")
        default = self._operand()
        self._take(")")
        return default if value is None else value

    def _name(self, token: str) -> str:
        assert re.fullmatch(r"#?\w+", token), token
        return self._names[token] if token.startswith("#") else token

    def _take(self, token: str) -> None:
        found = self._left.pop(0)
        assert found == token, f"{found} instead of {token}"


def _comparable(value: Mapping[str, Any]) -> Any:
    ((kind, plain),) = value.items()
    return int(plain) if kind == "N" else plain
