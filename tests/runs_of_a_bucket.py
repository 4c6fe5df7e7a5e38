"""What tests of runs share: a crawl of the bucket `source`, its keys, and what a run wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pageturner import clients
from tests.conftest import Aws, Machines

CRAWL: dict[str, Any] = {
    "service": "s3",
    "operation": "list_objects_v2",
    "parameters": {"Bucket": "source"},
    "pagination_config": {"PageSize": 10},
    "key": "Key",
}
# The same listing. With a delimiter, keys and common prefixes are in no common order: a rejected token begins a pass.
UNORDERED: dict[str, Any] = {**CRAWL, "parameters": {"Bucket": "source", "Delimiter": "|"}}
KEYS = [f"key-{number:03}" for number in range(35)]
LATER = "2127-01-01T00:00:00.000Z"


def target_of(aws: Aws, planned: Mapping[str, Any]) -> dict[str, Any]:
    (target,) = aws.json(planned["targets"]["key"])
    return dict(target)


def keys_in_dynamodb(aws: Aws) -> list[str]:
    return sorted(row["sk"]["S"] for row in aws.rows(aws.items_table))


def keys_by_manifest(aws: Aws, summary: Mapping[str, Any]) -> list[str]:
    manifest = aws.json(f"runs/{summary['run_id']}/manifest.json")
    return [line["key"] for file in manifest["files"] for line in aws.lines(file["key"])]


def entry(aws: Aws, summary: Mapping[str, Any]) -> dict[str, Any]:
    (found,) = aws.json(f"runs/{summary['run_id']}/manifest.json")["targets"]
    return dict(found)


def expired_token(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Make S3 reject the next `times` requests that have a continuation token."""
    client = clients.client("s3", "us-east-1")
    whole = client.list_objects_v2
    left = [times]

    def list_objects_v2(**arguments: Any) -> Any:
        if "ContinuationToken" in arguments and left[0]:
            left[0] -= 1
            answer: Any = {"Error": {"Code": "InvalidArgument", "Message": "token"}}
            raise ClientError(answer, "ListObjectsV2")
        return whole(**arguments)

    monkeypatch.setattr(client, "list_objects_v2", list_objects_v2)


def denied(**_: Any) -> Any:
    answer: Any = {"Error": {"Code": "AccessDenied", "Message": "denied"}}
    raise ClientError(answer, "ListObjectsV2")


def run_again(aws: Aws, machines: Machines, **changes: Any) -> dict[str, Any]:
    machines.started_at = LATER
    machines.catalogue = {"c": {**CRAWL, **changes}}
    return machines.run(aws, {"crawl": "c"}, "execution-2")


def verdict_of(
    aws: Aws, planned: Mapping[str, Any], verdict: str, error: str, cause: str, target_id: str | None = None
) -> None:
    """Record the verdict of a target; without an id, of the only one."""
    record = {
        "pk": f"run#{planned['run']['run_id']}",
        "sk": f"verdict#{planned['run']['generation']}#{target_id or target_of(aws, planned)['target_id']}",
        "verdict": verdict,
        "error": error,
        "cause": json.dumps({"errorMessage": cause}),
    }
    aws.dynamodb.put_item(TableName=aws.runs_table, Item={name: {"S": value} for name, value in record.items()})
