"""What may be read: the IAM actions of the catalogue's operations, and nothing else unless a setting says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aws_cdk import aws_iam as iam

from pageturner.crawl import ALL_REGIONS, ORGANIZATION, Crawl
from pageturner.iam_actions import iam_action

# AWS Organizations, as PlanRun lists accounts.
_ORGANIZATION = (
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
)


def read_actions(crawls: Iterable[Crawl]) -> list[str]:
    """What the crawls read, in the accounts that they read."""
    wanted = list(crawls)
    actions = {iam_action(crawl) for crawl in wanted}
    if any(crawl.regions == ALL_REGIONS for crawl in wanted):
        actions.add("ec2:DescribeRegions")
    return sorted(actions)


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
