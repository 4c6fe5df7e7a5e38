"""What is crawled is read through a role, in a session that is named after the run."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from pageturner import clients
from pageturner.errors import (
    AccessDeniedError,
    DeploymentDeniedError,
    InvalidCrawlError,
    RunWouldFailError,
    ThrottledError,
    TransientError,
)
from pageturner.page_state import FROM_CHECKPOINT
from tests.conftest import ACCOUNT, Aws, Machines, shared_client

OWN = f"arn:aws:iam::{ACCOUNT}:role/Reader"
USERS = {"service": "iam", "operation": "list_users"}


def own_key() -> str:
    """The function's own access key, which is moto's."""
    return os.environ["AWS_ACCESS_KEY_ID"]


class Assumed:
    """What AssumeRole was asked for, and who asked for what."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[dict[str, Any]] = []
        self.by: dict[str, set[str]] = {}
        self.denied, self.code = False, "AccessDenied"
        real = BaseClient._make_api_call  # type: ignore[attr-defined]

        def call(client: Any, operation: str, arguments: Any) -> Any:
            if operation != "AssumeRole":
                frozen = client._request_signer._credentials.get_frozen_credentials()
                self.by.setdefault(operation, set()).add(frozen.access_key)
                return real(client, operation, arguments)
            self.asked.append(arguments)
            if self.denied:
                raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, operation)
            return real(client, operation, arguments)

        monkeypatch.setattr(BaseClient, "_make_api_call", call)

    @property
    def sessions(self) -> list[tuple[str, str]]:
        return [(each["RoleArn"], each["RoleSessionName"]) for each in self.asked]


@pytest.fixture
def assumed(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Assumed:
    monkeypatch.setenv("OWN_READER_ROLE_ARN", OWN)
    shared_client("iam").create_user(UserName="one")
    return Assumed(monkeypatch)


def test_the_own_account_is_read_through_its_role_and_all_else_is_the_functions_own_work(
    aws: Aws, machines: Machines, assumed: Assumed
) -> None:
    planned = machines.plan(USERS)
    (target,) = aws.json(planned["targets"]["key"])
    machines.turn_all(planned, target)
    assert assumed.sessions == [(OWN, planned["run"]["run_id"])]
    assert assumed.asked[0]["ExternalId"] == "pageturner"
    assert own_key() not in assumed.by["ListUsers"]
    for operation in ("PutObject", "UpdateItem", "GetItem"):
        assert assumed.by[operation] == {own_key()}


def test_a_session_lasts_for_a_run_and_a_client_for_all(aws: Aws, machines: Machines, assumed: Assumed) -> None:
    runs = []
    for number in range(2):
        planned = machines.plan(USERS, f"execution-{number}")
        (target,) = aws.json(planned["targets"]["key"])
        for _ in range(2):
            machines.fetch(planned, target, FROM_CHECKPOINT)
        machines.finish(planned)
        runs.append(planned["run"]["run_id"])
    assert assumed.sessions == [(OWN, run_id) for run_id in runs]
    assert len(set(runs)) == 2
    assert len(assumed.by["ListUsers"]) == 2


def test_planning_and_dry_runs_read_through_the_same_role(aws: Aws, machines: Machines, assumed: Assumed) -> None:
    machines.plan({**USERS, "dry_run": True})
    machines.plan({"service": "ec2", "operation": "describe_vpcs", "regions": ["all"]}, "execution-2")
    (dry, session), (planned, of_run) = assumed.sessions
    assert dry == planned == OWN
    assert re.fullmatch(r"adhoc-iam-list_users-\d{8}T\d{6}Z-[0-9a-f]{8}", session)
    assert of_run.startswith("adhoc-ec2-describe_vpcs-")
    assert own_key() not in assumed.by["DescribeRegions"] | assumed.by["ListUsers"]


def test_the_own_role_that_cannot_be_assumed_is_the_deployments_to_mend(
    aws: Aws, machines: Machines, assumed: Assumed
) -> None:
    """No target is denied, so no crawl tolerates it: nothing at all can be read."""
    planned = machines.plan(USERS)
    (target,) = aws.json(planned["targets"]["key"])
    assumed.denied = True
    said = f"could not assume role {OWN}: the deployment's own role is denied AssumeRole: .*AccessDenied"
    with pytest.raises(DeploymentDeniedError, match=said):
        machines.fetch(planned, target, FROM_CHECKPOINT)
    with pytest.raises(DeploymentDeniedError, match=said):
        machines.plan({"service": "ec2", "operation": "describe_vpcs", "regions": ["all"]}, "execution-2")
    with pytest.raises(RunWouldFailError, match=f"1 unfinished.*{said}"):
        machines.plan({**USERS, "dry_run": True, "tolerate": ["denied"]}, "execution-3")


@pytest.mark.parametrize(("code", "kind"), [("Throttling", ThrottledError), ("InternalFailure", TransientError)])
def test_an_outage_of_sts_is_waited_out(
    aws: Aws, machines: Machines, assumed: Assumed, code: str, kind: type[Exception]
) -> None:
    planned = machines.plan(USERS)
    (target,) = aws.json(planned["targets"]["key"])
    assumed.denied, assumed.code = True, code
    with pytest.raises(kind, match="calling the AssumeRole operation"):
        machines.fetch(planned, target, FROM_CHECKPOINT)


def test_the_role_of_another_account_that_cannot_be_assumed_is_a_denied_target(
    aws: Aws, machines: Machines, assumed: Assumed
) -> None:
    planned = machines.plan({**USERS, "accounts": ["222222222222"]})
    (target,) = aws.json(planned["targets"]["key"])
    assumed.denied = True
    with pytest.raises(AccessDeniedError, match="AssumeRole"):
        machines.fetch(planned, target, FROM_CHECKPOINT)


@pytest.mark.parametrize(
    ("run_id", "name"),
    [
        ("roles-20260203T040506Z-01234567", "roles-20260203T040506Z-01234567"),
        ("a" * 48 + "-20260203T040506Z-01234567", "a" * 38 + "-20260203T040506Z-01234567"),
        ("adhoc-ä/b-20260203T040506Z-01234567", "adhoc---b-20260203T040506Z-01234567"),
    ],
)
def test_the_name_is_one_that_sts_takes(assumed: Assumed, run_id: str, name: str) -> None:
    clients.reads_for(run_id)
    clients.client("iam", "us-east-1", ACCOUNT).list_users()
    assert assumed.sessions == [(OWN, name)]
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII)


def test_where_only_the_catalogue_says_what_is_read(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONLY_CATALOGUED", "true")
    machines.catalogue = {"users": USERS}
    for asked in (USERS, {**USERS, "dry_run": True}, {"crawl": "users", "parameters": {"PathPrefix": "/a/"}}):
        with pytest.raises(InvalidCrawlError, match="reads only what its catalogue names"):
            machines.plan(asked)
    assert machines.plan({"crawl": "users", "max_pages": 7})["crawl"]["max_pages"] == 7
