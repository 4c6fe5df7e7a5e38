"""The names in the expressions of `for_each`, held against the items of every operation that pages."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.expression_checks import item_shape
from pageturner.crawls.for_each_checks import wrong_for_each
from pageturner.crawls.secret_fields import DEFAULTS
from pageturner.paging import api
from pageturner.paging.paginators import NEVER_ENDING, paginator_of

OBJECTS = Crawl("objects", "s3", "list_objects_v2")


def wrong(source: Crawl, expression: str) -> list[str]:
    for_each = {"crawl": source.name, "parameters": {"Bucket": expression}}
    return list(wrong_for_each(replace(OBJECTS, for_each=for_each), source))


def test_every_member_of_every_item_is_found_and_no_other() -> None:
    operations: Counter[str] = Counter()
    for service in api.service_names():
        for operation in api.operation_names(service):
            if (service, operation) in NEVER_ENDING or paginator_of(service, operation, {}).missing is not None:
                continue
            shape = item_shape(service, operation, {}, None)
            kind = getattr(shape, "type_name", "unknown")
            operations[kind] += 1
            source = Crawl("source", service, operation, redact={"keep": list(DEFAULTS)})
            assert not wrong(source, "item")
            if kind == "structure" and not getattr(shape, "is_document_type", False):
                name, *_ = shape.members
                assert not wrong(source, f'item."{name}"')
                (line,) = wrong(source, f'item."{name}x"')
                assert f"there is no member {name}x" in line
    assert operations.total() >= 4310
    assert operations["structure"] >= 4094
    assert operations["unknown"] == 0


@pytest.mark.parametrize(
    ("source", "expression", "said"),
    [
        (Crawl("s", "dynamodb", "scan"), "item.id.B", None),
        (Crawl("s", "dynamodb", "scan"), "item.id.Binary", "there is no member Binary; valid names: B, BOOL, BS"),
        (Crawl("s", "ecs", "list_clusters"), "item.Name", "a string has no member Name"),
        # The entries of a map are items of Pageturner's own.
        (Crawl("s", "apigateway", "get_usage"), "[item.key, item.value]", None),
        (Crawl("s", "apigateway", "get_usage"), "item.name", "there is no member name; valid names: key, value"),
        (Crawl("s", "s3", "list_objects_v2", search="Contents[].Owner"), "item.ID", None),
        (Crawl("s", "s3", "list_objects_v2", search="Contents[].Owner"), "item.Key", "there is no member Key"),
        (Crawl("s", "s3", "list_objects_v2", search="Contents[].{a: Key}"), "item.a", None),
        (Crawl("s", "s3", "list_objects_v2", search="Contents[].{a: Key}"), "item.b", "no member b; valid names: a"),
        (Crawl("s", "s3", "list_objects_v2", search="Contents[].merge(@, @)"), "item.b", None),
        (Crawl("s", "ce", "get_cost_and_usage", result_key="ResultsByTime"), "item.Estimatd", 'mean "Estimated"?'),
        (Crawl("s", "s3", "list_buckets"), "[key, account, region]", None),
        (Crawl("s", "s3", "list_buckets"), "regoin", 'there is no member regoin; did you mean "region"?'),
        (Crawl("s", "s3", "list_buckets"), "item.Nam || item.Name", None),
        (OBJECTS, "parameters.Prefix", "there is no member Prefix; valid names: none"),
        (replace(OBJECTS, parameters={"Prefix": "a"}), "parameters.Prefix", None),
        (replace(OBJECTS, for_each={"matrix": {"Bucket": ["b"]}}), "parameters.Bucket", None),
        (replace(OBJECTS, for_each={"list": [{"Bucket": "b"}, {"Prefix": "p"}]}), "parameters.[Bucket, Prefix]", None),
        (replace(OBJECTS, for_each={"crawl": "b", "parameters": {"Bucket": "key"}}), "parameters.Bucket", None),
        (replace(OBJECTS, split=3), "parameters.StartAfter", None),
        (Crawl("s", "dynamodb", "scan", split=3), "parameters.Segment", None),
    ],
)
def test_what_an_expression_can_name(source: Crawl, expression: str, said: str | None) -> None:
    lines = wrong(source, expression)
    assert (lines == []) if said is None else (len(lines) == 1 and said in lines[0])
