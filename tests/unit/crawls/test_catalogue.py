from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pageturner.crawls.catalogue import parse_catalogue, parse_input
from pageturner.crawls.crawl import Crawl
from pageturner.errors import InvalidCrawlError

OBJECTS = {
    "service": "s3",
    "operation": "list_objects_v2",
    "parameters": {"Bucket": "my-bucket", "Prefix": "logs/"},
    "pagination_config": {"PageSize": 1000},
    "key": "Key",
    "schedule": "rate(1 day)",
}
# Removes what OBJECTS has and other operations do not accept.
PLAIN: dict[str, Any] = {"parameters": {}, "pagination_config": {}, "key": None}
CATALOGUE = parse_catalogue({"crawls": {"s3-objects": OBJECTS}})


def test_only_service_and_operation_are_needed() -> None:
    crawl = parse_catalogue({"crawls": {"roles": {"service": "iam", "operation": "list_roles"}}})["roles"]
    assert crawl == Crawl("roles", "iam", "list_roles")
    assert crawl.sinks == ("dynamodb",)


def test_a_crawl_survives_its_way_through_the_state() -> None:
    entry = {**OBJECTS, "regions": ["eu-west-1"], "sinks": [], "search": "Contents[]", "enabled": False}
    crawl = parse_catalogue({"crawls": {"c": entry}})["c"]
    assert Crawl.from_dict(json.loads(json.dumps(crawl.as_dict()))) == crawl


def test_input_is_laid_over_the_catalogue() -> None:
    asked = {"crawl": "s3-objects", "pagination_config": {"MaxItems": 5}, "parameters": {"Prefix": "new/"}}
    crawl = parse_input(asked, CATALOGUE)
    assert crawl.pagination_config == {"PageSize": 1000, "MaxItems": 5}
    assert crawl.parameters == {"Bucket": "my-bucket", "Prefix": "new/"}
    assert crawl.name == "s3-objects"
    assert CATALOGUE["s3-objects"].pagination_config == {"PageSize": 1000}


def test_null_in_a_pagination_config_means_not_set() -> None:
    asked = {"crawl": "s3-objects", "pagination_config": {"PageSize": None, "MaxItems": "5", "StartingToken": None}}
    assert parse_input(asked, CATALOGUE).pagination_config == {"MaxItems": "5"}


def test_a_required_page_size_need_not_be_among_the_parameters() -> None:
    entry = {"service": "cognito-idp", "operation": "list_user_pools"}
    assert parse_catalogue({"crawls": {"pools": entry}})["pools"].parameters == {}
    by_pool = {"crawl": "pools", "parameters": {"UserPoolId": "item.Id"}}
    jobs = {"service": "cognito-idp", "operation": "list_user_import_jobs", "for_each": by_pool}
    assert "jobs" in parse_catalogue({"crawls": {"pools": entry, "jobs": jobs}})


def test_input_needs_no_catalogue() -> None:
    crawl = parse_input(
        {"service": "ec2", "operation": "describe_instances", "regions": ["eu-west-1", "us-east-1"]}, {}
    )
    assert crawl.name == "adhoc-ec2-describe_instances"
    assert crawl.regions == ("eu-west-1", "us-east-1")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"servce": "s3"}, 'crawls.c.servce: unknown key; did you mean "service"?'),
        ({"service": None}, 'crawls.c.service: missing required key; must be a boto3 service name, like "s3"'),
        ({"service": 3}, 'crawls.c.service: invalid value 3; must be a boto3 service name, like "s3"'),
        ({"service": "s33"}, 'crawls.c.service: boto3 has no service "s33"; did you mean "s3"?'),
        ({"operation": "ListObjectsV2"}, 's3 has no operation "ListObjectsV2"; did you mean "list_objects_v2"?'),
        (
            {"operation": "get_object", "parameters": {"Bucket": "b", "Key": "k"}},
            "crawls.c.operation: s3 get_object cannot be crawled: its answer is a stream, and no listing",
        ),
        (
            {"service": "firehose", "operation": "list_delivery_streams", "parameters": {}},
            "crawls.c: botocore has no paginator for firehose list_delivery_streams, and none can be inferred: its "
            "parameter ExclusiveStartDeliveryStreamName looks like a token, and HasMoreDeliveryStreams in its output "
            "too; set input_token, output_token, result_key in the crawl",
        ),
        (
            {
                "service": "ec2",
                "operation": "describe_addresses",
                "parameters": {},
                "pagination_config": {"PageSize": 5},
            },
            "crawls.c.pagination_config: ec2 describe_addresses has no token, so it is a listing of one page; remove "
            "it",
        ),
        (
            {"service": "ce", "operation": "get_cost_categories"}
            | {"parameters": {"TimePeriod": {"Start": "2026-01-01", "End": "2026-02-01"}}},
            "its items could be in CostCategoryNames (a list) or CostCategoryValues (a list), "
            "and only a single list can be inferred; set result_key in the crawl",
        ),
        (
            {"service": "logs", "operation": "get_log_events", "parameters": {"logStreamName": "s"}},
            "crawls.c.operation: logs get_log_events never ends: at the end, it returns the same token again",
        ),
        ({"input_token": "Continuation"}, 'input_token: "Continuation" is not a parameter of the operation; did you'),
        (
            {"input_token": []},
            "crawls.c.input_token: invalid value []; must be a parameter name or a list of parameter names",
        ),
        ({"limit_key": ["a"]}, 'crawls.c.limit_key: invalid value ["a"]; must be a parameter name'),
        ({"result_key": "Contents["}, 'crawls.c.result_key: "Contents[" is not valid JMESPath'),
        (
            {"output_token": "NextToken"},
            'crawls.c.output_token: "NextToken" finds nothing: there is no member NextToken; '
            'did you mean "NextContinuation',
        ),
        ({"result_key": "Contents.Key"}, "Key; use [].Key for each of its elements"),
        (
            {"more_results": "Truncated"},
            'crawls.c.more_results: "Truncated" finds nothing: there is no member Truncated; did',
        ),
        ({"output_token": ["A", "B"], "input_token": "Prefix"}, "must have one entry for each input_token"),
        ({"pace": "account"}, 'crawls.c.pace: invalid value "account"; must be one of: run, deployment'),
        ({"max_pages_per_second": 0}, "max_pages_per_second: invalid value 0; must be a number from 0.05 to 1000"),
        ({"max_concurrency": 0}, "max_concurrency: invalid value 0; must be an integer from 1 to 10000"),
        ({"deadline_hours": "1"}, 'deadline_hours: invalid value "1"; must be a number from 0.001 to 8760'),
        ({"overlap": "yes"}, 'overlap: invalid value "yes"; must be one of: refuse, allow'),
        ({"stale_items": "drop"}, 'stale_items: invalid value "drop"; must be one of: remove, mark, keep'),
        (
            {"tolerate": ["broken"]},
            'tolerate: invalid value ["broken"]; must be a list of any of: complete, limited, absent, denied',
        ),
        (
            {"ignore_errors": "NoSuchBucket"},
            'ignore_errors: invalid value "NoSuchBucket"; must be a list of error codes',
        ),
        ({"allow_empty": 1}, "allow_empty: invalid value 1; must be true or false"),
        ({"max_pages": 0}, "crawls.c.max_pages: invalid value 0; must be a positive integer"),
        (
            {"pagination_config": {"StartingToken": "eyJ2IjogMX0="}},
            "StartingToken: the token belongs to another operation; a token of this one contains ContinuationToken",
        ),
        (
            {"pagination_config": {"StartingToken": "MTIz"}},
            "StartingToken: not a token of this operation, which has 1 input token",
        ),
        (
            {
                "pagination_config": {
                    "StartingToken": "eyJDb250aW51YXRpb25Ub2tlbiI6ICJ4IiwgImJvdG9fdHJ1bmNhdGVfYW1vdW50IjogIjUifQ=="
                }
            },
            "StartingToken: not a token of this operation, which has 1 input token",
        ),
        (
            {"pagination_config": {"StartingToken": "x"}, "regions": ["us-east-1", "us-east-2"]},
            "pagination_config.StartingToken: it continues one listing, but regions makes several; "
            "remove one of the two",
        ),
        (
            {"pagination_config": {"StartingToken": "x"}, "accounts": "organization"},
            "StartingToken: it continues one listing, but accounts makes several",
        ),
        (
            {"pagination_config": {"StartingToken": "x"}, "for_each": {"list": [{"Prefix": "a"}]}},
            "StartingToken: it continues one listing, but for_each makes several",
        ),
        (
            {"service": "apigateway", "operation": "get_usage", "pagination_config": {"MaxItems": 5}}
            | {"parameters": {"usagePlanId": "u", "startDate": "2026-01-01", "endDate": "2026-01-02"}},
            "MaxItems: it counts the elements of a list, but items is a map; remove it",
        ),
        (
            {"parameters": []},
            "crawls.c.parameters: invalid value []; must be an object with the operation's parameters",
        ),
        (
            {"parameters": {"bucket": "b"}},
            'parameters.bucket: s3 list_objects_v2 has no such parameter; did you mean "Bucket"?',
        ),
        ({"parameters": {}}, 'crawls.c.parameters: Missing required parameter in input: "Bucket"'),
        ({"parameters": {"Bucket": 3}}, "crawls.c.parameters: Invalid type for parameter Bucket, value: 3"),
        (
            {"pagination_config": 5},
            "crawls.c.pagination_config: invalid value 5; must be an object with any of MaxItems, PageSize",
        ),
        (
            {"pagination_config": {"maxItems": 5}},
            'pagination_config.maxItems: unknown key; did you mean "MaxItems"?',
        ),
        ({"pagination_config": {"MaxItems": "many"}}, 'MaxItems: invalid value "many"; must be an integer, and not'),
        ({"pagination_config": {"MaxItems": -1}}, "MaxItems: invalid value -1; must be an integer, and not negative"),
        ({"pagination_config": {"MaxItems": True}}, "MaxItems: invalid value true; must be an integer, and not"),
        ({"pagination_config": {"PageSize": 0}}, "PageSize: invalid value 0; must be a positive integer"),
        (
            {**PLAIN, "service": "iam", "operation": "list_roles", "pagination_config": {"PageSize": 1001}},
            "crawls.c.pagination_config.PageSize: invalid value 1001; must be 1 to 1000",
        ),
        (
            {**PLAIN, "service": "iam", "operation": "list_roles", "pagination_config": {"PageSize": "1001"}},
            'crawls.c.pagination_config.PageSize: invalid value "1001"; must be 1 to 1000',
        ),
        (
            {**PLAIN, "service": "ec2", "operation": "describe_security_groups", "pagination_config": {"PageSize": 4}},
            "crawls.c.pagination_config.PageSize: invalid value 4; must be 5 to 1000",
        ),
        (
            {**PLAIN, "service": "iam", "operation": "list_roles", "parameters": {"MaxItems": 1001}},
            "crawls.c.parameters: MaxItems: invalid value 1001; must be 1 to 1000",
        ),
        (
            {"parameters": {"Bucket": "b", "MaxKeys": 0}},
            "crawls.c.parameters: MaxKeys: invalid value 0; must be at least 1",
        ),
        (
            {**PLAIN, "service": "iam", "operation": "list_attached_role_policies"}
            | {"for_each": {"list": [{"RoleName": "a"}, {"RoleName": "b", "MaxItems": 1001}]}},
            "crawls.c.for_each, entry 2, "
            '{"RoleName": "b", "MaxItems": 1001}: MaxItems: invalid value 1001; must be 1 to 1000',
        ),
        (
            {**PLAIN, "service": "sqs", "operation": "list_queues", "pagination_config": {"StartingToken": "NQ=="}},
            "pagination_config.StartingToken: not a token of this operation, which has 1 input token",
        ),
        (
            {"service": "dynamodb", "operation": "scan", "parameters": {"TableName": "t"}}
            | {"pagination_config": {"StartingToken": "raw"}, "key": None},
            "pagination_config.StartingToken: Invalid type for parameter ExclusiveStartKey, value: raw",
        ),
        ({"pagination_config": {"StartingToken": ""}}, 'StartingToken: invalid value ""; must be a token'),
        ({"search": "Contents[?"}, 'crawls.c.search: "Contents[?" is not valid JMESPath at character 11'),
        (
            {"search": "Contenst[]"},
            'crawls.c.search: "Contenst[]" finds nothing: there is no member Contenst; did you mean',
        ),
        ({"search": "Contents[?Sise > `5`]"}, 'there is no member Sise; did you mean "Size"?'),
        ({"key": "Kye"}, 'crawls.c.key: "Kye" finds nothing: there is no member Kye; did you mean "Key"?'),
        (
            {"key": "Key", "search": "Contents[].Owner"},
            'crawls.c.key: "Key" finds nothing: there is no member Key; valid names',
        ),
        (
            {"key": "Contents[].Key"},
            'crawls.c.key: "Contents[].Key" finds nothing: there is no member Contents; valid names',
        ),
        ({"key": ["Key"]}, 'crawls.c.key: invalid value ["Key"]; must be a JMESPath expression'),
        ({"regions": "us-east-1"}, 'crawls.c.regions: invalid value "us-east-1"; must be a list of regions'),
        ({"regions": ["us-east"]}, 'crawls.c.regions: invalid value ["us-east"]; must be a list of regions'),
        (
            {"regions": ["eu-west-9"]},
            'crawls.c.regions: botocore knows no region "eu-west-9" (a newer one comes with ["all"], or with a newer '
            'boto3); did you mean "eu-west-3"?',
        ),
        (
            {"regions": ["us-east-1", "cn-north-1", "eu-west-1"]},
            "crawls.c.regions: the regions are in several partitions, us-east-1 in aws and cn-north-1 in aws-cn, but",
        ),
        ({"regions": ["us-east-1", "us-east-1"]}, 'crawls.c.regions: duplicate value in ["us-east-1", "us-east-1"]'),
        ({"sinks": ["postgres"]}, 'crawls.c.sinks: invalid value ["postgres"]; must be a list of any of: dynamodb'),
        ({"schedule": "daily"}, 'crawls.c.schedule: invalid value "daily"; must be like "rate(6 hours)"'),
        ({"schedule": "rate(0 days)"}, 'crawls.c.schedule: invalid value "rate(0 days)"; must be like'),
        ({"schedule": "cron(0 3 * * *)"}, 'crawls.c.schedule: invalid value "cron(0 3 * * *)"; must be like'),
        (
            {"schedule": "cron(hello world foo bar baz qux)"},
            'crawls.c.schedule: invalid minutes "hello"; must be 0 to 59, or use , - * /',
        ),
        ({"timezone": "Factory"}, 'crawls.c.timezone: "Factory" is not a time zone'),
        ({"timezone": "Europe/Berln"}, '"Europe/Berln" is not a time zone; did you mean "Europe/Berlin"?'),
        ({"enabled": "no"}, 'crawls.c.enabled: invalid value "no"; must be true or false'),
        (
            {"accounts": ["12345"]},
            'crawls.c.accounts: invalid value ["12345"]; must be a list of 12-digit account IDs, in',
        ),
        (
            {"accounts": [111111111111]},
            "crawls.c.accounts: invalid value [111111111111]; must be a list of 12-digit account",
        ),
        ({"accounts": "all"}, 'accounts: invalid value "all"; must be a list of 12-digit account IDs, in quotes'),
        ({"accounts": []}, "crawls.c.accounts: invalid value []; must be a list of 12-digit account IDs"),
        ({"accounts": ["!!sandbox"]}, 'accounts: invalid value ["!!sandbox"]; must be a list of 12-digit account IDs'),
        ({"accounts": ["!1234"]}, 'accounts: invalid value ["!1234"]; must be a list of 12-digit account IDs'),
        ({"accounts": ["prod-*", "!*"]}, 'accounts: invalid value ["prod-*", "!*"]; the exceptions leave no account'),
        ({"accounts": ["!organization"]}, 'accounts: invalid value ["!organization"]; the exceptions leave no account'),
        ({"accounts": ["111111111111", "!111111111111"]}, "the exceptions leave no account; remove some of them"),
        ({"account_tags": {"Team": "*"}}, 'account_tags: requires "accounts: organization", or names in accounts'),
        (
            {"accounts": ["111111111111", "!sandbox-*"], "account_tags": {"Team": "*"}},
            "accounts that are listed by id are read whatever their tags",
        ),
        (
            {"accounts": "organization", "account_tags": {"Billed": True}},
            'account_tags: invalid value {"Billed": true}; must be an object of tags, with values that are text',
        ),
        ({"accounts": "organization", "account_tags": {}}, "account_tags: invalid value {}; must be an object of tags"),
        ({"organizational_units": ["ou-abcd-11112222"]}, 'organizational_units: requires "accounts: organization"'),
        (
            {"accounts": "organization", "organizational_units": ["!prod"]},
            'organizational_units: invalid value ["!prod"]; must be a list of organizational unit IDs',
        ),
        (
            {"organizational_units": ["prod"]},
            'organizational_units: invalid value ["prod"]; must be a list of organizational unit IDs',
        ),
        ({"regions": ["!!eu-west-1"]}, 'regions: invalid value ["!!eu-west-1"]; must be a list of regions, like'),
        ({"regions": ["eu_*"]}, 'regions: invalid value ["eu_*"]; must be a list of regions, like'),
        (
            {"regions": ["us-east-1", "we-*"]},
            'regions: no region that botocore knows matches "we-*"; a pattern is like',
        ),
        ({"regions": ["all", "!eu-suoth-*"]}, 'regions: no region that botocore knows matches "eu-suoth-*"'),
        ({"regions": ["all", "!eu-wst-1"]}, 'botocore knows no region "eu-wst-1" (a newer'),
        ({"regions": ["eu-west-?", "!eu-*"]}, 'regions: invalid value ["eu-west-?", "!eu-*"]; the exceptions leave'),
        ({"regions": ["us-east-1", "!us-east-1"]}, "the exceptions leave no region; remove some of them"),
        ({"regions": ["!all"]}, "the exceptions leave no region; remove some of them"),
        (
            {"service": "dynamodb", "operation": "scan"}
            | {
                **PLAIN,
                "parameters": {
                    "TableName": "t",
                    "ScanFilter": {"id": {"AttributeValueList": [{"B": "k-1"}], "ComparisonOperator": "EQ"}},
                },
            },
            'parameters: Invalid value for parameter ScanFilter.id.AttributeValueList[0].B: "k-1" is not base64, as',
        ),
        ({"split": 1}, "crawls.c.split: invalid value 1; must be an integer from 2 to 1000"),
        (
            {"service": "iam", "operation": "list_roles", "split": 4} | PLAIN,
            "split: iam list_roles cannot be split; remove split (supported: cloudtrail lookup_events",
        ),
        (
            {"split": 4, "pagination_config": {"MaxItems": 5}},
            "split: MaxItems applies to a whole listing, not to a part",
        ),
        (
            {"split": 4, "parameters": {"Bucket": "b", "Delimiter": "/"}},
            "split: split cannot be combined with the parameter Delimiter; remove one of the two",
        ),
        (
            {"split": 4, "parameters": {"Bucket": "b", "EncodingType": "url"}},
            "split: split cannot be combined with the parameter EncodingType; remove one of the two",
        ),
        (
            {"split": 4, "parameters": {"Bucket": "b--use1-az4--x-s3"}},
            "a directory bucket does not list its keys in order",
        ),
        (
            {"split": 4, "parameters": {"Bucket": "b--use1-az4--xa-s3"}},
            "a directory bucket does not list its keys in order",
        ),
        (
            {"service": "logs", "operation": "filter_log_events", "split": 4}
            | {**PLAIN, "parameters": {"logGroupName": "g", "startTime": 1}},
            "split: time windows require the parameters startTime and endTime; add endTime",
        ),
        (
            {"service": "cloudtrail", "operation": "lookup_events", "split": 4}
            | {**PLAIN, "parameters": {"StartTime": "2026-02-01", "EndTime": "2026-01-01"}},
            "split: StartTime must be before EndTime",
        ),
        (
            {"for_each": []},
            "for_each: invalid value []; must be one of "
            '{"crawl": "a-name", "parameters": {"Parameter": "item.Member"}}',
        ),
        ({"for_each": {"parameters": {}}}, 'for_each: invalid value {"parameters": {}}; must be one of'),
        ({"for_each": {"list": []}}, 'for_each: invalid value {"list": []}; must be one of'),
        (
            {"for_each": {"list": [{"Prefix": "a"}, {"prefix": "b"}]}},
            'for_each, entry 2, {"prefix": "b"}: prefix: s3 list_objects_v2 has no such parameter; did',
        ),
        (
            {"parameters": None, "for_each": {"matrix": {"Prefix": ["a", "b"]}}},
            'for_each, entry 1, {"Prefix": "a"}: Missing required parameter in input: "Bucket"',
        ),
        (
            {"for_each": {"crawl": "buckets", "parameters": {"Bukket": "item.Name"}}},
            'for_each.parameters.Bukket: s3 list_objects_v2 has no such parameter; did you mean "Bucket"?',
        ),
        (
            {"for_each": {"crawl": "buckets", "parameters": {"Bucket": "item.Name"}}},
            "for_each.parameters.Bucket: also set in parameters; remove one of the two",
        ),
        (
            {"for_each": {"crawl": "buckets", "parameters": {"Prefix": "item["}}},
            'for_each.parameters.Prefix: "item[" is not valid JMESPath',
        ),
        (
            {"for_each": {"crawl": "buckets", "parameters": {"Prefix": "key"}, "region": "!"}},
            'for_each.region: "!" is not valid JMESPath',
        ),
        (
            {
                "for_each": {"crawl": "buckets", "parameters": {"Prefix": "key"}, "region": "region"},
                "regions": ["us-east-1"],
            },
            "for_each.region: also set in regions; remove one of the two",
        ),
        (
            {"for_each": {"crawl": "buckets", "account": "item.Owner"}, "accounts": ["111111111111"]},
            "for_each.account: also set in accounts; remove one of the two",
        ),
        (
            {"for_each": {"crawl": "buckets"}},
            "for_each: takes nothing of the items; add parameters, account or region",
        ),
        (
            {"for_each": {"crawl": "buckets", "parameters": {"Prefix": "key"}, "parent": {"key": "key"}}},
            'for_each.parent.key: "key" is the key of the item, which is always there; use another name',
        ),
        (
            {"for_each": {"crawl": "buckets", "parameters": {"Delimiter": "key"}, "parent": {"made": "item.Creation"}}},
            'for_each.parent.made: "item.Creation" finds nothing: there is no member Creation',
        ),
        (
            {"for_each": {"crawl": "buckets", "account": "itm"}},
            'for_each.account: "itm" finds nothing: there is no member itm',
        ),
        (
            {"parameters": None, "for_each": {"crawl": "buckets", "account": "item.Name"}},
            'for_each: Missing required parameter in input: "Bucket"',
        ),
        (
            {"parameters": None, "for_each": {"crawl": "buckets", "parameters": {"Prefix": "key"}}},
            "for_each.parameters: s3 list_objects_v2 requires Bucket; add it here or to parameters",
        ),
        (
            {"for_each": {"crawl": "buckets", "parameters": {"Delimiter": "item.Nam"}}},
            'for_each.parameters.Delimiter: "item.Nam" finds nothing: there is no member Nam; did you mean "Name"?',
        ),
        (
            {"for_each": {"crawl": "buckets", "parameters": {"Delimiter": "key"}, "region": "itm.BucketRegion"}},
            'crawls.c.for_each.region: "itm.BucketRegion" finds nothing: there is no member itm; did you mean "item"?',
        ),
        (
            {"for_each": {"crawl": "buckets", "parameters": {"Delimiter": "parameters.Prefix"}}},
            '"parameters.Prefix" finds nothing: there is no member Prefix; valid names: none',
        ),
        (
            {"for_each": {"crawl": "bukets", "parameters": {"Delimiter": "key"}}},
            'crawls.c.for_each.crawl: "bukets" is not in the catalogue; did you mean "buckets"?',
        ),
        (
            {"for_each": {"crawl": "c", "parameters": {"Delimiter": "key"}}},
            "crawls.c.for_each.crawl: circular reference: c → c",
        ),
    ],
)
def test_a_wrong_entry_is_told_what_is_wrong_and_what_would_be_right(changes: dict[str, Any], said: str) -> None:
    entry = {key: value for key, value in {**OBJECTS, **changes}.items() if value is not None}
    with pytest.raises(InvalidCrawlError, match=re.escape(said)):
        parse_catalogue({"crawls": {"c": entry, "buckets": {"service": "s3", "operation": "list_buckets"}}})


def test_a_chain_of_crawls_ends() -> None:
    def of(source: str) -> dict[str, Any]:
        return {**OBJECTS, "for_each": {"crawl": source, "parameters": {"Delimiter": "key"}}}

    with pytest.raises(InvalidCrawlError, match=r"crawls\.a\.for_each\.crawl: circular reference: a → b → c → a"):
        parse_catalogue({"crawls": {"a": of("b"), "b": of("c"), "c": of("a")}})
    with pytest.raises(InvalidCrawlError, match=r'a\.for_each\.crawl: "d" \(named in c\) is not in the catalogue'):
        parse_catalogue({"crawls": {"a": of("b"), "b": of("c"), "c": of("d")}})


def test_a_page_size_that_the_api_does_not_take() -> None:
    entry = {"service": "cloudwatch", "operation": "list_metrics", "pagination_config": {"PageSize": 5}}
    with pytest.raises(InvalidCrawlError, match="PageSize: cloudwatch list_metrics has no parameter for the page size"):
        parse_catalogue({"crawls": {"c": entry}})


@pytest.mark.parametrize(
    "document", [None, [], {}, {"crawls": []}, {"crawls": {}, "more": 1}, {"crawl": {"a": OBJECTS}}, "crawls"]
)
def test_what_is_no_catalogue(document: object) -> None:
    with pytest.raises(InvalidCrawlError, match='the catalogue must have exactly one top-level key, "crawls"'):
        parse_catalogue(document)


@pytest.mark.parametrize("name", ["", "a" * 49, "a/b", "-a", "a b", "ü", 3, "adhoc-mine", "Adhoc_mine"])
def test_a_name_must_fit_where_it_is_used(name: object) -> None:
    with pytest.raises(InvalidCrawlError, match=r"1 to 48 letters|are reserved for crawls from the console"):
        parse_catalogue({"crawls": {name: OBJECTS}})


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a-b", "a_b"], 'crawls.a_b: its table "a_b" would be that of crawls.a-b, too; rename the crawl'),
        (["X", "x"], 'crawls.x: its table "x" would be that of crawls.X, too; rename the crawl'),
        (["a", "a_history"], 'crawls.a_history: its table "a_history" would be that of crawls.a, too; rename'),
        (["A-History", "a"], 'crawls.a: its table "a_history" would be that of crawls.A-History, too; rename'),
        (["changes"], 'crawls.changes: its table "changes" would be that of all crawls, too; rename the crawl'),
        (["Runs"], 'crawls.Runs: its table "runs" would be that of all crawls, too; rename the crawl'),
        (["targets"], 'crawls.targets: its table "targets" would be that of all crawls, too; rename the crawl'),
    ],
)
def test_crawls_whose_tables_would_have_the_same_name(names: list[str], said: str) -> None:
    with pytest.raises(InvalidCrawlError, match=f"^{re.escape(said)}[^\n]*$"):
        parse_catalogue({"crawls": {"other": OBJECTS, **dict.fromkeys(names, OBJECTS)}})


def test_names_whose_tables_differ() -> None:
    parse_catalogue({"crawls": dict.fromkeys(["a", "a_b", "a-histories", "history", "changes-", "target"], OBJECTS)})


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("Szie", 'there is no member Szie; did you mean "Size"?'),
        ("Owner.", "is not valid JMESPath"),
        ("Owner.{id: ID}", '"Owner.{id: ID}" does not name a field of the item; it must end in a field\'s name'),
        ("[Key, Size]", "does not name a field of the item"),
        ("to_string(Owner).x", "does not name a field of the item"),
        ("Key || ETag", "does not name a field of the item"),
        ("ChecksumAlgorithm[0]", "does not name a field of the item"),
        ("@", "does not name a field of the item"),
        ("Size > `5`", "does not name a field of the item"),
    ],
)
def test_an_expression_that_names_no_field_to_ignore(expression: str, said: str) -> None:
    with pytest.raises(InvalidCrawlError, match=rf"^crawls\.c\.ignore_fields: .*{re.escape(said)}[^\n]*$"):
        parse_catalogue({"crawls": {"c": {**OBJECTS, "ignore_fields": ["Owner.DisplayName", expression]}}})


@pytest.mark.parametrize(
    "expression",
    [
        "State",
        "State.Name",
        "NetworkInterfaces[].Attachment.Status",
        "NetworkInterfaces[*].Groups[*].GroupName",
        "NetworkInterfaces[?Status=='in-use'].Attachment | [0].Status",
        "BlockDeviceMappings[0:2].Ebs.Status",
        "@.Tags[-1].Value",
        "Tags[?starts_with(Key, 'aws:') && Value != `null`].Value",
    ],
)
def test_an_expression_that_names_a_field_to_ignore(expression: str) -> None:
    entry = {"service": "ec2", "operation": "describe_instances", "search": "Reservations[].Instances[]"}
    parse_catalogue({"crawls": {"c": {**entry, "ignore_fields": [expression]}}})


def test_only_marked_items_expire() -> None:
    with pytest.raises(InvalidCrawlError, match=r'^crawls\.c\.time_to_live: only marked items expire; add "stale_i'):
        parse_catalogue({"crawls": {"c": {**OBJECTS, "time_to_live": 30}}})
    marks = parse_catalogue({"crawls": {"c": {**OBJECTS, "time_to_live": 30, "stale_items": "mark"}}})
    assert parse_input({"crawl": "c", "allow_empty": True}, marks).time_to_live == 30
    # Such a run keeps items, or removes them.
    assert parse_input({"crawl": "c", "search": "Contents[]"}, marks).time_to_live is None
    assert parse_input({"crawl": "c", "stale_items": "remove"}, marks).time_to_live is None
    with pytest.raises(InvalidCrawlError, match=r"^input\.time_to_live: only marked items expire"):
        parse_input({"crawl": "c", "stale_items": "remove", "time_to_live": 5}, marks)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    document = {"crawls": {"a": {**OBJECTS, "sinks": ["x"], "regions": 1}, "b": {"service": "s3"}, "c": 5}}
    with pytest.raises(InvalidCrawlError) as raised:
        parse_catalogue(document)
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == [
        "crawls.a.sinks",
        "crawls.a.regions",
        "crawls.b.operation",
        "crawls.c",
    ]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"crawl": "s3-objets"}, 'input.crawl: "s3-objets" is not in the catalogue; did you mean "s3-objects"?'),
        ({"crawl": "zzz"}, 'input.crawl: "zzz" is not in the catalogue; valid names: s3-objects'),
        ({"crawl": "s3-objects", "pagination": {}}, 'input.pagination: unknown key; did you mean "pag'),
        (
            {"crawl": "s3-objects", "schedule": "rate(1 day)", "enabled": False},
            "input.schedule: only the catalogue says when a crawl runs; remove it\ninput.enabled: only the catalogue",
        ),
        ({"crawl": "s3-objects", "parameters": {"Bucket": 1}}, "input.parameters: Invalid type for parameter Bucket"),
        (
            {},
            'the input {} names no crawl; use {"crawl": "a-name"} with a name from the catalogue '
            "(available: s3-objects)",
        ),
        ([], 'the input is []; it must be a JSON object like {"crawl": "a-name"}'),
        ({"crawl": ["s3-objects"]}, 'input.crawl: ["s3-objects"] is not in the catalogue'),
        ({"service": "s3"}, "input.operation: missing required key"),
    ],
)
def test_a_wrong_input_is_told_what_is_wrong_and_what_would_be_right(document: object, said: str) -> None:
    with pytest.raises(InvalidCrawlError, match=re.escape(said)):
        parse_input(document, CATALOGUE)
