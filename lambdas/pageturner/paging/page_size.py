"""The page size that requests send although nobody asked for one, and the page sizes that a model accepts.

Some operations need one: SQS returns a token only to a request with `MaxResults`, EC2 and others return everything at
once without it, and S3 names the regions of buckets only in a page. So a request sends the maximum that the model
states for the `limit_key`, but

- at most 1,000. That is the maximum of most large listings (S3, EC2, IAM), and FetchPage turns such a page within its
  time and memory: 100,000 snapshots in one response took 725 MB and 39 s of CPU. 2^31 - 1 states no maximum;
- none where a page of items as large as the model allows them could exceed FetchPage's memory, nor where the service
  itself returns more than that. The service then chooses;
- none where the parameters name the items, because such requests must not be paged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.model import OperationModel

from pageturner.paging import api, pagination

LARGEST_PAGE = 1000
# In memory, the response, its parsed items and their lines are several times as large; FetchPage has 512 MB.
LARGEST_PAGE_BYTES = 128 * 2**20
_NO_MAXIMUM = 2**31 - 1
# EC2's Describe operations accept 1,000, also where their models state no maximum (Amazon EC2 Developer Guide,
# "Pagination"). The AWS CLI sends it too, for volumes and snapshots.
_EC2_PAGE = 1000
# What the documentation of the parameter says where the model states nothing, or too much. None: by itself, the
# service returns more than the maximum in its model, or than LARGEST_PAGE.
_DOCUMENTED: Mapping[tuple[str, str], int | None] = {
    ("application-signals", "list_service_level_objective_exclusion_windows"): None,
    ("appmesh", "list_tags_for_resource"): None,
    ("backup", "list_backup_job_summaries"): 500,
    ("backup", "list_copy_job_summaries"): 500,
    ("backup", "list_restore_job_summaries"): 500,
    ("backup", "list_scan_job_summaries"): 500,
    ("bedrock", "list_automated_reasoning_policy_build_workflows"): 100,
    ("bedrock", "list_automated_reasoning_policy_test_results"): 100,
    ("bedrock-agentcore-control", "list_browsers"): 50,
    ("bedrock-agentcore-control", "list_memories"): 50,
    ("chime-sdk-media-pipelines", "list_media_capture_pipelines"): 99,
    ("chime-sdk-media-pipelines", "list_media_pipelines"): 99,
    ("compute-optimizer", "get_enrollment_statuses_for_organization"): 100,
    ("config", "list_tags_for_resource"): 50,
    ("ec2", "describe_host_reservations"): 500,
    ("ec2", "describe_hosts"): 500,
    ("ec2", "describe_launch_template_versions"): 200,
    ("ec2", "describe_reserved_instances_offerings"): 100,
    ("ec2", "describe_scheduled_instances"): 300,
    ("ec2", "describe_volumes_modifications"): 500,
    ("glue", "list_crawls"): 100,
    ("kinesisvideo", "list_streams"): None,
    ("kms", "list_aliases"): 100,
    ("kms", "list_grants"): 100,
    ("kms", "list_resource_tags"): 50,
    ("kms", "list_retirable_grants"): 100,
    ("logs", "filter_log_events"): None,
    ("odb", "list_odb_peering_connections"): 100,
    ("resourcegroupstaggingapi", "get_compliance_summary"): 100,
    ("route53resolver", "list_firewall_configs"): None,
    ("servicecatalog-appregistry", "list_applications"): 25,
    ("servicecatalog-appregistry", "list_associated_attribute_groups"): 25,
    ("servicecatalog-appregistry", "list_associated_resources"): 25,
    ("servicecatalog-appregistry", "list_attribute_groups"): 25,
    ("servicecatalog-appregistry", "list_attribute_groups_for_application"): 25,
    ("sqs", "list_dead_letter_source_queues"): 1000,
    ("sqs", "list_queues"): 1000,
    ("voice-id", "list_domains"): None,
}
# Lists that name the items: InstanceIds, ImageIds, ResourceARNList, repositoryNames, HostReservationIdSet. EC2 answers
# InvalidParameterCombination to them with a page size, ELB "Pagination is not supported when specifying load
# balancers", and ECR documents the same.
_NAMES_ITEMS = re.compile(r"(id|arn|name|identifier|ip)(s|set|list)$", re.IGNORECASE)
_NAMES_ITEMS_TOO: Mapping[tuple[str, str], set[str]] = {
    ("ec2", "describe_instance_types"): {"InstanceTypes"},
    ("ec2", "describe_launch_template_versions"): {"Versions"},
    ("route53domains", "list_prices"): {"Tld"},
}
# These name the owners of the items. The AWS CLI sends a page size with them.
_NAMES_OWNERS = ("OwnerIds", "RestorableByUserIds")


def default_page_size(
    service: str,
    operation: str,
    paginator: Mapping[str, Any],
    parameters: Mapping[str, Any],
    pagination_config: Mapping[str, Any],
) -> int | None:
    """Return the page size to send with `parameters`; None if they or `pagination_config` have one, or to send none."""
    limit_key = paginator.get("limit_key")
    if limit_key is None or limit_key in parameters or pagination_config.get("PageSize") is not None:
        return None
    if any(parameters.get(name) for name in naming_parameters(service, operation)):
        return None
    return _largest(service, operation, limit_key, tuple(pagination.result_keys(paginator)))


def wrong_page_size(model: OperationModel, limit_key: str, value: Any) -> str | None:
    """Return what a page size must be that the model does not accept, like "must be 1 to 1000", or None."""
    found = _whole_number(value)
    low, high = _bounds(model, limit_key)
    if found is not None and low <= found <= (found if high is None else high):
        return None
    return f"must be at least {low}" if high is None else f"must be {low} to {high}"


def _whole_number(value: Any) -> int | None:
    """The number that botocore makes of a page size, which can be text; None for what is no whole number."""
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        return None
    try:
        return int(value)
    except (ValueError, TypeError):
        return None


def _bounds(model: OperationModel, limit_key: str) -> tuple[int, int | None]:
    """The smallest and the largest page size that the model states; the latter can be missing.

    Some models accept 0, "the service's default". Others answer it with an empty page that ends the listing.
    """
    shape = model.input_shape.members[limit_key] if model.input_shape else None
    if shape is None or shape.type_name == "string":  # the bounds of a string are those of its length
        return 1, None
    high = shape.metadata.get("max")
    return max(1, int(shape.metadata.get("min", 1))), None if high is None or high >= _NO_MAXIMUM else int(high)


@cache
def naming_parameters(service: str, operation: str) -> frozenset[str]:
    """The parameters of an operation that name its items, so that requests with them are not paged."""
    shape = api.operation_model(service, operation).input_shape
    lists = [name for name, member in shape.members.items() if member.type_name == "list"] if shape else []
    found = {name for name in lists if _NAMES_ITEMS.search(name) and name not in _NAMES_OWNERS}
    return frozenset(found | _NAMES_ITEMS_TOO.get((service, operation), set()))


@cache
def _largest(service: str, operation: str, limit_key: str, result_keys: tuple[str, ...]) -> int | None:
    if (service, operation) in _DOCUMENTED:
        return _DOCUMENTED[service, operation]
    model = api.operation_model(service, operation)
    low, high = _bounds(model, limit_key)
    if high is None:
        return _EC2_PAGE if service == "ec2" and operation.startswith("describe_") else None
    size = max(low, min(high, LARGEST_PAGE))
    text = max(_longest_text(pagination.result_shape(model, key), set()) for key in result_keys)
    return size if size * text <= LARGEST_PAGE_BYTES else None


def _longest_text(shape: Any, seen: set[str]) -> int:
    """The length of the longest string or blob that the model allows in a value; 0 where it states no length."""
    if shape is None or shape.name in seen:
        return 0
    seen.add(shape.name)
    if shape.type_name in ("string", "blob"):
        length = int(shape.metadata.get("max", 0))
        return length if length < _NO_MAXIMUM else 0
    if shape.type_name == "structure":
        return max((_longest_text(member, seen) for member in shape.members.values()), default=0)
    if shape.type_name == "list":
        return _longest_text(shape.member, seen)
    if shape.type_name == "map":
        return max(_longest_text(shape.key, seen), _longest_text(shape.value, seen))
    return 0
