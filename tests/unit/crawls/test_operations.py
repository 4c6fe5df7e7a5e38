"""`operations`: what is chosen, and what a wrong entry is told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pageturner.crawls.catalogue import parse_catalogue, parse_input
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.inventory import OWN, inventory, without_parameters
from pageturner.crawls.operations import plain_crawls
from pageturner.errors import InvalidCrawlError


def crawl(**entry: Any) -> Crawl:
    return parse_catalogue({"crawls": {"c": entry}})["c"]


def chosen(**entry: Any) -> list[str]:
    return [f"{each.service}:{each.operation}" for each in plain_crawls(crawl(**entry))]


def test_names_patterns_and_the_inventory() -> None:
    assert chosen(operations=["sns:list_topics", "ec2:describe_vpcs"]) == ["ec2:describe_vpcs", "sns:list_topics"]
    vpcs = chosen(operations=["ec2:describe_vpc*"])
    assert {"ec2:describe_vpcs", "ec2:describe_vpc_endpoints"} < set(vpcs)
    assert chosen(operations=["ec2:describe_vpc*"], **{"except": ["ec2:*endpoint*"]}) == [
        each for each in vpcs if "endpoint" not in each
    ]
    # A pattern takes whatever needs no parameters, the inventory what belongs to the account.
    assert "ec2:describe_instance_types" in chosen(operations=["ec2:describe_*"])
    whole = chosen(operations="inventory")
    assert whole == chosen(operations=["inventory"]) == [":".join(each) for each in sorted(inventory())]
    assert "ec2:describe_instance_types" not in whole
    assert set(chosen(operations=["inventory", "ec2:describe_instance_types"])) - set(whole) == {
        "ec2:describe_instance_types"
    }
    assert chosen(operations=["*:list_tables"]) == [
        f"{service}:{operation}" for service, operation in without_parameters() if operation == "list_tables"
    ]


def test_a_pattern_lists_what_belongs_to_the_account_and_a_name_what_it_says() -> None:
    asked = {(each.service, each.operation): each for each in plain_crawls(crawl(operations=["ec2:describe_images*"]))}
    images = asked["ec2", "describe_images"]
    assert images.parameters == OWN["ec2", "describe_images"] == {"Owners": ["self"]}
    (named,) = plain_crawls(crawl(operations=["ec2:describe_images"]))
    assert named.parameters == {}


def test_a_crawl_of_one_operation_is_its_own() -> None:
    plain = crawl(service="s3", operation="list_buckets")
    assert list(plain_crawls(plain)) == [plain]
    assert plain.of("", "") is plain


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"operations": ["ec2:describe_vpsc"]}, 'ec2 has no operation "describe_vpsc"; did you mean "describe_vpcs"?'),
        ({"operations": ["dynamo:list_tables"]}, 'boto3 has no service "dynamo"; did you mean "dynamodb"?'),
        ({"operations": ["ec2:describe_vpsc*"]}, "matches no operation that can be crawled without parameters"),
        ({"operations": ["s3:list_objects_v2"]}, "it requires Bucket; make a crawl of its own for it"),
        ({"operations": ["ec2:delete_vpc"]}, "Pageturner only reads: ec2 delete_vpc needs ec2:DeleteVpc"),
        ({"operations": ["kinesis:get_records"]}, "it returns another shard iterator"),
        ({"operations": ["sqs:list_message_move_tasks"]}, "its parameter MaxResults limits what it lists"),
        ({"operations": ["firehose:list_delivery_streams"]}, "looks like a token"),
        ({"operations": "everything"}, 'must be a list of operations and patterns, like ["ec2:describe_*"'),
        ({"operations": ["ec2.describe_vpcs"]}, 'must be a list of operations and patterns, like ["ec2:describe_*"'),
        ({"operations": []}, "must be a list of operations and patterns"),
        (
            {"operations": ["ec2:describe_vpcs"], "except": ["s3:list_buckets"]},
            'crawls.c.except: "s3:list_buckets" takes away none of the operations',
        ),
        (
            {"operations": ["ec2:describe_vpcs"], "except": ["ec2:*"]},
            "crawls.c.except: takes away all of the operations",
        ),
        ({"operations": ["ec2:describe_vpcs"], "service": "ec2"}, "crawls.c.service: not with operations"),
        ({"operations": ["ec2:describe_vpcs"], "parameters": {"x": 1}}, "crawls.c.parameters: not with operations"),
        ({"operations": ["ec2:describe_vpcs"], "ignore_fields": ["x"]}, "crawls.c.ignore_fields: not with operations"),
        (
            {"service": "s3", "operation": "list_buckets", "except": ["ec2:*"]},
            "crawls.c.except: takes away from operations, which are not set; remove it",
        ),
    ],
)
def test_a_wrong_entry_is_told_what_is_wrong(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidCrawlError, match=re.escape(said)):
        crawl(**entry)


def test_no_other_crawl_takes_a_table_or_the_items() -> None:
    several = {"operations": ["s3:list_buckets"]}
    for name, table in (("All_resources", "all_resources"), ("all-s3-list_buckets", "all_s3_list_buckets")):
        said = f'crawls.all: its table "{table}" would be that of {name}, too; rename one of the two'
        with pytest.raises(InvalidCrawlError, match=re.escape(said)):
            parse_catalogue({"crawls": {"all": several, name: {"service": "s3", "operation": "list_buckets"}}})
    over = {
        "service": "s3",
        "operation": "list_objects_v2",
        "for_each": {"crawl": "all", "parameters": {"Bucket": "key"}},
    }
    with pytest.raises(
        InvalidCrawlError, match=r"crawls\.c\.for_each\.crawl: the items of all are of several operations"
    ):
        parse_catalogue({"crawls": {"all": several, "c": over}})


def test_an_input_takes_away_more_from_a_crawl_of_the_catalogue() -> None:
    catalogue = {"all": crawl(operations=["ec2:describe_vpc*"])}
    asked = parse_input({"crawl": "all", "except": ["ec2:*endpoint*"]}, catalogue)
    assert asked.except_ == ("ec2:*endpoint*",)
    assert asked.listing_hash != catalogue["all"].listing_hash
