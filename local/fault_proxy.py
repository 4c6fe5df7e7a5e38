"""A proxy in front of the emulator that answers some requests with the errors of AWS."""

from __future__ import annotations

import http.client
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from urllib3.util import wait_for_read

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect"}


@dataclass(frozen=True)
class Request:
    """A request to the proxy; `target` is the X-Amz-Target of the JSON protocols."""

    method: str
    path: str
    target: str
    body: bytes
    authorization: str = ""


@dataclass(frozen=True)
class Answer:
    """An error response of a service."""

    status: int
    body: bytes
    content_type: str = "application/xml"


def s3_error(status: int, code: str) -> Answer:
    """An error response of S3."""
    return Answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())


def json_error(code: str, status: int = 400) -> Answer:
    """An error response of a JSON protocol (DynamoDB and most others)."""
    return Answer(status, f'{{"__type": "{code}", "message": "{code}"}}'.encode(), "application/x-amz-json-1.0")


class Dropped(Exception):  # noqa: N818 - it is an instruction to the proxy
    """Raised by a fault to close the connection without a response."""


@dataclass
class Fault:
    """Interferes with `times` matching requests, after the first `spared` of them.

    `before` is called before the emulator sees the request, and may return an answer in its place; `after` is called
    with the emulator's answer, and may return another one. Either may raise `Dropped`.
    """

    matches: Callable[[Request], bool]
    times: int = 1
    spared: int = 0
    before: Callable[[Request], Answer | None] | None = None
    after: Callable[[Request, bytes], Answer | None] | None = None
    seen: int = 0
    answered: int = 0


def answering(matches: Callable[[Request], bool], answer: Answer, times: int, spared: int = 0) -> Fault:
    """Return a fault that answers with `answer`."""
    return Fault(matches, times, spared, before=lambda _: answer)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong, unless a function was killed and its connection broke."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


@dataclass
class FaultProxy:
    """Forwards the requests to its port on 127.0.0.1 to `upstream`, except where a fault interferes."""

    upstream: str = ""
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    @property
    def url(self) -> str:
        """The URL on which it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, fault: Fault) -> Fault:
        """Add a fault, and return it."""
        with self._lock:
            self.faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults, and forget the requests."""
        with self._lock:
            self.faults.clear()
            self.requests.clear()

    def _fault(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.answered < fault.times and fault.matches(request):
                    fault.seen += 1
                    if fault.seen > fault.spared:
                        fault.answered += 1
                        return fault
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Else the body of an answer waits 40 ms until the client acknowledges its headers.
            disable_nagle_algorithm = True

            def setup(self) -> None:
                """Have one connection to the emulator for each connection to the proxy."""
                super().setup()
                self._upstream = http.client.HTTPConnection(urlsplit(proxy.upstream).netloc, timeout=60)

            def finish(self) -> None:
                """Close both connections."""
                self._upstream.close()
                super().finish()

            def _serve(self) -> None:
                body = self._body()
                target, authorization = self.headers.get("X-Amz-Target", ""), self.headers.get("Authorization", "")
                request = Request(self.command, self.path, target, body, authorization)
                fault = proxy._fault(request)
                try:
                    answer = fault.before(request) if fault and fault.before else None
                    if answer is None:
                        status, headers, content = self._forwarded(body)
                        answer = fault.after(request, content) if fault and fault.after else None
                    if answer is None:
                        self._reply(status, headers, content)
                    else:
                        self._reply(answer.status, [("Content-Type", answer.content_type)], answer.body)
                except Dropped:
                    self.close_connection = True
                except (OSError, http.client.HTTPException):
                    # The function that sent the request, or the emulator, has ended.
                    self.close_connection = True

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

            def _body(self) -> bytes:
                if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                chunks = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass  # trailers
                return b"".join(chunks)

            def _forwarded(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
                if self._upstream.sock is not None and wait_for_read(self._upstream.sock, timeout=0):
                    # The emulator has closed a connection that was idle for long.
                    self._upstream.close()
                self._upstream.request(self.command, self.path, body=body, headers=headers)
                response = self._upstream.getresponse()
                return response.status, response.getheaders(), response.read()

            def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response_only(status)
                # The Content-Length of a HEAD response is not that of its own body; 204 and 304 have no body.
                bodiless = self.command == "HEAD" or status in {204, 304}
                for name, value in headers:
                    if name.lower() not in _HOP_BY_HOP and (bodiless or name.lower() != "content-length"):
                        self.send_header(name, value)
                if not bodiless:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if not bodiless:
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Log nothing; `requests` has them all."""

        return Handler
