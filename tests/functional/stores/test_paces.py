"""What those share that ask the same service in the same account and region, on moto."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from pageturner.stores import Stores
from tests.conftest import Aws
from tests.fakes import FakeDynamoDB, FakeS3, stores_in

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def stores_of(aws: Aws) -> Stores:
    return Stores({"s3": aws.s3, "dynamodb": aws.dynamodb}.__getitem__, aws.bucket, aws.items_table, aws.runs_table)


def test_moments_are_reserved_one_after_another_and_never_in_the_past(aws: Aws) -> None:
    paces = stores_of(aws).paces
    later = NOW + timedelta(seconds=60)
    found = [paces.reserve("s", 2, NOW, 1), paces.reserve("s", 0.5, NOW, 1), paces.reserve("s", 2, NOW, 1)]
    assert found == [NOW, NOW + timedelta(seconds=2), NOW + timedelta(seconds=2.5)]
    assert [paces.reserve("s", 1 / 3, later, 1) for _ in range(2)] == [later, later + timedelta(microseconds=333_333)]
    assert paces.reserve("other", 2, NOW, 1) == NOW


def test_moments_are_reserved_together(aws: Aws) -> None:
    paces = stores_of(aws).paces
    # Of a scope that is free, and of one that is not.
    found = [paces.reserve("s", 1 / 3, NOW, count) for count in (3, 6, 1)]
    assert found == [NOW, NOW + timedelta(seconds=1), NOW + timedelta(seconds=3)]


@pytest.mark.parametrize("count", [1, 5])
def test_no_two_reserve_the_same_moment(count: int) -> None:
    # moto's updates are not atomic.
    paces = stores_in(FakeS3(), FakeDynamoDB()).paces
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: paces.reserve("s", 1, NOW, count), range(40)))
    assert sorted(found) == [NOW + timedelta(seconds=count * number) for number in range(40)]


def test_throttling_is_heard_of_and_takes_no_moment(aws: Aws) -> None:
    paces = stores_of(aws).paces
    assert paces.throttled_at("s") == ""
    paces.throttle("s", NOW, "2026-11-26T12:00:00.000Z")
    assert paces.throttled_at("s") == "2026-11-26T12:00:00.000Z"
    assert paces.reserve("s", 1, NOW, 1) == NOW
    assert paces.throttled_at("s") == "2026-11-26T12:00:00.000Z"
    (row,) = aws.rows(aws.runs_table)
    assert 0 < int(row["expires_at"]["N"]) - NOW.timestamp() < 8 * 24 * 3600
