"""The arithmetic of costs: what is counted, and that more of it never costs less."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.emulator import PROJECT
from pageturner import costs, prices
from pageturner.costs import Turned
from pageturner.crawls.crawl import Crawl
from pageturner.prices import PRICES, Volume
from pageturner.turn.page_step import LONGEST_INTERVAL

CRAWL = Crawl("c", "s3", "list_objects_v2")
AMOUNT = st.floats(0, 1e9)
VOLUMES = st.builds(Volume, **{each.name: AMOUNT for each in fields(Volume)})
COUNT = st.integers(0, 10_000)
TURNED = st.builds(
    Turned,
    targets=st.integers(1, 1000),
    hours=st.sets(COUNT, max_size=5),
    seconds=st.floats(0, 1e6),
    express_seconds=st.floats(0, 1e6),
    **dict.fromkeys(("pages", "hand_overs", "write_units", "throttles", "witnesses"), COUNT),
)
MORE = ("pages", "seconds", "express_seconds", "hand_overs", "write_units", "throttles", "witnesses")


def dollars(volume: Volume) -> float:
    found: float = prices.estimate(volume)["estimated_cost"]
    return found


@given(VOLUMES, VOLUMES)
def test_more_never_costs_less(volume: Volume, more: Volume) -> None:
    assert dollars(volume + more) >= max(dollars(volume), dollars(more))


@given(TURNED, st.sampled_from(MORE), st.integers(1, 1000), st.integers(0, 100))
def test_a_larger_run_never_costs_less(turned: Turned, name: str, more: int, long_targets: int) -> None:
    less = costs.of_run(CRAWL, turned, long_targets)
    assert dollars(less) <= dollars(costs.of_run(CRAWL, turned, long_targets + more))
    assert dollars(less) <= dollars(costs.of_run(CRAWL, turned, long_targets, generations=1 + more))
    assert dollars(less) <= dollars(
        costs.of_run(CRAWL, replace(turned, **{name: getattr(turned, name) + more}), long_targets)
    )


@given(VOLUMES)
def test_the_lines_add_up_to_the_cost(volume: Volume) -> None:
    estimate = prices.estimate(volume)
    total = sum(float(line.rpartition("$")[2]) for line in estimate["cost_arithmetic"])
    assert total == pytest.approx(estimate["estimated_cost"], abs=1e-5)
    services = [line.partition(":")[0] for line in estimate["cost_arithmetic"]]
    assert len(services) == len(set(services))


def test_a_line_is_arithmetic() -> None:
    volume = Volume(requests=1500, gb_seconds=12.5, puts=3)
    assert prices.estimate(volume, "Publishing: ") == {
        "estimated_cost": 0.000482,
        "cost_arithmetic": [
            "Publishing: Lambda: 1,500 requests x $0.20/million + 12.5 GB-s x $0.0000133334 = $0.000467",
            "Publishing: S3: 3 puts x $0.005/thousand = $0.000015",
        ],
    }


def test_the_reference_has_all_prices() -> None:
    text = (PROJECT / "docs" / "reference.md").read_text(encoding="utf-8")
    for price in PRICES.values():
        assert f"| {price.service} | {price.unit} | {price} |" in text


def entry(pages: int, seconds: float, first: str, last: str, throttles: int = 0) -> dict[str, Any]:
    at = {"first_page_at": f"2026-11-26T{first}Z", "last_page_at": f"2026-11-26T{last}Z"}
    return {"pages": pages, "milliseconds": seconds * 1000, "throttles": throttles, "write_units": pages, **at}


def turned(crawl: Crawl, *entries: dict[str, Any]) -> Turned:
    found = Turned()
    for each in entries:
        found.add(each, crawl, loop_seconds=225)
    return found


def test_express_is_paid_for_its_pauses() -> None:
    paced = replace(CRAWL, max_pages_per_second=0.1)
    found = turned(paced, entry(101, 10, "00:00:00", "00:16:40"))
    assert found.express_seconds == pytest.approx(1000, rel=0.01)
    # A PageLoop turns 23 pages in its 225 s.
    assert found.hand_overs == 4


def test_a_pace_is_paid_for_and_shared() -> None:
    paced = replace(CRAWL, max_pages_per_second=0.1)
    found = turned(paced, entry(101, 10, "00:00:00", "00:16:40"))
    with_pace, without = costs.of_run(paced, found, 1), costs.of_run(CRAWL, found, 1)
    # A write unit a page; the first page of each loop may have to wait.
    assert with_pace.write_units - without.write_units == 101
    assert with_pace.requests - without.requests == 1 + 4
    # Ten targets side by side wait for each other.
    assert turned(paced, entry(11, 1, "00:00:00", "00:16:40")).express_seconds == pytest.approx(1000, rel=0.01)


@pytest.mark.parametrize("throttles", [0, 3])
def test_express_is_not_paid_between_two_executions_of_a_run(throttles: int) -> None:
    found = turned(CRAWL, entry(10, 5, "00:00:00", "12:00:00", throttles))
    assert found.express_seconds < 5.3 + 10 * (20 if throttles else 0.5) + 0.1


def test_a_pause_after_throttles_is_as_long_as_it_can_be() -> None:
    assert costs.LONGEST_PAUSE_SECONDS == LONGEST_INTERVAL


def test_metrics_are_paid_in_each_hour() -> None:
    hours = turned(CRAWL, entry(2, 1, "09:59:59", "10:00:01"), entry(2, 1, "10:10:00", "10:10:01")).hours
    assert len(hours) == 2
    assert costs.of_run(CRAWL, Turned(targets=1, hours=hours), 1).metric_hours == 4


def test_hand_overs_are_those_of_each_target() -> None:
    assert costs.hand_overs(pages=1000, express_seconds=330, loop_seconds=225) == 1
    # Ten targets of a minute each hand over nothing; their sum would, twice.
    assert turned(CRAWL, *[entry(60, 60, "00:00:00", "00:00:59")] * 10).hand_overs == 0
    # Without any time, a loop turns a page.
    assert costs.hand_overs(pages=7, express_seconds=7, loop_seconds=0) == 6
    assert costs.hand_overs(pages=0, express_seconds=0, loop_seconds=225) == 0


@pytest.mark.parametrize(("targets", "most", "size"), [(2, 10, 1), (11, 10, 2), (1_000_000, 10, 40)])
def test_batches(targets: int, most: int, size: int) -> None:
    assert costs.batch_size(targets, most) == size


def test_long_targets_are_those_that_take_more_than_their_share() -> None:
    def long_targets(targets: int, seconds: float) -> int:
        expected = costs.expected(targets, targets, seconds, seconds, 225, 1)
        return costs.expected_long_targets(CRAWL, expected, 225)

    # Of 20 targets, two share 225 s.
    assert [long_targets(20, seconds) for seconds in (100, 125)] == [0, 20]
    assert long_targets(1, 1) == 1
