"""Which runs the page of all runs keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pageturner.page_state import utc_text
from pageturner.report import runs as kept
from pageturner.report.index import index_of
from pageturner.report.page import data_in
from pageturner.report.runs import ShownRun, by_crawl, merged, shown_of, without_past

BEGAN = datetime(2126, 3, 1, 2, tzinfo=UTC)


def run(number: float, crawl: str = "c", outcome: str = "succeeded") -> ShownRun:
    return ShownRun(f"{crawl}-{number}", crawl, utc_text(BEGAN + timedelta(days=number)), 1, True, outcome=outcome)


def test_days_that_are_over_are_left_out_but_not_the_last_complete_run() -> None:
    complete, failed = run(0), [run(number, outcome="failed") for number in range(1, 200)]
    found = shown_of([complete, *failed])
    assert found[0] == failed[-1]
    assert [each.run_id for each in found] == [each.run_id for each in (*reversed(failed[-kept.DAYS :]), complete)]


def test_of_a_day_those_that_need_a_look_are_kept() -> None:
    of_day = [run(number / 100, outcome="failed" if number == 3 else "succeeded") for number in range(60)]
    found = shown_of(of_day)
    assert len(found) == kept.MOST_OF_RECENT_DAY
    assert of_day[3] in found
    assert found[:2] == [of_day[59], of_day[58]]
    later = shown_of([*of_day, run(50)])
    assert len(later) == kept.MOST_OF_DAY + 1
    assert of_day[3] in later


def test_crawls_and_runs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_CRAWLS", 2)
    monkeypatch.setattr(kept, "MOST_RUNS", 10)
    found: list[ShownRun] = []
    for number in range(100):
        found = shown_of(merged(found, [run(number, f"crawl-{number // 20}")]))
    latest = [run(number, "crawl-4").run_id for number in range(99, 89, -1)]
    assert [each.run_id for each in found] == [run(79, "crawl-3").run_id, *latest]


def test_adding_in_any_order_comes_to_the_same() -> None:
    added = [
        run(number * 0.7, f"crawl-{number % 3}", "failed" if number % 5 == 0 else "succeeded") for number in range(300)
    ]
    forward: list[ShownRun] = []
    for each in added:
        forward = shown_of(merged(forward, [each]))
    assert forward == shown_of(added)
    assert shown_of(merged(forward, [added[-1]])) == forward
    assert shown_of(merged(forward, [added[0]])) == forward


def test_of_a_generation_what_was_read_later_counts() -> None:
    """Whoever publishes a stopped run lets it have succeeded, when it ended: before it was stopped."""
    before = replace(run(1, outcome="stopped"), ended_at="2126-03-02T09:00:00.000Z")
    after = replace(run(1), ended_at="2126-03-02T03:00:00.000Z")
    assert merged([before], [after]) == [after]
    resumed = replace(before, generation=2)
    assert merged([resumed], [after]) == [resumed]


def test_crawls_that_need_a_look_are_shown_before_those_that_ran_later_and_what_is_left_out_is_counted() -> None:
    """With more crawls than are shown."""
    failed = [run(1, f"failed-{number}", "failed") for number in range(150)]
    fine = [run(2, f"fine-{number}") for number in range(100)]
    adhoc = [run(3, f"adhoc-{number}", "failed" if number < 3 else "succeeded") for number in range(300)]
    every = [*failed, *fine, *adhoc]
    shown = by_crawl(shown_of(every))
    assert len(shown) == kept.MOST_CRAWLS
    assert {each.crawl for each in failed} < shown.keys(), "those that need a look"
    assert not any(name.startswith("adhoc-") for name in shown), "they push nothing off that is in the catalogue"
    left_out = [of_crawl[0] for name, of_crawl in by_crawl(every).items() if name not in shown]
    text = index_of(shown_of(every), left_out)
    assert "200 crawls: 150 not complete, 50 complete; and 350 more crawls: 347 complete, 3 not complete" in text
    data = data_in(iter(text.splitlines()))
    assert data is not None
    assert data["more"] == 350


def test_a_crawl_that_has_not_run_for_long_goes_when_it_is_forgotten() -> None:
    old, new, late = run(0, "old"), run(200, "new"), run(100, "late")
    assert shown_of([old, new, late]) == [late, new, old]
    assert without_past([old, new, late], {"old", "new"}) == [new, old]
    assert without_past([old, run(kept.DAYS - 1, "new")], {"new"}) == [run(kept.DAYS - 1, "new"), old]
    assert without_past([], set()) == []
