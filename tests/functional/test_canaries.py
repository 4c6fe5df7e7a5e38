"""No value of an item, a parameter of an item, or a token is where people look who may not read the pages.

Secrets are planted, all kinds of failures quote them, and everything that was written is searched (tests/canaries.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError, ReadTimeoutError
from botocore.paginate import TokenEncoder
from botocore.parsers import ResponseParserError

from pageturner import clients, errors, telemetry
from pageturner.messages import without
from pageturner.own_resources import as_sink_error
from pageturner.publish.database import database
from tests.canaries import BUCKET, BUCKETS, CANARIES, KEY, OBJECTS, TOKEN, Seen
from tests.conftest import Aws, LambdaContext, Machines
from tests.runs_of_a_bucket import verdict_of


def of_service(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "ListObjectsV2")


URL = f"https://{BUCKET}.s3.amazonaws.com/?continuation-token={TOKEN}"
FAILURES: dict[str, Callable[[], Exception]] = {
    "denied": lambda: of_service("AccessDenied", f"not authorized to perform: s3:ListBucket on {BUCKET}/{KEY[:0]}*"),
    "throttled": lambda: of_service("SlowDown", f"Reduce your requests of '{BUCKET}'"),
    "invalid": lambda: of_service("MalformedPolicy", f"Value '{BUCKET}' of {BUCKET[:-1]}…"),
    "not found": lambda: of_service("NoSuchBucket", f"There is no {json.dumps(BUCKET)}"),
    "down": lambda: of_service("InternalError", f"Bucket={BUCKET}&token={TOKEN}"),
    "not connected": lambda: EndpointConnectionError(endpoint_url=URL, error=ValueError(URL)),
    "timed out": lambda: ReadTimeoutError(endpoint_url=URL),
    "refused by botocore": lambda: ParamValidationError(
        report=f"Invalid type for parameter Bucket, value: {BUCKET}, type: x"
    ),
    "garbled": lambda: ResponseParserError(f"Unable to parse response: <html>{KEY}"),
    "a number": lambda: ValueError(f"invalid literal for int() with base 10: '{KEY}'"),
    "a key": lambda: KeyError(KEY),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_target_says_nothing_of_its_item(
    failure: str, seen: Seen, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": OBJECTS}
    machines.run(aws, {"crawl": "buckets"}, "execution-0")
    planned = machines.plan({"crawl": "objects"})
    (target,) = [each for each in aws.json(planned["targets"]["key"]) if each["parameters"]["Bucket"] == BUCKET]

    def fails(**_: Any) -> Any:
        raise FAILURES[failure]()

    monkeypatch.setattr(clients.client("s3", "us-east-1"), "list_objects_v2", fails)
    # A page with a token that quotes what it can: the token is one of this operation.
    place = {"page": 2, "next": "page", "token": TokenEncoder().encode({"ContinuationToken": TOKEN})}
    if failure == "invalid":  # else it would be the token that is
        place = {}
    with pytest.raises(errors.PageturnerError) as raised:
        machines.fetch(planned, target, place, retries=2)
    verdict_of(aws, planned, "failed", type(raised.value).__name__, str(raised.value), target["target_id"])
    summary = machines.finish(planned)
    assert summary["outcome"] == "failed"
    seen.told.append(str(raised.value))
    seen.ends(machines, summary, monkeypatch)
    machines.stop("execution-1", status="FAILED", cause=summary["message"])
    seen.check()


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "abs(Key)"},
        {"search": "Contents[].abs(Key)"},
        {"search": "join(',', Contents)"},
        {"search": "sort_by(Contents, &@)"},
        {"search": "Contents[].contains(Key, `1`)"},
        {
            "detail": {
                "operation": "get_object_tagging",
                "as": "T",
                "parameters": {"Bucket": "abs(item.Key)", "Key": "item.Key"},
            }
        },
        {
            "detail": {
                "operation": "get_object_tagging",
                "as": "T",
                "parameters": {"Bucket": "item.Key", "Key": "item.Key"},
            }
        },
    ],
)
def test_an_expression_or_a_detail_that_fails_says_nothing_of_the_item(
    changes: dict[str, Any], seen: Seen, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.catalogue = {"buckets": BUCKETS, "objects": {**OBJECTS, **changes}}
    machines.run(aws, {"crawl": "buckets"}, "execution-0")
    planned = machines.plan({"crawl": "objects"})
    (target,) = [each for each in aws.json(planned["targets"]["key"]) if each["parameters"]["Bucket"] == BUCKET]
    with pytest.raises(errors.PageturnerError) as raised:
        machines.turn_all(planned, target)
    verdict_of(aws, planned, "failed", type(raised.value).__name__, str(raised.value), target["target_id"])
    summary = machines.finish(planned)
    seen.told.append(str(raised.value))
    seen.ends(machines, summary, monkeypatch)
    seen.check()


@pytest.mark.parametrize(
    "for_each",
    [
        {"parameters": {"Bucket": "abs(item.Name)"}},
        {"parameters": {"Bucket": "[item.Name][5]"}},
        {"parameters": {"Bucket": "[item.Name]"}},
        {"parameters": {"Bucket": "{name: item.Name}"}},
        {"parameters": {"Bucket": "item.Name"}, "region": "item.Name"},
        {"parameters": {"Bucket": "item.Name"}, "account": "item.Name"},
        {"parameters": {"Bucket": "item.Name"}, "parent": {"name": "abs(item.Name)"}},
    ],
)
def test_targets_that_cannot_be_made_say_nothing_of_the_item(
    for_each: dict[str, Any], seen: Seen, aws: Aws, machines: Machines
) -> None:
    objects = {**OBJECTS, "for_each": {"crawl": "buckets", **for_each}}
    machines.catalogue = {"buckets": BUCKETS, "objects": objects}
    machines.run(aws, {"crawl": "buckets"}, "execution-0")
    with pytest.raises(errors.InvalidCrawlError) as raised:
        machines.plan({"crawl": "objects"})
    seen.told.append(str(raised.value))
    seen.check()


def test_a_mistake_of_ours_says_where_it_is_and_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    @telemetry.handler
    def handler(event: Any, _: Any) -> None:
        raise KeyError(event["key"] + "?")

    with pytest.raises(errors.UnexpectedError, match=r"^KeyError at test_canaries.py:\d+, in handler$") as raised:
        handler({"key": KEY}, LambdaContext())
    assert raised.value.__cause__ is None
    assert "canary" not in "".join(capsys.readouterr())


def test_libraries_log_no_requests() -> None:
    """Lambda's runtime gives the level DEBUG to the root logger, whose children botocore's loggers are."""
    import logging

    assert not logging.getLogger("botocore.endpoint").isEnabledFor(logging.INFO)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT CAST('canary 5e55' AS INTEGER)",
        "SELECT CAST('can''ary' || 'canary' AS TIMESTAMP)",
        "SELECT CAST('{\"canary\": 5e55' AS JSON)",
        "SELECT CAST(1234567890123 AS SMALLINT)",
    ],
)
def test_duckdb_quotes_no_value(query: str) -> None:
    with database() as db, pytest.raises(errors.CannotPublishError) as raised:
        db.execute(f"INSTALL json; {query}" if "INSTALL" in query else query)
    assert not [each for each in (*CANARIES, "ary", "1234567") if each in str(raised.value)], raised.value


def test_a_sink_quotes_nothing_of_what_is_written() -> None:
    said = f"One or more parameter values were invalid: '{KEY}' is not 'canary'"
    with (
        pytest.raises(errors.SinkError, match=r"^no record: An error occurred") as raised,
        as_sink_error("no record"),
    ):
        raise ClientError({"Error": {"Code": "ValidationException", "Message": said}}, "PutItem")
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "values", "left"),
    [
        ("no bucket secret-1 here", {"Bucket": "secret-1"}, "no bucket {Bucket} here"),
        ("the offset 100 of 1000", {"offset": 100}, "the offset {offset} of 1000"),
        ("key a%2Fb+c%20d", {"Key": "a/b+c d"}, "key a%2Fb+c%20d"),
        ("key secret%2Fkey%20d", {"Key": "secret/key d"}, "key {Key}"),
        ('tags {"a-name": "a-value"}', {"Tags": [{"a-name": "a-value"}]}, 'tags {"{Tags}": "{Tags}"}'),
        ("begins with abcdefghijklmnop…", {"token": "abcdefghijklmnopqrstuvwxyz"}, "begins with {token}"),
        ("nothing", {"token": None, "flag": True}, "nothing"),
    ],
)
def test_what_was_sent_is_taken_out_of_what_is_said(text: str, values: dict[str, Any], left: str) -> None:
    assert without(text, values) == left
