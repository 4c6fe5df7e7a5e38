"""The read actions of a catalogue with a crawl of several operations: granted one by one as long as they fit."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Match, Template

from infra.permissions import grant_reads
from infra.settings import SettingError, Settings
from pageturner.crawls.catalogue import parse_catalogue


def template(crawls: Any, *read_policies: str, adhoc_crawls: bool = False) -> Template:
    stack = Stack(App(), "S")
    role = iam.Role(stack, "R", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    settings = Settings(read_policies=read_policies, adhoc_crawls=adhoc_crawls)
    grant_reads(role, parse_catalogue({"crawls": crawls}), settings)
    return Template.from_stack(stack)


def granted(found: Template) -> dict[str, Any]:
    """The resources of each action."""
    (policy,) = found.find_resources("AWS::IAM::Policy").values()
    return {
        action: statement["Resource"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def actions(found: Template) -> list[str]:
    (policy,) = found.find_resources("AWS::IAM::Policy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    return [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


def test_a_few_operations_are_granted_one_by_one() -> None:
    asked = {"operations": ["ec2:describe_vpc*", "sns:list_topics"], "except": ["ec2:describe_vpc_endpoint*"]}
    found = actions(template({"all": asked}))
    assert {"ec2:DescribeVpcs", "ec2:DescribeVpcPeeringConnections", "sns:ListTopics"} <= set(found)
    assert "ec2:DescribeVpcEndpoints" not in found
    assert "ec2:DescribeInstances" not in found


def test_an_inventory_needs_aws_own_policies_and_says_so() -> None:
    crawls = {"buckets": {"service": "s3", "operation": "list_buckets"}, "all": {"operations": "inventory"}}
    said = (
        "set read_policies to job-function/ViewOnlyAccess,SecurityAudit (or ReadOnlyAccess), or name fewer operations"
    )
    with pytest.raises(SettingError, match=re.escape(said)):
        template(crawls)
    found = template(crawls, "job-function/ViewOnlyAccess", "SecurityAudit")
    assert actions(found) == ["s3:ListAllMyBuckets"]
    arns = [
        {"Fn::Join": ["", Match.array_with([f":iam::aws:policy/{name}"])]}
        for name in ("job-function/ViewOnlyAccess", "SecurityAudit")
    ]
    found.has_resource_properties("AWS::IAM::Role", {"ManagedPolicyArns": arns})


def test_without_such_crawls_they_are_not_attached() -> None:
    found = template({"buckets": {"service": "s3", "operation": "list_buckets"}}, "ReadOnlyAccess")
    (role,) = found.find_resources("AWS::IAM::Role").values()
    assert "ManagedPolicyArns" not in role["Properties"]


SCAN = {"service": "dynamodb", "operation": "scan"}
OBJECTS = {"service": "s3", "operation": "list_objects_v2"}


def table(name: str, region: Any) -> dict[str, Any]:
    parts = ["arn:", {"Ref": "AWS::Partition"}, ":dynamodb:", region, ":", {"Ref": "AWS::AccountId"}]
    if isinstance(region, str):
        parts[2:5] = [f":dynamodb:{region}:"]
    return {"Fn::Join": ["", [*parts, f":table/{name}"]]}


def bucket(name: str) -> dict[str, Any]:
    return {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, f":s3:::{name}"]]}


def test_an_action_is_granted_on_what_the_parameters_name() -> None:
    crawls = {
        "rows": {**SCAN, "parameters": {"TableName": "orders"}, "regions": ["eu-west-1"]},
        "objects": {**OBJECTS, "for_each": {"matrix": {"Bucket": ["a", "b"]}}},
        "here": {"service": "dynamodb", "operation": "query", "parameters": {"TableName": "here"}},
        "buckets": {"service": "s3", "operation": "list_buckets"},
    }
    found = granted(template(crawls))
    assert found["dynamodb:Scan"] == table("orders", "eu-west-1")
    assert found["dynamodb:Query"] == table("here", {"Ref": "AWS::Region"})
    assert found["s3:ListBucket"] == [bucket("a"), bucket("b")]
    assert found["s3:ListAllMyBuckets"] == "*"
    assert set(granted(template(crawls, adhoc_crawls=True)).values()) == {"*"}


def test_many_resources_become_all_of_their_kind_so_that_the_policy_fits() -> None:
    names = [f"a-bucket-with-a-rather-long-name-{number:03}" for number in range(200)]
    found = granted(template({"objects": {**OBJECTS, "for_each": {"matrix": {"Bucket": names}}}}))
    assert found["s3:ListBucket"] == bucket("*")
    several = {
        f"objects-{number}": {**OBJECTS, "parameters": {"Bucket": name}} for number, name in enumerate(names[:49])
    } | {
        f"versions-{number}": {**OBJECTS, "operation": "list_object_versions", "parameters": {"Bucket": name}}
        for number, name in enumerate(names[49:98])
    }
    found = granted(template(several))
    assert found["s3:ListBucket"] == found["s3:ListBucketVersions"] == bucket("*")
