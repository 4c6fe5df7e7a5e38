"""Parameters as JSON and as botocore takes them, held against botocore's models and serializers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import OperationModel
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from pageturner.crawls.read_only import refusal
from pageturner.paging import api
from pageturner.paging.paginators import NEVER_ENDING, paginator_of
from pageturner.paging.parameters import for_botocore, wrong_parameters
from pageturner.turn.records import item_json

QUERY = api.operation_model("dynamodb", "query")
BYTES = bytes(range(256))
TEXT = base64.b64encode(BYTES).decode()


def with_one(kind: str, shape: Any, value: Any, above: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield each value of `shape` that has `value` in one of the places where the shape has a value of `kind`."""
    if shape is None or shape.name in above:
        return
    above = (*above, shape.name)
    if shape.type_name == kind:
        yield value
    elif shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from ({name: found} for found in with_one(kind, member, value, above))
    elif shape.type_name == "list":
        yield from ([found] for found in with_one(kind, shape.member, value, above))
    elif shape.type_name == "map":
        yield from ({"a-key": found} for found in with_one(kind, shape.value, value, above))


def operations_that_page() -> Iterator[OperationModel]:
    for service in api.service_names():
        for operation in api.operation_names(service):
            paginator = paginator_of(service, operation, {})
            if paginator.is_one_page and refusal(service, operation) is not None:
                continue
            if (service, operation) not in NEVER_ENDING and paginator.missing is None:
                yield api.operation_model(service, operation)


def wrong_types(model: OperationModel, asked: dict[str, Any]) -> list[str]:
    return [line for line in wrong_parameters(model, asked) if "Missing required parameter" not in line]


def test_every_blob_of_every_operation_that_pages_is_bytes_for_botocore() -> None:
    operations, places = set(), 0
    for model in operations_that_page():
        of_json, of_bytes = (with_one("blob", model.input_shape, value) for value in (TEXT, BYTES))
        for as_json, as_bytes in zip(of_json, of_bytes, strict=True):
            assert for_botocore(model, as_json) == as_bytes
            assert not wrong_types(model, as_json)
            operations.add((model.service_model.service_name, model.name))
            places += 1
    assert ("dynamodb", "Query") in operations
    assert (len(operations), places) >= (6, 21)


def test_every_time_can_be_the_text_that_an_item_has() -> None:
    text = json.loads(item_json(datetime(2026, 1, 2, 3, 4, 5, 6, UTC)))
    places = 0
    for model in operations_that_page():
        for asked in with_one("timestamp", model.input_shape, text):
            assert for_botocore(model, asked) == asked
            assert not wrong_types(model, asked)
            places += 1
    assert places >= 852


@given(value=st.binary())
def test_the_service_gets_the_bytes(value: bytes) -> None:
    text = base64.b64encode(value).decode()
    asked = {"TableName": "t", "KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"B": text}}}
    serializer = create_serializer("json")
    sent = serializer.serialize_to_request(for_botocore(QUERY, asked), QUERY)
    by_boto3 = serializer.serialize_to_request({**asked, "ExpressionAttributeValues": {":id": {"B": value}}}, QUERY)
    assert sent == by_boto3


@pytest.mark.parametrize(("text", "right"), [("xyz", "eHl6"), ("aGk", "YUdr"), ("aG k=", "YUcgaz0="), ("é", "w6k=")])
def test_a_blob_that_is_not_base64_is_refused_with_what_would_be_right(text: str, right: str) -> None:
    asked = {"TableName": "t", "KeyConditions": {"id": {"ComparisonOperator": "EQ"}}}
    asked["KeyConditions"]["id"]["AttributeValueList"] = [{"B": text}]  # type: ignore[index]
    assert list(wrong_parameters(QUERY, asked)) == [
        f'Invalid value for parameter KeyConditions.id.AttributeValueList[0].B: "{text}" is not base64, as bytes '
        f'must be; for the bytes of this text, write "{right}"'
    ]


def test_all_else_stays_as_it_is() -> None:
    events = api.operation_model("cloudtrail", "lookup_events")
    asked = {"StartTime": "2026-01-31T00:00:00Z", "MaxResults": 5, "LookupAttributes": [{"AttributeKey": "EventId"}]}
    assert for_botocore(events, asked) == asked
    assert for_botocore(api.operation_model("sts", "get_caller_identity"), {}) == {}
