"""Whole listings, on moto: a run writes what boto3's own paginator returns."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import jmespath
import pytest

from pageturner.turn.records import item_json
from tests.conftest import ACCOUNT, REGION, Aws, Machines


def seed_s3() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="source")
    for number in range(23):
        s3.put_object(Bucket="source", Key=f"a{number:02}", Body=b"x")
    for folder in "bcdefghijk":
        s3.put_object(Bucket="source", Key=f"{folder}/1 +%ü", Body=b"x")


def seed_ec2() -> None:
    for _ in range(12):
        boto3.client("ec2").run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=2)


def seed_dynamodb() -> None:
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName="source",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "B"}],
    )
    for number in range(57):
        dynamodb.put_item(TableName="source", Item={"id": {"B": bytes([number, 255, 0])}, "n": {"N": "1.10"}})


def seed_iam() -> None:
    for number in range(12):
        document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
        boto3.client("iam").create_policy(PolicyName=f"policy-{number}", PolicyDocument=json.dumps(document))


LISTINGS: dict[str, tuple[Callable[[], None], dict[str, Any], str]] = {
    "s3 with prefixes": (
        seed_s3,
        {"service": "s3", "operation": "list_objects_v2", "key": "Key || Prefix"}
        | {"parameters": {"Bucket": "source", "Delimiter": "/"}, "pagination_config": {"PageSize": 5}},
        "[Contents[], CommonPrefixes[]][]",
    ),
    "ec2": (
        seed_ec2,
        {"service": "ec2", "operation": "describe_instances", "pagination_config": {"PageSize": 5}},
        "Reservations[]",
    ),
    "iam": (
        seed_iam,
        {"service": "iam", "operation": "list_policies", "key": "Arn", "pagination_config": {"PageSize": 5}},
        "Policies[]",
    ),
    "dynamodb with binary keys": (
        seed_dynamodb,
        {"service": "dynamodb", "operation": "scan", "key": "id.B", "parameters": {"TableName": "source"}}
        | {"pagination_config": {"PageSize": 10}},
        "Items[]",
    ),
}


@pytest.mark.parametrize("name", LISTINGS)
def test_a_run_writes_what_boto3_lists(name: str, aws: Aws, machines: Machines) -> None:
    seed, crawl, expression = LISTINGS[name]
    seed()
    machines.catalogue = {"c": crawl}
    paginator = boto3.client(crawl["service"]).get_paginator(crawl["operation"])
    request = {**crawl.get("parameters", {}), "PaginationConfig": crawl.get("pagination_config", {})}
    pages = list(paginator.paginate(**request))
    expected = sorted(item_json(item) for page in pages for item in jmespath.search(expression, page) or [])

    summary = machines.run(aws, {"crawl": "c"})

    manifest = aws.json(summary["manifest"].removeprefix(f"s3://{aws.bucket}/"))
    lines = [line for file in manifest["files"] for line in aws.lines(file["key"])]
    assert len(expected) > 10
    assert sorted(line["item"] for line in lines) == expected
    assert [file["items"] for file in manifest["files"]] == [len(aws.lines(file["key"])) for file in manifest["files"]]
    assert (summary["verdict"], summary["pages"], summary["items"]) == ("complete", len(pages), len(expected))
    assert len(pages) > 2


def test_a_line_says_where_it_comes_from(aws: Aws, machines: Machines) -> None:
    seed_s3()
    machines.catalogue = {"c": LISTINGS["s3 with prefixes"][1]}
    summary = machines.run(aws, {"crawl": "c"})
    prefix = summary["items_prefix"].removeprefix(f"s3://{aws.bucket}/")
    assert prefix == f"items/crawl=c/date=2126-02-03/run={summary['run_id']}/"
    second = aws.object_keys(prefix)[1]
    target = second.removeprefix(prefix).removesuffix("-1-00000002.jsonl.gz")
    assert target.startswith(f"{ACCOUNT}-{REGION}-")
    line = aws.lines(second)[0]
    assert line.pop("fetched_at").endswith("Z")
    assert json.loads(line.pop("item"))["Key"] == "a05"
    assert line == {
        "crawl": "c",
        "run_id": summary["run_id"],
        "account": ACCOUNT,
        "region": REGION,
        "target": target,
        "pass": 1,
        "page": 2,
        "result_key": "Contents",
        "key": "a05",
    }


def test_an_empty_listing_is_complete(aws: Aws, machines: Machines) -> None:
    aws.s3.create_bucket(Bucket="empty")
    asked = {"service": "s3", "operation": "list_objects_v2", "parameters": {"Bucket": "empty"}}
    summary = machines.run(aws, asked)
    assert (summary["outcome"], summary["pages"], summary["items"]) == ("succeeded", 1, 0)


def test_two_regions_are_two_targets(aws: Aws, machines: Machines) -> None:
    for region in ("eu-west-1", "us-east-1"):
        boto3.client("ec2", region_name=region).run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    asked = {"service": "ec2", "operation": "describe_instances", "regions": ["eu-west-1", "us-east-1"]}
    summary = machines.run(aws, asked)
    assert summary["targets"] == {"complete": 2}
    manifest = aws.json(f"runs/{summary['run_id']}/manifest.json")
    lines = [line for file in manifest["files"] for line in aws.lines(file["key"])]
    assert {line["region"] for line in lines} == {"eu-west-1", "us-east-1"}


def test_max_items_stops_the_listing_where_boto3_stops(aws: Aws, machines: Machines) -> None:
    seed_s3()
    config: Any = {"PageSize": 5, "MaxItems": 12}
    machines.catalogue = {"c": LISTINGS["s3 with prefixes"][1]}
    summary = machines.run(aws, {"crawl": "c", "pagination_config": config})
    iterator = (
        boto3.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket="source", Delimiter="/", PaginationConfig=config)
    )
    assert sum(len(page.get("Contents", [])) for page in iterator) == 12
    (target,) = aws.json(f"runs/{summary['run_id']}/manifest.json")["targets"]
    assert target["resume_token"] == iterator.resume_token
    assert (summary["outcome"], summary["verdict"], summary["targets"]) == ("succeeded", "limited", {"limited": 1})

    rest = machines.run(
        aws, {"crawl": "c", "pagination_config": {"StartingToken": target["resume_token"]}}, "execution-2"
    )
    assert summary["items"] + rest["items"] == 33
    # It does not have the items before the StartingToken.
    assert (rest["outcome"], rest["verdict"], rest["targets"]) == ("succeeded", "limited", {"limited": 1})
