"""What FetchPage may read: the IAM actions of the catalogue's operations, and nothing else unless a setting says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from pageturner import api
from pageturner.crawl import Crawl

# Where the action is not named like the operation (Service Authorization Reference).
_ACTIONS = {
    ("s3", "ListObjects"): "s3:ListBucket",
    ("s3", "ListObjectsV2"): "s3:ListBucket",
    ("s3", "ListObjectVersions"): "s3:ListBucketVersions",
    ("s3", "ListMultipartUploads"): "s3:ListBucketMultipartUploads",
    ("s3", "ListParts"): "s3:ListMultipartUploadParts",
    ("s3", "ListBuckets"): "s3:ListAllMyBuckets",
    ("s3", "ListDirectoryBuckets"): "s3express:ListAllMyDirectoryBuckets",
    ("keyspaces", "ListKeyspaces"): "cassandra:Select",
    ("keyspaces", "ListTables"): "cassandra:Select",
    ("timestream-query", "Query"): "timestream:Select",
}
# Where one action stands for all that reads.
_READS = {
    "apigateway": "apigateway:GET",
    "apigatewayv2": "apigateway:GET",
    "budgets": "budgets:ViewBudget",
}
# Where the prefix is not the one by which requests are signed.
_PREFIXES = {
    "resourcegroupstaggingapi": "tag",
    "keyspaces": "cassandra",
    "mturk": "mechanicalturk",
    "cloudwatch": "cloudwatch",
    "cloudcontrol": "cloudformation",
    "iot-data": "iot",
    "partnercentral-selling": "partnercentral",
    "partnercentral-account": "partnercentral",
    "partnercentral-benefits": "partnercentral",
    "partnercentral-channel": "partnercentral",
}


def iam_action(crawl: Crawl) -> str:
    """The IAM action that `crawl` needs, like ``s3:ListBucket``."""
    operation = api.operation_names(crawl.service)[crawl.operation]
    if action := _ACTIONS.get((crawl.service, operation)):
        return action
    if action := _READS.get(crawl.service):
        return action
    model = api.service_model(crawl.service)
    return f"{_PREFIXES.get(crawl.service, model.signing_name)}:{operation}"


class Permissions(Construct):
    """Grants what the catalogue needs to the function that turns pages."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        crawls: Mapping[str, Crawl],
        reader: lambda_.IFunction,
        read_policies: Iterable[str],
    ) -> None:
        super().__init__(scope, construct_id)
        actions = sorted({iam_action(crawl) for crawl in crawls.values()})
        if actions:
            # The parameters that name a resource differ from one API to the next, and can be given at the start.
            reader.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=["*"]))
        for name in read_policies:
            if reader.role is not None:
                reader.role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name(name))
