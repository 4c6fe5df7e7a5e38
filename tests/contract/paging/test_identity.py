"""What identifies items, over all models that botocore ships."""

from __future__ import annotations

from collections import Counter

import jmespath
import pytest

from pageturner.paging import api, pagination
from pageturner.paging.identity import Identity, keys_of
from pageturner.paging.paginators import paginator_of


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
        ("sso-admin", "list_application_assignments", {"ApplicationAssignments": "[PrincipalId, PrincipalType]"}),
        ("cognito-idp", "list_users", {"Users": "Username"}),
        # Versions of one thing.
        ("s3", "list_object_versions", {"Versions": "[Key, VersionId]", "DeleteMarkers": "[Key, VersionId]"}),
        ("ssm", "get_parameter_history", {"Parameters": "[Name, Version]"}),
        ("ssm", "list_document_versions", {"DocumentVersions": "[Name, DocumentVersion]"}),
        ("lambda", "list_versions_by_function", {"Versions": "[FunctionArn, Version]"}),
        ("sagemaker", "list_pipeline_versions", {"PipelineVersionSummaries": "[PipelineArn, PipelineVersionId]"}),
        ("glue", "get_table_versions", {"TableVersions": "VersionId"}),
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
        ("sso-admin", "list_account_assignments", "AccountAssignments"),
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


def test_every_operation_that_can_be_crawled_has_identities_for_all_its_result_keys() -> None:
    counts: Counter[str] = Counter()
    for service in api.service_names():
        for operation in api.operation_names(service):
            paginator = paginator_of(service, operation, {})
            if paginator.missing is not None:
                continue
            keys = keys_of(service, operation, paginator.definition, None, None)
            assert list(keys) == pagination.result_keys(paginator.definition)
            for identity in keys.values():
                if identity is not None:
                    jmespath.compile(identity.expression)
                counts["item" if identity is None else "unique" if identity.unique else "guess"] += 1
    # With botocore 1.44.5. An identity that becomes a guess changes the keys of rows.
    assert counts.total() >= 4349
    assert counts["unique"] >= 3420
    assert counts["guess"] <= 175
    assert counts["item"] <= 755
