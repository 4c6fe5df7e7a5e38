"""How a run begins, and how an incomplete run is resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.errors import InvalidCrawlError, OverlapError
from pageturner.page_state import Run, Target
from pageturner.paging.identity import Identity, keys_of
from pageturner.plan import targets
from pageturner.plan.expansion import Expansion
from pageturner.stores import Stores
from pageturner.stores.checkpoints import by_target
from pageturner.stores.keys import resumed_targets_key, targets_key
from pageturner.stores.page_store import array_text
from pageturner.verdicts import ENDED, Ends, counts, entries

_TARGET = tuple(field.name for field in fields(Target))


@dataclass(frozen=True)
class Execution:
    """The Step Functions execution that plans: its ARN, when it began, and when it entered PlanRun (ISO 8601).

    A redriven execution plans long after it began.
    """

    id: str
    started_at: str
    entered_at: str


@dataclass(frozen=True)
class Planner:
    """Plans runs. `is_running` says whether the execution with an ARN is still running."""

    stores: Stores
    is_running: Callable[[str], bool]

    def begin(self, crawl: Crawl, execution: Execution, expansion: Expansion) -> dict[str, Any]:
        """Begin a run. Raises `OverlapError` if a run of this crawl is running and the crawl does not allow two."""
        run = targets.plan_run(crawl, execution.id, execution.started_at, execution.entered_at)
        self._lock(crawl, run, execution)
        try:
            source = expansion.source_run(crawl)
            count = self._put_targets(targets_key(run), expansion.targets(crawl))
        except InvalidCrawlError:
            self.stores.runs.unlock(crawl.name, execution.id)
            raise
        self.stores.runs.begin(run, crawl.as_dict(), execution.id, count)
        return {**self._state(run, crawl, targets_key(run), count), **({"for_each_item_of": source} if source else {})}

    def resume(self, run_id: str, execution: Execution) -> dict[str, Any]:
        """Resume, in the same run, its targets that are neither complete nor limited.

        Returns its summary, under `nothing_to_do`, if it has succeeded. Raises `InvalidCrawlError` if there is no such
        run, and `OverlapError` while it is running.
        """
        found = self.stores.runs.find(run_id)
        if found is None:
            raise InvalidCrawlError(
                f'input.resume: there is no run "{run_id}"; find the run_id in the output of its execution'
            )
        if found.summary and found.summary["outcome"] == "succeeded":
            message = (
                f"{run_id} has already succeeded, and nothing is left to resume. It was {found.summary['message']}"
            )
            return {"nothing_to_do": {**found.summary, "message": message}}
        if found.execution not in ("", execution.id) and self.is_running(found.execution):
            raise OverlapError(f"{run_id} is still running, in {found.execution}; wait for it to end, or stop it first")
        crawl = Crawl.from_dict(found.crawl)
        run = replace(Run(**found.run), deadline=targets.deadline(crawl, execution.entered_at))
        self._lock(crawl, run, execution)
        key = resumed_targets_key(run, execution.id)
        count = self._put_targets(key, self._unfinished(run, crawl))
        # An earlier verdict does not apply to the resumption.
        self.stores.targets.forget_verdicts(run, (target["target_id"] for target in self.stores.pages.json_array(key)))
        self.stores.runs.resume(run, execution.id)
        return self._state(run, crawl, key, count)

    def _unfinished(self, run: Run, crawl: Crawl) -> Iterator[Target]:
        counted = {listing.target_id: counts(listing) for listing in by_target(self.stores.checkpoints.pages(run))}
        ends = Ends(counted, self.stores.targets.verdicts(run), self.stores.targets.sweeps(run))
        for entry in entries(crawl, map(Target.from_dict, self.stores.pages.json_array(targets_key(run))), ends):
            if entry["verdict"] not in ENDED:
                yield Target.from_dict({name: entry[name] for name in _TARGET if name in entry})

    def _put_targets(self, key: str, planned: Iterable[Target]) -> int:
        count = 0

        def documents() -> Iterator[dict[str, Any]]:
            nonlocal count
            for target in planned:
                count += 1
                yield target.as_dict()

        self.stores.pages.put_text(key, array_text(documents()))
        return count

    def _lock(self, crawl: Crawl, run: Run, execution: Execution) -> None:
        if crawl.overlap == "allow":
            return
        owner = self.stores.runs.lock(crawl.name, run, execution.id)
        if owner is None:
            return
        # A stopped execution leaves its lock behind.
        if (
            not self.is_running(owner.execution)
            and self.stores.runs.lock(crawl.name, run, execution.id, instead_of=owner) is None
        ):
            return
        raise OverlapError(
            f"{owner.run_id} of the crawl {crawl.name} is still running, in {owner.execution}; "
            f'wait for it to end, stop it, or set "overlap: allow" in the crawl'
        )

    def _state(self, run: Run, crawl: Crawl, key: str, count: int) -> dict[str, Any]:
        return {
            "run": asdict(run),
            "crawl": crawl.for_pages(),
            "targets": {"bucket": self.stores.pages.bucket, "key": key, "count": count},
            "max_concurrency": crawl.max_concurrency,
            "paging": paging_of(crawl),
        }


def paging_of(crawl: Crawl) -> dict[str, Any]:
    """How a crawl pages, for people to read: the paginator, and what identifies an item."""
    paginator = crawl.paginator
    keys = keys_of(crawl.service, crawl.operation, paginator.definition, crawl.key, crawl.search)
    return {
        "paginator": paginator.source,
        **paginator.definition,
        "keys": {name: "a hash of the item" if key is None else _key_text(key) for name, key in keys.items()},
    }


def _key_text(key: Identity) -> str:
    return key.expression if key.unique else f"{key.expression}, and a hash of the item"
