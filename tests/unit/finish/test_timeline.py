"""When pages were fetched: bins that stay few, and come to the same in whatever order and steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from pageturner.finish.timeline import MOST_BINS, Timeline
from pageturner.page_state import Place, utc_text
from pageturner.stores.checkpoints import PageRecord

BEGAN = datetime(2026, 11, 26, 2, tzinfo=UTC)


def page(seconds: float, items: int = 10, milliseconds: int = 300) -> PageRecord:
    fetched_at = utc_text(BEGAN + timedelta(seconds=seconds))
    return PageRecord("t", 1, 1, items, 1, "key", Place(), fetched_at=fetched_at, milliseconds=milliseconds)


def timeline(*pages: PageRecord) -> Timeline:
    made = Timeline(utc_text(BEGAN))
    for each in pages:
        made.add(each)
    return made


def test_pages_are_counted_when_they_were_fetched() -> None:
    assert timeline(page(0), page(0.9, 20, 100), page(3)).as_dict() == {
        "begins_at": "2026-11-26T02:00:00.000Z",
        "seconds": 1,
        "pages": [2, 0, 0, 1],
        "items": [30, 0, 0, 10],
        "milliseconds": [400, 0, 0, 300],
    }


def test_a_page_before_the_beginning_counts_as_the_first() -> None:
    assert timeline(page(-5)).pages == [1]


def test_the_width_doubles() -> None:
    assert (timeline(page(MOST_BINS - 0.001)).seconds, timeline(page(MOST_BINS)).seconds) == (1, 2)
    made = timeline(page(0), page(1), page(MOST_BINS))
    assert (made.pages[0], len(made.pages), made.pages[-1]) == (2, MOST_BINS // 2 + 1, 1)
    year = timeline(page(0), page(365 * 24 * 3600))
    assert (year.seconds, year.pages[0], year.pages[-1]) == (131072 * 2, 1, 1)


def test_neither_order_nor_steps_matter() -> None:
    pages = [page(number**1.7, number, 7 * number) for number in range(1000)]
    expected = timeline(*pages).as_dict()
    assert len(expected["pages"]) <= MOST_BINS
    assert sum(expected["pages"]) == 1000
    assert sum(expected["items"]) == sum(range(1000))
    mixed = list(pages)
    Random(7).shuffle(mixed)
    made = timeline()
    for each in mixed:
        made = Timeline.from_dict(made.as_dict())
        made.add(each)
    assert made.as_dict() == expected
