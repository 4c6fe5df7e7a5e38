"""The targets of a run in the order of their ids, in which the runs table has all records of targets.

So whoever needs both reads them side by side, and holds one listing at a time, however many there are.
"""

from __future__ import annotations

import gzip
import heapq
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby
from typing import Generic, TypeVar

from pageturner.page_state import Run, Target
from pageturner.stores.keys import targets_key
from pageturner.stores.page_store import PageStore

# So many characters are sorted in memory; the parts of a longer file are merged from disk.
_IN_MEMORY = 16 * 1024 * 1024

T = TypeVar("T")


class Sorted(Generic[T]):
    """Records that are in the order of their ids, and are asked for in that order."""

    def __init__(self, records: Iterable[tuple[str, T]]) -> None:
        self._records = iter(records)
        self._next = next(self._records, None)
        self._last: tuple[str, list[T]] = "", []

    def of(self, record_id: str) -> list[T]:
        """Return the records of an id. Those before it are skipped; the same id can be asked for again."""
        if self._last[0] != record_id:
            found: list[T] = []
            while self._next is not None and self._next[0] <= record_id:
                if self._next[0] == record_id:
                    found.append(self._next[1])
                self._next = next(self._records, None)
            self._last = record_id, found
        return self._last[1]


def sorted_listings(pages: PageStore, run: Run, after: str = "") -> Iterator[list[Target]]:
    """Yield the listings of a run, each as its targets, by id; only those behind the target `after`.

    Raises `SinkError`.
    """
    with ExitStack() as files:
        lines = heapq.merge(*_sorted_parts(pages, run, after, files))
        targets = (Target.from_dict(json.loads(line.partition(" ")[2])) for line in lines)
        for _, listing in groupby(targets, key=lambda target: target.listing_id):
            yield list(listing)


def _sorted_parts(pages: PageStore, run: Run, after: str, files: ExitStack) -> list[Iterable[str]]:
    """Return the lines of the targets file, each behind its id, in sorted parts."""
    parts: list[Iterable[str]] = []
    part: list[str] = []
    size = 0
    for target in pages.json_array(targets_key(run)):
        if target["target_id"] <= after:
            continue
        part.append(f"{target['target_id']} {json.dumps(target)}\n")
        size += len(part[-1])
        if size > _IN_MEMORY:
            file = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the caller's stack closes it
            with gzip.open(file, "wt", compresslevel=1, encoding="ascii") as lines:
                lines.writelines(sorted(part))
            file.seek(0)
            parts.append(files.enter_context(gzip.open(file, "rt", encoding="ascii")))  # noqa: SIM115
            part, size = [], 0
    return [*parts, sorted(part)]
