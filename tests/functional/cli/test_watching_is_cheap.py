"""Watching a run reads little, however many pages and targets it has: each request is counted."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from pageturner.crawls.crawl import Crawl
from pageturner.page_state import Place, Run, Target
from pageturner.plan.targets import plan_run
from pageturner.stores import keys
from pageturner.stores.checkpoints import PageRecord
from pageturner.stores.keys import targets_key
from pageturner.stores.page_store import array_text
from pageturner_cli import executions, watching
from pageturner_cli.aws_errors import Asked
from pageturner_cli.deployment import Deployment
from pageturner_cli.finding import Found
from pageturner_cli.watching import Watcher
from tests.conftest import STARTED_AT, Aws, shared_session

ARN = "arn:aws:states:us-east-1:123456789012:execution:Pageturner-Crawl:e"
# What a look reads besides the targets: the run, its verdicts, its throttles.
FEW = 4


class Stack:
    """A run with many targets that turn pages, and a count of what is asked of DynamoDB."""

    def __init__(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        outputs = {"ItemsBucket": aws.bucket, "ItemsTable": aws.items_table, "RunsTable": aws.runs_table}
        self.deployment = Deployment(Asked("Pageturner"), shared_session(), given={**outputs, "CrawlMachineArn": "m"})
        self.asked: Counter[str] = Counter()
        self.deployment.client("dynamodb").meta.events.register("before-call", self._count)
        # Step Functions runs no machine here.
        running = executions.Execution(ARN, "RUNNING", datetime.fromisoformat(STARTED_AT), {})
        monkeypatch.setattr(executions, "described", lambda *_: running)
        self.run: Run = plan_run(Crawl("c"), ARN, STARTED_AT, STARTED_AT)

    def _count(self, model: Any, **_: Any) -> None:
        self.asked[model.name] += 1

    def plan(self, targets: int) -> list[Target]:
        stores, crawl = self.deployment.stores, {"name": "c", "service": "s3", "operation": "list_objects_v2"}
        made = [Target(f"t{n:05}", "1", "us-east-1", {"Bucket": f"b{n}"}) for n in range(targets)]
        text = array_text(each.as_dict() for each in made)
        assert stores.pages.put_text(targets_key(self.run), text, lambda: {"count": str(targets)})
        assert stores.runs.begin(self.run, crawl, targets, f"{ARN}#", as_catalogued=False, source=None)
        return made

    def turn(self, target: Target, page: int, *, ends: bool = False) -> None:
        place = Place(page=page + 1, items=10 * page, next="end" if ends else "page")
        record = PageRecord(target.target_id, 1, page, 10, 100, "key", place, fetched_at=STARTED_AT)
        self.deployment.stores.checkpoints.record_page(self.run, record)

    def deny(self, target: Target) -> None:
        denied = {"verdict": "denied", "error": "AccessDeniedError"}
        self.deployment.stores.targets._table.put(self.run, keys.VERDICT.format(1, target.target_id), **denied)

    def look(self, watcher: Watcher) -> tuple[watching.Progress, int]:
        before = self.asked["Query"] + self.asked["GetItem"]
        return watcher.look(), self.asked["Query"] + self.asked["GetItem"] - before


@pytest.fixture
def stack(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Stack:
    return Stack(aws, monkeypatch)


def test_a_target_of_many_pages_takes_one_row_a_look(stack: Stack) -> None:
    (target,) = stack.plan(1)
    for page in range(1, 301):
        stack.turn(target, page)
    watcher = Watcher(stack.deployment, Found(stack.deployment, stack.run.run_id, "c"))
    progress, _ = stack.look(watcher)
    assert (progress.phase, progress.pages, progress.items, progress.targets) == ("listing", 300, 3_000, 1)
    stack.turn(target, 301, ends=True)
    progress, reads = stack.look(watcher)
    assert (progress.phase, progress.pages, progress.done) == ("finishing", 301, 1)
    assert reads <= 1 + FEW
    _, reads = stack.look(watcher)
    assert reads <= FEW, "what has ended is not read again"


def test_of_many_targets_some_are_read_with_each_look_and_those_that_move_first(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_TARGETS", 60)
    monkeypatch.setattr(watching, "_MOST_READ", 25)
    targets = stack.plan(100)
    for each in targets:
        stack.turn(each, 1)
    watcher = Watcher(stack.deployment, Found(stack.deployment, stack.run.run_id, "c"))
    counts = []
    for _ in range(4):
        progress, reads = stack.look(watcher)
        assert reads <= 25 + FEW
        counts.append((progress.targets, progress.watched, progress.read, progress.pages))
        assert progress.is_bounded
        # It moves on, and is read with each look.
        stack.turn(targets[0], len(counts) + 1)
    assert counts[0] == (100, 60, 25, 25)
    assert [read for _, _, read, _ in counts] == [25, 38, 51, 60], "nobody waits for ever"
    assert progress.of_targets[0].target == targets[0]


def test_a_resumed_run_is_learned_anew(stack: Stack) -> None:
    (target,) = stack.plan(1)
    stack.turn(target, 1)
    watcher = Watcher(stack.deployment, Found(stack.deployment, stack.run.run_id, "c"))
    stack.look(watcher)
    summary = {"outcome": "continues", "pages": 1, "items": 10, "throttles": 0, "targets": {"unfinished": 1}}
    assert stack.deployment.stores.runs.finish(stack.run, summary)
    assert watcher.look().phase == "continues"
    resumed = replace(stack.run, generation=2, since=1)
    assert stack.deployment.stores.runs.resume(resumed, json.loads('{"name": "c"}'), "later")
    progress = watcher.look()
    assert (progress.phase, progress.pages) == ("listing", 1)


def test_every_verdict_is_read_however_many_there_are(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_MOST_RECORDS", 10)
    targets = stack.plan(35)
    for each in targets:
        stack.deployment.stores.targets.count_throttle(stack.run, each, "slow down")
        stack.deny(each)
    watcher = Watcher(stack.deployment, Found(stack.deployment, stack.run.run_id, "c"))
    looks = [watcher.look() for _ in range(4)]
    assert [each.failed for each in looks] == [10, 20, 30, 35]
    assert [each.throttles for each in looks] == [10, 20, 30, 35]
    stack.deployment.stores.targets.count_throttle(stack.run, targets[0], "again")
    assert watcher.look().throttles == 36, "it begins again"


def test_the_rate_of_some_targets_is_not_that_of_the_run(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_TARGETS", 2)
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    targets = stack.plan(3)
    watcher = Watcher(stack.deployment, Found(stack.deployment, stack.run.run_id, "c"))
    stack.turn(targets[0], 1, ends=True)
    stack.turn(targets[1], 1, ends=True)
    for clock[0] in (0.0, 10.0, 20.0):
        assert watcher.look().rate is None


def test_what_is_left_is_said_by_what_this_watch_has_seen(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run began long ago, and was resumed."""
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    targets = stack.plan(20)
    for each in targets[:8]:
        stack.turn(each, 1, ends=True)
    watcher = Watcher(stack.deployment, Found(stack.deployment, stack.run.run_id, "c"))
    progress = watcher.look()
    assert (progress.done, progress.seconds_left) == (8, None)
    clock[0] = 60
    for each in targets[8:14]:
        stack.turn(each, 1, ends=True)
    progress = watcher.look()
    assert (progress.done, progress.seconds_left) == (14, 60)
