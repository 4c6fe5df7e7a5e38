"""Acknowledges what AWS's rules for solutions find (cdk-nag, in `make check`), with the reason, where it is made."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(scope: IConstruct, rule: str, reason: str) -> None:
    """Acknowledge a finding on a construct, by its rule: ``SF1``, or ``IAM5[Resource::*]``, which is that one only."""
    Validations.of(scope).acknowledge(Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason))
