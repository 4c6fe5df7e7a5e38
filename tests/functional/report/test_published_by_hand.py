"""The report of a run that somebody publishes by hand: it says that, and what the run itself came to."""

from __future__ import annotations

import pytest

from pageturner.report.reporting import word_of
from tests.functional.report.test_reports import denied_run, pages, report, shown, text
from tests.histories import World, listed

pytestmark = pytest.mark.usefixtures("_one_connection")


def test_a_run_that_is_not_complete_stays_so_when_it_is_published_by_hand() -> None:
    world = World()
    ran = denied_run(world, {"a": listed(*pages("a", 1)), "b": listed(*pages("b", 1), verdict="denied")})
    world.publish(ran)
    output = world.publish(ran, asked_by="an-execution")
    assert output is not None
    assert output["outcome"] == "succeeded", "that of the execution that publishes"
    assert report(world, ran, output)
    data = shown(world, ran)
    assert (data["run"]["outcome"], data["run"]["verdict"]) == ("failed", "incomplete")
    assert data["headline"] == "1 of 2 targets not complete (1 complete, 1 denied); published by hand"
    assert data["published"]["by_hand"]
    assert "<title>c: not complete - " in text(world, ran)


def test_each_outcome_has_a_word_and_only_a_run_that_has_succeeded_that_of_its_verdict() -> None:
    of_succeeded = {"complete": "complete", "limited": "limited, as requested", "incomplete": "as tolerated"}
    assert {verdict: word_of("succeeded", verdict) for verdict in of_succeeded} == of_succeeded
    others = {"failed": "not complete", "stopped": "stopped", "continues": "goes on", None: "running"}
    for outcome, word in others.items():
        assert {word_of(outcome, verdict) for verdict in (*of_succeeded, None)} == {word}
    assert word_of("succeeded", None) == "complete", "the last complete run, of which no more is known"
