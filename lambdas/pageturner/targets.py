"""A crawl → its targets, and the names that follow from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pageturner.crawl import Crawl
from pageturner.page_state import Run, Target

# For as long as someone may still ask about a run.
_KEPT = timedelta(days=400)


def plan_run(crawl: Crawl, execution_id: str, started_at: str) -> Run:
    """Name the run that an execution begins: the same execution always gets the same name, so a retry is harmless.

    `started_at` is Step Functions' ISO 8601 time of the execution.
    """
    began = datetime.fromisoformat(started_at).astimezone(UTC)
    unique = hashlib.sha256(execution_id.encode()).hexdigest()[:8]
    return Run(
        run_id=f"{crawl.name}-{began:%Y%m%dT%H%M%SZ}-{unique}",
        date=f"{began:%Y-%m-%d}",
        started_at=began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        deadline=deadline(crawl, began),
        expires_at=int((began + _KEPT).timestamp()),
    )


def deadline(crawl: Crawl, began: datetime) -> str:
    """By when a run that began, or was resumed, at this time is to have come to its end."""
    return (began + timedelta(hours=crawl.deadline_hours)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def targets(crawl: Crawl, account: str, region: str) -> Iterator[Target]:
    """Yield the targets of `crawl`. `account` and `region` are those of the deployment, and the default."""
    for where in crawl.regions or (region,):
        # A target is the same in every run, so that its items are the same items.
        identity = json.dumps([crawl.service, crawl.operation, crawl.parameters], sort_keys=True)
        digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
        yield Target(f"{account}-{where}-{digest}", account, where, crawl.parameters)
