"""What becomes of the items table when it is told what a publication changed."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageturner.errors import SinkError
from pageturner.stores.item_rows import Change, ListingRow, Row
from pageturner.stores.keys import sort_key
from pageturner.stores.publishing_fences import LANES
from tests.conftest import Aws
from tests.fakes import FakeDynamoDB, client_error
from tests.published_items import (
    CRAWL,
    SINCE,
    Refusing,
    cancelled,
    fences_of,
    gone,
    listed,
    table_of,
    unfenced_table_of,
)

MARKING = replace(CRAWL, stale_items="mark")
EXPIRING = replace(MARKING, time_to_live=30)
KEEPING = replace(CRAWL, stale_items="keep")


@pytest.fixture
def fake() -> FakeDynamoDB:
    return FakeDynamoDB()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each wait would have been."""
    found: list[float] = []
    monkeypatch.setattr("pageturner.stores.transactions.time.sleep", found.append)
    return found


def rows(aws: Aws) -> dict[str, Mapping[str, Any]]:
    """The rows of items, by sort key."""
    return {
        row["sk"]["S"]: {name: next(iter(value.values())) for name, value in row.items()}
        for row in aws.rows(aws.items_table)
    }


def names(fake: FakeDynamoDB) -> list[str]:
    return sorted(name for _, name in fake.tables.get("items", {}))


def test_the_row_of_an_item(aws: Aws) -> None:
    assert table_of(aws.dynamodb).tell(CRAWL, 1, [listed("a")], 0, SINCE)
    assert rows(aws)["a"] == {
        "pk": "roles#l1",
        "sk": "a",
        "crawl": "roles",
        "account": "111111111111",
        "region": "eu-west-1",
        "target": "t1",
        "result_key": "Roles",
        "key": "a",
        "item": '{"RoleName":"r"}',
        "hash": "0123456789abcdef",
        "run_id": "run-2",
        "first_seen": "2026-01-01T00:00:00Z",
        "last_changed": "2026-01-02T00:00:00Z",
        "fetched_at": "2026-01-02T01:00:00Z",
        "page_object": "items/page",
        "publication": "1",
    }


def test_items_that_are_gone_are_removed_and_others_stay(aws: Aws) -> None:
    table = table_of(aws.dynamodb)
    assert table.tell(CRAWL, 1, [listed("a"), listed("b"), listed("c", listing="l2")], 0, SINCE)
    assert table.tell(CRAWL, 1, [gone("a"), gone("absent"), listed("b", "[]"), gone("c")], 0, SINCE)
    assert {name: row["item"] for name, row in rows(aws).items()} == {"b": "[]", "c": '{"RoleName":"r"}'}


def test_items_that_are_gone_are_marked_until_they_are_listed_again(aws: Aws) -> None:
    table = table_of(aws.dynamodb)
    assert table.tell(MARKING, 1, [listed("a"), listed("b")], 0, SINCE)
    before = rows(aws)
    assert table.tell(MARKING, 1, [gone("a"), gone("absent"), gone("b")], 0, SINCE)
    assert rows(aws) == {name: {**row, "stale_since": SINCE} for name, row in before.items()}
    assert table.tell(MARKING, 1, [gone("a"), listed("b")], 0, "2026-01-03T00:00:00.000Z")
    assert rows(aws) == {"a": {**before["a"], "stale_since": SINCE}, "b": before["b"]}, "the first mark stays"


def test_marked_items_expire_if_the_crawl_says_so(aws: Aws) -> None:
    table = table_of(aws.dynamodb)
    assert table.tell(EXPIRING, 1, [listed("a"), listed("b")], 0, SINCE)
    assert table.tell(EXPIRING, 1, [gone("a")], 0, SINCE)
    expires_at = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp())
    assert {name: row.get("expires_at") for name, row in rows(aws).items()} == {"a": str(expires_at), "b": None}
    assert table.tell(EXPIRING, 1, [listed("a")], 0, SINCE)
    assert "expires_at" not in rows(aws)["a"]


def test_items_that_are_gone_are_kept_if_the_crawl_says_so(aws: Aws) -> None:
    table = table_of(aws.dynamodb)
    assert table.tell(KEEPING, 1, [listed("a")], 0, SINCE)
    before = rows(aws)
    assert table.tell(KEEPING, 1, [gone("a"), listed("b")], 0, SINCE)
    assert rows(aws)["a"] == before["a"]
    assert set(rows(aws)) == {"a", "b"}


@pytest.mark.parametrize(("size", "is_there"), [(384 * 1024, True), (384 * 1024 + 1, False), (6 * 1024 * 1024, False)])
def test_an_item_that_is_too_large_is_left_in_s3(aws: Aws, size: int, is_there: bool) -> None:
    table = table_of(aws.dynamodb)
    longest = "k" * 1024
    text = f'"{"x" * (size - 2)}"'
    large = listed(longest, text, listing="l" * 32, page_object="p" * 1024, parent="r" * 8 * 1024)
    assert table.tell(EXPIRING, 1, [large], 0, SINCE)
    row = rows(aws)[longest]
    assert row["parent"] == "r" * 8 * 1024
    assert row.get("item") == (text if is_there else None)
    assert (row["page_object"], row["hash"]) == ("p" * 1024, "0123456789abcdef")
    assert table.tell(EXPIRING, 1, [gone(longest, listing="l" * 32)], 0, SINCE), "there is room for the marks"


def test_a_parent_that_is_too_large_is_left_in_s3(aws: Aws) -> None:
    assert table_of(aws.dynamodb).tell(CRAWL, 1, [listed("a", parent="r" * (8 * 1024 + 1))], 0, SINCE)
    assert "parent" not in rows(aws)["a"]


def test_the_largest_items_do_not_fit_into_a_transaction(fake: FakeDynamoDB) -> None:
    """The fake refuses transactions and rows that are larger than DynamoDB accepts."""
    changes = [listed(f"{n:0>1024}", f'"{"x" * (384 * 1024 - 2)}"', page_object="p" * 1024) for n in range(12)]
    counting = Refusing(fake, {})
    assert table_of(counting).tell(CRAWL, 1, changes, 0, SINCE)
    assert (len(names(fake)), counting.requests) == (12, 1 + 2)


@pytest.mark.parametrize("name", ["", "x" * 2048, "\ud800", "é" * 512, "é" * 513, "#", "a#b", "sha256:"])
def test_every_name_is_a_sort_key(aws: Aws, name: str) -> None:
    table = table_of(aws.dynamodb)
    assert table.tell(CRAWL, 1, [listed(name), listed("b")], 0, SINCE)
    assert len(rows(aws)) == 2
    assert table.tell(CRAWL, 1, [gone(name)], 0, SINCE)
    assert list(rows(aws)) == ["b"]


def test_many_changes_take_many_transactions_and_can_be_repeated(fake: FakeDynamoDB) -> None:
    counting = Refusing(fake, {})
    table = table_of(counting)
    changes = [listed(f"{n:03}") for n in range(250)]
    assert table.tell(CRAWL, 1, changes, 0, SINCE)
    assert counting.requests == 1 + 3
    there = dict(fake.tables["items"])
    assert table.tell(CRAWL, 1, changes[100:], 3, SINCE)
    assert fake.tables["items"] == there
    assert table.tell(CRAWL, 1, [*map(gone, names(fake)[:120]), gone("absent")], 0, SINCE)
    assert names(fake) == [f"{n:03}" for n in range(120, 250)]


def test_the_last_of_two_changes_of_an_item_counts(fake: FakeDynamoDB) -> None:
    table = table_of(fake)
    assert table.tell(CRAWL, 1, [gone("a"), listed("b"), listed("a"), gone("b")], 0, SINCE)
    assert names(fake) == ["a"]


def test_whoever_is_late_changes_nothing(fake: FakeDynamoDB) -> None:
    table, fences = table_of(fake, publication=2), fences_of(fake)
    assert table.tell(CRAWL, 2, [listed("a")], 0, SINCE)
    assert table.tell_listings("roles", 2, {"l1": ListingRow("1", "r")}, {})
    there = dict(fake.tables["items"])
    assert not fences.put_up("roles", 1)
    for lane in range(LANES):
        for late in ([listed("a", "[]")], [gone("a")], [listed(f"b{n}") for n in range(200)]):
            for crawl in (CRAWL, EXPIRING):
                assert not table.tell(crawl, 1, late, lane, SINCE)
            assert table.tell_in_parallel(CRAWL, 1, late, SINCE, 60, [lane]) is None
        assert not table.tell_listings("roles", 1, {"l2": ListingRow("1", "r")}, {}, lane)
        assert not table.tell_listings("roles", 1, {}, {"l1": ListingRow("1", "r")}, lane)
    assert fake.tables["items"] == there


def test_without_its_own_fence_a_publication_writes_nothing(fake: FakeDynamoDB) -> None:
    """If it did, the one before could still write behind it."""
    table = unfenced_table_of(fake)
    assert not table.tell(CRAWL, 1, [listed("a")], 0, SINCE)
    assert fences_of(fake).put_up("roles", 1)
    assert not table.tell(CRAWL, 2, [listed("a")], 0, SINCE)
    assert names(fake) == []


def test_a_fence_can_be_put_up_as_often_as_one_likes_and_is_that_of_one_crawl(fake: FakeDynamoDB) -> None:
    fences = fences_of(fake)
    assert [fences.put_up("roles", number) for number in (1, 1, 10, 9, 10)] == [True, True, True, False, True]
    assert fences.put_up("users", 2)
    table = unfenced_table_of(fake)
    assert table.tell(CRAWL, 10, [listed("a")], LANES - 1, SINCE)
    assert not table.tell(CRAWL, 2, [listed("b")], 0, SINCE)


def test_a_fence_that_meets_a_transaction_is_put_up_later(fake: FakeDynamoDB, waits: list[float]) -> None:
    conflict = cancelled(*["None"] * (LANES - 1), "TransactionConflict")
    fences = fences_of(Refusing(fake, {1: conflict, 2: conflict}))
    assert fences.put_up("roles", 1)
    assert len(waits) == 2


def test_conflicts_are_tried_again(fake: FakeDynamoDB, waits: list[float]) -> None:
    """The fence's transaction is the first."""
    conflict = cancelled("TransactionConflict", "None", "None")
    table = table_of(Refusing(fake, dict.fromkeys(range(2, 14), conflict)))
    assert table.tell(CRAWL, 1, [listed("a"), listed("b")], 0, SINCE)
    assert names(fake) == ["a", "b"]
    assert (len(waits), all(wait <= 1 for wait in waits)) == (12, True)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (cancelled("None", "ThrottlingError"), "ThrottlingError"),
        (cancelled("ProvisionedThroughputExceeded", "None"), "ProvisionedThroughputExceeded"),
        (cancelled("TransactionConflict", "ThrottlingError"), "ThrottlingError, TransactionConflict"),
        (cancelled("TransactionConflict", "None"), "TransactionConflict"),
        (cancelled("None", "ValidationError"), "ValidationError"),
        (client_error("ThrottlingException", "TransactWriteItems"), "ThrottlingException"),
        (client_error("ValidationException", "TransactWriteItems"), "ValidationException"),
        (client_error("TransactionCanceledException", "TransactWriteItems"), "TransactionCanceled"),
    ],
)
def test_what_dynamodb_refuses_is_an_error_of_the_sink(
    fake: FakeDynamoDB, waits: list[float], answer: BaseException, message: str
) -> None:
    table = table_of(Refusing(fake, dict.fromkeys(range(2, 50), answer)))
    with pytest.raises(SinkError, match=f"could not write items to table items: .*{message}"):
        table.tell(CRAWL, 1, [listed("a")], 0, SINCE)
    assert names(fake) == []


def test_a_transaction_that_is_refused_as_a_whole_is_halved(fake: FakeDynamoDB) -> None:
    class Small(Refusing):
        def transact_write_items(self, *, TransactItems: Sequence[Any]) -> Any:
            if sum("Delete" in action for action in TransactItems) > 10:
                raise client_error("ValidationException", "TransactWriteItems")
            return super().transact_write_items(TransactItems=TransactItems)

    table = table_of(Small(fake, {}))
    everything = [f"{n:02}" for n in range(98)]
    assert table.tell(CRAWL, 1, [*map(listed, everything)], 0, SINCE)
    assert table.tell(CRAWL, 1, [*map(gone, everything[1:])], 0, SINCE)
    assert names(fake) == everything[:1]


def test_a_lost_answer_does_no_harm(fake: FakeDynamoDB) -> None:
    lost = client_error("InternalServerError", "TransactWriteItems")
    table = table_of(Refusing(fake, {2: lost, 3: lost}, after=True))
    for _ in range(2):
        with pytest.raises(SinkError, match="InternalServerError"):
            table.tell(CRAWL, 1, [listed("a"), gone("b")], 0, SINCE)
    assert table.tell(CRAWL, 1, [listed("a"), gone("b")], 0, SINCE)
    assert names(fake) == ["a"]


# Many workers.


def test_many_workers_tell_everything(fake: FakeDynamoDB) -> None:
    table = table_of(fake)
    taken: list[int] = []

    def changes() -> Iterator[Change]:
        for n in range(3000):
            taken.append(threading.get_ident())
            yield listed(f"{n:04}")

    assert table.tell_in_parallel(CRAWL, 1, changes(), SINCE, 60, range(LANES)) == 3000
    assert names(fake) == [f"{n:04}" for n in range(3000)]
    assert table.tell_in_parallel(CRAWL, 1, [], SINCE, 60, range(LANES)) == 0


def test_each_worker_takes_a_lane_of_its_own(fake: FakeDynamoDB) -> None:
    """So their checks do not get in each other's way: as many requests as lanes meet here."""
    meeting, lanes = threading.Barrier(LANES), set()

    class Meeting(Refusing):
        def transact_write_items(self, *, TransactItems: Sequence[Any]) -> Any:
            if "ConditionCheck" in TransactItems[0]:
                lanes.add(TransactItems[0]["ConditionCheck"]["Key"]["sk"]["S"])
                meeting.wait(timeout=20)
            return super().transact_write_items(TransactItems=TransactItems)

    table = table_of(Meeting(fake, {}))
    told = table.tell_in_parallel(CRAWL, 1, [listed(f"{n:04}") for n in range(99 * LANES)], SINCE, 60, range(LANES))
    assert (told, len(lanes)) == (99 * LANES, LANES)


def test_with_one_lane_there_is_no_other_thread(fake: FakeDynamoDB) -> None:
    threads = set()

    class Noting(Refusing):
        def transact_write_items(self, *, TransactItems: Sequence[Any]) -> Any:
            threads.add(threading.current_thread())
            return super().transact_write_items(TransactItems=TransactItems)

    table = table_of(Noting(fake, {}))
    assert table.tell_in_parallel(CRAWL, 1, [listed(f"{n:04}") for n in range(500)], SINCE, 60, [5]) == 500
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize(("seconds", "told"), [(0.0, 99), (2.5, 297), (60.0, 500)])
def test_nothing_is_taken_once_the_time_is_over(
    fake: FakeDynamoDB, monkeypatch: pytest.MonkeyPatch, seconds: float, told: int
) -> None:
    table = table_of(fake)
    monkeypatch.setattr(time, "monotonic", itertools.count(100.0).__next__)
    changes = [listed(f"{n:04}") for n in range(500)]
    assert table.tell_in_parallel(CRAWL, 1, changes, SINCE, seconds, [0]) == told
    assert len(names(fake)) == told


class Killed(BaseException):
    """The function's process was killed."""


@pytest.mark.parametrize("lanes", [range(1), range(4)])
def test_what_is_applied_is_counted_from_the_beginning(fake: FakeDynamoDB, lanes: range) -> None:
    """The third batch fails until a later call; batches behind it may be applied by then."""

    class Failing(Refusing):
        def transact_write_items(self, *, TransactItems: Sequence[Any]) -> Any:
            if any(action.get("Put", {}).get("Item", {}).get("sk") == {"S": "0200"} for action in TransactItems):
                time.sleep(0.05)  # so that others are ahead
                raise cancelled("ThrottlingError")
            return super().transact_write_items(TransactItems=TransactItems)

    failing = Failing(fake, {})
    table = table_of(failing)
    changes = [listed(f"{n:04}") for n in range(1000)]
    assert table.tell_in_parallel(CRAWL, 1, changes, SINCE, 60, lanes) == 198
    assert names(fake)[:198] == [f"{n:04}" for n in range(198)]
    with pytest.raises(SinkError, match="ThrottlingError"):
        table.tell_in_parallel(CRAWL, 1, changes[198:], SINCE, 60, lanes)
    assert table_of(fake).tell_in_parallel(CRAWL, 1, changes[198:], SINCE, 60, lanes) == 802
    assert names(fake) == [f"{n:04}" for n in range(1000)]


def test_one_that_fails_stops_the_others(fake: FakeDynamoDB) -> None:
    failing = Refusing(fake, {4: cancelled("ThrottlingError")})
    endless = (listed(f"{n:08}") for n in itertools.count())
    with suppress(SinkError):  # the batch that fails may be the first
        table_of(failing).tell_in_parallel(CRAWL, 1, endless, SINCE, 5, range(4))
    assert failing.requests < 100


@pytest.mark.parametrize("lanes", [range(1), range(4)])
@pytest.mark.parametrize("nth", [2, 3, 5])
def test_a_kill_or_an_unexpected_error_surfaces(fake: FakeDynamoDB, lanes: range, nth: int) -> None:
    table = table_of(Refusing(fake, {nth: Killed()}))
    with pytest.raises(Killed):
        table.tell_in_parallel(CRAWL, 1, [listed(f"{n:04}") for n in range(500)], SINCE, 60, lanes)


@pytest.mark.parametrize("lanes", [range(1), range(4)])
def test_an_error_where_the_changes_come_from_surfaces(fake: FakeDynamoDB, lanes: range) -> None:
    def changes() -> Iterator[Change]:
        yield from [listed(f"{n:04}") for n in range(150)]
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        table_of(fake).tell_in_parallel(CRAWL, 1, changes(), SINCE, 60, lanes)


def test_a_newer_publication_stops_the_workers_of_an_older_one(fake: FakeDynamoDB) -> None:
    table, fences = table_of(fake), fences_of(fake)

    def changes() -> Iterator[Change]:
        for n in range(2000):
            if n == 500:
                assert fences.put_up("roles", 2)
            yield listed(f"{n:04}")

    assert table.tell_in_parallel(CRAWL, 1, changes(), SINCE, 60, range(4)) is None
    assert len(names(fake)) < 500


def test_two_that_tell_the_same_publication_at_once(fake: FakeDynamoDB) -> None:
    """One of them was given up, and still works."""
    changes = [listed(f"{n:04}") if n % 3 else gone(f"{n:04}") for n in range(1000)]
    table = table_of(fake)
    assert table.tell(CRAWL, 1, [listed(f"{n:04}", "[]") for n in range(0, 1000, 2)], 0, SINCE)
    tellers = [
        threading.Thread(target=table.tell_in_parallel, args=(CRAWL, 1, changes, SINCE, 60, range(4))) for _ in range(2)
    ]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join()
    assert names(fake) == [change.name for change in changes if change.after is not None]
    assert {row["item"]["S"] for row in fake.tables["items"].values()} == {'{"RoleName":"r"}'}


# What is there.


def test_rows_that_are_there(aws: Aws) -> None:
    """Of all pages of the answer, and of rows that earlier versions of Pageturner wrote."""
    table = table_of(aws.dynamodb)
    large = f'"{"x" * 100_000}"'
    assert table.tell(MARKING, 1, [listed(f"{n:02}", large) for n in range(30)], 0, SINCE)
    assert table.tell(MARKING, 1, [gone("07"), listed("07", listing="l11")], 0, SINCE)
    aws.dynamodb.put_item(
        TableName=aws.items_table,
        Item={
            "pk": {"S": "roles#l1"},
            "sk": {"S": "Groups#old"},
            "key": {"S": "old"},
            "result_key": {"S": "Groups"},
            "version": {"S": "v"},
        },
    )
    found = list(table.rows_there("roles", "l1"))
    assert [row.name for row in found] == [*(f"{n:02}" for n in range(30)), "Groups#old"]
    assert found[6:8] == [
        Row("06", "06", "Roles", "0123456789abcdef", is_stale=False),
        Row("07", "07", "Roles", "0123456789abcdef", is_stale=True),
    ]
    assert found[-1] == Row("Groups#old", "old", "Groups", "", is_stale=False)
    assert list(table.rows_there("roles", "l")) == []


def test_listings_that_are_there(aws: Aws) -> None:
    table = table_of(aws.dynamodb)
    listings = {f"l{n:03}": ListingRow("1", "eu-west-1", {"Bucket": f"b{n}", "N": [n]}) for n in range(150)}
    assert table.tell_listings("roles", 1, listings, {})
    assert table.tell(CRAWL, 1, [listed("a", listing="l001")], 0, SINCE)
    assert dict(table.listings_there("roles")) == listings
    assert dict(table.listings_there("role")) == {}
    some = dict(list(listings.items())[:110])
    assert table.tell_listings("roles", 1, {"other": ListingRow("2", "", {})}, some)
    left = dict(table.listings_there("roles"))
    assert left == {**{name: of for name, of in listings.items() if name not in some}, "other": ListingRow("2", "", {})}


def test_what_is_there_is_what_was_told_last() -> None:
    class Consistent(FakeDynamoDB):
        def query(self, *, ConsistentRead: bool = False, **request: Any) -> dict[str, Any]:
            return super().query(**request) if ConsistentRead else {"Items": []}

    table = table_of(Consistent())
    assert table.tell(CRAWL, 1, [listed("a")], 0, SINCE)
    assert table.tell_listings("roles", 1, {"l1": ListingRow("1", "r")}, {})
    assert [row.name for row in table.rows_there("roles", "l1")] == ["a"]
    assert [listing_id for listing_id, _ in table.listings_there("roles")] == ["l1"]


def test_a_table_that_was_created_anew_is_another(aws: Aws) -> None:
    table = table_of(aws.dynamodb)
    first = table.table_id()
    assert table.table_id() == first
    described = aws.dynamodb.describe_table(TableName=aws.items_table)["Table"]
    aws.dynamodb.delete_table(TableName=aws.items_table)
    with pytest.raises(SinkError, match="could not describe table items"):
        table.table_id()
    aws.dynamodb.create_table(
        TableName=aws.items_table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=described["KeySchema"],
        AttributeDefinitions=described["AttributeDefinitions"],
    )
    assert table.table_id() != first


@pytest.mark.parametrize("read", ["rows_there", "listings_there"])
def test_a_table_that_cannot_be_read_is_an_error_of_the_sink(aws: Aws, read: str) -> None:
    aws.dynamodb.delete_table(TableName=aws.items_table)
    table = table_of(aws.dynamodb)
    with pytest.raises(SinkError, match="could not read table items"):
        list(table.rows_there("roles", "l1") if read == "rows_there" else table.listings_there("roles"))


# Any history.

NAMES = ["", "a", "a#1", "b", "\ud800", "x" * 1100]
CHANGES = st.tuples(st.sampled_from(NAMES), st.sampled_from(["l1", "l2"]), st.sampled_from([None, '"1"', '"2"']))


@given(
    publications=st.lists(st.lists(CHANGES, max_size=8, unique_by=lambda change: change[:2]), min_size=1, max_size=4),
    kills=st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=6),
    crawl=st.sampled_from([CRAWL, EXPIRING, KEEPING]),
    batch=st.integers(2, 4),
)
def test_any_history_of_kills_and_repeats_comes_to_the_same_table(
    publications: list[list[tuple[str, str, str | None]]],
    kills: list[tuple[int, bool]],
    crawl: Any,
    batch: int,
) -> None:
    """Each publication is told until nobody is killed any more; whoever tells an older one then is late."""
    fake = FakeDynamoDB()
    expected: dict[tuple[str, str], tuple[str, bool]] = {}
    to_come = list(kills)
    for number, publication in enumerate(publications, start=1):
        changes = [
            gone(name, listing=listing) if after is None else listed(name, after, listing=listing)
            for name, listing, after in publication
        ]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pageturner.stores.item_table.MOST_ACTIONS", batch)
            told = 0
            while True:
                nth, after = to_come.pop() if to_come else (0, False)
                dying = Refusing(fake, {nth: Killed()}, after=after)
                try:
                    table = table_of(dying, crawl, number)
                    told += table.tell_in_parallel(crawl, number, changes[told:], SINCE, 0, [number % LANES]) or 0
                except Killed:
                    continue
                if told == len(changes):
                    break
        for name, listing, item in publication:
            if item is not None:
                expected[name, listing] = (item, False)
            elif (name, listing) in expected:
                if crawl is CRAWL:
                    del expected[name, listing]
                elif crawl is EXPIRING:
                    expected[name, listing] = (expected[name, listing][0], True)
        late = unfenced_table_of(fake)
        assert not late.tell(crawl, number - 1, [listed("late"), *map(listed, NAMES)], 0, SINCE)
        found = {
            (row["key"]["S"], row["pk"]["S"].removeprefix("roles#")): (row["item"]["S"], "stale_since" in row)
            for row in fake.tables.get("items", {}).values()
        }
        assert found == {(sort_key(name), listing): what for (name, listing), what in expected.items()}
        assert all(("expires_at" in row) is ("stale_since" in row) for row in fake.tables.get("items", {}).values())
