"""What may be read: the IAM actions of the catalogue's operations, and nothing else unless a setting says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aws_cdk import aws_iam as iam

from pageturner.crawls.crawl import ORGANIZATION, Crawl
from pageturner.crawls.iam_actions import read_actions

# AWS Organizations, as PlanRun lists accounts.
_ORGANIZATION = (
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
)


def grant_reads(
    role: iam.IRole, crawls: Mapping[str, Crawl], read_policies: Iterable[str], other_accounts: str | None = None
) -> None:
    """Grant a role what the catalogue needs; `other_accounts` is the ARN of the role by which it reads them."""
    if actions := read_actions(crawls.values()):
        # The parameters that name a resource differ from one API to the next, and can be given at the start.
        role.add_to_principal_policy(iam.PolicyStatement(actions=actions, resources=["*"]))
    for name in read_policies:
        role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name(name))
    if other_accounts is not None:
        role.add_to_principal_policy(iam.PolicyStatement(actions=["sts:AssumeRole"], resources=[other_accounts]))


def grant_organization(role: iam.IRole, crawls: Mapping[str, Crawl]) -> None:
    """Grant a role to list the accounts of the organization, if a crawl asks for them."""
    if any(crawl.accounts == ORGANIZATION for crawl in crawls.values()):
        role.add_to_principal_policy(iam.PolicyStatement(actions=list(_ORGANIZATION), resources=["*"]))
