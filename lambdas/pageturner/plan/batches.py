"""Puts targets into batches: the targets whose first pages an Express execution of ShortTargets turns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pageturner.costs import batch_size
from pageturner.crawls.crawl import Crawl
from pageturner.plan.targets import room_for_targets, size_of
from pageturner.stores.keys import batches_key
from pageturner.stores.page_store import PageStore


def put_batches(pages: PageStore, targets_key: str, crawl: Crawl, count: int) -> dict[str, Any]:
    """Put the batches of a targets file with so many targets, and return where they are. Raises `SinkError`.

    Putting them twice is harmless: the batches of the same targets are the same.
    """
    key = batches_key(targets_key)
    made = ({"targets": batch} for batch in batches(pages.json_array(targets_key), crawl, count))
    return {"bucket": pages.bucket, "key": key, "count": pages.put_array(key, made)}


def batches(targets: Iterable[Mapping[str, Any]], crawl: Crawl, count: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the documents of `count` targets in batches, each with its `share`.

    The share is of the time in which an execution turns pages: with 4 targets, the first has a quarter of it, the
    second what is left of half of it, and so on, so that a long target leaves time for those behind it.
    """
    most = batch_size(count, crawl.max_concurrency)
    room = room_for_targets(crawl)
    batch: list[Mapping[str, Any]] = []
    size = 0
    for target in targets:
        own = size_of(target)
        if batch and (len(batch) == most or size + own > room):
            yield _shared(batch)
            batch, size = [], 0
        batch.append(target)
        size += own
    if batch:
        yield _shared(batch)


def _shared(batch: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**target, "share": round(number / len(batch), 4)} for number, target in enumerate(batch, 1)]
