"""How a run ends: the manifest of all that it wrote, and its summary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pageturner import costs
from pageturner.crawls.crawl import Crawl
from pageturner.errors import SinkError
from pageturner.finish.console import Console
from pageturner.finish.summary import Ends, Tally, counts, entries, files, summary
from pageturner.page_state import Run, Target
from pageturner.stores import Stores
from pageturner.stores.checkpoints import by_target
from pageturner.stores.keys import manifest_key, page_prefix, targets_key
from pageturner.stores.page_store import array_text


@dataclass(frozen=True)
class Finisher:
    """Finishes runs. It holds some counts of each target, and never the list of all files."""

    stores: Stores
    console: Console

    def finish(self, run_id: str, execution: str, ended: datetime) -> dict[str, Any]:
        """Write the manifest, record the end of the run and give back its lock. Returns its summary."""
        found = self.stores.runs.find(run_id)
        if found is None:
            raise SinkError(f"{run_id} is not in the runs table")
        run, crawl = Run(**found.run), Crawl.from_dict(found.crawl)
        tally = Tally(crawl)
        self.stores.pages.put_text(manifest_key(run), self._manifest(run, crawl, tally))
        ended_as = summary(run, tally, ended)
        result = {
            **ended_as,
            "manifest": f"s3://{self.stores.pages.bucket}/{manifest_key(run)}",
            "items_prefix": f"s3://{self.stores.pages.bucket}/{page_prefix(run, crawl.name)}",
            "items_table": self.stores.items.name,
            **costs.of_run(crawl, tally.totals, tally.verdicts.total()),
            "links": {
                "execution": self.console.execution(execution),
                "items": self.console.objects(self.stores.pages.bucket, page_prefix(run, crawl.name)),
                "manifest": self.console.object(self.stores.pages.bucket, manifest_key(run)),
                "items_table": self.console.table(self.stores.items.name),
            },
        }
        if ended_as["outcome"] == "succeeded":
            self.stores.runs.record_latest(run, crawl)
        self.stores.runs.finish(run, result)
        self.stores.runs.unlock(crawl.name, execution)
        return result

    def _manifest(self, run: Run, crawl: Crawl, tally: Tally) -> Iterator[str]:
        """The text of the manifest: every file with its count, and every target with its verdict."""
        counted: dict[str, dict[str, Any]] = {}

        def all_files() -> Iterator[dict[str, Any]]:
            for listing in by_target(self.stores.checkpoints.pages(run)):
                counted[listing.target_id] = counts(listing)
                yield from files(listing)

        def all_entries() -> Iterator[dict[str, Any]]:
            recorded = self.stores.targets
            ends = Ends(counted, recorded.verdicts(run), recorded.sweeps(run), recorded.throttles(run))
            targets = map(Target.from_dict, self.stores.pages.json_array(targets_key(run)))
            for entry in entries(crawl, targets, ends):
                tally.add(entry)
                yield entry

        yield f'{{"run_id": {json.dumps(run.run_id)}, "crawl": {json.dumps(crawl.as_dict())},\n"files": '
        yield from array_text(all_files())
        yield ',\n"targets": '
        yield from array_text(all_entries())
        yield "}\n"
