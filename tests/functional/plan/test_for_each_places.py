"""Where the targets of a `for_each` are, on moto: with the item, where it says, or where the crawl says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from pageturner import clients
from pageturner.errors import InvalidCrawlError
from pageturner.page_state import Target
from tests.conftest import ACCOUNT, REGION, Aws, Machines

BUCKETS: dict[str, Any] = {
    "service": "s3",
    "operation": "list_buckets",
    "key": "Name",
    "search": "Buckets[?Name != 'items-bucket']",
}
OBJECTS: dict[str, Any] = {"service": "s3", "operation": "list_objects_v2", "key": "Key"}
ACCOUNTS: dict[str, Any] = {"service": "organizations", "operation": "list_accounts", "key": "Id"}
VPCS: dict[str, Any] = {"service": "ec2", "operation": "describe_vpcs", "key": "VpcId"}
OF_BUCKET = {"crawl": "buckets", "parameters": {"Bucket": "item.Name"}}
OTHERS = ["222222222222", "333333333333"]
REGIONS = ["us-east-1", "eu-west-1"]


def places(aws: Aws, planned: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    found = aws.json(planned["targets"]["key"])
    return [(each["account"], each["region"], each["parameters"].get("Bucket", "")) for each in found]


@pytest.fixture
def _two_buckets(aws: Aws, machines: Machines) -> None:
    for name in ("one", "two"):
        aws.s3.create_bucket(Bucket=name)
    machines.catalogue = {"buckets": BUCKETS}
    machines.run(aws, {"crawl": "buckets"})


@pytest.mark.usefixtures("_two_buckets")
@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ({}, [(ACCOUNT, REGION)]),
        ({"regions": REGIONS}, [(ACCOUNT, region) for region in REGIONS]),
        ({"accounts": OTHERS}, [(account, REGION) for account in OTHERS]),
        ({"accounts": OTHERS, "regions": REGIONS}, [(account, region) for account in OTHERS for region in REGIONS]),
    ],
)
def test_each_item_is_where_it_was_listed_or_in_each_place_of_the_crawl(
    where: dict[str, Any], wanted: list[tuple[str, str]], aws: Aws, machines: Machines
) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "for_each": OF_BUCKET, **where}}
    found = places(aws, machines.plan({"crawl": "objects"}, "execution-2"))
    assert found == [(*place, bucket) for bucket in ("one", "two") for place in wanted]


@pytest.mark.usefixtures("_two_buckets")
def test_all_regions_are_those_of_the_account_of_the_item(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    for account, names in ((ACCOUNT, ["us-east-1"]), (OTHERS[0], REGIONS)):
        known = boto3.client("ec2").describe_regions(AllRegions=True)["Regions"]
        states = {name: "opt-in-not-required" if name in names else "not-opted-in" for name in map(_name, known)}
        answer = {"Regions": [{"RegionName": name, "OptInStatus": state} for name, state in states.items()]}

        def describe_regions(account: str = account, answer: Any = answer, **_: Any) -> Any:
            asked.append(account)
            return answer

        monkeypatch.setattr(clients.client("ec2", REGION, account), "describe_regions", describe_regions)
    account_of = f"item.Name == 'one' && '{ACCOUNT}' || '{OTHERS[0]}'"
    objects = {**OBJECTS, "for_each": {**OF_BUCKET, "account": account_of}, "regions": ["all"]}
    machines.catalogue = {"buckets": BUCKETS, "objects": objects}
    found = places(aws, machines.plan({"crawl": "objects"}, "execution-2"))
    assert sorted(found) == sorted([(ACCOUNT, REGION, "one"), *((OTHERS[0], region, "two") for region in REGIONS)])
    assert asked == [ACCOUNT, OTHERS[0]]


def test_a_target_for_each_account_of_a_crawl_of_accounts(aws: Aws, machines: Machines) -> None:
    organizations = boto3.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    created = organizations.create_account(Email="a@example.com", AccountName="a")["CreateAccountStatus"]["AccountId"]
    machines.catalogue = {
        "accounts": ACCOUNTS,
        "vpcs": {**VPCS, "for_each": {"crawl": "accounts", "account": "item.Id"}},
        "everywhere": {**VPCS, "for_each": {"crawl": "accounts", "account": "item.Id"}, "regions": REGIONS},
    }
    machines.run(aws, {"crawl": "accounts"})
    summary = machines.run(aws, {"crawl": "vpcs"}, "execution-2")
    assert summary["targets"] == {"complete": 2}
    found = places(aws, machines.plan({"crawl": "everywhere"}, "execution-3"))
    assert sorted(found) == sorted((account, region, "") for account in (ACCOUNT, created) for region in REGIONS)
    # The listing is that of any other crawl of this place: only what its items say of the account is new.
    (own,) = (each for each in aws.json(f"runs/{summary['run_id']}/targets.json") if each["account"] == ACCOUNT)
    (plain,) = aws.json(machines.plan(VPCS, "execution-4")["targets"]["key"])
    assert {name: value for name, value in own.items() if name != "parent"} == plain
    assert own["parent"] == {"key": ACCOUNT}


@pytest.mark.usefixtures("_two_buckets")
@pytest.mark.parametrize("expression", ["item.Name", "'12345'", "`222222222222`", "'2222222222223'"])
def test_what_is_no_account_is_refused(expression: str, machines: Machines) -> None:
    for_each = {**OF_BUCKET, "account": expression}
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "for_each": for_each}}
    said = re.escape(f"for_each.account: {json.dumps(expression)} gives ") + ".* is not the ID of an account, 12 digits"
    with pytest.raises(InvalidCrawlError, match=said):
        machines.plan({"crawl": "objects"}, "execution-2")


@pytest.mark.usefixtures("_two_buckets")
def test_items_say_of_which_item_they_are(aws: Aws, machines: Machines) -> None:
    aws.put_objects("one", ["a"])
    parent = {"created": "item.CreationDate", "owner": "item.BucketArn"}
    objects = {**OBJECTS, "for_each": {**OF_BUCKET, "parent": parent}}
    machines.catalogue = {"buckets": BUCKETS, "objects": objects}
    summary = machines.run(aws, {"crawl": "objects"}, "execution-2")
    manifest = aws.json(f"runs/{summary['run_id']}/manifest.json")
    (line,) = (line for file in manifest["files"] for line in aws.lines(file["key"]))
    made = json.loads(line["parent"])
    assert made == {"created": made["created"], "key": "one", "owner": None}
    assert made["created"].endswith("Z")
    assert {entry["parent"]["key"] for entry in manifest["targets"]} == {"one", "two"}


@pytest.mark.usefixtures("_two_buckets")
def test_of_two_items_that_give_the_same_target_the_first_is_the_parent(aws: Aws, machines: Machines) -> None:
    for_each = {"crawl": "buckets", "parameters": {"Bucket": "'one'"}}
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, "for_each": for_each}}
    (target,) = aws.json(machines.plan({"crawl": "objects"}, "execution-2")["targets"]["key"])
    assert target["parent"] == {"key": "one"}


def test_a_target_of_an_earlier_version_has_no_parent() -> None:
    target = Target.from_dict({"target_id": "t", "account": ACCOUNT, "region": REGION, "parameters": {}})
    assert target.parent is None
    assert "parent" not in target.as_dict()


def _name(region: Mapping[str, Any]) -> str:
    return str(region["RegionName"])
