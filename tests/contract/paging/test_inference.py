"""The inference of paginators and identities, checked against the paginators and models that botocore ships."""

from __future__ import annotations

import pytest

from pageturner.paging import api, pagination
from pageturner.paging.paginators import NEVER_ENDING, infer_paginator, paginator_of

COMPARED = ("input_token", "output_token", "result_key")


def test_it_agrees_with_botocore_where_there_is_one_list() -> None:
    inferred = agreed = 0
    for service in api.service_names():
        for operation, name in api.operation_names(service).items():
            official = api.official_paginator(service, operation)
            if official is None:
                continue
            guess, missing = infer_paginator(api.service_model(service).operation_model(name))
            if missing is None:
                inferred += 1
                shipped = {**official, "result_key": pagination.result_keys(official)}
                agreed += all({**guess, "result_key": [guess["result_key"]]}[key] == shipped[key] for key in COMPARED)
    assert inferred >= 3380
    assert agreed / inferred >= 0.999


def test_it_pages_hundreds_of_operations_that_botocore_does_not() -> None:
    found = [
        (service, operation)
        for service in api.service_names()
        for operation in api.operation_names(service)
        if (paginator := paginator_of(service, operation, {})).source == "inferred" and paginator.missing is None
    ]
    assert len(found) >= 866
    assert not set(found) & NEVER_ENDING.keys()
    assert {
        ("wafv2", "list_web_acls"),
        ("events", "list_event_buses"),
        ("glue", "list_crawlers"),
        ("athena", "list_work_groups"),
        ("logs", "list_log_groups"),
        ("cloudfront", "list_functions"),
        ("apprunner", "list_services"),
        ("lightsail", "get_buckets"),
    } <= set(found)


@pytest.mark.parametrize(
    ("service", "operation", "stated", "source", "expected"),
    [
        ("wafv2", "list_web_acls", {}, "inferred", ("NextMarker", "NextMarker", "WebACLs")),
        ("cloudfront", "list_functions", {}, "inferred", ("Marker", "FunctionList.NextMarker", "FunctionList.Items")),
        ("iam", "list_roles", {}, "official", ("Marker", "Marker", "Roles")),
        (
            "ce",
            "get_cost_and_usage",
            {"result_key": "ResultsByTime"},
            "stated",
            ("NextPageToken", "NextPageToken", "ResultsByTime"),
        ),
        (
            "route53",
            "list_traffic_policies",
            {"input_token": "TrafficPolicyIdMarker", "output_token": "TrafficPolicyIdMarker"}
            | {"result_key": "TrafficPolicySummaries"},
            "stated",
            ("TrafficPolicyIdMarker", "TrafficPolicyIdMarker", "TrafficPolicySummaries"),
        ),
    ],
)
def test_what_is_stated_goes_first(
    service: str, operation: str, stated: dict[str, str], source: str, expected: tuple[str, ...]
) -> None:
    paginator = paginator_of(service, operation, stated)
    assert (paginator.source, paginator.missing) == (source, None)
    assert tuple(paginator.definition[name] for name in COMPARED) == expected
