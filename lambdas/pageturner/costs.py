"""Estimates the cost of a run: what it used or will use, at the us-east-1 list prices of November 2026.

The estimate leaves out what crawled services and witnesses charge for requests, and reads, logs, transfer and storage,
and the seven or so records of a target, which cost a fiftieth of its state transitions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pageturner.crawls.crawl import Crawl

FETCH_PAGE_MEMORY_MB = 512
# Dollars. Lambda on arm64; Express by requests and 64 MB of memory; DynamoDB on demand.
_LAMBDA_REQUEST, _LAMBDA_GB_SECOND = 0.20e-6, 0.0000133334
_EXPRESS_REQUEST, _EXPRESS_GB_SECOND = 1.00e-6, 0.00001667
_TRANSITION = 0.025e-3
_S3_PUT = 0.005e-3
_DYNAMODB_WRITE = 0.625e-6
# State transitions of a run, a target and a hand-over in Standard; the rest is negligible.
_TRANSITIONS_OF_RUN, _TRANSITIONS_OF_TARGET, _TRANSITIONS_OF_HAND_OVER = 9, 2, 4
# PublishRun: what `make bench-publish` measures, with some to spare.
_PUBLISH_GB, _PUBLISH_SECONDS, _PUBLISH_SECONDS_OF_ITEM = 3008 / 1024, 2, 0.0002
_LOOP_SECONDS = 120


@dataclass(frozen=True)
class Volume:
    """The size of a run; `seconds` is the total time to fetch and write its pages."""

    targets: int
    pages: int
    items: int
    seconds: float


def of_run(crawl: Crawl, totals: Mapping[str, int], targets: int) -> dict[str, Any]:
    """Return the estimate for a run that has ended."""
    return estimate(crawl, Volume(targets, totals["pages"], totals["items"], totals["milliseconds"] / 1000))


def estimate(crawl: Crawl, volume: Volume) -> dict[str, Any]:
    """Return `estimated_cost` in dollars, and `cost_arithmetic`: one line for each service.

    The lines count invocations and seconds; loops and seconds; transitions; seconds of publishing; puts; and writes
    of up to 1 KB.
    """
    pages, seconds, gigabytes = volume.pages, volume.seconds, FETCH_PAGE_MEMORY_MB / 1024
    hand_overs = volume.targets + int(seconds / _LOOP_SECONDS)
    transitions = _TRANSITIONS_OF_RUN + _TRANSITIONS_OF_TARGET * volume.targets + _TRANSITIONS_OF_HAND_OVER * hand_overs
    # As if all items were new. Publishing writes only what has changed, in transactions, which cost twice as much.
    writes = pages + (2 * volume.items if "dynamodb" in crawl.sinks else 0)
    publishing = _PUBLISH_SECONDS + _PUBLISH_SECONDS_OF_ITEM * volume.items
    lines = {
        f"Lambda invocations: {pages:,} x $0.20/million + {seconds:,.1f} s x {gigabytes:g} GB x $0.0000133334": (
            pages * _LAMBDA_REQUEST + seconds * gigabytes * _LAMBDA_GB_SECOND
        ),
        f"Step Functions Express loops: {hand_overs:,} x $1.00/million + {seconds:,.1f} s x 0.0625 GB x $0.00001667": (
            hand_overs * _EXPRESS_REQUEST + seconds * 0.0625 * _EXPRESS_GB_SECOND
        ),
        f"Step Functions Standard: {transitions:,} transitions x $0.025/thousand": transitions * _TRANSITION,
        f"Lambda publishing: {publishing:,.1f} s x {_PUBLISH_GB:g} GB x $0.0000133334": (
            publishing * _PUBLISH_GB * _LAMBDA_GB_SECOND
        ),
        f"S3 puts: {pages:,} x $0.005/thousand": pages * _S3_PUT,
        f"DynamoDB writes (up to 1 KB): {writes:,} x $0.625/million": writes * _DYNAMODB_WRITE,
    }
    return {
        "estimated_cost": round(sum(lines.values()), 6),
        "cost_arithmetic": [f"{line} = ${dollars:.6f}" for line, dollars in lines.items()],
    }
