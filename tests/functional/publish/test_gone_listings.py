"""Published listings that a complete run no longer has: a deleted bucket, an account that left, a region taken out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from pageturner import clients
from pageturner.errors import AccessDeniedError
from pageturner.page_state import FROM_CHECKPOINT, utc_text
from pageturner.plan import places
from tests.conftest import ACCOUNT, Aws, Machines
from tests.published import changes_of, finish_and_publish, in_dynamodb, in_table, published
from tests.runs_of_a_bucket import denied

pytestmark = pytest.mark.usefixtures("_one_connection")
BUCKETS: dict[str, Any] = {
    "service": "s3",
    "operation": "list_buckets",
    "key": "Name",
    "search": "Buckets[?starts_with(Name, 'source')]",
}
OBJECTS: dict[str, Any] = {
    "service": "s3",
    "operation": "list_objects_v2",
    "key": "Key",
    "for_each": {"crawl": "buckets", "parameters": {"Bucket": "item.Name"}},
}
VPCS: dict[str, Any] = {"service": "ec2", "operation": "describe_vpcs", "key": "VpcId"}
ALL = {"source-a": 2, "source-b": 2, "source-c": 2}


@pytest.fixture
def source(aws: Aws, machines: Machines) -> None:
    """Three buckets with two objects each, and crawls of them."""
    for bucket in ALL:
        create_bucket(aws, bucket, 2)
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS}


def create_bucket(aws: Aws, bucket: str, objects: int = 1) -> None:
    aws.s3.create_bucket(Bucket=bucket)
    aws.put_objects(bucket, [f"{bucket}/{number}" for number in range(objects)])


def delete_bucket(aws: Aws, bucket: str) -> None:
    for key in aws.object_keys_of(bucket):
        aws.s3.delete_object(Bucket=bucket, Key=key)
    aws.s3.delete_bucket(Bucket=bucket)


def on_day(machines: Machines, day: int) -> str:
    """Begin later runs on this day, and return the name of an execution."""
    machines.started_at = f"2126-03-{day:02}T00:00:00.000Z"
    return f"execution-{day}"


def list_buckets(aws: Aws, machines: Machines, day: int) -> str:
    """List the buckets on a day, and return the name of an execution."""
    execution = on_day(machines, day)
    machines.run(aws, {"crawl": "buckets"}, f"{execution}-buckets")
    return execution


def run(aws: Aws, machines: Machines, day: int, **asked: Any) -> dict[str, Any]:
    """Run a crawl, and publish it."""
    execution = on_day(machines, day)
    return machines.publish(machines.run(aws, asked, execution), execution)


def crawl_all(aws: Aws, machines: Machines, day: int) -> dict[str, Any]:
    """List the buckets, list their objects, and publish these."""
    list_buckets(aws, machines, day)
    return run(aws, machines, day, crawl="objects")


def turn(machines: Machines, planned: Mapping[str, Any], targets: list[dict[str, Any]]) -> None:
    for target in targets:
        machines.turn_all(planned, target)


def targets_of(aws: Aws, planned: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(aws.json(planned["targets"]["key"]))


def items(aws: Aws, crawl: str = "objects") -> dict[str, int]:
    """The number of published items of each bucket, or region."""
    assert published(aws, crawl)
    rows = in_table(aws, crawl).values()
    return dict(Counter(row["key"].partition("/")[0] if crawl == "objects" else row["region"] for row in rows))


def listings_there(aws: Aws, crawl: str = "objects") -> set[str]:
    return {row["listing_id"]["S"] for row in aws.rows(aws.items_table) if row["pk"]["S"] == crawl}


def gone(summary: Mapping[str, Any]) -> tuple[int, int, list[str]]:
    """How many listings and items are gone, and why listings are not published."""
    found = summary["published"]
    return found.get("gone_listings", 0), found["gone"], list(found["kept"])


@pytest.mark.usefixtures("source", "_either_way")
def test_the_items_of_a_bucket_that_was_deleted_are_removed(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOST_ROWS", "3")
    first = crawl_all(aws, machines, 1)
    assert gone(first) == (0, 0, [])
    assert len(listings_there(aws)) == 3
    delete_bucket(aws, "source-b")
    second = crawl_all(aws, machines, 2)
    assert items(aws) == {"source-a": 2, "source-c": 2}
    assert gone(second) == (1, 2, [])
    assert "2 gone" in second["message"]
    assert len(listings_there(aws)) == 2
    assert gone(crawl_all(aws, machines, 3)) == (0, 0, [])


@pytest.mark.usefixtures("source")
def test_they_are_marked_or_kept_as_the_crawl_says(aws: Aws, machines: Machines) -> None:
    crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-b")
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "stale_items": "keep"}}
    assert gone(crawl_all(aws, machines, 2)) == (1, 2, [])
    assert len(in_dynamodb(aws, "objects")) == 6
    assert len(in_table(aws, "objects")) == 4
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "stale_items": "mark"}}
    assert gone(crawl_all(aws, machines, 3)) == (0, 0, [])
    marked = {row["key"] for row in in_dynamodb(aws, "objects").values() if "stale_since" in row}
    assert marked == {"source-b/0", "source-b/1"}
    assert items(aws) == {"source-a": 2, "source-c": 2}
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS}
    crawl_all(aws, machines, 4)
    assert len(in_dynamodb(aws, "objects")) == 4
    assert len(listings_there(aws)) == 2


@pytest.mark.usefixtures("source")
def test_a_bucket_that_comes_back_is_new(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "stale_items": "mark"}}
    crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-b")
    assert gone(crawl_all(aws, machines, 2)) == (1, 2, [])
    create_bucket(aws, "source-b", 2)
    assert changes_of(crawl_all(aws, machines, 3)) == (2, 0, 0)
    assert items(aws) == ALL
    assert not [row for row in in_dynamodb(aws, "objects").values() if "stale_since" in row]


def test_an_account_that_left_and_a_region_taken_out_of_the_catalogue_leave_nothing(
    aws: Aws, machines: Machines
) -> None:
    wide = {**VPCS, "accounts": [ACCOUNT, "222222222222"], "regions": ["us-east-1", "eu-west-1"]}
    machines.catalogue = {"vpcs": wide}
    run(aws, machines, 1, crawl="vpcs")
    assert set(items(aws, "vpcs")) == {"us-east-1", "eu-west-1"}
    assert {row["account"] for row in in_table(aws, "vpcs").values()} == {ACCOUNT, "222222222222"}
    machines.catalogue = {"vpcs": {**wide, "accounts": [ACCOUNT]}}
    assert gone(run(aws, machines, 2, crawl="vpcs"))[0] == 2
    assert {row["account"] for row in in_table(aws, "vpcs").values()} == {ACCOUNT}
    # A run of less than the catalogue's crawl removes nothing, and what a run listed beyond it is nobody's to remove.
    assert gone(run(aws, machines, 3, crawl="vpcs", regions=["us-east-1"])) == (0, 0, [])
    assert gone(run(aws, machines, 4, crawl="vpcs", regions=["ap-south-1"])) == (0, 0, [])
    machines.catalogue = {"vpcs": {**VPCS, "regions": ["us-east-1"]}}
    assert gone(run(aws, machines, 5, crawl="vpcs"))[0] == 1
    assert set(items(aws, "vpcs")) == {"us-east-1", "ap-south-1"}


def test_a_listing_of_the_catalogue_s_crawl_stays_one_whoever_lists_it_again(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"vpcs": {**VPCS, "regions": ["us-east-1", "eu-west-1"]}}
    run(aws, machines, 1, crawl="vpcs")
    run(aws, machines, 2, crawl="vpcs", regions=["eu-west-1"])
    machines.catalogue = {"vpcs": {**VPCS, "regions": ["us-east-1"]}}
    assert gone(run(aws, machines, 3, crawl="vpcs"))[0] == 1
    assert set(items(aws, "vpcs")) == {"us-east-1"}


@pytest.mark.usefixtures("source")
def test_a_source_that_listed_only_a_part_removes_nothing(aws: Aws, machines: Machines) -> None:
    crawl_all(aws, machines, 1)
    machines.catalogue = {"buckets": {**BUCKETS, "pagination_config": {"MaxItems": 2}}, "objects": OBJECTS}
    second = crawl_all(aws, machines, 2)
    assert second["targets"] == {"complete": 1}
    assert items(aws) == ALL
    listings, removed, (why,) = gone(second)
    assert (listings, removed) == (0, 0)
    assert why.startswith("not all targets of buckets-2126")
    # The next whole listing removes what is gone, and nothing else.
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS}
    delete_bucket(aws, "source-c")
    assert gone(crawl_all(aws, machines, 3)) == (1, 2, [])
    assert items(aws) == {"source-a": 2, "source-b": 2}


def _with_a_denied_target(aws: Aws, machines: Machines, execution: str) -> dict[str, Any]:
    """Run the crawl of buckets, and record the verdict of its denied target as Crawl does."""
    planned = machines.plan({"crawl": "buckets"}, execution)
    one, other = targets_of(aws, planned)
    machines.turn_all(planned, one)
    with pytest.raises(AccessDeniedError):
        machines.fetch(planned, other, FROM_CHECKPOINT)
    verdict(aws, planned, other, "denied")
    return machines.finish(planned)


def verdict(aws: Aws, planned: Mapping[str, Any], target: Mapping[str, Any], verdict: str) -> None:
    record = {
        "pk": f"run#{planned['run']['run_id']}",
        "sk": f"verdict#1#{target['target_id']}",
        "verdict": verdict,
    }
    aws.dynamodb.put_item(TableName=aws.runs_table, Item={name: {"S": value} for name, value in record.items()})


@pytest.mark.usefixtures("source")
def test_a_source_with_a_denied_target_that_it_tolerates_removes_nothing(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the source of the source is short."""
    # Otherwise, the buckets are listed once for all regions.
    monkeypatch.setattr(places, "is_global_listing", lambda *_: False)
    regions = {**BUCKETS, "regions": ["us-east-1", "eu-west-1"], "tolerate": ["denied"]}
    of_objects = {"crawl": "objects", "parameters": {"Bucket": "parameters.Bucket", "Prefix": "item.Key"}}
    copies = {**OBJECTS, "for_each": of_objects}
    machines.catalogue = {"buckets": regions, "objects": OBJECTS, "copies": copies}
    crawl_all(aws, machines, 1)
    run(aws, machines, 1, crawl="copies")
    before = items(aws), items(aws, "copies")
    assert before[0] == {"source-a": 4, "source-b": 4, "source-c": 4}
    delete_bucket(aws, "source-b")
    execution = on_day(machines, 2)
    monkeypatch.setattr(clients.client("s3", "eu-west-1"), "list_buckets", denied)
    short = _with_a_denied_target(aws, machines, f"{execution}-buckets")
    assert (short["outcome"], short["verdict"]) == ("succeeded", "incomplete")
    for crawl in ("objects", "copies"):
        listings, removed, (why,) = gone(run(aws, machines, 2, crawl=crawl))
        assert (listings, removed) == (0, 0)
        assert why.startswith(f"not all targets of {short['run_id']}, whose items")
    assert (items(aws), items(aws, "copies")) == before


def run_now(aws: Aws, machines: Machines, crawl: str, execution: str) -> dict[str, Any]:
    """Run a crawl that begins when it really does: the end of a run is always real."""
    machines.started_at, machines.entered_at = utc_text(datetime.now(UTC)), "2126-03-01T00:00:00.000Z"
    return machines.publish(machines.run(aws, {"crawl": crawl}, execution), execution)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("chained", [False, True])
def test_targets_of_an_older_listing_than_an_earlier_run_s_remove_nothing_of_it(
    chained: bool, aws: Aws, machines: Machines
) -> None:
    """The catalogue's definition of the source, or of the source's source, changes, and changes back."""
    other = {**BUCKETS, "search": "Buckets[?starts_with(Name, 'source-')]"}
    parameters = {"Bucket": "parameters.Bucket", "Prefix": "item.Key"}
    copies = {**OBJECTS, "for_each": {"crawl": "objects", "parameters": parameters}}
    chain = ("buckets", "objects", "copies") if chained else ("buckets", "objects")

    def run_all(day: int, *crawls: str) -> dict[str, Any]:
        return [run_now(aws, machines, crawl, f"execution-{day}-{crawl}") for crawl in crawls][-1]

    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS, "copies": copies}
    run_all(1, *chain)
    machines.catalogue = {"buckets": other, "objects": OBJECTS, "copies": copies}
    create_bucket(aws, "source-new")
    assert gone(run_all(2, *chain)) == (0, 0, [])
    before = items(aws), items(aws, chain[-1])
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS, "copies": copies}
    third = run_all(3, *chain[1:])
    assert third["outcome"] == "succeeded"
    assert gone(third) == (0, 0, ["its targets come from a later listing than this run's"])
    assert (items(aws), items(aws, chain[-1])) == before
    # A new listing by this definition is the latest again.
    delete_bucket(aws, "source-new")
    assert gone(run_all(4, *chain)) == (1, 1, [])
    assert items(aws) == ALL


def test_a_source_of_which_errors_were_ignored_removes_nothing(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets = {name: {"Identifier": {"ResourceArn": name}} for name in ("source-a", "source-b")}
    failures: list[Any] = []
    for name in buckets:
        create_bucket(aws, name)

    def list_group_resources(**_: Any) -> dict[str, Any]:
        return {"Resources": list(buckets.values()), "QueryErrors": failures}

    monkeypatch.setattr(clients.client("resource-groups", "us-east-1"), "list_group_resources", list_group_resources)
    group = {"service": "resource-groups", "operation": "list_group_resources", "parameters": {"Group": "g"}}
    ignoring = {**group, "result_key": "Resources", "ignore_errors": ["CLOUDFORMATION_STACK_INACTIVE"]}
    parameters = {"Bucket": "item.Identifier.ResourceArn"}
    objects = {**OBJECTS, "for_each": {"crawl": "buckets", "parameters": parameters}}
    machines.catalogue = {"buckets": ignoring, "objects": objects}
    crawl_all(aws, machines, 1)
    del buckets["source-b"]
    failures.append({"ErrorCode": "CLOUDFORMATION_STACK_INACTIVE", "Message": "m"})
    second = crawl_all(aws, machines, 2)
    listings, removed, (why,) = gone(second)
    assert (second["verdict"], listings, removed) == ("complete", 0, 0)
    assert why.endswith("had errors, which its crawl ignores")
    assert items(aws) == {"source-a": 1, "source-b": 1}
    failures.clear()
    assert gone(crawl_all(aws, machines, 3)) == (1, 1, [])
    assert items(aws) == {"source-a": 1}


@pytest.mark.usefixtures("source")
def test_a_run_with_a_target_that_is_not_complete_removes_nothing(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "tolerate": ["unfinished"]}}
    crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-b")
    create_bucket(aws, "source-d")
    planned = machines.plan({"crawl": "objects"}, list_buckets(aws, machines, 2))
    turn(machines, planned, targets_of(aws, planned)[1:])
    summary = finish_and_publish(machines, planned)
    assert summary["outcome"] == "succeeded"
    assert gone(summary) == (0, 0, ["not all targets of this run are complete"])
    # What is complete is published all the same.
    assert items(aws) == {**ALL, "source-d": 1}
    assert gone(crawl_all(aws, machines, 3)) == (1, 2, [])


@pytest.mark.parametrize(("ended", "listings"), [("absent", 1), ("denied", 0)])
def test_a_region_without_the_service_keeps_no_gone_listing(
    ended: str, listings: int, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another target that ended early does."""
    regions = ["eu-north-9", "us-east-1", "us-west-2"]
    monkeypatch.setattr(places.Places, "_enabled", lambda *_: regions)
    clients.client("sqs", "us-west-2").create_queue(QueueName="q")
    machines.catalogue = {"c": {"service": "sqs", "operation": "list_queues", "regions": ["all"]}}

    def run_with(day: int, verdict_of_the_first: str) -> dict[str, Any]:
        planned = machines.plan({"crawl": "c"}, on_day(machines, day))
        short, *others = targets_of(aws, planned)
        turn(machines, planned, others)
        verdict(aws, planned, short, verdict_of_the_first)
        return finish_and_publish(machines, planned)

    assert run_with(1, "absent")["targets"] == {"absent": 1, "complete": 2}
    assert len(published(aws)) == 1
    regions.remove("us-west-2")
    summary = run_with(2, ended)
    assert summary["targets"] == {ended: 1, "complete": 1}
    assert (gone(summary)[0], bool(gone(summary)[2])) == (listings, not listings)
    assert len(published(aws)) == 1 - listings


@pytest.mark.usefixtures("source")
def test_listings_of_runs_in_between_that_failed_are_gone_too(aws: Aws, machines: Machines) -> None:
    crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-b")
    for bucket in ("source-d", "source-e"):
        create_bucket(aws, bucket)
    for day in range(2, 5):
        planned = machines.plan({"crawl": "objects"}, list_buckets(aws, machines, day))
        *others, _ = targets_of(aws, planned)
        turn(machines, planned, others)
        summary = finish_and_publish(machines, planned)
        assert summary["outcome"] == "failed"
        assert gone(summary) == (0, 0, ["not all targets of this run are complete"])
    # Of the last bucket, nothing is published.
    assert items(aws) == {**ALL, "source-d": 1}
    for bucket in ("source-d", "source-e"):
        delete_bucket(aws, bucket)
    assert gone(crawl_all(aws, machines, 5)) == (2, 3, [])
    assert items(aws) == {"source-a": 2, "source-c": 2}


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("allow_empty", [False, True])
def test_a_run_without_targets_removes_everything_only_where_the_crawl_says_so(
    allow_empty: bool, aws: Aws, machines: Machines
) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "allow_empty": allow_empty}}
    crawl_all(aws, machines, 1)
    for bucket in ALL:
        delete_bucket(aws, bucket)
    summary = crawl_all(aws, machines, 2)
    assert summary["outcome"] == "succeeded"
    assert gone(summary)[:2] == ((3, 6) if allow_empty else (0, 0))
    assert len(published(aws, "objects")) == (0 if allow_empty else 6)
    assert (
        "the run has no targets; to remove the items of all earlier ones, set allow_empty" in summary["message"]
    ) != (allow_empty)


@pytest.mark.usefixtures("source")
def test_an_earlier_run_of_which_nothing_is_left_does_not_fail_the_next_ones(aws: Aws, machines: Machines) -> None:
    first = crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-b")
    for key in aws.object_keys():
        if first["run_id"] in key and not key.startswith("tables/"):
            aws.s3.delete_object(Bucket=aws.bucket, Key=key)
    for row in aws.rows(aws.runs_table):
        if first["run_id"] in row["pk"]["S"]:
            aws.dynamodb.delete_item(TableName=aws.runs_table, Key={name: row[name] for name in ("pk", "sk")})
    assert gone(crawl_all(aws, machines, 2)) == (1, 2, [])
    assert items(aws) == {"source-a": 2, "source-c": 2}


# Runs that overlap


@pytest.mark.usefixtures("source")
def test_an_older_run_does_not_bring_a_gone_listing_back(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "overlap": "allow"}}
    crawl_all(aws, machines, 1)
    older = machines.plan({"crawl": "objects"}, list_buckets(aws, machines, 2))
    turn(machines, older, targets_of(aws, older))
    delete_bucket(aws, "source-b")
    assert gone(crawl_all(aws, machines, 3)) == (1, 2, [])
    summary = finish_and_publish(machines, older)
    assert (summary["verdict"], changes_of(summary)) == ("complete", (0, 0, 0))
    assert items(aws) == {"source-a": 2, "source-c": 2}
    # The next run lists the bucket that comes back.
    create_bucket(aws, "source-b")
    assert changes_of(crawl_all(aws, machines, 4)) == (1, 0, 0)
    assert items(aws) == {**ALL, "source-b": 1}


@pytest.mark.usefixtures("source")
def test_an_older_run_of_more_than_the_catalogue_s_crawl_is_published(aws: Aws, machines: Machines) -> None:
    """What a newer run of the catalogue's crawl does not have says nothing of it."""
    machines.catalogue = {"vpcs": {**VPCS, "regions": ["us-east-1"], "overlap": "allow"}}
    older = machines.plan({"crawl": "vpcs", "regions": ["us-east-1", "ap-south-1"]}, on_day(machines, 1))
    turn(machines, older, targets_of(aws, older))
    run(aws, machines, 2, crawl="vpcs")
    finish_and_publish(machines, older)
    assert set(items(aws, "vpcs")) == {"us-east-1", "ap-south-1"}


@pytest.mark.usefixtures("source")
def test_items_of_a_newer_run_are_no_gone_listing_of_an_older_one(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "overlap": "allow"}}
    crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-b")
    older = machines.plan({"crawl": "objects"}, list_buckets(aws, machines, 2))
    create_bucket(aws, "source-b")
    crawl_all(aws, machines, 3)
    turn(machines, older, targets_of(aws, older))
    assert gone(finish_and_publish(machines, older))[0] == 0
    assert items(aws) == {**ALL, "source-b": 1}


@pytest.mark.usefixtures("source")
def test_nor_is_a_listing_to_which_a_newer_run_has_added(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "overlap": "allow"}}
    crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-b")
    older = machines.plan({"crawl": "objects"}, list_buckets(aws, machines, 2))
    turn(machines, older, targets_of(aws, older))
    create_bucket(aws, "source-b", 2)
    list_buckets(aws, machines, 3)
    newer = run(aws, machines, 3, crawl="objects", pagination_config={"PageSize": 1, "MaxItems": 1})
    assert newer["targets"] == {"limited": 3}
    assert gone(finish_and_publish(machines, older)) == (0, 0, [])
    assert items(aws) == ALL
    # The next one that does not list it removes it.
    delete_bucket(aws, "source-b")
    assert gone(crawl_all(aws, machines, 4)) == (1, 2, [])
