"""Makes the pictures of the documents: ``make pictures``, after a change of how reports or the terminal look.

The runs of the reports are made up, and what is said of them is what FinishRun says of such targets. Those of the
terminal are the emulator's.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from local import terminal_session
from local.browser import ARGUMENTS, NEEDED, browser
from pageturner.page_state import utc_text
from pageturner.report.index import index_of
from pageturner.report.runs import ShownRun, shown_of
from tests.browser.documents import DENIED, ENDED, RUN, entry, report

IMAGES = Path(__file__).parent.parent / "docs" / "images"
WIDTH, HEIGHT = 1040, 1180
ACCOUNTS = ("111122223333", "444455556666")
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1")
BUCKETS = (
    *("assets", "audit-logs", "backups", "billing-exports", "cdn-origin", "config-history", "data-lake", "exports"),
    *("firmware", "images", "invoices", "legal-archive", "mail", "media", "ml-features", "partner-drop"),
    *("public-site", "reports", "sessions", "telemetry", "terraform-state", "thumbnails", "uploads", "web-static"),
)
COUNTED = {"who": "CloudWatch", "age": 6, "at": "2026-11-25T00:00:00.000Z", "agrees": True}
SLOW_DOWN = "An error occurred (SlowDown) when calling the ListObjectsV2 operation: Please reduce your request rate."
LATE = {"verdict": "unfinished", "error": "DeadlinePassedError", "cause": "the deadline has passed", "witness": None}
PUBLISHED = {
    "message": "published 1,204 new, 87 changed, 31 gone",
    "new": 1204,
    "changed": 87,
    "gone": 31,
    "number": 41,
    "database": "pageturner",
    "name": RUN.run_id,
    "gone_keys": ["2026/11/25/report.csv", "2026/11/25/report.json"],
}


def target(number: int, name: str) -> dict[str, Any]:
    """A bucket that was listed."""
    items = int(1000 * (1.5 + math.sin(number * 1.7)) * (1 + number % 5) ** 2)
    pages = math.ceil(items / 1000)
    counts = {"items": items, "pages": pages, "bytes": 38 * items, "milliseconds": pages * (280 + 37 * (number % 5))}
    where = {"account": ACCOUNTS[number % 2], "region": REGIONS[number % 3], "parameters": {"Bucket": name}}
    return entry(number, **where, **counts, witness={**COUNTED, "count": items, "listed": items})


def reports() -> Mapping[str, str]:
    """The reports of a run that is complete, of one that is not, and of an empty listing."""
    complete = [target(number, name) for number, name in enumerate(BUCKETS)]
    partial = [dict(each) for each in complete]
    for number in (2, 11):
        partial[number] |= {**DENIED, "items": 0, "pages": 0, "bytes": 0, "milliseconds": 0, "witness": None}
    partial[19] |= {**LATE, "throttles": 412, "last_throttle": SLOW_DOWN}
    partial[6] |= {"throttles": 96, "last_throttle": SLOW_DOWN}
    nothing = {"new": 0, "changed": 0, "gone": 0, "number": 0, "message": "nothing to publish"}
    seconds = (ENDED - datetime.fromisoformat(RUN.started_at)).total_seconds()
    count = sum(each["pages"] for each in complete)
    pages = [
        (4 + (seconds - 8) * (at / count) ** 1.3, 1000, int(300 + 60 * math.sin(at / 30) + 500 * (150 < at < 165)))
        for at in range(count)
    ]
    return {
        "complete": report(complete, pages=pages, published=PUBLISHED),
        "not-complete": report(partial, pages=pages, published=PUBLISHED),
        "empty": report([entry(1, items=0, pages=1, bytes=20)], pages=[(2, 0, 210)], published=nothing),
    }


def all_runs() -> str:
    """The page of all runs."""
    latest, found = datetime(2026, 11, 26, 2, tzinfo=UTC), []
    for number, (name, hours) in enumerate(
        [("buckets", 24), ("objects", 24), ("trail", 6), ("policies", 24), ("account", 48), ("roles", 168)]
    ):
        for at in range(0, 24 * 80, hours):
            began = latest - timedelta(hours=at)
            is_bad = (name, at) == ("objects", 0) or (at // hours * 7 + number * 5) % 37 == 3
            verdict = "incomplete" if is_bad else "limited" if (at + number) % 41 == 5 else "complete"
            found.append(
                ShownRun(
                    *(f"{name}-{began:%Y%m%dT%H%M%SZ}-0123abcd", name, utc_text(began)),
                    as_catalogued=True,
                    ended_at=utc_text(began + timedelta(minutes=3)),
                    outcome="failed" if is_bad else "succeeded",
                    verdict=verdict,
                    targets=24,
                    items=455_844 - at,
                    message="2 of 24 targets not complete (22 complete, 2 denied)" if is_bad else "",
                )
            )
    return index_of(shown_of(found))


def main() -> int:
    """Make the pictures. Returns the exit code."""
    path = browser()
    if path is None:
        print(NEEDED, file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    pages = {**{f"report-{name}": text for name, text in reports().items()}, "all-runs": all_runs()}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        for name, text in pages.items():
            file = Path(folder) / f"{name}.html"
            file.write_text(text, encoding="ascii")
            for scheme in ("light", "dark"):
                page = started.new_page(color_scheme=scheme, viewport={"width": WIDTH, "height": HEIGHT})
                # Pictures say how long ago a run was.
                page.clock.set_fixed_time(datetime(2026, 11, 26, 3, tzinfo=UTC))
                page.goto(file.as_uri())
                picture = IMAGES / f"{name}-{scheme}.png"
                page.screenshot(path=picture)
                page.close()
                _say(picture)
        page = started.new_page(device_scale_factor=1.25)
        page.set_content(terminal_session.page())
        picture = IMAGES / "terminal.png"
        page.locator("pre").screenshot(path=picture)
        _say(picture)
        started.close()
    return 0


def _say(picture: Path) -> None:
    print(f"{picture.relative_to(IMAGES.parent.parent)}: {picture.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    sys.exit(main())
