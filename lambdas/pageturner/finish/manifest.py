"""The manifest of a run: how it ended, every file of its listings, and every target with its verdict.

It is the commit of the end of a run. The first one of a generation stays, and whoever else finishes that generation
takes what it says.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import IO, Any

from pageturner.crawls.crawl import Crawl
from pageturner.finish.summary import Tally
from pageturner.finish.trust import Trust
from pageturner.finish.witness import Witnessed
from pageturner.page_state import Run, Target
from pageturner.stores import Stores
from pageturner.stores.checkpoints import Listing, by_target
from pageturner.stores.keys import targets_key
from pageturner.stores.page_store import array_text
from pageturner.verdicts import Ends, counts, entries, target_of

# What the list of files begins with, behind the summary.
_FILES = '"files": '
_TARGETS = '"targets": '


@dataclass(frozen=True)
class Body:
    """The files and targets of a run, on disk, until its verdict is known, which comes before them in the manifest."""

    crawl: Crawl
    _files: IO[bytes]
    _targets: IO[bytes]
    _verdicts: Mapping[str, str]

    def text(self, run: Run, summary: Mapping[str, Any]) -> Iterator[str]:
        """Yield the text of the manifest in chunks; `summary` is that of the run."""
        first = ("run_id", "verdict", "outcome", "message")
        head = {
            **{name: summary[name] for name in first},
            "verdicts": summary["targets"],
            **{name: value for name, value in summary.items() if name not in (*first, "targets", "crawl")},
            "started_at": run.started_at,
            "crawl": self.crawl.as_dict(),
        }
        yield "{"
        for name, value in head.items():
            yield f"{json.dumps(name)}: {json.dumps(value)},\n"
        yield _FILES
        # Whoever reads nothing but the files sees which of them are not a whole listing.
        yield from array_text({**file, "verdict": self._verdicts[file["target_id"]]} for file in _read(self._files))
        yield f",\n{_TARGETS}"
        yield from array_text(_read(self._targets))
        yield "}\n"


@dataclass(frozen=True)
class Manifest:
    """A manifest that was downloaded to `path`: it can be larger than memory."""

    path: Path

    def summary(self) -> dict[str, Any]:
        """Return the summary of the run."""
        with self.path.open(encoding="ascii") as lines:
            return summary_in(line.rstrip("\n") for line in lines)

    def files(self) -> Iterator[dict[str, Any]]:
        """Yield the files."""
        return self._array(_FILES)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the entries of the targets."""
        return self._array(_TARGETS)

    def _array(self, begins: str) -> Iterator[dict[str, Any]]:
        with self.path.open(encoding="ascii") as lines:
            for line in dropwhile(lambda line: not line.startswith(begins), lines):
                if line.startswith("]"):
                    return
                if not line.startswith(begins):
                    yield json.loads(line.rstrip().removesuffix(","))


def summary_in(lines: Iterator[str]) -> dict[str, Any]:
    """Return the summary of a run, as `Body.text` took it, from the lines of its manifest."""
    head = "".join(takewhile(lambda line: not line.startswith(_FILES), lines))
    found: dict[str, Any] = json.loads(f"{head.rstrip().rstrip(',')}}}")
    del found["started_at"]
    verdicts = found.pop("verdicts")
    return {**found, "targets": verdicts, "crawl": found["crawl"]["name"]}


@contextmanager
def collected(stores: Stores, run: Run, crawl: Crawl, tally: Tally) -> Iterator[Body]:
    """Collect the body of a run's manifest, and add its targets to `tally`.

    Memory holds a few counts of each target, never the list of all files.
    """
    counted: dict[str, dict[str, Any]] = {}
    verdicts: dict[str, str] = {}

    def targets() -> Iterator[Target]:
        return map(Target.from_dict, stores.pages.json_array(targets_key(run)))

    def all_files() -> Iterator[dict[str, Any]]:
        for listing in by_target(stores.checkpoints.pages(run)):
            counted[listing.target_id] = counts(listing)
            yield from files(listing)

    def all_entries() -> Iterator[dict[str, Any]]:
        recorded, testimonies = stores.targets, stores.witnesses.testimonies(run)
        comparisons = Trust(stores, run, crawl).judge(targets(), counted, testimonies)
        witnessed = Witnessed(crawl, run, testimonies, comparisons)
        ends = Ends(counted, recorded.verdicts(run), witnessed.mistrusted(), recorded.throttles(run))
        for entry in entries(targets(), ends):
            entry["witness"] = witnessed.of(target_of(entry), ends)
            tally.add(entry)
            if "resume_token" in entry:
                # What a person can copy must be the token itself.
                entry["resume_token"] = stores.pages.token(entry["resume_token"])
            verdicts[entry["target_id"]] = entry["verdict"]
            yield entry

    with tempfile.TemporaryFile() as of_files, tempfile.TemporaryFile() as of_targets:
        _write(of_files, all_files())
        _write(of_targets, all_entries())
        yield Body(crawl, of_files, of_targets, verdicts)


def files(listing: Listing) -> Iterator[dict[str, Any]]:
    """Yield the manifest's entry of each file of a target, without the target's verdict."""
    for record in listing.records:
        yield {"key": record.key, "items": record.items, "bytes": record.bytes, "target_id": record.target_id}


def _write(file: IO[bytes], documents: Iterable[Any]) -> None:
    # Compressed, because the manifest itself needs the disk of the function.
    with gzip.open(file, "wt", compresslevel=1, encoding="ascii") as text:
        text.writelines(f"{json.dumps(document)}\n" for document in documents)


def _read(file: IO[bytes]) -> Iterator[Any]:
    file.seek(0)
    with gzip.open(file, "rt", encoding="ascii") as text:
        yield from map(json.loads, text)
