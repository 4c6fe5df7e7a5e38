"""Announces what a run came to: its rows in the tables `runs` and `targets`, and events on EventBridge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pageturner import table_names
from pageturner.crawls.crawl import Crawl
from pageturner.errors import CannotPublishError, SinkError
from pageturner.finish.manifest import Manifest
from pageturner.finish.output import said_of, with_publishing
from pageturner.messages import count_of, shortened
from pageturner.own_resources import as_sink_error
from pageturner.page_state import Run
from pageturner.prices import Volume, estimate
from pageturner.publish.database import Database, database, quoted
from pageturner.publish.making import Made
from pageturner.publish.plan import Plan
from pageturner.stores import Stores
from pageturner.stores.keys import changes_prefix, manifest_key, summary_key
from pageturner.stores.publications import Published
from pageturner.stores.runs_and_locks import RunRecord
from pageturner.verdicts import target_of

SOURCE = "pageturner"
RUN_FINISHED = "Run finished"
ITEMS_CHANGED = "Items changed"
# EventBridge takes 256 KB (User Guide, "Quotas").
_LONGEST_MESSAGE = 2_000
# So many keys of each kind travel with the output of a run, and so much of each.
_KEYS_SAID, _LONGEST_KEY = 5, 200
# DuckDB's names of Glue's types.
_TYPES = {"string": "VARCHAR", "timestamp": "TIMESTAMP_MS"}
_SUMMED = ("pages", "items", "bytes", "throttles", "restarts")
_NOTHING = Made(0, dict.fromkeys(("new", "changed", "gone", "replaced"), 0), {})


@dataclass(frozen=True)
class Announcer:
    """Announces runs. `database` is the name of Glue's, and `stack` that of the deployment."""

    stores: Stores
    events: Any
    database: str
    stack: str

    def announce(
        self, found: RunRecord, plan: Plan | None, made: Made | None, kept: Mapping[str, int], volume: Volume
    ) -> dict[str, Any]:
        """Announce a run, and return what is said of its publication. Whoever repeats this sends the events again.

        Without a `plan`, there was nothing to publish. `kept` is as in a plan; `volume` is what publishing has taken.
        Raises `SinkError`, and `CannotPublishError` if the run's manifest is gone.
        """
        published = self._published(found, plan, made or _NOTHING, kept) | estimate(volume, "Publishing: ")
        events = []
        # Otherwise, the run was resumed since, and is announced when it has ended again.
        if found.summary is not None and found.generation == published["generation"]:
            self._put_rows(found, plan, published)
            events.append(self._event(RUN_FINISHED, _finished(found, published)))
        if made is not None and any(made.changes.values()):
            events.append(self._event(ITEMS_CHANGED, _changed(found, published, made)))
        self._send(events)
        return published

    def _published(self, found: RunRecord, plan: Plan | None, made: Made, kept: Mapping[str, int]) -> dict[str, Any]:
        crawl = str(found.crawl["name"])
        reasons = "; ".join(f"{count_of(number, 'listing')}: {why}" for why, number in sorted(kept.items()))
        not_published = f" (not published: {reasons})" if reasons else ""
        about: dict[str, Any] = {
            "generation": found.generation,
            "number": 0,
            "asked_by": "",
            "database": self.database,
            "table": table_names.table_name(crawl),
            **made.changes,
            "kept": dict(kept),
        }
        if plan is None:
            return {**about, "message": f"nothing to publish{not_published}"}
        publication, listings = plan.publication, plan.listings
        message = (
            f"published {made.changes['new']:,} new, {made.changes['changed']:,} changed, {made.changes['gone']:,} gone"
        )
        if made.changes["replaced"]:
            message += f", and {made.changes['replaced']:,} that cannot be compared with those before"
        return {
            **about,
            "generation": publication.generation,
            "number": publication.number,
            "name": publication.name,
            "asked_by": publication.asked_by,
            "rows": made.rows,
            "listings": sum(each.how != "remove" for each in listings.values()),
            "gone_listings": sum(each.how == "remove" for each in listings.values()),
            "changes": f"s3://{self.stores.pages.bucket}/{changes_prefix(crawl, publication.name)}",
            **{f"{kind}_keys": _first(keys) for kind, keys in made.keys.items() if keys},
            "message": message + not_published,
        }

    def _put_rows(self, found: RunRecord, plan: Plan | None, published: Mapping[str, Any]) -> None:
        run, summary = Run.from_dict(found.run), found.summary or {}
        crawl = str(found.crawl["name"])
        if plan is None:
            now = self.stores.publications.published(self.stores.publications.state(crawl).current)
        else:
            now = plan.published
        row = {
            **{
                name: summary.get(name) for name in ("verdict", "outcome", "ended_at", "seconds", "message", "manifest")
            },
            **{name: summary.get(name) for name in _SUMMED},
            **{name: published[name] for name in ("new", "changed", "gone")},
            "run_id": run.run_id,
            "crawl": crawl,
            "started_at": run.started_at,
            "targets": sum(summary.get("targets", {}).values()),
            "dollars": with_publishing(summary, published).get("estimated_cost"),
            "published": bool(published["number"]),
        }
        with database() as db:
            manifest = db.folder / "manifest.json"
            if not self.stores.pages.download(manifest_key(run), manifest):
                raise CannotPublishError(f"the manifest of {run.run_id} is gone")
            about = Crawl.from_dict(found.crawl)
            targets = (_target_row(entry, run, about, now) for entry in Manifest(manifest, self.stores.pages).entries())
            for table, columns, rows in (
                (table_names.RUNS, table_names.RUNS_COLUMNS, [row]),
                (table_names.TARGETS, table_names.TARGETS_COLUMNS, targets),
            ):
                path = _write(db, table, columns, rows)
                self.stores.pages.put_newer(summary_key(table, crawl, run), path, found.generation)

    def _event(self, kind: str, detail: Mapping[str, Any]) -> dict[str, str]:
        return {"Source": SOURCE, "DetailType": kind, "Detail": json.dumps({"stack": self.stack, **detail})}

    def _send(self, events: list[dict[str, str]]) -> None:
        if not events:
            return
        with as_sink_error("could not send the events of a run"):
            answer = self.events.put_events(Entries=events)
        if answer["FailedEntryCount"]:
            codes = sorted({str(each.get("ErrorCode")) for each in answer["Entries"] if "ErrorCode" in each})
            raise SinkError(f"EventBridge did not take the events of a run: {', '.join(codes)}")


def _about(found: RunRecord, published: Mapping[str, Any]) -> dict[str, Any]:
    summary = found.summary or {}
    return {
        "crawl": found.crawl["name"],
        "run_id": found.run["run_id"],
        "generation": published["generation"],
        "as_catalogued": found.is_as_catalogued,
        **{name: summary.get(name) for name in ("verdict", "outcome")},
        **{name: published[name] for name in ("new", "changed", "gone", "replaced")},
    }


def _finished(found: RunRecord, published: Mapping[str, Any]) -> dict[str, Any]:
    summary = found.summary or {}
    return {
        **_about(found, published),
        **{name: summary.get(name) for name in (*_SUMMED, "seconds", "ended_at", "targets", "manifest")},
        "started_at": found.run["started_at"],
        "message": said_of(summary, published)[:_LONGEST_MESSAGE],
        "published": bool(published["number"]),
    }


def _changed(found: RunRecord, published: Mapping[str, Any], made: Made) -> dict[str, Any]:
    where = {name: published[name] for name in ("database", "table", "name", "changes")}
    return {**_about(found, published), **where, **{f"{kind}_keys": keys for kind, keys in made.keys.items()}}


def _target_row(entry: Mapping[str, Any], run: Run, crawl: Crawl, now: Published) -> dict[str, Any]:
    target = target_of(entry)
    listing = now.listings.get(target.listing_id)
    is_added = listing is not None and run.run_id in (listing.run_id, *listing.added)
    return {
        **{name: entry.get(name) for name in ("account", "region", "verdict", "error", "cause", *_SUMMED)},
        "run_id": run.run_id,
        "crawl": crawl.name,
        "service": target.service or crawl.service,
        "operation": target.operation or crawl.operation,
        "target": target.target_id,
        "listing": target.listing_id,
        "parameters": json.dumps(entry["parameters"]),
        "seconds": entry["milliseconds"] / 1000,
        "witness": json.dumps(entry["witness"]) if entry.get("witness") else None,
        "published": is_added and entry["verdict"] in ("complete", "limited", "failed"),
    }


def _write(db: Database, table: str, columns: Iterable[tuple[str, str]], rows: Iterable[Mapping[str, Any]]) -> Path:
    types = {name: _TYPES.get(kind, kind) for name, kind in columns}
    db.load(table, types, ([row.get(name) for name in types] for row in rows))
    path = db.folder / f"{table}.parquet"
    db.execute(f"COPY {table} TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)")
    return path


def _first(keys: list[str]) -> list[str]:
    return [shortened(key, _LONGEST_KEY) for key in keys[:_KEYS_SAID]]
