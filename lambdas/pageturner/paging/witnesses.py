"""Who else counts what a listing has: one question to a service, whose answer is a number.

A witness counts the whole listing, so `witness_of` returns one only for requests that do not restrict it. Each line has
its source: unless it says otherwise, botocore's documentation string of the member that `count` names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError


@dataclass(frozen=True)
class Asked:
    """What a question is about: the `parameters` of a listing, its `account` and `region`, and the time `now`."""

    parameters: Mapping[str, Any]
    account: str
    region: str
    now: datetime


@dataclass(frozen=True)
class Count:
    """What a witness answered: the number, and when it was counted, if the answer says so."""

    number: int
    at: datetime | None = None


@dataclass(frozen=True)
class Witness:
    """How to ask: `who` is asked with an `operation` of a `service`, and `count` is JMESPath on the answer.

    `allowed` are the parameters of the listing that do not restrict it, and `required` those without which it is not
    what the witness counts. The count can be `lag_hours` old; `at` finds when it was made. It is only `about` how many
    are listed if some may be counted and not listed, or the other way round. `more` says what is counted besides what
    is listed.
    """

    who: str
    service: str
    operation: str
    question: Callable[[Asked], Mapping[str, Any]]
    count: str
    source: str
    allowed: tuple[str, ...] = ()
    required: Mapping[str, Any] = field(default_factory=dict)
    lag_hours: float = 0
    at: str | None = None
    about: bool = False
    more: str = ""

    @property
    def exact(self) -> bool:
        """Whether the count is of this moment, and of exactly what is listed."""
        return not (self.lag_hours or self.about)

    def counted(self, answer: Mapping[str, Any]) -> Count | None:
        """Return the count in an answer, or None if there is none."""
        try:
            number = jmespath.compile(self.count).search(answer)
        except JMESPathError:  # what it adds up is not there
            return None
        if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
            return None
        at = jmespath.compile(self.at).search(answer) if self.at is not None else None
        return Count(int(number), at if isinstance(at, datetime) else None)


def _nothing(_: Asked) -> Mapping[str, Any]:
    return {}


def _same(*names: str) -> Callable[[Asked], Mapping[str, Any]]:
    """The same parameters as the listing's."""
    return lambda asked: {name: asked.parameters[name] for name in names if name in asked.parameters}


def _as(name: str, listed: str) -> Callable[[Asked], Mapping[str, Any]]:
    """The listing's parameter `listed`, under another name."""
    return lambda asked: {name: asked.parameters[listed]}


def _cluster(asked: Asked) -> Mapping[str, Any]:
    # Without a name, both operations take the cluster named "default".
    return {"clusters": [asked.parameters["cluster"]]} if "cluster" in asked.parameters else {}


def _number_of_objects(asked: Asked) -> Mapping[str, Any]:
    dimensions = {"BucketName": asked.parameters["Bucket"], "StorageType": "AllStorageTypes"}
    metric = {
        "Namespace": "AWS/S3",
        "MetricName": "NumberOfObjects",
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
    }
    query = {"Id": "objects", "MetricStat": {"Metric": metric, "Period": 86_400, "Stat": "Average"}}
    return {
        "MetricDataQueries": [query],
        "StartTime": asked.now - timedelta(hours=72),
        "EndTime": asked.now,
        "ScanBy": "TimestampDescending",
    }


def _of_bucket(more: str, *allowed: str) -> Witness:
    return Witness(
        who="CloudWatch",
        service="cloudwatch",
        operation="get_metric_data",
        question=_number_of_objects,
        count="MetricDataResults[0].Values[0]",
        at="MetricDataResults[0].Timestamps[0]",
        lag_hours=48,
        more=more,
        allowed=("Bucket", "EncodingType", "ExpectedBucketOwner", "OptionalObjectAttributes", "RequestPayer", *allowed),
        source="Amazon S3 User Guide, “Metrics and dimensions”: NumberOfObjects, reported once a day, of all objects, "
        "current and noncurrent, delete markers, and parts of incomplete multipart uploads",
    )  # fmt: skip


def _of_account(key: str, required: Mapping[str, Any] | None = None) -> Witness:
    return Witness(
        who="IAM",
        service="iam",
        operation="get_account_summary",
        question=_nothing,
        count=f"SummaryMap.{key}",
        required=required or {},
        source=f"IAM API Reference, GetAccountSummary: {key}",
    )


def _in_cluster(count: str, source: str, *, about: bool = False) -> Witness:
    return Witness("ECS", "ecs", "describe_clusters", _cluster, count, source, allowed=("cluster",), about=about)


def _resources(kind: str) -> Witness:
    return Witness(
        who="Resource Explorer",
        service="resource-explorer-2",
        operation="search",
        # The default view can be of the whole organization.
        question=lambda asked: {
            "QueryString": f"resourcetype:{kind} region:{asked.region} accountid:{asked.account}",
            "MaxResults": 1,
        },
        # It counts up to 1,000.
        count="Count.Complete && Count.TotalResources",
        lag_hours=36,
        source="The number of resources that match the search query; Resource Explorer User Guide: up to 36 hours "
        "until a new index is complete. Where it is not turned on, it refuses the question",
    )


_VERSIONS = "noncurrent versions, delete markers and parts of incomplete uploads"
_WITNESSES: Mapping[tuple[str, str], Witness] = {
    ("s3", "list_objects_v2"): _of_bucket(_VERSIONS, "FetchOwner"),
    ("s3", "list_objects"): _of_bucket(_VERSIONS),
    ("s3", "list_object_versions"): _of_bucket("parts of incomplete uploads"),
    ("dynamodb", "scan"): Witness(
        "DynamoDB", "dynamodb", "describe_table", _same("TableName"), "Table.ItemCount",
        "DynamoDB updates this value approximately every six hours",
        allowed=("TableName", "AttributesToGet", "ConsistentRead", "ExpressionAttributeNames", "ProjectionExpression",
                 "ReturnConsumedCapacity"),
        lag_hours=6,
    ),
    ("iam", "list_users"): _of_account("Users"),
    ("iam", "list_groups"): _of_account("Groups"),
    ("iam", "list_roles"): _of_account("Roles"),
    ("iam", "list_policies"): _of_account("Policies", required={"Scope": "Local"}),
    ("iam", "list_instance_profiles"): _of_account("InstanceProfiles"),
    ("iam", "list_server_certificates"): _of_account("ServerCertificates"),
    ("lambda", "list_functions"): Witness(
        "Lambda", "lambda", "get_account_settings", _nothing, "AccountUsage.FunctionCount",
        "The number of Lambda functions",
    ),
    ("ecs", "list_services"): _in_cluster(
        "clusters[0].activeServicesCount", "services in an ACTIVE state; you can view these services with ListServices"
    ),
    ("ecs", "list_tasks"): _in_cluster(
        "clusters[0].[runningTasksCount, pendingTasksCount] | sum(@)",
        "tasks in the RUNNING and in the PENDING state; ListTasks lists those whose desired status is RUNNING, and "
        "recently stopped tasks might appear",
        about=True,
    ),
    ("ecs", "list_container_instances"): _in_cluster(
        "clusters[0].registeredContainerInstancesCount",
        "container instances in both ACTIVE and DRAINING status; ListContainerInstances lists all states but INACTIVE",
        about=True,
    ),
    ("efs", "describe_mount_targets"): Witness(
        "EFS", "efs", "describe_file_systems", _same("FileSystemId"), "FileSystems[0].NumberOfMountTargets",
        "The current number of mount targets that the file system has",
        required={"FileSystemId": None},
    ),
    ("sns", "list_subscriptions_by_topic"): Witness(
        "SNS", "sns", "get_topic_attributes", _same("TopicArn"),
        "Attributes.[SubscriptionsConfirmed, SubscriptionsPending] | map(&to_number(@), @) | sum(@)",
        "GetTopicAttributes: SubscriptionsConfirmed and SubscriptionsPending; deleted ones can be listed for some days",
        allowed=("TopicArn",),
        about=True,
    ),
    ("route53", "list_hosted_zones"): Witness(
        "Route 53", "route53", "get_hosted_zone_count", _nothing, "HostedZoneCount",
        "The total number of public and private hosted zones that are associated with the account",
    ),
    ("route53", "list_health_checks"): Witness(
        "Route 53", "route53", "get_health_check_count", _nothing, "HealthCheckCount",
        "The number of health checks associated with the account",
    ),
    ("route53", "list_resource_record_sets"): Witness(
        "Route 53", "route53", "get_hosted_zone", _as("Id", "HostedZoneId"), "HostedZone.ResourceRecordSetCount",
        "The number of resource record sets in the hosted zone",
        allowed=("HostedZoneId",),
    ),
    ("servicediscovery", "list_instances"): Witness(
        "Cloud Map", "servicediscovery", "get_service", _as("Id", "ServiceId"), "Service.InstanceCount",
        "The number of instances that are currently associated with the service. The count might not reflect pending "
        "registrations and deregistrations",
        allowed=("ServiceId",),
        about=True,
    ),
    ("rekognition", "list_faces"): Witness(
        "Rekognition", "rekognition", "describe_collection", _same("CollectionId"), "FaceCount",
        "The number of faces that are indexed into the collection",
        allowed=("CollectionId",),
    ),
    ("rekognition", "list_users"): Witness(
        "Rekognition", "rekognition", "describe_collection", _same("CollectionId"), "UserCount",
        "The number of UserIDs assigned to the specified collection",
        allowed=("CollectionId",),
    ),
    ("route53resolver", "list_firewall_domains"): Witness(
        "Route 53 Resolver", "route53resolver", "get_firewall_domain_list", _same("FirewallDomainListId"),
        "FirewallDomainList.DomainCount", "The number of domain names that are specified in the domain list",
        allowed=("FirewallDomainListId",),
    ),
    ("route53resolver", "list_firewall_rules"): Witness(
        "Route 53 Resolver", "route53resolver", "get_firewall_rule_group", _same("FirewallRuleGroupId"),
        "FirewallRuleGroup.RuleCount", "The number of rules in the rule group",
        allowed=("FirewallRuleGroupId",),
    ),
    ("route53resolver", "list_resolver_endpoint_ip_addresses"): Witness(
        "Route 53 Resolver", "route53resolver", "get_resolver_endpoint", _same("ResolverEndpointId"),
        "ResolverEndpoint.IpAddressCount", "The number of IP addresses that the endpoint can use for DNS queries",
        allowed=("ResolverEndpointId",),
    ),
    ("autoscaling", "describe_auto_scaling_groups"): Witness(
        "Auto Scaling", "autoscaling", "describe_account_limits", _nothing, "NumberOfAutoScalingGroups",
        "The current number of groups for your account",
        allowed=("IncludeInstances",),
    ),
    ("autoscaling", "describe_launch_configurations"): Witness(
        "Auto Scaling", "autoscaling", "describe_account_limits", _nothing, "NumberOfLaunchConfigurations",
        "The current number of launch configurations for your account",
    ),
    ("codeartifact", "list_repositories_in_domain"): Witness(
        "CodeArtifact", "codeartifact", "describe_domain", _same("domain", "domainOwner"), "domain.repositoryCount",
        "The number of repositories in the domain",
        allowed=("domain", "domainOwner"),
    ),
    ("transfer", "list_users"): Witness(
        "Transfer", "transfer", "describe_server", _same("ServerId"), "Server.UserCount",
        "The number of users that are assigned to a server",
        allowed=("ServerId",),
    ),
    ("kinesis", "list_stream_consumers"): Witness(
        "Kinesis", "kinesis", "describe_stream_summary", _same("StreamARN"), "StreamDescriptionSummary.ConsumerCount",
        "The number of enhanced fan-out consumers registered with the stream",
        allowed=("StreamARN",),
    ),
    ("cognito-idp", "list_users"): Witness(
        "Cognito", "cognito-idp", "describe_user_pool", _same("UserPoolId"), "UserPool.EstimatedNumberOfUsers",
        "A number estimating the size of the user pool; no lag is documented, and a day is assumed",
        allowed=("UserPoolId", "AttributesToGet"),
        lag_hours=24,
    ),
    ("backup", "list_recovery_points_by_backup_vault"): Witness(
        "Backup", "backup", "describe_backup_vault", _same("BackupVaultName", "BackupVaultAccountId"),
        "NumberOfRecoveryPoints",
        "Recovery point count value displayed in the console can be an approximation; a day is assumed",
        allowed=("BackupVaultName", "BackupVaultAccountId"),
        lag_hours=24,
    ),
    ("sqs", "list_queues"): _resources("sqs:queue"),
    ("sns", "list_topics"): _resources("sns:topic"),
    ("logs", "describe_log_groups"): _resources("logs:log-group"),
}  # fmt: skip


def witness_of(service: str, operation: str, parameters: Mapping[str, Any], limit_key: str | None) -> Witness | None:
    """Return who else counts a listing, or None if nobody does, or if its parameters restrict it.

    The page size, `limit_key`, restricts nothing.
    """
    witness = _WITNESSES.get((service, operation))
    if witness is None or parameters.keys() - {*witness.allowed, *witness.required, limit_key}:
        return None
    for name, value in witness.required.items():
        if name not in parameters or (value is not None and parameters[name] != value):
            return None
    return witness


def witnessed() -> Mapping[tuple[str, str], Witness]:
    """All listings that someone else counts, by service and operation."""
    return _WITNESSES
