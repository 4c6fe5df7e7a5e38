"""Items of targets that a complete run no longer has: a deleted bucket, an account that left, a region taken out."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from pageturner import clients
from pageturner.errors import AccessDeniedError
from pageturner.finish import gone_listings
from pageturner.page_state import FROM_CHECKPOINT, utc_text
from pageturner.plan import places
from tests.conftest import ACCOUNT, Aws, Machines
from tests.runs_of_a_bucket import denied

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


@pytest.fixture
def source(aws: Aws, machines: Machines) -> None:
    """Three buckets with two objects each, and crawls of them."""
    for bucket in ("source-a", "source-b", "source-c"):
        aws.s3.create_bucket(Bucket=bucket)
        for number in range(2):
            aws.s3.put_object(Bucket=bucket, Key=f"{bucket}/{number}", Body=b"x")
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS}


def delete_bucket(aws: Aws, bucket: str) -> None:
    for key in aws.object_keys_of(bucket):
        aws.s3.delete_object(Bucket=bucket, Key=key)
    aws.s3.delete_bucket(Bucket=bucket)


def on_day(machines: Machines, day: int) -> str:
    """Begin later runs on this day, and return the name of an execution."""
    machines.started_at = f"2126-03-{day:02}T00:00:00.000Z"
    return f"execution-{day}"


def crawl_all(aws: Aws, machines: Machines, day: int, **source: Any) -> dict[str, Any]:
    """List the buckets, and then their objects."""
    execution = on_day(machines, day)
    machines.run(aws, {"crawl": "buckets", **source}, f"{execution}-buckets")
    return machines.run(aws, {"crawl": "objects"}, execution)


def items(aws: Aws, crawl: str = "objects") -> dict[str, int]:
    """The number of items of each bucket (or region) of a crawl in DynamoDB."""
    found: dict[str, int] = {}
    for row in aws.rows(aws.items_table):
        if row["crawl"]["S"] == crawl:
            of = row["key"]["S"].partition("/")[0] if crawl == "objects" else row["region"]["S"]
            found[of] = found.get(of, 0) + 1
    return found


def listed_runs(aws: Aws, crawl: str = "objects") -> list[str]:
    return [row["run_id"]["S"] for row in aws.rows(aws.runs_table) if row["pk"]["S"] == f"listed#{crawl}"]


@pytest.mark.usefixtures("source")
def test_the_items_of_a_bucket_that_was_deleted_are_removed(aws: Aws, machines: Machines) -> None:
    first = crawl_all(aws, machines, 1)
    assert (first["gone_targets"], first["stale_items"]) == (0, 0)
    delete_bucket(aws, "source-b")
    second = crawl_all(aws, machines, 2)
    assert items(aws) == {"source-a": 2, "source-c": 2}
    assert (second["gone_targets"], second["stale_items"], second["gone_targets_kept_because"]) == (1, 2, "")
    # Only the last run is still to be looked at.
    assert listed_runs(aws) == [second["run_id"]]
    third = crawl_all(aws, machines, 3)
    assert (third["gone_targets"], third["stale_items"]) == (0, 0)


@pytest.mark.usefixtures("source")
def test_they_are_marked_or_kept_as_the_crawl_says(aws: Aws, machines: Machines) -> None:
    crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-b")
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "stale_items": "keep"}}
    assert crawl_all(aws, machines, 2)["gone_targets"] == 0
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "stale_items": "mark"}}
    assert crawl_all(aws, machines, 3)["gone_targets"] == 1
    marked = {row["key"]["S"] for row in aws.rows(aws.items_table) if "stale_since" in row}
    assert marked == {"source-b/0", "source-b/1"}


def test_an_account_that_left_and_a_region_taken_out_of_the_catalogue_leave_nothing(
    aws: Aws, machines: Machines
) -> None:
    wide = {**VPCS, "accounts": [ACCOUNT, "222222222222"], "regions": ["us-east-1", "eu-west-1"]}
    machines.catalogue = {"vpcs": wide}
    machines.run(aws, {"crawl": "vpcs"}, on_day(machines, 1))
    assert set(items(aws, "vpcs")) == {"us-east-1", "eu-west-1"}
    machines.catalogue = {"vpcs": {**wide, "accounts": [ACCOUNT]}}
    assert machines.run(aws, {"crawl": "vpcs"}, on_day(machines, 2))["gone_targets"] == 2
    assert {row["account"]["S"] for row in aws.rows(aws.items_table)} == {ACCOUNT}
    # A run of less than the catalogue's crawl removes nothing, and what a run listed beyond it is nobody's to remove.
    less = {"crawl": "vpcs", "regions": ["us-east-1"]}
    more = {"crawl": "vpcs", "regions": ["ap-south-1"]}
    for day, asked in enumerate((less, more), 3):
        assert machines.run(aws, asked, on_day(machines, day))["gone_targets"] == 0
    machines.catalogue = {"vpcs": {**VPCS, "regions": ["us-east-1"]}}
    assert machines.run(aws, {"crawl": "vpcs"}, on_day(machines, 5))["gone_targets"] == 1
    assert set(items(aws, "vpcs")) == {"us-east-1", "ap-south-1"}


@pytest.mark.usefixtures("source")
def test_a_source_that_listed_only_a_part_removes_nothing(aws: Aws, machines: Machines) -> None:
    crawl_all(aws, machines, 1)
    machines.catalogue = {"buckets": {**BUCKETS, "pagination_config": {"MaxItems": 2}}, "objects": OBJECTS}
    second = crawl_all(aws, machines, 2)
    assert second["targets"] == {"complete": 1}
    assert items(aws) == {"source-a": 2, "source-b": 2, "source-c": 2}
    assert (second["gone_targets"], second["stale_items"]) == (0, 0)
    assert second["gone_targets_kept_because"].startswith("not all targets of buckets-2126")
    # The next whole listing removes what is gone, and nothing else.
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS}
    delete_bucket(aws, "source-c")
    assert crawl_all(aws, machines, 3)["gone_targets"] == 1
    assert items(aws) == {"source-a": 2, "source-b": 2}


def _with_a_denied_target(aws: Aws, machines: Machines, execution: str) -> dict[str, Any]:
    """Run the crawl of buckets, and record the verdict of its denied target as Crawl does."""
    planned = machines.plan({"crawl": "buckets"}, execution)
    one, other = aws.json(planned["targets"]["key"])
    machines.sweep(planned, one, machines.turn_all(planned, one)[-1])
    with pytest.raises(AccessDeniedError):
        machines.fetch(planned, other, FROM_CHECKPOINT)
    record = {"pk": f"run#{planned['run']['run_id']}", "sk": f"verdict#1#{other['target_id']}", "verdict": "denied"}
    aws.dynamodb.put_item(TableName=aws.runs_table, Item={name: {"S": value} for name, value in record.items()})
    return machines.finish(planned)


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
    machines.run(aws, {"crawl": "copies"}, "copies-1")
    delete_bucket(aws, "source-b")
    execution = on_day(machines, 2)
    monkeypatch.setattr(clients.client("s3", "eu-west-1"), "list_buckets", denied)
    short = _with_a_denied_target(aws, machines, f"{execution}-buckets")
    assert (short["outcome"], short["verdict"]) == ("succeeded", "incomplete")
    summary = machines.run(aws, {"crawl": "objects"}, execution)
    assert summary["gone_targets_kept_because"].startswith(f"not all targets of {short['run_id']}, whose items")
    assert items(aws) == {"source-a": 4, "source-b": 4, "source-c": 4}
    chained = machines.run(aws, {"crawl": "copies"}, "copies-2")
    assert chained["gone_targets_kept_because"].startswith(f"not all targets of {short['run_id']}, whose items")


def run_now(aws: Aws, machines: Machines, crawl: str, execution: str) -> dict[str, Any]:
    """Run a crawl that begins when it really does: the end of a run, and the time of an item, are always real."""
    machines.started_at, machines.entered_at = utc_text(datetime.now(UTC)), "2126-03-01T00:00:00.000Z"
    return machines.run(aws, {"crawl": crawl}, execution)


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
    aws.s3.create_bucket(Bucket="source-new")
    aws.s3.put_object(Bucket="source-new", Key="source-new/0", Body=b"x")
    assert run_all(2, *chain)["gone_targets"] == 0
    before = items(aws), items(aws, chain[-1])
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS, "copies": copies}
    third = run_all(3, *chain[1:])
    assert (third["outcome"], third["gone_targets"]) == ("succeeded", 0)
    assert third["gone_targets_kept_because"] == "its targets come from a later listing than this run's"
    assert (items(aws), items(aws, chain[-1])) == before
    # A new listing by this definition is the latest again.
    delete_bucket(aws, "source-new")
    fourth = run_all(4, *chain)
    assert (fourth["gone_targets"], fourth["gone_targets_kept_because"]) == (1, "")
    assert items(aws) == {"source-a": 2, "source-b": 2, "source-c": 2}


def test_a_source_of_which_errors_were_ignored_removes_nothing(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets = {name: {"Identifier": {"ResourceArn": name}} for name in ("source-a", "source-b")}
    failures: list[Any] = []
    for name in buckets:
        aws.s3.create_bucket(Bucket=name)
        aws.s3.put_object(Bucket=name, Key=f"{name}/0", Body=b"x")

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
    assert (second["verdict"], second["gone_targets"]) == ("complete", 0)
    assert second["gone_targets_kept_because"].endswith("had errors, which its crawl ignores")
    assert items(aws) == {"source-a": 1, "source-b": 1}
    failures.clear()
    assert crawl_all(aws, machines, 3)["gone_targets"] == 1
    assert items(aws) == {"source-a": 1}


@pytest.mark.usefixtures("source")
def test_a_run_with_a_target_that_is_not_complete_removes_nothing(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "tolerate": ["unfinished"]}}
    crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-b")
    execution = on_day(machines, 2)
    machines.run(aws, {"crawl": "buckets"}, f"{execution}-buckets")
    planned = machines.plan({"crawl": "objects"}, execution)
    one, _ = aws.json(planned["targets"]["key"])
    machines.sweep(planned, one, machines.turn_all(planned, one)[-1])
    summary = machines.finish(planned)
    assert summary["outcome"] == "succeeded"
    assert summary["gone_targets_kept_because"] == "not all targets of this run are complete"
    assert items(aws)["source-b"] == 2
    assert crawl_all(aws, machines, 3)["gone_targets"] == 1


@pytest.mark.parametrize(("verdict", "gone"), [("absent", 1), ("denied", 0)])
def test_a_region_without_the_service_keeps_no_gone_listing(
    verdict: str, gone: int, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another target that ended early does."""
    regions = ["eu-north-9", "us-east-1", "us-west-2"]
    monkeypatch.setattr(places.Places, "_all", lambda *_: regions)
    clients.client("sqs", "us-west-2").create_queue(QueueName="q")
    machines.catalogue = {"c": {"service": "sqs", "operation": "list_queues", "regions": ["all"]}}

    def run(day: int, verdict: str) -> dict[str, Any]:
        planned = machines.plan({"crawl": "c"}, on_day(machines, day))
        short, *others = aws.json(planned["targets"]["key"])
        for target in others:
            machines.sweep(planned, target, machines.turn_all(planned, target)[-1])
        record = {"pk": f"run#{planned['run']['run_id']}", "sk": f"verdict#1#{short['target_id']}", "verdict": verdict}
        aws.dynamodb.put_item(TableName=aws.runs_table, Item={name: {"S": value} for name, value in record.items()})
        return machines.finish(planned)

    assert run(1, "absent")["targets"] == {"absent": 1, "complete": 2}
    assert items(aws, "c") == {"us-west-2": 1}
    regions.remove("us-west-2")
    summary = run(2, verdict)
    assert summary["targets"] == {verdict: 1, "complete": 1}
    assert (summary["gone_targets"], bool(summary["gone_targets_kept_because"])) == (gone, not gone)
    assert items(aws, "c") == ({} if gone else {"us-west-2": 1})


@pytest.mark.usefixtures("source")
def test_targets_of_runs_in_between_that_failed_are_gone_too(aws: Aws, machines: Machines) -> None:
    crawl_all(aws, machines, 1)
    aws.s3.create_bucket(Bucket="source-d")
    aws.s3.put_object(Bucket="source-d", Key="source-d/0", Body=b"x")
    execution = on_day(machines, 2)
    machines.run(aws, {"crawl": "buckets"}, f"{execution}-buckets")
    planned = machines.plan({"crawl": "objects"}, execution)
    last = aws.json(planned["targets"]["key"])[-1]
    machines.fetch(planned, last, FROM_CHECKPOINT)
    assert machines.finish(planned)["outcome"] == "failed"
    delete_bucket(aws, "source-d")
    third = crawl_all(aws, machines, 3)
    assert (third["gone_targets"], third["stale_items"]) == (1, 1)
    assert items(aws) == {"source-a": 2, "source-b": 2, "source-c": 2}
    assert listed_runs(aws) == [third["run_id"]]
    # A run that is resumed afterwards may write such items again, so it is looked at again.
    on_day(machines, 2)
    machines.plan({"resume": planned["run"]["run_id"]}, "resumed")
    assert set(listed_runs(aws)) == {planned["run"]["run_id"], third["run_id"]}


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("allow_empty", [False, True])
def test_a_run_without_targets_removes_everything_only_where_the_crawl_says_so(
    allow_empty: bool, aws: Aws, machines: Machines
) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "allow_empty": allow_empty}}
    crawl_all(aws, machines, 1)
    for bucket in ("source-a", "source-b", "source-c"):
        delete_bucket(aws, bucket)
    summary = crawl_all(aws, machines, 2)
    assert summary["outcome"] == "succeeded"
    assert summary["gone_targets"] == (3 if allow_empty else 0)
    assert sum(items(aws).values()) == (0 if allow_empty else 6)
    assert summary["gone_targets_kept_because"].endswith("set allow_empty: true") != allow_empty


@pytest.mark.usefixtures("source")
def test_killed_in_the_middle_and_run_again_it_comes_to_the_same(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-b")
    delete_bucket(aws, "source-c")
    execution = on_day(machines, 2)
    machines.run(aws, {"crawl": "buckets"}, f"{execution}-buckets")
    planned = machines.plan({"crawl": "objects"}, execution)
    (target,) = aws.json(planned["targets"]["key"])
    machines.sweep(planned, target, machines.turn_all(planned, target)[-1])
    client = clients.client("dynamodb")
    whole = client.delete_item
    removed: list[str] = []

    def dies_at_the_fourth(**request: Any) -> Any:
        if request["TableName"] == aws.items_table:
            if len(removed) == 3:
                raise KeyboardInterrupt
            removed.append(request["Key"]["sk"]["S"])
        return whole(**request)

    with monkeypatch.context() as patch:
        patch.setattr(client, "delete_item", dies_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            machines.finish(planned)
    assert sum(items(aws).values()) == 3
    assert machines.finish(planned)["outcome"] == "succeeded"
    assert items(aws) == {"source-a": 2}
    assert listed_runs(aws) == [planned["run"]["run_id"]]


@pytest.mark.usefixtures("source")
def test_what_takes_too_long_is_gone_on_with_by_the_next_complete_run(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-a")
    delete_bucket(aws, "source-c")
    now = iter(range(100))
    with monkeypatch.context() as patch:
        # Each look at the clock is a second: one listing is swept, and then the time is up.
        patch.setattr(gone_listings, "_SECONDS", 3)
        patch.setattr(gone_listings, "time", SimpleNamespace(monotonic=lambda: next(now)))
        second = crawl_all(aws, machines, 2)
    assert second["gone_targets"] == 1
    assert items(aws) == {"source-b": 2, "source-c": 2}
    (done,) = [row["done"] for row in aws.rows(aws.runs_table) if row["sk"]["S"].endswith(f"#{first['run_id']}")]
    assert done == {"N": "2"}
    assert crawl_all(aws, machines, 3)["gone_targets"] == 1
    assert items(aws) == {"source-b": 2}


@pytest.mark.usefixtures("source")
def test_an_older_run_that_overlaps_does_not_bring_a_gone_listing_back(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "overlap": "allow"}}
    machines.run(aws, {"crawl": "buckets"}, f"{on_day(machines, 1)}-buckets")
    older = machines.plan({"crawl": "objects"}, "older")
    targets = {target["parameters"]["Bucket"]: target for target in aws.json(older["targets"]["key"])}
    # It lists the bucket before the newer run sees that it is gone, and again afterwards.
    machines.turn_all(older, targets["source-b"])
    assert items(aws) == {"source-b": 2}
    delete_bucket(aws, "source-b")
    newer = crawl_all(aws, machines, 2)
    assert newer["gone_targets"] == 1
    aws.s3.create_bucket(Bucket="source-b")
    aws.s3.put_object(Bucket="source-b", Key="source-b/0", Body=b"x")
    machines.fetch(older, targets["source-b"], {"page": 1})
    for target in targets.values():
        machines.sweep(older, target, machines.turn_all(older, target)[-1])
    assert machines.finish(older)["verdict"] == "complete"
    assert items(aws) == {"source-a": 2, "source-c": 2}
    # The next run lists the bucket that came back.
    crawl_all(aws, machines, 3)
    assert items(aws) == {"source-a": 2, "source-b": 1, "source-c": 2}


@pytest.mark.usefixtures("source")
def test_items_of_a_newer_run_are_no_gone_listing_of_an_older_one(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "overlap": "allow"}}
    crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-b")
    machines.run(aws, {"crawl": "buckets"}, f"{on_day(machines, 2)}-buckets")
    older = machines.plan({"crawl": "objects"}, "older")
    aws.s3.create_bucket(Bucket="source-b")
    aws.s3.put_object(Bucket="source-b", Key="source-b/0", Body=b"x")
    crawl_all(aws, machines, 3)
    for target in aws.json(older["targets"]["key"]):
        machines.sweep(older, target, machines.turn_all(older, target)[-1])
    assert machines.finish(older)["gone_targets"] == 0
    assert items(aws) == {"source-a": 2, "source-b": 1, "source-c": 2}


@pytest.mark.usefixtures("source")
def test_a_run_that_is_still_going_stays_registered(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "overlap": "allow"}}
    machines.run(aws, {"crawl": "buckets"}, f"{on_day(machines, 1)}-buckets")
    going = machines.plan({"crawl": "objects"}, "going")
    second = crawl_all(aws, machines, 2)
    assert set(listed_runs(aws)) == {going["run"]["run_id"], second["run_id"]}
    machines.stop("going")
    third = crawl_all(aws, machines, 3)
    assert listed_runs(aws) == [third["run_id"]]
    # Redriven, it may write items again.
    machines.running = {"going"}
    (first, *_) = aws.json(going["targets"]["key"])
    machines.fetch(going, first, FROM_CHECKPOINT)
    assert set(listed_runs(aws)) == {going["run"]["run_id"], third["run_id"]}


@pytest.mark.usefixtures("source")
def test_runs_that_fail_again_and_again_are_not_all_remembered(aws: Aws, machines: Machines) -> None:
    first = crawl_all(aws, machines, 1)
    delete_bucket(aws, "source-b")
    machines.run(aws, {"crawl": "buckets"}, f"{on_day(machines, 2)}-buckets")
    for day in range(2, 7):
        planned = machines.plan({"crawl": "objects"}, on_day(machines, day))
        failed = machines.finish(planned)
        assert failed["outcome"] == "failed"
        assert failed["gone_targets_kept_because"] == "not all targets of this run are complete"
    assert listed_runs(aws) == [first["run_id"], failed["run_id"]]
    assert items(aws)["source-b"] == 2
    assert crawl_all(aws, machines, 7)["gone_targets"] == 1


@pytest.mark.usefixtures("source")
def test_an_earlier_run_whose_targets_file_was_deleted_does_not_fail_the_next_ones(
    aws: Aws, machines: Machines
) -> None:
    first = crawl_all(aws, machines, 1)
    aws.s3.delete_object(Bucket=aws.bucket, Key=f"runs/{first['run_id']}/targets.json")
    second = crawl_all(aws, machines, 2)
    assert second["outcome"] == "succeeded"
    assert listed_runs(aws) == [second["run_id"]]
