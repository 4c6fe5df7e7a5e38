"""What must be true of everything that is published: the tables, the changes, Glue's tables, DynamoDB and the events.

It watches the row of the crawl in the runs table, and reads each publication once it is committed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.publish.tables import PUBLICATION
from pageturner.stores.keys import changes_prefix, published_key, table_prefix
from tests.machines.publishing_services import Connection
from tests.machines.world import Violation, World

CRAWL = "c"
# What a row of a table must have: of an item, its listing and its identity there.
Of = tuple[str, str]


@dataclass(frozen=True)
class Item:
    """An item as it is published, or as a page has it."""

    text: str
    run_id: str = ""
    first_seen: str = ""
    last_changed: str = ""


@dataclass(frozen=True)
class Committed:
    """A publication that was committed, with what it published."""

    number: int
    publication: Mapping[str, Any]
    listings: Mapping[str, Mapping[str, Any]]
    rows: Mapping[Of, Item]


@dataclass
class PublishedAuditor:
    """Watches what is published in a world, and raises `Violation`."""

    world: World
    manifests: dict[tuple[str, int], Any] = field(default_factory=dict)  # by run and generation
    committed: list[Committed] = field(default_factory=list)
    shown: dict[str, int] = field(default_factory=dict)  # by Glue's tables: the highest number
    last: int = 0  # that was begun

    def after_a_request(self, service: str, operation: str, arguments: Mapping[str, Any]) -> None:
        """Whatever a late function writes, numbers only grow."""
        if service == "glue" and operation in ("create_table", "update_table"):
            name = arguments["TableInput"]["Name"]
            number = self.world.glue.number(name)
            _is(number >= self.shown.get(name, 0), f"Glue's table {name} goes back to {number}")
            self.shown[name] = number
        elif operation == "put_object" and arguments["Key"].endswith("/manifest.json"):
            body = json.loads(self.world.s3.objects[arguments["Key"]].body)
            self.manifests[body["run_id"], body["generation"]] = self.world.whole_manifest(body)
        elif operation == "update_item" and arguments["Key"]["pk"]["S"] == f"published#{CRAWL}":
            row = self.row
            last = int(row["last"]["N"])
            _is(last >= self.last, f"publication {last} begins after {self.last}")
            self.last = last
            current = json.loads(row["current"]["S"]) if "current" in row else None
            known = self.committed[-1].publication if self.committed else None
            if current is not None and current != known:
                self._at_a_commit(current)

    @property
    def row(self) -> Mapping[str, Any]:
        return self.world.dynamodb.tables.get("runs", {}).get((f"published#{CRAWL}", "published"), {})

    def _at_a_commit(self, publication: Mapping[str, Any]) -> None:
        number, name = publication["number"], publication["name"]
        before = self.committed[-1] if self.committed else Committed(0, {}, {}, {})
        _is(number > before.number, f"publication {number} is committed after {before.number}")
        _is(publication["base"] == before.number, f"publication {number} comes after {before.number}: {publication}")
        listings = self._json(published_key(CRAWL, number))["listings"]
        now = Committed(number, publication, listings, self._rows(name, publication["buckets"]))
        self._check_changes(before, now)
        self._check_listings(before, now)
        self.committed.append(now)

    def _check_changes(self, before: Committed, now: Committed) -> None:
        """What a publication says that it changed is the difference."""
        rows = {of: item.text for of, item in before.rows.items()}
        for listing, name, kind, was, after in self._changes(now.publication["name"]):
            of, change = (listing, name), f"the change of {name} by publication {now.number} ({kind})"
            _is(rows.get(of) == was or kind == "replaced", f"{change} is from {was}, but it was {rows.get(of)}")
            _is((after is None) is (kind == "gone") or kind == "replaced", f"{change} is to {after}")
            _is((was is None) is (kind == "new") or kind == "replaced", f"{change} is from {was}")
            if after is None:
                rows.pop(of, None)
            else:
                rows[of] = after
        published = {of: item.text for of, item in now.rows.items()}
        differ = sorted(of for of in rows.keys() | published.keys() if rows.get(of) != published.get(of))
        _is(not differ, f"the changes of publication {now.number} do not lead to {differ}")

    def _check_listings(self, before: Committed, now: Committed) -> None:
        """Each listing is that of the run that is said to have listed it, and no older one replaces it."""
        for of in before.listings.keys() | now.listings.keys():
            was, its = before.listings.get(of), now.listings.get(of)
            rows = {name: item for (listing, name), item in now.rows.items() if listing == of}
            if its is None:
                _is(not rows, f"publication {now.number} has {sorted(rows)} of {of}, which is gone")
            elif was is not None and (was["run_id"], was["passes"]) == (its["run_id"], its["passes"]):
                old = {name: item for (listing, name), item in before.rows.items() if listing == of}
                _is(rows == old or its["run_id"] == now.publication["run_id"], f"{now.number} changes {of}")
            else:
                run_id, own = its["run_id"], now.publication["run_id"]
                _is(run_id == own, f"publication {now.number} of {own} has {of} of {run_id}")
                began = (its["started_at"], run_id)
                is_older = was is not None and began < (was["started_at"], was["run_id"])
                _is(not is_older, f"{run_id} replaces a newer listing of {of}, in publication {now.number}: {was}")
                self._check_rows(now, of, rows)

    def _check_rows(self, now: Committed, of: str, rows: Mapping[str, Item]) -> None:
        manifest = self.manifests[now.publication["run_id"], now.publication["generation"]]
        entries = [entry for entry in manifest["targets"] if _listing_of(entry) == of]
        verdicts = {entry["verdict"] for entry in entries}
        _is(verdicts == {"complete"}, f"publication {now.number} has {of}, which is {verdicts}")
        targets = {entry["target_id"] for entry in entries}
        listed = {}
        for file in manifest["files"]:
            if file["target_id"] in targets:
                for line in self.world.lines(file["key"]):
                    listed[line["key"]] = line["item"]
        published = {name: item.text for name, item in rows.items()}
        _is(published == listed, f"publication {now.number} has {published} of {of}, which lists {listed}")
        runs = {item.run_id for item in rows.values()}
        _is(runs <= {manifest["run_id"]}, f"publication {now.number} has rows of {runs} in {of}")

    def check_published(self, summary: Mapping[str, Any]) -> None:
        """A run that has ended is published: each of its complete listings, unless a later run's is."""
        run_id = summary["run_id"]
        record = self.world.dynamodb.tables["runs"][f"run#{run_id}", "run"]
        generation = json.loads(record["run"]["S"])["generation"]
        said = json.loads(record["published"]["S"]) if "published" in record else {}
        _is(said.get("generation") == generation, f"{run_id} has ended, but is not published: {said}")
        _is(bool(self._finished(run_id)), f"no event says that {run_id} has finished")
        manifest = self.manifests[run_id, generation]
        crawl = Crawl.from_dict(manifest["crawl"])
        now = self.committed[-1] if self.committed else Committed(0, {}, {}, {})
        by_listing: dict[str, list[Any]] = {}
        for entry in manifest["targets"]:
            by_listing.setdefault(_listing_of(entry), []).append(entry)
        for of, entries in by_listing.items():
            if any(entry["verdict"] != "complete" for entry in entries):
                continue
            if not sum(entry["items"] for entry in entries) and not crawl.allow_empty:
                continue
            its = now.listings.get(of)
            if its is None:
                # A later run has found that it is gone.
                is_gone = any(of in each.listings for each in self.committed)
                _is(is_gone, f"{run_id} has ended, and its listing {of} is not published")
            else:
                began = (manifest["started_at"], run_id)
                _is((its["started_at"], its["run_id"]) >= began, f"{of} of {run_id} is not published, but {its}")

    def _finished(self, run_id: str) -> list[Any]:
        details = [each["Detail"] for each in self.world.events.sent if each["DetailType"] == "Run finished"]
        return [detail for detail in details if detail["run_id"] == run_id]

    def check(self) -> None:
        """What is shown is what is published, unless a publication is pending."""
        row = self.row
        if "pending" in row or not self.committed:
            return
        now = self.committed[-1]
        name = now.publication["name"]
        table = self.world.glue.tables[CRAWL]
        _is(int(table["Parameters"][PUBLICATION]) == now.number, f"Glue shows {table['Parameters']}, not {now.number}")
        location = table["StorageDescriptor"]["Location"]
        _is(location.endswith(f"/{table_prefix(CRAWL, name)}"), f"Glue's table is at {location}, not {name}")
        for each in self.committed:
            of = each.publication["name"]
            for values in (("changes", (CRAWL, of)), (f"{CRAWL}_history", (of,))):
                _is(values in self.world.glue.partitions, f"Glue has no partition {values}")
        told = json.loads(row["told"]["S"])
        _is(told["number"] == now.number, f"DynamoDB was told of {told}, not of {now.number}")
        self._check_items(now, told["stale_items"])
        self._check_old_files(now)

    def _check_items(self, now: Committed, stale_items: str) -> None:
        """DynamoDB has what is published, and besides only what `stale_items` leaves there."""
        table = self.world.dynamodb.tables.get("items", {})
        listings = {row["listing_id"]["S"] for (pk, _), row in table.items() if pk == CRAWL}
        _is(listings == set(now.listings), f"DynamoDB has the listings {listings}, not {set(now.listings)}")
        rows = {(pk.partition("#")[2], sk): row for (pk, sk), row in table.items() if pk != CRAWL}
        stale = {of for of, row in rows.items() if "stale_since" in row}
        texts = {of: row["item"]["S"] for of, row in rows.items() if of not in stale}
        for of, item in now.rows.items():
            _is(texts.get(of) == item.text, f"DynamoDB has {of} as {texts.get(of)}; {item} is published")
            row = rows[of]
            for name in ("first_seen", "last_changed"):
                is_so = row[name]["S"] == getattr(item, name)
                _is(is_so, f"DynamoDB says {row[name]} of {of}; {item} is published")
        more = sorted(set(texts) - set(now.rows))
        _is(not more or stale_items == "keep", f"DynamoDB has {more}, which is not published in {now.number}")
        _is(stale_items != "remove" or not stale, f"DynamoDB has {sorted(stale)}, which are stale")

    def _check_old_files(self, now: Committed) -> None:
        """The files of the current publication are there, and not marked as superseded."""
        for key, tags in self.world.s3.tags.items():
            is_own = key.startswith(table_prefix(CRAWL, now.publication["name"]))
            _is(not (is_own and tags), f"{key} is current, and has the tags {tags}")

    def _rows(self, name: str, buckets: int) -> dict[Of, Item]:
        prefix = table_prefix(CRAWL, name)
        names = [f"{prefix}{bucket:04d}.parquet" for bucket in range(buckets)]
        found = self._read(
            names,
            "listing, CASE WHEN shares_key THEN name || '#' || hash ELSE name END, item, run_id, "
            "strftime(first_seen, '%Y-%m-%dT%H:%M:%S.%gZ'), strftime(last_changed, '%Y-%m-%dT%H:%M:%S.%gZ')",
        )
        rows = {(listing, id_): Item(*values) for listing, id_, *values in found}
        _is(len(rows) == len(found), f"{name} has an item twice")
        return rows

    def _changes(self, name: str) -> list[Any]:
        prefix = changes_prefix(CRAWL, name)
        return self._read(
            [key for key in self.world.s3.objects if key.startswith(prefix)], "listing, name, kind, before, after"
        )

    def _read(self, keys: list[str], columns: str) -> list[Any]:
        if not keys:
            return []
        with TemporaryDirectory() as folder, closing(Connection(folder)) as db:
            paths = [str(Path(folder) / f"{number}.parquet") for number in range(len(keys))]
            for path, key in zip(paths, keys, strict=True):
                _is(key in self.world.s3.objects, f"there is no {key}")
                Path(path).write_bytes(self.world.s3.objects[key].body)
            return db.execute(f"SELECT {columns} FROM read_parquet({paths}, union_by_name = true)").fetchall()  # noqa: S608 - no input

    def _json(self, key: str) -> Any:
        _is(key in self.world.s3.objects, f"there is no {key}")
        return json.loads(self.world.s3.objects[key].body)


def _listing_of(entry: Mapping[str, Any]) -> str:
    """The listing of a manifest's target."""
    name = str(entry["target_id"])
    return name.rpartition("-")[0] if entry.get("part") else name


def _is(true: bool, otherwise: str) -> None:
    if not true:
        raise Violation(otherwise)
