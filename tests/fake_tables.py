"""Pageturner's own tables in moto's AWS, kept by the fake: the tests of whole runs ask them most, and moto is slow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from botocore import xform_name
from botocore.exceptions import ClientError
from moto.core.models import botocore_stubber

from tests.fakes import FakeDynamoDB

Response = tuple[int, Mapping[str, str], bytes]


@contextmanager
def fake_tables(*names: str) -> Iterator[None]:
    """Let these tables be the fake's. All of botocore is at work, as with moto, which has all other tables."""
    tables = _Tables()
    moto = botocore_stubber.process_request

    def process_request(request: Any) -> Any:
        service, _, operation = request.headers.get("X-Amz-Target", b"").decode().partition(".")
        if service == "DynamoDB_20120810":
            asked = json.loads(request.body)
            if _table_of(asked) in names:
                return tables.respond(operation, asked)
        return moto(request)

    with patch.object(botocore_stubber, "process_request", process_request):
        yield


def _table_of(asked: Mapping[str, Any]) -> Any:
    """A table that a request names. Those that name several name only Pageturner's."""
    actions = [action for each in asked.get("TransactItems", []) for action in each.values()]
    return next(iter(asked.get("RequestItems", {})), None) or (actions or [asked])[0].get("TableName")


class _Tables:
    def __init__(self) -> None:
        self._fake = FakeDynamoDB()

    def respond(self, operation: str, asked: dict[str, Any]) -> Response:
        """Return the status, headers and body of a response."""
        # Of what botocore and the meter of publishing add, moto answers only how much was consumed.
        for name in ("ClientRequestToken", "ReturnConsumedCapacity"):
            asked.pop(name, None)
        own = {"CreateTable": self._create_table, "Scan": self._scan}
        do: Callable[..., Any] = own.get(operation) or getattr(self._fake, xform_name(operation))
        try:
            status, answer = 200, do(**asked)
        except ClientError as error:
            status, answer = 400, {**error.response, "__type": error.response["Error"]["Code"]}
            answer["message"] = answer.pop("Error")["Message"]
            del answer["ResponseMetadata"]
        return status, {}, json.dumps(answer, default=datetime.timestamp).encode()

    def _create_table(self, TableName: str, **_: Any) -> dict[str, Any]:
        self._fake.tables[TableName] = {}
        self._fake.created_at[TableName] = datetime.now(UTC)
        return {}

    def _scan(self, TableName: str) -> dict[str, Any]:
        return {"Items": list(self._fake.tables.get(TableName, {}).values())}
