"""Measures the memory and time to plan a run of many targets. `make bench` runs it.

Each measurement runs in its own process and reports the peak resident memory and the time. The baseline is the obvious
implementation: a list of all targets and one `json.dumps`. A generator stands in for DynamoDB and files for S3, so that
only Pageturner's own memory counts.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import IO, Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from pageturner.crawls.crawl import Crawl
from pageturner.page_state import Place, Target
from pageturner.plan.expansion import Expansion
from pageturner.plan.planning import Execution, Planner
from pageturner.plan.targets import plan_run
from pageturner.stores import Stores
from pageturner.stores.keys import targets_key

TARGETS = 100_000
MEMORY_MB = 512
STARTED_AT = "2026-01-01T00:00:00.000Z"
SOURCE = Crawl("buckets", "s3", "list_buckets", key="Name")
CRAWL = Crawl(
    "objects", "s3", "list_objects_v2", for_each={"crawl": "buckets", "parameters": {"Bucket": "item.Name"}}, key="Key"
)
OWNER = ("111111111111", "us-east-1")
PAGE = 1000


class Files:
    """Stands in for S3: every object is a file."""

    def __init__(self) -> None:
        self.files: dict[str, IO[bytes]] = {}

    def put_object(self, *, Key: str, Body: Any, **_: Any) -> dict[str, Any]:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        body = io.BytesIO(Body) if isinstance(Body, bytes) else Body
        while chunk := body.read(1 << 20):
            file.write(chunk)
        self.files[Key] = file
        return {}

    def head_object(self, **_: Any) -> dict[str, Any]:
        answer: Any = {"ResponseMetadata": {"HTTPStatusCode": 404}}
        raise ClientError(answer, "HeadObject")

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        file = self.files[Key]
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        facts: dict[str, Any] = {"next_token": None, "end": None, "taken": 0, "sums": {}}
        return {"Body": StreamingBody(file, size), "Metadata": {"page": json.dumps(facts)}}


class Records:
    """Stands in for DynamoDB: accepts every write, and generates the records of pages."""

    def __init__(self, pages: int, page: Callable[[int], dict[str, Any]]) -> None:
        self._pages, self._page = pages, page
        self.items: dict[str, dict[str, Any]] = {}

    def put_item(self, *, Item: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.items[Item["pk"]["S"]] = Item
        return {}

    def update_item(self, **_: Any) -> dict[str, Any]:
        return {}

    delete_item = update_item

    def get_item(self, *, Key: dict[str, Any], **_: Any) -> dict[str, Any]:
        found = self.items.get(Key["pk"]["S"])
        return {} if found is None else {"Item": found}

    def get_paginator(self, _: str) -> Records:
        return self

    def paginate(self, *, ExpressionAttributeValues: dict[str, Any], **_: Any) -> Iterator[dict[str, Any]]:
        prefix = ExpressionAttributeValues.get(":sk", {"S": ""})["S"]
        for number in range(self._pages if prefix == "page#" else 0):
            yield {"Items": [self._page(number)]}


def page_record(target_id: str, page: int, items: int) -> dict[str, Any]:
    place = Place(page=page + 1, items=items, next="end", verdict="complete")
    return {
        "sk": {"S": f"page#{target_id}#0001#{page:08d}"},
        "items": {"N": str(items)},
        "bytes": {"N": "1000"},
        "milliseconds": {"N": "300"},
        "key": {"S": f"items/crawl=objects/date=2026-01-01/run=r/{target_id}-1-{page:08d}.jsonl.gz"},
        "fetched_at": {"S": STARTED_AT},
        "place": {"S": json.dumps(place.as_dict())},
    }


def plan() -> str:
    """Plan a target for each of 100,000 items of another crawl's run."""
    source_run = plan_run(SOURCE, "source", STARTED_AT, STARTED_AT)
    target = Target("source", *OWNER, {})
    s3, dynamodb = Files(), Records(TARGETS // PAGE, lambda number: page_record("source", number + 1, PAGE))
    stores = Stores({"s3": s3, "dynamodb": dynamodb}.__getitem__, "b", "items", "runs")
    for number in range(TARGETS // PAGE):
        lines = (
            {"target": "source", "account": OWNER[0], "region": OWNER[1], "result_key": "Buckets", "key": name}
            | {"item": json.dumps({"Name": name, "CreationDate": STARTED_AT})}
            for name in (f"bucket-of-a-usual-length-{number * PAGE + each:08}" for each in range(PAGE))
        )
        body = gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode())
        s3.put_object(Key=page_record("source", number + 1, PAGE)["key"]["S"], Body=body)
    # One target per line, as PlanRun writes it.
    stores.pages.put_text(targets_key(source_run), ["[\n", json.dumps(target.as_dict()), "\n]"], dict)
    stores.runs.begin(source_run, SOURCE.as_dict(), 1, "plan", as_catalogued=True, source=None)
    stores.runs.record_latest(source_run, SOURCE)
    expansion = Expansion(lambda *_: None, stores, {"buckets": SOURCE}, *OWNER)
    planned = Planner(stores, lambda _: False).begin(
        Crawl.from_dict({**CRAWL.as_dict(), "overlap": "allow"}), Execution("e", STARTED_AT, STARTED_AT), expansion
    )
    assert planned["targets"]["count"] == TARGETS
    assert len(json.dumps(planned)) < 5000
    file = s3.files[planned["targets"]["key"]]
    size = file.seek(0, io.SEEK_END)
    _to_be_read.append(file)
    return f"{size / 1e6:.0f} MB of targets.json"


def naive_plan() -> str:
    """The baseline: a list of all targets."""
    made = [
        asdict(
            Target(f"{OWNER[0]}-{OWNER[1]}-{number:010}", *OWNER, {"Bucket": f"bucket-of-a-usual-length-{number:08}"})
        )
        for number in range(TARGETS)
    ]
    return f"{len(json.dumps(made).encode()) / 1e6:.0f} MB of targets.json"


# Files that `main` reads back after the measurement.
_to_be_read: list[IO[bytes]] = []
MEASURED: dict[str, Callable[[], str]] = {"plan": plan, "naive_plan": naive_plan}


def main() -> int:
    """Measure the named function, or each function in its own process. Returns the exit code."""
    if len(sys.argv) > 1:
        began = time.perf_counter()
        what = MEASURED[sys.argv[1]]()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024
        print(json.dumps({"what": what, "seconds": time.perf_counter() - began, "megabytes": peak}))
        for file in _to_be_read:
            file.seek(0)
            # A Distributed Map reads the file as one JSON array.
            assert len(json.load(file)) == TARGETS
        return 0
    found = {
        name: json.loads(subprocess.run([sys.executable, __file__, name], check=True, stdout=subprocess.PIPE).stdout)
        for name in MEASURED
    }
    print(f"{TARGETS:,} targets")
    for name, measured in found.items():
        ratio = measured["megabytes"] / found["naive_plan"]["megabytes"]
        print(
            f"{name:12} {measured['seconds']:7.1f} s {measured['megabytes']:7.0f} MB "
            f"{ratio:5.2f} times naive_plan's memory   {measured['what']}"
        )
    return 0 if found["plan"]["megabytes"] < MEMORY_MB else 1


if __name__ == "__main__":
    sys.exit(main())
