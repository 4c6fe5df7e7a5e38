"""`shape_found` checks expressions against the model; JMESPath itself, on a value with every member, is the oracle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jmespath
import pytest

from pageturner.paging import api
from pageturner.paging.expression_shapes import FindsNothingError, shape_found

FOUND = [
    ("s3", "list_objects_v2", "Contents"),
    ("s3", "list_objects_v2", "Contents[].Key"),
    ("s3", "list_objects_v2", "Contents[*].Owner.ID"),
    ("s3", "list_objects_v2", "Contents[-1].Key"),
    ("s3", "list_objects_v2", "Contents[0:5].Key"),
    ("s3", "list_objects_v2", "Contents[?Size > `0`].[Key, Size]"),
    ("s3", "list_objects_v2", "Contents[?Size > `0` && starts_with(Key, 's')].{key: Key, size: Size} | [0].size"),
    ("s3", "list_objects_v2", "Contents[].{o: Owner, n: Size, r: [Key]}[].[o.ID, n, r[0].anything || r]"),
    ("s3", "list_objects_v2", "[Contents, CommonPrefixes][]"),
    ("s3", "list_objects_v2", "sort_by(Contents, &Key)[].Key"),
    ("s3", "list_objects_v2", "max_by(@.Contents, &Size).Key"),
    ("s3", "list_objects_v2", "NextContinuationToken || Contents[-1].Key"),
    ("s3", "list_objects_v2", "ResponseMetadata.RequestId"),
    ("s3", "list_objects_v2", "!IsTruncated"),
    ("s3", "list_objects_v2", "Contents[].[Name || Key, not_null(Id, Size)]"),
    ("ec2", "describe_instances", "Reservations[].Instances[].InstanceId"),
    ("ec2", "describe_instances", "Reservations[].Instances[].Tags[?Key == 'Name'].Value | []"),
    ("ec2", "describe_instances", "Reservations[].Instances[][].InstanceId"),
    ("iam", "list_roles", "Roles[].AssumeRolePolicyDocument.Statement"),
    ("dynamodb", "scan", "Items[].service.S"),
    ("dynamodb", "scan", "Items[].*.S"),
    ("dynamodb", "scan", "Items[].anything.M.below.L[].N"),
    ("dynamodb", "list_tables", "TableNames[?starts_with(@, 's')]"),
]
NOTHING = [
    ("s3", "list_objects_v2", "Contenst", 'there is no member Contenst; did you mean "Contents"?'),
    ("s3", "list_objects_v2", "Contents.Key", "a list has no member Key; use [].Key for each of its elements"),
    ("s3", "list_objects_v2", "Contents[].Kye", 'there is no member Kye; did you mean "Key"?'),
    ("s3", "list_objects_v2", "Contents[].Key.Name", "a string has no member Name"),
    ("s3", "list_objects_v2", "Contents[?Sise > `0`]", 'there is no member Sise; did you mean "Size"?'),
    ("s3", "list_objects_v2", "Contents[0].Owner[].ID", "a structure is not a list"),
    ("s3", "list_objects_v2", "Contents[0].Size[0]", "a long is not a list"),
    ("s3", "list_objects_v2", "Contents[*].Owner.Id | [0]", 'there is no member Id; did you mean "ID"?'),
    ("ec2", "describe_instances", "Reservations[].Instances.InstanceId", "a list has no member InstanceId"),
    ("ec2", "describe_instances", "Reservations[].Instance[].InstanceId", 'did you mean "Instances"?'),
    ("s3", "list_objects_v2", "Name1 || Name2", 'there is no member Name1; did you mean "Name"?'),
    ("s3", "list_objects_v2", "Contents[].{size: Size}[].Size", 'there is no member Size; did you mean "size"?'),
    ("s3", "list_objects_v2", "{all: Contents[].{o: Owner}}.all[].o.Id", 'no member Id; did you mean "ID"?'),
    ("s3", "list_objects_v2", "Contents[].not_null(Kye)", "there is no member Kye"),
    ("dynamodb", "list_tables", "TableNames[].Name", "a string has no member Name"),
    ("dynamodb", "scan", "Items[].service.X", "there is no member X"),
]


def everything(shape: Any, within: tuple[str, ...] = ()) -> Any:
    """Return a value with every member of the shape, as botocore's handlers return it; recursion is cut off."""
    if within.count(shape.name) > 3:
        return None
    inner = (*within, shape.name)
    if shape.name == "policyDocumentType":
        return {"Statement": ["s"]}
    if shape.type_name == "structure":
        return {name: everything(member, inner) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return [everything(shape.member, inner)]
    if shape.type_name == "map":
        return {name: everything(shape.value, inner) for name in ("anything", "below", "service")}
    scalars = {"string": "s", "boolean": True, "timestamp": datetime(2026, 1, 1, tzinfo=UTC), "blob": b"s"}
    return scalars.get(shape.type_name, 1)


def output_of(service: str, operation: str) -> tuple[Any, Any]:
    shape = api.operation_model(service, operation).output_shape
    return shape, {**everything(shape), "ResponseMetadata": {"RequestId": "r"}}


@pytest.mark.parametrize(("service", "operation", "expression"), FOUND)
def test_what_finds_something(service: str, operation: str, expression: str) -> None:
    shape, response = output_of(service, operation)
    shape_found(expression, shape)
    found = jmespath.search(expression, response)
    # A filter that matches no item is not a mistake.
    assert found not in (None, []) or "==" in expression


@pytest.mark.parametrize(("service", "operation", "expression", "said"), NOTHING)
def test_what_can_find_nothing(service: str, operation: str, expression: str, said: str) -> None:
    shape, response = output_of(service, operation)
    with pytest.raises(FindsNothingError) as raised:
        shape_found(expression, shape)
    assert said in str(raised.value)
    assert jmespath.search(expression, response) in (None, [])


def test_every_expression_of_botocore_s_paginators_finds_something() -> None:
    expressions = 0
    for service in api.service_names():
        for operation in api.operation_names(service):
            paginator = api.official_paginator(service, operation) or {}
            for name in ("output_token", "result_key", "more_results", "non_aggregate_keys"):
                stated = paginator.get(name, [])
                for expression in stated if isinstance(stated, list) else [stated]:
                    shape_found(expression, api.operation_model(service, operation).output_shape)
                    expressions += 1
    assert expressions > 7000
