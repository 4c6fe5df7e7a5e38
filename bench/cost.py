"""What a million pages cost of orchestration, beside other ways to loop. `make bench` runs it.

Orchestration is state transitions of Standard, and executions and seconds of Express. What every way has to pay, the
functions and what they write, is beside it once. The prices and the arithmetic are those of `pageturner.costs`, which
tests hold against the definitions of the state machines and against what an emulator counts.
"""

from __future__ import annotations

import math

from pageturner import costs
from pageturner.crawls.crawl import Crawl
from pageturner.prices import PRICES, Volume

PAGES = 1_000_000
ORCHESTRATION = ("transitions", "executions", "express_gb_seconds")
# Seconds of a page, the call of FetchPage and the states around it included.
SECONDS = (0.1, 0.33, 1.0, 3.0)
PAGES_OF_TARGET = (1, 3, 10)
MAX_CONCURRENCY = (10, 1000, 100_000)
# A plain loop of Standard: FetchPage, and the question whether there is another page.
TRANSITIONS_OF_PLAIN_PAGE = 2
# The longest Express execution.
EXPRESS_SECONDS = 300


def expected(targets: int, pages: int, seconds: float, max_concurrency: int = 10) -> Volume:
    """Return the volume of a run, but for its publication, whose pages take so many seconds each."""
    crawl = Crawl("c", "s3", "list_objects_v2", max_concurrency=max_concurrency)
    hours = 1 + int(pages * seconds / min(targets, max_concurrency) // 3600)
    working = seconds - costs.REST_OF_PAGE_SECONDS
    turned = costs.expected(targets, pages, working, seconds, costs.LOOP_SECONDS, hours)
    return costs.of_run(crawl, turned, costs.expected_long_targets(crawl, turned, costs.LOOP_SECONDS))


def dollars(volume: Volume, *names: str) -> float:
    """Return what these parts of a volume cost; all of it if none is named."""
    return float(sum(getattr(volume, name) * PRICES[name].of_one for name in names or PRICES))


def plain_standard_loop(pages: int) -> float:
    """Return the dollars of a loop in a Standard state machine."""
    return dollars(Volume(transitions=TRANSITIONS_OF_PLAIN_PAGE * pages), "transitions")


def express_alone(pages: int, seconds: float) -> float:
    """Return the dollars of Express executions that turn pages for as long as they may, and start one another."""
    executions = math.ceil(pages * seconds / EXPRESS_SECONDS)
    return dollars(Volume(executions=executions, express_gb_seconds=pages * seconds / 16), *ORCHESTRATION)


def main() -> None:
    """Print the dollars of long listings and of short ones."""
    print(f"{PAGES:,} pages, dollars        orchestration   plain Standard loop   Express alone   all but publishing")
    for seconds in SECONDS:
        volume = expected(1, PAGES, seconds)
        plain, alone = plain_standard_loop(PAGES), express_alone(PAGES, seconds)
        print(
            f"one listing, {seconds:4} s a page {dollars(volume, *ORCHESTRATION):15.2f} {plain:21.2f} {alone:15.2f} "
            f"{dollars(volume):20.2f}"
        )
    print("\n0.33 s a page              max_concurrency   targets a batch   orchestration   all but publishing")
    for pages in PAGES_OF_TARGET:
        for most in MAX_CONCURRENCY:
            targets = PAGES // pages
            volume = expected(targets, PAGES, 0.33, most)
            print(
                f"{targets:9,} targets, {pages:2} pages {most:19,} {costs.batch_size(targets, most):17} "
                f"{dollars(volume, *ORCHESTRATION):15.2f} {dollars(volume):20.2f}"
            )


if __name__ == "__main__":
    main()
