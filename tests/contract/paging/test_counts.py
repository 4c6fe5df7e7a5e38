"""Who else counts a listing, and the counts in answers, held against all of botocore's models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import jmespath
import pytest
from botocore.validate import ParamValidator

from local.read_operations import READING_LEVELS, access_level
from pageturner.crawls.iam_actions import iam_action
from pageturner.crawls.read_only import refusal
from pageturner.paging import api, pagination
from pageturner.paging.counts import NO_COUNTS, PAGE_COUNTS, TOTALS, miscounted, total_in
from pageturner.paging.paginators import paginator_of
from pageturner.paging.witnesses import Asked, Count, Witness, witness_of, witnessed

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ALL = sorted(witnessed().items())
# A value for a parameter of a listing.
VALUES = {"Scope": "Local", "cluster": "c-12345678", "FileSystemId": "fs-12345678"}


def value_of(name: str, shape: Any) -> Any:
    if name in VALUES:
        return VALUES[name]
    if shape.type_name == "string":
        return "x" * max(8, shape.metadata.get("min", 1))
    return {"boolean": True, "list": ["x"], "map": {"#x": "x"}}[shape.type_name]


def parameters_of(service: str, operation: str, witness: Witness) -> dict[str, Any]:
    shape = api.operation_model(service, operation).input_shape
    assert shape is not None
    return {name: value_of(name, shape.members[name]) for name in (*witness.allowed, *witness.required)}


def answer_of(shape: Any, number: int, depth: int = 0) -> Any:
    """An answer in which every number, and every text, is `number`. Shapes that contain themselves end somewhere."""
    if depth > 5:
        return None
    match shape.type_name:
        case "structure":
            return {name: answer_of(member, number, depth + 1) for name, member in shape.members.items()}
        case "list":
            return [answer_of(shape.member, number, depth + 1)]
        case "map":
            # iam's keys are those of its model.
            return {key: answer_of(shape.value, number, depth + 1) for key in getattr(shape.key, "enum", []) or _SNS}
        case "boolean":
            return True
        case "timestamp":
            return NOW
        case "string":
            return str(number)
        case _:
            return number


_SNS = ["SubscriptionsConfirmed", "SubscriptionsPending"]
# The witnesses that add two numbers up.
SUMS = {("ecs", "list_tasks"), ("sns", "list_subscriptions_by_topic")}


def test_there_are_as_many_as_the_documents_say() -> None:
    assert len(witnessed()) == 35
    assert len({witness.service for _, witness in ALL}) == 18
    assert (len(TOTALS), len(PAGE_COUNTS), len(NO_COUNTS)) == (41, 7, 22)
    assert sum(total.about for total in TOTALS.values()) == 25
    assert len({*TOTALS, *PAGE_COUNTS}) == 46


@pytest.mark.parametrize(("listing", "witness"), ALL, ids=[" ".join(listing) for listing, _ in ALL])
def test_a_witness_is_asked_what_its_model_knows_and_answers_with_a_number(
    listing: tuple[str, str], witness: Witness
) -> None:
    assert refusal(*listing) is None
    asked = api.operation_model(witness.service, witness.operation)
    parameters = parameters_of(*listing, witness)
    question = dict(witness.question(Asked(parameters, "123456789012", "us-east-1", NOW)))
    shape = asked.input_shape
    assert shape is not None or not question
    if shape is not None:
        assert not ParamValidator().validate(question, shape).generate_report()
        assert set(question) <= set(shape.members)
    answer = answer_of(asked.output_shape, 7)
    at = NOW if witness.at else None
    assert witness.counted(answer) == Count(14 if listing in SUMS else 7, at)
    assert witness.counted({}) is None
    # The count of a lagging witness can be older than the listing.
    assert (witness.lag_hours > 0) or not witness.at
    assert witness.source


@pytest.mark.parametrize(("listing", "witness"), ALL, ids=[" ".join(listing) for listing, _ in ALL])
def test_asking_a_witness_only_reads(listing: tuple[str, str], witness: Witness) -> None:
    assert refusal(witness.service, witness.operation) is None
    assert access_level(iam_action(witness.service, witness.operation)) in READING_LEVELS


@pytest.mark.parametrize(("listing", "witness"), ALL, ids=[" ".join(listing) for listing, _ in ALL])
def test_a_witness_is_asked_only_about_a_listing_that_nothing_restricts(
    listing: tuple[str, str], witness: Witness
) -> None:
    service, operation = listing
    limit_key = paginator_of(service, operation, {}).definition.get("limit_key")
    parameters = parameters_of(service, operation, witness)
    assert witness_of(service, operation, parameters, limit_key) is witness
    shape = api.operation_model(service, operation).input_shape
    assert shape is not None
    for name in shape.members:
        more = witness_of(service, operation, {**parameters, name: "x"}, limit_key)
        assert (more is witness) == (name in (*witness.allowed, limit_key) or witness.required.get(name, "") is None)


def test_what_may_be_counted_and_not_listed_is_only_about_right() -> None:
    about = {listing for listing, witness in ALL if witness.about}
    assert about == {
        ("ecs", "list_container_instances"),
        ("ecs", "list_tasks"),
        ("servicediscovery", "list_instances"),
        ("sns", "list_subscriptions_by_topic"),
    }
    assert not any(witness.exact for listing, witness in ALL if listing in about or witness.lag_hours)


def test_groups_without_the_managed_ones_are_not_what_auto_scaling_counts() -> None:
    parameters = {"IncludeManagedResources": False}
    assert witness_of("autoscaling", "describe_auto_scaling_groups", parameters, "MaxRecords") is None


def test_local_policies_are_counted_and_all_policies_are_not() -> None:
    assert witness_of("iam", "list_policies", {"Scope": "Local"}, "MaxItems") is not None
    assert witness_of("iam", "list_policies", {"Scope": "All"}, "MaxItems") is None
    assert witness_of("iam", "list_policies", {}, "MaxItems") is None


COUNTS = re.compile(r"count|total|number|matches|hits|returnsize", re.I)


def members_that_count() -> Iterator[tuple[str, str, str]]:
    for service in api.service_names():
        for operation in api.operation_names(service):
            paginator = paginator_of(service, operation, {})
            # What one answer counts, it also has.
            if refusal(service, operation) or paginator.missing or paginator.is_one_page:
                continue
            output = api.operation_model(service, operation).output_shape
            for path, shape in numbers_in(output):
                if COUNTS.search(path) and shape.type_name in ("integer", "long"):
                    yield service, operation, path


def numbers_in(shape: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, member in shape.members.items() if shape is not None else ():
        yield f"{path}{name}", member
        if member.type_name == "structure" and not path:
            yield from numbers_in(member, f"{name}.")


# No counts, by their names, and numbers beside a count.
NEVER = {
    *("MilestoneNumber", "VersionNumber", "PartNumberMarker", "NextPartNumberMarker"),
    *("OnlineStoreTotalSizeBytes", "ScannedCount", "QueryStatistics.ResultsCount"),
}


def test_every_member_that_looks_like_a_count_is_one_or_is_known_to_be_none() -> None:
    unknown = []
    for service, operation, path in members_that_count():
        total = TOTALS.get((service, operation))
        if path in NEVER or path == PAGE_COUNTS.get((service, operation)) or (total and path == total.member):
            continue
        if (service, operation) not in NO_COUNTS and not (path == "TotalCount" and total):
            unknown.append(f"{service} {operation} {path}")
    assert not unknown


@pytest.mark.parametrize(("service", "operation"), sorted({*TOTALS, *PAGE_COUNTS}))
def test_the_counts_are_members_of_the_output(service: str, operation: str) -> None:
    answer = answer_of(api.operation_model(service, operation).output_shape, 7)
    results = pagination.result_keys(paginator_of(service, operation, {}).definition)
    if total := TOTALS.get((service, operation)):
        assert total_in(service, operation, answer) == (total, 7)
        assert jmespath.search(total.member, answer) == 7
        assert total_in(service, operation, {}) is None
    if member := PAGE_COUNTS.get((service, operation)):
        lists = [name for name in results if isinstance(answer[name], list)]
        page = {member: 7, **{name: [] for name in lists}}
        assert miscounted(service, operation, page, results) == 7
        page = {member: 7, **{name: [] for name in lists[1:]}, lists[0]: [None] * 7}
        assert miscounted(service, operation, page, results) == 0
        assert miscounted(service, operation, {}, results) == 0
        assert miscounted(service, operation, {member: 7}, results) == (0 if service == "dynamodb" else 7)


def test_nobody_is_asked_who_answers_anyway() -> None:
    assert not witnessed().keys() & TOTALS.keys()


def test_a_scan_that_only_counts_has_no_items_to_compare() -> None:
    assert miscounted("dynamodb", "scan", {"Count": 5, "ScannedCount": 5}, ["Items", "Count", "ScannedCount"]) == 0
    assert miscounted("dynamodb", "scan", {"Count": 5, "Items": [{}]}, ["Items", "Count", "ScannedCount"]) == 4
