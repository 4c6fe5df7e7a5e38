"""Operations without a token, over all models: what is taken for a listing of one page, and what must not be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pageturner.crawls.read_only import refusal
from pageturner.paging import answers, api, pagination
from pageturner.paging.expressions import find
from pageturner.paging.one_page import one_page
from pageturner.paging.paginators import NEVER_ENDING, infer_paginator, paginator_of

# Every name in an operation of one page that has a word of paging in it. They were read, with their documentation.
REVIEWED = Path(__file__).with_name("no_tokens.txt")
_WORDS = re.compile(
    r"token|marker|cursor|position|continu|next|truncat|hasmore|more|after|offset|^page|pagenum|pageindex|exclusive"
    r"|lastevaluated|startkey|start_?index|iterator|max_?(results|records|items|keys)|^limit|page_?size",
    re.IGNORECASE,
)


@cache
def of_one_page() -> list[tuple[str, str]]:
    return [
        (service, operation)
        for service in api.service_names()
        for operation in api.operation_names(service)
        if refusal(service, operation) is None and paginator_of(service, operation, {}).source == "one page"
    ]


def test_no_operation_that_botocore_pages_looks_like_one_page() -> None:
    paged = [
        (service, operation)
        for service in api.service_names()
        for operation in api.operation_names(service)
        if api.official_paginator(service, operation) is not None
    ]
    taken = {each for each in paged if one_page(api.operation_model(*each)).definition}
    # botocore pages them by the last item (iot-jobs, s3 list_parts …): none of these is left to the rules.
    assert len(paged) == 3_449
    assert taken == set()


def test_no_operation_whose_paginator_is_inferred_looks_like_one_page() -> None:
    inferred = [
        (service, operation)
        for service in api.service_names()
        for operation in api.operation_names(service)
        if api.official_paginator(service, operation) is None
        and infer_paginator(api.operation_model(service, operation))[0]
    ]
    assert len(inferred) >= 900
    assert {each for each in inferred if one_page(api.operation_model(*each)).definition} == set()


def test_every_name_that_could_be_of_paging_was_read() -> None:
    found = sorted({line for each in of_one_page() for line in _lines(*each)})
    assert found == REVIEWED.read_text(encoding="utf-8").splitlines(), "read what is new, and its documentation"


def _lines(service: str, operation: str) -> Iterator[str]:
    model = api.operation_model(service, operation)
    for of, shape in (("takes", model.input_shape), ("gives", model.output_shape)):
        for path, kind in _names(shape, "", 2):
            if _WORDS.search(path.rpartition(".")[2]):
                yield f"{service} {operation} {of} {path} ({kind})"


def _names(shape: Any, above: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, member in (shape.members if shape is not None else {}).items():
        if member.type_name in ("string", "integer", "long", "boolean"):
            yield f"{above}{name}", member.type_name
        elif member.type_name == "structure" and depth > 1:
            yield from _names(member, f"{above}{name}.", depth - 1)


def test_its_items_are_where_the_model_has_a_list_or_the_answer_as_a_whole() -> None:
    lists = 0
    for service, operation in of_one_page():
        model = api.operation_model(service, operation)
        (result_key,) = pagination.result_keys(paginator_of(service, operation, {}).definition)
        if result_key == "@":
            continue
        lists += 1
        assert pagination.result_shape(model, result_key).type_name == "list"
        response = _nested(result_key, ["a", "b"])
        assert find("result_key", result_key, response) == ["a", "b"]
        assert result_key not in {".".join(path) for path in answers.error_members(model)}
    assert lists >= 520


def _nested(path: str, value: Any) -> Mapping[str, Any]:
    name, _, rest = path.partition(".")
    return {name: _nested(rest, value) if rest else value}


@pytest.mark.parametrize(
    ("service", "operation", "result_key"),
    [
        ("ec2", "describe_addresses", "Addresses"),
        ("ec2", "describe_key_pairs", "KeyPairs"),
        ("ec2", "describe_regions", "Regions"),
        ("cloudtrail", "describe_trails", "trailList"),
        # Failures are errors about parts of the result.
        ("ecs", "describe_services", "services"),
        ("ecs", "describe_clusters", "clusters"),
        # The request says it too.
        ("backup-gateway", "list_tags_for_resource", "Tags"),
        # A structure around the list.
        ("cloudfront", "list_tags_for_resource", "Tags.Items"),
        # The list is one of its members.
        ("s3", "get_bucket_acl", "@"),
        ("secretsmanager", "get_secret_value", "@"),
        ("cloudformation", "describe_type", "@"),
        # There is none, or there are several.
        ("s3", "get_bucket_policy", "@"),
        ("s3", "get_bucket_location", "@"),
        ("lambda", "get_function", "@"),
        ("eks", "describe_cluster", "@"),
        ("ec2", "describe_instance_attribute", "@"),
        ("dynamodb", "batch_get_item", "@"),
    ],
)
def test_where_the_items_are(service: str, operation: str, result_key: str) -> None:
    paginator = paginator_of(service, operation, {})
    assert (paginator.source, paginator.definition) == ("one page", {"result_key": result_key})


@pytest.mark.parametrize(
    ("service", "operation", "reason"),
    [
        (
            "firehose",
            "list_delivery_streams",
            "its parameter ExclusiveStartDeliveryStreamName looks like a token, and ",
        ),
        ("dynamodb", "list_global_tables", "and LastEvaluatedGlobalTableName in its output too"),
        ("route53", "list_hosted_zones_by_name", "DNSName looks as if it took NextDNSName of its output"),
        (
            "deadline",
            "search_jobs",
            "its parameter itemOffset looks like a token, and nextItemOffset in its output too",
        ),
        ("pinpoint", "get_apps", "its parameter Token looks like a token, and ApplicationsResponse.NextToken"),
        ("apigateway", "get_tags", "its parameter position looks like a token, but nothing in its output matches it"),
    ],
)
def test_what_could_page_has_to_be_stated(service: str, operation: str, reason: str) -> None:
    paginator = paginator_of(service, operation, {})
    assert not paginator.is_one_page
    assert reason in str(paginator.missing)
    assert paginator.refused is None


@pytest.mark.parametrize(
    ("service", "operation", "reason"),
    [
        ("codeconnections", "list_repository_sync_definitions", "its output has NextToken, and it has no parameter"),
        ("directconnect", "describe_connections_on_interconnect", "its output has nextToken, and it has no parameter"),
        (
            "sqs",
            "list_message_move_tasks",
            "its parameter MaxResults limits what it lists, and it has none for the rest",
        ),
        ("servicediscovery", "discover_instances", "its parameter MaxResults limits what it lists"),
        ("s3", "get_object", "its answer is a stream, and no listing"),
        ("bedrock-agent-runtime", "optimize_prompt", "its answer is a stream, and no listing"),
    ],
)
def test_what_would_be_cut_is_refused_whatever_is_stated(service: str, operation: str, reason: str) -> None:
    for stated in ({}, {"result_key": "Whatever"}):
        assert reason in str(paginator_of(service, operation, stated).refused)


def test_a_crawl_can_state_where_the_items_are_or_that_it_pages() -> None:
    stated = paginator_of("s3", "get_bucket_acl", {"result_key": "Grants"})
    assert (stated.source, stated.missing, stated.is_one_page) == ("stated", None, True)
    both = {"input_token": "Filters", "output_token": "Nothing"}
    assert paginator_of("ec2", "describe_key_pairs", both).missing == "it looks like a listing of one page"
    assert paginator_of("ec2", "describe_key_pairs", {**both, "result_key": "KeyPairs"}).missing is None


def test_what_never_ends_is_no_listing_of_one_page() -> None:
    assert not any(paginator_of(*each, {}).is_one_page for each in NEVER_ENDING if each[1] != "get_records")
