"""A crawl of several operations, on moto: a target for each, one run, one publication, a table for each operation."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from tests.conftest import ACCOUNT, Aws, Machines
from tests.parquet import rows_of

OPERATIONS = [
    *("ec2:describe_vpcs", "ec2:describe_addresses", "ec2:describe_key_pairs", "ec2:describe_nat_gateways"),
    *("s3:list_buckets", "iam:list_roles", "sns:list_topics", "sqs:list_queues", "dynamodb:list_tables"),
    "cloudtrail:describe_trails",
]


@pytest.fixture
def account(aws: Aws) -> Aws:
    boto3.client("s3").create_bucket(Bucket="a-bucket")
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "the vpc"}, {"Key": "Team", "Value": "x"}])
    ec2.allocate_address(Domain="vpc")
    ec2.create_key_pair(KeyName="a-key")
    boto3.client("sns").create_topic(Name="a-topic")
    boto3.client("sqs").create_queue(QueueName="a-queue")
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    boto3.client("iam").create_role(RoleName="a-role", AssumeRolePolicyDocument=document, Path="/x/")
    return aws


def published(aws: Aws, machines: Machines, execution: str, **asked: Any) -> dict[str, Any]:
    return machines.publish(machines.run(aws, {"crawl": "all", **asked}, execution), execution)


def table(aws: Aws, name: str) -> list[dict[str, Any]]:
    """The rows of a table, where Glue says it is, with the columns that Glue says it has."""
    found = boto3.client("glue").get_table(DatabaseName=aws.database, Name=name)["Table"]["StorageDescriptor"]
    rows = rows_of(aws, found["Location"].removeprefix(f"s3://{aws.bucket}/"))
    for row in rows:
        assert list(row) == [column["Name"] for column in found["Columns"]]
    return rows


def tables(aws: Aws) -> set[str]:
    names = {each["Name"] for each in boto3.client("glue").get_tables(DatabaseName=aws.database)["TableList"]}
    return {name for name in names if name.startswith("all")}


def test_each_operation_is_a_target_with_its_own_verdict_and_a_table(account: Aws, machines: Machines) -> None:
    machines.catalogue = {"all": {"operations": OPERATIONS, "except": ["ec2:describe_nat_*"]}}
    planned = machines.plan({"crawl": "all", "dry_run": True})["nothing_to_do"]
    assert planned["targets"]["count"] == len(OPERATIONS) - 1
    assert planned["paging"] == {"operations": 9, "services": 7}

    summary = published(account, machines, "execution-1")
    assert summary["verdict"] == "complete"
    assert summary["targets"] == {"complete": 9}
    manifest = account.json(f"runs/{summary['run_id']}/manifest.json")
    assert sorted(f"{each['service']}:{each['operation']}" for each in manifest["targets"]) == sorted(
        set(OPERATIONS) - {"ec2:describe_nat_gateways"}
    )
    # Only what has items has a table; `all` has everything, and its history too.
    assert tables(account) >= {
        *("all", "all_history", "all_resources", "all_ec2_describe_vpcs", "all_ec2_describe_addresses"),
        *("all_s3_list_buckets", "all_iam_list_roles", "all_sns_list_topics", "all_sqs_list_queues"),
    }
    assert "all_cloudtrail_describe_trails" not in tables(account)

    vpcs = boto3.client("ec2").describe_vpcs()["Vpcs"]
    assert sorted(row["vpcid"] for row in table(account, "all_ec2_describe_vpcs")) == sorted(v["VpcId"] for v in vpcs)
    assert [row["keyname"] for row in table(account, "all_ec2_describe_key_pairs")] == ["a-key"]
    assert {json.loads(row["item"])["Name"] for row in table(account, "all_s3_list_buckets")} >= {"a-bucket"}
    items = {(row["listing"], row["name"]) for row in table(account, "all")}
    assert len(items) == summary["items"] == summary["published"]["rows"]


def test_resources_says_what_each_item_is(account: Aws, machines: Machines) -> None:
    machines.catalogue = {"all": {"operations": OPERATIONS}}
    published(account, machines, "execution-1")
    rows = {(row["service"], row["type"], row["name"] or row["id"]): row for row in table(account, "all_resources")}
    vpc = rows["ec2", "vpc", "the vpc"]
    assert vpc["id"].startswith("vpc-")
    assert vpc["arn"] is None or vpc["arn"].startswith("arn:")
    assert {tag["Key"]: tag["Value"] for tag in json.loads(vpc["tags"])} == {"Name": "the vpc", "Team": "x"}
    assert json.loads(vpc["item"])["CidrBlock"] == "10.0.0.0/16"
    assert (vpc["account"], vpc["region"], vpc["operation"]) == (ACCOUNT, "us-east-1", "describe_vpcs")
    role = rows["iam", "role", "a-role"]
    assert role["arn"] == f"arn:aws:iam::{ACCOUNT}:role/x/a-role"
    assert role["id"] != role["arn"]
    # An item without members is its own key.
    topic = rows["sns", "topic", f"arn:aws:sns:us-east-1:{ACCOUNT}:a-topic"]
    assert topic["arn"] == topic["id"]
    queue = next(row for (service, *_), row in rows.items() if service == "sqs")
    assert queue["id"].endswith("/a-queue")
    assert rows["s3", "bucket", "a-bucket"]["id"] == "a-bucket"
    assert {row["type"] for row in rows.values()} >= {"vpc", "address", "key_pair", "bucket", "role", "topic", "queue"}


def test_changes_say_of_which_operation_they_are(account: Aws, machines: Machines) -> None:
    machines.catalogue = {"all": {"operations": ["sns:list_topics", "ec2:describe_key_pairs"]}}
    published(account, machines, "execution-1")
    boto3.client("sns").create_topic(Name="another")
    boto3.client("ec2").delete_key_pair(KeyName="a-key")
    machines.started_at = "2126-02-04T04:05:06.789Z"
    summary = published(account, machines, "execution-2", allow_empty=True)
    changes = rows_of(account, f"changes/crawl=all/run={summary['published']['name']}/")
    assert sorted((each["kind"], each["service"], each["operation"]) for each in changes) == [
        ("gone", "ec2", "describe_key_pairs"),
        ("new", "sns", "list_topics"),
    ]
    # A table that has no rows any more stays, and is empty.
    assert table(account, "all_ec2_describe_key_pairs") == []
    assert len(table(account, "all_sns_list_topics")) == 2
    old = account.object_keys("tables/all.ec2.describe_key_pairs/")
    tagged = [key for key in old if account.s3.get_object_tagging(Bucket=account.bucket, Key=key)["TagSet"]]
    assert len(old) == 2
    assert len(tagged) == 1


def test_an_operation_that_fails_does_not_hide_the_others(account: Aws, machines: Machines) -> None:
    machines.catalogue = {"all": {"operations": ["sns:list_topics", "ec2:describe_key_pairs", "ec2:describe_vpcs"]}}
    planned = machines.plan({"crawl": "all"})
    for target in account.json(planned["targets"]["key"]):
        if target["operation"] != "describe_key_pairs":
            machines.turn_all(planned, target)
    summary = machines.publish(machines.finish(planned))
    assert summary["targets"] == {"complete": 2, "unfinished": 1}
    assert f"{ACCOUNT} us-east-1 ec2 describe_key_pairs" in summary["message"]
    assert len(table(account, "all_sns_list_topics")) == 1
    assert "all_ec2_describe_key_pairs" not in tables(account)
    resumed = machines.plan({"resume": summary["run_id"]}, "execution-2")
    assert [each["operation"] for each in account.json(resumed["targets"]["key"])] == ["describe_key_pairs"]


def test_regions_are_those_of_each_service(account: Aws, machines: Machines) -> None:
    machines.catalogue = {
        "all": {
            "operations": [
                "iam:list_roles",
                "sns:list_topics",
                "globalaccelerator:list_accelerators",
                "s3:list_buckets",
            ],
            "regions": ["us-east-1", "eu-west-1"],
        }
    }
    planned = machines.plan({"crawl": "all"})
    where = sorted((each["service"], each["region"]) for each in account.json(planned["targets"]["key"]))
    assert where == [
        ("globalaccelerator", "us-west-2"),
        ("iam", "us-east-1"),
        ("s3", "us-east-1"),
        ("sns", "eu-west-1"),
        ("sns", "us-east-1"),
    ]


def test_from_the_console(account: Aws, machines: Machines) -> None:
    one = machines.plan({"operations": ["sns:list_topics"]})
    other = machines.plan({"operations": ["sqs:list_queues"]}, "execution-2")
    assert one["crawl"]["name"] != other["crawl"]["name"]
    assert one["crawl"]["name"].startswith("adhoc-operations-")
    assert "operations" not in one["crawl"]
