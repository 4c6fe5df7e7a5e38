"""Makes one run of a trigger that is delivered twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.messages import shown
from pageturner.page_state import Run
from pageturner.stores import Stores


def duplicate(
    stores: Stores, is_running: Callable[[str], bool], crawl: Crawl, trigger: str, run: Run
) -> dict[str, Any] | None:
    """Take a trigger for the execution of a run; or return what to say if another execution has taken it before.

    An execution that has ended without a run (its input was wrong, the crawl was running, it was stopped) has lost it.
    """
    taken = stores.triggers.take(crawl.lock_name, trigger, run)
    # In this order: a run that it has begun is on record before it ends.
    while taken is not None and not is_running(taken.execution) and stores.runs.find(taken.run_id) is None:
        taken = stores.triggers.take(crawl.lock_name, trigger, run, instead_of=taken)
    if taken is None:
        return None
    return {
        "outcome": "duplicate",
        "message": (
            f"the trigger {shown(trigger)} has started run {taken.run_id} of the crawl {crawl.name} already, in "
            f"{taken.execution}; so this execution starts none"
        ),
        "crawl": crawl.name,
        "run_id": taken.run_id,
        "execution": taken.execution,
    }
