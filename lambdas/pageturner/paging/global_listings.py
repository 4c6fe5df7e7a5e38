"""Listings of regional services that are the same from every region, so that one region is enough.

No model has this as data. Each line has its source: unless it says otherwise, botocore's documentation string of the
operation, or of the one that creates what is listed.
"""

from __future__ import annotations

from collections.abc import Mapping

_GLOBAL = {
    # "Because dashboards are global, you can call ListDashboards in any other enabled Region".
    ("cloudwatch", "list_dashboards"),
    ("cloudwatch", "get_dashboard"),
    # "A Direct Connect gateway is global and visible in any Amazon Web Services Region" (CreateDirectConnectGateway).
    ("directconnect", "describe_direct_connect_gateways"),
    # `Filters` can select those with a member in some regions, and an ARN has no region (Aurora User Guide,
    # "Constructing an ARN for Amazon RDS"). DocumentDB and Neptune have RDS's operation.
    ("docdb", "describe_global_clusters"),
    ("neptune", "describe_global_clusters"),
    ("rds", "describe_global_clusters"),
    # "all of the indexes in Amazon Web Services Regions that are currently collecting resource information".
    ("resource-explorer-2", "list_indexes"),
    # "a member's indexes in all Amazon Web Services Regions".
    ("resource-explorer-2", "list_indexes_for_members"),
    # "a list of all buckets owned by the authenticated sender of the request"; `BucketRegion` says where each is.
    ("s3", "list_buckets"),
    # "This action will always be routed to the US West (Oregon) Region".
    ("s3control", "get_multi_region_access_point"),
    ("s3control", "get_multi_region_access_point_policy"),
    ("s3control", "get_multi_region_access_point_policy_status"),
    ("s3control", "list_multi_region_access_points"),
    # "You can run this operation from any Amazon Web Services Region".
    ("securityhub", "list_finding_aggregators"),
    # "The groups from all Regions are returned".
    ("synthetics", "list_groups"),
}
# "Requests made to a Regional endpoint that is different from the bucket-region parameter are not supported"
# (ListBuckets): with this parameter, the region matters.
_REGIONAL_WITH = "BucketRegion"


def is_global(service: str, operation: str, parameters: Mapping[str, object]) -> bool:
    """Return whether an operation with these parameters lists the same from every region."""
    return (service, operation) in _GLOBAL and _REGIONAL_WITH not in parameters
