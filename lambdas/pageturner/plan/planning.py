"""How a run begins, and how an incomplete run is resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from pageturner import costs, prices
from pageturner.crawls.bounds import MOST_TARGETS
from pageturner.crawls.catalogue import Resume
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.read_only import refusal
from pageturner.crawls.since import Window
from pageturner.errors import InvalidCrawlError, OverlapError, RunStoppedError, SinkError
from pageturner.formats import stamped
from pageturner.page_state import Patience, Run, Target
from pageturner.plan import targets
from pageturner.plan.batches import put_batches
from pageturner.plan.expansion import Expansion
from pageturner.plan.paging_in_words import paging_of
from pageturner.plan.triggered import duplicate
from pageturner.plan.unfinished import unfinished
from pageturner.stores import Stores
from pageturner.stores.keys import resumed_targets_key, targets_key
from pageturner.stores.page_store import array_text

# An assumption: what a page takes.
_PAGE_SECONDS = 0.33


@dataclass(frozen=True)
class Execution:
    """The Step Functions execution that plans: its ARN, when it began, and when it entered PlanRun (ISO 8601).

    A redriven execution plans long after it began.
    """

    id: str
    started_at: str
    entered_at: str

    @property
    def plan(self) -> str:
        """The name of the plan, the same whenever Crawl retries PlanRun."""
        return f"{self.id}#{self.entered_at}"


@dataclass(frozen=True)
class Planned:
    """The targets that were put: how many they are, the run whose items they come from, and their window of time."""

    count: int
    source: str | None
    window: Window | None = None


@dataclass(frozen=True)
class Planner:
    """Plans runs. `is_running` says whether the execution with an ARN is still running."""

    stores: Stores
    is_running: Callable[[str], bool]

    def begin(self, crawl: Crawl, execution: Execution, expansion: Expansion, trigger: str = "") -> dict[str, Any]:
        """Begin a run. Raises `OverlapError` if a run of this crawl is running and the crawl does not allow two.

        If another execution has taken the `trigger` before, it returns which one, under `nothing_to_do`.

        A plan can be made twice, because Crawl retries PlanRun. The first one that puts its targets counts.
        """
        run = targets.plan_run(crawl, execution.id, execution.started_at, execution.entered_at)
        if trigger and (taken := duplicate(self.stores, self.is_running, crawl, trigger, run)):
            return {"nothing_to_do": taken}
        self._lock(crawl, run, execution)
        as_catalogued = expansion.as_catalogued(crawl)
        self._name(run, crawl, as_catalogued=as_catalogued)
        try:
            source = expansion.source_run(crawl)
            window = expansion.window(crawl, execution.entered_at)
            planned_targets = ((target, Patience()) for target in expansion.targets(crawl, source, window))
            planned = self._put_targets(targets_key(run), planned_targets, source, window)
        except InvalidCrawlError as error:
            if self.stores.runs.find(run.run_id) is None:  # else another attempt at this plan has begun the run
                self.stores.history.stop(run, crawl.name, str(error), execution.entered_at)
                self.stores.runs.unlock(crawl.lock_name, run)
            raise
        if not self.stores.runs.begin(
            run,
            crawl.as_dict(),
            planned.count,
            execution.plan,
            as_catalogued=as_catalogued,
            source=planned.source,
            window=planned.window,
        ):
            found = self.stores.runs.find(run.run_id)
            if found is None or found.begun_by != execution.plan:  # this execution was redriven
                return self.resume(Resume(run.run_id, {}), execution)
            if found.generation > 1 or found.summary is not None:
                self.stores.runs.unlock(crawl.lock_name, run)
                raise RunStoppedError(f"{run.run_id} was planned before, and has ended or was resumed since")
        self.stores.executions.begin(run, crawl.name)
        state = self._state(run, crawl, targets_key(run), planned.count, in_batches=planned.count > 1)
        about = {"for_each_item_of": planned.source, "window": planned.window}
        return {**state, **{name: value for name, value in about.items() if value is not None}}

    def resume(self, resume: Resume, execution: Execution) -> dict[str, Any]:
        """Resume, in the same run, its targets that are neither complete nor limited.

        What changes in its crawl lasts, for FinishRun, for a redrive, and for an execution in which the run continues.
        Returns its summary, under `nothing_to_do`, if it has succeeded, or what there is to `publish`. Raises
        `InvalidCrawlError` if there is no such run or its operation does not only read, and `OverlapError` while it is
        running.
        """
        run_id = resume.run_id
        found = self.stores.runs.find(run_id)
        if found is None:
            raise InvalidCrawlError(
                f'input.resume: there is no run "{run_id}"; find the run_id in the output of its execution'
            )
        if found.summary and found.summary["outcome"] == "succeeded":
            if not found.is_published:
                return {"publish": {"run_id": run_id, "generation": found.generation}}
            message = (
                f"{run_id} has already succeeded, and nothing is left to resume. It was {found.summary['message']}"
            )
            return {"nothing_to_do": {**found.summary, "message": message}}
        if found.summary and found.planned_by == execution.plan:
            raise RunStoppedError(f"{run_id} was resumed by this plan before, and has ended since")
        if _entered_at(found.planned_by) > execution.entered_at:
            raise RunStoppedError(f"{run_id} was resumed by a later plan: this one was given up, and is late")
        if found.execution not in ("", execution.id):
            if self.is_running(found.execution):
                raise OverlapError(
                    f"{run_id} is still running, in {found.execution}; wait for it to end, or stop it first",
                    crawl=found.crawl["name"],
                    run_id=run_id,
                    execution=found.execution,
                )
            self._give_up(found.execution, execution)
        crawl = Crawl.from_dict({**found.crawl, **resume.changes})
        # FetchPage asks about each of several operations.
        if not crawl.operations and (reason := refusal(crawl.service, crawl.operation)):
            raise InvalidCrawlError(f"input.resume: {reason}")
        before = run = Run.from_dict(found.run)
        # Then it has the time and the patience that are left, and the verdicts stay.
        by_itself = found.continues and not resume.changes
        if found.planned_by != execution.plan:  # else Crawl retries PlanRun
            run = replace(before, execution=execution.id, generation=before.generation + 1)
            if not by_itself:
                run = replace(run, since=run.generation, deadline=targets.deadline(crawl, execution.entered_at))
        self._lock(crawl, run, execution)
        key = resumed_targets_key(run, execution.plan)
        if run == before:
            # To look for what is unfinished again could begin a pass anew that has ended since.
            planned = self._targets_there(key, found.source)
        else:
            planned = self._put_targets(key, unfinished(self.stores, before, by_itself=by_itself), found.source)
            if not self.stores.runs.resume(run, crawl.as_dict(), execution.plan):
                now = self.stores.runs.find(run_id)
                if now is None or now.planned_by != execution.plan:
                    self.stores.runs.unlock(crawl.lock_name, run)
                    raise OverlapError(
                        f"{run_id} was resumed just now, by another execution; wait for it to end",
                        crawl=crawl.name,
                        run_id=run_id,
                        execution=now.execution if now else "",
                    )
        self._name(run, crawl, as_catalogued=found.as_catalogued)
        self.stores.executions.begin(run, crawl.name)
        # What continues by itself is long.
        return self._state(run, crawl, key, planned.count, in_batches=planned.count > 1 and not by_itself)

    def _put_targets(
        self, key: str, planned: Iterable[tuple[Target, Patience]], source: str | None, window: Window | None = None
    ) -> Planned:
        """Put the targets, each with the patience that is left with it, unless this plan has put them before.

        Returns those that are there then.
        """
        count = 0

        def documents() -> Iterator[dict[str, Any]]:
            nonlocal count
            for target, patience in planned:
                count += 1
                if count > MOST_TARGETS:
                    raise InvalidCrawlError(f"the crawl makes more than {MOST_TARGETS:,} targets, which a run can have")
                yield stamped({**target.as_dict(), "patience": asdict(patience)})

        def about() -> Mapping[str, str]:
            return {"count": str(count), "source": source or "", **({"window": json.dumps(window)} if window else {})}

        if self.stores.pages.put_text(key, array_text(documents()), about):
            return Planned(count, source, window)
        return self._targets_there(key, source)

    def _targets_there(self, key: str, source: str | None) -> Planned:
        """Return the targets that this plan has put before; `source` is theirs if an earlier version put them."""
        found = self.stores.pages.version(key)
        if found is None:
            raise SinkError(f"s3://{self.stores.pages.bucket}/{key} was there, and is not any more")
        if "count" not in found.metadata:
            return Planned(sum(1 for _ in self.stores.pages.json_array(key)), source)
        window = json.loads(found.metadata.get("window", "null"))
        return Planned(int(found.metadata["count"]), found.metadata.get("source") or None, window)

    def _name(self, run: Run, crawl: Crawl, *, as_catalogued: bool) -> None:
        """Record which run the execution is about: of a new run before its targets are looked for, in minutes maybe."""
        self.stores.executions.name(run, crawl.name)
        self.stores.history.begin(run, crawl.name, as_catalogued=as_catalogued)

    def _lock(self, crawl: Crawl, run: Run, execution: Execution) -> None:
        if crawl.overlap == "allow":
            return
        owner = self.stores.runs.lock(crawl.lock_name, run)
        if owner is None:
            return
        # A stopped execution leaves its lock behind, and PageLoops that go on.
        if not owner.is_continuing and not self.is_running(owner.execution):
            self._give_up(owner.execution, execution)
            if self.stores.runs.lock(crawl.lock_name, run, instead_of=owner) is None:
                return
        then = f", and then resume {run.run_id}" if run.generation > 1 else ""
        instead = "or stop it" if crawl.since else 'stop it, or set "overlap: allow" in the crawl'
        raise OverlapError(
            f"{owner.run_id} of the crawl {crawl.name} is still running, in {owner.execution}; "
            f"wait for it to end, {instead}{then}",
            crawl=crawl.name,
            run_id=owner.run_id,
            execution=owner.execution,
        )

    def _give_up(self, dead: str, execution: Execution) -> None:
        """Record the end of an execution of which nobody has heard, for another one takes its place."""
        self.stores.executions.stop(dead)
        if about := self.stores.executions.run_of(dead):
            self.stores.history.stop(*about, "Its execution ended, and nobody heard how", execution.entered_at)

    def _state(self, run: Run, crawl: Crawl, key: str, count: int, *, in_batches: bool) -> dict[str, Any]:
        """Return the output of PlanRun. A single target needs no batch: LongTargets turns its pages at once."""
        self.stores.history.plan(run, crawl.name, count)
        return {
            "run": run.as_dict(),
            "crawl": self._for_pages(run, crawl),
            "targets": {"bucket": self.stores.pages.bucket, "key": key, "count": count},
            **({"batches": put_batches(self.stores.pages, key, crawl, count)} if in_batches else {}),
            "max_concurrency": crawl.max_concurrency,
            "paging": paging_of(crawl) | (_expected(crawl, count) if crawl.operations else {}),
        }

    def _for_pages(self, run: Run, crawl: Crawl) -> dict[str, Any]:
        document = crawl.for_pages()
        if (token := crawl.pagination_config.get("StartingToken")) is not None:
            # It can be too long for the state of each target.
            kept = self.stores.pages.keep_token(run, token)
            document["pagination_config"] = {**crawl.pagination_config, "StartingToken": kept}
        return document


def _entered_at(plan: str) -> str:
    """When the execution of a plan entered PlanRun; empty if the plan is of a version that did not name it."""
    return plan.rpartition("#")[2]


def _expected(crawl: Crawl, targets: int) -> dict[str, Any]:
    """How many targets there are, and what a page of each costs until it is published."""
    turned = costs.expected(targets, targets, _PAGE_SECONDS, _PAGE_SECONDS, costs.LOOP_SECONDS, hours=1)
    return {"targets": targets, "estimated_cost": prices.estimate(costs.of_run(crawl, turned, 0))["estimated_cost"]}
