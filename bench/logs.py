"""Measures the log lines of a page, in bytes and dollars, by log level. `make bench` runs it.

Each level runs FetchPage's handler in its own process, as in a fresh function, on a page whose names are about as long
as they can be. Its standard output is what Lambda sends to CloudWatch Logs, beside Lambda's own lines.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pageturner.prices import PRICES

PROJECT = Path(__file__).parent.parent
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
# API Reference of CloudWatch Logs, PutLogEvents: an event's size is its UTF-8 message and 26 bytes.
EVENT_BYTES = 26
REQUEST, TRACE = (
    "8f507cfc-0123-4697-b07a-ac58fc914c95",
    "Root=1-67bc1234-10bd0123f1fb44f07bc535a1;Parent=07f5012345678901",
)
# What Lambda writes of each invocation at its system log level INFO (Lambda Telemetry API, "Event schema").
_TRACING = {"spanId": "07f5012345678901", "type": "X-Amzn-Trace-Id", "value": f"{TRACE};Sampled=0"}
LAMBDA_LINES: list[dict[str, Any]] = [
    {
        "time": "2026-11-26T09:07:09.123Z",
        "type": "platform.start",
        "record": {"requestId": REQUEST, "functionArn": "", "version": "$LATEST", "tracing": _TRACING},
    },
    {
        "time": "2026-11-26T09:07:09.456Z",
        "type": "platform.report",
        "record": {
            "requestId": REQUEST,
            "metrics": {"durationMs": 330.123, "billedDurationMs": 331, "memorySizeMB": 512, "maxMemoryUsedMB": 155},
            "tracing": _TRACING,
            "status": "success",
        },
    },
]


@dataclass(frozen=True)
class Lines:
    """The log events of one page."""

    lines: tuple[bytes, ...]

    @property
    def bytes(self) -> int:
        """What CloudWatch Logs charges for."""
        return sum(len(line) + EVENT_BYTES for line in self.lines)

    @property
    def dollars(self) -> float:
        """Of a million such pages."""
        return self.bytes * 1e6 / 1e9 * PRICES["log_gb"].of_one


def measure(level: str) -> Lines:
    """Return the log events of a page at this log level, those of Lambda included."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": "lambdas",
        # As in infra/python_function.py.
        "AWS_LAMBDA_LOG_LEVEL": "DEBUG" if level == "DEBUG" else "INFO",
        "POWERTOOLS_LOG_LEVEL": level,
        "LOOP_SECONDS": "120",
        "_X_AMZN_TRACE_ID": f"{TRACE};Sampled=0",
    }
    command = [sys.executable, "-c", "from bench import logs; logs.turn_a_page()"]
    printed = subprocess.run(command, check=True, cwd=PROJECT, env=environment, stdout=subprocess.PIPE).stdout
    ours = printed.splitlines()
    theirs = [json.dumps(line, separators=(",", ":")).encode() for line in LAMBDA_LINES] if level == "DEBUG" else []
    return Lines((*ours, *theirs))


def turn_a_page() -> None:
    """Let FetchPage's handler turn a page that is already fetched and written."""
    import fetch_page
    from pageturner.crawls.crawl import Crawl
    from pageturner.page_state import Place, Run, Target
    from pageturner.stores.page_store import CommittedPage
    from pageturner.turn.page_step import Turned

    name = "objects-of-all-buckets-of-the-whole-organization"
    crawl = Crawl(name, "s3", "list_objects_v2")
    at = "2026-11-26T09:07:09.123Z"
    run = Run(f"{name}-20261126T090709Z-e93905de", at[:10], at, at, 0)
    target = Target("123456789012-ap-southeast-2-0123456789abcdef-0012", "123456789012", "ap-southeast-2", {})
    place = Place(page=1_234_567, verdict="complete", next="end")
    records: list[dict[str, Any]] = [{} for _ in range(1000)]
    nothing: Any = None  # of what is not logged
    page = CommittedPage(records, facts=nothing, bytes=98_765, key=nothing)
    turned = Turned(place, page, fetch_ms=1234.5, write_ms=123.4)

    class Step:
        def turn(self, _: Any) -> Turned:
            return turned

    class Check:
        def check(self, *_: Any) -> None:
            pass

    class Context:
        function_name = "Pageturner-FunctionsFetchPage0123ABCD-0123456789ab"
        memory_limit_in_mb = 512
        invoked_function_arn = f"arn:aws:lambda:ap-southeast-2:123456789012:function:{function_name}"
        aws_request_id = REQUEST

    fetch_page._page_step = Step  # type: ignore[assignment]
    fetch_page._stop_check = Check  # type: ignore[assignment]
    state = {"run": vars(run), "crawl": crawl.as_dict(), "target": target.as_dict(), "place": place.as_dict()}
    context: Any = Context()
    fetch_page.handler({**state, "loop_started_at": at, "retry_count": 0}, context)


def main() -> None:
    """Print the bytes, events and dollars of each level."""
    print("level     events  bytes a page  dollars per million pages")
    for level in LEVELS:
        lines = measure(level)
        print(f"{level:8} {len(lines.lines):7} {lines.bytes:13,} {lines.dollars:26.2f}")


if __name__ == "__main__":
    main()
