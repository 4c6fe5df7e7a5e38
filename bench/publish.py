"""Measures memory, disk, time and requests of publishing large listings. `make bench-publish` runs it.

Every step runs in its own process, as in a fresh function, and reports its peak resident memory, what it had on disk at
once, and the time. Files stand in for S3. A table that keeps no items stands in for DynamoDB, and counts. The peer is
DuckDB alone, which copies the same pages into one Parquet file.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from pageturner.console import Console
from pageturner.crawls.crawl import Crawl
from pageturner.finish.finishing import Finisher
from pageturner.finish.progress import LIMITS
from pageturner.page_state import Place, Run, Target
from pageturner.publish.announcing import Announcer
from pageturner.publish.making import Maker
from pageturner.publish.parts import Part, make
from pageturner.publish.plan import Plan
from pageturner.publish.plan_making import PlanMaker
from pageturner.publish.publishing import Publisher
from pageturner.publish.tables import Tables
from pageturner.stores import Stores
from pageturner.stores.checkpoints import PageRecord
from pageturner.stores.keys import targets_key
from pageturner.stores.page_store import Facts
from tests.fakes import FakeDynamoDB

PAGE = 1000
# As in infra/publishing.py and infra/settings.py.
MEMORY_MB, DISK_MB, MOST_ROWS = 3008, 4096, 1_000_000
NOW = "2026-01-01T00:00:00.000Z"
# In every hundredth item, the third run finds another value.
CHANGED = 100
# Dollars at the us-east-1 list prices of November 2026: DynamoDB's units on demand, S3's requests of both tiers.
PRICES = {"writes": 0.625e-6, "reads": 0.125e-6, "puts": 0.005e-3, "gets": 0.0004e-3}


def an_object(number: int, version: int) -> tuple[str, dict[str, Any]]:
    """An object of S3 list_objects_v2, and its key."""
    etag = hashlib.md5(f"{number}-{version}".encode(), usedforsecurity=False).hexdigest()
    key = f"logs/2026/{number % 12 + 1:02}/{number % 28 + 1:02}/server-{number % 97:02}/{number:09}.json.gz"
    item = {"ChecksumAlgorithm": ["CRC64NVME"], "ChecksumType": "FULL_OBJECT", "ETag": f'"{etag}"', "Key": key}
    return key, {**item, "LastModified": f"2026-01-{number % 28 + 1:02}T03:04:05Z", "Size": int(etag[:6], 16)}


def a_reservation(number: int, version: int) -> tuple[str, dict[str, Any]]:
    """A reservation of EC2 describe_instances, with about 4 KB."""
    chance = random.Random(f"{number}-{version}")  # noqa: S311 - the same items each time

    def an_id(kind: str) -> str:
        return f"{kind}-{chance.getrandbits(68):017x}"

    cards = [
        {"Attachment": {"AttachmentId": an_id("eni-attach"), "Status": "attached"}, "MacAddress": an_id("02"), "N": n}
        | {"Groups": [{"GroupId": an_id("sg"), "GroupName": f"group-{chance.randrange(99)}"} for _ in range(4)]}
        | {"NetworkInterfaceId": an_id("eni"), "PrivateIpAddress": f"10.0.{n}.{chance.randrange(256)}"}
        for n in range(5)
    ]
    disks = [{"DeviceName": f"/dev/sd{n}", "Ebs": {"VolumeId": an_id("vol"), "Status": "attached"}} for n in range(6)]
    tags = [{"Key": f"company:tag-{n}", "Value": an_id("value")} for n in range(12)]
    instance = {"BlockDeviceMappings": disks, "InstanceId": an_id("i"), "NetworkInterfaces": cards, "Tags": tags}
    key = f"r-{number:017x}"
    return key, {"Instances": [instance], "OwnerId": "111111111111", "ReservationId": key}


def a_key(number: int, version: int) -> tuple[str, Any]:
    """The key of an object alone, as a crawl with a `search` lists it."""
    key, _ = an_object(number, version)
    return key, key


@dataclass(frozen=True)
class Listing:
    """A listing that is published: a crawl, and what makes its items."""

    crawl: Crawl
    item: Callable[[int, int], tuple[str, Any]]


LISTINGS = {
    "objects": Listing(Crawl("objects", "s3", "list_objects_v2", key="Key"), an_object),
    # Without DynamoDB: for numbers of which the table alone is measured.
    "keys": Listing(Crawl("keys", "s3", "list_objects_v2", search="Contents[].Key", sinks=()), a_key),
    "reservations": Listing(Crawl("reservations", "ec2", "describe_instances", key="ReservationId"), a_reservation),
}


class Files:
    """Stands in for S3: every object is a file, with its metadata in another. Counts requests."""

    def __init__(self, folder: Path, counts: Counter[str]) -> None:
        self._folder, self._counts = folder, counts

    def put_object(self, *, Key: str, Body: Any, IfNoneMatch: str = "", **more: Any) -> dict[str, Any]:
        self._counts["puts"] += 1
        path = self._folder / Key
        if IfNoneMatch and path.exists():
            raise _error("PreconditionFailed", 412, "PutObject")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(io.BytesIO(Body) if isinstance(Body, bytes) else Body, file)
        self._metadata(Key).write_text(json.dumps(more.get("Metadata", {})))
        return {}

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        self._counts["gets"] += 1
        path = self._folder / Key
        if not path.exists():
            raise _error("NoSuchKey", 404, "GetObject")
        size = path.stat().st_size
        # Nobody closes what is small.
        body: Any = path.open("rb") if size > 1 << 20 else io.BytesIO(path.read_bytes())
        metadata = json.loads(self._metadata(Key).read_text())
        return {"Body": StreamingBody(body, size), "Metadata": metadata}

    def head_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        self._counts["gets"] += 1
        if not (self._folder / Key).exists():
            raise _error("404", 404, "HeadObject")
        return {"ETag": Key, "Metadata": json.loads(self._metadata(Key).read_text())}

    def put_object_tagging(self, **_: Any) -> dict[str, Any]:
        self._counts["puts"] += 1
        return {}

    def delete_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        (self._folder / Key).unlink(missing_ok=True)
        return {}

    def _metadata(self, key: str) -> Path:
        return self._folder / f"{key}.metadata"


class Table(FakeDynamoDB):
    """Stands in for DynamoDB. Counts the units of the table `items`, and keeps none of its items."""

    counts: Counter[str]

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        mine: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        for action in TransactItems:
            ((kind, body),) = action.items()
            is_item = body["TableName"] == "items" and "#" in body.get("Item", body.get("Key"))["pk"]["S"]
            (mine if is_item else others).append(action)
            with self._lock:
                # Each is written twice; what is deleted is as large as what was put, here up to 1 KB.
                units = 2 * -(-len(json.dumps(body.get("Item", {}))) // 1024) if kind == "Put" else 2
                self.counts["writes"] += units
                self.counts["written items"] += is_item
        if others:
            super().transact_write_items(TransactItems=others)
        return {}

    def query(self, *, TableName: str, **request: Any) -> dict[str, Any]:
        found = super().query(TableName=TableName, **request)
        if TableName == "items":
            # Strongly consistent: a unit for each 4 KB, and at least one.
            self.counts["reads"] += 1 + len(json.dumps(found["Items"])) // 4096
            self.counts["queries of items"] += 1
        return found


class Glue:
    """Stands in for the Glue Data Catalog: its tables are always new."""

    def get_table(self, **_: Any) -> dict[str, Any]:
        raise _error("EntityNotFoundException", 400, "GetTable")

    def create_table(self, **_: Any) -> dict[str, Any]:
        return {}

    batch_create_partition = create_table

    def put_events(self, **_: Any) -> dict[str, Any]:
        return {"FailedEntryCount": 0}


def _error(code: str, status: int, operation: str) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


class World:
    """A deployment in a folder, which outlasts processes."""

    def __init__(self, folder: Path) -> None:
        self._records = folder / "records.json"
        self._bucket = folder / "bucket"
        there = json.loads(self._records.read_text()) if self._records.exists() else {"tables": {}, "counts": {}}
        self.counts: Counter[str] = Counter(there["counts"])
        self.dynamodb = Table({name: {tuple(key): row for key, row in rows} for name, rows in there["tables"].items()})
        self.dynamodb.counts = self.counts
        clients: Mapping[str, Any] = {"s3": Files(self._bucket, self.counts), "dynamodb": self.dynamodb}
        self.stores = Stores(clients.__getitem__, "b", "items", "runs")
        most_rows = int(os.environ.get("MOST_ROWS", MOST_ROWS))
        glue: Any = Glue()
        self.publisher = Publisher(
            self.stores, Tables(glue, "d", "b"), Announcer(self.stores, glue, "d", "s"), most_rows=most_rows
        )

    def path(self, key: str) -> Path:
        return self._bucket / key

    def save(self) -> None:
        tables = {name: list(rows.items()) for name, rows in self.dynamodb.tables.items()}
        self._records.write_text(json.dumps({"tables": tables, "counts": self.counts}))


def _run(version: int) -> Run:
    return Run(f"run-{version}", "2026-01-01", f"2026-01-0{version}T00:00:00.000Z", NOW, 2**40)


def list_items(world: World, name: str, items: int, version: int) -> str:
    """Put the pages of a run that has ended, and its manifest, as FetchPage and FinishRun do."""
    listing, run, target = LISTINGS[name], _run(version), Target("t", "111111111111", "us-east-1", {})
    stores, crawl = world.stores, listing.crawl
    begins: Any = run, crawl.as_dict(), 1, "plan"
    stores.runs.begin(*begins, as_catalogued=True, source=None)
    stores.pages.put_text(targets_key(run), ["[\n", json.dumps(target.as_dict()), "\n]"], dict)
    pages = -(-items // PAGE)
    for number in range(pages):
        place = Place(page=number + 1)
        records = [
            {"crawl": crawl.name, "run_id": run.run_id, "account": target.account, "region": target.region}
            | {"target": target.target_id, "pass": 1, "page": place.page, "result_key": crawl.primary_result_key}
            | {"key": key, "fetched_at": run.started_at, "item": json.dumps(item, separators=(",", ":"))}
            for key, item in _items(listing, range(number * PAGE, min(items, (number + 1) * PAGE)), version)
        ]
        page = stores.pages.commit(run, crawl.name, target, place, records, Facts(None, None, len(records), {}))
        is_last = number == pages - 1
        after = Place(page=place.page + 1, next="end", verdict="complete") if is_last else Place(page=place.page + 1)
        made = PageRecord("t", 1, place.page, len(records), page.bytes, page.key, after, fetched_at=NOW)
        stores.checkpoints.record_page(run, made)
    summary = Finisher(stores, Console("us-east-1"), LIMITS).finish(run.run_id, "e", datetime.now(UTC))
    assert summary["verdict"] == "complete", summary
    # They are no longer needed, and every process would read them.
    runs = world.dynamodb.tables["runs"]
    world.dynamodb.tables["runs"] = {key: row for key, row in runs.items() if not key[1].startswith("page#")}
    world.counts.clear()
    return f"{summary['bytes'] / 1e6:,.0f} MB of pages"


def _items(listing: Listing, numbers: range, version: int) -> Iterator[tuple[str, Any]]:
    for number in numbers:
        yield listing.item(number, 3 if version == 3 and number % CHANGED == 0 else 1)


def make_files(world: World, version: int) -> str:
    """Plan a publication, and make its files, if one function can."""
    found = world.stores.runs.find(_run(version).run_id)
    assert found is not None
    state = world.stores.publications.state(found.crawl["name"])
    plan = PlanMaker(world.stores, world.publisher.most_rows).make(found, state, "", NOW)
    assert isinstance(plan, Plan)
    world.stores.publications.begin(plan.publication)
    if plan.publication.buckets == 1:
        assert make(Maker.of(world.stores, plan.prefix)) is None
    return f"{plan.chunks} chunks, {plan.publication.buckets} buckets"


def publish(world: World, version: int) -> str:
    """Do the next step of a publication. Returns where the parts are, or what has become of it."""
    step = world.publisher.publish(_run(version).run_id, 1, "", NOW)
    return str(step["parts"]["key"] if step["next"] == "parts" else step["summary"]["published"]["message"])


def do_part(world: World, part: Mapping[str, Any]) -> str:
    """Do a part of a publication."""
    while not world.publisher.do(Part(**part)):
        pass
    return str(part["index"])


def copy(world: World, version: int) -> str:
    """The peer: DuckDB copies the pages into a Parquet file."""
    pages = sorted(str(path) for path in world.path("items").rglob(f"run=run-{version}/*.gz"))
    path = Path(tempfile.gettempdir()) / "copy.parquet"
    connection = duckdb.connect(config={"memory_limit": f"{int(MEMORY_MB * 0.6)}MB"})
    source = f"read_json({pages}, format = 'newline_delimited', compression = 'gzip', maximum_object_size = 1048576)"
    connection.execute(f"COPY (FROM {source}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    return f"{path.stat().st_size / 1e6:,.0f} MB of Parquet"


STEPS: dict[str, Callable[..., str]] = {
    "list": list_items,
    "make": make_files,
    "publish": publish,
    "part": do_part,
    "copy": copy,
}


@dataclass(frozen=True)
class Measured:
    """What a process took. `megabytes` is its peak of resident memory, `disk` its peak of files, in MB."""

    what: str
    seconds: float
    megabytes: float
    disk: float


def measure(folder: Path, step: str, *arguments: Any) -> Measured:
    """Do a step in a process of its own."""
    temporary = folder / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    command = [sys.executable, "-m", "bench.publish", "step", str(folder), step, json.dumps(arguments)]
    environment = {**os.environ, "TMPDIR": str(temporary), "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB)}
    disk = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        while process.poll() is None:
            disk = max(disk, _size(temporary))
            time.sleep(0.05)
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 0, step
    return Measured(**json.loads(said), disk=disk / 2**20)


def _size(folder: Path) -> int:
    size = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.stat(os.path.join(path, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return size


def publish_all(folder: Path, version: int) -> dict[str, list[Measured]]:
    """Publish a run, and return what the steps of each kind took."""
    taken: dict[str, list[Measured]] = {"make": [measure(folder, "make", version)]}
    while True:
        taken.setdefault("publish", []).append(measure(folder, "publish", version))
        parts = folder / "bucket" / taken["publish"][-1].what
        if not parts.is_file():
            return taken
        for part in json.loads(parts.read_text()):
            taken.setdefault(part["what"], []).append(measure(folder, "part", part))


def counted(folder: Path) -> Counter[str]:
    """Take the requests since they were counted last."""
    world = World(folder)
    counts = Counter(world.counts)
    world.counts.clear()
    world.save()
    return counts


def of_listing(name: str, items: int, versions: Sequence[int] = (1, 2, 3)) -> bool:
    """Publish runs of a listing: the first, the same again, and with 1% changed. Returns whether it fits."""
    fits = True
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        for version in versions:
            listed = measure(folder, "list", name, items, version)
            peer = measure(folder, "copy", version)
            taken = publish_all(folder, version)
            counts = counted(folder)
            print(f"\n{items:,} {name}, run {version}: {listed.what}; {taken['publish'][-1].what}")
            _print("DuckDB's copy", [peer])
            for step, of_step in taken.items():
                _print(step, of_step)
                fits &= all(each.megabytes < MEMORY_MB and each.disk < DISK_MB for each in of_step)
            making = sum(each.seconds for step in ("make", "scatter", "merge") for each in taken.get(step, []))
            print(f"  making the files takes {making / peer.seconds:.1f} times as long as DuckDB's copy")
            dollars = sum(counts[each] * price for each, price in PRICES.items())
            print(f"  {', '.join(f'{number:,} {what}' for what, number in sorted(counts.items()))}: ${dollars:.4f}")
            changed = {1: items, 2: 0, 3: -(-items // CHANGED)}[version] if LISTINGS[name].crawl.sinks else 0
            assert counts["written items"] == changed, counts
            assert version == 1 or not counts["queries of items"], counts
    return fits


def _print(step: str, of_step: Sequence[Measured]) -> None:
    print(
        f"  {step:14} {len(of_step):3} x  {sum(each.seconds for each in of_step):7.1f} s in all  "
        f"{max(each.seconds for each in of_step):6.1f} s  {max(each.megabytes for each in of_step):6.0f} MB of memory  "
        f"{max(each.disk for each in of_step):6.0f} MB of disk at most",
        flush=True,
    )


def main(arguments: Sequence[str]) -> int:
    """Measure listings, like `objects=1000000`, or do a step of that. Returns the exit code."""
    if arguments[:1] == ["step"]:
        _, folder, step, given = arguments
        world = World(Path(folder))
        began = time.perf_counter()
        what = STEPS[step](world, *json.loads(given))
        seconds = time.perf_counter() - began
        world.save()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024
        print(json.dumps({"what": what, "seconds": seconds, "megabytes": peak}))
        return 0
    chosen = arguments or ["objects=100000", "objects=1000000", "reservations=75000", "keys=10000000"]
    fit = []
    for name, _, items in (each.partition("=") for each in chosen):
        # The second run of what goes in buckets shows nothing new.
        fit.append(of_listing(name, int(items), (1, 2, 3) if int(items) <= MOST_ROWS else (1,)))
    print(f"\na function has {MEMORY_MB:,} MB of memory and {DISK_MB:,.0f} MB of disk")
    return 0 if all(fit) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
