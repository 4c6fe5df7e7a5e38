"""What a run costs, about: the list prices of us-east-1, read in November 2026, times what it used or will use.

What the crawled service itself charges for requests is not in it, nor are logs, transfer and storage.
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
# The states that a run, a target and a hand-over pass in Standard; the rest is rounding.
_TRANSITIONS_OF_RUN, _TRANSITIONS_OF_TARGET, _TRANSITIONS_OF_HAND_OVER = 6, 4, 4
_LOOP_SECONDS = 120


@dataclass(frozen=True)
class Volume:
    """How much a run is; `seconds` is what all pages together took to fetch and to write."""

    targets: int
    pages: int
    items: int
    seconds: float


def of_run(crawl: Crawl, totals: Mapping[str, int], targets: int) -> dict[str, Any]:
    """The `estimated_cost` of a run that has ended."""
    return estimate(crawl, Volume(targets, totals["pages"], totals["items"], totals["milliseconds"] / 1000))


def estimate(crawl: Crawl, volume: Volume) -> dict[str, Any]:
    """Return `estimated_cost` in dollars, and `cost_arithmetic`: a line for each service.

    They count invocations and seconds; loops and seconds; transitions; puts; and writes of up to 1 KB.
    """
    pages, seconds, gigabytes = volume.pages, volume.seconds, FETCH_PAGE_MEMORY_MB / 1024
    hand_overs = volume.targets + int(seconds / _LOOP_SECONDS)
    transitions = _TRANSITIONS_OF_RUN + _TRANSITIONS_OF_TARGET * volume.targets + _TRANSITIONS_OF_HAND_OVER * hand_overs
    writes = pages + (volume.items if "dynamodb" in crawl.sinks else 0)
    lines = {
        f"Lambda invocations: {pages:,} x $0.20/million + {seconds:,.1f} s x {gigabytes:g} GB x $0.0000133334": (
            pages * _LAMBDA_REQUEST + seconds * gigabytes * _LAMBDA_GB_SECOND
        ),
        f"Step Functions Express, loops: {hand_overs:,} x $1.00/million + {seconds:,.1f} s x 0.0625 GB x $0.00001667": (
            hand_overs * _EXPRESS_REQUEST + seconds * 0.0625 * _EXPRESS_GB_SECOND
        ),
        f"Step Functions Standard: {transitions:,} transitions x $0.025/thousand": transitions * _TRANSITION,
        f"S3 puts: {pages:,} x $0.005/thousand": pages * _S3_PUT,
        f"DynamoDB writes, of up to 1 KB: {writes:,} x $0.625/million": writes * _DYNAMODB_WRITE,
    }
    return {
        "estimated_cost": round(sum(lines.values()), 6),
        "cost_arithmetic": [f"{line} = ${dollars:.6f}" for line, dollars in lines.items()],
    }
