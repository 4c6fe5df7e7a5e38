"""Finishes a run: writes its manifest and records its summary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pageturner import costs, prices
from pageturner.console import Console
from pageturner.crawls.crawl import Crawl
from pageturner.errors import RunStoppedError, SinkError
from pageturner.finish.collecting import Collector
from pageturner.finish.manifest import summary_in, text_of
from pageturner.finish.progress import Limits, Progress, Workshop
from pageturner.finish.summary import Tally, summary
from pageturner.page_state import Run
from pageturner.stores import Stores
from pageturner.stores.keys import INDEX, manifest_key, page_prefix, report_key
from pageturner.stores.page_store import Version


@dataclass(frozen=True)
class Finisher:
    """Finishes runs.

    What they cost depends on for how long a PageLoop turned pages, and on how many targets LongTargets had.
    """

    stores: Stores
    console: Console
    limits: Limits
    loop_seconds: float = costs.LOOP_SECONDS
    long_targets: int = 1

    def finish(self, run_id: str, execution: str, ended: datetime, generation: int | None = None) -> dict[str, Any]:
        """Write the manifest and record the end of the run. Returns its summary.

        If there is more to do than one invocation does, returns the `outcome` "again", and what the next one takes: the
        `run` with its `run_id` and `generation`, and how many `targets` there were for LongTargets.

        It can be called twice, and late. What counts is the first manifest of the run's `generation` (None: the latest
        one). If the run has been resumed and has ended since, it returns that summary. Raises `RunStoppedError` if it
        has been resumed and goes on.
        """
        found = self.stores.runs.find(run_id)
        if found is None:
            raise SinkError(f"the runs table has no record of run {run_id}")
        run, crawl = Run.from_dict(found.run), Crawl.from_dict(found.crawl)
        if generation not in (None, run.generation):
            if found.summary is None or found.continues:
                raise _resumed(run)
            return dict(found.summary)
        ended_as = self._ended_as(run, crawl, ended)
        if ended_as is None:
            again = {"run_id": run.run_id, "generation": run.generation}
            return {"outcome": "again", "run": again, "targets": {"count": self.long_targets}}
        result = {
            **ended_as,
            "manifest": f"s3://{self.stores.pages.bucket}/{manifest_key(run)}",
            "report": f"s3://{self.stores.pages.bucket}/{report_key(run)}",
            "items_prefix": f"s3://{self.stores.pages.bucket}/{page_prefix(run, crawl.name)}",
            "items_table": self.stores.items.name,
            "links": {
                "execution": self.console.execution(execution),
                "report": self.console.object(self.stores.pages.bucket, report_key(run)),
                "index": self.console.object(self.stores.pages.bucket, INDEX),
                "items": self.console.objects(self.stores.pages.bucket, page_prefix(run, crawl.name)),
                "manifest": self.console.object(self.stores.pages.bucket, manifest_key(run)),
                "items_table": self.console.table(self.stores.items.name),
            },
        }
        if ended_as["outcome"] == "succeeded":
            self.stores.runs.record_latest(run, crawl)
        if not self.stores.runs.finish(run, result):
            raise _resumed(run)
        self.stores.history.end(run, crawl.name, result, as_catalogued=found.is_as_catalogued)
        if "format" not in found.run:  # a version that named no executions planned it
            self.stores.executions.name(run, crawl.name)
        self.stores.executions.end(execution, run.generation)
        if ended_as["outcome"] == "continues":
            self.stores.runs.hand_lock_over(crawl.lock_name, run)
        return result

    def _ended_as(self, run: Run, crawl: Crawl, ended: datetime) -> dict[str, Any] | None:
        """Return the summary of the manifest of a run's generation, which is put if it is not there yet.

        Returns None if it takes another invocation to put it.
        """
        while True:
            there = self.stores.pages.version(manifest_key(run))
            if there is not None and _generation(there) == run.generation:
                return summary_in(self.stores.pages.lines(manifest_key(run)))
            # In this order: whoever resumes the run after this has it finished by someone who sees this manifest.
            found = self.stores.runs.find(run.run_id)
            if found is None or found.generation != run.generation:
                raise _resumed(run)
            with TemporaryDirectory() as folder:
                workshop = Workshop(self.stores.pages, run, Path(folder))
                progress = self._collected(run, crawl, workshop)
                if progress is None:
                    return None
                tally = Tally(crawl, self.console.region, self.loop_seconds)
                for part in progress.targets:
                    for entry in workshop.read(part):
                        tally.add(entry)
                ended_as = summary(run, tally, ended)
                volume = costs.of_run(crawl, tally.turned, self.long_targets, run.generation)
                ended_as |= prices.estimate(volume)
                if found.window is not None:
                    ended_as["window"] = found.window
                if self.stores.pages.put_text(
                    manifest_key(run),
                    text_of(run, crawl, ended_as, progress, workshop),
                    lambda: {"generation": str(run.generation)},
                    instead_of=there,
                ):
                    return ended_as

    def _collected(self, run: Run, crawl: Crawl, workshop: Workshop) -> Progress | None:
        """Return all that is in the manifest, or None if another invocation goes on where this one ends.

        What a single invocation does is not recorded: that of a small run puts nothing but the manifest.
        """
        number, progress = workshop.latest()
        left = self.limits.steps
        collector = Collector(self.stores, run, crawl, self.limits, workshop)
        for progress in collector.steps(progress):  # noqa: B020 - the steps go on where the last one is
            if progress.is_small:
                continue
            number, left = number + 1, left - 1
            if not workshop.record(number, progress) or not left:
                return None
        return progress


def _generation(manifest: Version) -> int:
    return int(manifest.metadata.get("generation", 0))  # an earlier version of Pageturner did not say


def _resumed(run: Run) -> RunStoppedError:
    return RunStoppedError(f"{run.run_id} was resumed in another execution, which finishes it")
