"""When something else is better than a crawl: the sentences, and their numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pageturner.crawls.alternatives import Expected, alternatives
from pageturner.crawls.crawl import Crawl

OBJECTS = Crawl("objects", "s3", "list_objects_v2", parameters={"Bucket": "b"})
SCAN = Crawl("rows", "dynamodb", "scan", parameters={"TableName": "t"})
VPCS = Crawl("vpcs", "ec2", "describe_vpcs", regions=("all",), accounts="organization")
LARGE = Expected(1, 1, 50_000, 50_000_000, 10e9, 0.50, at_least=False)


def said(crawl: Crawl, expected: Expected) -> list[tuple[str, bool]]:
    return [(each.sentence, each.is_cheaper) for each in alternatives(crawl, expected)]


def test_a_large_bucket() -> None:
    assert said(OBJECTS, LARGE) == [
        (
            "S3 Inventory lists about 50,000,000 objects for $0.1250, daily or weekly, the first time within 48 hours. "
            "This run costs $0.7500, $0.2500 of it for S3's requests",
            True,
        ),
        (
            "S3 Metadata's inventory table has the objects for SQL, up to an hour behind; S3's price list says what it "
            "costs to fill it, and by the month from a billion objects on. This run costs $0.7500",
            False,
        ),
    ]
    ((versions, _), _) = said(replace(OBJECTS, operation="list_object_versions"), LARGE)
    assert versions.startswith("S3 Inventory lists about 50,000,000 objects and versions for $0.1250")
    # A dry run that met only the first pages knows no more than that.
    ((probed, _), _) = said(OBJECTS, replace(LARGE, pages=100, items=100_000, dollars=0.01, at_least=True))
    assert probed.startswith("S3 Inventory lists at least 100,000 objects for $0.0003, ")
    # The parts of a listing are one bucket.
    assert said(replace(OBJECTS, split=100), replace(LARGE, targets=100))


def test_a_large_table() -> None:
    """10 GB are 2,441,406 units of 4 KB, half of them if they may be a little old, at $0.125 a million."""
    sentence = (
        "DynamoDB's Export to S3 writes about 10.0 GB for $1.00, as the table was at one moment, and takes none of its "
        "read capacity; point-in-time recovery must be on. This run costs $0.6526, $0.1526 of it for read units on "
        "demand"
    )
    assert said(SCAN, LARGE) == [(sentence, False)]
    ((consistent, _),) = said(replace(SCAN, parameters={"TableName": "t", "ConsistentRead": True}), LARGE)
    assert consistent.endswith("This run costs $0.8052, $0.3052 of it for read units on demand")
    # With the items in DynamoDB, the run takes more than the export.
    ((_, is_cheaper),) = said(SCAN, replace(LARGE, dollars=25))
    assert is_cheaper


@pytest.mark.parametrize(
    ("service", "operation"),
    [("ec2", "describe_vpcs"), ("rds", "describe_db_instances"), ("resourcegroupstaggingapi", "get_resources")],
)
def test_resources_of_many_accounts_and_regions(service: str, operation: str) -> None:
    crawl = replace(VPCS, service=service, operation=operation)
    assert said(crawl, Expected(340, 340, 340, 900, 1e6, 0.0125, at_least=False)) == [
        (
            "To know which resources there are, AWS Resource Explorer costs nothing, and searches all regions and "
            "accounts in seconds, up to 36 hours after it is turned on; it has no details of them, no verdict and no "
            "history. This run of 340 accounts and regions costs $0.0125",
            True,
        )
    ]


@pytest.mark.parametrize(
    ("crawl", "expected"),
    [
        (OBJECTS, replace(LARGE, items=999_999)),
        (OBJECTS, replace(LARGE, items=49_999, at_least=True)),
        (OBJECTS, replace(LARGE, targets=100)),
        (replace(OBJECTS, search="Contents[?Size > `0`]"), LARGE),
        (replace(OBJECTS, pagination_config={"MaxItems": 5}), LARGE),
        (replace(OBJECTS, parameters={"Bucket": "b", "Delimiter": "/"}), LARGE),
        (replace(OBJECTS, operation="list_buckets"), LARGE),
        (SCAN, replace(LARGE, bytes=0.9e9)),
        (SCAN, replace(LARGE, bytes=0.04e9, at_least=True)),
        (replace(SCAN, parameters={"TableName": "t", "IndexName": "i"}), LARGE),
        (replace(SCAN, operation="query"), LARGE),
        (VPCS, replace(LARGE, places=19)),
        (replace(VPCS, service="cloudtrail", operation="lookup_events"), replace(LARGE, places=500)),
    ],
)
def test_nothing_is_said_of_a_small_run_or_of_what_nothing_else_does(crawl: Crawl, expected: Expected) -> None:
    assert said(crawl, expected) == []
