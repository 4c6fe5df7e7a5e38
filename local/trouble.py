"""The trouble that the demo puts in the way of a crawl, and says when it happens."""

from __future__ import annotations

from collections.abc import Callable

from local.emulator import Emulator
from local.fault_proxy import Answer, Dropped, Fault, FaultProxy, Request, s3_error

Say = Callable[[str], None]

# Requests of a listing that pass before each kind of trouble, so that they come one after the other.
_THROTTLED_AFTER, _KILLED_AFTER, _EXPIRED_AFTER = 3, 8, 13
_THROTTLES = 4
# The page at which the run is stopped.
STOPPED_AT = 22


def put_in_the_way(proxy: FaultProxy, emulator: Emulator, bucket: str, say: Say) -> None:
    """Have the listing of a bucket throttled, a function killed, and a token refused, once each."""

    def lists(request: Request) -> bool:
        return request.method == "GET" and request.path.startswith(f"/{bucket}?list-type=2")

    def lists_with_token(request: Request) -> bool:
        return lists(request) and "continuation-token" in request.path

    def commits(request: Request) -> bool:
        return request.method == "PUT" and "/items/crawl" in request.path

    def throttle(_: Request) -> Answer:
        if throttles.answered == 1:
            which = f"page {_THROTTLED_AFTER + 1}"
            say(f"{which}: S3 answers 503 SlowDown, {_THROTTLES} times. botocore retries, then PageLoop backs off.")
        return s3_error(503, "SlowDown")

    def kill(_: Request) -> Answer:
        say(f"page {_KILLED_AFTER + 1}: FetchPage is killed before it commits. The page is fetched again.")
        emulator.kill_functions("FetchPage")
        raise Dropped

    def refuse(_: Request) -> Answer:
        say(f"page {_EXPIRED_AFTER + 1}: S3 no longer takes the token. The listing goes on behind its last key.")
        return s3_error(400, "InvalidArgument")

    throttles = proxy.add(Fault(lists, _THROTTLES, _THROTTLED_AFTER, before=throttle))
    proxy.add(Fault(commits, 1, _KILLED_AFTER, before=kill))
    proxy.add(Fault(lists_with_token, 1, _EXPIRED_AFTER, before=refuse))
