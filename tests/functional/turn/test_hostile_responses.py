"""A response of any size and depth is a page, or an error that no attempt would change: FetchPage is never killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from string import Formatter
from typing import Any

import pytest
from botocore import exceptions
from botocore.awsrequest import AWSResponse

from pageturner import clients
from pageturner.crawls.crawl import Crawl
from pageturner.errors import InvalidCrawlError, InvalidRequestError, PageturnerError, TransientError
from pageturner.page_state import PageState, Place, Run, Target
from pageturner.paging import bodies, pagination
from pageturner.turn import page_fetch, page_step, records

REGION = "us-east-1"
FUNCTIONS = Crawl("c", "lambda", "list_functions")
# Of botocore's own errors, those that another attempt may not meet: no answer, or one that is not whole.
PASSING = {
    *("ChecksumError", "ConnectTimeoutError", "ConnectionClosedError", "ConnectionError", "CredentialRetrievalError"),
    *("EndpointConnectionError", "FlexibleChecksumError", "HTTPClientError", "IncompleteReadError"),
    *("ProxyConnectionError", "ReadTimeoutError", "ResponseStreamingError", "SSLError"),
}
OF_BOTOCORE = {
    name: kind
    for name, kind in vars(exceptions).items()
    if isinstance(kind, type) and issubclass(kind, exceptions.BotoCoreError)
}


@dataclass
class Raw:
    body: bytes

    def stream(self) -> Iterator[bytes]:
        yield self.body


def answered(crawl: Crawl, body: bytes) -> pagination.Page:
    """The page of a service that answers with this body, from a client as FetchPage has it."""

    def answer(request: Any, **_: Any) -> AWSResponse:
        made: Any = AWSResponse
        return made(request.url, 200, {}, Raw(body))  # type: ignore[no-any-return]

    def client(service: str, region: str, account: str) -> Any:
        clients._client.cache_clear()
        made = clients.client(service, region, account)
        made.meta.events.register("before-send", answer)
        return made

    return page_fetch.fetch(client, crawl, Target("t", "1", REGION, crawl.parameters), None, 0)


@pytest.fixture(autouse=True)
def _own_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ACCOUNT", "1")
    yield
    clients._client.cache_clear()


def test_a_response_that_does_not_fit_into_memory_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LARGEST_BODY", 100)
    body = b'{"Functions": [%s]}' % b", ".join([b'{"FunctionName": "f"}'] * 4)
    said = (
        r"the response to ListFunctions has 107 bytes, and 100 fit into memory; set a smaller PageSize in pagination_"
    )
    with pytest.raises(InvalidRequestError, match=said):
        answered(FUNCTIONS, body)
    monkeypatch.setattr(bodies, "LARGEST_BODY", len(body))
    assert answered(FUNCTIONS, body).taken == 4


def test_a_response_that_is_nested_too_deeply_is_not_asked_for_again() -> None:
    deep = b'{"Functions": %s%s}' % (b"[" * 100_000, b"]" * 100_000)
    with pytest.raises(InvalidRequestError, match="the response is nested too deeply to be read"):
        answered(FUNCTIONS, deep)


def test_the_items_of_a_page_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    page = answered(FUNCTIONS, b'{"Functions": [{"FunctionName": "a"}, {"FunctionName": "b"}]}')
    state = PageState(Run("r", "d", "s", "l", 1), FUNCTIONS, Target("t", "1", REGION, {}), Place())
    assert len(page_step._read(state, Place(), page).lines) == 2
    monkeypatch.setattr(records, "LARGEST_TEXT", 30)
    with pytest.raises(
        InvalidRequestError, match="the items of a page are more than 0 MB of text; set a smaller PageS"
    ):
        page_step._read(state, Place(), page)


@pytest.mark.parametrize("key", ["search", "key"])
def test_an_expression_that_does_too_much_fails_its_target(key: str) -> None:
    page = answered(FUNCTIONS, b'{"Functions": [%s]}' % b", ".join([b'{"FunctionName": "f"}'] * 1000))
    crawl = Crawl("c", "lambda", "list_functions", **{key: "[@, @]" + " | [@, @]" * 40})  # type: ignore[arg-type]
    state = PageState(Run("r", "d", "s", "l", 1), crawl, Target("t", "1", REGION, {}), Place())
    with pytest.raises(InvalidCrawlError, match="it takes more than 1,000,000 steps"):
        page_step._read(state, Place(), page)


def error_of_botocore(name: str) -> Exception:
    kind = OF_BOTOCORE[name]
    made = kind.__new__(kind)
    Exception.__init__(made, f"as botocore says it: {name}")
    made.kwargs = {part: "x" for _, part, _, _ in Formatter().parse(getattr(kind, "fmt", "")) if part}
    return made


@pytest.mark.parametrize("name", OF_BOTOCORE)
def test_what_botocore_raises_by_itself_is_final_unless_it_can_pass(name: str) -> None:
    def client(*_: Any) -> Any:
        raise error_of_botocore(name)

    with pytest.raises(PageturnerError) as raised:
        page_fetch.fetch(client, FUNCTIONS, Target("t", "1", REGION, {}), None, 0)
    assert type(raised.value) is (TransientError if name in PASSING else InvalidRequestError)


@pytest.mark.parametrize(
    "region", ["EU", "", "global", "aws-global", "us-east-1\n", "a/../b", "us-east-1.example.com#", "x" * 99]
)
def test_a_region_that_is_none_is_no_interruption(region: str) -> None:
    with pytest.raises(InvalidRequestError, match="is not a region"):
        page_fetch.fetch(clients.client, FUNCTIONS, Target("t", "1", region, {}), None, 0)
