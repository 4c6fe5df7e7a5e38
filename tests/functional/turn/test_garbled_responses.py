"""Garbled responses under a real botocore client: every outcome is a page, or one of `pageturner.errors`.

The responses take the place of HTTP, at botocore's own seam: a ``before-send`` handler returns them.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pageturner import clients
from pageturner.crawls.catalogue import parse_input
from pageturner.crawls.crawl import Crawl
from pageturner.errors import (
    InvalidCrawlError,
    InvalidRequestError,
    PageturnerError,
    SinkError,
    TransientError,
)
from pageturner.own_resources import as_sink_error
from pageturner.page_state import PageState, Place, Run, Target
from pageturner.paging import api, pagination
from pageturner.paging.identity import keys_of
from pageturner.paging.paginators import paginator_of
from pageturner.turn import page_fetch
from pageturner.turn.records import records

OPERATIONS = {
    "json": ("ssm", "describe_maintenance_windows", {}),
    "rest-json": ("guardduty", "list_detectors", {}),
    "rest-json with times and maps": ("lambda", "list_functions", {}),
    "json with every kind of value": ("dynamodb", "scan", {"TableName": "t"}),
    "query": ("iam", "list_users", {}),
    "ec2": ("ec2", "describe_volumes", {}),
    "rest-xml": ("s3", "list_objects_v2", {"Bucket": "b"}),
    "smithy-rpc-v2-cbor": ("eventbridgev2", "list_event_buses", {}),
}
REGION = "us-east-1"


@dataclass
class Raw:
    body: bytes

    def stream(self) -> Iterator[bytes]:
        yield self.body


@dataclass
class Garbled:
    """A client of `service` whose every request gets the same response."""

    service: str
    operation: str
    status: int = 200
    headers: Mapping[str, str] | None = None
    body: bytes = b""

    def __post_init__(self) -> None:
        once = Config(retries={"total_max_attempts": 1})
        session: Any = clients._session()
        self.client = session.client(self.service, REGION, config=once)
        self.client.meta.events.register("before-send", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        raw, headers = Raw(self.body), dict(self.headers or {})
        made: Any = AWSResponse
        return made(request.url, self.status, headers, raw)  # type: ignore[no-any-return]

    def page(self, crawl: Mapping[str, Any], token: str | None = None) -> list[dict[str, Any]]:
        """Return the records of the page."""
        parsed = _parsed(json.dumps({"service": self.service, "operation": self.operation, **crawl}))
        target = Target("t", "1", REGION, parsed.parameters)
        page = page_fetch.fetch(lambda *_: self.client, parsed, target, token, 0)
        model = api.operation_model(self.service, self.operation)
        definition = parsed.paginator.definition
        found = list(pagination.items(page.response, model, definition, parsed.search))
        pagination.sums(page.response, definition)
        state = PageState(Run("r", "d", "s", "l", 1), parsed, target, Place())
        keys = keys_of(self.service, self.operation, definition, parsed.key, parsed.search)
        return records(state, Place(), found, keys, "now")


@cache
def _garbled(service: str, operation: str) -> Garbled:
    return Garbled(service, operation)


@cache
def _parsed(text: str) -> Crawl:
    return parse_input(json.loads(text), {})


def garbled(service: str, operation: str, status: int, headers: Mapping[str, str], body: bytes) -> Garbled:
    found = _garbled(service, operation)
    found.status, found.headers, found.body = status, headers, body
    return found


ODD_TEXTS = [
    "",
    " ",
    "NaN",
    "Infinity",
    "-1e999",
    "1e999",
    "9" * 5000,
    "2026-13-45T99:99:99Z",
    "0000-00-00",
    "yesterday",
]
ODD_TEXTS += ["2026-01-01T00:00:00", "10000-01-01T00:00:00Z", "-62135596801", "253402300800", "TRUE", "null", "a", "="]
ODD_TEXTS += ["YQ", "\ud800", "\x7f", "\u0661\u0662", "1_000", "0x10", "Thu, 99 Foo 2026"]
ODD_TEXT = st.sampled_from(ODD_TEXTS)
ODD = st.one_of(
    ODD_TEXT,
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**30), 1e308, float("nan"), float("inf"), 253402300800, -62135596801]),
    st.lists(st.one_of(st.none(), st.integers(), ODD_TEXT), max_size=2),
    st.dictionaries(st.sampled_from(["S", "N", "a", "__type", "message"]), st.one_of(st.none(), ODD_TEXT), max_size=2),
)
RIGHT = {"string": "text", "integer": 5, "long": 5, "float": 0.5, "double": 0.5, "boolean": True, "timestamp": 1.5e9}
RIGHT |= {"blob": "YQ==", "character": "c", "bigdecimal": "1"}


def value(draw: Callable[[Any], Any], shape: Any, depth: int = 0) -> Any:
    """Draw a value of a shape, sometimes an odd one."""
    if draw(st.integers(0, 11)) == 0:
        return draw(ODD)
    if shape.type_name == "structure":
        if depth > 5:
            return {}
        return {
            member.serialization.get("name", name): value(draw, member, depth + 1)
            for name, member in shape.members.items()
            if draw(st.integers(0, 3))
        }
    if shape.type_name == "list":
        return [value(draw, shape.member, depth + 1) for _ in range(draw(st.integers(0, 2)))]
    if shape.type_name == "map":
        return {"k": value(draw, shape.value, depth + 1)}
    return (shape.enum or [RIGHT["string"]])[0] if shape.type_name == "string" else RIGHT[shape.type_name]


def as_xml(name: str, found: Any) -> str:
    if isinstance(found, dict):
        inner = "".join(as_xml(key, below) for key, below in found.items())
    elif isinstance(found, list):
        return f"<{name}>{''.join(as_xml('member', each) for each in found)}</{name}>"
    elif isinstance(found, bool):
        inner = str(found).lower()
    else:
        inner = "" if found is None else escape(str(found))
    return f"<{name}>{inner}</{name}>"


def as_cbor(found: Any) -> bytes:
    if isinstance(found, bool) or found is None:
        return {True: b"\xf5", False: b"\xf4", None: b"\xf6"}[found]
    if isinstance(found, int) and abs(found) < 2**63:
        return _head(0, found) if found >= 0 else _head(1, -1 - found)
    if isinstance(found, float):
        return b"\xfb" + struct.pack(">d", found)
    if isinstance(found, list):
        return _head(4, len(found)) + b"".join(map(as_cbor, found))
    if isinstance(found, dict):
        return _head(5, len(found)) + b"".join(as_cbor(key) + as_cbor(below) for key, below in found.items())
    text = str(found).encode("utf-8", "surrogatepass")
    return _head(3, len(text)) + text


def _head(major: int, number: int) -> bytes:
    return bytes([major << 5 | 27]) + struct.pack(">Q", number)


NESTED = [b"[" * 100_000, b'{"a":' * 100_000, b"<a>" * 20_000, b"\x81" * 100_000, b"\xa1\x61a" * 50_000]
BODIES = [b"", b"null", b"[]", b"5", b'"text"', b"{}", b"<html><body>Sorry</body></html>", b"<a/>", b"\x00\xff\xfe"]
BODIES += [
    b'{"Count": ' + b"9" * 5000 + b"}",
    b'{"__type": 5}',
    b'{"message": {"a": 1}}',
    b'{"__type": ["a"], "Message": []}',
    b'{"Errors": [[]]}',
]
BODIES += [b"<ErrorResponse><Error/></ErrorResponse>", b"<Response><Errors/></Response>", b"\xbf", b"\xc1\x60", *NESTED]
NAMES = [
    "Content-Type",
    "x-amzn-errortype",
    "x-amzn-query-error",
    "x-amz-crc32",
    "x-amz-request-id",
    "Date",
    "Location",
]
NAMES += ["x-amz-bucket-region", "smithy-protocol", "Content-Length", "x-amzn-requestid", "Retry-After"]
VALUES = ["", "x", "5", ";", "a;b", "a;b;c", ":", "eu-west-1", "application/json", "rpc-v2-cbor", "\xe9"]
HEADERS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=3)
STATUS = st.sampled_from([200] * 8 + [100, 199, 201, 204, 206, 300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405])
MORE_STATUS = st.sampled_from([406, 408, 409, 410, 413, 414, 418, 421, 423, 429, 431, 500, 502, 503, 504, 599, 999])


@st.composite
def response_of(draw: Callable[[Any], Any], name: str) -> tuple[int, dict[str, str], bytes]:
    service, operation, _ = OPERATIONS[name]
    status = draw(st.one_of(STATUS, MORE_STATUS))
    if draw(st.integers(0, 3)) == 0:
        return status, draw(HEADERS), draw(st.one_of(st.sampled_from(BODIES), st.binary(max_size=40)))
    model = api.operation_model(service, operation)
    found = value(draw, model.output_shape)
    if "xml" in name or name in ("query", "ec2"):
        top = f"{model.name}Response"
        below = as_xml(f"{model.name}Result", found) if name == "query" else as_xml(top, found)
        body = (f"<{top}>{below}</{top}>" if name == "query" else below).encode("utf-8", "surrogatepass")
    elif "cbor" in name:
        body = as_cbor(found)
    else:
        body = json.dumps(found).encode()
    if draw(st.integers(0, 5)) == 0:
        body = body[: draw(st.integers(0, len(body)))]
    headers: dict[str, str] = draw(HEADERS)
    if "cbor" in name:
        headers.setdefault("smithy-protocol", "rpc-v2-cbor")
    return status, headers, body


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_response_is_a_page_or_an_error_of_ours(name: str) -> None:
    service, operation, parameters = OPERATIONS[name]
    protocol: Any = api.service_model(service)
    assert name.startswith(protocol.resolved_protocol)
    outcomes: set[str] = set()

    @settings(max_examples=150)
    @given(response=response_of(name), max_items=st.sampled_from([None, 1]), later=st.booleans())
    def turn(response: tuple[int, dict[str, str], bytes], max_items: int | None, *, later: bool) -> None:
        crawl = {"parameters": parameters, "pagination_config": {"MaxItems": max_items} if max_items else {}}
        token = _token(service, operation) if later else None
        try:
            garbled(service, operation, *response).page(crawl, token)
            outcomes.add("page")
        except PageturnerError as error:
            outcomes.add(type(error).__name__)

    turn()
    assert {"page", "TransientError", "InvalidRequestError"} <= outcomes


def _token(service: str, operation: str) -> str:
    names = pagination.input_tokens(paginator_of(service, operation, {}).definition)
    of_a_key = operation == "scan"
    return base64.b64encode(json.dumps(dict.fromkeys(names, {"k": {"S": "t"}} if of_a_key else "t")).encode()).decode()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_odd_body_is_a_page_or_an_error_of_ours(name: str) -> None:
    service, operation, parameters = OPERATIONS[name]
    for body in BODIES:
        for status in (200, 301, 400, 500):
            with suppress(PageturnerError):
                garbled(service, operation, status, {}, body).page({"parameters": parameters})


@pytest.mark.parametrize("body", [b"5", b'{"Item": 5}', b"[" * 100_000])
def test_a_garbled_response_of_our_own_table_is_an_error_of_ours(body: bytes) -> None:
    found = garbled("dynamodb", "get_item", 200, {}, body)
    with pytest.raises(SinkError, match=r"^no record: botocore cannot read the response: "), as_sink_error("no record"):
        found.client.get_item(TableName="t", Key={"k": {"S": "a"}})


def test_a_request_that_botocore_cannot_make_is_not_made_again() -> None:
    """Half a surrogate pair cannot be sent, and an earlier version took it. botocore raises a ValueError."""
    crawl = _parsed('{"service": "iam", "operation": "list_users"}')
    session: Any = clients._session()
    target = Target("t", "1", REGION, {"PathPrefix": "/\ud800"})
    with pytest.raises(InvalidRequestError, match=r"botocore cannot make the request: UnicodeEncodeError$"):
        page_fetch.fetch(lambda service, region, _: session.client(service, region), crawl, target, None, 0)


def test_a_message_that_quotes_a_whole_response_is_cut() -> None:
    """Step Functions ends an execution whose state exceeds 256 KiB, where no Catch sees it."""
    with pytest.raises(TransientError) as raised:
        garbled("iam", "list_users", 200, {}, b"<html>" + b"Sorry " * 100_000).page({})
    assert len(str(raised.value)) < 10_000


XML = b"""<ListBucketResult><IsTruncated>false</IsTruncated>
<Contents><Key>a</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><Size>1</Size></Contents>
<Contents><Key>b</Key><LastModified>%s</LastModified><Size>%s</Size></Contents></ListBucketResult>"""


ROLES = b"""<ListRolesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListRolesResult><Roles><member>
<Arn>arn:aws:iam::1:role/a</Arn><MaxSessionDuration>an hour</MaxSessionDuration></member></Roles></ListRolesResult>
<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></ListRolesResponse>"""


@pytest.mark.parametrize("bad", [b"", b"yesterday", b"2026-13-45T99:99:99Z", b"99999-01-01T00:00:00Z"])
def test_one_bad_time_does_not_stop_a_listing(bad: bytes, caplog: pytest.LogCaptureFixture) -> None:
    lines = garbled("s3", "list_objects_v2", 200, {}, XML % (bad, b"2")).page({"parameters": {"Bucket": "b"}})
    first, second = (json.loads(line["item"]) for line in lines)
    assert first["LastModified"] == "2026-01-02T03:04:05Z"
    assert (second["LastModified"], second["Size"]) == (bad.decode(), 2)
    assert "a timestamp cannot be parsed, and stays as it came" in caplog.text


def test_one_bad_blob_does_not_stop_a_listing() -> None:
    body = b'{"Items": [{"a": {"B": "YQ=="}}, {"a": {"B": "YQ"}}], "Count": 2}'
    lines = garbled("dynamodb", "scan", 200, {}, body).page({"parameters": {"TableName": "t"}})
    assert [json.loads(line["item"]) for line in lines] == [{"a": {"B": "YQ=="}}, {"a": {"B": "YQ"}}]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "body", "items"),
    [
        (
            "s3",
            "list_objects_v2",
            {"Bucket": "b"},
            XML % (b"2026-01-02T03:04:05Z", b"many"),
            [{"Size": 1}, {"Size": "many"}],
        ),
        (
            "lambda",
            "list_functions",
            {},
            b'{"Functions": [{"Timeout": 5}, {"Timeout": "x"}]}',
            [{"Timeout": 5}, {"Timeout": "x"}],
        ),
        ("iam", "list_roles", {}, ROLES, [{"MaxSessionDuration": "an hour"}]),
    ],
)
def test_one_bad_number_does_not_stop_a_listing(
    service: str, operation: str, parameters: dict[str, Any], body: bytes, items: list[dict[str, Any]]
) -> None:
    lines = garbled(service, operation, 200, {}, body).page({"parameters": parameters})
    listed = [json.loads(line["item"]) for line in lines]
    assert [{name: item[name] for name in some} for item, some in zip(listed, items, strict=True)] == items


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "body", "place"),
    [
        (
            "lambda",
            "list_functions",
            {},
            b'{"Functions": [{}, {"Environment": 5}]}',
            "Functions[1].Environment.Variables",
        ),
        ("dynamodb", "scan", {"TableName": "t"}, b'{"Items": [{"k": {"L": [5]}}]}', "Items[0].*.L[0].S"),
    ],
)
def test_what_cannot_be_read_is_asked_for_again_and_says_where_it_is(
    service: str, operation: str, parameters: dict[str, Any], body: bytes, place: str
) -> None:
    with pytest.raises(TransientError) as raised:
        garbled(service, operation, 200, {}, body).page({"parameters": parameters})
    assert str(raised.value).startswith(f"botocore cannot read the response at {place}: ")


TOKENS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.dictionaries(
            st.one_of(
                st.sampled_from(["ContinuationToken", "boto_truncate_amount", "boto_encoded_keys"]), st.text(max_size=3)
            ),
            below,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=150)
@given(token=TOKENS, page_size=st.sampled_from([None, 1, 10**30]))
@example(token={"ContinuationToken": {"a": 1}}, page_size=None)
@example(token={"ContinuationToken": None, "boto_truncate_amount": 10**30}, page_size=None)
@example(token={"ContinuationToken": "x", "boto_encoded_keys": [["ContinuationToken"]]}, page_size=None)
@example(token={"ContinuationToken": "x", "boto_encoded_keys": [["a", "b"]]}, page_size=None)
def test_a_starting_token_of_anything_is_a_page_or_an_error_of_ours(token: Any, page_size: int | None) -> None:
    config = {"StartingToken": base64.b64encode(json.dumps(token).encode()).decode()}
    config |= {"PageSize": page_size} if page_size else {}  # type: ignore[dict-item]
    _starts_at(config)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "123", "null", '"a"', "[]", "[1]", '{"ContinuationToken": "a"', "\ud800"]
)
def test_a_starting_token_of_odd_text_is_a_page_or_an_error_of_ours(text: str) -> None:
    encoded = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    _starts_at({"StartingToken": encoded})
    _starts_at({"StartingToken": text})


def test_the_base64_of_a_number_is_no_token() -> None:
    with pytest.raises(InvalidCrawlError, match="not a token of this operation"):
        _page_of({"StartingToken": base64.b64encode(b"123").decode()})


def _starts_at(config: Mapping[str, Any]) -> None:
    with suppress(PageturnerError):
        _page_of(config)


def _page_of(config: Mapping[str, Any]) -> None:
    crawl = {"parameters": {"Bucket": "b"}, "pagination_config": dict(config)}
    garbled("s3", "list_objects_v2", 200, {}, XML % (b"1", b"2")).page(crawl)


@pytest.mark.parametrize("config", [{}, {"MaxItems": 1}])
def test_a_number_cannot_be_the_primary_result_key(config: dict[str, int]) -> None:
    """boto3 raises a TypeError."""
    crawl = {"parameters": {"Bucket": "b"}, "result_key": "KeyCount", "pagination_config": config}
    with pytest.raises(InvalidRequestError, match=r"cannot page this response: TypeError.*; correct .*result_key"):
        garbled("s3", "list_objects_v2", 200, {}, b"<a><KeyCount>5</KeyCount></a>").page(crawl)


@pytest.mark.parametrize("result_key", ["length(Contents)", "sum(Contents[].Size)", "keys(@)", "join(',', Contents)"])
@pytest.mark.parametrize("max_items", [None, 1])
def test_stated_expressions_on_odd_types(result_key: str, max_items: int | None) -> None:
    crawl = {"parameters": {"Bucket": "b"}, "result_key": result_key}
    crawl |= {"pagination_config": {"MaxItems": max_items}} if max_items else {}
    with suppress(PageturnerError):
        garbled("s3", "list_objects_v2", 200, {}, XML % (b"1", b"2")).page(crawl)
