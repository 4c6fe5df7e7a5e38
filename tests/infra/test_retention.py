"""What the bucket forgets, and when."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest
from aws_cdk.assertions import Template

from tests.infra.conftest import Synth

ALWAYS = {
    "map-results/": 30,
    "athena-results/": 7,
    "finishing/": 30,
    "detailing/": 30,
    "publishing/": 30,
    "comparisons/": 30,
}
ALWAYS |= {"tokens/": 400}


def rules(template: Template) -> list[dict[str, Any]]:
    (bucket,) = template.find_resources("AWS::S3::Bucket").values()
    return [rule for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule]


def days(template: Template) -> dict[str, int]:
    found = rules(template)
    assert all(rule["Status"] == "Enabled" for rule in found)
    return {rule["Prefix"]: rule["ExpirationInDays"] for rule in found if "TagFilters" not in rule}


def test_by_default_only_what_nobody_needs_expires(template: Template) -> None:
    assert days(template) == ALWAYS
    assert len(rules(template)) == len(ALWAYS)


def test_what_expires_as_the_settings_say(synth: Synth) -> None:
    template = synth(page_retention_days="90", run_retention_days="365", changes_retention_days="30")
    assert days(template) == {**ALWAYS, "items/": 90, "runs/": 365, "summaries/": 365, "changes/": 30}


def test_of_tables_only_what_is_superseded_expires(synth: Synth) -> None:
    template = synth(history_retention_days="60")
    (rule,) = [rule for rule in rules(template) if rule["Prefix"] not in ALWAYS]
    assert (rule["Prefix"], rule["ExpirationInDays"]) == ("tables/", 60)
    assert rule["TagFilters"] == [{"Key": "superseded", "Value": "true"}]


def test_what_is_published_never_expires(synth: Synth) -> None:
    names = ("page", "run", "history", "changes")
    template = synth(**{f"{name}_retention_days": "30" for name in names})
    expires = [rule["Prefix"] for rule in rules(template) if "TagFilters" not in rule]
    assert not [prefix for prefix in ("published/x", "tables/x/run=r/x") if prefix.startswith(tuple(expires))]


def test_what_is_overwritten_or_deleted_can_be_brought_back_for_a_while(template: Template) -> None:
    (bucket,) = template.find_resources("AWS::S3::Bucket").values()
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = [
        rule
        for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]
        if "NoncurrentVersionExpiration" in rule
    ]
    # Of all objects, and nothing is left of those that are deleted.
    assert "Prefix" not in rule
    assert "TagFilters" not in rule
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 14}
    assert rule["ExpiredObjectDeleteMarker"] is True


@pytest.mark.parametrize("retain_data", [True, False])
def test_retained_tables_are_protected_and_others_can_be_deleted(synth: Synth, *, retain_data: bool) -> None:
    tables = synth(retain_data=str(retain_data).lower()).find_resources("AWS::DynamoDB::GlobalTable")
    assert len(tables) == 2
    for table in tables.values():
        (replica,) = table["Properties"]["Replicas"]
        assert replica["DeletionProtectionEnabled"] is retain_data
        assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is retain_data


def test_a_bucket_that_goes_with_the_stack_keeps_no_versions(synth: Synth) -> None:
    (bucket,) = synth(retain_data="false").find_resources("AWS::S3::Bucket").values()
    assert "VersioningConfiguration" not in bucket["Properties"]


def test_no_role_may_undo_what_protects_data(resources: dict[str, Any]) -> None:
    undone = {"s3:DeleteObjectVersion", "s3:PutBucketVersioning", "s3:PutLifecycleConfiguration"}
    undone |= {"dynamodb:DeleteTable", "dynamodb:UpdateTable", "dynamodb:UpdateContinuousBackups"}
    allowed = {
        action
        for each in resources.values()
        if each["Type"] == "AWS::IAM::Policy"
        for statement in each["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert "s3:DeleteObject" in allowed
    assert not [(action, each) for action in allowed for each in undone if fnmatchcase(each, action)]
