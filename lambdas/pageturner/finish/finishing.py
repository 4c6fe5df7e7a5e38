"""Finishes a run: writes its manifest, records its summary and releases its lock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pageturner import costs
from pageturner.crawls.crawl import Crawl
from pageturner.errors import SinkError
from pageturner.finish.console import Console
from pageturner.finish.gone_listings import GoneListings
from pageturner.finish.manifest import collected
from pageturner.finish.summary import Tally, summary
from pageturner.page_state import Run
from pageturner.stores import Stores
from pageturner.stores.keys import manifest_key, page_prefix


@dataclass(frozen=True)
class Finisher:
    """Finishes runs."""

    stores: Stores
    console: Console

    def finish(self, run_id: str, execution: str, ended: datetime) -> dict[str, Any]:
        """Write the manifest, record the end of the run and release its lock. Returns its summary."""
        found = self.stores.runs.find(run_id)
        if found is None:
            raise SinkError(f"the runs table has no record of run {run_id}")
        run, crawl = Run(**found.run), Crawl.from_dict(found.crawl)
        tally = Tally(crawl, self.console.region)
        with collected(self.stores, run, crawl, tally) as body:
            ended_as = summary(run, tally, ended)
            self.stores.pages.put_text(manifest_key(run), body.text(run, ended_as))
        gone = GoneListings(self.stores, run, crawl).sweep(tally.verdicts)
        result = {
            **ended_as,
            "stale_items": ended_as["stale_items"] + gone.stale,
            **gone.as_dict(),
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
        self.stores.executions.end(execution)
        self.stores.runs.unlock(crawl.name, execution)
        return result
