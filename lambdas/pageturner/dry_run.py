"""Reports what a run would do, need and cost, without writing anything."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pageturner import costs
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.iam_actions import iam_action, read_actions
from pageturner.errors import AccessDeniedError, NotFoundError, PageturnerError
from pageturner.messages import count_of
from pageturner.page_state import Target
from pageturner.paging import api, pagination
from pageturner.plan.expansion import Expansion
from pageturner.plan.planning import paging_of
from pageturner.turn import page_fetch

_TARGETS_SHOWN = 5
# At most this many targets, evenly chosen, are probed; for this many pages in total; and for this long.
_MOST_PROBED = 16
_MOST_PAGES = 100
_MOST_SECONDS = 120
# An assumption: what writing a page (its object, items and checkpoint) adds to fetching it.
_WRITE_SECONDS = 0.1


@dataclass(frozen=True)
class Probe:
    """The first pages of a target. `more`: there are further pages; `error`: why a page could not be fetched."""

    target: Target
    pages: int
    items: int
    milliseconds: int
    more: bool
    error: PageturnerError | None = None

    def as_dict(self) -> dict[str, Any]:
        """The probe as it appears in the report."""
        found = {name: getattr(self, name) for name in ("pages", "items", "milliseconds", "more")}
        named = {"target_id": self.target.target_id, **found}
        return named if self.error is None else {**named, "error": f"{type(self.error).__name__}: {self.error}"}


@dataclass(frozen=True)
class DryRun:
    """Makes the report of a dry run."""

    expansion: Expansion

    def of(self, crawl: Crawl) -> dict[str, Any]:
        """Return the report on `crawl`. Raises `InvalidCrawlError`."""
        source = self.expansion.source_run(crawl)
        count, first, chosen = _evenly_chosen(self.expansion.targets(crawl, source))
        probes = self._probe(crawl, chosen)
        denied = [probe for probe in probes if isinstance(probe.error, AccessDeniedError)]
        estimate = self._estimate(crawl, count, probes)
        pages = f"{'at least' if estimate['at_least'] else 'about'} {count_of(estimate['pages'], 'page')}"
        return {
            "dry_run": True,
            "crawl": crawl.name,
            "message": (
                f"dry run of {crawl.name}: {count_of(count, 'target')}, {pages}, ${estimate['estimated_cost']:.4f}; "
                f"nothing was written"
            ),
            "targets": {"count": count, "sample": [target.as_dict() for target in first]},
            **({"for_each_item_of": source} if source else {}),
            "paging": paging_of(crawl),
            "probes": [probe.as_dict() for probe in probes],
            "iam": {
                "actions": self._actions(crawl, chosen),
                "denied": [f"{iam_action(crawl)} in {p.target.account} {p.target.region}: {p.error}" for p in denied],
            },
            "estimate": estimate,
        }

    def _actions(self, crawl: Crawl, chosen: list[Target]) -> list[str]:
        others = any(target.account != self.expansion.account for target in chosen)
        return read_actions([crawl]) + (["sts:AssumeRole"] if others else [])

    def _probe(self, crawl: Crawl, chosen: list[Target]) -> list[Probe]:
        began, pages_left = time.monotonic(), _MOST_PAGES
        probes: list[Probe] = []
        for number, target in enumerate(chosen):
            if probes and time.monotonic() - began > _MOST_SECONDS:
                break
            share = max(1, pages_left // (len(chosen) - number))
            probe = self._first_pages(crawl, target, share, began + _MOST_SECONDS)
            pages_left -= probe.pages
            probes.append(probe)
        return probes

    def _first_pages(self, crawl: Crawl, target: Target, most: int, until: float) -> Probe:
        model = api.operation_model(crawl.service, crawl.operation)
        token, taken, pages, items, seconds = None, 0, 0, 0, 0.0
        while pages < most and (pages == 0 or time.monotonic() < until):
            began = time.monotonic()
            try:
                page = page_fetch.fetch(self.expansion.client, crawl, target, token, taken)
            except PageturnerError as error:
                return Probe(target, pages, items, round(seconds * 1000), more=True, error=error)
            seconds += time.monotonic() - began
            pages, taken, token = pages + 1, taken + page.taken, page.next_token
            items += sum(1 for _ in pagination.items(page.response, model, crawl.paginator.definition, crawl.search))
            if token is None or page.repeated_token or pages >= crawl.max_pages:
                return Probe(target, pages, items, round(seconds * 1000), more=False)
        return Probe(target, pages, items, round(seconds * 1000), more=True)

    def _estimate(self, crawl: Crawl, count: int, probes: list[Probe]) -> dict[str, Any]:
        """Pages, items, duration and dollars, with the arithmetic.

        If every probe reached the end of its listing, the other targets are assumed to be similar. Otherwise the latest
        run that covers all that the crawl lists is the basis; without one, the numbers are a lower bound.
        """
        pages, items, n = sum(p.pages for p in probes), sum(p.items for p in probes), max(1, len(probes))
        page_seconds = sum(p.milliseconds for p in probes) / 1000 / max(1, pages) + _WRITE_SECONDS
        page_arithmetic = f"{page_seconds:.3f} s per page (measured, plus {_WRITE_SECONDS:g} s to write)"
        # A target that is denied or not found will have no pages in a run either.
        is_open = any(p.more and not isinstance(p.error, AccessDeniedError | NotFoundError) for p in probes)
        latest = self._latest(crawl) if is_open else None
        if latest is not None:
            before = max(1, sum(latest["targets"].values()))
            of = f"{count_of(latest['pages'], 'page')} / {count_of(before, 'target')} in {latest['run_id']}"
            pages, items = (math.ceil(latest[name] * count / before) for name in ("pages", "items"))
        else:
            of = f"{count_of(pages, 'page')} / {count_of(len(probes), 'probed target')}"
            pages, items = math.ceil(pages * count / n), math.ceil(items * count / n)
        at_least = is_open and latest is None
        side_by_side = max(1, min(count, crawl.max_concurrency))
        pace = max(page_seconds, 1 / crawl.max_pages_per_second if crawl.max_pages_per_second else 0)
        seconds = round(pages * pace / side_by_side, 1)
        cost = costs.estimate(crawl, costs.Volume(count, pages, items, pages * page_seconds))
        return {
            "pages": pages,
            "items": items,
            "at_least": at_least,
            "seconds": seconds,
            "arithmetic": [
                f"{of} x {count_of(count, 'target')} = {count_of(pages, 'page')}"
                + (" at least: not every probe reached the end of its listing" if at_least else ""),
                f"{count_of(pages, 'page')} x {pace:.3f} s / {side_by_side} in parallel = {seconds:,} s",
                page_arithmetic,
            ],
            **cost,
        }

    def _latest(self, crawl: Crawl) -> dict[str, Any] | None:
        runs = self.expansion.stores.runs
        run_id = runs.latest(crawl)
        found = runs.find(run_id) if run_id else None
        return dict(found.summary) if found and found.summary else None


def _evenly_chosen(targets: Iterable[Target]) -> tuple[int, list[Target], list[Target]]:
    """Return the number of targets, the first few, and an even sample, without keeping them all."""
    count, step = 0, 1
    first: list[Target] = []
    chosen: list[Target] = []
    for target in targets:
        if count < _TARGETS_SHOWN:
            first.append(target)
        if count % step == 0:
            chosen.append(target)
            if len(chosen) > _MOST_PROBED:
                chosen, step = chosen[::2], step * 2
        count += 1
    return count, first, chosen
