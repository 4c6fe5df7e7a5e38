"""Manifests of runs, and the items in the files that they list. Both can be larger than memory."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pageturner.finish.manifest import Manifest
from pageturner.page_state import Run
from pageturner.stores.keys import manifest_key
from pageturner.stores.publications import PublishedListing
from pageturner.verdicts import target_of
from pageturner_cli.deployment import Deployment
from pageturner_cli.failures import WRONG, Failure


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
        for file in manifest.files():
            yield from _items(deployment, file["key"])


def items_published(deployment: Deployment, crawl: str) -> Iterator[str]:
    """Yield the items of the listings that are published of a crawl: those that its table shows.

    Raises `Failure` if nothing is published.
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
        with manifest_of(deployment, Run(**record.run)) as manifest:
            targets = {entry["target_id"] for entry in manifest.entries() if target_of(entry).listing_id in listings}
            for file in manifest.files():
                if _target_id(file) in targets:
                    yield from _items(deployment, file["key"])


def _runs_of(listing: PublishedListing) -> list[str]:
    """The runs whose items a published listing has: the last one, or all whose items were added."""
    return [*([listing.run_id] if listing.is_complete or not listing.added else []), *listing.added]


def _target_id(file: Mapping[str, Any]) -> str:
    return str(file["target_id"])


def _items(deployment: Deployment, key: str) -> Iterator[str]:
    """Yield the items of a page, in the canonical JSON text that they are stored in."""
    body = deployment.client("s3").get_object(Bucket=deployment.stores.pages.bucket, Key=key)["Body"]
    with gzip.open(body, "rt", encoding="ascii") as lines:
        for line in lines:
            yield str(json.loads(line)["item"])
