"""What happens to published items that a run no longer lists."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from pageturner import clients
from pageturner.errors import AccessDeniedError
from pageturner.page_state import FROM_CHECKPOINT
from tests.conftest import Aws, Machines
from tests.published import changes_of, finish_and_publish, in_dynamodb, in_table, published, run_and_publish
from tests.runs_of_a_bucket import CRAWL, KEYS, LATER, UNORDERED, denied, run_again, target_of, verdict_of

pytestmark = pytest.mark.usefixtures("source", "_one_connection")
MUCH_LATER = "2127-02-01T00:00:00.000Z"
BEGINS = {"pass_number": 2, "page": 1, "next": "begin_pass"}


def publish_again(aws: Aws, machines: Machines, **changes: Any) -> dict[str, Any]:
    return machines.publish(run_again(aws, machines, **changes), "execution-2")


def publish_once_more(aws: Aws, machines: Machines, **asked: Any) -> dict[str, Any]:
    machines.started_at = MUCH_LATER
    return machines.publish(machines.run(aws, {"crawl": "c", **asked}, "execution-3"), "execution-3")


def delete(aws: Aws, *keys: str) -> None:
    for key in keys:
        aws.s3.delete_object(Bucket="source", Key=key)


def put(aws: Aws, *keys: str) -> None:
    aws.put_objects("source", keys)


def turn_all(aws: Aws, machines: Machines, planned: Mapping[str, Any]) -> None:
    for target in aws.json(planned["targets"]["key"]):
        machines.turn_all(planned, target)


def marked(aws: Aws) -> dict[str, str]:
    return {name: row["stale_since"] for (_, name), row in in_dynamodb(aws).items() if "stale_since" in row}


@pytest.mark.usefixtures("_either_way")
def test_items_that_a_complete_listing_no_longer_has_are_removed(aws: Aws, machines: Machines) -> None:
    assert changes_of(run_and_publish(aws, machines)) == (35, 0, 0)
    assert published(aws) == KEYS
    delete(aws, KEYS[7])
    assert changes_of(publish_again(aws, machines)) == (0, 0, 1)
    assert published(aws) == [key for key in KEYS if key != KEYS[7]]


def test_stale_items_can_be_marked_and_lose_the_mark_when_they_are_seen(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    delete(aws, KEYS[7])
    assert changes_of(publish_again(aws, machines, stale_items="mark")) == (0, 0, 1)
    assert marked(aws) == {KEYS[7]: LATER}
    assert published(aws) == [key for key in KEYS if key != KEYS[7]]
    # It has been stale since then.
    assert changes_of(publish_once_more(aws, machines)) == (0, 0, 0)
    assert marked(aws) == {KEYS[7]: LATER}
    put(aws, KEYS[7])
    machines.started_at = "2127-03-01T00:00:00.000Z"
    summary = machines.publish(machines.run(aws, {"crawl": "c"}, "execution-4"), "execution-4")
    assert changes_of(summary) == (1, 0, 0)
    assert marked(aws) == {}
    assert published(aws) == KEYS


def test_marked_items_expire_unless_they_are_seen_again(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    delete(aws, *KEYS[7:9])
    publish_again(aws, machines, stale_items="mark", time_to_live=3)
    ends = int((datetime.fromisoformat(LATER) + timedelta(days=3)).timestamp())

    def expiring() -> dict[str, str]:
        return {name: row["expires_at"] for (_, name), row in in_dynamodb(aws).items() if "expires_at" in row}

    assert expiring() == {KEYS[7]: str(ends), KEYS[8]: str(ends)}
    put(aws, KEYS[7])
    publish_once_more(aws, machines)
    assert expiring() == {KEYS[8]: str(ends)}
    assert set(marked(aws)) == {KEYS[8]}


@pytest.mark.parametrize("then", ["remove", "mark"])
def test_stale_items_can_be_kept_until_the_crawl_says_otherwise(then: str, aws: Aws, machines: Machines) -> None:
    """Only DynamoDB keeps them: the table has what the last listing has."""
    run_and_publish(aws, machines)
    delete(aws, KEYS[7])
    assert publish_again(aws, machines, stale_items="keep")["outcome"] == "succeeded"
    left = [key for key in KEYS if key != KEYS[7]]
    assert sorted(name for _, name in in_table(aws)) == left
    assert sorted(name for _, name in in_dynamodb(aws)) == KEYS
    assert marked(aws) == {}
    machines.catalogue = {"c": {**CRAWL, "stale_items": then}}
    assert changes_of(publish_once_more(aws, machines)) == (0, 0, 0)
    assert published(aws) == left
    assert marked(aws) == ({KEYS[7]: MUCH_LATER} if then == "mark" else {})


def test_a_listing_that_is_limited_adds_and_removes_nothing(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    delete(aws, KEYS[5], KEYS[30])
    put(aws, "key-000a")
    summary = publish_again(aws, machines, pagination_config={"PageSize": 10, "MaxItems": 20})
    assert (summary["targets"], changes_of(summary)) == ({"limited": 1}, (1, 0, 0))
    assert published(aws) == sorted([*KEYS, "key-000a"])
    # The next complete listing says what is there.
    machines.catalogue = {"c": CRAWL}
    assert changes_of(publish_once_more(aws, machines)) == (0, 0, 2)
    assert published(aws) == sorted({*KEYS, "key-000a"} - {KEYS[5], KEYS[30]})


def test_a_limited_listing_is_published_where_nothing_was(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": {**CRAWL, "pagination_config": {"PageSize": 10, "MaxItems": 20}}}
    assert changes_of(run_and_publish(aws, machines)) == (20, 0, 0)
    assert published(aws) == KEYS[:20]


def test_a_listing_that_began_at_a_token_removes_nothing_of_what_lies_before(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    config: Any = {"PageSize": 10, "MaxItems": 30}
    pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket="source", PaginationConfig=config)
    assert len(list(pages)) == 3
    summary = publish_once_more(aws, machines, pagination_config={"StartingToken": pages.resume_token})
    assert (summary["targets"], summary["items"]) == ({"limited": 1}, len(KEYS) - 30)
    assert changes_of(summary) == (0, 0, 0)
    assert published(aws) == KEYS


@pytest.mark.parametrize(
    ("stale_items", "left"), [({}, KEYS), ({"stale_items": "remove"}, [KEYS[0], KEYS[10], KEYS[20], KEYS[30]])]
)
def test_a_run_of_other_items_than_the_catalogue_s_removes_none_of_those_unless_it_says_so(
    stale_items: dict[str, str], left: list[str], aws: Aws, machines: Machines
) -> None:
    run_and_publish(aws, machines)
    machines.started_at = LATER
    asked = {"crawl": "c", "search": "Contents[:1]", **stale_items}
    summary = machines.publish(machines.run(aws, asked, "execution-2"), "execution-2")
    assert (summary["targets"], summary["items"], changes_of(summary)) == ({"complete": 1}, 4, (0, 0, 0))
    assert ("to publish it, set stale_items" in summary["message"]) == (not stale_items)
    assert published(aws) == left
    publish_once_more(aws, machines)
    assert published(aws) == KEYS


@pytest.mark.parametrize("allow_empty", [False, True])
def test_an_empty_listing_removes_everything_only_where_the_crawl_says_so(
    allow_empty: bool, aws: Aws, machines: Machines
) -> None:
    run_and_publish(aws, machines)
    delete(aws, *KEYS)
    summary = publish_again(aws, machines, allow_empty=allow_empty)
    assert summary["targets"] == {"complete": 1}
    assert published(aws) == ([] if allow_empty else KEYS)
    assert ("to publish it, set allow_empty: true" in summary["message"]) != allow_empty
    # What there is again is published as usual.
    put(aws, "new")
    assert changes_of(publish_once_more(aws, machines)) == (1, 0, 0 if allow_empty else 35)
    assert published(aws) == ["new"]


def test_an_empty_listing_is_published_where_nothing_was(aws: Aws, machines: Machines) -> None:
    delete(aws, *KEYS)
    summary = run_and_publish(aws, machines)
    assert (changes_of(summary), summary["published"]["kept"]) == ((0, 0, 0), {})
    assert published(aws) == []
    put(aws, KEYS[0])
    assert changes_of(publish_again(aws, machines)) == (1, 0, 0)


def test_errors_that_the_crawl_ignores_keep_what_may_be_beside_them(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = ["a", "b"]
    failures: list[Any] = []

    def list_group_resources(**_: Any) -> dict[str, Any]:
        resources = [{"Identifier": {"ResourceArn": name}} for name in listed]
        return {"Resources": resources, "QueryErrors": failures}

    monkeypatch.setattr(clients.client("resource-groups", "us-east-1"), "list_group_resources", list_group_resources)
    group = {"service": "resource-groups", "operation": "list_group_resources", "parameters": {"Group": "g"}}
    ignoring = {**group, "result_key": "Resources", "ignore_errors": ["CLOUDFORMATION_STACK_INACTIVE"]}
    machines.catalogue = {"c": {**ignoring, "key": "Identifier.ResourceArn"}}
    run_and_publish(aws, machines)
    listed[:] = ["b", "c"]
    failures.append({"ErrorCode": "CLOUDFORMATION_STACK_INACTIVE", "Message": "m"})
    machines.started_at = LATER
    summary = machines.publish(machines.run(aws, {"crawl": "c"}, "execution-2"), "execution-2")
    assert (summary["targets"], changes_of(summary)) == ({"complete": 1}, (1, 0, 0))
    assert published(aws) == ["a", "b", "c"]
    failures.clear()
    assert changes_of(publish_once_more(aws, machines)) == (0, 0, 1)
    assert published(aws) == ["b", "c"]


@pytest.mark.parametrize("tolerate", [["denied"], []])
def test_a_listing_that_is_cut_short_is_not_published_even_if_the_run_succeeds_without_the_rest(
    tolerate: list[str], aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_and_publish(aws, machines)
    delete(aws, KEYS[0])
    machines.catalogue = {"c": {**CRAWL, "tolerate": tolerate}}
    machines.started_at = LATER
    planned = machines.plan({"crawl": "c"}, "execution-2")
    target = target_of(aws, planned)
    place = machines.fetch(planned, target, FROM_CHECKPOINT)
    with monkeypatch.context() as patch:
        patch.setattr(clients.client("s3", "us-east-1"), "list_objects_v2", denied)
        with pytest.raises(AccessDeniedError):
            machines.fetch(planned, target, place)
    verdict_of(aws, planned, "denied", "AccessDeniedError", "denied")
    summary = finish_and_publish(machines, planned)
    assert (summary["outcome"], summary["items"]) == ("succeeded" if tolerate else "failed", 10)
    assert changes_of(summary) == (0, 0, 0)
    assert published(aws) == KEYS
    # Resumed, it is complete.
    if not tolerate:
        again = machines.plan({"resume": summary["run_id"]}, "execution-3")
        turn_all(aws, machines, again)
        assert changes_of(finish_and_publish(machines, again)) == (0, 0, 1)
        assert published(aws) == KEYS[1:]


def test_an_endless_listing_is_not_published(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    delete(aws, KEYS[0])
    summary = publish_again(aws, machines, max_pages=2)
    assert (summary["targets"], changes_of(summary)) == ({"endless": 1}, (0, 0, 0))
    assert published(aws) == KEYS


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("by_the_next_run", [False, True])
def test_publishing_that_is_cut_off_goes_on_where_it_was(
    by_the_next_run: bool, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_and_publish(aws, machines)
    delete(aws, *KEYS[5:15])
    second = run_again(aws, machines)
    client = clients.client("dynamodb")
    whole = client.transact_write_items

    def dies_as_it_removes(**request: Any) -> Any:
        if any("Delete" in action for action in request["TransactItems"]):
            raise KeyboardInterrupt
        return whole(**request)

    with monkeypatch.context() as patch:
        patch.setattr(client, "transact_write_items", dies_as_it_removes)
        with pytest.raises(KeyboardInterrupt):
            machines.publish(second, "execution-2")
    left = [*KEYS[:5], *KEYS[15:]]
    assert sorted(name for _, name in in_table(aws)) == left
    assert sorted(name for _, name in in_dynamodb(aws)) == KEYS
    if by_the_next_run:
        delete(aws, KEYS[0])
        machines.started_at, left = MUCH_LATER, left[1:]
        third = machines.run(aws, {"crawl": "c", "overlap": "allow"}, "execution-3")
        assert changes_of(machines.publish(third, "execution-3")) == (0, 0, 1)
    assert changes_of(machines.publish(second, "execution-2")) == (0, 0, 10)
    assert published(aws) == left


# Several passes


def test_pages_of_an_earlier_pass_are_not_published(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": UNORDERED}
    run_and_publish(aws, machines)
    machines.started_at = LATER
    planned = machines.plan({"crawl": "c"}, "execution-2")
    target = target_of(aws, planned)
    machines.fetch(planned, target, FROM_CHECKPOINT)
    delete(aws, KEYS[0])
    machines.fetch(planned, target, BEGINS)
    # Late duplicates, before and after the end.
    machines.fetch(planned, target, {"page": 1})
    machines.turn_all(planned, target)
    machines.fetch(planned, target, {"page": 1})
    summary = finish_and_publish(machines, planned)
    assert (summary["restarts"], changes_of(summary)) == (1, (0, 0, 1))
    assert published(aws) == KEYS[1:]


def test_a_later_pass_of_the_same_run_takes_the_place_of_an_earlier_one(aws: Aws, machines: Machines) -> None:
    """A record of a page is lost, and the run is resumed in another pass."""
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    machines.turn_all(planned, target)
    for row in aws.rows(aws.runs_table):
        if row["sk"]["S"].endswith("#00000002"):
            aws.dynamodb.delete_item(TableName=aws.runs_table, Key={name: row[name] for name in ("pk", "sk")})
    first = finish_and_publish(machines, planned)
    assert (first["targets"], changes_of(first)) == ({"unfinished": 1}, (0, 0, 0))
    assert in_dynamodb(aws) == {}
    delete(aws, KEYS[0])
    resumed = machines.plan({"resume": first["run_id"]}, "execution-2")
    assert machines.turn_all(resumed, target)[-1]["pass_number"] == 2
    assert changes_of(finish_and_publish(machines, resumed)) == (34, 0, 0)
    assert published(aws) == KEYS[1:]
    # Its first execution comes late, and says what the run has come to.
    assert changes_of(machines.publish(first)) == (34, 0, 0)
    assert published(aws) == KEYS[1:]


# Split listings


@pytest.mark.usefixtures("_either_way")
def test_the_parts_of_a_listing_are_published_together_or_not_at_all(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    delete(aws, KEYS[0], KEYS[-1])
    machines.catalogue = {"c": {**CRAWL, "split": 3}}
    machines.started_at = LATER
    planned = machines.plan({"crawl": "c"}, "execution-2")
    targets = aws.json(planned["targets"]["key"])
    assert len(targets) > 1
    for target in targets[:-1]:
        machines.turn_all(planned, target)
    first = finish_and_publish(machines, planned)
    assert first["targets"] == {"complete": len(targets) - 1, "unfinished": 1}
    assert changes_of(first) == (0, 0, 0)
    assert published(aws) == KEYS
    resumed = machines.plan({"resume": first["run_id"]}, "execution-3")
    turn_all(aws, machines, resumed)
    assert changes_of(finish_and_publish(machines, resumed)) == (0, 0, 2)
    assert published(aws) == KEYS[1:-1]
    # Whether it is split, and how, makes no other listing of it.
    machines.catalogue = {"c": CRAWL}
    assert changes_of(publish_once_more(aws, machines)) == (0, 0, 0)
    assert published(aws) == KEYS[1:-1]


# Runs that overlap


def planned_twice(aws: Aws, machines: Machines, **of_newer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Publish `KEYS`, list them by an older run, and list them without the first, and with a new one, by a newer."""
    machines.catalogue = {"c": {**CRAWL, "overlap": "allow"}}
    run_and_publish(aws, machines)
    machines.started_at = LATER
    older = machines.plan({"crawl": "c"}, "execution-2")
    turn_all(aws, machines, older)
    delete(aws, KEYS[0])
    put(aws, "key-000a")
    machines.started_at = MUCH_LATER
    newer = machines.plan({"crawl": "c", **of_newer}, "execution-3")
    turn_all(aws, machines, newer)
    return older, newer


AFTER_BOTH = sorted([*KEYS[1:], "key-000a"])


def test_an_older_run_that_is_published_last_takes_nothing_back(aws: Aws, machines: Machines) -> None:
    older, newer = planned_twice(aws, machines)
    assert changes_of(finish_and_publish(machines, newer)) == (1, 0, 1)
    summary = finish_and_publish(machines, older)
    assert (summary["verdict"], changes_of(summary)) == ("complete", (0, 0, 0))
    assert "a later run has published it" in summary["message"]
    assert published(aws) == AFTER_BOTH
    assert {row["run_id"] for row in in_table(aws).values()} == {newer["run"]["run_id"]}


def test_an_older_run_that_is_published_first_is_replaced(aws: Aws, machines: Machines) -> None:
    older, newer = planned_twice(aws, machines)
    assert changes_of(finish_and_publish(machines, older)) == (0, 0, 0)
    assert published(aws) == KEYS
    assert changes_of(finish_and_publish(machines, newer)) == (1, 0, 1)
    assert published(aws) == AFTER_BOTH


def test_an_older_complete_run_leaves_what_a_newer_limited_one_has_added(aws: Aws, machines: Machines) -> None:
    older, newer = planned_twice(aws, machines, pagination_config={"MaxItems": 10})
    assert changes_of(finish_and_publish(machines, newer)) == (1, 0, 0)
    assert changes_of(finish_and_publish(machines, older)) == (0, 0, 0)
    assert published(aws) == sorted([*KEYS, "key-000a"])


def test_an_older_limited_run_adds_nothing_to_a_newer_complete_one(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": {**CRAWL, "overlap": "allow"}}
    run_and_publish(aws, machines)
    machines.started_at = LATER
    older = machines.plan({"crawl": "c", "pagination_config": {"MaxItems": 10}}, "execution-2")
    turn_all(aws, machines, older)
    delete(aws, KEYS[0])
    assert changes_of(publish_once_more(aws, machines)) == (0, 0, 1)
    summary = finish_and_publish(machines, older)
    assert (summary["targets"], changes_of(summary)) == ({"limited": 1}, (0, 0, 0))
    assert published(aws) == KEYS[1:]


def test_an_older_run_that_is_resumed_brings_nothing_back(aws: Aws, machines: Machines) -> None:
    older = machines.plan({"crawl": "c"}, "older")
    machines.fetch(older, target_of(aws, older), FROM_CHECKPOINT)
    machines.stop("older")
    delete(aws, *KEYS[:3])
    machines.started_at = LATER
    newer = machines.run(aws, {"crawl": "c"}, "newer")
    assert changes_of(machines.publish(newer, "newer")) == (32, 0, 0)
    resumed = machines.plan({"resume": older["run"]["run_id"]}, "resumed")
    turn_all(aws, machines, resumed)
    summary = finish_and_publish(machines, resumed)
    assert (summary["verdict"], summary["items"], changes_of(summary)) == ("complete", 35, (0, 0, 0))
    assert published(aws) == KEYS[3:]
