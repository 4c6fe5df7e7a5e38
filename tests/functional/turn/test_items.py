"""Unusual items, and unusual ways to page."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from pageturner import clients
from pageturner.page_state import FROM_CHECKPOINT
from pageturner.stores.keys import sort_key
from tests.conftest import Aws, Machines


def answers(monkeypatch: pytest.MonkeyPatch, service: str, operation: str, pages: list[dict[str, Any]]) -> None:
    """Make the operation return these pages, one after the other."""
    remaining = iter(pages)
    monkeypatch.setattr(clients.client(service, "us-east-1"), operation, lambda **_: next(remaining))


def stored(aws: Aws, summary: dict[str, Any]) -> list[dict[str, Any]]:
    manifest = aws.json(f"runs/{summary['run_id']}/manifest.json")
    return [line for file in manifest["files"] for line in aws.lines(file["key"])]


def test_all_result_keys_are_items_and_say_which_they_are(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[dict[str, Any]] = [
        {"Contents": [{"Key": "a/"}], "CommonPrefixes": [{"Prefix": "a/"}]}
        | {"IsTruncated": True, "NextContinuationToken": "t"},
        {"CommonPrefixes": [{"Prefix": "b/"}]},
    ]
    answers(monkeypatch, "s3", "list_objects_v2", pages)
    asked = {"service": "s3", "operation": "list_objects_v2", "parameters": {"Bucket": "source"}}
    summary = machines.run(aws, asked)
    assert [(line["result_key"], line["key"]) for line in stored(aws, summary)] == [
        ("Contents", "a/"),
        ("CommonPrefixes", "a/"),
        ("CommonPrefixes", "b/"),
    ]


def test_numbers_are_summed_and_what_is_no_part_of_the_listing_is_in_the_manifest(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[dict[str, Any]] = [
        {"Items": [{"id": {"S": "a"}}], "Count": 1, "ScannedCount": 5, "LastEvaluatedKey": {"id": {"S": "a"}}}
        | {"ConsumedCapacity": {"CapacityUnits": 0.5}},
        {"Items": [], "Count": 0, "ScannedCount": 4, "ConsumedCapacity": {"CapacityUnits": 7}},
    ]
    answers(monkeypatch, "dynamodb", "scan", pages)
    summary = machines.run(aws, {"service": "dynamodb", "operation": "scan", "parameters": {"TableName": "source"}})
    (target,) = aws.json(f"runs/{summary['run_id']}/manifest.json")["targets"]
    assert target["sums"] == {"Count": 1, "ScannedCount": 9}
    # As in botocore, from the first page only.
    assert target["non_aggregate"] == {"ConsumedCapacity": {"CapacityUnits": 0.5}}
    assert summary["items"] == 1


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "page", "expected"),
    [
        (
            "apigateway",
            "get_usage",
            {"usagePlanId": "u", "startDate": "2026-01-01", "endDate": "2026-01-02"},
            {"items": {"k1": [[1, 2]], "k2": [[3, 4]]}},
            [("k1", {"key": "k1", "value": [[1, 2]]}), ("k2", {"key": "k2", "value": [[3, 4]]})],
        ),
        (
            "rds",
            "download_db_log_file_portion",
            {"DBInstanceIdentifier": "d", "LogFileName": "f"},
            {"LogFileData": "line 1\nline 2"},
            [("line 1\nline 2", "line 1\nline 2")],
        ),
        ("sqs", "list_queues", {}, {"QueueUrls": ["u1", "u2"]}, [("u1", "u1"), ("u2", "u2")]),
    ],
)
def test_a_primary_key_that_is_no_list_of_structures(
    service: str,
    operation: str,
    parameters: dict[str, Any],
    page: dict[str, Any],
    expected: list[Any],
    aws: Aws,
    machines: Machines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers(monkeypatch, service, operation, [page])
    summary = machines.run(aws, {"service": service, "operation": operation, "parameters": parameters})
    assert [(line["key"], json.loads(line["item"])) for line in stored(aws, summary)] == expected


def test_an_item_that_is_its_own_key_can_be_of_any_size(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "line\n" * 200_000
    answers(monkeypatch, "rds", "download_db_log_file_portion", [{"LogFileData": text}])
    asked = {"DBInstanceIdentifier": "d", "LogFileName": "f"}
    summary = machines.run(aws, {"service": "rds", "operation": "download_db_log_file_portion", "parameters": asked})
    assert summary["targets"] == {"complete": 1}
    (line,) = stored(aws, summary)
    assert line["key"] == json.loads(line["item"]) == text


@pytest.mark.parametrize("key", ["k" * 1025, "ü" * 513, "\ud800", ""])
def test_a_key_that_dynamodb_does_not_take_is_hashed(key: str) -> None:
    assert sort_key(key).startswith("sha256:")


@pytest.mark.parametrize("key", ["k" * 1024, "ü" * 512, "\x00\n", " "])
def test_a_key_that_dynamodb_takes_is_itself(key: str) -> None:
    assert sort_key(key) == key


def test_search_filters_and_projects_as_boto3_does(aws: Aws, machines: Machines) -> None:
    aws.s3.create_bucket(Bucket="source")
    for number in range(12):
        aws.s3.put_object(Bucket="source", Key=f"k{number:02}", Body=b"x" * (number % 3))
    expression = "Contents[?Size > `0`].{name: Key, size: Size}"
    asked = {"service": "s3", "operation": "list_objects_v2", "parameters": {"Bucket": "source"}}
    config: Any = {"PageSize": 5}
    summary = machines.run(aws, {**asked, "search": expression, "key": "name", "pagination_config": config})
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket="source", PaginationConfig=config)
    expected = list(pages.search(expression))
    assert len(expected) == 8
    assert [json.loads(line["item"]) for line in stored(aws, summary)] == expected
    assert {line["result_key"] for line in stored(aws, summary)} == {"search"}
    assert [line["key"] for line in stored(aws, summary)] == [item["name"] for item in expected]


def test_a_search_that_finds_nothing_on_a_page_has_no_item_there(aws: Aws, machines: Machines) -> None:
    aws.s3.create_bucket(Bucket="source")
    asked = {"service": "s3", "operation": "list_objects_v2", "parameters": {"Bucket": "source"}}
    assert machines.run(aws, {**asked, "search": "Contents[].Key"})["items"] == 0


def test_a_listing_that_never_ends_is_ended_with_a_verdict_of_its_own(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[dict[str, Any]] = [
        {"Roles": [{"Arn": f"a{n}"}], "IsTruncated": True, "Marker": f"t{n}"} for n in range(99)
    ]
    answers(monkeypatch, "iam", "list_roles", pages)
    summary = machines.run(aws, {"service": "iam", "operation": "list_roles", "max_pages": 5})
    assert (summary["outcome"], summary["targets"], summary["pages"]) == ("failed", {"endless": 1}, 5)
    assert "the listing has more than max_pages (5) pages" in summary["message"]


def test_a_listing_of_exactly_as_many_pages_as_allowed_is_complete(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[dict[str, Any]] = [{"Roles": [], "IsTruncated": True, "Marker": "t"}, {"Roles": []}]
    answers(monkeypatch, "iam", "list_roles", pages)
    summary = machines.run(aws, {"service": "iam", "operation": "list_roles", "max_pages": 2})
    assert summary["targets"] == {"complete": 1}


def test_an_operation_that_botocore_does_not_page(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[dict[str, Any]] = [{"WebACLs": [{"ARN": "a"}], "NextMarker": "t"}, {"WebACLs": [{"ARN": "b"}]}]
    answers(monkeypatch, "wafv2", "list_web_acls", pages)
    planned = machines.plan({"service": "wafv2", "operation": "list_web_acls", "parameters": {"Scope": "REGIONAL"}})
    assert planned["paging"] == {
        "paginator": "inferred",
        "input_token": "NextMarker",
        "output_token": "NextMarker",
        "result_key": "WebACLs",
        "limit_key": "Limit",
        "page_size": 100,
        "keys": {"WebACLs": "ARN"},
    }
    (target,) = aws.json(planned["targets"]["key"])
    assert machines.turn_all(planned, target)[-1]["items"] == 2


def test_paging_that_the_crawl_states(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    answered = iter(
        [
            {"TrafficPolicySummaries": [{"Id": "a"}], "IsTruncated": True, "TrafficPolicyIdMarker": "m"},
            {"TrafficPolicySummaries": [{"Id": "b"}], "IsTruncated": False, "TrafficPolicyIdMarker": "m"},
        ]
    )

    def list_traffic_policies(**arguments: Any) -> Any:
        sent.append(arguments)
        return next(answered)

    monkeypatch.setattr(clients.client("route53", "us-east-1"), "list_traffic_policies", list_traffic_policies)
    asked = {
        "service": "route53",
        "operation": "list_traffic_policies",
        "input_token": ["TrafficPolicyIdMarker"],
        "output_token": ["TrafficPolicyIdMarker"],
        "result_key": "TrafficPolicySummaries",
        "more_results": "IsTruncated",
        "limit_key": "MaxItems",
        "pagination_config": {"PageSize": 1},
    }
    planned = machines.plan(asked)
    assert planned["paging"]["paginator"] == "stated"
    (target,) = aws.json(planned["targets"]["key"])
    assert machines.fetch(planned, target, FROM_CHECKPOINT)["items"] == 1
    assert machines.turn_all(planned, target)[-1]["items"] == 2
    assert sent == [{"MaxItems": "1"}, {"MaxItems": "1", "TrafficPolicyIdMarker": "m"}]
