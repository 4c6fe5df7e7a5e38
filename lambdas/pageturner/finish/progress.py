"""How far the finishing of a run is: in steps, of which each is recorded in S3, so that any invocation goes on there.

The record of a step is its commit: the first one of a step stays, whoever else made it, and names what the step has
made. That has names of its own, by what is in it: of two that make the same step, none takes a file of the other for
its own.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from pageturner.errors import SinkError
from pageturner.formats import known, readable, stamped
from pageturner.page_state import Run
from pageturner.stores.keys import finishing_prefix
from pageturner.stores.page_store import PageStore


@dataclass(frozen=True)
class Limits:
    """How many page records, or targets, a step reads at most, and how many steps an invocation does.

    What comes from fewer records and fewer targets is a single manifest. Otherwise, each step makes a part of one.
    """

    records: int = 50_000
    targets: int = 10_000
    steps: int = 10


LIMITS = Limits()


@dataclass(frozen=True)
class Part:
    """An object with `lines` of JSON, compressed; `last` is the target of the last one."""

    key: str
    lines: int
    last: str


@dataclass(frozen=True)
class Progress:
    """What all steps so far have come to.

    First, all page records are read, up to the one named `read_to` (None: all are read): `pages` have the files of all
    passes, `counts` the counts of the targets that were read to their end, and `begun` those of the next one. Then all
    targets are judged, up to `judged_to` (None: all are judged): their entries are in `targets`. At last, the verdicts
    are put to the files of the last passes: `files` has a part for each of `pages`. `timeline` is that of all pages so
    far, as JSON.
    """

    read_to: str | None = ""
    pages: tuple[Part, ...] = ()
    counts: tuple[Part, ...] = ()
    begun: tuple[str, Mapping[str, Any]] | None = None
    judged_to: str | None = ""
    targets: tuple[Part, ...] = ()
    files: tuple[Part, ...] = ()
    timeline: Mapping[str, Any] | None = None

    @property
    def is_small(self) -> bool:
        """Whether there is no more so far than a single invocation takes, which then hands nothing over."""
        return not self.read_to and not self.judged_to and len(self.pages) <= 1 and len(self.targets) <= 1

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Progress:
        """The inverse of `asdict`."""
        readable(document, "a step of finishing a run")
        names = ("pages", "counts", "targets", "files")
        parts = {name: tuple(Part(**known(Part, part)) for part in document[name]) for name in names}
        begun, judged_to = document["begun"], document["judged_to"]
        # The steps of an earlier version have no timeline.
        of_pages = document.get("timeline")
        return cls(
            document["read_to"],
            begun=tuple(begun) if begun else None,
            judged_to=judged_to,
            timeline=of_pages,
            **parts,
        )


class Writer:
    """Writes the lines of a part to a file."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.NamedTemporaryFile(dir=folder, delete=False)  # noqa: SIM115 - `close` closes it
        # Without its name and time: what is the same has the same bytes.
        self._lines = gzip.GzipFile("", "wb", compresslevel=1, fileobj=self._file, mtime=0)
        self.count = 0

    def add(self, document: Any) -> None:
        """Add a line."""
        self._lines.write(f"{json.dumps(document)}\n".encode("ascii"))
        self.count += 1

    def close(self) -> Path:
        """Return the file."""
        self._lines.close()
        self._file.close()
        return Path(self._file.name)


@dataclass(frozen=True)
class Workshop:
    """Makes parts in a `folder`, where they stay until the step that made them is recorded."""

    store: PageStore
    run: Run
    folder: Path
    _here: dict[str, Path] = field(default_factory=dict)

    def latest(self) -> tuple[int, Progress]:
        """Return the number of steps on record, and what they have come to. Raises `SinkError`."""
        progress = Progress()
        for step in count(1):
            found = self.store.find_json(self._key(step))
            if found is None:
                return step - 1, progress
            progress = Progress.from_dict(found)
        raise AssertionError("steps are not endless")

    def record(self, step: int, progress: Progress) -> bool:
        """Put what was made, and record the step.

        Returns False if another attempt has recorded it before. Raises `SinkError`.
        """
        for key, path in self._here.items():
            self.store.put_file(key, path)
            path.unlink()
        self._here.clear()
        return self.store.put_text(self._key(step), [json.dumps(stamped(asdict(progress)))], dict)

    def writer(self) -> Writer:
        """Return a writer of a part."""
        return Writer(self.folder)

    def keep(self, writer: Writer, name: str, last: str, prefix: str | None = None) -> Part:
        """Return what was written as a part, behind `prefix` or with what only the steps need."""
        path = writer.close()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        key = f"{finishing_prefix(self.run) if prefix is None else prefix}{name}-{digest[:16]}.jsonl.gz"
        self._here[key] = path
        return Part(key, writer.count, last)

    def read(self, part: Part) -> Iterator[Any]:
        """Return the lines of a part. Raises `SinkError`."""
        if part.key in self._here:
            return _lines_of(self._here[part.key])
        found = lines_in(self.store, part.key, self.folder)
        if found is None:
            raise SinkError(f"s3://{self.store.bucket}/{part.key} was there, and is not any more")
        return found

    def _key(self, step: int) -> str:
        return f"{finishing_prefix(self.run)}{step:06d}.json"


def lines_in(store: PageStore, key: str, folder: Path) -> Iterator[Any] | None:
    """Return the lines of a part, which is copied to a folder until they are read; None if it is gone."""
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        path = Path(file.name)
    return _lines_of(path, is_copy=True) if store.download(key, path) else None


def _lines_of(path: Path, *, is_copy: bool = False) -> Iterator[Any]:
    with gzip.open(path, "rt", encoding="ascii") as lines:
        if is_copy:
            path.unlink()  # its bytes stay until it is closed
        yield from map(json.loads, lines)
