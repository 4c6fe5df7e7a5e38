"""No value of an item is in what is said of publications: those that come about, and those that fail."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.paginate import TokenDecoder

import publish_run
from pageturner import clients, errors
from pageturner.stores.page_body import token_in
from tests.canaries import BUCKETS, KEY, OBJECTS, Seen
from tests.conftest import Aws, Machines, shared_client
from tests.runs_of_a_bucket import entry

PARAMETERS = {"Bucket": "b", "Delimiter": "|"}
CRAWL = {"service": "s3", "operation": "list_objects_v2", "parameters": PARAMETERS, "key": "Key"}


def test_a_run_that_goes_well(seen: Seen, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS}
    machines.run(aws, {"crawl": "buckets"}, "execution-0")
    seen.told.append(machines.plan({"crawl": "objects", "dry_run": True}, "execution-1"))
    summary = machines.run(aws, {"crawl": "objects"}, "execution-2")
    assert (summary["outcome"], summary["items"]) == ("succeeded", 2)
    seen.ends(machines, summary, monkeypatch)
    seen.check()


def test_what_changes_and_goes_and_is_too_large_for_dynamodb(
    seen: Seen, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.catalogue = {"c": CRAWL}
    for day, objects in enumerate(
        (
            [{"Key": KEY, "ETag": KEY}, {"Key": f"{KEY} 2"}, {"Key": "a", "ETag": f"{KEY}{'x' * 500_000}"}],
            [{"Key": KEY, "ETag": f"{KEY} now"}, {"Key": "a", "ETag": f"{KEY}{'y' * 500_000}"}, {"Key": KEY, KEY: 1}],
        ),
        start=1,
    ):
        answer = {"Contents": objects}
        monkeypatch.setattr(clients.client("s3", "us-east-1"), "list_objects_v2", lambda answer=answer, **_: answer)
        machines.started_at = f"2126-02-{day:02}T00:00:00.000Z"
        seen.ends(machines, machines.run(aws, {"crawl": "c"}, f"execution-{day}"), monkeypatch)
    seen.check()


def garbled(aws: Aws, key: str) -> None:
    aws.s3.put_object(Bucket=aws.bucket, Key=key, Body=gzip.compress(f'{{"item": "{KEY}", "key": '.encode()))


def gone(aws: Aws, key: str) -> None:
    aws.s3.delete_object(Bucket=aws.bucket, Key=key)


@pytest.mark.parametrize("damage", [garbled, gone])
def test_a_page_that_cannot_be_published(
    damage: Any, seen: Seen, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS}
    machines.run(aws, {"crawl": "buckets"}, "execution-0")
    summary = machines.run(aws, {"crawl": "objects"}, "execution-1")
    damage(aws, aws.object_keys("items/crawl=objects/")[0])
    with pytest.raises(errors.PageturnerError) as raised:
        machines.publish(summary)
    seen.told.append(str(raised.value))
    machines.stop("execution-1", status="FAILED", error=type(raised.value).__name__, cause=str(raised.value))
    seen.asks_why(summary["run_id"], str(raised.value), monkeypatch)
    seen.check()


@pytest.mark.parametrize(("service", "operation"), [("dynamodb", "TransactWriteItems"), ("s3", "PutObject")])
def test_a_store_that_quotes_what_it_refuses(
    service: str,
    operation: str,
    seen: Seen,
    aws: Aws,
    machines: Machines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS}
    machines.run(aws, {"crawl": "buckets"}, "execution-0")
    summary = machines.run(aws, {"crawl": "objects"}, "execution-1")

    def refuse(params: Any, **_: Any) -> None:
        said = f"1 validation error detected: Value '{KEY}' at 'item' failed to satisfy constraint"
        raise ClientError({"Error": {"Code": "ValidationException", "Message": said}}, operation)

    events = clients.client(service).meta.events
    events.register(f"provide-client-params.{service}.{operation}", refuse)
    publish_run.publisher.cache_clear()
    with pytest.raises(errors.SinkError) as raised:
        machines.publish(summary)
    seen.told.append(str(raised.value))
    seen.check()


ERRORS: dict[str, Any] = {
    "a structure": {"ErrorCode": "NOT_ACTIVE", "Message": KEY, "Name": "canary", "ResourceId": "canary5e55"},
    "a text": "canary",
    "by name": {"canary": {"ErrorCode": "NOT_ACTIVE", "ErrorMessage": "canary"}},
    "a code by name": {"canary": "canary"},
}


@pytest.mark.parametrize("error", ERRORS)
def test_errors_beside_the_items(
    error: str, seen: Seen, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = {"Resources": [{"Identifier": {"ResourceArn": KEY}}], "QueryErrors": [ERRORS[error]]}
    monkeypatch.setattr(clients.client("resource-groups", "us-east-1"), "list_group_resources", lambda **_: page)
    group = {"service": "resource-groups", "operation": "list_group_resources", "parameters": {"Group": "g"}}
    machines.catalogue = {"c": {**group, "result_key": "Resources"}}
    planned = machines.plan({"crawl": "c"})
    (target,) = aws.json(planned["targets"]["key"])
    with pytest.raises(errors.PageErrorsError):
        machines.turn_all(planned, target)
    summary = machines.finish(planned)
    assert entry(aws, summary)["error"] == "PageErrorsError"
    assert ("NOT_ACTIVE" in summary["message"]) == (error == "a structure")
    seen.ends(machines, summary, monkeypatch)
    seen.check()


def test_a_token_that_holds_the_key_of_an_item(
    seen: Seen, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_client("dynamodb").create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    for name in (KEY, f"{KEY} 2"):
        shared_client("dynamodb").put_item(TableName="t", Item={"id": {"S": name}})
    parameters = {"TableName": "t"}
    machines.catalogue = {
        "c": {
            "service": "dynamodb",
            "operation": "scan",
            "parameters": parameters,
            "pagination_config": {"PageSize": 1},
        }
    }
    seen.ends(machines, machines.run(aws, {"crawl": "c"}), monkeypatch)
    bodies = [aws.s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read() for key in aws.object_keys("items/")]
    (token, *_) = filter(None, map(token_in, bodies))
    assert KEY in TokenDecoder().decode(token)["ExclusiveStartKey"]["id"]["S"]
    assert [where for where, text in seen.texts() if token in text] == []
    seen.check()
