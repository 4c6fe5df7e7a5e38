"""What happens to the items in DynamoDB that a run no longer lists."""

from __future__ import annotations

from typing import Any

import pytest

from pageturner import clients
from pageturner.errors import AccessDeniedError
from pageturner.page_state import FROM_CHECKPOINT
from tests.conftest import Aws, Machines
from tests.runs_of_a_bucket import (
    CRAWL,
    KEYS,
    LATER,
    denied,
    entry,
    keys_in_dynamodb,
    run_again,
    target_of,
    verdict_of,
)


@pytest.mark.usefixtures("source")
def test_items_that_a_complete_listing_no_longer_has_are_removed(aws: Aws, machines: Machines) -> None:
    machines.run(aws, {"crawl": "c"})
    aws.s3.delete_object(Bucket="source", Key=KEYS[7])
    summary = run_again(aws, machines)
    assert keys_in_dynamodb(aws) == [key for key in KEYS if key != KEYS[7]]
    assert summary["stale_items"] == 1


@pytest.mark.usefixtures("source")
def test_stale_items_can_be_marked_and_lose_the_mark_when_they_are_seen(aws: Aws, machines: Machines) -> None:
    machines.run(aws, {"crawl": "c"})
    aws.s3.delete_object(Bucket="source", Key=KEYS[7])
    run_again(aws, machines, stale_items="mark")
    marked = {row["sk"]["S"]: row["stale_since"]["S"] for row in aws.rows(aws.items_table) if "stale_since" in row}
    assert marked == {KEYS[7]: LATER}
    aws.s3.put_object(Bucket="source", Key=KEYS[7], Body=b"x")
    machines.run(aws, {"crawl": "c"}, "execution-3")
    assert not [row for row in aws.rows(aws.items_table) if "stale_since" in row]


@pytest.mark.usefixtures("source")
def test_stale_items_can_be_kept(aws: Aws, machines: Machines) -> None:
    machines.run(aws, {"crawl": "c"})
    aws.s3.delete_object(Bucket="source", Key=KEYS[7])
    assert run_again(aws, machines, stale_items="keep")["outcome"] == "succeeded"
    assert keys_in_dynamodb(aws) == KEYS


@pytest.mark.usefixtures("source")
def test_a_listing_that_is_not_complete_removes_nothing(aws: Aws, machines: Machines) -> None:
    machines.run(aws, {"crawl": "c"})
    aws.s3.delete_object(Bucket="source", Key=KEYS[30])
    summary = run_again(aws, machines, pagination_config={"PageSize": 10, "MaxItems": 20})
    assert summary["targets"] == {"limited": 1}
    assert keys_in_dynamodb(aws) == KEYS


@pytest.mark.usefixtures("source")
def test_a_listing_that_began_at_a_token_removes_nothing_of_what_lies_before(aws: Aws, machines: Machines) -> None:
    machines.run(aws, {"crawl": "c"})
    config: Any = {"PageSize": 10, "MaxItems": 30}
    pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket="source", PaginationConfig=config)
    assert len(list(pages)) == 3
    machines.started_at = LATER
    asked = {"crawl": "c", "pagination_config": {"StartingToken": pages.resume_token}}
    summary = machines.run(aws, asked, "execution-2")
    assert (summary["targets"], summary["items"]) == ({"limited": 1}, len(KEYS) - 30)
    assert keys_in_dynamodb(aws) == KEYS


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("stale_items", "left"), [({}, KEYS), ({"stale_items": "remove"}, [KEYS[0], KEYS[10], KEYS[20], KEYS[30]])]
)
def test_a_run_of_other_items_than_the_catalogue_s_removes_none_of_those_unless_it_says_so(
    stale_items: dict[str, str], left: list[str], aws: Aws, machines: Machines
) -> None:
    machines.run(aws, {"crawl": "c"})
    machines.started_at = LATER
    summary = machines.run(aws, {"crawl": "c", "search": "Contents[:1]", **stale_items}, "execution-2")
    assert (summary["targets"], summary["items"]) == ({"complete": 1}, 4)
    assert keys_in_dynamodb(aws) == left


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("allow_empty", [False, True])
def test_an_empty_listing_removes_everything_only_where_the_crawl_says_so(
    allow_empty: bool, aws: Aws, machines: Machines
) -> None:
    machines.run(aws, {"crawl": "c"})
    for key in KEYS:
        aws.s3.delete_object(Bucket="source", Key=key)
    summary = run_again(aws, machines, allow_empty=allow_empty)
    assert keys_in_dynamodb(aws) == ([] if allow_empty else KEYS)
    assert bool(entry(aws, summary)["stale_items_kept_because"]) != allow_empty
    assert summary["targets"] == {"complete": 1}


@pytest.mark.usefixtures("source")
def test_a_sweep_goes_on_where_it_was_and_a_run_without_its_end_is_not_complete(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.run(aws, {"crawl": "c"})
    for key in KEYS[5:15]:
        aws.s3.delete_object(Bucket="source", Key=key)
    machines.started_at = LATER
    planned = machines.plan({"crawl": "c"}, "execution-2")
    target = target_of(aws, planned)
    end = machines.turn_all(planned, target)[-1]
    client = clients.client("dynamodb")
    whole = client.delete_item
    removed: list[str] = []

    def dies_at_the_fourth(**request: Any) -> Any:
        if len(removed) == 3:
            raise KeyboardInterrupt
        removed.append(request["Key"]["sk"]["S"])
        return whole(**request)

    with monkeypatch.context() as patch:
        patch.setattr(client, "delete_item", dies_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            machines.sweep(planned, target, end)
    summary = machines.finish(planned)
    assert summary["targets"] == {"unfinished": 1}
    assert "the sweep of its stale items is not finished" in summary["message"]
    resumed = machines.run(aws, {"resume": summary["run_id"]}, "execution-3")
    assert resumed["outcome"] == "succeeded"
    assert keys_in_dynamodb(aws) == [*KEYS[:5], *KEYS[15:]]


@pytest.mark.usefixtures("source")
def test_an_item_that_another_run_has_seen_meanwhile_is_not_removed(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.run(aws, {"crawl": "c"})
    aws.s3.delete_object(Bucket="source", Key=KEYS[7])
    client = clients.client("dynamodb")
    whole = client.delete_item

    def seen_just_before(**request: Any) -> Any:
        if request["Key"].get("sk") == {"S": KEYS[7]}:
            aws.dynamodb.update_item(
                TableName=aws.items_table,
                Key=request["Key"],
                UpdateExpression="SET fetched_at = :now",
                ExpressionAttributeValues={":now": {"S": "2199-01-01T00:00:00.000Z"}},
            )
        return whole(**request)

    monkeypatch.setattr(client, "delete_item", seen_just_before)
    run_again(aws, machines)
    assert keys_in_dynamodb(aws) == KEYS


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("tolerate", [["denied"], []])
def test_items_of_a_target_that_is_cut_short_are_told_apart_if_the_run_may_succeed_without_the_rest(
    tolerate: list[str], aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All items have the same size, which is the crawl's key."""
    machines.catalogue = {"c": {**CRAWL, "key": "Size", "tolerate": tolerate}}
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    place = machines.fetch(planned, target, machines.fetch(planned, target, FROM_CHECKPOINT))
    with monkeypatch.context() as patch:
        patch.setattr(clients.client("s3", "us-east-1"), "list_objects_v2", denied)
        with pytest.raises(AccessDeniedError):
            machines.fetch(planned, target, place)
    verdict_of(aws, planned, "denied", "AccessDeniedError", "denied")
    machines.sweep(planned, target, FROM_CHECKPOINT)
    assert len(aws.rows(aws.items_table)) == (20 if tolerate else 1)
    summary = machines.finish(planned)
    assert (summary["outcome"], summary["items"]) == ("succeeded" if tolerate else "failed", 20)
    if not tolerate:
        again = machines.plan({"resume": summary["run_id"]}, "execution-2")
        machines.sweep(again, target, machines.turn_all(again, target)[-1])
        assert len(aws.rows(aws.items_table)) == len(KEYS)
        assert machines.finish(again)["verdict"] == "complete"
