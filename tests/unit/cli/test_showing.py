"""How far a run is, in words; and how long it still takes, where that can be known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pageturner.page_state import Place, Target
from pageturner_cli import showing
from pageturner_cli.watching import Progress, TargetProgress, _moved, seconds_left

LISTING = Progress("c-1", "c", "listing", targets=20, watched=20, read=20, done=5, pages=1_000, items=12_000, rate=4.0)


def target(name: str) -> Target:
    return Target(name, "111122223333", "eu-west-1", {"Bucket": name})


@pytest.mark.parametrize(
    ("progress", "expected", "ended", "left"),
    [
        # By the pages of the last complete run and the rate…
        (LISTING, 1_400, 5, 100),
        # … which say nothing where there are more pages now, or where not all targets are read…
        (LISTING, 900, 2, None),
        (replace(LISTING, read=10), 1_400, 2, None),
        (replace(LISTING, rate=0.0), 1_400, 2, None),
        # … or by the targets, if enough have ended while it was watched…
        (LISTING, None, 5, 180),
        (LISTING, None, 4, None),
        # … and not by those that had ended before it was resumed, or watched…
        (replace(LISTING, targets=1_000, watched=1_000, read=1_000, done=900), None, 0, None),
        (replace(LISTING, targets=1_000, watched=1_000, read=1_000, done=900), None, 50, 120),
        (replace(LISTING, targets=1_000, watched=1_000, read=1_000, done=49), None, 49, None),
        # … of which all are known…
        (replace(LISTING, targets=5_000, watched=2_000), None, 300, None),
        # … and never when nothing is listed any more.
        (replace(LISTING, phase="publishing"), 1_400, 5, None),
    ],
)
def test_what_is_left_is_said_only_where_it_can_be_known(
    progress: Progress, expected: int | None, ended: int, left: float | None
) -> None:
    assert seconds_left(progress, expected, ended, 60) == left


def test_a_line_has_what_is_known() -> None:
    whole = replace(LISTING, failed=1, throttles=3, seconds_left=100)
    assert showing.detail(whole) == (
        "1,000 pages · 12,000 items · 4.0 pages/s · 5 of 20 targets · 1 not complete · throttled 3 times · "
        "about 1 min 40 s left"
    )
    assert showing.detail(Progress("c-1", "c")) == "finding its targets"


def test_what_is_not_of_all_targets_says_so() -> None:
    some = replace(LISTING, targets=5_000, watched=2_000, read=2_000)
    assert showing.detail(some).startswith("at least 1,000 pages")
    assert showing.bound(some) == "Only the first 2,000 of 5,000 targets are watched, to read little."
    assert showing.bound(replace(LISTING, read=7)) == "Read so far: 7 of 20 targets, some with each look."
    assert showing.bound(LISTING) == ""


def test_the_worst_and_the_most_active_targets_are_shown_first() -> None:
    quiet, active = TargetProgress(target("quiet"), pages=90), TargetProgress(target("active"), pages=5, pace=3)
    failed = TargetProgress(target("failed"), is_ended=True, error="AccessDeniedError")
    ended = TargetProgress(target("ended"), pages=100, is_ended=True)
    found = tuple(sorted([ended, quiet, active, failed], key=lambda each: each.rank))
    assert found == (failed, active, quiet, ended)
    assert list(showing.worst_first(replace(LISTING, of_targets=found), 3)) == [failed, active, quiet]


@pytest.mark.parametrize("width", [20, 60, 200])
def test_lines_fit_the_terminal_and_the_targets_its_height(width: int) -> None:
    targets = tuple(TargetProgress(target(f"[bold]{number}\x1b[31m"), pages=number) for number in range(40))
    lines = showing._lines(replace(LISTING, of_targets=targets, seconds=3_700), width, 24)
    assert len(lines) <= 24
    assert max(line.cell_len for line in lines) < width
    assert not any("\x1b" in line.plain for line in lines)


def test_a_new_pass_begins_at_nothing() -> None:
    before = TargetProgress(target("a"), pages=10, items=100)
    assert _moved(before, Place(page=13, items=120)).pace == 2
    assert _moved(before, Place(pass_number=2, page=4, items=30)).pace == 3
    ended = _moved(before, Place(page=13, next="end", error="RepeatedTokenError"))
    assert (ended.is_ended, ended.error) == (True, "RepeatedTokenError")
    assert _moved(before, None) == before
