"""A permissions boundary is a context value of the CDK: it holds for every role, also those that the CDK makes."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk
import pytest

from infra.pageturner_stack import PageturnerStack
from infra.reader_role import ReaderRoleStack
from infra.settings import Settings
from tests.infra.conftest import PROJECT


@pytest.mark.parametrize("retain_data", ["true", "false"])
def test_every_role_of_every_stack_has_the_boundary(retain_data: str) -> None:
    context = json.loads((PROJECT / "cdk.json").read_text())["context"]
    boundary = {"@aws-cdk/core:permissionsBoundary": {"name": "the-boundary"}}
    # Without data that is retained, the CDK has a role of its own, which empties the bucket.
    given: dict[str, Any] = {**context, **boundary, "retain_data": retain_data, "aws:cdk:bundling-stacks": []}
    app = aws_cdk.App(context=given, builtin_cloud_formation_validation=False)
    settings = Settings.from_context(app.node)
    reader = aws_cdk.Stage(app, "Reader")
    stacks = (PageturnerStack(app, settings), ReaderRoleStack(reader, settings))
    assemblies = (app.synth(), reader.synth())
    for stack, assembly in zip(stacks, assemblies, strict=True):
        template = assembly.get_stack_artifact(stack.artifact_id).template
        roles = [each for each in template["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
        assert roles
        for role in roles:
            assert ":policy/the-boundary" in json.dumps(role["Properties"]["PermissionsBoundary"])
