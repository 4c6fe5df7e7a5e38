"""The stack as it is deployed: both state machines, and what must stay what it is while runs go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aws_cdk
from aws_cdk.assertions import Template

from infra.pageturner_stack import PageturnerStack
from infra.settings import Settings
from tests.formats.story import HAND_OVERS
from tests.infra.conftest import CATALOGUE, PROJECT

# What running executions call by name, and what keeps data, with the properties that CloudFormation cannot change
# without a replacement (AWS CloudFormation Template Reference, "Update requires").
LASTING: Mapping[str, tuple[str, ...]] = {
    "AWS::DynamoDB::GlobalTable": ("TableName", "KeySchema"),
    "AWS::DynamoDB::Table": ("TableName", "KeySchema"),
    "AWS::Glue::Database": ("CatalogId", "DatabaseInput"),
    "AWS::IAM::Role": ("RoleName", "Path"),
    "AWS::Lambda::Function": ("FunctionName", "PackageType"),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::SQS::Queue": ("QueueName", "FifoQueue"),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", "StateMachineType"),
}


def resources() -> dict[str, Any]:
    """Return the resources of the stack, for executions with few hand-overs."""
    flags = json.loads((PROJECT / "cdk.json").read_text())["context"]
    with TemporaryDirectory() as folder:
        catalogue = Path(folder, "crawls.yaml")
        catalogue.write_text(CATALOGUE)
        given = {**flags, "aws:cdk:bundling-stacks": [], "catalogue": str(catalogue), "hand_overs": HAND_OVERS}
        app = aws_cdk.App(context=given, builtin_cloud_formation_validation=False)
        template = Template.from_stack(PageturnerStack(app, Settings.from_context(app.node))).to_json()
    found: dict[str, Any] = template["Resources"]
    return found


def lasting(of: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must not be replaced, by logical id: its type, and what would replace it.

    Of the roles, those of the state machines: an execution keeps the one that it was started with.
    """
    machines = [each for each in of.values() if each["Type"] == "AWS::StepFunctions::StateMachine"]
    roles = {each["Properties"]["RoleArn"]["Fn::GetAtt"][0] for each in machines}
    return {
        name: {
            "Type": resource["Type"],
            **{
                each: resource["Properties"][each]
                for each in LASTING[resource["Type"]]
                if each in resource["Properties"]
            },
        }
        for name, resource in sorted(of.items())
        if resource["Type"] in LASTING and (resource["Type"] != "AWS::IAM::Role" or name in roles)
    }
