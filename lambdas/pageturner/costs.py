"""Estimates the volume of a run: what it used or will use of what AWS charges for; `prices` has dollars. Counted are

- the requests and seconds of all functions, throttled attempts and the start of their environments;
- state transitions, and the executions and seconds of Express, pauses included;
- requests to S3 and Glue, write and read units of DynamoDB, events;
- log lines at the log level INFO, and metrics in each hour in which they have values.

Left out are what crawled services and witnesses charge for requests, transfer, storage, X-Ray and free tiers; what a
state machine retries for another reason than throttling, and its way after a failed PageLoop; passes that were given
up; FailRun, StopRun, CheckCrawls and notices. `docs/reference.md` says this to people.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.prices import Volume

# The memory of the functions. What the others are is not counted.
FETCH_PAGE_MEMORY_MB, PLANNING_MEMORY_MB, PUBLISHING_MEMORY_MB = 512, 1024, 3008
# How long a PageLoop turns pages before it hands over, unless the deployment is set otherwise.
LOOP_SECONDS = 225.0
# The start of an Express child costs $26 a million: 40 targets share it for less than the time of one page costs. More
# would save little, and a batch is lost as a whole.
MOST_TARGETS_OF_BATCH = 40

_EXPRESS_GB = 64 / 1024
# Lambda bills the start of an environment too, and no function can measure it. Those of publishing have DuckDB.
START_SECONDS, PUBLISHING_START_SECONDS = 0.6, 1.2
# An Express execution is billed for each begun 100 ms: half of that more on average.
_ROUNDED_UP_SECONDS = 0.05
# What a page takes besides fetching and writing it: the rest of FetchPage's invocation; of Express also the call.
_REST_OF_FETCH_PAGE_SECONDS, REST_OF_PAGE_SECONDS = 0.02, 0.03
# A throttled attempt: two quick requests, and botocore's wait between them.
_THROTTLED_SECONDS = 0.5
# Longer than that, nothing but a pause keeps a target from its next page, and a pause is as long as the pace says, or,
# after throttles, up to `turn.page_step.LONGEST_INTERVAL`. Else it is no Express execution that waits.
_IDLE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 20.0
# State transitions, as the definitions have them: tests/infra/test_costs.py walks these.
_OF_PLANNING, _OF_BATCHES, _OF_LONG_TARGETS, _OF_FINISHING = 2, 3, 1, 2
_OF_CHILD, _OF_LOOP = 1, 3
# PlanRun, PlanLongTargets and FinishRun: each a second with its start; bench/plan.py measures targets and pages.
_SECONDS_OF_STEP, _SECONDS_OF_TARGET = 1.0, 0.0002
# What a run writes and reads besides its pages. A Map writes its results.
_OF_GENERATION = Volume(puts=4, gets=6, write_units=17, read_units=8, log_gb=12e-6)
_OF_BATCH_FILES = Volume(puts=5, gets=5, read_units=3, log_gb=1e-6)
# A page is a line of at most 600 bytes (bench/logs.py); FinishRun, and others before it, read its record.
_OF_PAGE = Volume(puts=1, read_units=0.4, log_gb=560e-9)
# A complete listing has a record of how it compares, and two if somebody else was asked who counts it.
_OF_TARGET = Volume(write_units=1, read_units=1.5)
_OF_WITNESS = Volume(write_units=2, read_units=0.2)
# FetchPage looks every 5 s whether it still should, and, if a target lasts, every 6 s whether others were throttled.
_LOOKS_OF_SECOND, _SECONDS_OF_LISTENING = 0.1, 6
# Throttles are counted for the crawl, and for all of them.
_METRICS, _METRICS_OF_THROTTLED = 2, 4
# As in `turn.pace`: how many moments a fast target reserves at once grows with its pages, up to those of 5 s.
PAGES_PER_MOMENT, ROOM_FACTOR, BLOCK_SECONDS = 8, 2, 5
# PublishRun: what `make bench-publish` measures, and its steps, requests and events. Behind it, ReportRun.
_PUBLISHING_SECONDS, _PUBLISHING_SECONDS_OF_ITEM = 2, 0.0002
OF_REPORTING = Volume(
    requests=1,
    gb_seconds=1,
    transitions=1,
    puts=2,
    gets=5,
    write_units=3,
    read_units=6,
    log_gb=2e-6,
    metric_hours=1,
)
OF_PUBLISHING = OF_REPORTING + Volume(
    requests=1, transitions=5, puts=12, gets=20, write_units=60, read_units=40, glue_requests=8, events=2, log_gb=8e-6
)


@dataclass
class Turned:
    """Adds up what turning the pages of a run took, target by target.

    `seconds` is for fetching and writing; `express_seconds` has the pauses too. `hand_overs` counts the PageLoops of
    each target but its first, `witnesses` those that were asked, and `hours` has the hours since 1970 in which pages
    were turned.
    """

    targets: int = 0
    pages: int = 0
    seconds: float = 0
    express_seconds: float = 0
    hand_overs: int = 0
    write_units: int = 0
    throttles: int = 0
    witnesses: int = 0
    hours: set[int] = field(default_factory=set)

    def add(self, entry: Mapping[str, Any], crawl: Crawl, loop_seconds: float) -> None:
        """Add the manifest's entry of a target."""
        pages, express_seconds = entry["pages"], _express_seconds(entry, crawl)
        self.targets += 1
        self.pages += pages
        self.seconds += entry["milliseconds"] / 1000
        self.express_seconds += express_seconds
        self.hand_overs += hand_overs(pages, express_seconds, loop_seconds)
        self.write_units += entry["write_units"]
        self.throttles += entry["throttles"]
        if pages:
            began, ended = _span(entry)
            self.hours.update(range(int(began // 3600), int(ended // 3600) + 1))


def hand_overs(pages: int, express_seconds: float, loop_seconds: float) -> int:
    """Return how many PageLoops turn so many pages of a target besides the first: each ends with a whole page."""
    if not pages:
        return 0
    of_loop = max(1, math.ceil(loop_seconds / (express_seconds / pages)))
    return math.ceil(pages / of_loop) - 1


def expected(
    targets: int, pages: int, page_seconds: float, pace_seconds: float, loop_seconds: float, hours: int
) -> Turned:
    """Return what is expected of targets that are alike: a page takes `page_seconds`, `pace_seconds` with its pause."""
    each = math.ceil(pages / max(1, targets))
    express_seconds = max(pace_seconds, page_seconds + REST_OF_PAGE_SECONDS)
    return Turned(
        targets=targets,
        pages=pages,
        seconds=pages * page_seconds,
        express_seconds=pages * express_seconds,
        hand_overs=targets * hand_overs(each, each * express_seconds, loop_seconds),
        write_units=pages,
        hours=set(range(hours)),
    )


def expected_long_targets(crawl: Crawl, turned: Turned, loop_seconds: float) -> int:
    """Return how many targets ShortTargets leaves to LongTargets: all alike, those that take more than their share."""
    if turned.targets <= 1:
        return turned.targets
    share = loop_seconds / batch_size(turned.targets, crawl.max_concurrency)
    return turned.targets if turned.express_seconds / turned.targets > share else 0


def batch_size(targets: int, max_concurrency: int) -> int:
    """Return how many targets share an Express execution of ShortTargets.

    It has more than one only if more targets than may run at once are left anyway.
    """
    return min(MOST_TARGETS_OF_BATCH, math.ceil(targets / max_concurrency))


def of_run(crawl: Crawl, turned: Turned, long_targets: int, generations: int = 1) -> Volume:
    """Return the volume of a run until it is published; `long_targets` counts those that LongTargets turned last."""
    size = batch_size(turned.targets, crawl.max_concurrency)
    # A single target needs no batch.
    batches = math.ceil(turned.targets / size) if turned.targets > 1 else 0
    loops = long_targets + turned.hand_overs
    fetch_page_seconds = turned.seconds + turned.pages * _REST_OF_FETCH_PAGE_SECONDS
    pace, each = crawl.max_pages_per_second or 0, turned.pages / max(1, turned.targets)
    block = max(1, int(BLOCK_SECONDS * pace)) if ROOM_FACTOR * fetch_page_seconds * pace <= turned.pages else 1
    growing = PAGES_PER_MOMENT * (1.5 + math.log(max(1, min(each / PAGES_PER_MOMENT, block))))
    reservations = min(each, growing + max(0, each / block - PAGES_PER_MOMENT)) * turned.targets if pace else 0
    fetch_page_seconds += turned.throttles * _THROTTLED_SECONDS
    fetch_page_seconds += min(turned.targets, crawl.max_concurrency) * START_SECONDS
    steps = 2 * generations + (1 if batches else 0)
    planning_seconds = steps * _SECONDS_OF_STEP + (turned.targets + turned.pages) * _SECONDS_OF_TARGET
    transitions = (_OF_PLANNING + _OF_FINISHING + (_OF_LONG_TARGETS if long_targets else 0)) * generations
    transitions += (_OF_BATCHES if batches else 0) + _OF_CHILD * (batches + long_targets) + _OF_LOOP * loops
    express_seconds = turned.express_seconds + _ROUNDED_UP_SECONDS * (batches + loops)
    looks = max(0, express_seconds / _SECONDS_OF_LISTENING - turned.targets)
    waits = turned.targets + turned.hand_overs if pace else 0  # the first page of a loop may wait for its moment
    return sum(
        [
            _times(generations, _OF_GENERATION),
            _OF_BATCH_FILES if batches else Volume(),
            _times(turned.pages, _OF_PAGE),
            _times(turned.targets, _OF_TARGET),
            _times(turned.witnesses, _OF_WITNESS),
        ],
        Volume(
            requests=turned.pages + turned.throttles + steps + waits,
            gb_seconds=(fetch_page_seconds * FETCH_PAGE_MEMORY_MB + planning_seconds * PLANNING_MEMORY_MB) / 1024,
            executions=batches + loops,
            express_gb_seconds=express_seconds * _EXPRESS_GB,
            transitions=transitions,
            write_units=turned.write_units + 2 * turned.throttles + reservations,
            read_units=express_seconds * _LOOKS_OF_SECOND + looks / 2,
            metric_hours=(_METRICS_OF_THROTTLED if turned.throttles else _METRICS) * len(turned.hours),
        ),
    )


def of_publishing(pages: int, items: int, write_units: int) -> Volume:
    """Return the expected volume of publishing so many items, all of them new, with so many units for all rows."""
    seconds = PUBLISHING_START_SECONDS + _PUBLISHING_SECONDS + _PUBLISHING_SECONDS_OF_ITEM * items
    return OF_PUBLISHING + Volume(gb_seconds=seconds * PUBLISHING_MEMORY_MB / 1024, gets=pages, write_units=write_units)


def _times(count: float, volume: Volume) -> Volume:
    return Volume(*(count * number for number in vars(volume).values()))


def _express_seconds(entry: Mapping[str, Any], crawl: Crawl) -> float:
    """Return for how long Express executions turned the pages of a target.

    That is from its first page to its last, but for the time in which no Express execution waited for it: between
    ShortTargets and LongTargets, between two executions of the run, or while Crawl backed off.
    """
    pages = entry["pages"]
    busy: float = entry["milliseconds"] / 1000 + pages * REST_OF_PAGE_SECONDS
    if pages <= 1:
        return busy
    began, ended = _span(entry)
    # Shared by all that run at once, at most.
    pace = crawl.max_concurrency / crawl.max_pages_per_second if crawl.max_pages_per_second else 0
    idle: float = max(_IDLE_SECONDS, pace, LONGEST_PAUSE_SECONDS if entry["throttles"] else 0)
    return float(min(ended - began + busy / pages, busy + pages * idle))


def _span(entry: Mapping[str, Any]) -> tuple[float, float]:
    """Return when a target's first and last page were fetched, in seconds since 1970."""
    first, last = (datetime.fromisoformat(entry[name]).timestamp() for name in ("first_page_at", "last_page_at"))
    return first, last
