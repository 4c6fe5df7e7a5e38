"""What is counted of a publication's requests."""

from __future__ import annotations

import io
from typing import Any

import boto3
from botocore.response import StreamingBody
from botocore.stub import Stubber

from pageturner.costs import PUBLISHING_START_SECONDS
from pageturner.publish.metering import REST, Meter

GB = 3008 / 1024


def client(service: Any) -> Any:
    secrets = {"aws_access_key_id": "a", "aws_secret_access_key": "s"}
    return boto3.client(service, region_name="us-east-1", **secrets)  # type: ignore[call-overload]


def test_dynamodb_is_asked_what_requests_consume() -> None:
    meter, dynamodb = Meter(), client("dynamodb")
    meter.watch(dynamodb)
    row = {"pk": {"S": "a"}}
    asked = {"ReturnConsumedCapacity": "TOTAL"}
    with Stubber(dynamodb) as stubber:
        stubber.add_response(
            "transact_write_items",
            {"ConsumedCapacity": [{"TableName": "t", "CapacityUnits": 8}, {"TableName": "u", "CapacityUnits": 2}]},
            {"TransactItems": [{"Put": {"TableName": "t", "Item": row}}], **asked},
        )
        stubber.add_response(
            "put_item", {"ConsumedCapacity": {"CapacityUnits": 3}}, {"TableName": "t", "Item": row} | asked
        )
        stubber.add_response(
            "get_item", {"ConsumedCapacity": {"CapacityUnits": 0.5}}, {"TableName": "t", "Key": row} | asked
        )
        stubber.add_client_error("put_item", "ConditionalCheckFailedException")
        stubber.add_response("describe_table", {"Table": {}}, {"TableName": "t"})
        dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": "t", "Item": row}}])
        dynamodb.put_item(TableName="t", Item=row)
        dynamodb.get_item(TableName="t", Key=row)
        try:
            dynamodb.put_item(TableName="t", Item=row)
        except dynamodb.exceptions.ConditionalCheckFailedException:
            dynamodb.describe_table(TableName="t")
    taken = meter.take()
    assert (taken.write_units, taken.read_units) == (13, 0.5)


def test_requests_to_s3_and_glue_are_counted_by_what_they_cost() -> None:
    meter, s3, glue = Meter(), client("s3"), client("glue")
    meter.watch(s3)
    meter.watch(glue)
    with Stubber(s3) as stubber, Stubber(glue) as of_glue:
        for operation in ("put_object", "head_object", "delete_object"):
            stubber.add_response(operation, {})
        stubber.add_response("get_object", {"Body": StreamingBody(io.BytesIO(b""), 0)})
        stubber.add_client_error("head_object", "404", http_status_code=404)
        of_glue.add_response("get_table", {})
        of = {"Bucket": "b", "Key": "k"}
        s3.put_object(**of)
        s3.head_object(**of)
        s3.delete_object(**of)
        s3.get_object(**of)
        try:
            s3.head_object(**of)
        except s3.exceptions.ClientError:
            glue.get_table(DatabaseName="d", Name="n")
    taken = meter.take()
    assert (taken.puts, taken.gets, taken.glue_requests) == (1, 3, 1)


def test_each_take_is_of_what_is_new_and_the_start_counts_once() -> None:
    meter = Meter()
    meter.begin(2)
    first, second, last = meter.take(), meter.take(), meter.take_last()
    assert (first.requests, first.transitions) == (1, 2)
    assert first.gb_seconds >= PUBLISHING_START_SECONDS * GB
    assert second.requests == second.transitions == 0
    assert 0 <= second.gb_seconds < PUBLISHING_START_SECONDS * GB
    assert last.transitions == REST.transitions
    meter.begin(2)
    assert meter.take().requests == 1
