"""Tells what a run came to: CloudWatch, people, and the history."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pageturner import notices, telemetry
from pageturner.page_state import Run
from pageturner.stores import Stores

COMPLETE, NOT_COMPLETE = "RunsComplete", "RunsNotComplete"
_KINDS = ("new", "changed", "gone")
# What is logged of a run, for Logs Insights.
FACTS = (
    *("crawl", "run_id", "outcome", "verdict", "seconds", "pages", "items", "bytes", "throttles", "restarts"),
    *("targets", "estimated_cost"),
)


def tell(stores: Stores, output: Mapping[str, Any], now: str) -> Run | None:
    """Tell of a run, by the output of its execution. Called twice, it tells people twice. Raises `SinkError`.

    Returns the run, or None if it was resumed since: it is told of when it has ended again. Whoever asks for a
    publication by hand sees what becomes of it; the run is what it was.
    """
    found = stores.runs.find(output["run_id"])
    if found is None or found.summary is None or found.generation != output["generation"]:
        telemetry.logger.warning("the run was resumed since, and is reported when it has ended again")
        return None
    run = Run.from_dict(found.run)
    published = output.get("published") or {}
    if not published.get("asked_by"):
        is_complete = output["outcome"] == "succeeded"
        count(COMPLETE if is_complete else NOT_COMPLETE)
        if not is_complete:
            notices.send(notices.of_run(output))
        elif os.environ.get("NOTICE_CHANGES") == "true" and any(published.get(kind) for kind in _KINDS):
            notices.send(notices.of_changes(output))
    stores.history.report(run, output["crawl"], found.summary, output, now)
    changes = {kind: published.get(kind) for kind in _KINDS}
    telemetry.logger.info(
        "run reported", extra={**{name: output[name] for name in FACTS}, "outcome": found.summary["outcome"], **changes}
    )
    return run


def count(name: str) -> None:
    """Count a run in a metric without a dimension."""
    telemetry.count(name, 1)
    telemetry.flush()
