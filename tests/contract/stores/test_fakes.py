"""The fakes behave like moto for the calls that Pageturner makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from pageturner.page_state import Place, Run, Target
from pageturner.stores.checkpoints import CheckpointStore, PageRecord
from pageturner.stores.item_table import ItemTable, Seen
from pageturner.stores.listing_fences import ListingFences
from pageturner.stores.page_store import Facts, PageStore
from pageturner.stores.run_table import RunTable
from tests.conftest import Aws
from tests.fakes import FakeDynamoDB, FakeS3

RUN = Run("run-2", "2026-01-01", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", 0)
TARGET = Target("t", "1", "us-east-1", {})
FACTS = Facts("token", None, 1, {"Count": 1})


@pytest.fixture(params=["moto", "fake"])
def clients(request: pytest.FixtureRequest, _no_account: None) -> Iterator[tuple[Any, Any]]:
    if request.param == "fake":
        yield FakeS3(), FakeDynamoDB()
        return
    with mock_aws():
        aws = Aws()
        yield aws.s3, aws.dynamodb


def record(
    key: str, run_id: str = RUN.run_id, pass_number: int = 1, fetched_at: str = "2026-01-01T01"
) -> dict[str, Any]:
    about = {
        "crawl": "c",
        "run_id": run_id,
        "account": "1",
        "region": "r",
        "target": "t",
        "page": 1,
        "pass": pass_number,
    }
    return {**about, "result_key": "Contents", "key": key, "fetched_at": fetched_at, "item": f'"{key}"'}


def open_fence(dynamodb: Any) -> Any:
    return ListingFences(RunTable(dynamodb, "runs")).check(RUN, "c", TARGET, 2)


def test_the_first_page_wins(clients: tuple[Any, Any]) -> None:
    store = PageStore(clients[0], "items-bucket")
    first = store.commit(RUN, "c", TARGET, Place(), [record("a")], FACTS)
    second = store.commit(RUN, "c", TARGET, Place(), [record("b")], Facts("other", None, 1, {}))
    assert second == replace(first, is_repeat=True)
    assert first == store.read(first.key)


def test_checkpoints(clients: tuple[Any, Any]) -> None:
    checkpoints = CheckpointStore(RunTable(clients[1], "runs"))
    assert checkpoints.checkpoint(RUN, TARGET.target_id) is None
    for pass_number, page in [(1, 1), (1, 2), (1, 10), (1, 3)]:
        place = Place(pass_number=pass_number, page=page + 1)
        checkpoints.record_page(RUN, PageRecord("t", pass_number, page, 1, 1, "k", place))
    assert checkpoints.checkpoint(RUN, TARGET.target_id) == Place(pass_number=1, page=11)
    checkpoints.begin_pass(RUN, TARGET, Place(pass_number=2))
    assert checkpoints.checkpoint(RUN, TARGET.target_id) == Place(pass_number=2)
    assert checkpoints.checkpoint(RUN, "t2") is None


OLDER = replace(RUN, run_id="run-1", started_at="2025-12-31T00:00:00.000Z")
NEWER = replace(RUN, run_id="run-3", started_at="2026-01-01T01:00:00.000Z")


def test_sweeps_and_fences(clients: tuple[Any, Any]) -> None:
    store, items = PageStore(clients[0], "items-bucket"), ItemTable(clients[1], "items")
    fences = ListingFences(RunTable(clients[1], "runs"))

    def put(run: Run, pass_number: int, *names: str) -> bool:
        lines = [record(name, run.run_id, pass_number) for name in names]
        page = store.commit(run, "c", TARGET, Place(pass_number=pass_number), lines, FACTS)
        return items.project(page, TARGET, ["Contents"], run, fences.check(run, "c", TARGET, pass_number))

    def left() -> dict[str, str]:
        answer = clients[1].query(
            TableName="items",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "c#t"}},
        )
        return {row["sk"]["S"]: row["run_id"]["S"] for row in answer["Items"]}

    assert put(NEWER, 1, "both", "newer")
    assert put(RUN, 2, "both", "seen")
    assert put(RUN, 1, "seen", "abandoned")
    assert put(OLDER, 9, "both", "seen", "stale")
    everyone = {"both": "run-3", "newer": "run-3", "seen": "run-2", "abandoned": "run-2", "stale": "run-1"}
    assert left() == everyone, "a row goes only to a newer run or pass"
    assert items.has_any("c", TARGET)
    assert fences.put_up(RUN, "c", TARGET, 2)
    passes = {TARGET.target_id: 2}
    assert items.sweep("c", TARGET, RUN, passes, None, "keep") == Seen(None, stale=2, others=3, own=1, apart=0)
    assert items.sweep("c", TARGET, RUN, passes, None, "remove") == Seen(None, stale=2, others=3, own=1, apart=0)
    # Whoever is behind the fence is late.
    late = [put(OLDER, 10, "stale"), put(RUN, 1, "abandoned"), put(RUN, 2, "seen")]
    assert late == [False, False, False]
    assert left() == {"both": "run-3", "newer": "run-3", "seen": "run-2"}
    assert not fences.put_up(OLDER, "c", TARGET, 1)
    assert put(RUN, 3, "later pass")
    assert put(NEWER, 2, "both")
    assert fences.put_up(RUN, "c", TARGET, 2), "as often as one likes"


def test_items_that_share_a_key_are_told_apart(clients: tuple[Any, Any]) -> None:
    store, items, check = PageStore(clients[0], "items-bucket"), ItemTable(clients[1], "items"), open_fence(clients[1])
    lines = [{**record("k"), "item": f'"{n}"'} for n in range(3)] + [record("alone")]
    pages = [
        store.commit(RUN, "c", TARGET, Place(page=number), [line], FACTS) for number, line in enumerate(lines, start=1)
    ]
    for page in pages:
        assert items.project(page, TARGET, ["Contents"], RUN, check)
    passes = {TARGET.target_id: 1}
    # Twice: a page can be repeated.
    for page in [*pages, *pages]:
        assert items.tell_apart(page, TARGET, ["Contents"], RUN, passes, lambda _: False, check)
    assert items.sweep("c", TARGET, RUN, passes, None, "remove") == Seen(None, stale=0, others=4, own=4, apart=3)


def test_a_condition_that_does_not_hold(clients: tuple[Any, Any]) -> None:
    clients[1].put_item(TableName="items", Item={"pk": {"S": "p"}, "sk": {"S": "s"}, "fetched_at": {"S": "1"}})
    with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
        clients[1].delete_item(
            TableName="items",
            Key={"pk": {"S": "p"}, "sk": {"S": "s"}},
            ConditionExpression="fetched_at = :seen",
            ExpressionAttributeValues={":seen": {"S": "2"}},
        )
