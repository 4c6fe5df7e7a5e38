"""What AWS's rules for solutions find (cdk-nag) is acknowledged where it is made, whatever the catalogue names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra import grants
from local.check_security import findings
from tests.infra.conftest import Synth

# A name of each kind: unknown before a run, with what means more than itself in a policy, in each region, of accounts.
CATALOGUE = """
crawls:
  buckets: {service: s3, operation: list_buckets}
  objects:
    service: s3
    operation: list_objects_v2
    for_each: {crawl: buckets, parameters: {Bucket: item.Name}}
  table: {service: dynamodb, operation: scan, parameters: {TableName: "a*?$"}}
  everywhere:
    service: dynamodb
    operation: query
    parameters: {TableName: events, KeyConditionExpression: "pk = x"}
    regions: [eu-*]
  alarms: {service: cloudwatch, operation: describe_alarms, accounts: organization}
  roles: {service: iam, operation: list_roles, accounts: ["111122223333"]}
"""


def test_every_finding_has_its_reason_whatever_the_catalogue(tmp_path: Path) -> None:
    catalogue = tmp_path / "crawls.yaml"
    catalogue.write_text(CATALOGUE)
    assert findings({"catalogue": str(catalogue)}) == []


def test_a_wildcard_without_a_reason_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "acknowledge_wildcards", lambda *_: None)
    found = findings({})
    assert {each.split(":")[0] for each in found} == {"AwsSolutions-IAM5[Resource"}
    assert any("/items/*]" in each and each.endswith("PlanRunRole/DefaultPolicy/Resource") for each in found)


def test_a_name_that_cannot_be_acknowledged_can_be_deployed(synth: Synth, tmp_path: Path) -> None:
    catalogue = tmp_path / "crawls.yaml"
    catalogue.write_text('crawls: {table: {service: dynamodb, operation: scan, parameters: {TableName: "a)*"}}}')
    assert ":table/a)${*}" in json.dumps(synth(catalogue=str(catalogue)).to_json())
