"""Read permissions: the IAM actions of the catalogue's operations, on what their parameters name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from infra.acknowledge import acknowledge
from infra.grants import grant
from infra.settings import SettingError, Settings
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.iam_actions import read_actions
from pageturner.crawls.iam_resources import MOST_RESOURCES, Statement, read_statements

# PlanRun lists accounts with AWS Organizations.
_ORGANIZATION = (
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
)
# A role's inline policies have room for 10,240 characters (IAM User Guide, "IAM and AWS STS quotas"), and others are in
# there too. The names of accounts and regions are longer in a policy than their variables.
_MOST_CHARACTERS = 6_000


def grant_reads(role: iam.IRole, crawls: Mapping[str, Crawl], settings: Settings, region: str = Aws.REGION) -> None:
    """Grant a role what crawls need, in `region` if they name none."""
    values = {"${Partition}": Aws.PARTITION, "${Account}": Aws.ACCOUNT_ID, "${Region}": region}
    for statement, because in _statements(crawls, settings).items():
        grant(role, statement.actions, [_with(each, values) for each in statement.resources], because=because)
    # They are for an inventory, and for crawls from the console.
    wide = settings.adhoc_crawls or any(crawl.operations for crawl in crawls.values())
    for name in settings.read_policies if wide else ():
        role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name(name))
        named = "whoever deploys has named it in read_policies, for more actions than a policy of its own has room for"
        acknowledge(role, f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{name}]", named)


def _statements(crawls: Mapping[str, Crawl], settings: Settings) -> Mapping[Statement, str]:
    """Return what to grant, and why no less. The actions of an inventory do not fit in: AWS's own policies have them.

    Raises `SettingError` if there are none of these.
    """
    found = _that_fit(crawls.values(), settings)
    several = [name for name, crawl in crawls.items() if crawl.operations]
    if not several or _fits(found):
        return found
    if not settings.read_policies:
        count = sum(len(statement.actions) for statement in found)
        raise SettingError(
            f"crawls.{several[0]}.operations: the catalogue needs {count:,} IAM actions, which do not fit into "
            f"a role's policies; set read_policies to job-function/ViewOnlyAccess,SecurityAudit (or ReadOnlyAccess), "
            f"or name fewer operations"
        )
    return _that_fit([crawl for crawl in crawls.values() if not crawl.operations], settings)


def _that_fit(crawls: Iterable[Crawl], settings: Settings) -> Mapping[Statement, str]:
    """Return statements with all resources that parameters name, or with fewer, so that there is room for them."""
    crawls = list(crawls)
    actions = tuple(read_actions(crawls))
    everywhere = Statement(actions, ("*",))
    if settings.adhoc_crawls:
        return {everywhere: "adhoc_crawls is set: parameters come with the input of an execution"} if actions else {}
    for most in (MOST_RESOURCES, 5, 1):
        if _fits(found := read_statements(crawls, most_resources=most)):
            return {each: _because(each) for each in found}
    return {everywhere: "what the parameters of the catalogue name does not fit into a role's policies"}


def _because(statement: Statement) -> str:
    if "*" in statement.resources:
        return f"the catalogue names no resource by which IAM could tell calls of {', '.join(statement.actions)} apart"
    return "this is as much as the catalogue says of regions and names before a run, and as a policy has room for"


def _fits(statements: Iterable[Statement]) -> bool:
    return sum(statement.size for statement in statements) <= _MOST_CHARACTERS


def _with(resource: str, values: Mapping[str, str]) -> str:
    for variable, value in values.items():
        resource = resource.replace(variable, value)
    return resource


def grant_organization(role: iam.IRole, crawls: Mapping[str, Crawl]) -> None:
    """Allow a role to list the accounts of the organization, and to read their tags, if a crawl asks for them."""
    actions = list(_ORGANIZATION) if any(crawl.asks_for_accounts for crawl in crawls.values()) else []
    if any(crawl.account_tags for crawl in crawls.values()):
        actions.append("organizations:ListTagsForResource")
    if actions:
        grant(role, actions, ["*"], because="which roots, units and accounts there are is what they tell")
