"""Deliberate breaks of the code: what a fence, a condition or a wait is for, without it.

Most leave out a condition where it reaches the service, so that they do not know how the code is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fakes import FakeDynamoDB, FakeS3

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Break:
    """A break, and seeds of schedules that are known to show it; it counts only if one of the first `within` does."""

    name: str
    patch: Patch
    seeds: Iterable[int] = ()
    within: int = 300


def put_without_condition(part_of_key: str) -> Patch:
    """S3 puts these objects whatever is there."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = FakeS3.put_object

        def put_object(self: FakeS3, **request: Any) -> Any:
            if part_of_key in request["Key"]:
                request = {name: value for name, value in request.items() if name not in ("IfNoneMatch", "IfMatch")}
            return whole(self, **request)

        monkeypatch.setattr(FakeS3, "put_object", put_object)

    return patch


def write_without_condition(table: str, of: Callable[[str, str], bool], *kinds: str) -> Patch:
    """DynamoDB writes these rows, by partition and sort key, whatever is there."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = FakeDynamoDB._holds

        def holds(self: FakeDynamoDB, request: dict[str, Any]) -> bool:
            ((kind, body),) = request.items()
            key = body["Item"] if "Item" in body else body["Key"]
            if body["TableName"] == table and kind in kinds and of(key["pk"]["S"], key["sk"]["S"]):
                return True
            return whole(self, request)

        monkeypatch.setattr(FakeDynamoDB, "_holds", holds)

    return patch


def replaced(where: Any, name: str, value: Any) -> Patch:
    """Something of the code is replaced."""
    return lambda monkeypatch: monkeypatch.setattr(where, name, value)
