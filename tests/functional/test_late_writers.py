"""Whoever was given up and writes late changes nothing that a newer plan, pass or run has written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pageturner.errors import InvalidCrawlError, OverlapError, RunStoppedError
from pageturner.page_state import FROM_CHECKPOINT, Target
from pageturner.plan.expansion import Expansion
from pageturner.stores.checkpoints import CheckpointStore, PageRecord
from pageturner.turn.stop_check import StopCheck
from tests.conftest import Aws, Machines
from tests.runs_of_a_bucket import (
    CRAWL,
    KEYS,
    LATER,
    UNORDERED,
    entry,
    keys_by_manifest,
    target_of,
    verdict_of,
)

pytestmark = pytest.mark.usefixtures("source")
BEGINS = {"pass_number": 2, "page": 1, "next": "begin_pass"}


@pytest.fixture(autouse=True)
def _looked_just_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every invocation go on: it looked just before its execution was stopped."""
    monkeypatch.setattr(StopCheck, "check", lambda *_: None)


def turned_and_finished(aws: Aws, machines: Machines, planned: dict[str, Any]) -> dict[str, Any]:
    for target in aws.json(planned["targets"]["key"]):
        machines.turn_all(planned, target)
    return machines.finish(planned)


def test_a_plan_that_was_given_up_does_not_change_the_targets(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Expansion.targets
    found = [1]

    def another_each_time(self: Expansion, *arguments: Any) -> Iterator[Target]:
        (target,) = whole(self, *arguments)
        yield from (replace(target, target_id=f"{target.target_id}{number}") for number in range(found[0]))

    monkeypatch.setattr(Expansion, "targets", another_each_time)
    found[0] = 3
    planned = machines.plan({"crawl": "c"})
    targets = aws.json(planned["targets"]["key"])
    found[0] = 2
    late = machines.plan({"crawl": "c"})
    assert late["targets"] == planned["targets"]
    assert planned["targets"]["count"] == 3
    summary = turned_and_finished(aws, machines, planned)
    assert summary["targets"] == {"complete": 3}
    # Now the run has ended.
    with pytest.raises(RunStoppedError, match="was planned before, and has ended"):
        machines.plan({"crawl": "c"})
    assert aws.json(planned["targets"]["key"]) == targets
    machines.started_at = LATER
    assert "targets" in machines.plan({"crawl": "c"}, "execution-2"), "the lock is free"


def test_a_resumption_that_was_given_up_does_not_resume_again(aws: Aws, machines: Machines) -> None:
    run_id = machines.finish(machines.plan({"crawl": "c"}))["run_id"]
    again = machines.plan({"resume": run_id}, "execution-2")
    assert again["run"]["generation"] == 2
    assert machines.plan({"resume": run_id}, "execution-2") == again
    failed = machines.finish(again)
    with pytest.raises(RunStoppedError, match="was resumed by this plan before, and has ended since"):
        machines.plan({"resume": run_id}, "execution-2")
    assert machines.plan({"resume": run_id}, "execution-3")["run"]["generation"] == 3
    assert failed["outcome"] == "failed"


def test_a_resumption_that_was_given_up_does_not_take_the_run_from_a_later_one(machines: Machines) -> None:
    """One execution was redriven twice, within the fourteen minutes that its first PlanRun may last."""
    resumes = {"resume": machines.finish(machines.plan({"crawl": "c"}))["run_id"]}
    machines.entered_at = "2126-12-01T00:00:00.000Z"
    machines.finish(machines.plan(resumes))
    machines.entered_at = LATER
    planned = machines.plan(resumes)
    assert planned["run"]["generation"] == 3
    machines.entered_at = "2126-12-01T00:00:00.000Z"
    with pytest.raises(RunStoppedError, match="was resumed by a later plan: this one was given up, and is late"):
        machines.plan(resumes)
    summary = machines.finish(planned)
    assert summary["generation"] == 3
    # Nor does that of another execution, when the later one has ended.
    with pytest.raises(RunStoppedError):
        machines.plan(resumes, "execution-2")
    machines.entered_at = LATER
    assert machines.plan(resumes, "execution-2")["run"]["generation"] == 4


def test_a_resumption_that_was_given_up_begins_nothing_anew(aws: Aws, machines: Machines) -> None:
    run_id = machines.finish(machines.plan({"crawl": "c"}))["run_id"]
    planned = machines.plan({"resume": run_id}, "execution-2")
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    verdict_of(aws, planned, "failed", "TooManyRestartsError", "tokens expire")
    late = machines.plan({"resume": run_id}, "execution-2")
    assert late == planned
    summary = machines.finish(planned)
    assert (entry(aws, summary)["error"], entry(aws, summary)["pages"]) == ("TooManyRestartsError", 1)
    assert keys_by_manifest(aws, summary) == KEYS[:10]


def test_a_plan_that_was_given_up_and_is_refused_now_leaves_the_lock(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> Iterator[Target]:
        raise InvalidCrawlError("parameters: too large")

    machines.plan({"crawl": "c"}, "one")
    machines.running = {"one"}
    with monkeypatch.context() as patch:
        patch.setattr(Expansion, "targets", refused)
        with pytest.raises(InvalidCrawlError):
            machines.plan({"crawl": "c"}, "one")
    with pytest.raises(OverlapError, match="still running, in one"):
        machines.plan({"crawl": "c"}, "two")


def test_targets_that_an_earlier_version_has_put_are_taken(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    key = planned["targets"]["key"]
    aws.s3.put_object(Bucket=aws.bucket, Key=key, Body=aws.s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read())
    assert machines.plan({"crawl": "c"}) == planned


def test_only_one_of_two_executions_resumes_a_run(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    machines.catalogue = {"c": {**CRAWL, "overlap": "allow"}}
    run_id = machines.finish(machines.plan({"crawl": "c"}))["run_id"]
    from pageturner.plan.planning import Planner

    whole = Planner._put_targets

    def the_other_one_meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(Planner, "_put_targets", whole)
        machines.plan({"resume": run_id}, "execution-3")
        return whole(*arguments)

    monkeypatch.setattr(Planner, "_put_targets", the_other_one_meanwhile)
    with pytest.raises(OverlapError, match="was resumed just now, by another execution"):
        machines.plan({"resume": run_id}, "execution-2")


def test_a_finish_that_was_given_up_takes_the_manifest_that_is_there(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    summary = turned_and_finished(aws, machines, planned)
    assert (summary["verdict"], summary["items"]) == ("complete", len(KEYS))
    # It comes to something else: a record has expired.
    (last,) = [row for row in aws.rows(aws.runs_table) if row["sk"]["S"].endswith("#0001#00000004")]
    aws.dynamodb.delete_item(TableName=aws.runs_table, Key={"pk": last["pk"], "sk": last["sk"]})
    assert machines.finish(planned) == summary
    assert keys_by_manifest(aws, summary) == KEYS


def test_a_finish_that_was_given_up_does_not_finish_a_run_that_was_resumed_since(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = machines.plan({"crawl": "c"})
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    verdict_of(aws, planned, "denied", "AccessDeniedError", "no")
    run_id = machines.finish(planned)["run_id"]
    resumed = machines.plan({"resume": run_id}, "execution-2")
    with pytest.raises(RunStoppedError, match="was resumed in another execution"):
        machines.finish(planned)
    summary = turned_and_finished(aws, machines, resumed)
    before = aws.json(f"runs/{run_id}/manifest.json")
    assert machines.finish(planned) == summary, "a redriven execution says what its run has come to"
    assert aws.json(f"runs/{run_id}/manifest.json") == before
    assert (before["verdict"], before["items"], summary["verdict"]) == ("complete", len(KEYS), "complete")


def test_a_finish_that_sleeps_before_it_puts_the_manifest(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pageturner.stores.page_store import PageStore

    planned = machines.plan({"crawl": "c"})
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    whole = PageStore.put_text

    def asleep(meanwhile: Callable[[], object]) -> None:
        def put_text(self: PageStore, key: str, *arguments: Any, **more: Any) -> bool:
            if key.endswith("manifest.json"):
                monkeypatch.setattr(PageStore, "put_text", whole)
                meanwhile()
            return whole(self, key, *arguments, **more)

        monkeypatch.setattr(PageStore, "put_text", put_text)

    # A retry of the same FinishRun comes first.
    said: list[dict[str, Any]] = []
    asleep(lambda: said.append(machines.finish(planned)))
    assert machines.finish(planned) == said[0]

    # The run is resumed and completed meanwhile.
    run_id = planned["run"]["run_id"]
    second = machines.plan({"resume": run_id}, "execution-2")

    def completed() -> None:
        third = machines.plan({"resume": run_id}, "execution-3")
        said.append(turned_and_finished(aws, machines, third))

    asleep(completed)
    with pytest.raises(RunStoppedError):
        machines.finish(second)
    assert aws.json(f"runs/{run_id}/manifest.json")["verdict"] == said[1]["verdict"] == "complete"


def test_the_verdict_of_an_earlier_generation_does_not_count(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    verdict_of(aws, planned, "denied", "AccessDeniedError", "no")
    run_id = machines.finish(planned)["run_id"]
    resumed = machines.plan({"resume": run_id}, "execution-2")
    verdict_of(aws, resumed, "unfinished", "DeadlinePassedError", "late")
    # RecordVerdict of the first execution was given up, and comes now.
    verdict_of(aws, planned, "denied", "AccessDeniedError", "no")
    assert entry(aws, machines.finish(resumed))["error"] == "DeadlinePassedError"


def test_a_page_of_an_earlier_pass_brings_nothing_back(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": UNORDERED}
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    machines.fetch(planned, target, FROM_CHECKPOINT)
    aws.s3.delete_object(Bucket="source", Key=KEYS[0])
    machines.fetch(planned, target, BEGINS)
    machines.fetch(planned, target, {"page": 1})
    machines.turn_all(planned, target)
    machines.fetch(planned, target, {"page": 1})
    assert keys_by_manifest(aws, machines.finish(planned)) == KEYS[1:]


def test_an_invocation_that_is_late_begins_no_pass_of_a_run_that_has_ended(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c", "regions": ["us-east-1", "eu-west-1"]})
    target, other = aws.json(planned["targets"]["key"])
    machines.turn_all(planned, target)
    run_id = machines.finish(planned)["run_id"]
    with pytest.raises(RunStoppedError, match=f"{run_id} has ended or was resumed"):
        machines.fetch(planned, target, BEGINS)
    resumed = machines.plan({"resume": run_id}, "execution-2")
    with pytest.raises(RunStoppedError, match=f"{run_id} has ended or was resumed"):
        machines.fetch(planned, target, BEGINS)
    machines.turn_all(resumed, other)
    assert machines.finish(resumed)["verdict"] == "complete"


def test_a_run_that_goes_on_begins_passes_in_every_generation(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": UNORDERED}
    run_id = machines.finish(machines.plan({"crawl": "c"}))["run_id"]
    resumed = machines.plan({"resume": run_id}, "execution-2")
    target = target_of(aws, resumed)
    assert machines.fetch(resumed, target, BEGINS)["pass_number"] == 2
    summary = turned_and_finished(aws, machines, resumed)
    assert (summary["verdict"], summary["restarts"], keys_by_manifest(aws, summary)) == ("complete", 1, KEYS)


def test_a_resumption_that_was_given_up_begins_no_pass_once_the_run_was_resumed(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It read the run's record before a retry resumed the run, and reads its pages when that turns pages."""
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    machines.fetch(planned, target, FROM_CHECKPOINT)
    verdict_of(aws, planned, "failed", "TooManyRestartsError", "tokens expire")
    run_id = machines.finish(planned)["run_id"]
    whole, said = CheckpointStore.pages, list[dict[str, Any]]()

    def pages(*arguments: Any) -> Iterator[PageRecord]:
        monkeypatch.setattr(CheckpointStore, "pages", whole)
        said.append(machines.plan({"resume": run_id}, "execution-2"))
        machines.fetch(said[0], target, FROM_CHECKPOINT)
        return whole(*arguments)

    monkeypatch.setattr(CheckpointStore, "pages", pages)
    assert machines.plan({"resume": run_id}, "execution-2") == said[0]
    place = machines.fetch(said[0], target, FROM_CHECKPOINT)
    assert (place["pass_number"], place["page"]) == (2, 3), "no pass 3 has begun"


def test_a_run_that_continues_keeps_its_lock(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"}, "one")
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    verdict_of(aws, planned, "unfinished", "ContinuesInAnotherExecution", "it continues")
    summary = machines.finish(planned)
    assert summary["outcome"] == "continues"
    # A schedule fires before the next execution of the run begins. The first one has ended.
    machines.started_at = LATER
    with pytest.raises(OverlapError, match=f"{summary['run_id']} of the crawl c is still running"):
        machines.plan({"crawl": "c"}, "schedule")
    again = machines.plan(summary["continuation"], "two")
    assert turned_and_finished(aws, machines, again)["verdict"] == "complete"
    assert "targets" in machines.plan({"crawl": "c"}, "schedule-2")


def test_a_plan_that_was_given_up_does_not_free_the_lock_of_a_run_that_continues(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"}, "one")
    verdict_of(aws, planned, "unfinished", "ContinuesInAnotherExecution", "it continues")
    summary = machines.finish(planned)
    with pytest.raises(OverlapError):
        machines.plan({"crawl": "c"}, "one")
    machines.started_at = machines.entered_at = LATER
    with pytest.raises(OverlapError, match=f"{summary['run_id']} of the crawl c is still running"):
        machines.plan({"crawl": "c"}, "schedule")
    assert "targets" in machines.plan(summary["continuation"], "two")


def test_a_run_that_is_never_continued_gives_its_lock_up(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    planned = machines.plan({"crawl": "c"}, "one")
    verdict_of(aws, planned, "unfinished", "ContinuesInAnotherExecution", "it continues")
    machines.finish(planned)
    later = time.time() + 901
    monkeypatch.setattr(time, "time", lambda: later)
    machines.started_at = LATER
    assert "targets" in machines.plan({"crawl": "c"}, "two")


def test_a_late_event_of_a_stop_does_not_free_the_lock_of_a_redriven_run(aws: Aws, machines: Machines) -> None:
    summary = machines.finish(machines.plan({"crawl": "c"}, "one"))
    machines.entered_at = LATER
    resumed = machines.plan(json.loads(json.dumps({"resume": summary["run_id"]})), "one")
    machines.running = {"one"}
    # The FinishRun of the first generation comes late.
    first = {**resumed, "run": {**resumed["run"], "generation": 1}}
    with pytest.raises(RunStoppedError):
        machines.finish(first)
    machines.started_at = LATER
    with pytest.raises(OverlapError):
        machines.plan({"crawl": "c"}, "two")
