"""Finishes a run: writes its manifest and records its summary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pageturner import costs
from pageturner.crawls.crawl import Crawl
from pageturner.errors import RunStoppedError, SinkError
from pageturner.finish.console import Console
from pageturner.finish.manifest import collected, summary_in
from pageturner.finish.summary import Tally, summary
from pageturner.page_state import Run
from pageturner.stores import Stores
from pageturner.stores.keys import manifest_key, page_prefix
from pageturner.stores.page_store import Version


@dataclass(frozen=True)
class Finisher:
    """Finishes runs."""

    stores: Stores
    console: Console

    def finish(self, run_id: str, execution: str, ended: datetime, generation: int | None = None) -> dict[str, Any]:
        """Write the manifest and record the end of the run. Returns its summary.

        It can be called twice, and late. What counts is the first manifest of the run's `generation` (None: the latest
        one). If the run has been resumed and has ended since, it returns that summary. Raises `RunStoppedError` if it
        has been resumed and goes on.
        """
        found = self.stores.runs.find(run_id)
        if found is None:
            raise SinkError(f"the runs table has no record of run {run_id}")
        run, crawl = Run(**found.run), Crawl.from_dict(found.crawl)
        if generation not in (None, run.generation):
            if found.summary is None or found.continues:
                raise _resumed(run)
            return dict(found.summary)
        ended_as = self._ended_as(run, crawl, ended)
        result = {
            **ended_as,
            "manifest": f"s3://{self.stores.pages.bucket}/{manifest_key(run)}",
            "items_prefix": f"s3://{self.stores.pages.bucket}/{page_prefix(run, crawl.name)}",
            "items_table": self.stores.items.name,
            "links": {
                "execution": self.console.execution(execution),
                "items": self.console.objects(self.stores.pages.bucket, page_prefix(run, crawl.name)),
                "manifest": self.console.object(self.stores.pages.bucket, manifest_key(run)),
                "items_table": self.console.table(self.stores.items.name),
            },
        }
        if ended_as["outcome"] == "succeeded":
            self.stores.runs.record_latest(run, crawl)
        if not self.stores.runs.finish(run, result):
            raise _resumed(run)
        self.stores.executions.end(execution, run.generation)
        if ended_as["outcome"] == "continues":
            self.stores.runs.hand_lock_over(crawl.name, run)
        return result

    def _ended_as(self, run: Run, crawl: Crawl, ended: datetime) -> dict[str, Any]:
        """Return the summary of the manifest of a run's generation, which is put if it is not there yet."""
        while True:
            there = self.stores.pages.version(manifest_key(run))
            if there is not None and _generation(there) == run.generation:
                return summary_in(self.stores.pages.lines(manifest_key(run)))
            # In this order: whoever resumes the run after this has it finished by someone who sees this manifest.
            found = self.stores.runs.find(run.run_id)
            if found is None or found.generation != run.generation:
                raise _resumed(run)
            tally = Tally(crawl, self.console.region)
            with collected(self.stores, run, crawl, tally) as body:
                ended_as = summary(run, tally, ended)
                ended_as |= costs.of_run(crawl, tally.totals, tally.verdicts.total())
                if self.stores.pages.put_text(
                    manifest_key(run),
                    body.text(run, ended_as),
                    lambda: {"generation": str(run.generation)},
                    instead_of=there,
                ):
                    return ended_as


def _generation(manifest: Version) -> int:
    return int(manifest.metadata.get("generation", 0))  # an earlier version of Pageturner did not say


def _resumed(run: Run) -> RunStoppedError:
    return RunStoppedError(f"{run.run_id} was resumed in another execution, which finishes it")
