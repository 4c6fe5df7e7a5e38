"""The manifest of a run: how it ended, every file of its listings, and every target with its verdict.

It is the commit of the end of a run. The first one of a generation stays, and whoever else finishes that generation
takes what it says. If it would be too large for one object, it is in parts, and the manifest itself names them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.errors import CannotPublishError
from pageturner.finish.progress import Progress, Workshop, lines_in
from pageturner.formats import readable, stamped
from pageturner.page_state import Run
from pageturner.stores.page_store import PageStore, array_text

# What the lists behind the summary begin with, whole or in parts.
_FILES, _FILE_PARTS = '"files": ', '"file_parts": '
_TARGETS, _TARGET_PARTS = '"targets": ', '"target_parts": '


def text_of(
    run: Run, crawl: Crawl, summary: Mapping[str, Any], progress: Progress, workshop: Workshop
) -> Iterator[str]:
    """Yield the text of a manifest in chunks; `summary` is that of the run, and `progress` has all parts."""
    first = ("run_id", "verdict", "outcome", "message")
    head = {
        **{name: summary[name] for name in first},
        "verdicts": summary["targets"],
        **{name: value for name, value in summary.items() if name not in (*first, "targets", "crawl")},
        "started_at": run.started_at,
        "crawl": crawl.as_dict(),
        "timeline": progress.timeline,
    }
    yield "{"
    for name, value in stamped(head).items():
        yield f"{json.dumps(name)}: {json.dumps(value)},\n"
    if progress.is_small:
        yield _FILES
        yield from array_text(file for part in progress.files for file in workshop.read(part))
        yield f",\n{_TARGETS}"
        yield from array_text(entry for part in progress.targets for entry in workshop.read(part))
    else:
        yield _FILE_PARTS
        yield from array_text({"key": part.key, "files": part.lines} for part in progress.files if part.lines)
        yield f",\n{_TARGET_PARTS}"
        yield from array_text({"key": part.key, "targets": part.lines} for part in progress.targets if part.lines)
    yield "}\n"


@dataclass(frozen=True)
class Manifest:
    """A manifest that was downloaded to `path`: it can be larger than memory. Its parts are in `pages`."""

    path: Path
    pages: PageStore

    def summary(self) -> dict[str, Any]:
        """Return the summary of the run."""
        with self.path.open(encoding="ascii") as lines:
            return summary_in(line.rstrip("\n") for line in lines)

    def head(self) -> dict[str, Any]:
        """Return what is before the files: the summary, when the run began, its crawl, and its timeline."""
        with self.path.open(encoding="ascii") as lines:
            return head_in(line.rstrip("\n") for line in lines)

    def files(self) -> Iterator[dict[str, Any]]:
        """Yield the files. Raises `SinkError`, and `CannotPublishError` if a part is gone."""
        yield from self._array(_FILES)
        yield from self._parts(_FILE_PARTS)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the entries of the targets. Raises as `files` does."""
        yield from self._array(_TARGETS)
        yield from self._parts(_TARGET_PARTS)

    def _parts(self, begins: str) -> Iterator[dict[str, Any]]:
        for part in self._array(begins):
            found = lines_in(self.pages, part["key"], self.path.parent)
            if found is None:
                raise CannotPublishError(f"a part of the manifest is gone: s3://{self.pages.bucket}/{part['key']}")
            yield from found

    def _array(self, begins: str) -> Iterator[dict[str, Any]]:
        with self.path.open(encoding="ascii") as lines:
            for line in dropwhile(lambda line: not line.startswith(begins), lines):
                if line.startswith("]"):
                    return
                if not line.startswith(begins):
                    yield json.loads(line.rstrip().removesuffix(","))


def head_in(lines: Iterator[str]) -> dict[str, Any]:
    """Return what the lines of a manifest say before its files."""
    head = "".join(takewhile(lambda line: not line.startswith((_FILES, _FILE_PARTS)), lines))
    return dict(readable(json.loads(f"{head.rstrip().rstrip(',')}}}"), "the manifest of a run"))


def summary_in(lines: Iterator[str]) -> dict[str, Any]:
    """Return the summary of a run, as `text_of` took it, from the lines of its manifest: it travels, and is small."""
    found = head_in(lines)
    for name in ("format", "started_at", "timeline"):
        found.pop(name, None)
    verdicts = found.pop("verdicts")
    return {**found, "targets": verdicts, "crawl": found["crawl"]["name"]}
