"""What a denied call needs, by the message of its service."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pageturner.crawls.crawl import Crawl
from pageturner.finish.advice import Advice, advice
from pageturner.finish.allowing import Allowing

SCAN = Crawl("orders", "dynamodb", "scan", parameters={"TableName": "orders"})
HERE = {"account": "111111111111", "region": "eu-west-1", "parameters": {"TableName": "orders"}}
INVENTORY = Crawl("all", operations="inventory")
USER = "User: arn:aws:sts::111111111111:assumed-role/FetchPage/FetchPage is not authorized to perform: "
TABLE, KEY = "arn:aws:dynamodb:eu-west-1:111111111111:table/orders", "arn:aws:kms:eu-west-1:111111111111:key/1"
# What the deployment, or another policy of the function, is to allow; or "" if that does not help.
CASES = [
    (f"{USER}dynamodb:Scan on resource: {TABLE} because no identity-based policy allows the dynamodb:Scan action",
     "dynamodb:Scan", "Allow dynamodb:Scan: deploy the catalogue as it is now"),
    (f"{USER}dynamodb:Scan on resource: {TABLE}", "dynamodb:Scan", "Allow dynamodb:Scan: deploy the catalogue"),
    ("Access Denied", "dynamodb:Scan", "Allow dynamodb:Scan: deploy the catalogue"),
    ("not authorized to perform: <script>", "dynamodb:Scan", "Allow dynamodb:Scan: deploy the catalogue"),
    (f"{USER}kms:Decrypt on resource: {KEY} because no identity-based policy allows the kms:Decrypt action",
     "kms:Decrypt", "Allow kms:Decrypt, which dynamodb:Scan needs there: set read_policies to a policy that has it"),
    (f"{USER}kms:Decrypt on resource: {KEY} because no resource-based policy allows the kms:Decrypt action",
     "", "Let the resource-based policy allow kms:Decrypt"),
    (f"{USER}dynamodb:Scan on resource: {TABLE} because no VPC endpoint policy allows the dynamodb:Scan action",
     "", "Let the VPC endpoint policy allow dynamodb:Scan"),
    (f"{USER}dynamodb:Scan on resource: {TABLE} because no permissions boundary allows the dynamodb:Scan action",
     "", "Let the permissions boundary allow dynamodb:Scan"),
    (f"{USER}dynamodb:Scan on resource: {TABLE} because no session policy allows the dynamodb:Scan action",
     "", "Let the session policy allow dynamodb:Scan"),
    (f"{USER}dynamodb:Scan on resource: {TABLE} with an explicit deny in a service control policy",
     "", "A service control policy denies dynamodb:Scan, whatever others allow"),
    (f"{USER}dynamodb:Scan on resource: {TABLE} with an explicit deny in a resource control policy",
     "", "A resource control policy denies dynamodb:Scan"),
    (f"{USER}dynamodb:Scan on resource: {TABLE} with an explicit deny in an identity-based policy: arn:aws:iam::1:x",
     "", "An identity-based policy denies dynamodb:Scan"),
    (f"{USER}dynamodb:Scan on resource: {TABLE} with an explicit deny", "", "A policy denies dynamodb:Scan"),
]  # fmt: skip


def advised(crawl: Crawl, said: str, **more: Any) -> Advice:
    cause = f"An error occurred (AccessDeniedException) when calling the Scan operation: {said}"
    return advice(crawl, {**HERE, "verdict": "denied", "error": "AccessDeniedError", "cause": cause, **more})


@pytest.mark.parametrize(("said", "allow", "text"), CASES)
def test_a_statement_is_advised_only_where_it_helps(said: str, allow: str, text: str) -> None:
    found = advised(SCAN, said)
    assert found.text.startswith(text)
    assert (found.allow.action if found.allow else "") == allow
    assert found.resume
    assert found.text.endswith("Or set tolerate: [denied], in the crawl or when you resume")
    assert "arn:" not in found.text, "it is for all targets to which it applies"


def test_one_of_several_operations_that_a_policy_denies_can_be_left_out() -> None:
    said = "You are not authorized to perform this operation. User: x is not authorized to perform: "
    said += "ec2:DescribeInstances with an explicit deny in a service control policy"
    crawl = INVENTORY.of("ec2", "describe_instances")
    found = advised(crawl, said, service="ec2", operation="describe_instances")
    assert found.text.startswith("A service control policy denies ec2:DescribeInstances, whatever others allow: ")
    assert "; or leave it out: except: [ec2:describe_instances]" in found.text
    assert found.allow is None


def test_a_detail_that_a_policy_denies_gets_no_statement() -> None:
    detail = {"operation": "get_bucket_policy", "parameters": {"Bucket": "item.Name"}, "as": "Policy"}
    crawl = Crawl("buckets", "s3", "list_buckets", detail=detail)
    said = f"detail Policy: s3 get_bucket_policy with {{}}: {USER}s3:GetBucketPolicy with an explicit deny in a "
    entry = {**HERE, "verdict": "denied", "error": "AccessDeniedError", "cause": f"{said}resource-based policy"}
    found = advice(crawl, entry)
    assert found.text.startswith("A resource-based policy denies s3:GetBucketPolicy")
    assert found.allow is None


def test_a_run_whose_crawl_has_changed_is_begun_anew() -> None:
    assert "if the crawl has another operation since, start a new run" in advised(SCAN, "Access Denied").text


def statement_of(crawl: Crawl, *entries: dict[str, Any]) -> dict[str, Any]:
    allowing = Allowing()
    for entry in entries:
        found = advice(crawl, entry)
        assert found.allow is not None
        allowing.add(found.allow, entry)
    statement = allowing.statement
    assert statement is not None
    assert json.loads(allowing.sentence.removeprefix(" The policy statement that allows it: ")[:-1]) == statement
    return statement


def entry_of(parameters: dict[str, Any], said: str = "Access Denied", **more: Any) -> dict[str, Any]:
    cause = f"An error occurred (AccessDenied) when calling the X operation: {said}"
    about = {"account": "111111111111", "region": "eu-west-1", "target_id": "t", "parameters": parameters}
    return {**about, "verdict": "denied", "error": "AccessDeniedError", "cause": cause, **more}


def test_the_statement_names_what_the_parameters_name() -> None:
    found = statement_of(SCAN, entry_of({"TableName": "orders"}))
    assert found == {"Effect": "Allow", "Action": ["dynamodb:Scan"], "Resource": [TABLE]}


def test_targets_in_several_places_need_one_statement() -> None:
    two = [entry_of({"TableName": "orders"}, region=region) for region in ("eu-west-1", "us-east-1")]
    assert statement_of(SCAN, *two)["Resource"] == ["arn:aws:dynamodb:*:111111111111:table/orders"]
    china = entry_of({"TableName": "orders"}, region="cn-north-1")
    assert statement_of(SCAN, china)["Resource"] == ["arn:aws-cn:dynamodb:cn-north-1:111111111111:table/orders"]


def test_many_resources_are_all_of_their_kind() -> None:
    tables = [entry_of({"TableName": f"t{number}"}) for number in range(6)]
    assert len(statement_of(SCAN, *tables[:5])["Resource"]) == 5
    assert statement_of(SCAN, *tables)["Resource"] == ["arn:aws:dynamodb:eu-west-1:111111111111:table/*"]


def test_no_value_of_an_item_is_in_a_statement() -> None:
    of_an_item = entry_of({"TableName": "a-secret"}, parent={"run_id": "r"})
    assert statement_of(SCAN, of_an_item)["Resource"] == ["arn:aws:dynamodb:eu-west-1:111111111111:table/*"]
    said = "not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:111111111111:key/{KeyId}"
    found = statement_of(SCAN, entry_of({}, said, parent={"run_id": "r"}))
    assert found["Resource"] == ["arn:aws:kms:eu-west-1:111111111111:key/*"]


def test_what_else_is_needed_is_allowed_where_the_service_says() -> None:
    found = statement_of(SCAN, entry_of({"TableName": "orders"}, f"{USER}kms:Decrypt on resource: {KEY} because no"))
    assert found == {"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [KEY]}
    found = statement_of(SCAN, entry_of({}, f"{USER}kms:Decrypt on the resource associated with this ciphertext"))
    assert found["Resource"] == ["*"]


def test_the_statement_of_a_detail_has_its_own_parameters() -> None:
    detail = {"operation": "get_bucket_policy", "parameters": {"Bucket": "item.Name"}, "as": "Policy"}
    crawl = Crawl("buckets", "s3", "list_buckets", detail=detail)
    denied = entry_of({}) | {"cause": f"detail Policy: s3 get_bucket_policy with {{}}: {USER}s3:GetBucketPolicy"}
    assert statement_of(crawl, denied) == {
        "Effect": "Allow",
        "Action": ["s3:GetBucketPolicy"],
        "Resource": ["arn:aws:s3:*:*:accesspoint/*", "arn:aws:s3:::*"],
    }


def test_the_role_of_another_account_needs_its_trust_policy() -> None:
    said = f"{USER}sts:AssumeRole on resource: arn:aws:iam::222222222222:role/PageturnerReader"
    cause = f"An error occurred (AccessDenied) when calling the AssumeRole operation: {said}"
    found = advice(SCAN, entry_of({"TableName": "orders"}, account="222222222222") | {"cause": cause})
    assert "its role's trust policy has to allow sts:AssumeRole to this deployment's" in found.text
    assert found.allow is None
