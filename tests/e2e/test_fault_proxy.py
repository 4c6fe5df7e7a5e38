"""Without a fault, the proxy changes nothing; botocore takes the errors it injects for AWS's own."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from local.fault_proxy import Answer, Dropped, Fault, FaultProxy, Request, answering, json_error, s3_error

BODY = bytes(range(256)) * 300


class Upstream(ThreadingHTTPServer):
    """Records the requests that it receives, and sends the kinds of responses that proxies often get wrong."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, str, dict[str, str], bytes]] = []
        self.closed = threading.Event()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        super().shutdown_request(request)
        self.closed.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append((self.command, self.path, headers, body))
        self.send_response_only(204 if self.command == "DELETE" else 200)
        self.send_header("ETag", '"abc"')
        if "closing" in self.path:
            self.close_connection = True
        if "chunked" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
            return
        if self.command != "DELETE":
            self.send_header("Content-Length", "0" if self.command == "PUT" else str(len(BODY)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(BODY)

    do_DELETE = do_GET = do_HEAD = do_PUT = _answer

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[FaultProxy]:
    with FaultProxy(f"http://127.0.0.1:{upstream.server_port}") as started:
        yield started


@pytest.fixture
def connection(proxy: FaultProxy) -> Iterator[http.client.HTTPConnection]:
    opened = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=5)
    yield opened
    opened.close()


def client(service: str, proxy: FaultProxy) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=proxy.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def always(_: Request) -> bool:
    return True


def test_what_has_no_fault_passes_unchanged(upstream: Upstream, connection: http.client.HTTPConnection) -> None:
    path = "/bucket/%C3%BC%20%2B?list-type=2&prefix=a%2Fb"
    connection.request("PUT", path, BODY, {"Host": "example.test", "X-Amz-Meta-Name": "v"})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("ETag"), answer.read()) == (200, '"abc"', b"")
    ((method, got_path, headers, body),) = upstream.got
    assert (method, got_path, body) == ("PUT", path, BODY)
    assert (headers["host"], headers["x-amz-meta-name"]) == ("example.test", "v")
    assert "transfer-encoding" not in headers


def test_a_body_in_chunks_arrives_whole(upstream: Upstream, connection: http.client.HTTPConnection) -> None:
    connection.request("PUT", "/a", iter([BODY, b"end"]), encode_chunked=True)
    assert connection.getresponse().status == 200
    assert upstream.got[0][3] == BODY + b"end"


def test_an_answer_in_chunks_arrives_whole(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/chunked")
    assert connection.getresponse().read() == b"onetwo"


def test_head_keeps_the_length_and_204_has_none_on_one_connection(connection: http.client.HTTPConnection) -> None:
    connection.request("HEAD", "/a")
    head = connection.getresponse()
    assert (head.read(), head.getheader("Content-Length")) == (b"", str(len(BODY)))
    connection.request("DELETE", "/a")
    deleted = connection.getresponse()
    assert (deleted.status, deleted.read(), deleted.getheader("Content-Length")) == (204, b"", None)
    connection.request("GET", "/a")
    assert connection.getresponse().read() == BODY


def test_a_connection_that_the_emulator_has_closed_in_the_meantime_is_opened_anew(
    upstream: Upstream, connection: http.client.HTTPConnection
) -> None:
    for _ in range(2):
        connection.request("PUT", "/closing")
        assert connection.getresponse().read() == b""
        assert upstream.closed.wait(5)
        upstream.closed.clear()
    assert len(upstream.got) == 2


def test_expect_100_continue_is_answered_by_the_proxy(proxy: FaultProxy, upstream: Upstream) -> None:
    client("s3", proxy).put_object(Bucket="bucket", Key="key", Body=BODY)
    assert upstream.got[0][3] == BODY
    assert "expect" not in upstream.got[0][2]


@pytest.mark.parametrize(
    ("service", "operation", "answer", "code"),
    [
        ("s3", "list_buckets", s3_error(503, "SlowDown"), "SlowDown"),
        ("dynamodb", "list_tables", json_error("ThrottlingException"), "ThrottlingException"),
    ],
)
def test_an_error_is_what_botocore_takes_for_the_services_own(
    proxy: FaultProxy, upstream: Upstream, service: str, operation: str, answer: Answer, code: str
) -> None:
    fault = proxy.add(answering(always, answer, times=1))
    with pytest.raises(ClientError) as caught:
        getattr(client(service, proxy), operation)()
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == answer.status
    assert (fault.answered, upstream.got) == (1, [])


def test_a_fault_ends_after_its_times_and_meets_only_what_it_matches(
    proxy: FaultProxy, connection: http.client.HTTPConnection
) -> None:
    proxy.add(answering(lambda request: request.path == "/bad", s3_error(500, "InternalError"), times=2))
    statuses = []
    for path in ("/bad", "/good", "/bad", "/bad"):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    assert statuses == [500, 200, 500, 200]
    assert [request.path for request in proxy.requests] == ["/bad", "/good", "/bad", "/bad"]


def dropped(_: Request) -> Answer | None:
    raise Dropped


def dropped_after(_: Request, __: bytes) -> Answer | None:
    raise Dropped


@pytest.mark.parametrize(
    ("fault", "arrived"), [(Fault(always, before=dropped), 0), (Fault(always, after=dropped_after), 1)]
)
def test_a_dropped_request_is_done_or_not(proxy: FaultProxy, upstream: Upstream, fault: Fault, arrived: int) -> None:
    proxy.add(fault)
    with pytest.raises(ConnectionClosedError):
        client("s3", proxy).put_object(Bucket="bucket", Key="key", Body=b"x")
    assert len(upstream.got) == arrived


def test_without_an_emulator_the_connection_is_cut(
    proxy: FaultProxy, connection: http.client.HTTPConnection, capfd: pytest.CaptureFixture[str]
) -> None:
    proxy.upstream = "http://127.0.0.1:1"
    connection.request("GET", "/a")
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    assert capfd.readouterr().err == ""
