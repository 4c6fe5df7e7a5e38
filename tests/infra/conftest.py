"""One template for all infrastructure tests, synthesized without bundling."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aws_cdk
import pytest
from aws_cdk.assertions import Template

from infra.pageturner_stack import PageturnerStack
from infra.settings import Settings

PROJECT = Path(__file__).parent.parent.parent
CATALOGUE = """
crawls:
  buckets: {service: s3, operation: list_buckets, schedule: rate(1 day)}
  instances:
    service: ec2
    operation: describe_instances
    schedule: cron(0 3 * * ? *)
    timezone: Europe/Berlin
    enabled: false
  roles: {service: iam, operation: list_roles}
"""

Synth = Callable[..., Template]


@pytest.fixture(scope="session")
def synth(tmp_path_factory: pytest.TempPathFactory) -> Synth:
    """Synthesizes the stack with context values that override those of ``cdk.json``.

    The CDK's own rules, which would take longer, are looked at only if the test asks for it.
    """
    catalogue = tmp_path_factory.mktemp("catalogue") / "crawls.yaml"
    catalogue.write_text(CATALOGUE)
    flags = json.loads((PROJECT / "cdk.json").read_text())["context"]

    def with_context(*, rules: bool = False, **context: Any) -> Template:
        given = {**flags, "aws:cdk:bundling-stacks": [], "catalogue": str(catalogue), **context}
        app = aws_cdk.App(context=given, builtin_cloud_formation_validation=rules)
        return Template.from_stack(PageturnerStack(app, Settings.from_context(app.node)))

    return with_context


@pytest.fixture(scope="session")
def template(synth: Synth) -> Template:
    return synth()


@pytest.fixture(scope="session")
def resources(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = template.to_json()["Resources"]
    return found


def machine(resources: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the definition of the state machine of this type, with the logical ID in place of each reference."""
    (found,) = [
        resource["Properties"]["DefinitionString"]
        for resource in resources.values()
        if resource["Type"] == "AWS::StepFunctions::StateMachine"
        and resource["Properties"].get("StateMachineType", "STANDARD") == kind
    ]
    text = "".join(
        part if isinstance(part, str) else str(part.get("Ref") or part["Fn::GetAtt"][0])
        for part in found["Fn::Join"][1]
    )
    definition: dict[str, Any] = json.loads(text)
    return definition


@pytest.fixture(scope="session")
def page_loop(resources: dict[str, Any]) -> dict[str, Any]:
    return machine(resources, "EXPRESS")


@pytest.fixture(scope="session")
def crawl_machine(resources: dict[str, Any]) -> dict[str, Any]:
    return machine(resources, "STANDARD")


@pytest.fixture(scope="session")
def child(crawl_machine: dict[str, Any]) -> dict[str, Any]:
    """The definition of a child execution of LongTargets."""
    found: dict[str, Any] = crawl_machine["States"]["LongTargets"]["ItemProcessor"]
    return found


@pytest.fixture(scope="session")
def short_child(crawl_machine: dict[str, Any]) -> dict[str, Any]:
    """The definition of a child execution of ShortTargets."""
    found: dict[str, Any] = crawl_machine["States"]["ShortTargets"]["ItemProcessor"]
    return found


@pytest.fixture(scope="session")
def short_target(short_child: dict[str, Any]) -> dict[str, Any]:
    """What a child execution of ShortTargets does with each target of its batch."""
    found: dict[str, Any] = short_child["States"]["EachOfBatch"]["ItemProcessor"]
    return found
