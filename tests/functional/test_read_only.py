"""Operations that write are refused wherever a crawl comes in, and never called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from moto.ec2.models import ec2_backends

import fetch_page
from pageturner.clients import client
from pageturner.costs import LOOP_SECONDS
from pageturner.crawls.catalogue import parse_catalogue
from pageturner.crawls.crawl import Crawl
from pageturner.dry_run import DryRun
from pageturner.errors import InvalidCrawlError, InvalidRequestError
from pageturner.page_state import FROM_CHECKPOINT
from pageturner.plan.expansion import Expansion
from pageturner.plan.planning import Execution, Planner
from pageturner.stores import Stores
from tests.conftest import ACCOUNT, LOOP_STARTED_AT, REGION, STARTED_AT, Aws, Machines, shared_client

POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
WRITES: Mapping[str, Mapping[str, Any]] = {
    "iam:PutRolePolicy": {
        "service": "iam",
        "operation": "put_role_policy",
        "parameters": {"RoleName": "r", "PolicyName": "p", "PolicyDocument": POLICY},
        "input_token": "PolicyName",
        "output_token": "Marker",
        "result_key": "Items",
    },
    "ec2:TerminateInstances": {
        "service": "ec2",
        "operation": "terminate_instances",
        "input_token": "InstanceIds",
        "output_token": "TerminatingInstances[0].InstanceId",
        "result_key": "TerminatingInstances",
    },
    "s3:DeleteObject": {
        "service": "s3",
        "operation": "delete_objects",
        "parameters": {"Bucket": "kept", "Delete": {"Objects": [{"Key": "k"}]}},
        "input_token": "MFA",
        "output_token": "RequestCharged",
        "result_key": "Deleted",
    },
}


class Account:
    """A role, an instance and an object, which crawls of `WRITES` would change."""

    def __init__(self) -> None:
        self.iam, self.ec2, self.s3 = (shared_client(service) for service in ("iam", "ec2", "s3"))
        self.iam.create_role(RoleName="r", AssumeRolePolicyDocument=POLICY)
        # A request for the images would be most of the test's time.
        image = next(iter(ec2_backends[ACCOUNT][REGION].amis))
        started = self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)
        self.instance = started["Instances"][0]["InstanceId"]
        self.s3.create_bucket(Bucket="kept")
        self.s3.put_object(Bucket="kept", Key="k", Body=b"x")

    def is_untouched(self) -> bool:
        found = self.ec2.describe_instances(InstanceIds=[self.instance])["Reservations"][0]["Instances"][0]
        return bool(
            found["State"]["Name"] == "running"
            and self.iam.list_role_policies(RoleName="r")["PolicyNames"] == []
            and self.s3.list_objects_v2(Bucket="kept")["KeyCount"] == 1
        )

    def crawl(self, action: str) -> dict[str, Any]:
        """The crawl of `WRITES` that needs `action`."""
        entry = dict(WRITES[action])
        return entry if "parameters" in entry else {**entry, "parameters": {"InstanceIds": [self.instance]}}


@pytest.fixture
def account(aws: Aws) -> Account:
    return Account()


@pytest.mark.parametrize("action", WRITES)
def test_it_is_no_crawl(account: Account, machines: Machines, action: str) -> None:
    entry = account.crawl(action)
    refused = f"Pageturner only reads: .* needs {action}, which AWS classes as neither List nor Read"
    with pytest.raises(InvalidCrawlError, match=f"^crawls.c.operation: {refused}$"):
        parse_catalogue({"crawls": {"c": entry}})
    for asked in (entry, {**entry, "dry_run": True}):
        with pytest.raises(InvalidCrawlError, match=f"^input.operation: {refused}$"):
            machines.plan(asked)
    assert account.is_untouched()


@pytest.mark.parametrize("action", WRITES)
def test_fetch_page_does_not_call_it_whatever_the_event_says(account: Account, machines: Machines, action: str) -> None:
    planned = machines.plan({"service": "iam", "operation": "list_roles"})
    entry = account.crawl(action)
    target = {"target_id": "t", "account": ACCOUNT, "region": REGION, "parameters": entry.pop("parameters")}
    event = {
        "run": planned["run"],
        "crawl": {"name": "c", **entry},
        "target": target,
        "place": FROM_CHECKPOINT,
        "loop_started_at": LOOP_STARTED_AT,
        "retry_count": 0,
    }
    with pytest.raises(InvalidRequestError, match=f"needs {action}"):
        fetch_page.handler(event, machines.context)
    assert account.is_untouched()


@pytest.mark.parametrize("action", WRITES)
def test_a_dry_run_and_a_resumed_run_do_not_call_it_either(account: Account, machines: Machines, action: str) -> None:
    """The crawl comes from a run that an earlier version has planned."""
    crawl = Crawl.from_dict({"name": "c", **account.crawl(action)})
    stores = Stores.of_environment()
    expansion = Expansion(client, stores, {}, ACCOUNT, REGION)
    (probe,) = DryRun(expansion, LOOP_SECONDS).of(crawl, STARTED_AT)["probes"]
    assert f"needs {action}" in probe["error"]
    execution = Execution("execution-1", STARTED_AT, STARTED_AT)
    planned = Planner(stores, lambda _: False).begin(crawl, execution, expansion)
    with pytest.raises(InvalidCrawlError, match=f"^input.resume: Pageturner only reads: .* needs {action}"):
        machines.plan({"resume": planned["run"]["run_id"]}, "execution-2")
    assert account.is_untouched()
