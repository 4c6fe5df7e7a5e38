"""The Lambda function of a plain loop: it lists one page, puts its items, and returns the next token.

An event has `bucket`, `prefix`, `page_size`, `to` (a bucket), `under` (a prefix of that), `page` and `token`, and says
whether the function is `silent`.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from typing import Any

import boto3


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Turn one page."""
    return turn(event)


def turn(event: dict[str, Any]) -> dict[str, Any]:
    """List the page of a token, put its items, and return the event of the next page; `token` is None at the end."""
    more = {"ContinuationToken": event["token"]} if event["token"] else {}
    answer = _s3().list_objects_v2(Bucket=event["bucket"], Prefix=event["prefix"], MaxKeys=event["page_size"], **more)
    items = answer.get("Contents", [])
    lines = "".join(json.dumps(item, default=str) + "\n" for item in items)
    key = f"{event['under']}{event['page']:08}.jsonl.gz"
    _s3().put_object(Bucket=event["to"], Key=key, Body=gzip.compress(lines.encode()))
    # MiniStack waits 50 ms for the log of an invocation that has none.
    if not event["silent"]:
        print(json.dumps({"page": event["page"], "items": len(items)}))
    return {**event, "page": event["page"] + 1, "token": answer.get("NextContinuationToken")}


@cache
def _s3() -> Any:
    return boto3.client("s3")
