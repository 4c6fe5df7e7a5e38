"""What identifies items, over all models that botocore ships."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import jmespath
import pytest

from pageturner.crawls.read_only import refusal
from pageturner.paging import api, identity, pagination
from pageturner.paging.identity import _EXCEPTIONS, Identity, keys_of
from pageturner.paging.paginators import Paginator, paginator_of


def identities(service: str, operation: str) -> dict[str, Identity | None]:
    return keys_of(service, operation, paginator_of(service, operation, {}).definition, None, None)


@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [
        # One string, or an entry of a map, is all there is.
        ("s3", "list_objects_v2", {"Contents": "Key", "CommonPrefixes": "Prefix"}),
        ("sqs", "list_queues", {"QueueUrls": "@"}),
        ("apigateway", "get_usage", {"items": "key"}),
        # The item's own ARN or ID.
        ("iam", "list_roles", {"Roles": "Arn"}),
        ("lambda", "list_functions", {"Functions": "FunctionArn"}),
        ("ec2", "describe_instances", {"Reservations": "ReservationId"}),
        ("cloudwatch", "describe_alarms", {"MetricAlarms": "AlarmArn", "CompositeAlarms": "AlarmArn"}),
        ("sagemaker", "list_models", {"Models": "ModelArn"}),
        ("cloudfront", "list_distributions", {"DistributionList.Items": "ARN"}),
        # What an operation on one such item requires.
        ("logs", "describe_metric_filters", {"metricFilters": "[logGroupName, filterName]"}),
        ("glue", "get_tables", {"TableList": "Name"}),
        ("glue", "search_tables", {"TableList": "[DatabaseName, Name]"}),
        ("glue", "get_partitions", {"Partitions": "Values"}),
        ("glue", "get_user_defined_functions", {"UserDefinedFunctions": "[DatabaseName, FunctionName]"}),
        ("sagemaker", "list_apps", {"Apps": "[DomainId, AppType, AppName]"}),
        ("sagemaker", "list_monitoring_alerts", {"MonitoringAlertSummaries": "MonitoringAlertName"}),
        ("cognito-idp", "list_users", {"Users": "Username"}),
        # Versions of one thing.
        ("s3", "list_object_versions", {"Versions": "[Key, VersionId]", "DeleteMarkers": "[Key, VersionId]"}),
        ("ssm", "get_parameter_history", {"Parameters": "[Name, Version]"}),
        ("ssm", "list_document_versions", {"DocumentVersions": "[Name, DocumentVersion]"}),
        ("lambda", "list_versions_by_function", {"Versions": "[FunctionArn, Version]"}),
        ("sagemaker", "list_pipeline_versions", {"PipelineVersionSummaries": "[PipelineArn, PipelineVersionId]"}),
        ("glue", "get_table_versions", {"TableVersions": "VersionId"}),
        ("cleanroomsml", "list_trained_model_versions", {"trainedModels": "[trainedModelArn, versionIdentifier]"}),
        # The update of an anomaly can take its own ID, or that of its pattern.
        ("logs", "list_anomalies", {"anomalies": "anomalyId"}),
        # The ARN that the listing requires is that of a parent.
        ("devicefarm", "list_runs", {"runs": "arn"}),
        # The tags of one resource.
        ("iam", "list_role_tags", {"Tags": "Key"}),
        # Exceptions.
        ("cloudfront", "list_functions", {"FunctionList.Items": "[Name, FunctionMetadata.Stage]"}),
    ],
)
def test_what_the_model_says_is_unique_is_the_key_alone(service: str, operation: str, expected: dict[str, str]) -> None:
    found = identities(service, operation)
    assert {name: found[name] for name in expected} == {
        name: Identity(expression, unique=True) for name, expression in expected.items()
    }


@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [
        ("ec2", "describe_tags", {"Tags": "Key"}),
        ("autoscaling", "describe_tags", {"Tags": "Key"}),
        ("ecs", "list_attributes", {"attributes": "name"}),
        ("glue", "describe_entity", {"Fields": "FieldName"}),
        ("sagemaker", "list_pipeline_parameters_for_execution", {"PipelineParameters": "Name"}),
        ("rds", "describe_db_parameters", {"Parameters": "ParameterName"}),
    ],
)
def test_what_may_not_be_unique_is_a_guess(service: str, operation: str, expected: dict[str, str]) -> None:
    assert identities(service, operation) == {
        name: Identity(expression, unique=False) for name, expression in expected.items()
    }


@pytest.mark.parametrize(
    ("service", "operation", "result_key"),
    [
        ("cloudwatch", "list_metrics", "Metrics"),
        ("dynamodb", "scan", "Items"),
        ("ec2", "describe_spot_price_history", "SpotPriceHistory"),
        ("billingconductor", "get_billing_group_cost_report", "BillingGroupCostReportResults"),
        ("cloudwatch", "get_metric_data", "MetricDataResults"),
        ("ec2", "describe_image_usage_report_entries", "ImageUsageReportEntries"),
        ("ec2", "get_aws_network_performance_data", "DataResponses"),
        ("redshift", "describe_events", "Events"),
        ("securityhub", "get_findings_v2", "Findings"),
        ("cloudfront", "list_domain_conflicts", "DomainConflicts"),
    ],
)
def test_what_nothing_identifies_is_its_own_identity(service: str, operation: str, result_key: str) -> None:
    assert identities(service, operation)[result_key] is None


def test_the_crawl_goes_first() -> None:
    definition = paginator_of("s3", "list_objects_v2", {}).definition
    given = Identity("Given", unique=True)
    assert set(keys_of("s3", "list_objects_v2", definition, "Given", None).values()) == {given}
    assert keys_of("s3", "list_objects_v2", definition, None, "a[].b") == {"search": None}
    assert keys_of("s3", "list_objects_v2", definition, "Given", "a[].b") == {"search": given}


# Two items of one listing that the names in the models do not tell apart, and AWS's documentation does.
DIFFERENT = [
    ("sns", "list_subscriptions", "Subscriptions", {"SubscriptionArn": "PendingConfirmation"}, "Endpoint"),
    ("events", "list_targets_by_rule", "Targets", {"Arn": "a"}, "Id"),
    ("autoscaling", "describe_notification_configurations", "NotificationConfigurations", {}, "NotificationType"),
    ("sso-admin", "list_account_assignments", "AccountAssignments", {"AccountId": "1"}, "PrincipalId"),
    ("sso-admin", "list_account_assignments_for_principal", "AccountAssignments", {"PrincipalId": "p"}, "AccountId"),
    ("sso-admin", "list_application_assignments_for_principal", "ApplicationAssignments", {}, "PrincipalId"),
    ("emr", "list_studio_session_mappings", "SessionMappings", {"StudioId": "s"}, "IdentityId"),
    ("cloudformation", "list_stacks", "StackSummaries", {"StackName": "s"}, "StackId"),
    ("cloudformation", "describe_stacks", "Stacks", {"StackName": "s"}, "StackId"),
    ("cloudformation", "list_stack_sets", "Summaries", {"StackSetName": "s"}, "StackSetId"),
    ("logs", "list_anomalies", "anomalies", {"anomalyDetectorArn": "a"}, "anomalyId"),
    ("service-quotas", "list_requested_service_quota_change_history", "RequestedQuotas", {"QuotaArn": "a"}, "Id"),
    ("ssm", "describe_maintenance_window_tasks", "Tasks", {"TaskArn": "AWS-RunPatchBaseline"}, "WindowTaskId"),
    ("ssm", "list_compliance_items", "ComplianceItems", {"Id": "KB4010320"}, "ResourceId"),
    ("inspector2", "list_coverage", "coveredResources", {"resourceId": "i-1"}, "scanType"),
    ("ram", "list_resources", "resources", {"arn": "a"}, "resourceShareArn"),
    ("ram", "list_principals", "principals", {"id": "1"}, "resourceShareArn"),
    ("ram", "list_source_associations", "sourceAssociations", {"sourceId": "1"}, "resourceShareArn"),
    ("config", "describe_compliance_by_resource", "ComplianceByResources", {"ResourceId": "n"}, "ResourceType"),
    ("elbv2", "describe_listener_certificates", "Certificates", {"CertificateArn": "a"}, "IsDefault"),
    ("codeartifact", "list_packages", "packages", {"format": "npm", "package": "p"}, "namespace"),
    ("securityhub", "get_findings", "Findings", {"Id": "1"}, "ProductArn"),
    ("ecs", "list_account_settings", "settings", {"name": "n"}, "principalArn"),
    ("gamelift", "list_fleet_deployments", "FleetDeployments", {"FleetId": "f"}, "DeploymentId"),
    (
        "billingconductor",
        "list_custom_line_item_versions",
        "CustomLineItemVersions",
        {"Arn": "a"},
        "StartBillingPeriod",
    ),
    ("cleanroomsml", "list_trained_models", "trainedModels", {"trainedModelArn": "a"}, "versionIdentifier"),
    ("lambda", "get_durable_execution_history", "Events", {"Id": "1"}, "EventId"),
    ("es", "list_domains_for_package", "DomainPackageDetailsList", {"PackageID": "p"}, "DomainName"),
    ("opensearch", "list_domains_for_package", "DomainPackageDetailsList", {"PackageID": "p"}, "DomainName"),
]


@pytest.mark.parametrize(("service", "operation", "result_key", "same", "different"), DIFFERENT)
def test_different_items_of_one_listing_have_different_identities(
    service: str, operation: str, result_key: str, same: dict[str, str], different: str
) -> None:
    inferred = identities(service, operation)[result_key]
    assert inferred is not None
    assert inferred.unique
    found = [jmespath.search(inferred.expression, {**same, different: value}) for value in ("one", "another")]
    assert found[0] != found[1]


def test_every_exception_names_members_that_the_models_have() -> None:
    used = set()
    for service, operation, result_key, item in structures():
        for known in ((service, operation, result_key), (service, result_key)):
            if known in _EXCEPTIONS:
                used.add(known)
                for path in members(_EXCEPTIONS[known] or ""):
                    shape = item
                    for name in path.split("."):
                        shape = shape.members[name]
                    assert shape.type_name in ("string", "integer", "boolean")
    assert used == set(_EXCEPTIONS)


def test_an_identity_is_not_the_same_for_all_items_of_a_listing() -> None:
    """What a listing requires is, unless a plain `arn` or `id` is that of a parent."""
    checked, constant = 0, set()
    for service, operation, result_key, _ in structures():
        inferred = identities(service, operation)[result_key]
        if inferred is None or not inferred.unique:
            continue
        checked += 1
        shape = api.operation_model(service, operation).input_shape
        required = {name.lower() for name in (shape.required_members if shape is not None else ())}
        if {name.lower() for name in members(inferred.expression)} <= required:
            constant.add((service, operation, inferred.expression))
    assert checked >= 3100
    assert {each for each in constant if each[0] != "devicefarm" or each[2] != "arn"} == {
        ("billingconductor", "list_resources_associated_to_custom_line_item", "Arn"),
        ("cloudfront", "list_invalidations_for_distribution_tenant", "Id"),
        ("iotwireless", "list_multicast_groups_by_fuota_task", "Id"),
        # The table of exceptions has it: what it requires is the ID of an interconnect.
        ("directconnect", "describe_hosted_connections", "connectionId"),
        # The identifier of the cache; that of the application is required.
        ("gameliftstreams", "list_application_shader_caches", "Identifier"),
        # The key of a tag; that of the object is required.
        ("s3", "get_object_tagging", "Key"),
    }
    assert len(constant) == 16


@pytest.fixture
def models_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the exceptions: what is inferred for the services that botocore will have."""
    monkeypatch.setattr(identity, "_EXCEPTIONS", {})
    identity._inferred.cache_clear()
    yield
    identity._inferred.cache_clear()


@pytest.mark.usefixtures("models_alone")
@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [
        # What the listing requires is the same for all its items.
        ("es", "list_domains_for_package", Identity("PackageID", unique=False)),
        ("sso-admin", "list_account_assignments_for_principal", Identity("PrincipalId", unique=False)),
        # Also a plain ARN, if these are the versions of one thing.
        ("billingconductor", "list_custom_line_item_versions", Identity("Arn", unique=False)),
        ("devicefarm", "list_runs", Identity("arn", unique=True)),
        ("cleanroomsml", "list_trained_model_versions", Identity("[trainedModelArn, versionIdentifier]", unique=True)),
        # UpdateAnomaly requires the detector's ARN, and takes the ID of the anomaly or of its pattern.
        ("logs", "list_anomalies", Identity("anomalyId", unique=True)),
    ],
)
def test_the_models_alone_do_not_take_what_is_constant_for_an_identity(
    service: str, operation: str, expected: Identity
) -> None:
    assert list(identities(service, operation).values()) == [expected]


def crawled(service: str, operation: str) -> Paginator | None:
    """The paginator of an operation; None if a crawl would have to state it, or of one page that is not only read."""
    paginator = paginator_of(service, operation, {})
    can_be = paginator.missing is None and (not paginator.is_one_page or refusal(service, operation) is None)
    return paginator if can_be else None


def structures() -> Iterator[tuple[str, str, str, Any]]:
    """The result keys that list structures, with the shape of one."""
    for service in api.service_names():
        for operation in api.operation_names(service):
            paginator = crawled(service, operation)
            for name in pagination.result_keys(paginator.definition) if paginator is not None else ():
                shape = pagination.result_shape(api.operation_model(service, operation), name)
                item = shape.member if shape is not None and shape.type_name == "list" else shape
                if item is not None and item.type_name == "structure":
                    yield service, operation, name, item


def members(expression: str) -> list[str]:
    return [name for name in expression.strip("[]").split(", ") if name]


def test_every_operation_that_can_be_crawled_has_identities_for_all_its_result_keys() -> None:
    counts: Counter[str] = Counter()
    for service in api.service_names():
        for operation in api.operation_names(service):
            paginator = crawled(service, operation)
            if paginator is None:
                continue
            keys = keys_of(service, operation, paginator.definition, None, None)
            assert list(keys) == pagination.result_keys(paginator.definition)
            for inferred in keys.values():
                if inferred is not None:
                    jmespath.compile(inferred.expression)
                counts["item" if inferred is None else "unique" if inferred.unique else "guess"] += 1
    # With botocore 1.44.5. An identity that becomes a guess changes the keys of rows.
    assert counts.total() >= 8259
    assert counts["unique"] >= 7121
    assert counts["guess"] <= 212
    assert counts["item"] <= 926
