"""Brings objects onto the function's disk, and pages as DuckDB can read them."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pageturner.errors import CannotPublishError
from pageturner.publish.ignored import IgnoredFields
from pageturner.stores.keys import item_hash, sort_key
from pageturner.stores.page_store import PageStore

# What the disk and the network take at once.
_AT_ONCE = 8
# DuckDB takes no lone surrogate, as a key may have that is a name of an S3 object. Most lines have no surrogates at
# all; that they are in pairs is for json to find out.
_SURROGATE = re.compile(rb"(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class PageFile:
    """A page object on disk; `longest` is the length of its longest line, in bytes."""

    path: Path
    longest: int


def download_pages(pages: PageStore, keys: Sequence[str], folder: Path, ignored: IgnoredFields) -> list[PageFile]:
    """Download page objects, and return their files.

    A line has the `hash` of the item without its ignored fields, if there are any, and the `name` that stands for a key
    with lone surrogates. Raises `SinkError`, and `CannotPublishError` if a page is gone.
    """

    def download(numbered: tuple[int, str]) -> PageFile:
        number, key = numbered
        path = folder / f"{number:08d}.jsonl.gz"
        _download(pages, key, path, "a page of the run")
        lines = gzip.decompress(path.read_bytes()).splitlines()
        if ignored or any(map(_SURROGATE.search, lines)):
            lines = [json.dumps(_line(json.loads(line), ignored)).encode("ascii") for line in lines]
            path.write_bytes(gzip.compress(b"\n".join(lines), compresslevel=1))
        return PageFile(path, max(map(len, lines), default=0))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(download, enumerate(keys)))


def download_files(pages: PageStore, keys: Sequence[str], folder: Path, what: str) -> list[Path]:
    """Download Parquet files. Raises `SinkError`, and `CannotPublishError` if `what` they are is gone."""

    def download(numbered: tuple[int, str]) -> Path:
        number, key = numbered
        path = folder / f"{number}.parquet"
        _download(pages, key, path, what)
        return path

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(download, enumerate(keys)))


def _download(pages: PageStore, key: str, path: Path, what: str) -> None:
    if not pages.download(key, path):
        raise CannotPublishError(f"{what} is gone: s3://{pages.bucket}/{key}")


def _line(record: dict[str, Any], ignored: IgnoredFields) -> dict[str, Any]:
    key = str(record["key"])
    without = key.encode("utf-8", errors="replace").decode("utf-8")
    if without != key:
        record = {**record, "key": without, "name": sort_key(key)}
    return {**record, "hash": item_hash(ignored.without(record["item"]))} if ignored else record
