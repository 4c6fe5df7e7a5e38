"""Measures the memory and time to finish runs of up to 10,000,000 pages. `make bench-finish` runs it.

Each invocation of FinishRun runs in its own process, as a machine that loops would invoke it, and reports its peak
resident memory, its time, and the most disk that it used. Generators stand in for DynamoDB and files for S3, so that
only Pageturner's own memory counts.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from bench.plan import CRAWL, OWNER, STARTED_AT, page_record
from pageturner.console import Console
from pageturner.finish.finishing import Finisher
from pageturner.finish.manifest import Manifest
from pageturner.finish.progress import LIMITS, Limits
from pageturner.page_state import Place, Run, Target
from pageturner.stores import Stores
from pageturner.stores.keys import manifest_key, targets_key
from pageturner.stores.page_store import array_text

# Pages and targets of each run.
SHAPES = ((10_000_000, 1), (1_000_000, 1_000_000), (1_000_000, 1), (49_000, 9_000))
MEMORY_MB, DISK_MB = 1024, 512
RUN = Run("r", "2026-01-01", STARTED_AT, STARTED_AT, 0)
# Records of an answer, and what is the same in each: making them must not take longer than reading them.
_ANSWER = 1000
_ITEM = page_record("", 1, 7)
_PLACE = json.dumps(Place(page=0, items=7, token="a-token-of-a-usual-length" * 8).as_dict())
_LAST = json.dumps(Place(page=0, items=7, next="end", verdict="complete").as_dict())


class Folder:
    """Stands in for S3: every object is a file in a folder, which the next process finds there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, key: str) -> Path:
        return self._folder / key.replace("/", "%")

    def put_object(self, *, Key: str, Body: Any, Metadata: Any = None, **_: Any) -> dict[str, Any]:
        body = BytesIO(Body) if isinstance(Body, bytes) else Body
        with self.path(Key).open("wb") as file:
            while chunk := body.read(1 << 20):
                file.write(chunk)
        self.path(f"{Key}#").write_text(json.dumps(Metadata or {}))
        return {}

    def head_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        if not self.path(Key).exists():
            raise _not_there("404")
        return {"ETag": "", "Metadata": json.loads(self.path(f"{Key}#").read_text())}

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        if not self.path(Key).exists():
            raise _not_there("NoSuchKey")
        return {"Body": StreamingBody(self.path(Key).open("rb"), self.path(Key).stat().st_size), "Metadata": {}}


def _not_there(code: str) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 404}}
    return ClientError(answer, "GetObject")


class Records:
    """Stands in for DynamoDB: accepts every write, has the row of the run, and generates the records of its pages."""

    def __init__(self, pages: int, targets: int) -> None:
        self._pages, self._targets = pages, targets
        self._run = {"run": json.dumps(asdict(RUN)), "crawl": json.dumps(CRAWL.as_dict()), "execution": "e"}

    def put_item(self, **_: Any) -> dict[str, Any]:
        return {}

    update_item = delete_item = put_item

    def batch_write_item(self, **_: Any) -> dict[str, Any]:
        return {"UnprocessedItems": {}}

    def get_item(self, *, Key: dict[str, Any], **_: Any) -> dict[str, Any]:
        is_run = Key["pk"]["S"] == f"run#{RUN.run_id}"
        return {"Item": {name: {"S": value} for name, value in self._run.items()}} if is_run else {}

    def get_paginator(self, _: str) -> Records:
        return self

    def paginate(self, *, ExpressionAttributeValues: dict[str, Any], **_: Any) -> Iterator[dict[str, Any]]:
        after = ExpressionAttributeValues[":sk"]["S"]
        if not after.startswith("page#"):
            return
        of_target = self._pages // self._targets
        first = 0
        if found := re.fullmatch(r"page#.+-(\d+)#0001#(\d+)\$", after):
            first = int(found[1]) * of_target + int(found[2])
        for begin in range(first, self._pages, _ANSWER):
            numbers = range(begin, min(begin + _ANSWER, self._pages))
            yield {"Items": [self._record(*divmod(number, of_target), of_target) for number in numbers]}

    def _record(self, target: int, page: int, pages: int) -> dict[str, Any]:
        record = {**_ITEM, "sk": {"S": f"page#{name_of(target)}#0001#{page + 1:08d}"}}
        record["key"] = {"S": f"items/crawl=objects/date=2026-01-01/run=r/{name_of(target)}-1-{page + 1:08d}.jsonl.gz"}
        place = _LAST if page + 1 == pages else _PLACE
        record["place"] = {"S": place.replace('"page": 0', f'"page": {page + 2}')}
        return record


def name_of(target: int) -> str:
    return f"{OWNER[0]}-{OWNER[1]}-{target:010}"


def stores_in(folder: Path, pages: int, targets: int) -> Stores:
    return Stores({"s3": Folder(folder), "dynamodb": Records(pages, targets)}.__getitem__, "b", "items", "runs")


def put_targets(folder: Path, targets: int) -> None:
    """Put the targets file, in an order that is not that of the ids."""
    numbers = (number * 7_368_787 % targets for number in range(targets))
    made = (Target(name_of(number), *OWNER, {"Bucket": f"b{number}"}).as_dict() for number in numbers)
    stores_in(folder, targets, targets).pages.put_text(targets_key(RUN), array_text(made), dict)


def invoke(folder: Path, pages: int, targets: int, limits: Limits = LIMITS) -> dict[str, Any]:
    """Invoke FinishRun once."""
    return Finisher(stores_in(folder, pages, targets), Console(OWNER[1]), limits).finish(
        RUN.run_id, "e", datetime.now(UTC), 1
    )


def check(folder: Path, pages: int, targets: int) -> str:
    """Read the manifest as publishing does, and return what is in it."""
    stores = stores_in(folder, pages, targets)
    with tempfile.TemporaryDirectory() as own:
        path = Path(own) / "manifest.json"
        assert stores.pages.download(manifest_key(RUN), path)
        manifest = Manifest(path, stores.pages)
        files = sum(file["verdict"] == "complete" for file in manifest.files())
        found = sum(entry["pages"] for entry in manifest.entries())
    assert (files, found) == (pages, pages)
    return f"{files:,} files; manifest.json has {Folder(folder).path(manifest_key(RUN)).stat().st_size / 1e6:.3f} MB"


STEPS: dict[str, Callable[..., Any]] = {"put_targets": put_targets, "invoke": invoke, "check": check}


def measured(step: str, folder: Path, *numbers: int) -> tuple[Any, float, float, float]:
    """Run a step in its own process; return its result, seconds, megabytes of memory and of disk."""
    with tempfile.TemporaryDirectory() as own:
        command = [sys.executable, "-m", "bench.finish", step, str(folder), *map(str, numbers)]
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": own})
        disk = 0
        while process.poll() is None:
            disk = max(disk, _size_of(Path(own)))
            time.sleep(0.2)
        assert process.stdout is not None
        said = json.loads(process.stdout.read())
        assert process.returncode == 0
    return said["result"], time.perf_counter() - began, said["megabytes"], disk / 1e6


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # it was deleted meanwhile
            continue
    return total


def finish(pages: int, targets: int) -> bool:
    """Finish a run, and print what each invocation took. Returns whether all fit into the function."""
    print(f"{pages:,} pages of {targets:,} targets")
    fits = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured("put_targets", folder, targets)
        outcome, number = "again", 0
        while outcome == "again":
            number += 1
            summary, seconds, memory, disk = measured("invoke", folder, pages, targets)
            outcome = summary["outcome"]
            print(
                f"  invocation {number:3} {seconds:6.1f} s {memory:5.0f} MB of memory {disk:5.0f} MB of disk  {outcome}"
            )
            fits = fits and memory < MEMORY_MB and disk < DISK_MB
        assert summary["targets"] == {"complete": targets}, summary["targets"]
        what, seconds, memory, disk = measured("check", folder, pages, targets)
        print(
            f"  reading it     {seconds:6.1f} s {memory:5.0f} MB of memory {disk:5.0f} MB of disk  {what}", flush=True
        )
    return fits


def main() -> int:
    """Measure all shapes, or one: `pages targets`; or do a step. Returns the exit code."""
    if sys.argv[1:2] and sys.argv[1] in STEPS:
        step, folder, *numbers = sys.argv[1:]
        result = STEPS[step](Path(folder), *map(int, numbers))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024
        print(json.dumps({"result": result, "megabytes": peak}))
        return 0
    shapes = [(int(sys.argv[1]), int(sys.argv[2]))] if len(sys.argv) > 2 else SHAPES
    return 0 if all([finish(*shape) for shape in shapes]) else 1  # noqa: C419 - measure all of them


if __name__ == "__main__":
    sys.exit(main())
