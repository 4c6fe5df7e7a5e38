"""Only MiniStack counts as the emulator."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from infra.emulator_endpoint import EndpointError, is_emulator

HEALTHY = b'{"services": {"s3": "available"}, "edition": "light"}'


@pytest.fixture(
    params=[(200, HEALTHY, True), (200, b"<html></html>", False), (200, b"{}", False), (403, HEALTHY, False)]
)
def endpoint(request: pytest.FixtureRequest) -> Iterator[tuple[str, bool]]:
    status, body, expected = request.param

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", expected
        server.shutdown()


def test_what_answers_decides(endpoint: tuple[str, bool]) -> None:
    url, expected = endpoint
    assert is_emulator(url) is expected


def test_where_nothing_answers_it_is_said() -> None:
    with pytest.raises(
        EndpointError, match=r"AWS_ENDPOINT_URL is http://127\.0\.0\.1:1, and nothing answers there .*refused"
    ):
        is_emulator("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:abc", "AWS_ENDPOINT_URL is http://127.0.0.1:abc, which is not a URL"),
        ("localhost:4566", "AWS_ENDPOINT_URL is localhost:4566; it must begin with http:// or https://"),
    ],
)
def test_what_is_no_url_is_said(url: str, said: str) -> None:
    with pytest.raises(EndpointError, match=re.escape(said)):
        is_emulator(url)


@pytest.mark.parametrize("url", [None, "", "https://s3.amazonaws.com"])
def test_without_an_endpoint_of_this_kind_it_is_aws(url: str | None) -> None:
    assert is_emulator(url) is False
