"""What the page records of a target add up to: those of its last pass, wherever the adding was interrupted."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pageturner.page_state import Place
from pageturner.stores.checkpoints import PageRecord, last_passes
from pageturner.verdicts import MOST_ERRORS, PageCounts, counted


def record(pass_number: int, page: int, errors: int = 0, target: str = "t") -> PageRecord:
    place = Place(pass_number, page + 1, f"token-{pass_number}-{page}" if page else None, page_errors=page * errors)
    said = json.dumps([{"member": "Errors", "error": f"{page}.{number}"} for number in range(errors)])
    return PageRecord(
        *(target, pass_number, page, 3, 10, f"{target}-{pass_number}-{page}", place),
        non_aggregate=json.dumps({"first": pass_number}) if page == 1 else None,
        fetched_at=f"{pass_number}:{page}",
        milliseconds=5,
        errors=said if errors else None,
    )


RECORDS = [
    *(record(1, page, errors=1) for page in range(1, 5)),
    *(record(2, page) for page in range(3)),
    *(record(3, page, errors=2) for page in range(4)),
]


def added(records: list[PageRecord], begun: PageCounts) -> PageCounts:
    for each in records:
        begun.add(each)
    return begun


def test_only_the_last_pass_counts() -> None:
    ((target_id, found),) = counted(RECORDS)
    names = ("pass_number", "restarts", "pages", "items", "milliseconds", "page_errors", "pages_missing")
    assert (target_id, [found[name] for name in names]) == ("t", [3, 2, 3, 9, 15, 6, 0])
    assert (found["non_aggregate"], found["first_page_at"], found["last_page_at"]) == ({"first": 3}, "3:1", "3:3")
    assert [error["page"] for error in found["errors_in_pages"]] == [1, 1, 2, 2, 3, 3]
    assert list(last_passes([*RECORDS, record(1, 1, target="u")])) == ["t-3-1", "t-3-2", "t-3-3", "u-1-1"]


def test_a_pass_that_has_begun_and_has_no_page_is_empty() -> None:
    ((_, found),) = counted([*RECORDS, record(4, 0)])
    assert (found["pass_number"], found["pages"], found["items"], found["end"]) == (4, 0, 0, None)
    assert (found["first_page_at"], found["first_token_hash"], found["errors_in_pages"]) == (None, None, [])
    assert list(last_passes([*RECORDS, record(4, 0)])) == []


@pytest.mark.parametrize("at", range(len(RECORDS) + 1))
def test_who_goes_on_adds_up_to_the_same(at: int) -> None:
    handed_over: Any = json.loads(json.dumps(added(RECORDS[:at], PageCounts()).as_dict()))
    assert added(RECORDS[at:], PageCounts.from_dict(handed_over)).counts() == added(RECORDS, PageCounts()).counts()


def test_what_is_handed_over_does_not_change_with_what_comes() -> None:
    counts = added(RECORDS[:2], PageCounts())
    before = counts.as_dict()
    copy = json.dumps(before)
    added(RECORDS[2:4], counts)
    assert json.dumps(before) == copy


def test_the_first_errors_are_kept_and_all_are_counted() -> None:
    records = [record(1, page, errors=7) for page in range(1, 40)]
    counts = added(records, PageCounts()).counts()
    assert len(counts["errors_in_pages"]) == MOST_ERRORS
    assert counts["errors_in_pages"] == added(records[:15], PageCounts()).counts()["errors_in_pages"][:MOST_ERRORS]
    assert counts["page_errors"] == 39 * 7
    ignored = replace(records[-1], page=40, errors="not read any more")
    assert added([ignored], added(records, PageCounts())).counts()["pages"] == 40
