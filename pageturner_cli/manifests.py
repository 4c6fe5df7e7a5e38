"""Manifests of runs, and the items in the files that they list. Both can be larger than memory."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from pageturner.finish.manifest import Manifest
from pageturner.page_state import Run
from pageturner.stores.keys import manifest_key
from pageturner.stores.publications import PublishedListing
from pageturner.verdicts import target_of
from pageturner_cli.deployment import Deployment
from pageturner_cli.failures import WRONG, Failure

# Pages that are read side by side: each takes a request, and most of that is waiting.
_AT_ONCE = 8


@contextmanager
def manifest_of(deployment: Deployment, run: Run) -> Iterator[Manifest]:
    """Download the manifest of a run for as long as the block lasts. Raises `Failure` if it is gone."""
    pages = deployment.stores.pages
    with tempfile.TemporaryDirectory(prefix="pageturner-") as folder:
        path = Path(folder, "manifest.json")
        if not pages.download(manifest_key(run), path):
            raise Failure(
                f"The manifest of {run.run_id} is gone: s3://{pages.bucket}/{manifest_key(run)}. "
                "run_retention_days says for how long the bucket keeps it.",
                WRONG,
            )
        yield Manifest(path, pages)


def items_of_run(deployment: Deployment, run: Run) -> Iterator[str]:
    """Yield the items that a run has listed, as JSON texts, in the order of its manifest."""
    with manifest_of(deployment, run) as manifest:
        yield from _items(deployment, (file["key"] for file in manifest.files()))


def items_published(deployment: Deployment, crawl: str) -> Iterator[str]:
    """Yield the items of the listings that are published of a crawl: those that its table shows.

    Of a crawl with `since`, an item that two runs have listed comes twice. Raises `Failure` if nothing is published.
    """
    publications = deployment.stores.publications
    state = publications.state(crawl)
    if state.current is None:
        raise Failure(f"Nothing is published of {crawl} yet. pageturner runs {crawl} says what ran.", WRONG)
    by_run: dict[str, set[str]] = {}
    for listing_id, listing in publications.published(state.current).listings.items():
        for run_id in _runs_of(listing):
            by_run.setdefault(run_id, set()).add(listing_id)
    for run_id, listings in sorted(by_run.items()):
        record = deployment.stores.runs.find(run_id)
        if record is None:
            raise Failure(f"The record of {run_id} is gone, of which a listing of {crawl} is. pageturner query has it.")
        with manifest_of(deployment, Run.from_dict(record.run)) as manifest:
            targets = {entry["target_id"] for entry in manifest.entries() if target_of(entry).listing_id in listings}
            yield from _items(deployment, (file["key"] for file in manifest.files() if file["target_id"] in targets))


def _runs_of(listing: PublishedListing) -> list[str]:
    """The runs whose items a published listing has: the last one, or all whose items were added."""
    return [*([listing.run_id] if listing.is_complete or not listing.added else []), *listing.added]


def _items(deployment: Deployment, keys: Iterator[str]) -> Iterator[str]:
    """Yield the items of pages, in order, in the canonical JSON text that they are stored in. Some are read ahead."""
    s3, bucket = deployment.client("s3"), deployment.stores.pages.bucket

    def page(key: str) -> list[str]:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return [str(json.loads(line)["item"]) for line in gzip.decompress(body).splitlines()]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while some := list(islice(keys, _AT_ONCE)):
            for items in pool.map(page, some):
                yield from items
