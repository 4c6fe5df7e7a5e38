from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk
import pytest
from aws_cdk.assertions import Template

from infra.reader_role import ReaderRoleStack
from infra.settings import Settings
from tests.infra.conftest import PROJECT, Synth
from tests.infra.test_resources import actions, statements

CATALOGUE = """
crawls:
  vpcs: {service: ec2, operation: describe_vpcs, accounts: organization, regions: [all]}
  roles: {service: iam, operation: list_roles}
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> str:
    path = tmp_path / "crawls.yaml"
    path.write_text(CATALOGUE)
    return str(path)


@pytest.fixture
def template(catalogue: str) -> dict[str, Any]:
    flags = json.loads((PROJECT / "cdk.json").read_text())["context"]
    app = aws_cdk.App(
        context={**flags, "catalogue": catalogue, "external_id": "a-secret-handshake"},
        builtin_cloud_formation_validation=False,
    )
    return dict(Template.from_stack(ReaderRoleStack(app, Settings.from_context(app.node))).to_json())


def test_the_role_is_for_pageturner_alone_and_asks_for_the_external_id(template: dict[str, Any]) -> None:
    (role,) = [each["Properties"] for each in template["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
    assert role["RoleName"] == "PageturnerReader"
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"]["AWS"]["Fn::Join"][1][-2:] == [{"Ref": "PageturnerAccount"}, ":root"]
    assert trust["Condition"]["StringEquals"] == {"sts:ExternalId": {"Ref": "ExternalId"}}
    assert trust["Condition"]["ArnLike"]["aws:PrincipalArn"]["Fn::Join"][1][-1] == ":role/Pageturner*"
    assert template["Parameters"]["ExternalId"]["Default"] == "a-secret-handshake"


def test_the_role_reads_what_the_catalogue_lists_and_asks_who_counts_it(template: dict[str, Any]) -> None:
    found = actions(template["Resources"], "Reader")
    assert found == {"ec2:DescribeVpcs", "ec2:DescribeRegions", "iam:ListRoles", "iam:GetAccountSummary"}


def test_the_template_can_be_rolled_out_by_stacksets(template: dict[str, Any]) -> None:
    """It needs no bootstrapping and no assets, and has one required parameter."""
    assert [name for name, each in template["Parameters"].items() if "Default" not in each] == ["PageturnerAccount"]
    assert "Rules" not in template
    assert {each["Type"] for each in template["Resources"].values()} == {"AWS::IAM::Role", "AWS::IAM::Policy"}


def test_the_functions_may_assume_that_role_and_list_the_organization(synth: Synth, catalogue: str) -> None:
    resources = synth(catalogue=catalogue, reader_role="Reader").to_json()["Resources"]
    for role in ("FunctionsPlanRun", "FunctionsFetchPage"):
        (assume,) = [each for each in statements(resources, role) if each["Action"] == "sts:AssumeRole"]
        assert assume["Resource"]["Fn::Join"][1][-1] == ":iam::*:role/Reader"
        assert {"ec2:DescribeVpcs", "iam:ListRoles", "iam:GetAccountSummary"} <= actions(resources, role)
    assert "organizations:ListAccounts" in actions(resources, "FunctionsPlanRun")
    assert "organizations:ListTagsForResource" not in actions(resources, "FunctionsPlanRun")
    assert "organizations:ListAccounts" not in actions(resources, "FunctionsFetchPage")
    assert not {"sts:AssumeRole", "iam:ListRoles", "iam:GetAccountSummary"} & actions(resources, "FunctionsFinishRun")


@pytest.mark.parametrize(
    ("accounts", "asked"),
    [
        ("accounts: organization", {"ListAccounts"}),
        ('accounts: ["prod-*"]', {"ListAccounts"}),
        ('accounts: ["!111111111111"]', {"ListAccounts"}),
        ('accounts: ["111111111111", "!sandbox-*"]', {"ListAccounts"}),
        ('accounts: ["111111111111", "222222222222", "!222222222222"]', set()),
        ('accounts: organization, account_tags: {Team: "*"}', {"ListAccounts", "ListTagsForResource"}),
    ],
)
def test_the_organization_is_read_only_if_a_crawl_asks_for_it(
    accounts: str, asked: set[str], synth: Synth, tmp_path: Path
) -> None:
    path = tmp_path / "crawls.yaml"
    path.write_text(f"crawls: {{vpcs: {{service: ec2, operation: describe_vpcs, {accounts}}}}}")
    granted = actions(synth(catalogue=str(path)).to_json()["Resources"], "FunctionsPlanRun")
    of_organizations = {action for action in granted if action.startswith("organizations:")}
    below = {"ListAccountsForParent", "ListOrganizationalUnitsForParent"} if asked else set()
    assert of_organizations == {f"organizations:{name}" for name in asked | below}
