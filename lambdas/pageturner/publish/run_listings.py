"""What a run's manifest says of its listings, and the lists of their pages that a plan has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pageturner.errors import CannotPublishError, MistrustedListingError, RunStoppedError
from pageturner.finish.manifest import Manifest
from pageturner.page_state import Run
from pageturner.publish.plan import Plan, put_plan, read_plan
from pageturner.stores import Stores
from pageturner.stores.keys import manifest_key
from pageturner.verdicts import ENDED, target_of

# A function reads so many page objects at once, as long as they have no more items than it can publish.
_MOST_FILES = 500
# What a function holds of compressed pages besides: items can be large, and DuckDB has them three times on disk.
MOST_BYTES = 64 * 1024 * 1024
# What publishing takes of the manifest's entry of a target.
_MEMBERS = (
    *("target_id", "account", "region", "service", "operation", "parameters", "part"),
    *("verdict", "error", "items", "bytes", "restarts", "ignored_errors"),
)


@dataclass(frozen=True)
class RunListing:
    """A listing of a run: what publishing takes of its targets' entries. If a person `asked`, it is trusted."""

    entries: list[Mapping[str, Any]]
    asked: bool

    @property
    def operation(self) -> tuple[str, str]:
        """Its service and operation; empty if the crawl has one operation."""
        return self.entries[0].get("service", ""), self.entries[0].get("operation", "")

    @property
    def has_ended(self) -> bool:
        """Whether all of its targets have ended."""
        part = target_of(self.entries[0]).part
        return self._verdicts <= set(ENDED) and (part is None or len(self.entries) == part.count)

    @property
    def is_limited(self) -> bool:
        """Whether something but its end has ended it."""
        return "limited" in self._verdicts

    @property
    def passes(self) -> dict[str, int]:
        """The last pass of each target."""
        return {entry["target_id"]: entry["restarts"] + 1 for entry in self.entries}

    def total(self, name: str) -> int:
        """The sum of a count over its targets."""
        return sum(entry[name] for entry in self.entries)

    @property
    def _verdicts(self) -> set[str]:
        return {
            "complete" if self.asked and entry.get("error") == MistrustedListingError.__name__ else entry["verdict"]
            for entry in self.entries
        }


@contextmanager
def manifest_of(stores: Stores, run: Run) -> Iterator[Manifest]:
    """Open the manifest of a run's generation, whose parts are read when they are asked for.

    Raises `SinkError`, `CannotPublishError` if it is gone, and `RunStoppedError` if the run was resumed.
    """
    key = manifest_key(run)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.json"
        if not stores.pages.download(key, path):
            raise CannotPublishError(f"the manifest of the run is gone: s3://{stores.pages.bucket}/{key}")
        manifest = Manifest(path, stores.pages)
        # An earlier version of Pageturner did not say.
        if manifest.summary().get("generation", run.generation) != run.generation:
            raise RunStoppedError(f"{run.run_id} was resumed in another execution, which publishes it")
        yield manifest


def listings_in(manifest: Manifest, *, asked: bool) -> dict[str, RunListing]:
    """Return the listings of a run by id."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for entry in manifest.entries():
        found[target_of(entry).listing_id].append({name: entry[name] for name in _MEMBERS if name in entry})
    return {of: RunListing(entries, asked) for of, entries in found.items()}


def targets_of(listings: Mapping[str, RunListing], chosen: Iterable[str]) -> dict[str, str]:
    """Return the listing of each target of the chosen listings, by id."""
    return {entry["target_id"]: of for of in chosen for entry in listings[of].entries}


def pinned(stores: Stores, plan: Plan, manifest: Manifest) -> Plan:
    """Put a plan with the lists of its page objects, and return it; or the one that another attempt has put before.

    Raises `SinkError`.
    """
    put_plan(stores, replace(plan, chunks=_put_chunks(stores, plan, manifest)))
    return read_plan(stores, plan.prefix)


def _put_chunks(stores: Stores, plan: Plan, manifest: Manifest) -> int:
    chunk: list[str] = []
    items, size, number = 0, 0, 0
    for file in manifest.files():
        if file["target_id"] not in plan.of_targets:
            continue
        is_full = (
            len(chunk) == _MOST_FILES or items + file["items"] > plan.most_rows or size + file["bytes"] > MOST_BYTES
        )
        if chunk and is_full:
            stores.pages.put_json(plan.chunk_key(number), chunk)
            chunk, items, size, number = [], 0, 0, number + 1
        chunk.append(file["key"])
        items, size = items + file["items"], size + file["bytes"]
    if chunk:
        stores.pages.put_json(plan.chunk_key(number), chunk)
        number += 1
    return number


def buckets_for(rows: int, size: int, most_rows: int) -> int:
    """Return the number of buckets for so many rows and compressed bytes.

    It is a power of two, so that a bucket is a part of an earlier one, or has it whole.
    """
    buckets = 1
    while rows > buckets * most_rows or size > buckets * MOST_BYTES:
        buckets *= 2
    return buckets
