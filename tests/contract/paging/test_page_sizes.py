"""The page sizes sent by default, for every paged operation, against botocore's models and documentation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from botocore.model import OperationModel
from botocore.validate import ParamValidator

from pageturner.paging import api, page_size
from pageturner.paging.page_size import default_page_size, naming_parameters, wrong_page_size
from pageturner.paging.paginators import NEVER_ENDING, paginator_of

NUMBER = r"(\d{1,3}(?:,\d{3})+|\d+)"
# How the documentation of a parameter states its maximum, and how many items come without it.
MAXIMUM = (
    rf"(?:maximum|limit maximum|valid range|range of accepted values)(?: value)? (?:is|of|is from) {NUMBER}(?!\s*-)",
    rf"(?:between|from|range(?: is)?:?) \d+ ?(?:-|\u2013|to|and) ?{NUMBER}",
    rf"can(?:not|'t) (?:exceed|specify a number greater than) {NUMBER}",
    rf"you can specify up to {NUMBER}",
    rf"up to a limit of {NUMBER}",
)
BY_ITSELF = (rf"default(?: is| of) {NUMBER}(?!\d| rules)", rf"returns (?:up to|a maximum of) {NUMBER}")
# A larger page may be asked for: the service returns fewer items, or these are its default, or something else's.
NO_MAXIMUM = re.compile(
    r"[^.]*(?:returns (?:up to )?a maximum|only returns a maximum|defaults to pagination|file paths)[^.]*",
    re.IGNORECASE,
)
# These return everything, or no token, without a page size.
NEEDED = re.compile(
    r"returns all (?:results|available objects)|all items are returned|all available (?:results|application)|"
    r"must set \w+ to receive a value for NextToken",
)
FORBIDDEN = re.compile(
    r"(?:cannot|can't) (?:specify (?:this parameter and|MaxResults)|be used when you specify)|"
    r"you can't specify MaxResults|you can't use this option|don't specify a MaxItems|"
    r"can't specify both this parameter and any of the pagination parameters",
)


@dataclass(frozen=True)
class Paged:
    service: str
    operation: str
    source: str
    definition: Mapping[str, Any]
    model: OperationModel

    @property
    def name(self) -> tuple[str, str]:
        return self.service, self.operation

    @property
    def limit(self) -> Any:
        assert self.model.input_shape
        return self.model.input_shape.members[self.definition["limit_key"]]

    def size(self, parameters: Mapping[str, Any] | None = None) -> int | None:
        return default_page_size(self.service, self.operation, self.definition, parameters or {}, {})


def _plain(documentation: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", documentation).split())


@cache
def paged() -> list[Paged]:
    found = []
    for service in api.service_names():
        for operation in api.operation_names(service):
            paginator = paginator_of(service, operation, {})
            if paginator.missing is None and not paginator.is_one_page and (service, operation) not in NEVER_ENDING:
                model = api.operation_model(service, operation)
                found.append(Paged(service, operation, paginator.source, paginator.definition, model))
    return found


def with_limit_key() -> Iterator[Paged]:
    return (each for each in paged() if "limit_key" in each.definition)


def _numbers(patterns: tuple[str, ...], text: str) -> set[int]:
    found = (match[1] for pattern in patterns for match in re.finditer(pattern, text, re.IGNORECASE))
    return {int(number.replace(",", "")) for number in found}


def test_most_operations_send_a_page_size_that_their_models_accept() -> None:
    found = Counter(_source_of_the_size(each) for each in paged())
    assert found == {"model": 3250, "documentation": 32, "ec2": 27, "none": 761, "no limit_key": 240}


def _source_of_the_size(each: Paged) -> str:
    """Return where the default page size of an operation is from, after checking it."""
    size = each.size()
    if "limit_key" not in each.definition:
        assert size is None
        return "no limit_key"
    if size is None:
        return "none"
    name, stated = each.definition["limit_key"], each.limit.metadata.get("max")
    assert each.model.input_shape
    report = ParamValidator().validate({name: size}, each.model.input_shape).generate_report()
    assert not [line for line in report.splitlines() if not line.startswith("Missing required")], each.name
    assert wrong_page_size(each.model, name, size) is None, each.name
    assert size <= page_size.LARGEST_PAGE
    if each.name in page_size._DOCUMENTED:
        return "documentation"
    return "ec2" if stated is None else "model"


def test_a_lower_maximum_in_the_documentation_goes_before_the_model() -> None:
    """The table has each operation whose documentation states less than would be sent, or more than it sends itself."""
    less, more = {}, set()
    for each in with_limit_key():
        if each.size() is None and each.name not in page_size._DOCUMENTED:
            continue
        stated = each.limit.metadata.get("max", page_size.LARGEST_PAGE)
        sent = min(stated, page_size.LARGEST_PAGE)
        documentation = _plain(each.limit.documentation)
        documented = _numbers(MAXIMUM, NO_MAXIMUM.sub("", documentation)) - {0, 1}
        if documented and min(documented) < sent:
            less[each.name] = min(documented)
        if any(number > sent for number in _numbers(BY_ITSELF, documentation)):
            more.add(each.name)
    assert len(less) == 30
    assert len(more) == 6
    needed = {("sqs", "list_queues"): 1000, ("sqs", "list_dead_letter_source_queues"): 1000}
    assert dict(page_size._DOCUMENTED) == less | dict.fromkeys(more) | needed


def test_what_pages_only_for_who_sends_a_page_size_gets_one() -> None:
    found = {each.name: each.size() for each in with_limit_key() if NEEDED.search(_plain(each.limit.documentation))}
    assert all(found.values()), found
    assert len(found) >= 22
    assert {("sqs", "list_queues"), ("apprunner", "list_services"), ("ec2", "describe_security_groups")} <= set(found)
    assert {each.size() for each in paged() if each.service == "ec2" and _is_described(each)} <= set(range(10, 1001))


def _is_described(each: Paged) -> bool:
    return each.operation.startswith("describe_") and "limit_key" in each.definition


def test_no_page_size_is_sent_where_the_documentation_forbids_it() -> None:
    """The documentation of the parameter, or of another one that cannot be combined with it, says so."""
    forbidden = set()
    for each in with_limit_key():
        assert each.model.input_shape
        about = {name: _plain(shape.documentation) for name, shape in each.model.input_shape.members.items()}
        limit_key = each.definition["limit_key"]
        texts = [text for name, text in about.items() if name == limit_key or limit_key in text]
        if any(FORBIDDEN.search(text) for text in texts):
            forbidden.add(each.name)
            naming = naming_parameters(*each.name)
            # It has no parameter imageIds, although its documentation mentions one.
            assert naming or each.name == ("ecr-public", "describe_image_tags"), each.name
            assert all(each.size({name: ["a"]}) is None for name in naming)
            assert all(each.size({name: []}) == each.size() for name in naming)
    assert len(forbidden) == 18
    assert ("ec2", "describe_instances") in forbidden


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "size"),
    [
        ("ec2", "describe_instances", {}, 1000),
        ("ec2", "describe_instances", {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]}, 1000),
        ("ec2", "describe_instances", {"InstanceIds": ["i-1"]}, None),
        ("ec2", "describe_instances", {"MaxResults": 5}, None),
        ("ec2", "describe_instance_types", {"InstanceTypes": ["t4g.nano"]}, None),
        ("ec2", "describe_snapshots", {"OwnerIds": ["self"]}, 1000),
        ("ec2", "describe_images", {"Owners": ["amazon"]}, 1000),
        ("ec2", "describe_spot_price_history", {"InstanceTypes": ["t4g.nano"]}, 1000),
        ("ec2", "describe_ipam_pool_allocations", {}, 1000),
        ("elbv2", "describe_load_balancers", {"Names": ["a"]}, None),
        ("route53domains", "list_prices", {"Tld": "com"}, None),
        ("s3", "list_buckets", {}, 1000),
        ("sqs", "list_queues", {}, 1000),
        ("lambda", "list_functions", {}, 1000),
        # No maximum, or none that means one.
        ("s3", "list_objects_v2", {}, None),
        ("fsx", "describe_backups", {}, None),
        ("budgets", "describe_budgets", {}, 1000),
        # A page could be too large: 1,000 events of 256 KiB, 1,000 partitions with values of 500 KiB.
        ("stepfunctions", "get_execution_history", {}, None),
        ("glue", "get_partitions", {}, None),
        # Strings have no maximum.
        ("route53", "list_hosted_zones", {}, None),
    ],
)
def test_the_size_of(service: str, operation: str, parameters: dict[str, Any], size: int | None) -> None:
    (each,) = (each for each in paged() if each.name == (service, operation))
    assert each.size(parameters) == size


def test_no_operation_pages_in_more_than_its_maximum_of_text() -> None:
    """These may return so much text in an item that the service chooses the size of a page."""
    large = {
        each.name
        for each in with_limit_key()
        if each.size() is None
        and page_size._DOCUMENTED.get(each.name, 0) is not None
        and each.limit.metadata.get("max", 2**31 - 1) < 2**31 - 1
    }
    assert len(large) == 26
    assert {("lambda", "get_durable_execution_history"), ("kinesis-video-archived-media", "get_images")} <= large
