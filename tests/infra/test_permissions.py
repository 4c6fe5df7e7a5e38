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


def template(crawls: Any, *read_policies: str) -> Template:
    stack = Stack(App(), "S")
    role = iam.Role(stack, "R", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    grant_reads(role, parse_catalogue({"crawls": crawls}), Settings(read_policies=read_policies))
    return Template.from_stack(stack)


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
