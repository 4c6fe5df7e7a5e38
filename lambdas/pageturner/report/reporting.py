"""Writes the report of a run beside its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pageturner.console import Console
from pageturner.errors import CannotPublishError, SinkError
from pageturner.finish.manifest import Manifest
from pageturner.page_state import Run
from pageturner.report.document import document_of
from pageturner.report.page import CONTENT_TYPE, page_of
from pageturner.stores import Stores
from pageturner.stores.keys import manifest_key, report_key

# What a run is called for people, by its outcome; and one that has succeeded, by its verdict.
_WORDS = {"continues": "goes on", "failed": "not complete", "stopped": "stopped"}
_OF_VERDICTS = {"limited": "limited, as requested", "incomplete": "as tolerated"}


@dataclass(frozen=True)
class Reporter:
    """Writes reports."""

    stores: Stores
    console: Console

    def write(self, summary: Mapping[str, Any]) -> bool:
        """Write the report of a generation of a run that has ended, by its summary. Repeating this is harmless.

        Returns False if the run was resumed since: its next end is reported. Raises `SinkError`, and
        `CannotPublishError` if the manifest is gone.
        """
        found = self.stores.runs.find(summary["run_id"])
        if found is None:
            raise SinkError(f"the runs table has no record of run {summary['run_id']}")
        run, generation = Run.from_dict(found.run), int(summary["generation"])
        with TemporaryDirectory() as folder:
            path = Path(folder) / "manifest.json"
            if not self.stores.pages.download(manifest_key(run), path):
                raise CannotPublishError(f"the manifest of {run.run_id} is gone")
            manifest = Manifest(path, self.stores.pages)
            head = manifest.head()
            if head["generation"] != generation:
                return False
            text = report_of(document_of(summary, head, manifest.entries(), self.console.region))
        return self._put(report_key(run), text, generation)

    def _put(self, key: str, text: str, generation: int) -> bool:
        pages, metadata = self.stores.pages, {"generation": str(generation)}
        while True:
            there = pages.version(key)
            if there is not None and int(there.metadata["generation"]) > generation:
                return False
            if pages.put_text(key, [text], lambda: metadata, there, CONTENT_TYPE):
                return True


def report_of(document: Mapping[str, Any]) -> str:
    """Return the report that shows what a document says."""
    run = document["run"]
    word = word_of(run["outcome"], run["verdict"])
    texts = {
        "title": f"{run['crawl']}: {word} - {run['run_id']}",
        "crawl": run["crawl"],
        "word": word,
        "headline": document["headline"],
        "next": document["next"]["said"],
        "manifest": document["places"]["manifest"] or "",
        "run_id": run["run_id"],
    }
    return page_of("report", texts, document)


def word_of(outcome: str | None, verdict: str | None) -> str:
    """What a run is called: its outcome and verdict in a word. A run that has not ended has neither."""
    if outcome == "succeeded":
        return _OF_VERDICTS.get(verdict or "", "complete")
    return _WORDS.get(outcome or "", "running")
