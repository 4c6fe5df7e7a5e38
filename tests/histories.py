"""Histories of listings, published into fakes, and what has to come of them by the rules.

`World` writes what runs listed, as FetchPage does, ends them with FinishRun's own code, and publishes them with
PublishRun's. `Truth` says what is published then: each rule once more, in plain Python.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any

from botocore.exceptions import ClientError

from pageturner.console import Console
from pageturner.crawls.crawl import Crawl
from pageturner.finish.finishing import Finisher
from pageturner.finish.progress import LIMITS, Limits
from pageturner.page_state import PageState, Place, Run, Target
from pageturner.paging.identity import keys_of
from pageturner.publish.announcing import Announcer
from pageturner.publish.parts import Part
from pageturner.publish.publishing import Publisher
from pageturner.publish.tables import Tables
from pageturner.stores.checkpoints import PageRecord
from pageturner.stores.keys import RUN, VERDICT, sort_key, targets_key
from pageturner.stores.page_store import Facts, array_text
from pageturner.stores.publications import State
from pageturner.turn.records import records
from tests.fake_glue import FakeEvents, FakeGlue
from tests.fakes import FakeDynamoDB, FakePaginator, FakeS3, stores_in
from tests.machines.publishing_services import parquet_rows

ACCOUNT = "111111111111"
PREFIXES = "CommonPrefixes"
# An item: result key, key, what else tells it from others, and what may be ignored.
Item = tuple[str, str, str, int]


class Killed(BaseException):
    """The function's process was killed."""


@dataclass
class Process:
    """A process that is killed at its n-th request, or whose n-th request is done twice: the first answer was lost.

    It notes all requests, with their DynamoDB table.
    """

    dies_at: int | None = None
    doubles: int | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)
    _lock: Any = field(default_factory=RLock, repr=False)

    def client(self, fake: Any) -> Any:
        return _Client(self, fake)

    @property
    def writes(self) -> list[int]:
        """The numbers of the requests that may write: a kill after another, or another done twice, is nothing."""
        return [
            number
            for number, (name, _) in enumerate(self.requests, start=1)
            if not name.startswith(("get_", "batch_get_", "head_", "describe_", "query"))
        ]

    def request(self, name: str, operation: Any, arguments: Mapping[str, Any]) -> Any:
        with self._lock:
            number = len(self.requests) + 1
            actions = [body for action in arguments.get("TransactItems", []) for body in action.values()]
            self.requests.append((name, str((actions or [arguments])[-1].get("TableName", ""))))
            if self.dies_at is not None and number >= self.dies_at:
                raise Killed
            if number == self.doubles:
                with suppress(ClientError):
                    operation(**_again(arguments))
            return operation(**arguments)


def _again(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a request that is done twice: a body can be read only once."""
    body = arguments.get("Body")
    if body is None or isinstance(body, bytes):
        return dict(arguments)
    whole = body.read()
    body.seek(0)
    return {**arguments, "Body": whole}


class _Client:
    def __init__(self, process: Process, fake: Any) -> None:
        self._process, self._fake = process, fake

    def __getattr__(self, name: str) -> Any:
        if name == "get_paginator":
            return lambda operation: FakePaginator(getattr(self, operation))
        operation = getattr(self._fake, name)
        return lambda **arguments: self._process.request(name, operation, arguments)


@dataclass(frozen=True)
class Listed:
    """What a run listed of a target: the pages of each pass, and how the last one ended."""

    passes: Sequence[Sequence[Sequence[Item]]]
    verdict: str = "complete"
    ignored_errors: int = 0

    @property
    def pages(self) -> Sequence[Sequence[Item]]:
        return self.passes[-1]


def listed(*pages: Sequence[Item], verdict: str = "complete", ignored_errors: int = 0) -> Listed:
    """A target whose only pass has these pages."""
    return Listed([pages], verdict, ignored_errors)


def item(key: str, value: str = "1", noise: int = 0, result_key: str = "Contents") -> Item:
    """An object in a bucket."""
    return (result_key, key, value, noise)


@dataclass(frozen=True)
class Ran:
    """A run that has ended, of a generation, and its targets by name."""

    run: Run
    crawl: Crawl
    targets: Mapping[str, Listed]
    summary: Mapping[str, Any]
    as_catalogued: bool = True


def target_of(name: str) -> Target:
    return Target(name, ACCOUNT, "eu-west-1", {"Bucket": name})


class World:
    """The deployment of one crawl."""

    def __init__(self, most_rows: int = 1000, limits: Limits = LIMITS) -> None:
        self.s3, self.dynamodb, self.glue, self.events = FakeS3(), FakeDynamoDB(), FakeGlue(), FakeEvents()
        self.most_rows, self.limits = most_rows, limits
        self.stores = stores_in(self.s3, self.dynamodb)
        self.truth = Truth()
        self._runs = 0

    def copy(self) -> World:
        """A world in which the same has happened."""
        made = World(self.most_rows, self.limits)
        made.s3.objects, made.s3.tags = dict(self.s3.objects), dict(self.s3.tags)
        made.dynamodb.tables = {name: dict(rows) for name, rows in self.dynamodb.tables.items()}
        made.dynamodb.created_at = dict(self.dynamodb.created_at)
        made.glue.tables, made.glue.partitions = dict(self.glue.tables), dict(self.glue.partitions)
        made.events.sent = list(self.events.sent)
        made.truth, made._runs = self.truth.copy(), self._runs
        return made

    def run(
        self,
        targets: Mapping[str, Listed],
        *,
        day: int | None = None,
        as_catalogued: bool = True,
        resumes: Ran | None = None,
        **crawl: Any,
    ) -> Ran:
        """Run the crawl on a day of January 2126 (the next one), and end the run."""
        run, whole = self.begin(targets, day=day, as_catalogued=as_catalogued, resumes=resumes, **crawl)
        return Ran(run, whole, targets, self.finish(run), as_catalogued)

    def finish(self, run: Run, process: Process | None = None) -> dict[str, Any]:
        """End a run that has listed its targets, and return its summary."""
        process = process or Process()
        stores = stores_in(process.client(self.s3), process.client(self.dynamodb))
        ended = datetime.fromisoformat(run.started_at) + timedelta(hours=23)
        for _ in range(1000):
            summary = Finisher(stores, Console("eu-west-1"), self.limits).finish(
                run.run_id, run.execution, ended, run.generation
            )
            if summary["outcome"] != "again":
                return summary
        raise AssertionError("it does not come to an end")

    def begin(
        self,
        targets: Mapping[str, Listed],
        *,
        day: int | None = None,
        as_catalogued: bool = True,
        resumes: Ran | None = None,
        **crawl: Any,
    ) -> tuple[Run, Crawl]:
        """Begin a run, or resume one, and write what it lists."""
        self._runs = max(self._runs + 1, day or 0)
        number = day or self._runs
        whole = Crawl("c", "s3", "list_objects_v2", **{"key": "Key", "ignore_errors": ("X",), **crawl})
        if resumes is not None:
            run = replace(resumes.run, generation=resumes.run.generation + 1, since=resumes.run.generation + 1)
            assert self.stores.runs.resume(run, whole.as_dict(), "plan again")
        else:
            began = f"2126-01-{number:02}T00:00:00.000Z"
            deadline = "2127-01-01T00:00:00.000Z"
            run = Run(f"run-{number:02}", began[:10], began, deadline, 4_900_000_000, f"execution-{number}")
            texts = array_text({**target_of(name).as_dict(), "patience": {}} for name in targets)
            self.stores.pages.put_text(targets_key(run), texts, lambda: {"count": str(len(targets))})
            assert self.stores.runs.begin(
                run, whole.as_dict(), len(targets), "plan", as_catalogued=as_catalogued, source=None
            )
        for name, each in targets.items():
            self._list(run, whole, name, each)
        return run, whole

    def _list(self, run: Run, crawl: Crawl, name: str, what: Listed) -> None:
        target = target_of(name)
        identities = keys_of(crawl.service, crawl.operation, crawl.paginator.definition, crawl.key, crawl.search)
        for pass_number, pages in enumerate(what.passes, start=1):
            place = Place(pass_number=pass_number)
            self.stores.checkpoints.begin_pass(run, target, place)
            for number, page in enumerate(pages, start=1):
                is_end = pass_number == len(what.passes) and number == len(pages) and what.verdict != "denied"
                lines = records(
                    PageState(run, crawl, target, None),
                    place,
                    [("search" if crawl.search else one[0], document(one)) for one in page],
                    identities,
                    fetched_at(run, pass_number, number),
                )
                facts = Facts(None if is_end else "token", None, 0, {}, ignored_errors=what.ignored_errors)
                committed = self.stores.pages.commit(run, crawl.name, target, place, lines, facts)
                place = replace(
                    place,
                    page=number + 1,
                    items=place.items + len(lines),
                    token=None if is_end else "token",
                    next="end" if is_end else "page",
                    verdict=what.verdict if is_end else None,
                    ignored_errors=what.ignored_errors,
                )
                record = PageRecord(
                    *(name, pass_number, number, len(committed.records), committed.bytes, committed.key, place),
                    fetched_at=fetched_at(run, pass_number, number),
                )
                self.stores.checkpoints.record_page(run, record)
        if what.verdict == "denied":
            key = {"pk": {"S": RUN.format(run.run_id)}, "sk": {"S": VERDICT.format(run.generation, name)}}
            self.dynamodb.put_item(TableName="runs", Item={**key, "verdict": {"S": "denied"}})

    def everything(self) -> list[Any]:
        """All that the services have, without what publishing cost: what comes next depends on nothing else.

        What they store is replaced, and never changed.
        """
        rows = {
            (name, key): row
            for name, table in self.dynamodb.tables.items()
            for key, row in table.items()
            if not key[1].startswith("spent#")
        }
        stored = self.s3.objects, self.s3.tags, self.dynamodb.created_at, self.glue.tables, self.glue.partitions
        return [rows, *(dict(each) for each in stored), list(self.events.sent)]

    def state(self) -> State:
        """What the row of the crawl says."""
        return self.stores.publications.state("c")

    def publish(self, ran: Ran, process: Process | None = None, asked_by: str = "") -> dict[str, Any] | None:
        """Publish a run, and return its summary; None if the process was killed. The truth follows."""
        process = process or Process()
        try:
            return self._publish(ran, process, asked_by)
        except Killed:
            return None
        finally:
            self._follow(ran, asked_by)

    def _publish(self, ran: Ran, process: Process, asked_by: str) -> dict[str, Any]:
        stores = stores_in(process.client(self.s3), process.client(self.dynamodb))
        publisher = Publisher(
            stores,
            Tables(process.client(self.glue), "pageturner", "bucket"),
            Announcer(stores, process.client(self.events), "pageturner", "Stack"),
            self.most_rows,
        )
        for _ in range(100):
            now = "2126-02-01T00:00:00.000Z"
            step = publisher.publish(ran.run.run_id, ran.run.generation, asked_by, now)
            if step["next"] == "end":
                return dict(step["summary"])
            if step["next"] == "parts":
                parts = json.loads(self.s3.objects[step["parts"]["key"]].body)
                for part in parts:
                    while not publisher.do(Part(**part)):
                        pass
        raise AssertionError("it does not come to an end")

    def _follow(self, ran: Ran, asked_by: str) -> None:
        """Let the truth follow, if a publication was begun: its plan is pinned."""
        state = self.state()
        if state.last == self.truth.number:
            return
        assert state.last == self.truth.number + 1
        latest = state.pending or state.current
        assert latest is not None
        assert latest.number == state.last
        assert (latest.run_id, latest.asked_by) == (ran.run.run_id, asked_by)
        self.truth.publish(ran, latest.number, latest.name, asked=bool(asked_by))

    # What there is.

    def table(self) -> list[dict[str, Any]]:
        """The rows of the current publication."""
        current = self.state().current
        if current is None:
            return []
        keys = [f"tables/c/run={current.name}/{bucket:04d}.parquet" for bucket in range(current.buckets)]
        assert all(key in self.s3.objects for key in keys)
        return self.parquet(f"tables/c/run={current.name}/")

    def changes(self, name: str) -> list[dict[str, Any]]:
        """What a publication changed."""
        return self.parquet(f"changes/crawl=c/run={name}/")

    def parquet(self, prefix: str) -> list[dict[str, Any]]:
        """The rows of the files under a prefix."""
        return parquet_rows([stored.body for key, stored in self.s3.objects.items() if key.startswith(prefix)])

    def rows(self) -> dict[tuple[str, str], dict[str, str]]:
        """The items in DynamoDB, by listing and sort key."""
        return {
            (pk.partition("#")[2], sk): {name: value for name, typed in row.items() for value in typed.values()}
            for (pk, sk), row in self.dynamodb.tables.get("items", {}).items()
            if "#" in pk
        }

    def listings_there(self) -> set[str]:
        """The listings in DynamoDB."""
        return {row["listing_id"]["S"] for (pk, _), row in self.dynamodb.tables.get("items", {}).items() if pk == "c"}

    def lose_table(self) -> None:
        """Create the items table anew, with nothing in it."""
        self.dynamodb.tables["items"] = {}
        self.dynamodb.created_at["items"] = datetime(2126, 1, self._runs + 1, tzinfo=UTC)
        self.truth.lose_table()

    def check(self, summary: Mapping[str, Any] | None = None) -> None:
        """Compare everything with the truth, once nothing is pending."""
        state, truth = self.state(), self.truth
        # What is published and told may still be pending: whoever is next ends it.
        assert state.pending is None or (state.pending == state.current and state.is_committed)
        expected = truth.rows()
        same(
            {(row["listing"], id_of(row)): facts_of_row(row) for row in self.table()},
            {at: facts(entry) for at, entry in expected.items()},
        )
        assert len(self.table()) == len(expected)
        for number, name in truth.names.items():
            found = self.changes(name)
            same({(row["listing"], row["name"]): shown(row) for row in found}, truth.changes[number])
            assert len(found) == len(truth.changes[number])
        there = {
            at: {name: row.get(name) for name in ("hash", "item", "first_seen", "last_changed", "stale_since")}
            for at, row in self.rows().items()
        }
        same(there, {(of, sort_key(name)): row for (of, name), row in truth.told.items()})
        if summary is not None:
            kinds = Counter(change["kind"] for change in truth.changes.get(summary["published"]["number"], {}).values())
            assert {kind: summary["published"][kind] for kind in KINDS} == {kind: kinds[kind] for kind in KINDS}
        if state.current is not None:
            location = self.glue.tables["c"]["StorageDescriptor"]["Location"]
            assert location == f"s3://bucket/tables/c/run={state.current.name}/"


KINDS = ("new", "changed", "gone", "replaced")


def same(found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> None:
    """Assert that there are no differences, or show them alone."""
    at = [each for each in {*found, *expected} if found.get(each) != expected.get(each)]
    at.sort()
    assert not at, "\n".join(f"{each}: {found.get(each)}, not {expected.get(each)}" for each in at)


def fetched_at(run: Run, pass_number: int, page: int) -> str:
    return f"{run.started_at[:11]}{run.generation:02}:{pass_number:02}:{page % 60:02}.{page // 60:03}Z"


def document(one: Item) -> dict[str, Any]:
    _, key, value, noise = one
    return {"Key": key, "ETag": value, "Size": noise}


def text_of(one: Mapping[str, Any]) -> str:
    return json.dumps(one, separators=(",", ":"), sort_keys=True)


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def id_of(row: Mapping[str, Any]) -> str:
    return f"{row['name']}#{row['hash']}" if row["shares_key"] else str(row["name"])


@dataclass(frozen=True)
class Entry:
    """A published item."""

    listing: str
    result_key: str
    key: str
    id: str
    name: str
    item: str
    hash: str
    run_id: str
    first_seen: str
    last_changed: str
    fetched_at: str
    page_object: str

    @property
    def is_shared(self) -> bool:
        return self.id != self.name


def facts(entry: Entry) -> dict[str, Any]:
    names = ("result_key", "key", "name", "item", "hash", "run_id", "first_seen", "last_changed", "fetched_at")
    return {**{name: getattr(entry, name) for name in names}, "page_object": entry.page_object}


def facts_of_row(row: Mapping[str, Any]) -> dict[str, Any]:
    members = json.loads(row["item"])
    assert (row["item_key"], row["etag"], row["size"]) == (members["Key"], members["ETag"], members["Size"])
    assert (row["account"], row["region"], row["target"]) == (ACCOUNT, "eu-west-1", row["listing"])
    names = ("result_key", "key", "name", "item", "hash", "run_id", "first_seen", "last_changed", "fetched_at")
    return {**{name: _plain(row[name]) for name in names}, "page_object": row["page_object"]}


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("kind", "fields", "before", "after", "key", "result_key", "hash", "first_seen", "last_changed", "run_id")
    return {name: _plain(row[name]) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='milliseconds')}Z"
    return value


@dataclass
class Known:
    """What is published of a listing."""

    run_id: str = ""
    began: tuple[str, str] = ("", "")
    passes: int = 0
    definition: str = ""
    is_complete: bool = False
    as_catalogued: bool = True
    had_items: bool = False
    added: dict[str, str] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)


class Truth:
    """What is published of the crawl after each publication, by the rules, and what DynamoDB has then."""

    def __init__(self) -> None:
        self.number = 0
        self.listings: dict[str, Known] = {}
        self.names: dict[int, str] = {}
        self.changes: dict[int, dict[tuple[str, str], dict[str, Any]]] = {}
        self.told: dict[tuple[str, str], dict[str, Any]] = {}
        self.told_by = ("", "")
        self._stale_items: str | None = None
        self._is_told = False

    def copy(self) -> Truth:
        """One that knows the same. What it knows is replaced, and never changed."""
        made = copy(self)
        made.listings, made.names, made.changes, made.told = (
            *(dict(self.listings), dict(self.names)),
            *(dict(self.changes), dict(self.told)),
        )
        return made

    def rows(self) -> dict[tuple[str, str], Entry]:
        return {(of, entry.id): entry for of, known in self.listings.items() for entry in known.entries.values()}

    def lose_table(self) -> None:
        self.told = {}
        self._is_told = False

    def publish(self, ran: Ran, number: int, name: str, *, asked: bool) -> None:
        """A run is published."""
        self.number, self.names[number] = number, name
        changes: dict[tuple[str, str], dict[str, Any]] = {}
        for of, each in ran.targets.items():
            known = self.listings.get(of, Known())
            after = self._after(ran, of, each, known, asked=asked)
            if after is not None:
                comparable = of not in self.listings or known.definition == ran.crawl.definition
                changes |= self._compare(ran, of, known.entries, after.entries, comparable=comparable)
                self.listings[of] = after
        whole = {each.verdict for each in ran.targets.values()} == {"complete"}
        if ran.as_catalogued and whole:
            self.told_by = max(self.told_by, (ran.run.started_at, ran.run.run_id))
            for of, known in list(self.listings.items()):
                own = ran.run.started_at, ran.run.run_id
                last = max([known.began, *((began, run_id) for run_id, began in known.added.items())])
                if of not in ran.targets and known.as_catalogued and last < own:
                    changes |= self._compare(ran, of, known.entries, {}, comparable=True)
                    del self.listings[of]
        self.changes[number] = changes
        self._tell(ran, changes, asked=asked)

    def _after(self, ran: Ran, of: str, each: Listed, known: Known, *, asked: bool) -> Known | None:
        run, crawl = ran.run, ran.crawl
        own = run.started_at, run.run_id
        if each.verdict not in ("complete", "limited"):
            return None
        if of not in self.listings and ran.as_catalogued and self.told_by > own:
            return None
        if known.is_complete and known.began > own:
            return None
        if not asked and known.is_complete and known.run_id == run.run_id and known.passes == len(each.passes):
            return None
        comparable = of not in self.listings or known.definition == crawl.definition
        adds = each.verdict == "limited" or each.ignored_errors > 0
        if not comparable and (adds or (crawl.stale_items == "keep" and not ran.as_catalogued)):
            return None
        fresh = self._listed(ran, of, each, known, adds=adds)
        if not adds and known.had_items and not any(each.pages) and not crawl.allow_empty:
            return None
        newer = {run_id: began for run_id, began in known.added.items() if (began, run_id) > own}
        entries = {id_: entry for id_, entry in known.entries.items() if entry.run_id in newer}
        entries = {**{id_: entry for id_, entry in fresh.items() if id_ not in entries}, **entries}
        if adds:
            shared = {entry.name for entry in fresh.values() if entry.is_shared}
            for id_, entry in known.entries.items():
                if id_ not in entries and not (entry.name in shared and not entry.is_shared):
                    entries[id_] = entry
        as_catalogued = ran.as_catalogued or (of in self.listings and known.as_catalogued)
        if each.verdict == "limited":
            added = {**known.added, run.run_id: run.started_at}
            if of in self.listings:
                return replace(known, entries=entries, added=added, had_items=True, as_catalogued=as_catalogued)
        return Known(
            run_id=run.run_id,
            began=own,
            passes=len(each.passes),
            definition=crawl.definition,
            is_complete=each.verdict == "complete",
            as_catalogued=as_catalogued,
            had_items=any(each.pages) or (adds and known.had_items) or each.verdict == "limited" or bool(newer),
            added={run.run_id: run.started_at} if each.verdict == "limited" else dict(known.added) if adds else newer,
            entries=entries,
        )

    def _listed(self, ran: Ran, of: str, each: Listed, known: Known, *, adds: bool) -> dict[str, Entry]:
        crawl, run = ran.crawl, ran.run
        found: dict[tuple[str, str], Entry] = {}
        for number, page in enumerate(each.pages, start=1):
            # Of equal items on a page, any: they differ in what is ignored, and the first text counts.
            for one in sorted(page, key=lambda one: text_of(document(one))):
                members = document(one)
                result_key = "search" if crawl.search is not None else one[0]
                key = str(members[crawl.key or "Key"])
                is_plain = result_key == "search" or (result_key == "Contents" and not key.startswith(f"{PREFIXES}#"))
                name = key if is_plain else f"{result_key}#{key}"
                hashed = hash_of(text_of(without(members, crawl)))
                at = fetched_at(run, len(each.passes), number)
                page_object = (
                    f"items/crawl=c/date={run.date}/run={run.run_id}/{of}-{len(each.passes)}-{number:08d}.jsonl.gz"
                )
                entry = Entry(
                    *(of, result_key, key, name, name, text_of(members), hashed, run.run_id, at, at, at, page_object)
                )
                found.setdefault((name, hashed), entry)
        counted = Counter(name for name, _ in found)
        # Once told apart, always, where nothing is removed.
        shared = {name for name, count in counted.items() if count > 1}
        if adds:
            shared |= {entry.name for entry in known.entries.values() if entry.is_shared}
        fresh: dict[str, Entry] = {}
        for (name, hashed), entry in found.items():
            id_ = f"{name}#{hashed}" if name in shared else name
            before = known.entries.get(id_)
            first_seen = before.first_seen if before is not None else entry.first_seen
            same = before is not None and hash_of(text_of(without(json.loads(before.item), crawl))) == hashed
            last_changed = before.last_changed if same and before is not None else entry.last_changed
            fresh[id_] = replace(entry, id=id_, first_seen=first_seen, last_changed=last_changed)
        return fresh

    def _compare(
        self, ran: Ran, of: str, before: Mapping[str, Entry], after: Mapping[str, Entry], *, comparable: bool
    ) -> dict[tuple[str, str], dict[str, Any]]:
        changes = {}
        for id_ in {*before, *after}:
            old, new = before.get(id_), after.get(id_)
            both = new or old
            assert both is not None
            members = [without(json.loads(entry.item), ran.crawl) if entry else {} for entry in (old, new)]
            if old and new and (members[0] == members[1] or old.page_object == new.page_object):
                continue
            kind = "changed" if old and new else "new" if new else "gone"
            fields = sorted(name for name in {*members[0], *members[1]} if members[0].get(name) != members[1].get(name))
            changes[of, id_] = {
                "kind": kind if comparable else "replaced",
                "fields": fields if kind == "changed" and comparable else [],
                "before": old.item if old else None,
                "after": new.item if new else None,
                "key": both.key,
                "result_key": both.result_key,
                "hash": new.hash if new else "",
                "first_seen": both.first_seen,
                "last_changed": both.last_changed,
                "run_id": ran.run.run_id,
            }
        return changes

    def _tell(self, ran: Ran, changes: Mapping[tuple[str, str], Mapping[str, Any]], *, asked: bool) -> None:
        crawl = ran.crawl
        if "dynamodb" not in crawl.sinks:
            self._is_told = False
            return
        rows = self.rows()
        removed = [at for at, change in changes.items() if change["after"] is None]
        if asked or not self._is_told or self._stale_items != crawl.stale_items:
            # Whatever is there that is not published is stale.
            removed = [at for at in self.told if at not in rows]
            for at, entry in rows.items():
                there = self.told.get(at)
                if there is None or there["hash"] != entry.hash or there["stale_since"] is not None:
                    self.told[at] = _row(entry)
        else:
            for at, change in changes.items():
                if change["after"] is not None:
                    self.told[at] = _row(rows[at])
        for at in removed:
            if crawl.stale_items == "remove":
                self.told.pop(at, None)
            elif crawl.stale_items == "mark" and at in self.told and self.told[at]["stale_since"] is None:
                self.told[at] = {**self.told[at], "stale_since": ran.run.started_at}
        self._is_told, self._stale_items = True, crawl.stale_items


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "hash": entry.hash,
        "item": entry.item,
        "first_seen": entry.first_seen,
        "last_changed": entry.last_changed,
        "stale_since": None,
    }


def without(members: Mapping[str, Any], crawl: Crawl) -> dict[str, Any]:
    """An item without its ignored members."""
    return {name: value for name, value in members.items() if name not in crawl.ignore_fields}
