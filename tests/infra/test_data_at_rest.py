"""A key of one's own: all that holds data has it, and who uses that may use the key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.conftest import Synth

KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
# What none of its data is in: who may do what, and what points to the data or counts it.
HOLDS_NONE = {
    *("AWS::IAM::Policy", "AWS::IAM::Role", "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"),
    *("AWS::SNS::Subscription", "AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig"),
    *("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::Logs::QueryDefinition", "AWS::Athena::NamedQuery"),
    # A rule has a crawl's name. The data of Glue's catalog are encrypted by a setting of the account.
    *("AWS::Events::Rule", "AWS::Glue::Database", "AWS::Glue::Table"),
}
CHAINED = """
crawls:
  buckets: {service: s3, operation: list_buckets, schedule: rate(1 day)}
  roles: {service: iam, operation: list_roles, after: buckets}
"""


@pytest.fixture(scope="module")
def encrypted(synth: Synth, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    catalogue = tmp_path_factory.mktemp("chained") / "crawls.yaml"
    catalogue.write_text(CHAINED)
    found: dict[str, Any] = synth(kms_key=KEY, catalogue=str(catalogue)).to_json()["Resources"]
    return found


def values(document: Any) -> Iterator[Any]:
    """Yield what is in a document, at any depth, that is no object and no array."""
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        for each in document:
            yield from values(each)
    else:
        yield document


def test_whatever_holds_data_has_the_key(encrypted: dict[str, Any]) -> None:
    without = {
        (each["Type"], name)
        for name, each in encrypted.items()
        if each["Type"] not in HOLDS_NONE and KEY not in values(each["Properties"])
    }
    assert not without
    kinds = {each["Type"] for each in encrypted.values()} - HOLDS_NONE
    assert {"AWS::S3::Bucket", "AWS::Logs::LogGroup", "AWS::Scheduler::Schedule", "AWS::Athena::WorkGroup"} <= kinds


def test_it_is_asked_for_few_data_keys(encrypted: dict[str, Any]) -> None:
    kinds = {each["Type"]: each["Properties"] for each in encrypted.values()}
    (rule,) = kinds["AWS::S3::Bucket"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["BucketKeyEnabled"] is True
    machine = kinds["AWS::StepFunctions::StateMachine"]["EncryptionConfiguration"]
    assert machine == {"Type": "CUSTOMER_MANAGED_KMS_KEY", "KmsKeyId": KEY, "KmsDataKeyReusePeriodSeconds": 900}
    queue = kinds["AWS::SQS::Queue"]
    assert queue["KmsDataKeyReusePeriodSeconds"] == 86_400
    # The two exclude each other.
    assert queue["SqsManagedSseEnabled"] is False


def of_kms(resources: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the roles that may use a key, and how."""
    for each in resources.values():
        if each["Type"] == "AWS::IAM::Policy":
            for statement in each["Properties"]["PolicyDocument"]["Statement"]:
                if "kms:" in str(statement["Action"]):
                    for role in each["Properties"]["Roles"]:
                        yield role["Ref"], statement


def test_whoever_uses_the_data_may_use_the_key_and_no_other(encrypted: dict[str, Any]) -> None:
    may: dict[str, set[str]] = {}
    for role, statement in of_kms(encrypted):
        assert statement["Effect"] == "Allow"
        assert statement["Resource"] == KEY
        assert "*" not in str(statement["Action"])
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert set(actions) <= {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"}
        # Only Scheduler itself has none: its own data, which the role is to deliver.
        assert "Condition" in statement or (role.startswith("SchedulerRole") and actions == ["kms:Decrypt"])
        may.setdefault(role, set()).update(actions)
    users = [
        each["Properties"].get("Role", each["Properties"].get("RoleArn"))["Fn::GetAtt"][0]
        for each in encrypted.values()
        if each["Type"] in ("AWS::Lambda::Function", "AWS::StepFunctions::StateMachine")
    ]
    users += [
        each["Properties"]["Target"]["RoleArn"]["Fn::GetAtt"][0]
        for each in encrypted.values()
        if each["Type"] == "AWS::Scheduler::Schedule"
    ]
    assert set(users) == set(may)
    assert all({"kms:Decrypt", "kms:GenerateDataKey"} <= actions for actions in may.values())


def test_a_machine_may_read_executions_of_both_machines_and_no_others(encrypted: dict[str, Any]) -> None:
    context = "kms:EncryptionContext:aws:states:stateMachineArn"
    by_role = {
        role: statement["Condition"]["StringEquals"][context]
        for role, statement in of_kms(encrypted)
        if context in str(statement)
    }
    assert len(by_role) == 2
    for machines in by_role.values():
        names = {machine["Fn::Join"][1][-1].rpartition(":")[2] for machine in machines}
        assert names == {"Pageturner-Crawl", "Pageturner-PageLoop"}


def test_without_a_key_nobody_asks_kms(resources: dict[str, Any]) -> None:
    assert not list(of_kms(resources))
    assert not [name for name, each in resources.items() if "KmsKey" in str(each) or "KMSMaster" in str(each)]


def test_access_logs_go_to_the_bucket_that_the_setting_names(synth: Synth, resources: dict[str, Any]) -> None:
    (bucket,) = synth(access_logs_bucket="the-logs").find_resources("AWS::S3::Bucket").values()
    logging = {"DestinationBucketName": "the-logs", "LogFilePrefix": "Pageturner/"}
    assert bucket["Properties"]["LoggingConfiguration"] == logging
    (without,) = [each for each in resources.values() if each["Type"] == "AWS::S3::Bucket"]
    assert "LoggingConfiguration" not in without["Properties"]
