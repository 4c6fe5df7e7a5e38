"""The report of a run, in a browser."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import expect

from pageturner.crawls.crawl import Crawl
from pageturner.report.targets import MOST_TARGETS
from tests.browser.conftest import Shower, Shown
from tests.browser.documents import DENIED, RUN, entry, report, totals

SAID = {"who": "CloudWatch", "count": 10, "listed": 10, "age": 6, "at": "2026-11-25T00:00:00.000Z", "agrees": True}
MIXED = [
    entry(1, witness=SAID),
    entry(2, throttles=3, last_throttle="Rate exceeded"),
    entry(3, **DENIED, pages=0, items=0),
    entry(4, verdict="limited", region="us-east-1", account="444455556666"),
    entry(5, verdict="unfinished", error="DeadlinePassedError", cause="the deadline has passed"),
    entry(6, witness={**SAID, "count": 90, "agrees": False}),
    *(entry(number) for number in range(7, 12)),
]
TOLERANT = Crawl("buckets", "s3", "list_objects_v2", tolerate=("denied",))
PUBLISHED: dict[str, Any] = {
    "message": "published 3 new, 2 changed, 1 gone",
    "new": 3,
    "changed": 2,
    "gone": 1,
    "number": 7,
    "database": "pageturner",
    "table": "buckets",
    "name": RUN.run_id,
    "new_keys": ["a", "b"],
}


def column(shown: Shown, number: int) -> list[str]:
    return [" ".join(each.split()) for each in shown.texts(f"#targets tbody tr > :nth-child({number})")]


def test_the_numbers_are_those_of_the_manifest(show: Shower) -> None:
    shown = show(report(MIXED, published=PUBLISHED))
    found = totals(MIXED)
    assert shown.text("[data-name=Items]") == f"{found['items']:,}"
    assert shown.text("[data-name=Pages]") == f"{found['pages']:,}"
    assert shown.text("[data-name=Targets]") == "11"
    assert shown.text("[data-name=Throttled]").startswith("3")
    assert shown.text("[data-name=New]") == "3"
    assert shown.text("h1") == "buckets"
    assert shown.page.title() == f"buckets: not complete - {RUN.run_id}"
    assert shown.text(".outcome") == "Not complete"
    assert shown.text(".headline") == "2 of 11 targets not complete (8 complete, 1 denied, 1 limited, 1 unfinished)"
    assert shown.text("#throttled td.number") == "3"
    assert "Rate exceeded" in shown.text("#throttled")
    assert shown.texts("#changes .keys li") == ["a", "b"]


def test_the_window_of_a_run_that_lists_what_is_new_is_said(show: Shower) -> None:
    window = {"from": "2026-11-25T01:45:00.000Z", "to": "2026-11-26T01:45:00.000Z"}
    said = show(report(MIXED, window=window)).text("#facts")
    assert "what is new from 2026-11-25 01:45:00 UTC to 2026-11-26 01:45:00 UTC" in said
    assert "what is new to 2026-11-26" in show(report(MIXED, window={**window, "from": None})).text("#facts")


def test_the_timeline_is_drawn_and_is_a_table(show: Shower) -> None:
    pages = [(0, 10, 100), (0.5, 20, 300), (2, 5, 50)]
    shown = show(report(MIXED, pages=pages))
    drawn = shown.page.locator("#chart-pages svg")
    assert drawn.get_attribute("role") == "img"
    label = drawn.get_attribute("aria-label") or ""
    assert label.startswith("Pages fetched in each second, from 02:00:00 to 02:00:03 UTC: at most 2, at 02:00:00")
    assert drawn.locator("rect").count() == 2
    heights = [float(each.get_attribute("height") or 0) for each in drawn.locator("rect").all()]
    assert heights[0] == pytest.approx(2 * heights[1])
    assert shown.page.locator("#chart-fetch-time circle").count() == 2, "bins that no page is in are no zeros"
    shown.page.locator("#time summary").click()
    rows = [each.split("\t") for each in shown.texts("#time tbody tr")]
    assert rows == [
        ["02:00:00", "2", "30", "200 ms"],
        ["02:00:01", "0", "0", "–"],  # noqa: RUF001
        ["02:00:02", "1", "5", "50 ms"],
    ]


def test_the_worst_are_first_and_a_click_on_a_header_sorts(show: Shower) -> None:
    shown = show(report(MIXED))
    assert column(shown, 1)[:4] == ["denied , needs attention", "unfinished , needs attention", "limited", "complete"]
    assert "disagrees: CloudWatch counted 90 on 2026-11-25" in shown.texts("#targets tbody tr")[3]
    header = shown.page.get_by_role("button", name="Items")
    header.click()
    numbers = [int(each.replace(",", "")) for each in column(shown, 5)]
    assert numbers == sorted((each["items"] for each in MIXED), reverse=True)
    assert shown.page.locator("th[aria-sort=descending]").inner_text() == "Items"
    header.click()
    assert [int(each.replace(",", "")) for each in column(shown, 5)] == numbers[::-1]
    assert shown.page.locator("th[aria-sort=ascending]").inner_text() == "Items"


def test_the_table_sorts_by_the_keyboard(show: Shower) -> None:
    shown = show(report(MIXED))
    shown.page.get_by_role("button", name="Region").focus()
    shown.page.keyboard.press("Enter")
    assert column(shown, 4)[-1] == "us-east-1"
    shown.page.keyboard.press("Space")
    assert column(shown, 4)[0] == "us-east-1"
    assert shown.page.evaluate("document.activeElement.textContent") == "Region"


def test_five_thousand_targets_are_found_and_few_are_drawn(show: Shower) -> None:
    entries = [entry(number) for number in range(MOST_TARGETS - 1)] + [entry(99_999, **DENIED)]
    shown = show(report(entries))
    assert len(column(shown, 1)) == 25
    assert shown.text("#targets [role=status]") == "25 of 5,000 targets"
    shown.page.get_by_label("Filter").fill("BUCKET-04321")
    assert column(shown, 2) == ['{"Bucket": "bucket-04321"}']
    assert shown.text("#targets [role=status]") == "1 target found"
    shown.page.get_by_label("Filter").fill("denied accessdenied")
    assert len(column(shown, 1)) == 1
    shown.page.get_by_label("Filter").fill("")
    shown.page.get_by_role("button", name="Show 500 more").click()
    assert len(column(shown, 1)) == 525


def test_what_is_left_out_is_said(show: Shower) -> None:
    entries = [entry(number) for number in range(MOST_TARGETS + 7)] + [entry(99_999, **DENIED)]
    shown = show(report(entries))
    assert "These are the 5,000 worst of 5,008 targets. The other 8 are in the manifest" in shown.text("#targets")
    assert column(shown, 1)[0] == "denied , needs attention"
    assert shown.text("[data-name=Targets]") == "5,008"


HOSTILE = [
    "<script>alert('name')</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(2)</script>",
    "\u202egnp.exe\u2066 \u200f",
    "<!-- ${alert(3)} &lt;b&gt; -->",
    "%%data%% \\u003cb\\u003e",
]


def test_what_others_have_named_is_text(show: Shower) -> None:
    entries = [
        entry(
            number, **{**DENIED, "cause": f"cause {name}"}, parameters={"Bucket": name}, throttles=1, last_throttle=name
        )
        for number, name in enumerate(HOSTILE)
    ]
    crawl = Crawl("c<script>alert(4)</script>", "s3", "list_objects_v2", key="Key")
    shown = show(report(entries, crawl, published={**PUBLISHED, "gone_keys": HOSTILE}))
    targets = shown.text("#targets tbody")
    for name in HOSTILE:
        assert json.dumps({"Bucket": name}, ensure_ascii=False) in targets
        assert f"cause {' '.join(name.split())}" in targets
    assert shown.texts("#changes .keys li")[-len(HOSTILE) :] == HOSTILE
    assert shown.text("h1") == crawl.name
    assert shown.page.locator("img, script").count() == 2, "the data and the script of the page itself"
    assert shown.page.locator("#targets tbody bdi[dir=auto]").count() >= len(HOSTILE)


def test_control_characters_and_half_characters_are_shown(show: Shower) -> None:
    shown = show(report([entry(1, throttles=1, last_throttle="a\u0000b\u001b[31mc\ud800")]))
    assert "a\u2400b\u241b[31mc" in shown.text("#throttled")


def test_what_to_do_can_be_copied(show: Shower) -> None:
    shown = show(report(MIXED))
    copies = shown.texts("#next pre")
    bucket = "arn:aws:s3:::bucket-00003"
    assert json.loads(copies[0]) == {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [bucket]}
    assert copies[1] == f"pageturner resume {RUN.run_id} --set deadline_hours=48"
    assert json.loads(copies[2]) == {"resume": RUN.run_id, "deadline_hours": 48}
    shown.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = shown.page.get_by_role("button", name="Copy: In a terminal")
    button.click()
    expect(button).to_have_text("Copied")
    assert shown.page.evaluate("navigator.clipboard.readText()") == copies[1]


@pytest.mark.parametrize(
    ("entries", "more", "word", "kind"),
    [
        ([entry(1)], {}, "Complete", "good"),
        ([entry(1, items=0)], {}, "Complete", "good"),
        ([], {}, "Complete", "good"),
        ([entry(1, verdict="limited")], {}, "Limited, as requested", "warn"),
        (
            [entry(1, **DENIED)],
            {"crawl": Crawl("buckets", "s3", "list_objects_v2", tolerate=("denied",))},
            "As tolerated",
            "warn",
        ),
        ([entry(1, **DENIED)], {}, "Not complete", "bad"),
        (
            [entry(1, verdict="unfinished", error="ContinuesInAnotherExecution", cause="events")],
            {},
            "Goes on",
            "going",
        ),
    ],
)
def test_each_outcome_has_a_word_a_colour_and_a_shape(
    show: Shower, entries: list[Any], more: dict[str, Any], word: str, kind: str
) -> None:
    shown = show(report(entries, **more))
    assert shown.text(".outcome") == word
    assert kind in (shown.page.locator(".outcome").get_attribute("class") or "")
    assert shown.page.locator(".outcome svg path").count() == 1


def test_there_is_nothing_to_list_in_a_run_without_targets(show: Shower) -> None:
    shown = show(report([]))
    assert "The run had no targets, so there was nothing to list." in shown.text("#numbers")
    assert shown.page.locator("#targets, #time").count() == 0
    assert "The listing is empty." in show(report([entry(1, items=0)])).text("#numbers")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_its_window_and_can_be_read(show: Shower, scheme: Any, width: int) -> None:
    long = {"Bucket": "a-very-long-name-without-a-space" * 8}
    entries = [*MIXED, entry(12, **DENIED, parameters=long, witness=None)]
    shown = show(
        report(entries, published={**PUBLISHED, "new_keys": ["x" * 500]}),
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
    )
    assert not shown.is_wider_than_its_window()
    for selector in ("body", ".soft", ".outcome", "th button", "a"):
        assert contrast(shown, selector) >= 4.5, selector


def contrast(shown: Shown, selector: str) -> float:
    """The contrast of an element's text with what is behind it (WCAG 2.2, "relative luminance")."""
    script = """(selector) => {
      const rgb = (color) => color.match(/[\\d.]+/g).map(Number);
      const luminance = ([red, green, blue]) => [red, green, blue].map((each) => each / 255)
        .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
        .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
      let node = document.querySelector(selector);
      const text = luminance(rgb(getComputedStyle(node).color));
      while (node && (rgb(getComputedStyle(node).backgroundColor)[3] ?? 1) === 0) node = node.parentElement;
      const behind = luminance(rgb(getComputedStyle(node).backgroundColor));
      return (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
    }"""
    return float(shown.page.evaluate(script, selector))


def test_it_can_be_printed(show: Shower) -> None:
    shown = show(report(MIXED))
    shown.page.emulate_media(media="print")
    assert not shown.page.locator("#next button").first.is_visible()
    assert shown.page.locator("#next pre").first.is_visible()
    assert shown.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert shown.page.pdf().startswith(b"%PDF")
    many = show(report([entry(number) for number in range(60)]))
    assert many.page.pdf().startswith(b"%PDF")
    assert len(column(many, 1)) == 60, "nobody presses a button on paper"


def test_a_screen_reader_finds_its_way(show: Shower) -> None:
    shown = show(report(MIXED, published=PUBLISHED))
    page = shown.page
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("main").count() == page.get_by_role("banner").count() == 1
    assert page.locator("h1").count() == 1
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((each) => Number(each.tagName[1]))")
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for table in page.locator("table").all():
        assert table.locator("caption").count() == 1
        assert table.locator("thead th:not([scope=col])").count() == 0
        assert table.locator("tbody tr > :first-child:not(th[scope=row])").count() == 0
    names = [each.get_attribute("aria-labelledby") for each in page.locator("section").all()]
    assert all(page.locator(f"#{name}").count() == 1 for name in names)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))


def test_without_javascript_there_is_the_verdict(show: Shower) -> None:
    shown = show(report(MIXED), java_script_enabled=False)
    assert shown.text("h1") == "buckets"
    assert shown.text(".headline").startswith("2 of 11 targets not complete")
    assert "Then resume the run." in shown.text("noscript")
    assert "s3://bucket/runs/manifest.json" in shown.text("noscript")


def test_links_lead_to_the_console_and_to_all_runs(show: Shower) -> None:
    shown = show(report(MIXED, links={"execution": "https://console/e", "manifest": "javascript:alert(1)"}))
    found = {each.get_attribute("href") for each in shown.page.locator("a").all()}
    assert found == {"#main", "../index.html", "https://console/e"}
