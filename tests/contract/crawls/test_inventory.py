"""Which operations list what belongs to an account, over all that botocore has: what the review left out, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from local.account_operations import ACCOUNT_OPERATIONS, lines, lists, operations
from local.left_out import LEFT_OUT
from pageturner.crawls.catalogue import parse_catalogue
from pageturner.crawls.inventory import OWN, inventory, without_parameters
from pageturner.paging import api

# What a person would look for first…
RESOURCES = """
acm list_certificates
apigateway get_rest_apis
apigatewayv2 get_apis
appsync list_graphql_apis
athena list_work_groups
autoscaling describe_auto_scaling_groups
backup list_backup_plans
backup list_backup_vaults
batch describe_compute_environments
batch describe_job_queues
cloudformation describe_stacks
cloudfront list_distributions
cloudtrail describe_trails
cloudwatch describe_alarms
codebuild list_projects
codepipeline list_pipelines
cognito-idp list_user_pools
config describe_config_rules
dynamodb list_tables
ec2 describe_addresses
ec2 describe_images
ec2 describe_instances
ec2 describe_internet_gateways
ec2 describe_key_pairs
ec2 describe_launch_templates
ec2 describe_nat_gateways
ec2 describe_network_interfaces
ec2 describe_route_tables
ec2 describe_security_groups
ec2 describe_snapshots
ec2 describe_subnets
ec2 describe_transit_gateways
ec2 describe_volumes
ec2 describe_vpc_endpoints
ec2 describe_vpcs
ecr describe_repositories
ecs list_clusters
ecs list_task_definitions
efs describe_file_systems
eks list_clusters
elasticache describe_cache_clusters
elasticache describe_replication_groups
elasticbeanstalk describe_environments
elb describe_load_balancers
elbv2 describe_load_balancers
elbv2 describe_target_groups
emr list_clusters
events list_event_buses
events list_rules
fsx describe_file_systems
glue get_databases
glue get_jobs
guardduty list_detectors
iam list_groups
iam list_policies
iam list_roles
iam list_users
kafka list_clusters_v2
kinesis list_streams
kms list_aliases
kms list_keys
lambda list_event_source_mappings
lambda list_functions
lightsail get_instances
logs describe_log_groups
mq list_brokers
opensearch list_domain_names
organizations list_accounts
rds describe_db_clusters
rds describe_db_instances
rds describe_db_snapshots
redshift describe_clusters
route53 list_hosted_zones
route53domains list_domains
s3 list_buckets
sagemaker list_endpoints
sagemaker list_notebook_instances
scheduler list_schedules
secretsmanager list_secrets
ses list_receipt_rule_sets
sesv2 list_email_identities
sns list_subscriptions
sns list_topics
sqs list_queues
ssm describe_parameters
ssm list_documents
stepfunctions list_state_machines
transfer list_servers
waf list_web_acls
workspaces describe_workspaces
"""
# … and what nobody would call theirs.
OTHERS = """
account get_contact_information
bedrock list_foundation_models
ce list_cost_allocation_tags
cloudtrail lookup_events
cloudwatch list_metrics
docdb describe_db_instances
ec2 describe_account_attributes
ec2 describe_availability_zones
ec2 describe_instance_types
ec2 describe_prefix_lists
ec2 describe_regions
ec2 describe_reserved_instances_offerings
ec2 describe_spot_price_history
ec2 describe_vpc_endpoint_services
ecr get_authorization_token
ecs list_services
eks describe_addon_versions
elasticbeanstalk list_available_solution_stacks
elbv2 describe_ssl_policies
es list_domain_names
iam get_account_authorization_details
iam get_credential_report
iam list_access_keys
neptune describe_db_clusters
opensearch list_versions
polly describe_voices
pricing describe_services
rds describe_certificates
rds describe_db_engine_versions
rds describe_events
secretsmanager get_random_password
securityhub get_findings
service-quotas list_services
ssm describe_available_patches
sts get_caller_identity
sts get_session_token
"""


@cache
def candidates() -> list[tuple[str, str]]:
    return [(service, name) for service in api.service_names() for name in operations(service)]


def left_out() -> list[tuple[str, str]]:
    return [(service, name) for its in LEFT_OUT.values() for service in its for name in its[service].split()]


def pairs(text: str) -> list[tuple[str, str]]:
    return [(service, name) for service, name in (line.split() for line in text.strip().splitlines())]


def test_the_file_is_what_the_models_and_the_review_make_of_it() -> None:
    assert ACCOUNT_OPERATIONS.read_text(encoding="utf-8") == lines(), "run make read-operations, and read the diff"
    assert list(without_parameters()) == candidates()
    left = set(left_out())
    assert list(inventory()) == [each for each in candidates() if each not in left and lists(*each)]


def test_the_review_names_listings_that_need_no_parameters_and_each_once() -> None:
    assert len(left_out()) == len(set(left_out()))
    assert set(left_out()) <= set(candidates())
    # The others are left out by what they are called, or by their answer.
    assert [each for each in left_out() if not lists(*each)] == []


def test_the_counts() -> None:
    counted = {reason: sum(len(names.split()) for names in its.values()) for reason, its in LEFT_OUT.items()}
    assert counted == {
        "AWS publishes it": 185,
        "settings": 31,
        "history": 264,
        "about resources": 98,
        "listed otherwise": 88,
        "needs more": 67,
        "costs and usage": 18,
        "secrets": 1,
        "contents": 4,
        "ended": 13,
    }
    assert (len(candidates()), sum(lists(*each) for each in candidates()), len(inventory())) == (2_523, 2_192, 1_423)
    assert len({service for service, _ in inventory()}) == 321


def test_of_one_service() -> None:
    assert without_parameters("sqs") == (("sqs", "list_queues"),)
    assert without_parameters("s3") == tuple(each for each in without_parameters() if each[0] == "s3")
    assert {service for service, _ in without_parameters("s3")} == {"s3"}
    assert without_parameters("sts") == (("sts", "get_caller_identity"), ("sts", "get_session_token"))
    assert without_parameters("sq") == ()


@pytest.mark.parametrize("each", pairs(RESOURCES), ids=" ".join)
def test_resources_of_an_account_are_in_it(each: tuple[str, str]) -> None:
    assert each in inventory()


@pytest.mark.parametrize("each", pairs(OTHERS), ids=" ".join)
def test_what_is_no_resource_of_an_account_is_not(each: tuple[str, str]) -> None:
    assert each in without_parameters()
    assert each not in inventory()


def test_each_operation_can_be_crawled_as_it_is() -> None:
    crawls = {
        f"c{number}": {"service": service, "operation": name, "parameters": OWN.get((service, name), {})}
        for number, (service, name) in enumerate(inventory())
    }
    parsed = parse_catalogue({"crawls": crawls})
    assert len(parsed) == len(inventory())


def test_their_own_parameters_are_values_that_the_models_have() -> None:
    assert set(OWN) <= set(inventory())
    assert list(OWN) == sorted(OWN)
    for (service, name), parameters in OWN.items():
        shape: Any = api.operation_model(service, name).input_shape
        for parameter, value in parameters.items():
            member = shape.members[parameter]
            documented = str(_raw(service)[shape.name]["members"][parameter].get("documentation", "")).lower()
            for leaf, of in _leaves(value, member):
                known = leaf in of.enum if getattr(of, "enum", None) else str(leaf).lower() in documented
                assert known or of.type_name == "boolean", (service, name, parameter, leaf)


def _raw(service: str) -> Mapping[str, Any]:
    shapes: Mapping[str, Any] = api.LOADER.load_service_model(service, "service-2")["shapes"]
    return shapes


def _leaves(value: Any, shape: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each, shape.member)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, shape.members[key])
    else:
        yield value, shape
