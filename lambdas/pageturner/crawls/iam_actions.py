"""The IAM action that an operation needs, which is not always the service's prefix and the operation's name."""

from __future__ import annotations

from collections.abc import Iterable

from pageturner.crawls.crawl import ALL_REGIONS, Crawl
from pageturner.paging import api

# Actions that are not named like their operation (Service Authorization Reference).
_ACTIONS = {
    ("s3", "ListObjects"): "s3:ListBucket",
    ("s3", "ListObjectsV2"): "s3:ListBucket",
    ("s3", "ListObjectVersions"): "s3:ListBucketVersions",
    ("s3", "ListMultipartUploads"): "s3:ListBucketMultipartUploads",
    ("s3", "ListParts"): "s3:ListMultipartUploadParts",
    ("s3", "ListBuckets"): "s3:ListAllMyBuckets",
    ("s3", "ListDirectoryBuckets"): "s3express:ListAllMyDirectoryBuckets",
    ("s3", "ListBucketAnalyticsConfigurations"): "s3:GetAnalyticsConfiguration",
    ("s3", "ListBucketIntelligentTieringConfigurations"): "s3:GetIntelligentTieringConfiguration",
    ("s3", "ListBucketInventoryConfigurations"): "s3:GetInventoryConfiguration",
    ("s3", "ListBucketMetricsConfigurations"): "s3:GetMetricsConfiguration",
    ("accessanalyzer", "GetFindingV2"): "access-analyzer:GetFinding",
    ("accessanalyzer", "ListFindingsV2"): "access-analyzer:ListFindings",
    ("dms", "DescribeDataProviders"): "dms:ListDataProviders",
    ("dms", "DescribeExtensionPackAssociations"): "dms:ListExtensionPacks",
    ("dms", "DescribeInstanceProfiles"): "dms:ListInstanceProfiles",
    ("dms", "DescribeMetadataModelAssessments"): "dms:ListMetadataModelAssessments",
    ("dms", "DescribeMetadataModelConversions"): "dms:ListMetadataModelConversions",
    ("dms", "DescribeMetadataModelExportsAsScript"): "dms:ListMetadataModelExports",
    ("dms", "DescribeMetadataModelExportsToTarget"): "dms:ListMetadataModelExports",
    ("dms", "DescribeMigrationProjects"): "dms:ListMigrationProjects",
    ("dynamodb", "ExecuteStatement"): "dynamodb:PartiQLSelect",
    ("timestream-query", "Query"): "timestream:Select",
}
# Services where one action covers all reads.
_READS = {
    "apigateway": "apigateway:GET",
    "apigatewayv2": "apigateway:GET",
    "budgets": "budgets:ViewBudget",
    "keyspaces": "cassandra:Select",
}
# Services whose prefix is not their signing name.
_PREFIXES = {
    "resourcegroupstaggingapi": "tag",
    "mturk": "mechanicalturk",
    "cloudwatch": "cloudwatch",  # signed as monitoring
    "cloudcontrol": "cloudformation",
    "iot-data": "iot",
    "iotsecuretunneling": "iot",
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


def read_actions(crawls: Iterable[Crawl]) -> list[str]:
    """Return the IAM actions that the crawls need, in each account that they read."""
    wanted = list(crawls)
    actions = {iam_action(crawl) for crawl in wanted}
    if any(crawl.regions == ALL_REGIONS for crawl in wanted):
        actions.add("ec2:DescribeRegions")
    return sorted(actions)
