"""The IAM action that an operation needs, which is not always the service's prefix and the operation's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.operations import plain_crawls
from pageturner.crawls.witnessing import witness_of_crawl
from pageturner.paging import api

# Actions that are not named like their operation, by service: from the Service Authorization Reference, or from the
# operation's own documentation in botocore. Those without a colon have the service's prefix.
_ACTIONS: Mapping[str, Mapping[str, str]] = {
    "accessanalyzer": {"GetFindingV2": "GetFinding", "ListFindingsV2": "ListFindings"},
    "batch": {
        "CancelJobs": "CancelJob",
        "TerminateJobs": "TerminateJob",
        "TerminateServiceJobs": "TerminateServiceJob",
    },
    "bedrock-agent-runtime": {"RetrieveAndGenerateStream": "RetrieveAndGenerate"},
    "bedrock-runtime": {
        "Converse": "InvokeModel",
        "ConverseStream": "InvokeModelWithResponseStream",
        "StartAsyncInvoke": "InvokeModel",
    },
    "budgets": {
        "CreateBudget": "ModifyBudget",
        "CreateNotification": "ModifyBudget",
        "CreateSubscriber": "ModifyBudget",
        "DeleteBudget": "ModifyBudget",
        "DeleteNotification": "ModifyBudget",
        "DeleteSubscriber": "ModifyBudget",
        "DescribeBudget": "ViewBudget",
        "DescribeBudgetNotificationsForAccount": "ViewBudget",
        "DescribeBudgetPerformanceHistory": "ViewBudget",
        "DescribeBudgets": "ViewBudget",
        "DescribeNotificationsForBudget": "ViewBudget",
        "DescribeSubscribersForNotification": "ViewBudget",
        "UpdateBudget": "ModifyBudget",
        "UpdateNotification": "ModifyBudget",
        "UpdateSubscriber": "ModifyBudget",
    },
    "cloudtrail": {"ListInsightsMetricData": "ListInsightsData"},
    "detective": {"ListOrganizationAdminAccounts": "ListOrganizationAdminAccount"},
    "dms": {
        "DescribeDataProviders": "ListDataProviders",
        "DescribeExtensionPackAssociations": "ListExtensionPacks",
        "DescribeInstanceProfiles": "ListInstanceProfiles",
        "DescribeMetadataModelAssessments": "ListMetadataModelAssessments",
        "DescribeMetadataModelConversions": "ListMetadataModelConversions",
        "DescribeMetadataModelExportsAsScript": "ListMetadataModelExports",
        "DescribeMetadataModelExportsToTarget": "ListMetadataModelExports",
        "DescribeMigrationProjects": "ListMigrationProjects",
    },
    "dynamodb": {"ExecuteStatement": "PartiQLSelect", "TransactGetItems": "GetItem"},
    "ecr": {"ListImageReferrers": "BatchGetImage"},
    "glue": {
        "GetUnfilteredPartitionMetadata": "GetPartition",
        "GetUnfilteredPartitionsMetadata": "GetPartitions",
        "GetUnfilteredTableMetadata": "GetTable",
    },
    "lambda": {
        "GetLayerVersionByArn": "GetLayerVersion",
        "Invoke": "InvokeFunction",
        "InvokeWithResponseStream": "InvokeFunction",
    },
    "neptune-graph": {"GetQuery": "GetQueryStatus"},
    "neptunedata": {
        "GetGremlinQueryStatus": "GetQueryStatus",
        "GetMLDataProcessingJob": "GetMLDataProcessingJobStatus",
        "GetMLEndpoint": "GetMLEndpointStatus",
        "GetMLModelTrainingJob": "GetMLModelTrainingJobStatus",
        "GetMLModelTransformJob": "GetMLModelTransformJobStatus",
        "GetOpenCypherQueryStatus": "GetQueryStatus",
        "GetPropertygraphStatistics": "GetStatisticsStatus",
        "GetPropertygraphStream": "GetStreamRecords",
        "GetPropertygraphSummary": "GetGraphSummary",
        "GetRDFGraphSummary": "GetGraphSummary",
        "GetSparqlStatistics": "GetStatisticsStatus",
        "GetSparqlStream": "GetStreamRecords",
        "ListGremlinQueries": "GetQueryStatus",
        "ListOpenCypherQueries": "GetQueryStatus",
    },
    "s3": {
        "CompleteMultipartUpload": "PutObject",
        "CopyObject": "PutObject",
        "CreateMultipartUpload": "PutObject",
        "DeleteObjects": "DeleteObject",
        "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
        "GetBucketAnalyticsConfiguration": "GetAnalyticsConfiguration",
        "GetBucketEncryption": "GetEncryptionConfiguration",
        "GetBucketIntelligentTieringConfiguration": "GetIntelligentTieringConfiguration",
        "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
        "GetBucketLifecycle": "GetLifecycleConfiguration",
        "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
        "GetBucketMetadataConfiguration": "GetBucketMetadataTableConfiguration",
        "GetBucketMetricsConfiguration": "GetMetricsConfiguration",
        "GetBucketNotificationConfiguration": "GetBucketNotification",
        "GetBucketReplication": "GetReplicationConfiguration",
        "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
        "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
        "HeadBucket": "ListBucket",
        "HeadObject": "GetObject",
        "ListBucketAnalyticsConfigurations": "GetAnalyticsConfiguration",
        "ListBucketIntelligentTieringConfigurations": "GetIntelligentTieringConfiguration",
        "ListBucketInventoryConfigurations": "GetInventoryConfiguration",
        "ListBucketMetricsConfigurations": "GetMetricsConfiguration",
        "ListBuckets": "ListAllMyBuckets",
        "ListDirectoryBuckets": "s3express:ListAllMyDirectoryBuckets",
        "ListMultipartUploads": "ListBucketMultipartUploads",
        "ListObjectVersions": "ListBucketVersions",
        "ListObjects": "ListBucket",
        "ListObjectsV2": "ListBucket",
        "ListParts": "ListMultipartUploadParts",
        "SelectObjectContent": "GetObject",
        "UploadPart": "PutObject",
        "UploadPartCopy": "PutObject",
    },
    "s3control": {
        "GetAccessPointScope": "s3express:GetAccessPointScope",
        "GetBucket": "s3-outposts:GetBucket",
        "GetBucketLifecycleConfiguration": "s3-outposts:GetLifecycleConfiguration",
        "GetBucketPolicy": "s3-outposts:GetBucketPolicy",
        "GetBucketReplication": "s3-outposts:GetReplicationConfiguration",
        "GetBucketTagging": "s3-outposts:GetBucketTagging",
        "GetBucketVersioning": "s3-outposts:GetBucketVersioning",
        "GetPublicAccessBlock": "GetAccountPublicAccessBlock",
        "ListAccessPointsForDirectoryBuckets": "s3express:ListAccessPointsForDirectoryBuckets",
        "ListRegionalBuckets": "s3-outposts:ListRegionalBuckets",
    },
    "securityhub": {"GetFindingStatisticsV2": "GetAdhocInsightResults", "GetFindingsV2": "GetFindings"},
    "sqs": {
        "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
        "DeleteMessageBatch": "DeleteMessage",
        "SendMessageBatch": "SendMessage",
    },
    "taxsettings": {
        "BatchGetTaxExemptions": "GetExemptions",
        "GetTaxExemptionTypes": "GetExemptions",
        "ListTaxExemptions": "GetExemptions",
    },
    "timestream-query": {"Query": "Select"},
    "verifiedpermissions": {
        "BatchGetPolicy": "GetPolicy",
        "BatchIsAuthorized": "IsAuthorized",
        "BatchIsAuthorizedWithToken": "IsAuthorizedWithToken",
    },
}
# Services whose prefix is not their signing name.
_PREFIXES = {
    "resourcegroupstaggingapi": "tag",
    "mturk": "mechanicalturk",
    "cloudwatch": "cloudwatch",  # signed as monitoring
    "cloudcontrol": "cloudformation",
    "iot-data": "iot",
    "iot-jobs-data": "iotjobsdata",
    "iotsecuretunneling": "iot",
    "partnercentral-selling": "partnercentral",
    "partnercentral-account": "partnercentral",
    "partnercentral-benefits": "partnercentral",
    "partnercentral-channel": "partnercentral",
}
# API Gateway's actions are HTTP methods, except for what these words name.
_API_GATEWAY = ("apigateway", "apigatewayv2")
_API_GATEWAY_OWN = ("Portal", "Product", "RoutingRule")
# The actions of Amazon Keyspaces are CQL's.
_KEYSPACES = {"Get": "Select", "List": "Select", "Create": "Create", "Update": "Alter", "Delete": "Drop"}


def iam_action(service: str, operation: str) -> str:
    """The IAM action that `operation`, which is boto3's name, needs, like ``s3:ListBucket``.

    Raises `KeyError` if the service has no such operation.
    """
    name = api.operation_names(service)[operation]
    model = api.service_model(service)
    action = _action(service, name)
    return action if ":" in action else f"{_PREFIXES.get(service, model.signing_name)}:{action}"


def _action(service: str, name: str) -> str:
    if service in _API_GATEWAY and not any(word in name for word in _API_GATEWAY_OWN):
        return str(api.service_model(service).operation_model(name).http["method"])
    if service == "keyspaces":
        verb = next((verb for verb in _KEYSPACES if name.startswith(verb)), None)
        return f"cassandra:{_KEYSPACES[verb] if verb else name.removesuffix('Table')}"
    return _ACTIONS.get(service, {}).get(name, name)


def read_actions(crawls: Iterable[Crawl]) -> list[str]:
    """Return the IAM actions that crawls, their details and witnesses need, in each account that they read."""
    wanted = [plain for crawl in crawls for plain in plain_crawls(crawl)]
    actions = {iam_action(crawl.service, crawl.operation) for crawl in wanted}
    actions |= {iam_action(detail.service, detail.operation) for crawl in wanted for detail in crawl.details}
    actions |= {iam_action(asked.service, asked.operation) for asked in map(witness_of_crawl, wanted) if asked}
    if any(crawl.asks_for_regions for crawl in wanted):
        actions.add("ec2:DescribeRegions")
    return sorted(actions)
