"""The inference of paginators and identities, checked against the paginators and models that botocore ships."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
    assert inferred >= 3379
    assert agreed / inferred >= 0.999


def test_it_pages_hundreds_of_operations_that_botocore_does_not() -> None:
    found = [
        (service, operation)
        for service in api.service_names()
        for operation in api.operation_names(service)
        if (paginator := paginator_of(service, operation, {})).source == "inferred" and paginator.missing is None
    ]
    assert len(found) >= 861
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
    ("service", "operation", "missing"),
    [
        # A map beside a list.
        ("clouddirectory", "list_object_parents", "Parents (a map) or ParentLinks (a list)"),
        ("iottwinmaker", "get_property_value", "propertyValues (a map) or tabularPropertyValues (a list)"),
        ("cloudsearchdomain", "search", "hits.hit (a list) or facets (a map) or stats (a map)"),
        # Several lists.
        ("ce", "get_cost_categories", "CostCategoryNames (a list) or CostCategoryValues (a list)"),
        # Lists below, and one at the top.
        (
            "servicecatalog",
            "describe_record",
            "RecordDetail.RecordErrors (a list) or RecordDetail.RecordTags (a list) or RecordOutputs (a list)",
        ),
        # A list beside the structure that has the token and another list.
        (
            "servicecatalog-appregistry",
            "get_associated_resource",
            "options (a list) or applicationTagResult.resources (a list)",
        ),
        # Only a map: an entry might be an item, or the map might be about one.
        ("clouddirectory", "list_object_children", "Children (a map)"),
    ],
)
def test_where_anything_else_could_hold_items_the_crawl_must_say_what_does(
    service: str, operation: str, missing: str
) -> None:
    found = paginator_of(service, operation, {})
    assert found.missing == f"its items could be in {missing}, and only a single list can be inferred"
    assert paginator_of(service, operation, {"result_key": "Stated"}).missing is None


def test_nothing_else_in_the_output_of_an_inferred_listing_could_hold_items() -> None:
    def lists_and_maps(shape: Any, above: tuple[str, ...] = ()) -> Iterator[Any]:
        if shape.type_name in ("list", "map") or getattr(shape, "is_document_type", False):
            yield shape
        elif shape.type_name == "structure" and shape.name not in above:
            for member in shape.members.values():
                yield from lists_and_maps(member, (*above, shape.name))

    checked = 0
    for service in api.service_names():
        for operation in api.operation_names(service):
            paginator = paginator_of(service, operation, {})
            if paginator.source == "inferred" and paginator.missing is None:
                model = api.operation_model(service, operation)
                (only,) = lists_and_maps(model.output_shape)
                assert only is pagination.result_shape(model, paginator.definition["result_key"])
                checked += 1
    assert checked >= 861


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
