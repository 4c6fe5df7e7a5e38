"""Acknowledges, with the reason, what cdk-nag (AWS's rules for solutions) and cfn-lint find in `make check`."""

from __future__ import annotations

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from constructs import IConstruct

_HAVE_ROLES = ("AWS::Lambda::Function", "AWS::StepFunctions::StateMachine")


def acknowledge(scope: IConstruct, rule: str, reason: str) -> None:
    """Acknowledge a finding on a construct, by its rule: ``SF1``, or ``IAM5[Resource::*]``, which is that one only."""
    Validations.of(scope).acknowledge(Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason))


def acknowledge_dependencies(stack: Stack) -> None:
    """Acknowledge that the functions and machines of a stack depend on their roles twice, which is cfn-lint's W3005.

    The CDK makes them depend on a role's policies, and with these on the role, to which they refer anyway.
    """
    for each in stack.node.find_all():
        if isinstance(each, CfnResource) and each.cfn_resource_type in _HAVE_ROLES:
            each.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3005"]}})
