"""Manifests of runs with a few or many targets, of which reports are made without a bucket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.finish.summary import Tally, summary
from pageturner.finish.timeline import Timeline
from pageturner.page_state import Place, Run
from pageturner.report.document import document_of
from pageturner.report.reporting import report_of
from pageturner.stores.checkpoints import PageRecord
from pageturner.verdicts import PageCounts

RUN = Run("buckets-20261126T020000Z-0123abcd", "2026-11-26", "2026-11-26T02:00:00.000Z", "", 0, generation=1)
CRAWL = Crawl("buckets", "s3", "list_objects_v2", key="Key")
ENDED = datetime.fromisoformat("2026-11-26T02:21:40.000Z")
LINKS = {
    name: f"https://eu-west-1.console.aws.amazon.com/{name}" for name in ("execution", "items", "manifest", "index")
}
DENIED = {"verdict": "denied", "error": "AccessDeniedError"} | {
    "cause": "An error occurred (AccessDenied) when calling the ListObjectsV2 operation: Access Denied"
}


def entry(number: int, **more: Any) -> dict[str, Any]:
    """A manifest's entry of a target."""
    counts = {
        name: value
        for name, value in PageCounts().counts().items()
        if name not in ("end", "end_error", "pass_number", "pages_missing", "resume_token", "miscount")
    }
    return {
        "target_id": f"t{number:05}",
        "account": "111122223333",
        "region": "eu-west-1",
        "verdict": "complete",
        "parameters": {"Bucket": f"bucket-{number:05}"},
        **counts,
        "items": 10 * number,
        "pages": number % 7 + 1,
        "bytes": 1000 * number,
        "milliseconds": 350 * (number % 7 + 1),
        "first_page_at": RUN.started_at,
        "last_page_at": RUN.started_at,
        "throttles": 0,
        "last_throttle": "",
        "witness": None,
        **more,
    }


def timeline(pages: Sequence[tuple[float, int, int]]) -> dict[str, Any]:
    """The timeline of pages: each with its second, its items and the milliseconds that it took."""
    made = Timeline(RUN.started_at)
    began = datetime.fromisoformat(RUN.started_at).timestamp()
    for seconds, items, milliseconds in pages:
        at = datetime.fromtimestamp(began + seconds, tz=ENDED.tzinfo).isoformat()
        made.add(PageRecord("t", 1, 1, items, 1, "", Place(), fetched_at=at, milliseconds=milliseconds))
    return made.as_dict()


def document(
    entries: Sequence[Mapping[str, Any]],
    crawl: Crawl = CRAWL,
    pages: Sequence[tuple[float, int, int]] = (),
    **more: Any,
) -> dict[str, Any]:
    """What the report of a run with these targets shows."""
    tally = Tally(crawl, "eu-west-1")
    for each in entries:
        tally.add(each)
    cost = {"estimated_cost": 0.0123, "cost_arithmetic": ["Lambda: 3 requests x $0.20/million = $0.000001"]}
    ended = summary(RUN, tally, ENDED) | cost | {"links": LINKS, "manifest": "s3://bucket/runs/manifest.json"} | more
    spread = pages or [(3.5 * number, 100, 300 + number % 50) for number in range(sum(tally.verdicts.values()))]
    head = {name: ended[name] for name in ("outcome", "verdict")}
    head |= {"started_at": RUN.started_at, "crawl": crawl.as_dict(), "timeline": timeline(spread)}
    return document_of(ended, head, iter(entries), "eu-west-1")


def report(entries: Sequence[Mapping[str, Any]], crawl: Crawl = CRAWL, **more: Any) -> str:
    """The report of a run with these targets."""
    return report_of(document(entries, crawl, **more))


def totals(entries: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """What the targets of a run come to."""
    found = Counter[str]()
    for each in entries:
        found.update({name: each[name] for name in ("items", "pages", "bytes", "throttles", "restarts")})
    return found
