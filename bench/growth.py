"""Measures what grows with the pages and the targets of a run, and what must not: ``python -m bench.growth``.

- A page of 1,000 objects: CPU time and peak memory at page 10 and at page 100,000 of a listing. Nothing may grow.
- Planning and finishing 1,000 and 10,000 targets, as `bench.plan` does with 100,000. The time may grow with them.
- `split`: how many requests plan the parts of a listing of 10,000 pages, and how many pages the longest part has.

Each measurement runs in a process of its own. The answers of S3 are canned, and botocore parses them.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import count as count_up
from itertools import pairwise
from typing import Any

import botocore.session
from botocore.awsrequest import AWSResponse

from bench import plan
from pageturner.crawls.crawl import Crawl
from pageturner.page_state import PageState, Place, Run, Target
from pageturner.paging import split
from pageturner.stores import Stores
from pageturner.turn.pace import Pace
from pageturner.turn.page_step import PageStep

PAGE_SIZE = 1000
STARTED_AT = "2026-01-01T00:00:00.000Z"
NUMBERS = (10, 100_000)
PAGES = 60
_WARM_UP = 5
TARGETS = (1000, 10_000)
SPLIT_PAGES = 10_000
PARTS = (1, 8, 32, 100)
RUN = Run("r", "2026-01-01", STARTED_AT, "2126-01-01T00:00:00.000Z", 0)
CRAWL = Crawl("objects", "s3", "list_objects_v2", key="Key")
TARGET = Target("111111111111-us-east-1-0123456789", "111111111111", "us-east-1", {"Bucket": "b"})


def key_of(number: int) -> str:
    """The key of an object: numbers are in the order of their keys."""
    return f"logs/{number // 3_000_000:02}/server-{number // 20_000 % 150:03}/{number:09}.json.gz"


def page(number: int, pages: int) -> dict[str, float]:
    """The CPU milliseconds of a page, and the peak of memory in MB, when a listing has come to page `number`."""
    session = botocore.session.Session()
    s3: Any = session.create_client("s3", "us-east-1", aws_access_key_id="a", aws_secret_access_key="s")  # noqa: S106
    before, after_token = _answer(number)
    tokens = count_up(number)

    headers: Any = {}

    def answer(**_: Any) -> AWSResponse:
        return AWSResponse("", 200, headers, _Raw(f"{before}token-{next(tokens):08}{after_token}".encode()))

    s3.meta.events.register("before-send.s3.ListObjectsV2", answer)
    # What is written is not kept, as in a function.
    stand_ins = {"s3": _Stores(), "dynamodb": _Stores()}
    stores = Stores(stand_ins.__getitem__, "b", "items", "runs")
    step = PageStep(lambda *_: s3, stores, lambda *_: s3, Pace(stores))
    place = Place(page=number, items=(number - 1) * PAGE_SIZE, last_key=key_of(0)).as_dict()
    began = 0.0
    for turned in range(_WARM_UP + pages):
        if turned == _WARM_UP:
            began = time.process_time()
        event = {"run": asdict(RUN), "crawl": CRAWL.as_dict(), "target": TARGET.as_dict(), "place": place}
        after = step.turn(PageState.from_event(json.loads(json.dumps(event)))).place
        place = json.loads(json.dumps(after.as_dict()))
        assert after.next == "page"
    spent = time.process_time() - began
    assert place["page"] == number + _WARM_UP + pages
    return {"milliseconds": spent * 1000 / pages, "megabytes": _peak(), "state": len(json.dumps(place))}


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        return [self._body]


class _Stores:
    def put_object(self, **_: Any) -> dict[str, Any]:
        return {}

    def put_item(self, **_: Any) -> dict[str, Any]:
        return {}

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {}

    def transact_write_items(self, **_: Any) -> dict[str, Any]:
        return {}


def _answer(number: int) -> tuple[str, str]:
    """What is before and after the token of the next page, in the answer with page `number`."""
    first = number * PAGE_SIZE
    objects = "".join(
        f"<Contents><Key>{key_of(each)}</Key><LastModified>{STARTED_AT}</LastModified><Size>{each}</Size>"
        f"<ETag>&quot;{each:032x}&quot;</ETag><StorageClass>STANDARD</StorageClass></Contents>"
        for each in range(first, first + PAGE_SIZE)
    )
    return (
        '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>'
        f"<MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated><KeyCount>{PAGE_SIZE}</KeyCount>{objects}"
        "<NextContinuationToken>",
        "</NextContinuationToken></ListBucketResult>",
    )


def targets(what: str, count: int) -> dict[str, float]:
    """The seconds and MB of `bench.plan`'s measurement of that name, of so many targets."""
    plan.TARGETS = count
    began = time.perf_counter()
    plan.MEASURED[what]()
    return {"seconds": time.perf_counter() - began, "megabytes": _peak()}


def parts(count: int, pages: int) -> dict[str, float]:
    """The requests that plan `count` parts of a listing of so many pages, and the pages of the longest part."""
    last = pages * PAGE_SIZE
    requests = 0

    def keys_after(key: str, most: int) -> tuple[Sequence[str], bool]:
        nonlocal requests
        requests += 1
        first = number_after(key)
        return [key_of(number) for number in range(first, min(first + most, last))], first + most < last

    def number_after(key: str) -> int:
        return bisect_right(range(last), key, key=key_of)

    way = split.way_of(CRAWL.service, CRAWL.operation)
    assert way is not None
    made = [part for _, part in split.parts(way, {"Bucket": "b"}, count, keys_after)] if count > 1 else []
    bounds = [0, *(number_after(str(part.up_to)) for part in made[:-1]), last]
    longest = max(-(-(end - start) // PAGE_SIZE) for start, end in pairwise(bounds))
    return {"parts": len(bounds) - 1, "requests": requests, "longest": longest}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024


MEASURED: Mapping[str, Any] = {"page": page, "targets": targets, "parts": parts}


def _measure(name: str, *arguments: Any) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.growth", name, json.dumps(arguments)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(ran.stdout))


def main(arguments: Sequence[str]) -> int:
    """Measure all, or what the arguments name. Returns the exit code."""
    if arguments:
        name, given = arguments
        print(json.dumps(MEASURED[name](*json.loads(given))))
        return 0
    for number in NUMBERS:
        of_page = _measure("page", number, PAGES)
        print(
            f"page {number:9,} of a listing: {of_page['milliseconds']:5.1f} ms of CPU, {of_page['megabytes']:.0f} MB, "
            f"a state of {of_page['state']} bytes"
        )
    for count in TARGETS:
        planned, finished = _measure("targets", "plan", count), _measure("targets", "finish", count)
        print(
            f"{count:9,} targets: PlanRun {planned['seconds']:6.1f} s and {planned['megabytes']:4.0f} MB, "
            f"FinishRun {finished['seconds']:6.1f} s and {finished['megabytes']:4.0f} MB"
        )
    for count in PARTS:
        made = _measure("parts", count, SPLIT_PAGES)
        speed_up = SPLIT_PAGES / (made["requests"] + made["longest"])
        print(
            f"split: {count:3}: {made['requests']:3} requests plan {made['parts']:3} parts of {SPLIT_PAGES:,} pages, "
            f"the longest has {made['longest']:6,}: {speed_up:5.1f} times as fast, in requests one after the other"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
