"""The stack for another account: the role through which Pageturner reads it. StackSets can roll it out."""

from __future__ import annotations

from aws_cdk import Aws, BootstraplessSynthesizer, CfnOutput, CfnParameter, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.permissions import grant_reads
from infra.settings import Settings


class ReaderRoleStack(Stack):
    """A role with the catalogue's read actions, only for the functions of the Pageturner stack.

    The stack has no assets and needs no bootstrapping, so StackSets can use its template unchanged.
    """

    def __init__(self, scope: Construct, settings: Settings) -> None:
        super().__init__(
            scope,
            "Role",
            stack_name=f"{settings.stack_name}Reader",
            description="Lets Pageturner read this account",
            synthesizer=BootstraplessSynthesizer(),
        )
        pageturner_account = CfnParameter(
            self,
            "PageturnerAccount",
            description="The account that Pageturner is deployed to",
            allowed_pattern="[0-9]{12}",
        ).value_as_string
        external_id = CfnParameter(
            self,
            "ExternalId",
            description="The external_id setting of Pageturner",
            default=settings.external_id,
        ).value_as_string
        role = iam.Role(
            self,
            "Reader",
            role_name=settings.reader_role,
            description="The role that Pageturner assumes to read this account",
            assumed_by=iam.PrincipalWithConditions(
                iam.AccountPrincipal(pageturner_account),
                {
                    "StringEquals": {"sts:ExternalId": external_id},
                    # The functions' roles. Their names begin with the stack's name, which CloudFormation may truncate.
                    "ArnLike": {
                        "aws:PrincipalArn": (
                            f"arn:{Aws.PARTITION}:iam::{pageturner_account}:role/{settings.stack_name[:24]}*"
                        )
                    },
                },
            ),
        )
        grant_reads(role, settings.crawls(), settings.read_policies)
        CfnOutput(self, "RoleArn", value=role.role_arn)
