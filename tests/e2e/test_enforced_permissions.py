"""Where permissions are enforced, the generated policies let every kind of crawl run, and let nothing else happen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulator import ACCOUNT
from local.seed import BUCKET, TABLE
from tests.e2e.accounts import client_of
from tests.e2e.attempts import ALLOWED, FOR, FOR_ALL, Attempt
from tests.e2e.enforced import OTHER_ACCOUNT, Enforced, enforced

REGIONS = ("us-east-1", "eu-west-1")
# What services call it when somebody may not do something.
REFUSALS = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
# How many items the runs of `seed` have.
ITEMS = {
    "s3-objects": 120,
    "dynamodb-operations": 60,
    "buckets": 3,
    "objects": 9,
    "rows": 60,
    "names": 120,
    "queues": 4,
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enforced]:
    with enforced(tmp_path_factory.mktemp("enforced")) as deployed:
        seed(deployed)
        yield deployed


def seed(deployed: Enforced) -> None:
    """Put what the crawls list, and what the attempts are after."""
    s3, dynamodb = deployed.s3, deployed.dynamodb
    s3.create_bucket(Bucket=BUCKET)
    for number in range(ITEMS["s3-objects"]):
        s3.put_object(Bucket=BUCKET, Key=f"{number:03}", Body=b"x")
    for name in "abc":
        s3.create_bucket(Bucket=f"enforced-{name}")
        for number in range(3):
            s3.put_object(Bucket=f"enforced-{name}", Key=f"{name}{number}", Body=b"x")
    keys = {"service": "HASH", "operation": "RANGE"}
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
    )
    for number in range(ITEMS["rows"]):
        row = {"service": {"S": f"s{number % 3}"}, "operation": {"S": f"o{number}"}}
        dynamodb.put_item(TableName=TABLE, Item=row)
    for account in (ACCOUNT, OTHER_ACCOUNT):
        for region in REGIONS:
            client_of(deployed.emulator, account, "sqs", region).create_queue(QueueName="enforced-queue")
    client = deployed.emulator.client
    client("iam").create_user(UserName="someone")
    client("secretsmanager").create_secret(Name="a-secret", SecretString="x")
    client("ssm").put_parameter(Name="/a/secret", Value="x", Type="SecureString")
    client("logs").create_log_group(logGroupName="/others")
    client("sns").create_topic(Name="others")


@pytest.mark.parametrize("crawl", [*ITEMS, "iam-policies", "account"])
def test_it_runs_with_the_generated_policies(stack: Enforced, crawl: str) -> None:
    if crawl == "objects":
        stack.run({"crawl": "buckets"})
    summary = stack.run({"crawl": crawl})
    assert set(summary["targets"]) == {"complete"}
    assert summary["items"] == ITEMS.get(crawl, summary["items"]) > 0
    table = crawl.replace("-", "_")
    assert stack.query(f'SELECT count(*) AS n FROM "{table}"') == [{"n": str(summary["items"])}]  # noqa: S608 - ours
    assert len(stack.keys_in_dynamodb(summary)) == summary["items"]


def test_what_has_changed_is_published(stack: Enforced) -> None:
    stack.run({"crawl": "users"})
    client_of(stack.emulator, ACCOUNT, "iam").create_user(UserName="another")
    summary = stack.run({"crawl": "users"})
    assert (summary["published"]["new"], summary["published"]["gone"]) == (1, 0)
    published = summary["published"]["name"]
    changed = stack.query(f"SELECT kind, key FROM changes WHERE run = '{published}'")  # noqa: S608 - ours
    assert changed == [{"kind": "new", "key": f"arn:aws:iam::{ACCOUNT}:user/another"}]


@contextmanager
def without(stack: Enforced, action: str, *functions: str) -> Iterator[None]:
    """Take an action from the policies of the roles of these functions; of all roles, if there are none."""
    iam = stack.emulator.client("iam")
    before = []
    of_functions = {stack.role_arn(function) for function in functions}
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            if of_functions and role["Arn"] not in of_functions:
                continue
            for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
                found = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
                if f'"{action}"' in json.dumps(found):
                    before.append((role["RoleName"], name, json.dumps(found)))
    assert before
    for role, name, document in before:
        less = document.replace(f'"{action}"', '"none:None"')
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=less)
    try:
        yield
    finally:
        for role, name, document in before:
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)


def test_without_one_action_the_target_is_denied(stack: Enforced) -> None:
    asked = {"crawl": "users", "tolerate": ["denied"]}
    with without(stack, "iam:ListUsers"):
        summary = stack.run(asked)
    assert summary["targets"] == {"denied": 1}
    assert stack.run(asked)["targets"] == {"complete": 1}


def test_a_denied_target_is_told_what_allows_it(stack: Enforced) -> None:
    with without(stack, "iam:ListUsers"):
        ended = stack.wait(stack.start({"crawl": "users"}))
    assert (ended["status"], ended["error"]) == ("FAILED", "RunIncomplete")
    allowed = re.search(r"The policy statement that allows it: (\{.*?\})\. ", ended["cause"])
    assert allowed is not None, ended["cause"]
    statement = json.loads(allowed[1])
    assert (statement["Effect"], statement["Action"]) == ("Allow", ["iam:ListUsers"])
    iam, role = stack.emulator.client("iam"), stack.role_arn("Reader").rpartition("/")[2]
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    with without(stack, "iam:ListUsers"):
        iam.put_role_policy(RoleName=role, PolicyName="allowed", PolicyDocument=document)
        try:
            assert stack.run({"crawl": "users"})["targets"] == {"complete": 1}
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="allowed")


@pytest.mark.parametrize(
    ("function", "action", "error", "said"),
    [
        (
            "PlanRun",
            "s3:PutObject",
            "DeploymentDeniedError",
            r"^could not write s3://\S+/runs/\S+: the deployment's own",
        ),
        ("FetchPage", "s3:PutObject", "RunIncomplete", r"1 unfinished: .*DeploymentDeniedError: could not write s3://"),
        (
            "FetchPage",
            "sts:AssumeRole",
            "RunIncomplete",
            r"1 unfinished: .*DeploymentDeniedError: could not assume role",
        ),
        ("FinishRun", "s3:PutObject", "DeploymentDeniedError", r"could not write s3://\S+/runs/\S+/manifest"),
    ],
)
def test_what_the_deployment_denies_itself_is_said_at_once_and_tolerated_by_nobody(
    stack: Enforced, function: str, action: str, error: str, said: str
) -> None:
    asked = {"crawl": "users", "tolerate": ["denied"], "ignore_errors": ["AccessDenied"]}
    with without(stack, action, function):
        execution = stack.start(asked)
        ended = stack.wait(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", error), ended["cause"]
    assert re.search(said, ended["cause"]), ended["cause"]
    assert "is denied" in ended["cause"]
    events = stack.stepfunctions.get_paginator("get_execution_history").paginate(executionArn=execution)
    failures = [event for page in events for event in page["events"] if event["type"] == "LambdaFunctionFailed"]
    assert len(failures) <= 1, "nothing was tried again"


@pytest.fixture(scope="module")
def names(stack: Enforced) -> dict[str, str]:
    return stack.names(stack.run({"crawl": "names"}))


@pytest.mark.parametrize("role", FOR)
def test_a_role_is_refused_all_that_is_not_its_work(stack: Enforced, names: Mapping[str, str], role: str) -> None:
    own = {**names, "role": stack.role_arn(role).rpartition("/")[2]}

    def answer(attempt: Attempt) -> str:
        """What a request with the role's credentials is refused with; empty if it is not refused."""
        call = getattr(stack.as_role(role, attempt.service), attempt.operation)
        try:
            call(**filled(attempt.parameters, own))
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    attempts = FOR_ALL + FOR[role]
    assert len(attempts) >= 60
    assert answer(ALLOWED[role]) == ""
    answers = {str(attempt): answer(attempt) for attempt in attempts}
    assert {attempt: code for attempt, code in answers.items() if code not in REFUSALS} == {}
    assert answer(ALLOWED[role]) == ""


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """Put the names of the deployment into a parameter."""
    if isinstance(value, Mapping):
        return {filled(key, names): filled(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, names) for each in value]
    return re.sub(r"\{([a-z_]+)\}", lambda found: names[found[1]], value) if isinstance(value, str) else value
