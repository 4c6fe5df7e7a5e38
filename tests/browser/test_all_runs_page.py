"""The page of all runs, in a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser

from pageturner.page_state import utc_text
from pageturner.report.index import index_of
from pageturner.report.reporting import word_of
from pageturner.report.runs import DAYS, ShownRun, shown_of
from tests.browser.conftest import Shower, Shown

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def run(days_ago: float, crawl: str = "buckets", outcome: str | None = "succeeded", **more: Any) -> ShownRun:
    began = NOW - timedelta(days=days_ago)
    about: dict[str, Any] = {"as_catalogued": True, "verdict": "complete" if outcome == "succeeded" else "incomplete"}
    about |= {"ended_at": utc_text(began + timedelta(minutes=3)) if outcome else None, "items": 1955, "targets": 1}
    return ShownRun(f"{crawl}-{days_ago}", crawl, utc_text(began), outcome=outcome, **about | more)


RUNS = [
    *(run(days, outcome="failed" if days == 3 else "succeeded") for days in range(10)),
    *(run(hour / 24, "trail") for hour in range(4)),
    run(0, "objects", "failed", message="1 of 1 target not complete"),
    run(4, "objects"),
    run(1, "policies", "stopped", verdict=None, items=None, message="The execution was stopped"),
    run(0, "roles", None, verdict=None, items=None),
]


def page(*runs: ShownRun) -> str:
    return index_of(shown_of(runs))


def crawl(shown: Shown, name: str) -> Any:
    return shown.page.locator(".crawl", has=shown.page.get_by_role("heading", name=name, exact=True))


@pytest.fixture
def shown(show: Shower) -> Shown:
    return show(page(*RUNS), name="runs/index.html")


def test_those_that_need_a_look_are_first(shown: Shown) -> None:
    assert shown.texts(".crawl h2")[:2] == ["objects", "policies"]
    assert shown.text(".headline") == "5 crawls: 2 complete, 1 not complete, 1 stopped, 1 running"
    said = crawl(shown, "objects").inner_text()
    assert "1 of 1 target not complete" in said
    assert "Last complete" in said
    assert "No complete run" in crawl(shown, "policies").inner_text()


def test_each_run_is_called_as_in_the_sum(show: Shower) -> None:
    outcomes, verdicts = (
        ("succeeded", "failed", "stopped", "continues", None),
        ("complete", "limited", "incomplete", None),
    )
    every = {f"{outcome}-{verdict}": (outcome, verdict) for outcome in outcomes for verdict in verdicts}
    shown = show(page(*(run(0, name, outcome, verdict=verdict) for name, (outcome, verdict) in every.items())))
    words = dict(zip(shown.texts(".crawl h2"), shown.texts(".crawl .word"), strict=True))
    assert {name: word.lower() for name, word in words.items()} == {name: word_of(*of) for name, of in every.items()}
    assert "4 not complete" in shown.text(".headline")
    assert "4 stopped" in shown.text(".headline")


def test_a_day_leads_to_its_report(shown: Shown) -> None:
    links = crawl(shown, "buckets").locator(".days a")
    assert links.count() == 10
    failed = crawl(shown, "buckets").get_by_role("link", name="2026-11-23: not complete")
    assert failed.get_attribute("href") == "buckets-3/report.html"
    assert failed.locator("svg.bad").count() == 1
    assert crawl(shown, "buckets").locator(".days .none").count() == DAYS - 10
    assert crawl(shown, "policies").locator(".days a").count() == 0, "a stopped run has no report"


def test_a_day_with_several_runs_shows_them(shown: Shown) -> None:
    button = crawl(shown, "trail").get_by_role("button", name="2026-11-26: 4 runs")
    button.focus()
    shown.page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    links = crawl(shown, "trail").locator(".of-day a")
    assert links.all_inner_texts()[0] == "12:00 UTC, complete"
    assert links.count() == 4
    assert (links.first.get_attribute("href") or "").startswith("trail-0")
    button.click()
    assert not crawl(shown, "trail").locator(".of-day").is_visible()


def test_many_crawls_are_found_and_few_are_drawn(show: Shower) -> None:
    shown = show(page(*(run(number / 10, f"crawl-{number:03}") for number in range(200))))
    assert shown.page.locator(".crawl").count() == 25
    shown.page.get_by_label("Filter").fill("CRAWL-17")
    assert len(shown.texts(".crawl h2")) == 10
    assert shown.text(".tools [role=status]") == "10 crawls found"


def test_all_crawls_are_on_paper_and_those_that_are_left_out_are_counted(show: Shower) -> None:
    runs = shown_of(run(number / 10, f"crawl-{number:03}") for number in range(60))
    shown = show(index_of(runs, [run(0, "adhoc-1"), run(0, "adhoc-2")]))
    assert shown.page.pdf().startswith(b"%PDF")
    assert shown.page.locator(".crawl").count() == 60
    assert "And 2 more crawls, which the command pageturner crawls shows." in shown.text("#main")


def test_from_the_console_a_day_leads_to_the_console(chromium: Browser) -> None:
    """A presigned address fetches the page of all runs, and nothing beside it."""
    folder = "https://eu-west-1.console.aws.amazon.com/s3/object/bucket?region=eu-west-1&prefix=runs%2F"
    opened = chromium.new_page()
    text = index_of(shown_of([run(3, outcome="failed")]), folder=folder)
    opened.route("**/*", lambda route: route.fulfill(body=text, content_type="text/html"))
    opened.goto("https://bucket.s3.eu-west-1.amazonaws.com/runs/index.html?X-Amz-Signature=0")
    links = {link.get_attribute("href") for link in opened.locator(".crawl a").all()}
    opened.close()
    assert links == {f"{folder}buckets-3%2Freport.html"}


def test_names_are_text(show: Shower) -> None:
    hostile = ["adhoc-<script>alert(1)</script>", "adhoc-\u202egnp.exe", '"><img src=x onerror=alert(1)>', "</script>"]
    messages = {"message": "".join(hostile)}
    shown = show(page(*(run(number, name, "failed", **messages) for number, name in enumerate(hostile))))
    assert set(shown.texts(".crawl h2")) == set(hostile)
    assert messages["message"] in shown.text("#main")
    assert shown.page.locator("img, script").count() == 2
    links = {link.get_attribute("href") or "" for link in shown.page.locator(".crawl a").all()}
    assert all(link.endswith("/report.html") and "<" not in link for link in links)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_its_window(show: Shower, scheme: Any, width: int) -> None:
    shown = show(page(*RUNS, run(0, "a" * 200)), color_scheme=scheme, viewport={"width": width, "height": 800})
    assert not shown.is_wider_than_its_window()


def test_nothing_has_run_yet(show: Shower) -> None:
    assert show(page()).text(".headline") == "No crawl has run yet"


def test_without_javascript_there_is_the_sum(show: Shower) -> None:
    shown = show(page(*RUNS), java_script_enabled=False)
    assert shown.text(".headline").startswith("5 crawls: ")
