"""How a run begins, and how one that has not come to its end goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from pageturner import targets
from pageturner.crawl import Crawl
from pageturner.errors import InvalidCrawlError, OverlapError
from pageturner.identity import keys_of
from pageturner.page_state import Run
from pageturner.page_store import PageStore, targets_key
from pageturner.run_store import RunStore
from pageturner.summary import ENDED, manifest


@dataclass(frozen=True)
class Execution:
    """The Step Functions execution that plans: its ARN, and when it began (ISO 8601)."""

    id: str
    started_at: str


@dataclass(frozen=True)
class Planner:
    """Plans runs. `is_running` says whether an execution, by its ARN, is still going."""

    pages: PageStore
    runs: RunStore
    is_running: Callable[[str], bool]

    def begin(self, crawl: Crawl, execution: Execution, account: str, region: str) -> dict[str, Any]:
        """Begin a run. Raises `OverlapError` where one of this crawl is going and the crawl does not allow two."""
        run = targets.plan_run(crawl, execution.id, execution.started_at)
        self._lock(crawl, run, execution)
        planned = [asdict(target) for target in targets.targets(crawl, account, region)]
        self.pages.put_json(targets_key(run), planned)
        self.runs.begin(run, crawl.as_dict(), execution.id, len(planned))
        return self._state(run, crawl, targets_key(run), len(planned))

    def resume(self, run_id: str, execution: Execution) -> dict[str, Any]:
        """Go on with the targets of a run that have not come to their end, in the same run.

        Returns its summary, under `nothing_to_do`, where it came to what was asked for. Raises `InvalidCrawlError`
        where there is no such run, and `OverlapError` while it is going.
        """
        found = self.runs.find(run_id)
        if found is None:
            raise InvalidCrawlError(
                f'input.resume: there is no run "{run_id}"; its name is in the output of its execution'
            )
        if found.summary and found.summary["outcome"] == "succeeded":
            message = (
                f"{run_id} came to its end before, and nothing is left to resume. It was {found.summary['message']}"
            )
            return {"nothing_to_do": {**found.summary, "message": message}}
        if found.execution not in ("", execution.id) and self.is_running(found.execution):
            raise OverlapError(
                f"{run_id} is still going, in {found.execution}; stop that first, or let it come to its end"
            )
        crawl = Crawl.from_dict(found.crawl)
        resumed_at = datetime.fromisoformat(execution.started_at)
        run = replace(Run(**found.run), deadline=targets.deadline(crawl, resumed_at))
        self._lock(crawl, run, execution)
        left = self._unfinished(run, crawl)
        # A verdict from before says nothing of what is to come.
        self.runs.forget_verdicts(run, [target["target_id"] for target in left])
        key = f"runs/{run_id}/targets-{hashlib.sha256(execution.id.encode()).hexdigest()[:8]}.json"
        self.pages.put_json(key, left)
        self.runs.resume(run, execution.id)
        return self._state(run, crawl, key, len(left))

    def _unfinished(self, run: Run, crawl: Crawl) -> list[Mapping[str, Any]]:
        all_targets = self.pages.get_json(targets_key(run))
        so_far = manifest(run, crawl, all_targets, self.runs.pages(run), self.runs.verdicts(run), self.runs.sweeps(run))
        ended = {entry["target_id"] for entry in so_far["targets"] if entry["verdict"] in ENDED}
        return [target for target in all_targets if target["target_id"] not in ended]

    def _lock(self, crawl: Crawl, run: Run, execution: Execution) -> None:
        if crawl.overlap == "allow":
            return
        owner = self.runs.lock(crawl.name, run, execution.id)
        if owner is None:
            return
        # An execution that was stopped has left its lock behind.
        if (
            not self.is_running(owner.execution)
            and self.runs.lock(crawl.name, run, execution.id, instead_of=owner) is None
        ):
            return
        raise OverlapError(
            f"{owner.run_id} of the crawl {crawl.name} is still going, in {owner.execution}; "
            f'let it come to its end, stop it, or say "overlap: allow" in the crawl'
        )

    def _state(self, run: Run, crawl: Crawl, key: str, count: int) -> dict[str, Any]:
        return {
            "run": asdict(run),
            "crawl": crawl.as_dict(),
            "targets": {"bucket": self.pages.bucket, "key": key, "count": count},
            "max_concurrency": crawl.max_concurrency,
            "paging": _paging(crawl),
        }


def _paging(crawl: Crawl) -> dict[str, Any]:
    """How the run will page, for the person who looks: with which paginator, and what makes an item that item."""
    paginator = crawl.paginator
    keys: Iterable[tuple[str, str | None]] = keys_of(
        crawl.service, crawl.operation, paginator.definition, crawl.key, crawl.search
    ).items()
    return {
        "paginator": paginator.source,
        **paginator.definition,
        "keys": {name: expression or "a hash of the item" for name, expression in keys},
    }
