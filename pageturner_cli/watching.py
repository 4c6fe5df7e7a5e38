"""How far a run is, read so that watching a large one stays cheap: one row a target and look, and no page twice.

The last page record of a target has the counts of all pages before it. Targets that have ended are not read again; of
the others, so many are read with each look, those that have moved before those that have not.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

from pageturner.page_state import Place, Run, Target
from pageturner.stores import keys
from pageturner.stores.runs_and_locks import RunRecord
from pageturner_cli import executions, finding
from pageturner_cli.deployment import Deployment
from pageturner_cli.executions import Execution
from pageturner_cli.finding import Found

# At most so many targets are watched, and read with each look.
MOST_TARGETS = 2_000
_MOST_READ = 200
_THREADS = 8
_MOST_RECORDS = 1_000
# The rate is that of so many seconds.
_RATE_SECONDS = 30.0
_LEAST_SECONDS = 3.0
# How many targets must have ended before that says when the others will.
_LEAST_DONE, _LEAST_SHARE = 5, 0.05

Phase = Literal["planning", "listing", "finishing", "publishing", "continues", "ended"]


@dataclass(frozen=True)
class TargetProgress:
    """A target: its pages and items so far, and the error if it has one. `pace` is how many pages the last look saw."""

    target: Target
    pages: int = 0
    items: int = 0
    pass_number: int = 1
    throttles: int = 0
    is_ended: bool = False
    error: str = ""
    pace: int = 0

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """The worst and the most active come first."""
        return (not self.error, self.is_ended, -self.pace, -self.pages)


@dataclass(frozen=True)
class Progress:
    """How far a run is, at a look.

    `watched` of its `targets` are known by name, and `read` of these have been read: pages and items are of these.
    `rate` is in pages a second; `seconds_left` is None where it cannot be known.
    """

    run_id: str
    crawl: str
    phase: Phase = "planning"
    targets: int = 0
    watched: int = 0
    read: int = 0
    done: int = 0
    failed: int = 0
    pages: int = 0
    items: int = 0
    throttles: int = 0
    rate: float | None = None
    seconds_left: float | None = None
    seconds: float = 0
    of_targets: tuple[TargetProgress, ...] = ()
    execution: Execution | None = None
    summary: Mapping[str, Any] | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether the counts are not of all targets."""
        return self.read < self.targets


@dataclass
class Watcher:
    """Looks at a run. `found` is the run when it began to be watched, and `begun` the execution that is to drive it, as
    long as it does not: one that resumes a run does when PlanRun has looked; until then, the run has ended.
    """

    deployment: Deployment
    found: Found
    begun: Execution | None = None
    _generation: int = 0
    _targets: dict[str, TargetProgress] = field(default_factory=dict)
    _unread: deque[str] = field(default_factory=deque)
    _count: int = 0
    _seen: deque[tuple[float, int]] = field(default_factory=deque)
    _expected: int | None = None
    _is_whole: bool = False
    # When all targets were known first, and how many had ended by then.
    _first: tuple[float, int] | None = None
    # Behind which targets verdicts and throttles are read with the next look.
    _after: dict[str, str] = field(default_factory=dict)

    def look(self) -> Progress:
        """Return how far the run is now. Raises botocore's errors and `SinkError`."""
        record = self.deployment.stores.runs.find(self.found.run_id)
        if self.begun is not None and not drives(record, self.begun):
            self.begun = executions.described(self.deployment, self.begun.arn) or self.begun
            planning = Progress(self.found.run_id, self.found.crawl, "planning" if self.begun.is_running else "ended")
            return self._at(planning, self.begun.started_at, self.begun)
        self.begun = None
        self.found = Found(self.deployment, self.found.run_id, self.found.crawl, self.found.row, record)
        execution = self.found.execution
        run = self.found.run
        if run is None or record is None:
            over = execution is None or not execution.is_running
            began = execution.started_at if execution is not None else datetime.now(UTC)
            return self._at(
                Progress(self.found.run_id, self.found.crawl, "ended" if over else "planning"), began, execution
            )
        if record.generation != self._generation:
            self._begin(run, record.generation)
        is_over = execution is None or not execution.is_running
        continues = record.continues and (execution is None or execution.status == "SUCCEEDED")
        if record.summary is None or not self._seen:
            self._read(run)
        progress = self._counted(run, record.summary)
        if is_over and not continues:
            phase: Phase = "ended"
        elif record.summary is not None:
            phase = "continues" if record.continues else "publishing"
        elif not self._targets:
            phase = "planning"
        else:
            phase = "finishing" if progress.done == progress.targets else "listing"
        return self._at(replace(progress, phase=phase), datetime.fromisoformat(run.started_at), execution)

    def _begin(self, run: Run, generation: int) -> None:
        """Learn which targets there are, when the run is planned, and what the last complete run had."""
        pages = self.deployment.stores.pages
        key = keys.targets_key(run)
        version = pages.version(key)
        if version is None:
            return
        listed = islice(pages.json_array(key), MOST_TARGETS)
        targets = [Target.from_dict(each) for each in listed]
        self._targets = {each.target_id: TargetProgress(each) for each in targets}
        self._unread = deque(self._targets)
        self._count = int(version.metadata.get("count", len(targets)))
        self._generation = generation
        self._seen.clear()
        self._after.clear()
        self._is_whole, self._first = False, None
        self._expected = self._pages_before()

    def _pages_before(self) -> int | None:
        """How many pages the last complete run of the crawl had; None if this run lists something else."""
        record = self.found.record
        if record is None or not record.as_catalogued or record.window is not None:
            return None
        status = finding.status_of(self.deployment, self.found.crawl)
        if status is None or status.complete_run_id in (None, self.found.run_id):
            return None
        before = self.deployment.stores.runs.find(str(status.complete_run_id))
        return int(before.summary["pages"]) if before is not None and before.summary is not None else None

    def _read(self, run: Run) -> None:
        """Read the last page records of some targets, and what else is on record of a few."""
        # Those that move leave half of the reads to those that nobody has seen for longer.
        moving = (of for of, each in self._targets.items() if each.pace and not each.is_ended)
        chosen = dict.fromkeys(islice(moving, _MOST_READ // 2))
        while self._unread and len(chosen) < _MOST_READ:
            of = self._unread.popleft()
            if not self._targets[of].is_ended:
                chosen[of] = None
        with ThreadPoolExecutor(_THREADS) as pool:
            places = pool.map(lambda of: self.deployment.stores.checkpoints.checkpoint(run, of), chosen)
            for of, place in zip(chosen, places, strict=True):
                self._targets[of] = _moved(self._targets[of], place)
        if not self._unread:
            self._unread = deque(of for of, each in self._targets.items() if not each.is_ended)
            self._is_whole = True
        records = self.deployment.stores.targets
        for of, throttles in self._some("throttles", lambda after: records.throttles(run, after)):
            if of in self._targets:
                self._targets[of] = replace(self._targets[of], throttles=throttles.count)
        for of, verdict in self._some("verdicts", lambda after: records.verdicts(run, after)):
            if of in self._targets:
                error = verdict.get("error") or verdict["verdict"]
                self._targets[of] = replace(self._targets[of], is_ended=True, error=error, pace=0)

    def _some(self, name: str, read: Callable[[str], Iterator[tuple[str, Any]]]) -> list[tuple[str, Any]]:
        """The next records, which are in the order of the targets; behind the last one, the first ones again."""
        found = list(islice(read(self._after.get(name, "")), _MOST_RECORDS))
        self._after[name] = found[-1][0] if len(found) == _MOST_RECORDS else ""
        return found

    def _counted(self, run: Run, summary: Mapping[str, Any] | None) -> Progress:
        known = self._targets.values()
        progress = Progress(
            run.run_id,
            self.found.crawl,
            targets=self._count,
            watched=len(known),
            read=len(known) if self._is_whole else sum(bool(each.pages or each.is_ended) for each in known),
            done=sum(each.is_ended for each in known),
            failed=sum(bool(each.error) for each in known),
            pages=sum(each.pages for each in known),
            items=sum(each.items for each in known),
            throttles=sum(each.throttles for each in known),
            of_targets=tuple(sorted(known, key=lambda each: each.rank)),
            summary=summary,
        )
        if summary is not None:
            pages, items, throttles = (int(summary[name]) for name in ("pages", "items", "throttles"))
            done = sum(summary["targets"].values())
            progress = replace(progress, pages=pages, items=items, throttles=throttles)
            return replace(progress, targets=done, done=done, read=done)
        return replace(progress, rate=self._rate(progress.pages))

    def _rate(self, pages: int) -> float | None:
        """How many pages a second there were of late; None if not all targets are watched. What was there before is not
        counted as new.
        """
        if not self._is_whole or len(self._targets) < self._count:
            return None
        now = time.monotonic()
        self._seen.append((now, pages))
        while now - self._seen[0][0] > _RATE_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        return (pages - before) / (now - since) if now - since >= _LEAST_SECONDS and pages >= before else None

    def _at(self, progress: Progress, began: datetime, execution: Execution | None) -> Progress:
        seconds = (datetime.now(UTC) - began).total_seconds()
        if self._first is None and self._is_whole:
            self._first = time.monotonic(), progress.done
        since, before = self._first or (time.monotonic(), progress.done)
        left = seconds_left(progress, self._expected, progress.done - before, time.monotonic() - since)
        return replace(progress, seconds=seconds, seconds_left=left, execution=execution)


def seconds_left(progress: Progress, expected: int | None, ended: int, seconds: float) -> float | None:
    """How long the listing still takes: by the pages of the last complete run and the rate; or by the targets that have
    `ended` in so many seconds, if these are enough. None where neither says it.
    """
    if progress.phase != "listing":
        return None
    if expected and progress.rate and expected > progress.pages and not progress.is_bounded:
        return (expected - progress.pages) / progress.rate
    if ended >= max(_LEAST_DONE, _LEAST_SHARE * progress.targets) and progress.watched == progress.targets:
        return seconds / ended * (progress.watched - progress.done)
    return None


def _moved(before: TargetProgress, place: Place | None) -> TargetProgress:
    if place is None:
        return replace(before, pace=0)
    same_pass = place.pass_number == before.pass_number
    return replace(
        before,
        pages=place.pages,
        items=place.items,
        pass_number=place.pass_number,
        is_ended=place.next == "end",
        error=place.error or "",
        pace=max(place.pages - before.pages, 0) if same_pass else place.pages,
    )


def drives(record: RunRecord | None, execution: Execution) -> bool:
    """Whether it is this execution that drives a run."""
    return record is not None and record.run.get("execution") == execution.arn


def until_it_drives(
    deployment: Deployment, execution: Execution, run_id: str, pause: Callable[[], object], seconds: float = math.inf
) -> Execution:
    """Wait until an execution drives a run, or has ended, or for some seconds; and return it."""
    until = time.monotonic() + seconds
    while execution.is_running and time.monotonic() < until:
        if drives(deployment.stores.runs.find(run_id), execution):
            break
        pause()
        execution = executions.described(deployment, execution.arn) or execution
    return execution
