"""Read permissions: the IAM actions of the catalogue's operations, and nothing else unless a setting adds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aws_cdk import aws_iam as iam

from infra.settings import SettingError, Settings
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.iam_actions import read_actions

# PlanRun lists accounts with AWS Organizations.
_ORGANIZATION = (
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
)


# A role's inline policies have room for 10,240 characters (IAM User Guide, "IAM and AWS STS quotas"), and others are in
# there too.
_MOST_CHARACTERS = 6_000


def grant_reads(role: iam.IRole, crawls: Mapping[str, Crawl], settings: Settings) -> None:
    """Grant a role what crawls need."""
    if actions := _actions(crawls, settings.read_policies):
        # The parameters that name a resource differ from API to API, and an execution input can set them.
        role.add_to_principal_policy(iam.PolicyStatement(actions=actions, resources=["*"]))
    # They are for an inventory, and for crawls from the console.
    wide = settings.adhoc_crawls or any(crawl.operations for crawl in crawls.values())
    for name in settings.read_policies if wide else ():
        role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name(name))


def _actions(crawls: Mapping[str, Crawl], read_policies: Iterable[str]) -> list[str]:
    """Return the actions to grant. Those of an inventory do not fit into a role: AWS's own policies have them.

    Raises `SettingError` if there are none of these.
    """
    actions = read_actions(crawls.values())
    several = [name for name, crawl in crawls.items() if crawl.operations]
    if not several or len("".join(actions)) + 3 * len(actions) <= _MOST_CHARACTERS:
        return actions
    if not list(read_policies):
        raise SettingError(
            f"crawls.{several[0]}.operations: the catalogue needs {len(actions):,} IAM actions, which do not fit into "
            f"a role's policies; set read_policies to job-function/ViewOnlyAccess,SecurityAudit (or ReadOnlyAccess), "
            f"or name fewer operations"
        )
    return read_actions(crawl for crawl in crawls.values() if not crawl.operations)


def grant_organization(role: iam.IRole, crawls: Mapping[str, Crawl]) -> None:
    """Allow a role to list the accounts of the organization, and to read their tags, if a crawl asks for them."""
    actions = list(_ORGANIZATION) if any(crawl.asks_for_accounts for crawl in crawls.values()) else []
    if any(crawl.account_tags for crawl in crawls.values()):
        actions.append("organizations:ListTagsForResource")
    if actions:
        role.add_to_principal_policy(iam.PolicyStatement(actions=actions, resources=["*"]))
