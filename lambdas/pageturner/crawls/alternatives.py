"""When something else is better than a crawl: what a dry run says of it, with both prices.

Prices are those of us-east-1, November 2026.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pageturner.crawls.crawl import Crawl

# Amazon S3 pricing: LIST requests, and S3 Inventory, in dollars.
_LIST, _INVENTORY_OF_OBJECT = 0.005 / 1e3, 0.0025 / 1e6
# Amazon DynamoDB pricing: read units on demand, and Export to S3, in dollars; a unit is 4 KB, and two of them if they
# may be a little old ("Read/write operations", Developer Guide).
_READ_UNIT, _EXPORT_OF_GB, _UNIT_BYTES = 0.125 / 1e6, 0.10, 4096
_GB = 1e9
# Nobody sets up anything for less. A dry run that did not come to the end counts a part only.
_MANY_OBJECTS, _MANY_OBJECTS_PROBED = 1_000_000, 50_000
_LARGE_TABLE, _LARGE_TABLE_PROBED = 1 * _GB, 0.05 * _GB
_MANY_PLACES = 20

_OBJECTS = ("list_objects", "list_objects_v2", "list_object_versions")
# With other parameters, a scan is not of the whole table.
_OF_WHOLE_TABLE = {"TableName", "ConsistentRead", "ReturnConsumedCapacity"}
# Resource Explorer User Guide, "Resource types you can search for with Resource Explorer".
_RESOURCES: Mapping[str, tuple[str, ...]] = {
    "cloudformation": ("describe_stacks", "list_stacks"),
    "dynamodb": ("list_tables",),
    "ec2": (
        *("describe_instances", "describe_internet_gateways", "describe_network_interfaces", "describe_route_tables"),
        *("describe_security_groups", "describe_subnets", "describe_volumes", "describe_vpcs"),
    ),
    "ecr": ("describe_repositories",),
    "ecs": ("list_clusters",),
    "eks": ("list_clusters",),
    "elbv2": ("describe_load_balancers", "describe_target_groups"),
    "kms": ("list_keys",),
    "lambda": ("list_functions",),
    "logs": ("describe_log_groups",),
    "rds": ("describe_db_clusters", "describe_db_instances", "describe_db_snapshots"),
    "resourcegroupstaggingapi": ("get_resources",),
    "secretsmanager": ("list_secrets",),
    "sns": ("list_topics",),
    "sqs": ("list_queues",),
}


@dataclass(frozen=True)
class Expected:
    """What a dry run expects of a run: `places` counts accounts and regions, and `bytes` the items as JSON.

    `dollars` is the run's estimated cost, without what the service charges. `at_least`: there is more than that.
    """

    targets: int
    places: int
    pages: int
    items: int
    bytes: float
    dollars: float
    at_least: bool


@dataclass(frozen=True)
class Alternative:
    """Something else, in a sentence; `is_cheaper` than the run."""

    sentence: str
    is_cheaper: bool


def alternatives(crawl: Crawl, expected: Expected) -> Iterator[Alternative]:
    """Yield what is better than a run of `crawl`, if it is large enough for that, and lists all."""
    if crawl.search is not None or "MaxItems" in crawl.pagination_config:
        return
    if crawl.service == "s3" and crawl.operation in _OBJECTS:
        yield from _of_objects(crawl, expected)
    elif crawl.service == "dynamodb" and crawl.operation == "scan":
        yield from _of_table(crawl, expected)
    elif crawl.operation in _RESOURCES.get(crawl.service, ()) and expected.places >= _MANY_PLACES:
        yield Alternative(
            "To know which resources there are, AWS Resource Explorer costs nothing, and searches all regions and "
            "accounts in seconds, up to 36 hours after it is turned on; it has no details of them, no verdict and no "
            f"history. This run of {expected.places:,} accounts and regions costs {_dollars(expected.dollars)}",
            is_cheaper=True,
        )


def _of_objects(crawl: Crawl, expected: Expected) -> Iterator[Alternative]:
    listings = max(1, expected.targets // (crawl.split or 1))
    enough = _MANY_OBJECTS_PROBED if expected.at_least else _MANY_OBJECTS
    if expected.items / listings < enough or "Delimiter" in crawl.parameters:
        return
    requests, inventory = expected.pages * _LIST, expected.items * _INVENTORY_OF_OBJECT
    objects = "objects and versions" if crawl.operation == "list_object_versions" else "objects"
    run = expected.dollars + requests
    yield Alternative(
        f"S3 Inventory lists {_about(expected)} {expected.items:,} {objects} for {_dollars(inventory)}, daily or "
        f"weekly, the first time within 48 hours. This run costs {_dollars(run)}, {_dollars(requests)} of it for "
        f"S3's requests",
        is_cheaper=inventory < run,
    )
    yield Alternative(
        "S3 Metadata's inventory table has the objects for SQL, up to an hour behind; S3's price list says what it "
        f"costs to fill it, and by the month from a billion objects on. This run costs {_dollars(run)}",
        is_cheaper=False,
    )


def _of_table(crawl: Crawl, expected: Expected) -> Iterator[Alternative]:
    enough = _LARGE_TABLE_PROBED if expected.at_least else _LARGE_TABLE
    if expected.bytes < enough or set(crawl.parameters) - _OF_WHOLE_TABLE:
        return
    units = expected.bytes / _UNIT_BYTES * (1 if crawl.parameters.get("ConsistentRead") else 0.5)
    reads, export = units * _READ_UNIT, expected.bytes / _GB * _EXPORT_OF_GB
    run = expected.dollars + reads
    yield Alternative(
        f"DynamoDB's Export to S3 writes {_about(expected)} {expected.bytes / _GB:,.1f} GB for {_dollars(export)}, as "
        f"the table was at one moment, and takes none of its read capacity; point-in-time recovery must be on. This "
        f"run costs {_dollars(run)}, {_dollars(reads)} of it for read units on demand",
        is_cheaper=export < run,
    )


def _about(expected: Expected) -> str:
    return "at least" if expected.at_least else "about"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"
