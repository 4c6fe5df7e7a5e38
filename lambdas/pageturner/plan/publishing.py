"""What a person asks PublishRun for: to publish a run, or to compare two."""

from __future__ import annotations

from typing import Any

from pageturner.errors import InvalidCrawlError
from pageturner.stores import Stores
from pageturner.stores.runs_and_locks import RunRecord


def to_publish(stores: Stores, run_id: str) -> dict[str, Any]:
    """Return the input of PublishRun that publishes a run, mistrusted listings too. Raises `InvalidCrawlError`."""
    found = _ended(stores, run_id, "input.publish")
    return {"run_id": run_id, "generation": found.generation, "asked": True}


def to_compare(stores: Stores, earlier: str, later: str) -> dict[str, Any]:
    """Return the input of PublishRun that compares two runs of a crawl. Raises `InvalidCrawlError`."""
    first, second = _ended(stores, earlier, "input.changes"), _ended(stores, later, "input.changes")
    if first.crawl["name"] != second.crawl["name"]:
        raise InvalidCrawlError(
            f"input.changes: {earlier} is a run of {first.crawl['name']}, and {later} of {second.crawl['name']}; "
            "name two runs of the same crawl"
        )
    if any(each.window is not None for each in (first, second)):
        raise InvalidCrawlError(
            "input.changes: these runs have listed only what was new, so there is nothing to compare; "
            "the table changes has what each has added"
        )
    return {"run_id": later, "generation": second.generation, "compare": [earlier, later]}


def _ended(stores: Stores, run_id: str, place: str) -> RunRecord:
    found = stores.runs.find(run_id)
    if found is None:
        raise InvalidCrawlError(
            f'{place}: there is no run "{run_id}"; find the run_id in the output of its execution, or in the table runs'
        )
    if found.summary is None or found.continues:
        raise InvalidCrawlError(
            f"{place}: {run_id} has not ended; wait for it, or resume it, which publishes it too: "
            f'{{"resume": "{run_id}"}}'
        )
    return found
