"""The statements that crawls need: with what a run finds out, in which regions, and how many resources."""

from __future__ import annotations

from typing import Any

import pytest

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.iam_resources import Statement, read_statements

BUCKET: dict[str, Any] = {"service": "s3", "operation": "list_objects_v2", "parameters": {"Bucket": "b"}}
TABLE: dict[str, Any] = {"service": "dynamodb", "operation": "query", "parameters": {"TableName": "t"}}
ROLES: dict[str, Any] = {"service": "iam", "operation": "list_roles", "search": "Roles[]"}


def statements(*crawls: dict[str, Any], **options: Any) -> list[Statement]:
    return read_statements([Crawl.from_dict({"name": f"c{n}", **each}) for n, each in enumerate(crawls)], **options)


def granted(*crawls: dict[str, Any], **options: Any) -> dict[str, list[str]]:
    """The resources of each action, without what all ARNs begin with."""
    return {
        action: [each.removeprefix("arn:${Partition}:") for each in statement.resources]
        for statement in statements(*crawls, **options)
        for action in statement.actions
    }


def test_actions_with_the_same_resources_are_one_statement() -> None:
    assert statements(
        BUCKET,
        {**BUCKET, "parameters": {"Bucket": "c"}},
        TABLE,
        {**TABLE, "operation": "scan"},
        ROLES,
        {"service": "s3", "operation": "list_buckets"},
    ) == [
        Statement(("cloudwatch:GetMetricData", "iam:ListRoles", "s3:ListAllMyBuckets"), ("*",)),
        Statement(
            ("dynamodb:DescribeTable", "dynamodb:Query", "dynamodb:Scan"),
            ("arn:${Partition}:dynamodb:${Region}:${Account}:table/t",),
        ),
        Statement(("s3:ListBucket",), ("arn:${Partition}:s3:::b", "arn:${Partition}:s3:::c")),
    ]


def test_what_one_crawl_needs_on_everything_is_granted_on_everything() -> None:
    named = {"service": "iam", "operation": "list_access_keys", "parameters": {"UserName": "u"}}
    assert granted(named) == {"iam:ListAccessKeys": ["iam::${Account}:user/*/u", "iam::${Account}:user/u"]}
    assert granted(named, {**named, "parameters": {}}) == {"iam:ListAccessKeys": ["*"]}


@pytest.mark.parametrize(
    ("for_each", "tables"),
    [
        ({"list": [{"TableName": "a"}, {"TableName": "b", "IndexName": "i"}]}, ["a", "b", "b/index/i"]),
        ({"matrix": {"TableName": ["a", "b"], "IndexName": ["i"]}}, ["a", "a/index/i", "b", "b/index/i"]),
        ({"crawl": "x", "parameters": {"TableName": "item"}}, ["*"]),
        ({"crawl": "x", "parameters": {"TableName": "'a'"}}, ["a"]),
        ({"crawl": "x", "parameters": {"TableName": '`"a"`'}}, ["a"]),
        ({"crawl": "x", "parameters": {"TableName": "'a'", "IndexName": "item"}}, ["a", "a/index/*"]),
        # What is the same for all targets stays.
        ({"crawl": "x", "parameters": {"IndexName": "item"}}, ["t", "t/index/*"]),
    ],
)
def test_targets_name_what_is_constant(for_each: dict[str, Any], tables: list[str]) -> None:
    region = "*" if "crawl" in for_each else "${Region}"
    assert granted({**TABLE, "for_each": for_each}) == {
        "dynamodb:Query": [f"dynamodb:{region}:${{Account}}:table/{table}" for table in tables]
    }


@pytest.mark.parametrize(
    ("regions", "named"),
    [
        ([], ["${Region}"]),
        (["eu-west-1", "us-east-1"], ["eu-west-1", "us-east-1"]),
        (["eu-west-1", "us-*"], ["*"]),
        (["all"], ["*"]),
        (["!eu-west-1"], ["*"]),
    ],
)
def test_regions_that_are_named_are_in_the_arns(regions: list[str], named: list[str]) -> None:
    found = granted({**TABLE, "regions": regions})
    assert found["dynamodb:Query"] == [f"dynamodb:{region}:${{Account}}:table/t" for region in named]
    assert ("ec2:DescribeRegions" in found) == (named == ["*"])


def test_a_global_service_has_no_region_that_a_crawl_could_name() -> None:
    zone = {"service": "route53", "operation": "list_resource_record_sets", "parameters": {"HostedZoneId": "Z"}}
    assert granted({**zone, "regions": ["eu-west-1"]})["route53:ListResourceRecordSets"] == ["route53:::hostedzone/Z"]


def test_details_are_about_all_items_but_what_is_constant() -> None:
    detail = [
        {"operation": "get_role_policy", "parameters": {"RoleName": "item.RoleName", "PolicyName": "'p'"}, "as": "P"},
        {"service": "kms", "operation": "describe_key", "parameters": {"KeyId": "'k'"}, "as": "K"},
        {"service": "ecs", "operation": "describe_services", "as": "S", "batch": "services",
         "parameters": {"cluster": "'c'", "services": "item.Name"}},
    ]  # fmt: skip
    assert granted({**ROLES, "detail": detail}) == {
        "iam:ListRoles": ["*"],
        "iam:GetRolePolicy": ["iam::${Account}:role/*"],
        "kms:DescribeKey": ["kms:${Region}:${Account}:key/k"],
        "ecs:DescribeServices": ["ecs:${Region}:${Account}:service/c/*"],
    }


def test_a_witness_is_asked_about_the_same_resource() -> None:
    table = {**TABLE, "operation": "scan"}
    here = ["dynamodb:${Region}:${Account}:table/t"]
    assert granted(table) == {"dynamodb:Scan": here, "dynamodb:DescribeTable": here}
    each = {**table, "parameters": {}, "for_each": {"crawl": "x", "parameters": {"TableName": "item"}}}
    anywhere = ["dynamodb:*:${Account}:table/*"]
    assert granted(each) == {"dynamodb:Scan": anywhere, "dynamodb:DescribeTable": anywhere}
    # It is asked if a value that only a run knows makes it the right one.
    policies = {"service": "iam", "operation": "list_policies"}
    by_item = {**policies, "for_each": {"crawl": "x", "parameters": {"Scope": "item.Scope"}}}
    assert set(granted(by_item)) == {"iam:ListPolicies", "iam:GetAccountSummary"}


def test_each_operation_of_several_is_granted() -> None:
    assert granted({"operations": ["sqs:list_queues", "lambda:list_functions"]}) == {
        action: ["*"]
        for action in (
            *("sqs:ListQueues", "resource-explorer-2:Search"),
            *("lambda:ListFunctions", "lambda:GetAccountSettings"),
        )
    }


def test_many_resources_are_granted_as_all_of_their_kind() -> None:
    crawls = [{**TABLE, "parameters": {"TableName": f"t{n}"}} for n in range(3)]
    other = "arn:aws:dynamodb:us-east-1:444455556666:table/"
    crawls += [{**TABLE, "parameters": {"TableName": f"{other}u{n}"}} for n in range(3)]
    assert len(granted(*crawls)["dynamodb:Query"]) == 6
    (statement,) = statements(*crawls, most_resources=2)
    assert statement.resources == ("arn:${Partition}:dynamodb:${Region}:${Account}:table/*", f"{other}*")
    assert statement.size == 55 + sum(len(text) + 3 for text in ("dynamodb:Query", *statement.resources))
