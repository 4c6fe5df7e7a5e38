"""The roles through which PlanRun and FetchPage read: one in the account of the deployment, and a stack for others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from aws_cdk import Aws, BootstraplessSynthesizer, CfnCondition, CfnOutput, CfnParameter, Fn, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.grants import acknowledge_wildcards
from infra.item_store import ItemStore
from infra.permissions import grant_organization, grant_reads
from infra.settings import Settings
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.other_accounts import OtherAccounts, other_accounts

# The functions that read what is crawled.
READERS = ("PlanRun", "FetchPage")
# A role's name has at most 64 characters (IAM User Guide, "IAM and AWS STS quotas"), and a region's at most 14.
_LONGEST_BEGINNING = 64 - len("-ap-southeast-1-FetchPage")


def reader_names(stack_name: str, region: str) -> list[str]:
    """The names of the roles of these functions. Roles of other accounts trust them by name; roles have no region."""
    begin = stack_name
    if len(stack_name) > _LONGEST_BEGINNING:
        digest = hashlib.sha256(stack_name.encode()).hexdigest()[:8]
        begin = f"{stack_name[: _LONGEST_BEGINNING - len(digest) - 1]}-{digest}"
    return [f"{begin}-{region}-{function}" for function in READERS]


class OwnReader(Construct):
    """Reads the deployment's own account, but not its own bucket and tables: `role`.

    The functions' own roles cannot read what is crawled. So what a crawl can read is what this role can, and CloudTrail
    shows, by the session's name, for which run.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        crawls: Mapping[str, Crawl],
        store: ItemStore,
        readers: Sequence[iam.IRole],
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(
            self,
            "Role",
            description="The role that Pageturner assumes to read this account",
            assumed_by=iam.CompositePrincipal(*(iam.ArnPrincipal(role.role_arn) for role in readers)),
        )
        grant_reads(self.role, crawls, settings)
        grant_organization(self.role, crawls)
        self._deny_own_data(store)
        others = [other_accounts(crawl, crawls) for crawl in crawls.values()]
        for role in readers:
            for statement in _may_assume(self.role.role_arn, settings, others):
                role.add_to_principal_policy(statement)
                found = "accounts are found while a run is planned, and only those of the organization can be"
                acknowledge_wildcards(role, statement.resources, found)

    def _deny_own_data(self, store: ItemStore) -> None:
        """Deny what read_policies, or a crawl's parameters, might allow."""
        workgroup = Stack.of(self).format_arn(
            service="athena", resource="workgroup", resource_name=Stack.of(self).stack_name
        )
        tables = [arn for table in (store.items, store.runs) for arn in (table.table_arn, f"{table.table_arn}/*")]
        objects = [store.bucket.bucket_arn, store.bucket.arn_for_objects("*")]
        for actions, resources in ((["s3:*"], objects), (["dynamodb:*"], tables), (["athena:*"], [workgroup])):
            self.role.add_to_principal_policy(
                iam.PolicyStatement(effect=iam.Effect.DENY, actions=actions, resources=resources)
            )
        # Through an access point, a request has another resource, and is held against the bucket's policy as well.
        store.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=["s3:*"],
                resources=objects,
                principals=[iam.ArnPrincipal(self.role.role_arn)],
            )
        )


def _may_assume(own: str, settings: Settings, others: Sequence[OtherAccounts]) -> list[iam.PolicyStatement]:
    """Return the statements that allow to assume the role `own`, and those in other accounts that crawls read."""

    def assume(*resources: str, **conditions: Mapping[str, str]) -> iam.PolicyStatement:
        return iam.PolicyStatement(actions=["sts:AssumeRole"], resources=list(resources), conditions=conditions)

    named = sorted({account for each in others for account in each.named})
    statements = [assume(own, *(reader_role_arn(account, settings) for account in named))]
    if settings.adhoc_crawls or any(each.found for each in others):
        in_organization = {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}
        statements.append(assume(reader_role_arn("*", settings), StringEquals=in_organization))
    return statements


def reader_role_arn(account: str, settings: Settings) -> str:
    """The ARN of the role in another account."""
    return f"arn:{Aws.PARTITION}:iam::{account}:role/{settings.reader_role}"


class ReaderRoleStack(Stack):
    """A role with the read actions of the crawls that read other accounts, only for PlanRun and FetchPage.

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
        account = CfnParameter(
            self,
            "PageturnerAccount",
            description="The account that Pageturner is deployed to",
            allowed_pattern="[0-9]{12}",
        ).value_as_string
        external_id = CfnParameter(
            self,
            "ExternalId",
            description="The output ExternalId of Pageturner's stack",
            min_length=2,
            default=settings.external_id or None,
        ).value_as_string
        role = iam.Role(
            self,
            "Reader",
            role_name=settings.reader_role,
            description="The role that Pageturner assumes to read this account",
            assumed_by=iam.PrincipalWithConditions(
                iam.CompositePrincipal(*self._readers(account, settings)),
                {"StringEquals": {"sts:ExternalId": external_id}},
            ),
        )
        crawls = settings.crawls()
        reading = {name: crawl for name, crawl in crawls.items() if other_accounts(crawl, crawls)}
        grant_reads(role, crawls if settings.adhoc_crawls else reading, settings, region="*")
        CfnOutput(self, "RoleArn", value=role.role_arn)

    def _readers(self, account: str, settings: Settings) -> list[iam.ArnPrincipal]:
        given = CfnParameter(
            self,
            "PageturnerRegion",
            description="The region that Pageturner is deployed to, if it is not this one",
            default="",
        )
        is_this = CfnCondition(self, "IsThisRegion", expression=Fn.condition_equals(given.value_as_string, ""))
        region = Fn.condition_if(is_this.logical_id, Aws.REGION, given.value_as_string).to_string()
        return [
            iam.ArnPrincipal(f"arn:{Aws.PARTITION}:iam::{account}:role/{name}")
            for name in reader_names(settings.stack_name, region)
        ]
