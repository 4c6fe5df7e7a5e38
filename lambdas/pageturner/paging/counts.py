"""Counts in the answers themselves: of the whole listing, and of one page.

A count says little by its name, so each member is here after its documentation string in botocore was read. The
contract test finds every other member that looks like a count, and holds it against `NO_COUNTS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Total:
    """The `member` of an answer (a path) that counts the whole listing, also if it says `about` how many."""

    member: str
    about: bool = False


_SEARCHES_OF_CONNECT = (
    *("agent_statuses", "contact_evaluations", "contact_flow_modules", "contact_flows", "data_tables"),
    *("email_addresses", "evaluation_forms", "hours_of_operation_overrides", "hours_of_operations", "metrics"),
    *("notifications", "predefined_attributes", "prompts", "queues", "quick_connects", "routing_profiles", "rules"),
    *("security_profiles", "user_hierarchy_groups", "users", "views", "workspace_associations", "workspaces"),
)
TOTALS: Mapping[tuple[str, str], Total] = {
    ("ce", "get_dimension_values"): Total("TotalSize"),
    ("ce", "get_tags"): Total("TotalSize"),
    ("cloudtrail", "get_query_results"): Total("QueryStatistics.TotalResultsCount"),
    ("connect", "get_current_metric_data"): Total("ApproximateTotalCount", about=True),
    ("connect", "get_current_user_data"): Total("ApproximateTotalCount", about=True),
    ("connect", "search_contacts"): Total("TotalCount"),
    **{("connect", f"search_{what}"): Total("ApproximateTotalCount", about=True) for what in _SEARCHES_OF_CONNECT},
    ("connectcases", "search_cases"): Total("totalCount"),
    ("datazone", "search"): Total("totalMatchCount"),
    ("datazone", "search_listings"): Total("totalMatchCount"),
    ("datazone", "search_types"): Total("totalMatchCount"),
    ("marketplace-discovery", "search_listings"): Total("totalResults"),
    ("redshift-data", "get_statement_result"): Total("TotalNumRows"),
    ("resource-explorer-2", "search"): Total("Count.TotalResources"),
    ("route53resolver", "list_resolver_query_log_config_associations"): Total("TotalFilteredCount"),
    ("route53resolver", "list_resolver_query_log_configs"): Total("TotalFilteredCount"),
    ("securityhub", "list_exposures_by_remediation_v2"): Total("TotalCount"),
    ("service-quotas", "get_quota_utilization_report"): Total("TotalCount"),
    ("servicecatalog", "search_provisioned_products"): Total("TotalResultsCount"),
}
# The members that count what is on one page.
PAGE_COUNTS: Mapping[tuple[str, str], str] = {
    ("ce", "get_dimension_values"): "ReturnSize",
    ("ce", "get_tags"): "ReturnSize",
    ("cognito-sync", "list_datasets"): "Count",
    ("dynamodb", "query"): "Count",
    ("dynamodb", "scan"): "Count",
    ("s3", "list_object_annotations"): "AnnotationCount",
    ("s3", "list_objects_v2"): "KeyCount",
}


def total_in(service: str, operation: str, response: Mapping[str, Any]) -> tuple[Total, int] | None:
    """Return what an answer says of the whole listing, or None."""
    total = TOTALS.get((service, operation))
    number = _at(response, total.member) if total is not None else None
    return (total, number) if total is not None and isinstance(number, int) and number >= 0 else None


def miscounted(service: str, operation: str, response: Mapping[str, Any], results: Sequence[str]) -> int:
    """Return how many more items an answer says that its page has than are there: 0 if it says nothing, or the truth.

    `results` are the result keys. DynamoDB counts without listing where the request says `Select: COUNT`.
    """
    member = PAGE_COUNTS.get((service, operation))
    number = response.get(member) if member is not None else None
    lists = [found for name in results if isinstance(found := response.get(name), list)]
    if not isinstance(number, int) or (service == "dynamodb" and not lists):
        return 0
    return number - sum(map(len, lists))


def _at(response: Mapping[str, Any], member: str) -> Any:
    found: Any = response
    for name in member.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


# Members that look like a count of the listing or of the page, and are none, or do not say of what.
NO_COUNTS: Mapping[tuple[str, str], str] = {
    ("athena", "get_query_results"): "UpdateCount: rows that the query wrote",
    ("billing", "list_business_support_account_charges"): "accountCount: of the month, whatever is asked for",
    ("codecommit", "describe_merge_conflicts"): "numberOfConflicts: hunks and metadata",
    ("cognito-sync", "list_identity_pool_usage"): "Count: of identities, by its documentation",
    ("config", "get_aggregate_discovered_resource_counts"): "TotalDiscoveredResources: resources; the items are groups",
    ("config", "get_discovered_resource_counts"): "totalDiscoveredResources: resources; the items are types",
    ("customer-profiles", "get_matches"): "PotentialMatches: of which not all become matches",
    ("discovery", "list_server_neighbors"): "knownDependencyCount: servers that are one hop away, also unlisted ones",
    ("ec2", "get_capacity_reservation_usage"): "instances; the items are accounts",
    ("ecr", "describe_replication_backfill_results"): "the progress of the work",
    ("ecr", "get_lifecycle_policy_preview"): "expiringImageTotalCount: only those that expire",
    ("iam", "get_organizations_access_report"): "services that can be accessed, and those that are not",
    ("inspector2", "list_coverage_statistics"): "totalCounts: of all groups; the items are groups",
    ("marketplace-discovery", "search_facets"): "totalResults: listings; the items are facets",
    ("mediaconvert", "list_queues"): "TotalConcurrentJobs: a quota",
    ("sagemaker", "search"): "TotalHits: its Relation can be “at least”",
    ("sagemaker-geospatial", "search_raster_data_collection"): "ApproximateResultCount: “in the response”",
    ("security-ir", "list_case_edits"): "total: of the listing or of the response",
    ("security-ir", "list_cases"): "total: “the total number of responses”",
    ("security-ir", "list_comments"): "total: “the number of responses”",
    ("workdocs", "describe_users"): "TotalNumberOfUsers: “included in the results”",
    ("xray", "get_trace_summaries"): "TracesProcessedCount: also those that do not match",
}  # fmt: skip
