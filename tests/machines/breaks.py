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


def write_without_condition(partition: str, record: str, kind: str) -> Patch:
    """DynamoDB writes the rows whose keys begin so, whatever is there."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = FakeDynamoDB._holds

        def holds(self: FakeDynamoDB, request: dict[str, Any]) -> bool:
            if kind in request:
                key = request[kind]["Item"] if "Item" in request[kind] else request[kind]["Key"]
                if key["pk"]["S"].startswith(partition) and key["sk"]["S"].startswith(record):
                    return True
            return whole(self, request)

        monkeypatch.setattr(FakeDynamoDB, "_holds", holds)

    return patch


def replaced(name: str, value: Any) -> Patch:
    """Something of the code is replaced."""
    return lambda monkeypatch: monkeypatch.setattr(name, value)
