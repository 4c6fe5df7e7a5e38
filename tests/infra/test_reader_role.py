from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk
import pytest
from aws_cdk.assertions import Template

from infra.reader_role import ReaderRoleStack, reader_names
from infra.settings import Settings
from tests.infra.conftest import PROJECT, Synth
from tests.infra.test_resources import actions, statements

CATALOGUE = """
crawls:
  vpcs: {service: ec2, operation: describe_vpcs, accounts: organization, regions: [all]}
  subnets:
    service: ec2
    operation: describe_subnets
    for_each: {crawl: vpcs, parameters: {SubnetIds: "[key]"}}
  roles: {service: iam, operation: list_roles}
"""
ACCOUNT = {"Ref": "PageturnerAccount"}
REGION = {"Fn::If": ["IsThisRegion", {"Ref": "AWS::Region"}, {"Ref": "PageturnerRegion"}]}


def arn(*parts: Any) -> dict[str, Any]:
    return {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, *parts]]}


@pytest.fixture
def catalogue(tmp_path: Path) -> str:
    path = tmp_path / "crawls.yaml"
    path.write_text(CATALOGUE)
    return str(path)


def reader(**context: str) -> dict[str, Any]:
    flags = json.loads((PROJECT / "cdk.json").read_text())["context"]
    app = aws_cdk.App(context={**flags, **context}, builtin_cloud_formation_validation=False)
    return dict(Template.from_stack(ReaderRoleStack(app, Settings.from_context(app.node))).to_json())


@pytest.fixture
def template(catalogue: str) -> dict[str, Any]:
    return reader(catalogue=catalogue, external_id="a-secret-handshake")


def role_of(template: dict[str, Any]) -> dict[str, Any]:
    (role,) = [each["Properties"] for each in template["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
    return dict(role)


def test_the_role_is_for_two_functions_alone_and_asks_for_the_external_id(template: dict[str, Any]) -> None:
    role = role_of(template)
    assert role["RoleName"] == "PageturnerReader"
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"]["AWS"] == [
        arn(":iam::", ACCOUNT, ":role/Pageturner-", REGION, f"-{name}") for name in ("FetchPage", "PlanRun")
    ]
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}
    assert template["Parameters"]["ExternalId"]["Default"] == "a-secret-handshake"


def test_the_functions_have_the_names_that_the_role_trusts(synth: Synth) -> None:
    resources = synth().to_json()["Resources"]
    names = [
        each["Properties"]["RoleName"]["Fn::Join"][1]
        for each in resources.values()
        if each["Type"] == "AWS::IAM::Role" and "RoleName" in each["Properties"]
    ]
    assert sorted(names) == [["Pageturner-", {"Ref": "AWS::Region"}, f"-{name}"] for name in ("FetchPage", "PlanRun")]


@pytest.mark.parametrize("length", [1, 38, 39, 40, 41, 70])
def test_a_long_name_of_a_stack_is_cut_and_stays_unique(length: int) -> None:
    found = [reader_names("a" * (length - 1) + last, "ap-southeast-1") for last in "ab"]
    names = {name for each in found for name in each}
    assert len(names) == 4
    assert max(map(len, names)) <= 64
    assert {name.rpartition("-")[2] for name in names} == {"PlanRun", "FetchPage"}


def test_the_role_reads_only_for_crawls_that_read_other_accounts(template: dict[str, Any]) -> None:
    found = actions(template["Resources"], "Reader")
    assert found == {"ec2:DescribeVpcs", "ec2:DescribeRegions", "ec2:DescribeSubnets"}


def test_the_template_can_be_rolled_out_by_stacksets(catalogue: str) -> None:
    """It needs no bootstrapping and no assets, and asks for what only the deployment knows."""
    template = reader(catalogue=catalogue)
    wanted = [name for name, each in template["Parameters"].items() if "Default" not in each]
    assert wanted == ["PageturnerAccount", "ExternalId"]
    assert "Rules" not in template
    assert {each["Type"] for each in template["Resources"].values()} == {"AWS::IAM::Role", "AWS::IAM::Policy"}


def test_the_external_id_is_the_stack_s_own_unless_it_is_set(synth: Synth) -> None:
    own = {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
    for settings, expected in (({}, own), ({"external_id": "a-secret-handshake"}, "a-secret-handshake")):
        template = synth(**settings).to_json()
        assert template["Outputs"]["ExternalId"]["Value"] == expected
        for function in ("FunctionsPlanRun", "FunctionsFetchPage"):
            assert variables(template, function)["EXTERNAL_ID"] == expected


def variables(template: Mapping[str, Any], function: str) -> dict[str, Any]:
    (found,) = [
        each["Properties"]["Environment"]["Variables"]
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::Lambda::Function" and re.fullmatch(rf"{function}[0-9A-F]+", name)
    ]
    return dict(found)


def test_the_functions_read_through_a_role_also_in_their_own_account(synth: Synth, catalogue: str) -> None:
    template = synth(catalogue=catalogue).to_json()
    resources = template["Resources"]
    (name,) = [each for each in resources if each.startswith("FunctionsReaderRole") and "Default" not in each]
    (trust,) = resources[name]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    readers = [re.sub("[0-9A-F]{8}$", "", each["Fn::GetAtt"][0]) for each in trust["Principal"]["AWS"]]
    assert sorted(readers) == ["FunctionsFetchPageRole", "FunctionsPlanRunRole"]
    reads = {"ec2:DescribeVpcs", "ec2:DescribeRegions", "ec2:DescribeSubnets", "iam:ListRoles", "iam:GetAccountSummary"}
    assert reads <= actions(resources, "FunctionsReader")
    for function in ("FunctionsPlanRun", "FunctionsFetchPage"):
        assert not reads & actions(resources, function)
        assert variables(template, function)["OWN_READER_ROLE_ARN"] == {"Fn::GetAtt": [name, "Arn"]}


def test_the_own_reader_cannot_read_what_pageturner_keeps(synth: Synth) -> None:
    resources = synth().to_json()["Resources"]
    denied = {
        each["Action"]: json.dumps(each["Resource"])
        for each in statements(resources, "FunctionsReader")
        if each["Effect"] == "Deny"
    }
    assert set(denied) == {"s3:*", "dynamodb:*", "athena:*"}
    assert denied["s3:*"].count("StoreItems") == 2
    assert {table for table in ("StoreItemTable", "StoreRunTable") if denied["dynamodb:*"].count(table) == 2} == {
        "StoreItemTable",
        "StoreRunTable",
    }
    (policy,) = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::S3::BucketPolicy"]
    refused = [each for each in policy["PolicyDocument"]["Statement"] if "FunctionsReader" in json.dumps(each)]
    assert [(each["Effect"], each["Action"]) for each in refused] == [("Deny", "s3:*")]


ORGANIZATION = {"StringEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}
OF_ITEMS = "{crawl: rows, parameters: {Filters: key}, account: item.OwnerId}"


@pytest.mark.parametrize(
    ("accounts", "named", "in_organization"),
    [
        ("", [], False),
        ('accounts: ["222222222222", "111111111111"]', ["111111111111", "222222222222"], False),
        ('accounts: ["222222222222", "111111111111", "!111111111111"]', ["222222222222"], False),
        ('accounts: ["222222222222", "prod-*"]', ["222222222222"], True),
        ("accounts: organization", [], True),
        ("for_each: {crawl: rows, parameters: {Filters: key}}", ["333333333333"], False),
        (f"for_each: {OF_ITEMS}", ["333333333333"], True),
    ],
)
def test_the_functions_may_assume_the_roles_of_those_accounts_that_the_catalogue_names(
    accounts: str, named: list[str], in_organization: bool, synth: Synth, tmp_path: Path
) -> None:
    path = tmp_path / "crawls.yaml"
    rows = (
        'rows: {service: ec2, operation: describe_vpcs, accounts: ["333333333333"]}' if "for_each" in accounts else ""
    )
    path.write_text(f"crawls:\n  vpcs: {{service: ec2, operation: describe_vpcs, {accounts}}}\n  {rows}\n")
    resources = synth(catalogue=str(path), reader_role="Reader").to_json()["Resources"]
    for function in ("FunctionsPlanRun", "FunctionsFetchPage"):
        assume = [each for each in statements(resources, function) if each["Action"] == "sts:AssumeRole"]
        plain, conditional = ([each for each in assume if ("Condition" in each) is is_so] for is_so in (False, True))
        (resource,) = [each["Resource"] for each in plain]
        own, *others = resource if isinstance(resource, list) else [resource]
        assert own["Fn::GetAtt"][0].startswith("FunctionsReaderRole")
        assert others == [arn(f":iam::{account}:role/Reader") for account in named]
        expected = [(ORGANIZATION, arn(":iam::*:role/Reader"))] if in_organization else []
        assert [(each["Condition"], each["Resource"]) for each in conditional] == expected
    assert "sts:AssumeRole" not in actions(resources, "FunctionsFinishRun")


def test_adhoc_crawls_may_read_any_account_of_the_organization(synth: Synth, catalogue: str) -> None:
    closed, opened = synth().to_json(), synth(adhoc_crawls="true").to_json()
    assert variables(closed, "FunctionsPlanRun")["ONLY_CATALOGUED"] == "true"
    assert "ONLY_CATALOGUED" not in variables(opened, "FunctionsPlanRun")
    assume = [
        each for each in statements(opened["Resources"], "FunctionsPlanRun") if each["Action"] == "sts:AssumeRole"
    ]
    assert [each["Condition"] for each in assume if "Condition" in each] == [ORGANIZATION]
    opened = reader(catalogue=catalogue, adhoc_crawls="true", read_policies="ReadOnlyAccess")
    assert "iam:ListRoles" in actions(opened["Resources"], "Reader")
    assert "ManagedPolicyArns" in role_of(opened)
    assert "ManagedPolicyArns" not in role_of(reader(catalogue=catalogue, read_policies="ReadOnlyAccess"))


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
    granted = actions(synth(catalogue=str(path)).to_json()["Resources"], "FunctionsReader")
    of_organizations = {action for action in granted if action.startswith("organizations:")}
    below = {"ListAccountsForParent", "ListOrganizationalUnitsForParent"} if asked else set()
    assert of_organizations == {f"organizations:{name}" for name in asked | below}
