"""Many targets from one crawl, on moto: accounts, regions, items of other crawls, parts of a listing; and dry runs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from pageturner import clients
from pageturner.errors import (
    AccessDeniedError,
    InvalidCrawlError,
    InvalidRequestError,
    NotFoundError,
    RunWouldFailError,
    ThrottledError,
    TransientError,
)
from pageturner.page_state import FROM_CHECKPOINT
from tests.conftest import ACCOUNT, REGION, Aws, Machines

VPCS: dict[str, Any] = {"service": "ec2", "operation": "describe_vpcs", "key": "VpcId"}
BUCKETS: dict[str, Any] = {"service": "s3", "operation": "list_buckets", "key": "Name"}
OBJECTS: dict[str, Any] = {"service": "s3", "operation": "list_objects_v2", "key": "Key"}
OBJECTS_OF_ALL = {**OBJECTS, "for_each": {"crawl": "buckets", "parameters": {"Bucket": "item.Name"}}}


def targets(aws: Aws, planned: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws.json(planned["targets"]["key"])
    assert len(found) == planned["targets"]["count"]
    return found


def places(aws: Aws, planned: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(target["account"], target["region"]) for target in targets(aws, planned)]


def keys(aws: Aws, summary: Mapping[str, Any]) -> list[str]:
    manifest = aws.json(f"runs/{summary['run_id']}/manifest.json")
    return [line["key"] for file in manifest["files"] for line in aws.lines(file["key"])]


def enabled_regions() -> set[str]:
    found = boto3.client("ec2").describe_regions(AllRegions=True)["Regions"]
    return {region["RegionName"] for region in found if region["OptInStatus"] != "not-opted-in"}


def make_buckets(count: int) -> dict[str, list[str]]:
    """Create buckets, and return the keys of the objects in each. No two objects have the same key."""
    s3 = boto3.client("s3")
    made = {f"source-{number:02}": [f"{number}-{key}" for key in range(number % 4)] for number in range(count)}
    for bucket, names in made.items():
        s3.create_bucket(Bucket=bucket)
        for name in names:
            s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    return made


# Accounts and regions


def test_all_regions_are_those_of_the_service_that_the_account_has_enabled(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({**VPCS, "regions": ["all"]})
    regions = [region for _, region in places(aws, planned)]
    assert {"us-east-1", "eu-west-1"} <= set(regions)
    assert set(regions) == enabled_regions() & set(boto3.Session().get_available_regions("ec2"))
    assert len(regions) == len(set(regions))


def test_a_region_that_is_not_enabled_is_left_out(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        {"RegionName": "us-east-1", "OptInStatus": "opt-in-not-required"},
        {"RegionName": "af-south-1", "OptInStatus": "not-opted-in"},
        {"RegionName": "ap-east-1", "OptInStatus": "opted-in"},
        {"RegionName": "mars-west-1", "OptInStatus": "opted-in"},
    ]
    monkeypatch.setattr(clients.client("ec2", "us-east-1"), "describe_regions", lambda **_: {"Regions": found})
    planned = machines.plan({**VPCS, "regions": ["all"]})
    regions = {region for _, region in places(aws, planned)}
    # All regions that botocore knows, except the one that the account has not enabled, and one that only the account
    # knows.
    assert regions == set(boto3.Session().get_available_regions("ec2")) - {"af-south-1"} | {"mars-west-1"}
    # botocore knows ap-east-1, and that this service is not there.
    planned = machines.plan(
        {"service": "bedrock", "operation": "list_custom_models", "regions": ["all"]}, "execution-2"
    )
    regions = {region for _, region in places(aws, planned)}
    assert regions == set(boto3.Session().get_available_regions("bedrock")) - {"af-south-1"} | {"mars-west-1"}
    assert "ap-east-1" not in regions


def test_all_regions_of_a_service_whose_regions_botocore_does_not_know_are_those_of_the_account(
    aws: Aws, machines: Machines
) -> None:
    asked = {"service": "bedrock-agent", "operation": "list_agents", "regions": ["all"]}
    assert boto3.Session().get_available_regions("bedrock-agent") == []
    # moto's accounts have the regions of all partitions.
    enabled = enabled_regions() & set(boto3.Session().get_available_regions("ec2"))
    assert {region for _, region in places(aws, machines.plan(asked))} == enabled


def test_an_account_that_does_not_tell_its_regions_has_all_of_them(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer regions could pass for the whole listing. Targets in regions that are not enabled will be denied."""

    def answers(code: str) -> Any:
        def describe_regions(**_: Any) -> Any:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeRegions")

        return describe_regions

    asked = {**VPCS, "accounts": ["222222222222"], "regions": ["all"]}
    others = clients.client("ec2", "us-east-1", "222222222222")
    monkeypatch.setattr(others, "describe_regions", answers("UnauthorizedOperation"))
    regions = [region for _, region in places(aws, machines.plan(asked))]
    assert regions == boto3.Session().get_available_regions("ec2")
    agents = {**asked, "service": "bedrock-agent", "operation": "list_agents", "key": "agentId"}
    assert {region for _, region in places(aws, machines.plan(agents))} == set(regions)
    monkeypatch.setattr(others, "describe_regions", answers("RequestLimitExceeded"))
    with pytest.raises(ThrottledError):
        machines.plan(asked, "execution-2")
    own = clients.client("ec2", "us-east-1")
    monkeypatch.setattr(own, "describe_regions", answers("UnauthorizedOperation"))
    with pytest.raises(
        InvalidCrawlError, match="regions: the enabled regions cannot be read; list the regions instead"
    ):
        machines.plan({**VPCS, "regions": ["all"]}, "execution-3")


def test_a_region_of_another_partition_is_refused(aws: Aws, machines: Machines) -> None:
    with pytest.raises(
        InvalidCrawlError, match="regions: cn-north-1 is in the partition aws-cn, but credentials of aws"
    ):
        machines.plan({**VPCS, "regions": ["cn-north-1"]})


@pytest.mark.parametrize(
    ("regions", "chosen"),
    [
        (["eu-*"], lambda region: region.startswith("eu-")),
        (["eu-west-?", "us-east-1"], lambda region: region[:-1] == "eu-west-" or region == "us-east-1"),
        (["eu-*", "us-east-1", "!eu-south-*"], lambda region: region.startswith("eu-") and "south" not in region),
        (["!eu-*", "!us-east-1"], lambda region: not region.startswith("eu-") and region != "us-east-1"),
        (["all", "!us-*"], lambda region: not region.startswith("us-")),
        (["us-east-1", "eu-west-1", "!eu-*"], lambda region: region == "us-east-1"),
    ],
)
def test_regions_by_pattern_and_exception_are_among_those_that_the_account_has_enabled(
    regions: list[str], chosen: Callable[[str], bool], aws: Aws, machines: Machines
) -> None:
    found = [region for _, region in places(aws, machines.plan({**VPCS, "regions": regions}))]
    every = enabled_regions() & set(boto3.Session().get_available_regions("ec2"))
    expected = {region for region in every if chosen(region)} | {"us-east-1"} & set(regions)
    assert sorted(found) == sorted(expected)
    assert expected


def test_a_name_beside_a_pattern_stays_as_it_is(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    enabled = [{"RegionName": name, "OptInStatus": "opted-in"} for name in ("eu-west-1", "us-west-2", "eu-west-9")]
    not_enabled = {"RegionName": "eu-south-2", "OptInStatus": "not-opted-in"}
    found = [*enabled, not_enabled, *({"RegionName": r} for r in ("eu-central-1", "eu-west-2"))]
    monkeypatch.setattr(clients.client("ec2", "us-east-1"), "describe_regions", lambda **_: {"Regions": found})
    planned = machines.plan({**VPCS, "regions": ["eu-south-2", "eu-west-?", "!eu-west-2"]})
    # It is not enabled, and a run will say so. The newest region is newer than botocore.
    assert [region for _, region in places(aws, planned)] == ["eu-south-2", "eu-west-1", "eu-west-3", "eu-west-9"]


@pytest.mark.parametrize(("regions", "partition"), [(["us-east-1", "cn-*"], "aws-cn"), (["us-gov-*"], "aws-us-gov")])
def test_a_pattern_of_another_partition_is_refused(regions: list[str], partition: str, machines: Machines) -> None:
    with pytest.raises(
        InvalidCrawlError, match=rf"regions: .*\* is in the partition {partition}, but credentials of aws"
    ):
        machines.plan({**VPCS, "regions": regions})


def test_patterns_that_choose_no_region_are_refused(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [{"RegionName": "me-south-1", "OptInStatus": "not-opted-in"}, {"RegionName": "us-east-1"}]
    monkeypatch.setattr(clients.client("ec2", "us-east-1"), "describe_regions", lambda **_: {"Regions": found})
    said = (
        r'regions: \["me-south-\*"\] chooses no region that is enabled and has ec2; name the regions, or choose others'
    )
    with pytest.raises(InvalidCrawlError, match=said):
        machines.plan({**VPCS, "regions": ["me-south-*"]})


@pytest.mark.parametrize("regions", [["all"], ["eu-*"], ["!us-*"]])
def test_a_service_with_one_listing_has_it_whatever_the_patterns(
    regions: list[str], aws: Aws, machines: Machines
) -> None:
    planned = machines.plan({"service": "iam", "operation": "list_roles", "regions": regions})
    assert places(aws, planned) == [(ACCOUNT, "us-east-1")]
    named = machines.plan(
        {"service": "iam", "operation": "list_roles", "regions": ["eu-west-1", *regions]}, "execution-2"
    )
    assert [region for _, region in places(aws, named)] == ["eu-west-1"]


def test_a_global_service_has_one_listing(aws: Aws, machines: Machines) -> None:
    for service, operation in (("iam", "list_roles"), ("billing", "list_billing_views")):
        planned = machines.plan({"service": service, "operation": operation, "regions": ["all"]})
        assert places(aws, planned) == [(ACCOUNT, "us-east-1")]


def test_a_service_that_has_one_region_is_listed_there_once(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Also if the account has a region that is newer than botocore.
    found = [{"RegionName": name, "OptInStatus": "opt-in-not-required"} for name in ("us-west-2", "mars-west-1")]
    monkeypatch.setattr(clients.client("ec2", "us-east-1"), "describe_regions", lambda **_: {"Regions": found})
    for service, operation, region in (
        ("globalaccelerator", "list_accelerators", "us-west-2"),
        ("route53globalresolver", "list_global_resolvers", "us-east-2"),
    ):
        planned = machines.plan({"service": service, "operation": operation, "regions": ["all"]}, f"execution-{region}")
        assert places(aws, planned) == [(ACCOUNT, region)]


def test_a_garbled_answer_about_regions_is_asked_for_again(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only in another account, where a refusal would make all regions targets."""
    answers: list[tuple[str, Any]] = [(ACCOUNT, {}), ("222222222222", {}), (ACCOUNT, {"Regions": [{}]})]
    for account, answer in answers:
        ec2 = clients.client("ec2", "us-east-1", account)
        monkeypatch.setattr(ec2, "describe_regions", lambda answer=answer, **_: answer)
        with pytest.raises(TransientError, match=r"the enabled regions cannot be read .*: KeyError"):
            machines.plan({**VPCS, "accounts": [account], "regions": ["all"]})


@pytest.mark.parametrize(
    ("regions", "region"),
    [
        (["all"], "us-east-1"),
        (["eu-west-1", "us-east-1"], "us-east-1"),
        (["eu-west-1", "ap-south-1"], "eu-west-1"),
        (["ap-south-1"], "ap-south-1"),
    ],
)
def test_a_listing_that_is_the_same_from_every_region_has_one_target_in_each_account(
    regions: list[str], region: str, aws: Aws, machines: Machines
) -> None:
    accounts = [ACCOUNT, "222222222222"]
    planned = machines.plan({**BUCKETS, "accounts": accounts, "regions": regions})
    assert places(aws, planned) == [(account, region) for account in accounts]


def test_buckets_of_one_region_are_listed_there(aws: Aws, machines: Machines) -> None:
    asked = {**BUCKETS, "parameters": {"BucketRegion": "eu-west-1"}, "regions": ["us-east-1", "eu-west-1"]}
    assert [region for _, region in places(aws, machines.plan(asked))] == ["us-east-1", "eu-west-1"]


def test_the_objects_of_all_buckets_are_listed_where_the_buckets_are(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"one": "us-east-1", "two": "eu-west-1", "three": "ap-south-1"}
    for name, region in wanted.items():
        where: Any = {} if region == REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        aws.s3.create_bucket(Bucket=name, **where)
        aws.s3.put_object(Bucket=name, Key=f"key-of-{name}", Body=b"x")
    # moto does not tell the regions.
    listed = {"Buckets": [{"Name": name, "BucketRegion": region} for name, region in wanted.items()]}
    monkeypatch.setattr(clients.client("s3", REGION), "list_buckets", lambda **_: listed)
    machines.catalogue = {
        "buckets": {**BUCKETS, "regions": ["all"]},
        "objects": {
            **OBJECTS,
            "for_each": {"crawl": "buckets", "parameters": {"Bucket": "item.Name"}, "region": "item.BucketRegion"},
        },
    }
    assert machines.run(aws, {"crawl": "buckets"})["items"] == 3
    summary = machines.run(aws, {"crawl": "objects"}, "execution-2")
    assert (summary["targets"], summary["items"]) == ({"complete": 3}, 3)
    planned = aws.json(f"runs/{summary['run_id']}/targets.json")
    assert {target["parameters"]["Bucket"]: target["region"] for target in planned} == wanted


def test_accounts_are_read_through_their_role(aws: Aws, machines: Machines) -> None:
    others = ["222222222222", "333333333333"]
    expected = []
    for account in [ACCOUNT, *others]:
        credentials = boto3.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{account}:role/PageturnerReader", RoleSessionName="test"
        )["Credentials"]
        session = boto3.Session(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
        for region in ("us-east-1", "eu-west-1"):
            ec2 = session.client("ec2", region_name=region)
            ec2.create_vpc(CidrBlock="10.1.0.0/16")
            expected += [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]]
    asked = {**VPCS, "accounts": [ACCOUNT, *others], "regions": ["us-east-1", "eu-west-1"]}
    summary = machines.run(aws, asked)
    assert summary["targets"] == {"complete": 6}
    assert sorted(keys(aws, summary)) == sorted(expected)
    assert len(set(expected)) == 12
    manifest = aws.json(f"runs/{summary['run_id']}/manifest.json")
    accounts = {line["account"] for file in manifest["files"] for line in aws.lines(file["key"])}
    assert accounts == {ACCOUNT, *others}


def test_the_role_is_assumed_with_the_external_id(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, operation: str, arguments: Any) -> Any:
        if operation == "AssumeRole":
            asked.append(arguments)
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)
        return real(self, operation, arguments)

    planned = machines.plan({**VPCS, "accounts": ["222222222222"]})
    (target,) = targets(aws, planned)
    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    with pytest.raises(AccessDeniedError, match="AssumeRole"):
        machines.fetch(planned, target, FROM_CHECKPOINT)
    (arguments,) = asked
    assert arguments["RoleArn"] == "arn:aws:iam::222222222222:role/PageturnerReader"
    assert arguments["ExternalId"] == "pageturner"


def make_organization() -> dict[str, list[str]]:
    """Create an organization with two nested organizational units, and return the accounts in each."""
    organizations = boto3.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    (root,) = organizations.list_roots()["Roots"]
    units: dict[str, list[str]] = {}
    parent = root["Id"]
    for name in ("above", "below"):
        unit = organizations.create_organizational_unit(ParentId=parent, Name=name)["OrganizationalUnit"]["Id"]
        units[unit] = []
        parent = unit
        for number in range(2):
            status = organizations.create_account(Email=f"{name}{number}@example.com", AccountName=f"{name}-{number}")
            account = status["CreateAccountStatus"]["AccountId"]
            organizations.move_account(AccountId=account, SourceParentId=root["Id"], DestinationParentId=unit)
            units[unit].append(account)
    return units


def test_the_accounts_of_an_organization(aws: Aws, machines: Machines) -> None:
    above, below = make_organization().items()
    everyone = {ACCOUNT, *above[1], *below[1]}
    asked = {**VPCS, "accounts": "organization"}
    assert {account for account, _ in places(aws, machines.plan(asked))} == everyone
    of_unit = machines.plan({**asked, "organizational_units": [above[0]]}, "execution-2")
    assert sorted(account for account, _ in places(aws, of_unit)) == sorted([*above[1], *below[1]])
    lower = machines.plan({**asked, "organizational_units": [below[0]]}, "execution-3")
    assert sorted(account for account, _ in places(aws, lower)) == sorted(below[1])


def test_accounts_by_name_and_exception(aws: Aws, machines: Machines) -> None:
    (above, (a0, a1)), (below, (b0, b1)) = make_organization().items()
    outside = "999999999999"
    for number, (accounts, chosen) in enumerate(
        [
            (["above-*"], [a0, a1]),
            (["above-0", "below-?"], [a0, b0, b1]),
            ([outside, "below-*", a1], [outside, a1, b0, b1]),
            (["organization", "!above-*", f"!{b1}"], [ACCOUNT, b0]),
            (["!above-*", f"!{b1}"], [ACCOUNT, b0]),
            ([outside, a0, b0, "!below-*"], [outside, a0]),
            ([outside, a0, f"!{a0}"], [outside]),
        ]
    ):
        planned = machines.plan({**VPCS, "accounts": accounts}, f"execution-{number}")
        found = [account for account, _ in places(aws, planned)]
        assert sorted(found) == sorted(chosen), accounts
    asked = {**VPCS, "accounts": ["*-1", a0], "organizational_units": [above, f"!{below}"]}
    assert sorted(account for account, _ in places(aws, machines.plan(asked, "execution-8"))) == sorted([a0, a1])
    everyone_else = {**VPCS, "accounts": "organization", "organizational_units": [f"!{below}"]}
    planned = machines.plan(everyone_else, "execution-9")
    assert sorted(account for account, _ in places(aws, planned)) == sorted([ACCOUNT, a0, a1])


def tag(account: str, **tags: str) -> None:
    made: list[Any] = [{"Key": key, "Value": value} for key, value in tags.items()]
    boto3.client("organizations").tag_resource(ResourceId=account, Tags=made)


def test_accounts_by_tag(aws: Aws, machines: Machines) -> None:
    (_, (a0, a1)), (_, (b0, b1)) = make_organization().items()
    tag(a0, Environment="production", Team="x")
    tag(a1, Environment="production")
    tag(b0, Environment="prod", Team="")
    tag(b1, Environment="test", Team="y")
    tags = {"Environment": "prod*", "Team": "*"}
    asked = {**VPCS, "accounts": "organization", "account_tags": tags}
    assert sorted(account for account, _ in places(aws, machines.plan(asked))) == sorted([a0, b0])
    # Who is listed by id is read whatever the tags.
    listed = machines.plan({**asked, "accounts": [b1, "above-*"]}, "execution-2")
    assert sorted(account for account, _ in places(aws, listed)) == sorted([a0, b1])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"accounts": ["above-*", "Below-*"]},
            r'accounts: no active account of the organization has a name like "Below-',
        ),
        (
            {"accounts": ["organisation"]},
            'no active account of the organization has a name like "organisation"; AWS Org',
        ),
        (
            {"accounts": ["above-*", "!above-?"]},
            r'accounts: \["above-\*", "!above-\?"\] leaves no account; remove excep',
        ),
        (
            {"accounts": ["above-*"], "organizational_units": "below"},
            "no active account of the organization, in organizational_units, has a name like",
        ),
        (
            {"accounts": ["111111111111", "above-*"], "account_tags": {"Team": "a"}},
            r'account_tags: none of 3 accounts has the tags \{"Team": "a"\}; upper case differs',
        ),
    ],
)
def test_accounts_that_nothing_chooses_are_an_error(
    asked: dict[str, Any], said: str, aws: Aws, machines: Machines
) -> None:
    _, (below, _) = make_organization().items()
    if "organizational_units" in asked:
        asked = {**asked, "organizational_units": [below]}
    with pytest.raises(InvalidCrawlError, match=said):
        machines.plan({**VPCS, **asked})


def test_whoever_asks_for_many_tags_is_throttled_and_goes_on(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, (a0, a1)), _ = make_organization().items()
    tag(a0, Team="x")
    tag(a1, Team="x")
    client = clients.client("organizations", "us-east-1", ACCOUNT)
    real, asked = client._make_api_call, []

    def call(name: str, arguments: Any) -> Any:
        if name == "ListTagsForResource":
            asked.append(arguments["ResourceId"])
            if len(asked) % 3:
                raise ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "slow"}}, name)
        return real(name, arguments)

    monkeypatch.setattr(client, "_make_api_call", call)
    monkeypatch.setattr("pageturner.plan.organization._WAIT_SECONDS", 0)
    planned = machines.plan({**VPCS, "accounts": "organization", "account_tags": {"Team": "x"}})
    assert sorted(account for account, _ in places(aws, planned)) == sorted([a0, a1])
    # Each account is asked three times, and no account anew.
    assert [asked.count(account) for account in set(asked)] == [3] * 5
    monkeypatch.setattr("pageturner.plan.organization._MOST_WAITS", 1)
    with pytest.raises(ThrottledError):
        machines.plan({**VPCS, "accounts": "organization", "account_tags": {"Team": "x"}}, "execution-2")


def test_only_active_accounts_are_read(aws: Aws, machines: Machines) -> None:
    ((_, (first, *_)), *_) = make_organization().items()
    boto3.client("organizations").close_account(AccountId=first)
    accounts = [account for account, _ in places(aws, machines.plan({**VPCS, "accounts": "organization"}))]
    assert first not in accounts
    assert len(accounts) == 4


@pytest.mark.parametrize(
    ("units", "garbled", "answer"),
    [
        (None, "ListAccounts", {}),
        (None, "ListAccounts", {"Accounts": [{"State": "ACTIVE"}]}),
        (None, "ListAccounts", {"Accounts": [{"State": "ACTIVE", "Id": "1"}]}),
        (["ou-abcd-11112222"], "ListAccountsForParent", {}),
        (["ou-abcd-11112222"], "ListOrganizationalUnitsForParent", {}),
        (["ou-abcd-11112222"], "ListOrganizationalUnitsForParent", {"OrganizationalUnits": [{}]}),
    ],
)
def test_a_garbled_answer_about_accounts_is_asked_for_again(
    units: list[str] | None,
    garbled: str,
    answer: dict[str, Any],
    machines: Machines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = clients.client("organizations", "us-east-1", ACCOUNT)
    monkeypatch.setattr(client, "_make_api_call", lambda name, _: answer if name == garbled else {"Accounts": []})
    asked = {"accounts": "organization", **({"organizational_units": units} if units else {})}
    with pytest.raises(TransientError, match=r"the organization's accounts cannot be read .*: KeyError"):
        machines.plan({**VPCS, **asked})


def test_an_organization_that_cannot_be_read_is_said(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    class Denied:
        def get_paginator(self, _: str) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListAccounts")

    real = clients.client
    monkeypatch.setattr(clients, "client", lambda *asked: Denied() if asked[0] == "organizations" else real(*asked))
    with pytest.raises(InvalidCrawlError, match=r"accounts: the organization cannot be read from account 123456789012"):
        machines.plan({**VPCS, "accounts": "organization"})
    # The run that failed to begin does not leave the crawl locked.
    with pytest.raises(InvalidCrawlError):
        machines.plan({**VPCS, "accounts": "organization"}, "execution-2")


# for_each


def test_the_items_of_another_crawl_are_targets(aws: Aws, machines: Machines) -> None:
    made = make_buckets(8)
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS_OF_ALL}
    first = machines.run(aws, {"crawl": "buckets"})
    planned = machines.plan({"crawl": "objects"}, "execution-2")
    assert planned["for_each_item_of"] == first["run_id"]
    summary = machines.run(aws, {"crawl": "objects"}, "execution-2")
    assert summary["targets"] == {"complete": 9}
    own = [key for key in keys(aws, summary) if key.startswith(("items/", "runs/"))]
    assert sorted(set(keys(aws, summary)) - set(own)) == sorted(key for names in made.values() for key in names)


def test_a_run_of_less_is_not_a_run_to_go_by(aws: Aws, machines: Machines) -> None:
    make_buckets(3)
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS_OF_ALL}
    message = r'there is no complete run of buckets as the catalogue defines it; start one first: {"crawl": "buckets"}'
    with pytest.raises(InvalidCrawlError, match=message):
        machines.plan({"crawl": "objects"})
    machines.run(aws, {"crawl": "buckets", "pagination_config": {"MaxItems": 1}})
    with pytest.raises(InvalidCrawlError, match=message):
        machines.plan({"crawl": "objects"}, "execution-2")
    # A run that has not finished does not count either.
    machines.plan({"crawl": "buckets"}, "execution-3")
    with pytest.raises(InvalidCrawlError, match=message):
        machines.plan({"crawl": "objects"}, "execution-4")
    # Nor does a run that succeeded only because it tolerated more than the catalogue does.
    planned = machines.plan({"crawl": "buckets", "tolerate": ["unfinished"], "overlap": "allow"}, "execution-5")
    assert machines.finish(planned)["outcome"] == "succeeded"
    with pytest.raises(InvalidCrawlError, match=message):
        machines.plan({"crawl": "objects"}, "execution-6")


def test_the_latest_run_counts_and_a_late_one_of_before_does_not(aws: Aws, machines: Machines) -> None:
    make_buckets(1)
    machines.catalogue = {"buckets": {**BUCKETS, "overlap": "allow"}, "objects": OBJECTS_OF_ALL}
    late = machines.plan({"crawl": "buckets"})
    machines.started_at = "2127-01-01T00:00:00.000Z"
    newer = machines.run(aws, {"crawl": "buckets"}, "execution-2")
    (target,) = targets(aws, late)
    machines.turn_all(late, target)
    machines.finish(late)
    assert machines.plan({"crawl": "objects"}, "execution-3")["for_each_item_of"] == newer["run_id"]


def test_items_give_parameters_regions_and_what_their_own_target_had(aws: Aws, machines: Machines) -> None:
    """Two levels: clusters → services → tasks."""
    for region in ("us-east-1", "eu-west-1"):
        ecs = boto3.client("ecs", region_name=region)
        ecs.register_task_definition(family="f", containerDefinitions=[{"name": "c", "image": "i", "memory": 1}])
        for cluster in ("one", "two"):
            ecs.create_cluster(clusterName=f"{cluster}-{region}")
            for service in ("a", "b"):
                ecs.create_service(
                    cluster=f"{cluster}-{region}", serviceName=service, taskDefinition="f", desiredCount=0
                )
    machines.catalogue = {
        "clusters": {"service": "ecs", "operation": "list_clusters", "regions": ["us-east-1", "eu-west-1"]},
        "services": {
            "service": "ecs",
            "operation": "list_services",
            "for_each": {"crawl": "clusters", "parameters": {"cluster": "item"}},
        },
        "tasks": {
            "service": "ecs",
            "operation": "list_tasks",
            "for_each": {
                "crawl": "services",
                "parameters": {"cluster": "parameters.cluster", "serviceName": "item"},
                "region": "region",
            },
        },
    }
    for number, crawl in enumerate(("clusters", "services")):
        summary = machines.run(aws, {"crawl": crawl}, f"execution-{number}")
        assert summary["outcome"] == "succeeded"
    planned = targets(aws, machines.plan({"crawl": "tasks"}, "execution-9"))
    assert len(planned) == 8
    for target in planned:
        assert target["region"] in target["parameters"]["cluster"]
        assert target["parameters"]["serviceName"].rpartition(":")[2].startswith("service/")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (
            "item.BucketArn",
            r'for_each\.parameters\.Bucket: "item\.BucketArn" finds nothing in an item with the members',
        ),
        (
            "join('', item.Name)",
            r'for_each\.parameters\.Bucket: "join.* cannot be evaluated: join\(\) takes array-string, not string',
        ),
        (
            "length(item.Name)",
            r"for_each: invalid parameters for s3 list_objects_v2, .* Invalid type for parameter Buck",
        ),
    ],
)
def test_an_expression_that_gives_no_parameters_is_an_error(
    expression: str, said: str, aws: Aws, machines: Machines
) -> None:
    make_buckets(2)
    machines.catalogue = {
        "buckets": BUCKETS,
        "objects": {**OBJECTS, "for_each": {"crawl": "buckets", "parameters": {"Bucket": expression}}},
    }
    machines.run(aws, {"crawl": "buckets"})
    with pytest.raises(InvalidCrawlError, match=said):
        machines.plan({"crawl": "objects"}, "execution-2")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("item.BucketRegion || 'EU'", "gives a text of 2 characters, which is not a region, in an item with"),
        ("length(item.Name)", "gives a number, which is not a region, in an item with"),
    ],
)
def test_an_item_that_gives_no_region_is_an_error(expression: str, said: str, aws: Aws, machines: Machines) -> None:
    make_buckets(2)
    for_each = {"crawl": "buckets", "parameters": {"Bucket": "item.Name"}, "region": expression}
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "for_each": for_each}}
    machines.run(aws, {"crawl": "buckets"})
    with pytest.raises(InvalidCrawlError, match=re.escape(f'for_each.region: "{expression}" {said} the members ')):
        machines.plan({"crawl": "objects"}, "execution-2")


@pytest.mark.parametrize(("key", "expression"), [("key", "join('', Size)"), ("search", "join('', Contents)")])
def test_an_expression_that_cannot_be_evaluated_is_an_error(
    key: str, expression: str, aws: Aws, machines: Machines
) -> None:
    make_buckets(2)
    planned = machines.plan({**OBJECTS, "parameters": {"Bucket": "source-01"}, key: expression})
    with pytest.raises(InvalidCrawlError, match=f"{key}: .* cannot be evaluated"):
        machines.fetch(planned, targets(aws, planned)[0], FROM_CHECKPOINT)


def test_binary_keys_of_items_are_the_keys_of_targets(aws: Aws, machines: Machines) -> None:
    values = [b"\x00\xff", b"plain", "é".encode()]
    for name in ("parents", "children"):
        aws.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "B"}],
        )
        for value in values:
            aws.dynamodb.put_item(TableName=name, Item={"id": {"B": value}})
    query = {
        "service": "dynamodb",
        "operation": "query",
        "parameters": {"TableName": "children", "KeyConditionExpression": "id = :id"},
    }
    machines.catalogue = {
        "parents": {"service": "dynamodb", "operation": "scan", "parameters": {"TableName": "parents"}},
        "children": {
            **query,
            "for_each": {"crawl": "parents", "parameters": {"ExpressionAttributeValues": '{":id": item.id}'}},
        },
    }
    machines.run(aws, {"crawl": "parents"})
    report = machines.plan({"crawl": "children", "dry_run": True}, "execution-2")["nothing_to_do"]
    assert report["estimate"]["items"] == 3
    summary = machines.run(aws, {"crawl": "children"}, "execution-3")
    assert (summary["targets"], summary["items"]) == ({"complete": 3}, 3)


def test_literal_lists_and_matrices(aws: Aws, machines: Machines) -> None:
    listed = {**OBJECTS, "for_each": {"list": [{"Bucket": "a"}, {"Bucket": "b", "Prefix": "x"}, {"Bucket": "a"}]}}
    planned = targets(aws, machines.plan({**listed, "regions": ["us-east-1", "eu-west-1"]}))
    assert [(target["region"], target["parameters"]) for target in planned] == [
        ("us-east-1", {"Bucket": "a"}),
        ("eu-west-1", {"Bucket": "a"}),
        ("us-east-1", {"Bucket": "b", "Prefix": "x"}),
        ("eu-west-1", {"Bucket": "b", "Prefix": "x"}),
    ]
    matrix = {**OBJECTS, "for_each": {"matrix": {"Bucket": ["a", "b"], "Prefix": ["x", "y"]}}}
    found = [target["parameters"] for target in targets(aws, machines.plan(matrix, "execution-2"))]
    assert found == [{"Bucket": bucket, "Prefix": prefix} for bucket in "ab" for prefix in "xy"]


# split


@pytest.fixture
def source(aws: Aws) -> list[str]:
    aws.s3.create_bucket(Bucket="source")
    aws.put_objects("source", [f"{'aü +%'[number % 5]}/{number:02}" for number in range(60)])
    return aws.object_keys_of("source")


SPLIT = {**OBJECTS, "parameters": {"Bucket": "source"}, "split": 6, "pagination_config": {"PageSize": 4}}


def test_the_parts_of_a_listing_are_the_listing(aws: Aws, machines: Machines, source: list[str]) -> None:
    summary = machines.run(aws, SPLIT)
    assert summary["targets"] == {"complete": 6}
    assert keys(aws, summary) == source


@pytest.mark.parametrize("answer", [{}, {"Contents": [{}], "IsTruncated": False}])
def test_a_garbled_answer_about_keys_is_asked_for_again(
    answer: dict[str, Any], aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients.client("s3", "us-east-1", ACCOUNT), "list_objects_v2", lambda **_: answer)
    with pytest.raises(TransientError, match=r"the keys of a listing that is split cannot be read .*: KeyError"):
        machines.plan(SPLIT)


def test_more_keys_than_a_page_are_split_by_their_prefixes(aws: Aws, machines: Machines) -> None:
    aws.s3.create_bucket(Bucket="source")
    aws.put_objects("source", [f"logs/{number % 16:x}/{number:04} +%ü" for number in range(1600)])
    asked = {**OBJECTS, "parameters": {"Bucket": "source", "Prefix": "logs/"}, "split": 4}
    planned = machines.plan(asked)
    assert [target["part"]["above"] for target in targets(aws, planned)] == [None, "logs/4", "logs/8", "logs/c"]
    summary = machines.run(aws, asked)
    assert summary["targets"] == {"complete": 4}
    assert keys(aws, summary) == aws.object_keys_of("source")


def test_only_the_parts_that_are_not_complete_are_resumed(aws: Aws, machines: Machines, source: list[str]) -> None:
    planned = machines.plan(SPLIT)
    *others, last = targets(aws, planned)
    for target in others:
        machines.turn_all(planned, target)
    assert machines.finish(planned)["targets"] == {"complete": 5, "unfinished": 1}
    resumed = machines.plan({"resume": planned["run"]["run_id"]}, "execution-2")
    assert targets(aws, resumed) == [last]
    machines.turn_all(resumed, last)
    summary = machines.finish(resumed)
    assert (summary["targets"], keys(aws, summary)) == ({"complete": 6}, source)


def test_a_scan_by_segments(aws: Aws, machines: Machines) -> None:
    attribute = {"AttributeName": "id", "AttributeType": "S"}
    aws.dynamodb.create_table(
        TableName="source",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[attribute],
    )
    for number in range(40):
        aws.dynamodb.put_item(TableName="source", Item={"id": {"S": f"{number:02}"}})
    asked = {"service": "dynamodb", "operation": "scan", "parameters": {"TableName": "source"}, "key": "id.S"}
    summary = machines.run(aws, {**asked, "split": 5, "pagination_config": {"PageSize": 3}})
    assert summary["targets"] == {"complete": 5}
    assert sorted(keys(aws, summary)) == [f"{number:02}" for number in range(40)]


def test_log_events_by_windows_of_time(aws: Aws, machines: Machines) -> None:
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    begin = int(time.time() * 1000) - 3_600_000
    events: list[Any] = [{"timestamp": begin + number * 1000, "message": f"{number:03}"} for number in range(61)]
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)
    window: dict[str, Any] = {"logGroupName": "g", "startTime": begin + 5000, "endTime": begin + 55_000}
    pages = logs.get_paginator("filter_log_events").paginate(**window)
    expected = [event["message"] for page in pages for event in page["events"]]
    asked = {"service": "logs", "operation": "filter_log_events", "parameters": window, "key": "message"}
    summary = machines.run(aws, {**asked, "split": 5, "pagination_config": {"PageSize": 4}})
    assert summary["targets"] == {"complete": 5}
    streams = [key for key in keys(aws, summary) if key not in expected]
    assert [key for key in keys(aws, summary) if key in expected] == expected
    assert all(key.startswith("sha256:") for key in streams)
    assert len(expected) == 51


def test_versions_and_delete_markers_by_ranges_of_keys(aws: Aws, machines: Machines) -> None:
    aws.s3.create_bucket(Bucket="source")
    aws.s3.put_bucket_versioning(Bucket="source", VersioningConfiguration={"Status": "Enabled"})
    for number in range(40):
        for _ in range(1 + number % 3):
            aws.put_objects("source", [f"{number:02}"])
        if number % 4 == 0:
            aws.s3.delete_object(Bucket="source", Key=f"{number:02}")
    pages: list[Any] = list(aws.s3.get_paginator("list_object_versions").paginate(Bucket="source"))
    expected = [
        f"{found['Key']} {found['VersionId']}"
        for page in pages
        for found in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    ]
    asked = {"service": "s3", "operation": "list_object_versions", "parameters": {"Bucket": "source"}, "split": 6}
    summary = machines.run(aws, {**asked, "key": "join(' ', [Key, VersionId])"})
    assert summary["targets"] == {"complete": 6}
    assert sorted(keys(aws, summary)) == sorted(expected)
    assert len(expected) > 80


def test_a_bucket_that_cannot_be_probed_is_one_part(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({**SPLIT, "parameters": {"Bucket": "not-there"}})
    (target,) = targets(aws, planned)
    assert target["part"]["count"] == 1


# dry run


def test_a_dry_run_tells_what_a_run_would_do_and_writes_nothing(
    aws: Aws, machines: Machines, source: list[str]
) -> None:
    asked = {**OBJECTS, "parameters": {"Bucket": "source"}, "pagination_config": {"PageSize": 7}}
    report = machines.plan({**asked, "dry_run": True})["nothing_to_do"]
    assert aws.object_keys() == []
    assert aws.rows(aws.runs_table) == []
    summary = machines.run(aws, asked)
    assert report["estimate"]["pages"] == summary["pages"] == 9
    assert report["estimate"]["items"] == summary["items"] == len(source)
    assert not report["estimate"]["at_least"]
    assert report["iam"] == {"actions": ["cloudwatch:GetMetricData", "s3:ListBucket"], "denied": []}
    assert report["targets"]["count"] == 1
    (probe,) = report["probes"]
    assert (probe["pages"], probe["items"], probe["more"]) == (9, len(source), False)
    assert report["paging"]["paginator"] == "official"
    assert report["estimate"]["estimated_cost"] == pytest.approx(machines.publish(summary)["estimated_cost"], rel=0.25)


def test_a_dry_run_says_what_is_better(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pageturner.plan.sample._MOST_CHOSEN", 2)
    report = machines.plan({**VPCS, "regions": ["all"], "dry_run": True})["nothing_to_do"]
    (sentence,) = report["instead"]
    assert report["targets"]["count"] >= 20
    assert f"This run of {report['targets']['count']} accounts and regions costs $" in sentence
    assert report["message"].endswith(f"; nothing was written. {sentence}")
    few = machines.plan({**VPCS, "regions": ["eu-*"], "dry_run": True})["nothing_to_do"]
    assert few["instead"] == []
    assert few["message"].endswith("; nothing was written")


def test_a_dry_run_weighs_the_items_of_a_table(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    attribute = {"AttributeName": "id", "AttributeType": "S"}
    schema = [{"AttributeName": "id", "KeyType": "HASH"}]
    of_table: Any = {"TableName": "heavy", "BillingMode": "PAY_PER_REQUEST", "KeySchema": schema}
    aws.dynamodb.create_table(**of_table, AttributeDefinitions=[attribute])
    for number in range(5):
        aws.dynamodb.put_item(TableName="heavy", Item={"id": {"S": str(number)}, "text": {"S": "x" * 100_000}})
    monkeypatch.setattr("pageturner.crawls.alternatives._LARGE_TABLE", 500_000)
    asked = {"service": "dynamodb", "operation": "scan", "parameters": {"TableName": "heavy"}, "dry_run": True}
    report = machines.plan({**asked, "sinks": []})["nothing_to_do"]
    (sentence,) = report["instead"]
    assert sentence.startswith(
        "DynamoDB's Export to S3 writes about 0.0 GB for $0.0001, as the table was at one moment"
    )
    assert machines.plan({**asked, "search": "Items[:1]"})["nothing_to_do"]["instead"] == []


def test_a_dry_run_knows_that_targets_share_a_pace(machines: Machines) -> None:
    asked = {**VPCS, "max_pages_per_second": 0.5, "max_concurrency": 4, "dry_run": True}
    filters = [{"Filters": [{"Name": "cidr", "Values": [f"10.{number}.0.0/16"]}]} for number in range(4)]
    for regions in (["us-east-1"], ["us-east-1", "eu-west-1"]):
        report = machines.plan({**asked, "regions": regions, "for_each": {"list": filters}})["nothing_to_do"]
        assert report["estimate"]["pages"] == 4 * len(regions)
        assert report["estimate"]["seconds"] == 8


def test_a_dry_run_of_more_than_it_probes_goes_by_the_latest_run(
    aws: Aws, machines: Machines, source: list[str]
) -> None:
    machines.catalogue = {"c": {**OBJECTS, "parameters": {"Bucket": "source"}, "pagination_config": {"PageSize": 1}}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pageturner.dry_run._MOST_PAGES", 10)
        before = machines.plan({"crawl": "c", "dry_run": True})["nothing_to_do"]["estimate"]
        assert (before["at_least"], before["pages"]) == (True, 10)
        summary = machines.run(aws, {"crawl": "c"})
        after = machines.plan({"crawl": "c", "dry_run": True}, "execution-2")["nothing_to_do"]["estimate"]
    assert (after["at_least"], after["pages"], after["items"]) == (False, summary["pages"], len(source))
    assert summary["run_id"] in after["arithmetic"][0]


def test_a_dry_run_of_many_targets_probes_some_and_names_what_is_denied(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_buckets(40)
    real = clients.client("s3", "us-east-1").list_objects_v2

    def list_objects_v2(**arguments: Any) -> Any:
        if arguments["Bucket"] == "source-00":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListObjectsV2")
        return real(**arguments)

    monkeypatch.setattr(clients.client("s3", "us-east-1"), "list_objects_v2", list_objects_v2)
    asked = {**OBJECTS, "for_each": {"matrix": {"Bucket": list(made)}}, "dry_run": True}
    said = r"the run would fail: 1 of 1\d probed targets not complete \(1 denied\). First: .*"
    with pytest.raises(RunWouldFailError, match=said + r'{"Bucket": "source-00"}: AccessDeniedError: .* 40 targets, '):
        machines.plan(asked)
    report = machines.plan({**asked, "tolerate": ["denied"]})["nothing_to_do"]
    assert " probed targets tolerated. First: AccessDeniedError: " in report["message"]
    assert report["targets"]["count"] == 40
    assert len(report["targets"]["sample"]) == 5
    assert 10 <= len(report["probes"]) <= 16
    (denied,) = report["iam"]["denied"]
    assert denied.startswith(f"s3:ListBucket in {ACCOUNT} us-east-1: ")
    resources = report["iam"]["statement"]["Resource"]
    assert report["iam"]["statement"] == {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": resources}
    assert resources == ["arn:aws:s3:::source-00"]
    # Each target has one page, except the denied one, which counts in the average without a page.
    assert report["estimate"]["pages"] == pytest.approx(40, rel=0.1)
    assert not report["estimate"]["at_least"]
    assert len(json.dumps(report)) < 100_000


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({"parameters": {"Bucket": "not-there"}}, "failed", "NotFoundError: .*NoSuchBucket"),
        (
            {"parameters": {"Bucket": "not a bucket"}},
            "failed",
            "(?s:InvalidRequestError: .*Invalid bucket name.*) 1 target",
        ),
        ({"pagination_config": {"PageSize": 7}, "max_pages": 3}, "endless", r"more than max_pages \(3\) pages"),
    ],
)
def test_a_dry_run_of_a_run_that_would_fail_fails_unless_that_is_tolerated(
    changes: Mapping[str, Any], verdict: str, said: str, aws: Aws, machines: Machines, source: list[str]
) -> None:
    asked = {**OBJECTS, "parameters": {"Bucket": "source"}, "dry_run": True, **changes}
    said = (
        f"the run would fail: 1 of 1 probed target not complete \\(1 {verdict}\\). First: .*{said}.*nothing was written"
    )
    with pytest.raises(RunWouldFailError, match=said):
        machines.plan(asked)
    report = machines.plan({**asked, "tolerate": [verdict]})["nothing_to_do"]
    assert [probe["verdict"] for probe in report["probes"]] == [verdict]
    # The run ends as the dry run says.
    ran = {name: value for name, value in asked.items() if name != "dry_run"}
    planned = machines.plan(ran)
    (target,) = targets(aws, planned)
    if verdict == "endless":
        assert machines.turn_all(planned, target)[-1]["verdict"] == verdict
    else:
        with pytest.raises((NotFoundError, InvalidRequestError)):
            machines.turn_all(planned, target)


def test_a_dry_run_tolerates_the_errors_that_the_crawl_ignores(aws: Aws, machines: Machines) -> None:
    asked = {**OBJECTS, "parameters": {"Bucket": "not-there"}, "ignore_errors": ["NoSuchBucket"], "dry_run": True}
    report = machines.plan(asked)["nothing_to_do"]
    assert report["message"].startswith(
        "dry run of adhoc-s3-list_objects_v2: 1 of 1 probed target tolerated. First: NotFoundError: "
    )


def test_a_dry_run_that_fails_for_now_is_not_green(
    aws: Aws, machines: Machines, source: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = clients.client("s3", "us-east-1")
    real, calls = s3.list_objects_v2, 0

    def list_objects_v2(**arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != 3:
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "no"}}, "ListObjectsV2")
        return real(**arguments)

    monkeypatch.setattr(s3, "list_objects_v2", list_objects_v2)
    asked = {**OBJECTS, "dry_run": True}
    with pytest.raises(ThrottledError, match="SlowDown"):
        machines.plan({**asked, "parameters": {"Bucket": "source"}})
    # What one probe finds is reported, and what is not known of the other target.
    two = {**asked, "for_each": {"list": [{"Bucket": "source"}, {"Bucket": "source", "Prefix": "a"}]}}
    report = machines.plan(two)["nothing_to_do"]
    assert [probe["verdict"] for probe in report["probes"]] == [None, "complete"]
    assert "1 of 2 probed targets failed for now; a run tries again. First: ThrottledError" in report["message"]
    assert report["estimate"]["at_least"]


def test_a_dry_run_notices_a_listing_that_would_never_end(
    aws: Aws, machines: Machines, source: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = clients.client("s3", "us-east-1")
    real = s3.list_objects_v2

    def list_objects_v2(**arguments: Any) -> Any:
        return {**real(Bucket=arguments["Bucket"], MaxKeys=5), "NextContinuationToken": "same", "IsTruncated": True}

    monkeypatch.setattr(s3, "list_objects_v2", list_objects_v2)
    with pytest.raises(RunWouldFailError, match="RepeatedTokenError: page 2 returned the same token"):
        machines.plan({**OBJECTS, "parameters": {"Bucket": "source"}, "dry_run": True})


@pytest.mark.parametrize(
    ("value", "said"),
    [("yes", 'input.dry_run: invalid value "yes"; must be true or false'), (1, "dry_run: invalid value 1")],
)
def test_a_dry_run_is_true_or_false(machines: Machines, value: object, said: str) -> None:
    with pytest.raises(InvalidCrawlError, match=said):
        machines.plan({**VPCS, "dry_run": value})


# what a run reports


def test_a_run_tells_what_it_cost_and_where_to_look(aws: Aws, machines: Machines, source: list[str]) -> None:
    asked = {**OBJECTS, "parameters": {"Bucket": "source"}}
    planned = machines.plan(asked, "arn:aws:states:us-east-1:123456789012:execution:Crawl:e1")
    (target,) = targets(aws, planned)
    machines.fetch(planned, target, FROM_CHECKPOINT)
    summary = machines.finish(planned)
    assert summary["estimated_cost"] > 0
    total = sum(float(line.rpartition("$")[2]) for line in summary["cost_arithmetic"])
    assert total == pytest.approx(summary["estimated_cost"], abs=1e-5)
    links = summary["links"]
    home = "https://us-east-1.console.aws.amazon.com"
    assert links["execution"] == (
        f"{home}/states/home?region=us-east-1#/v2/executions/details/"
        "arn:aws:states:us-east-1:123456789012:execution:Crawl:e1"
    )
    assert links["items"].startswith(f"{home}/s3/buckets/{aws.bucket}?region=us-east-1&prefix=items%2Fcrawl%3Dadhoc")
    assert links["items_table"].startswith(f"{home}/dynamodbv2/home?region=us-east-1#item-explorer?table=")


def vpcs_by_id(count: int) -> dict[str, Any]:
    """A crawl of one target with so many ids of 19 characters: quotation marks and commas make them 22 bytes each."""
    ids = [f"vpc-{number:015}" for number in range(count)]
    return {**VPCS, "parameters": {"Filters": [{"Name": "vpc-id", "Values": ids}]}}


def test_parameters_can_be_as_large_as_step_functions_can_pass_on(aws: Aws, machines: Machines) -> None:
    """The response of startSyncExecution has the state as text. The place and the cause of an error are there too."""
    machines.catalogue = {"large": vpcs_by_id(9_500)}
    planned = machines.plan({"crawl": "large"})
    (target,) = targets(aws, planned)
    assert len(json.dumps(target["parameters"], separators=(",", ":"))) > 200_000
    place = {"token": "t" * 1500, "last_key": "k" * 1024}
    state = {"run": planned["run"], "crawl": planned["crawl"], "target": target, "place": place}
    answer = {"Input": json.dumps(state, separators=(",", ":")), "Output": json.dumps(place), "Cause": "c" * 16_000}
    assert len(json.dumps(answer)) < 256 * 1024


def test_parameters_that_step_functions_cannot_pass_on_are_refused(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"large": vpcs_by_id(10_000)}
    said = (
        r"^parameters: too large for Step Functions in \d+-us-east-1-[0-9a-f]+, \{\"Filters\".*…: as text, the target "
        r"takes 240,\d+ bytes, and can take 229,\d+; list less"
    )
    for execution_input in ({"crawl": "large"}, {"crawl": "large", "dry_run": True}):
        with pytest.raises(InvalidCrawlError, match=said):
            machines.plan(execution_input)
    # The next run does not wait for this one.
    machines.running = {"execution-1"}
    machines.catalogue = {"large": vpcs_by_id(1)}
    machines.plan({"crawl": "large"}, "execution-2")
