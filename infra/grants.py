"""Grants on resources that are named with a wildcard, each with the reason why they cannot be named more closely.

`make check` fails on a wildcard that nobody gave a reason for: each is acknowledged for the role that has it, alone.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import IConstruct

from infra.acknowledge import acknowledge


def grant(
    grantee: iam.IGrantable,
    actions: Iterable[str],
    resources: Iterable[str],
    *,
    because: str,
    conditions: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Allow actions on resources, which are ARNs or ``*``."""
    arns = list(resources)
    iam.Grant.add_to_principal(grantee=grantee, actions=list(actions), resource_arns=arns, conditions=conditions)
    role = grantee.grant_principal
    assert isinstance(role, iam.Role)  # noqa: S101 - for the type checker
    acknowledge_wildcards(role, arns, because)


def acknowledge_wildcards(scope: IConstruct, resources: Iterable[str], because: str) -> None:
    """Acknowledge that a role, or what it belongs to, is granted these resources, those that have a wildcard."""
    for resource in resources:
        name = _name(Stack.of(scope).resolve(resource))
        if "*" in name:
            # The CDK refuses brackets that do not match, and a catalogue may have any: then it stays a finding.
            with contextlib.suppress(RuntimeError):
                acknowledge(scope, f"IAM5[Resource::{name}]", because)


def _name(resource: Any) -> str:
    """How cdk-nag names a resource (flatten-cfn-reference.ts, github.com/cdklabs/cdk-nag)."""
    match resource:
        case str():
            return resource.replace("${", "<").replace("}", ">")
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(_name, parts))
        case {"Fn::GetAtt": [logical_id, attribute]}:
            return f"<{logical_id}.{attribute}>"
        case {"Ref": logical_id}:
            return f"<{logical_id}>"
        case _:
            return json.dumps(resource, separators=(",", ":"))
