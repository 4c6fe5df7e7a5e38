"""Reports what a run would do, need and cost, without writing anything."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pageturner import costs, prices
from pageturner.crawls.alternatives import Expected, alternatives
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.from_items import for_a_report, parameters_in_words
from pageturner.crawls.iam_actions import iam_action, read_actions
from pageturner.errors import (
    AccessDeniedError,
    DeploymentDeniedError,
    InvalidCrawlError,
    InvalidRequestError,
    NoEndpointError,
    NotFoundError,
    PageturnerError,
    TokenInvalidError,
)
from pageturner.finish.advice import statement_that_allows
from pageturner.finish.summary import is_as_wanted
from pageturner.messages import count_of
from pageturner.page_state import Target
from pageturner.paging import api, pagination
from pageturner.plan.expansion import Expansion
from pageturner.plan.paging_in_words import paging_of
from pageturner.plan.sample import evenly_chosen
from pageturner.turn import page_end, page_fetch
from pageturner.turn.records import item_json

# At most so many pages are probed in total, and for so long.
_MOST_PAGES = 100
_MOST_SECONDS = 120
# An assumption: what writing a page (its object, items and checkpoint) adds to fetching it.
_WRITE_SECONDS = 0.1
# What the row of an item in DynamoDB has besides its text: keys, names, the run, the page object.
_ROW_BYTES = 850


# The verdicts of targets that end with these errors. After any other error, a run tries again.
_VERDICTS: Mapping[type[PageturnerError], str] = {
    AccessDeniedError: "denied",
    DeploymentDeniedError: "unfinished",
    InvalidCrawlError: "failed",
    InvalidRequestError: "failed",
    NoEndpointError: "absent",
    NotFoundError: "failed",
}


@dataclass(frozen=True)
class Probe:
    """The first pages of a target. `more`: there are further pages; `error`: why a page could not be fetched.

    `verdict` is the one that the target would get in a run, or None if the probe does not show it. `write_units` is
    what DynamoDB charges to write the items, in transactions, and `bytes` how long they are as JSON.
    """

    target: Target
    pages: int
    items: int
    milliseconds: int
    more: bool
    verdict: str | None = None
    error: PageturnerError | None = None
    write_units: int = 0
    bytes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The probe as it appears in the report."""
        found = {name: getattr(self, name) for name in ("pages", "items", "milliseconds", "more", "verdict")}
        return {"target_id": self.target.target_id, **found, **({"error": self.said} if self.error else {})}

    @property
    def entry(self) -> dict[str, Any]:
        """What the manifest would have of such a target."""
        said = {"error": type(self.error).__name__, "cause": str(self.error)}
        return {**self.target.as_dict(), "verdict": self.verdict, **said}

    @property
    def said(self) -> str:
        """The error, with its name."""
        return f"{type(self.error).__name__}: {self.error}"

    def is_as_wanted(self, crawl: Crawl) -> bool:
        """Whether the crawl asks for this verdict or tolerates it. It does not judge one that is not known."""
        # FinishRun decides whether a region that was looked up may lack the service.
        is_looked_up = crawl.looks_up_region(self.target.region)
        is_open = self.verdict is None or (self.verdict == "absent" and is_looked_up)
        return is_open or is_as_wanted(crawl, self.entry)


@dataclass(frozen=True)
class DryRun:
    """Makes the report of a dry run. `loop_seconds` is how long a PageLoop turns pages."""

    expansion: Expansion
    loop_seconds: float

    def of(self, crawl: Crawl, now: str) -> dict[str, Any]:
        """Return the report on `crawl`: `would_fail` says whether a run is known to fail, and `message` why.

        `now` is ISO 8601.

        Raises `InvalidCrawlError`; and, if every probe met an error that can pass, the first of these errors.
        """
        source = self.expansion.source_run(crawl)
        window = self.expansion.window(crawl, now)
        count, first, chosen, places = evenly_chosen(self.expansion.targets(crawl, source, window))
        probes = self._probe(crawl, chosen)
        if probes and probes[0].error and not any(probe.pages or probe.verdict for probe in probes):
            raise probes[0].error
        denied = [probe for probe in probes if isinstance(probe.error, AccessDeniedError)]
        estimate = self._estimate(crawl, count, places, probes)
        instead = list(alternatives(crawl, _expected(count, places, probes, estimate)))
        cheaper = "".join(f". {each.sentence}" for each in instead if each.is_cheaper)
        planned = count_of(count, "target")
        if any(probe.pages for probe in probes):
            pages = f"{'at least' if estimate['at_least'] else 'about'} {count_of(estimate['pages'], 'page')}"
            planned += f", {pages}, ${estimate['estimated_cost']:.4f}"
        return {
            "dry_run": True,
            "crawl": crawl.name,
            "would_fail": not all(probe.is_as_wanted(crawl) for probe in probes),
            "message": f"dry run of {crawl.name}: {_failures(crawl, probes)}{planned}; nothing was written{cheaper}",
            "targets": {"count": count, "sample": [for_a_report(crawl, target.as_dict()) for target in first]},
            **({"for_each_item_of": source} if source else {}),
            **({"window": window} if window else {}),
            "paging": paging_of(crawl),
            "probes": [probe.as_dict() for probe in probes],
            "iam": {
                "actions": self._actions(crawl, chosen),
                "denied": [
                    f"{_action(crawl, p.target)} in {p.target.account} {p.target.region}: {p.error}" for p in denied
                ],
                **(
                    {"statement": statement}
                    if (statement := statement_that_allows(crawl, [probe.entry for probe in denied]))
                    else {}
                ),
            },
            "estimate": estimate,
            "instead": [each.sentence for each in instead],
        }

    def _actions(self, crawl: Crawl, chosen: list[Target]) -> list[str]:
        others = any(target.account != self.expansion.account for target in chosen)
        # Of many operations, those of the targets that are probed: all of their models are too much to look at.
        asked = [crawl.of(target.service, target.operation) for target in chosen] if crawl.operations else [crawl]
        return read_actions(asked) + (["sts:AssumeRole"] if others else [])

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
        crawl = crawl.of(target.service, target.operation)
        model = api.operation_model(crawl.service, crawl.operation)
        token, taken, pages, items, units, size, inside, seconds = None, 0, 0, 0, 0, 0, 0, 0.0
        while pages < most and (pages == 0 or time.monotonic() < until):
            began = time.monotonic()
            try:
                page = page_fetch.fetch(self.expansion.client, crawl, target, token, taken)
            except PageturnerError as error:
                verdict = _VERDICTS.get(type(error))
                if isinstance(error, TokenInvalidError) and pages == 0:
                    verdict = "failed"  # it is the StartingToken
                return Probe(target, pages, items, round(seconds * 1000), True, verdict, error, units, size)
            seconds += time.monotonic() - began
            pages, taken, token = pages + 1, taken + page.taken, page.next_token
            for _, item in pagination.items(page.response, model, crawl.paginator.definition, crawl.search):
                items += 1
                length = len(item_json(item))
                size += length
                units += _write_units(length) if "dynamodb" in crawl.sinks else 0
            inside += len(page_end.errors_inside(crawl, page)[0])
            if (end := page_end.end_of(page, crawl, target, pages)) is not None:
                failure = page_end.failure(end, pages, inside)
                verdict = end if failure is None else "failed"
                return Probe(target, pages, items, round(seconds * 1000), False, verdict, failure, units, size)
        return Probe(target, pages, items, round(seconds * 1000), more=True, write_units=units, bytes=size)

    def _estimate(self, crawl: Crawl, count: int, places: int, probes: list[Probe]) -> dict[str, Any]:
        """Pages, items, duration and dollars, with the arithmetic.

        If every probe reached the end of its listing, the other targets are assumed to be similar. Otherwise the latest
        run that covers all that the crawl lists is the basis; without one, the numbers are a lower bound.
        """
        pages, items, n = sum(p.pages for p in probes), sum(p.items for p in probes), max(1, len(probes))
        units_of_item = sum(p.write_units for p in probes) / max(1, items)
        page_seconds = sum(p.milliseconds for p in probes) / 1000 / max(1, pages) + _WRITE_SECONDS
        page_arithmetic = f"{page_seconds:.3f} s per page (measured, plus {_WRITE_SECONDS:g} s to write)"
        # A target that is denied, absent or fails will have no more pages in a run either.
        is_open = any(p.more and p.verdict is None for p in probes)
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
        # The targets of an account and a region share the pace.
        per_second = places * (crawl.max_pages_per_second or math.inf)
        pace = max(page_seconds, side_by_side / per_second)
        seconds = round(pages * pace / side_by_side, 1)
        turned = costs.expected(count, pages, page_seconds, pace, self.loop_seconds, hours=1 + int(seconds // 3600))
        long_targets = costs.expected_long_targets(crawl, turned, self.loop_seconds)
        volume = costs.of_run(crawl, turned, long_targets)
        # As if all items were new.
        volume += costs.of_publishing(pages, items, math.ceil(items * units_of_item))
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
            **prices.estimate(volume),
        }

    def _latest(self, crawl: Crawl) -> dict[str, Any] | None:
        runs = self.expansion.stores.runs
        run_id = runs.latest(crawl)
        found = runs.find(run_id) if run_id else None
        return dict(found.summary) if found and found.summary else None


def _action(crawl: Crawl, target: Target) -> str:
    return iam_action(target.service or crawl.service, target.operation or crawl.operation)


def _write_units(item_bytes: int) -> int:
    # Each write is part of a transaction, which costs twice as much.
    return 2 * math.ceil((item_bytes + _ROW_BYTES) / 1024)


def _expected(count: int, places: int, probes: list[Probe], estimate: Mapping[str, Any]) -> Expected:
    of_item = sum(p.bytes for p in probes) / max(1, sum(p.items for p in probes))
    pages, items, dollars = estimate["pages"], estimate["items"], estimate["estimated_cost"]
    return Expected(count, places, pages, items, items * of_item, dollars, estimate["at_least"])


def _failures(crawl: Crawl, probes: list[Probe]) -> str:
    """Return the sentences about probes that did not go well, and what that means for a run; empty if all did."""
    probed = count_of(len(probes), "probed target")
    sentences = []
    fatal = [probe for probe in probes if not probe.is_as_wanted(crawl)]
    if fatal:
        verdicts = Counter(str(probe.verdict) for probe in fatal)
        by_verdict = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(verdicts.items()))
        why = fatal[0].said if fatal[0].error else f"the listing has more than max_pages ({crawl.max_pages:,}) pages"
        target = fatal[0].target
        own = f" ({target.service} {target.operation})" if target.service else ""
        of = f"{target.target_id}{own}, {_parameters(crawl, target)}"
        sentences.append(
            f"the run would fail: {len(fatal):,} of {probed} not complete ({by_verdict}). First: {of}: {why}"
        )
    tolerated = [probe for probe in probes if probe.error and probe.verdict and probe.is_as_wanted(crawl)]
    if tolerated:
        sentences.append(f"{len(tolerated):,} of {probed} tolerated. First: {tolerated[0].said}")
    unknown = [probe for probe in probes if probe.error and not probe.verdict]
    if unknown:
        sentences.append(f"{len(unknown):,} of {probed} failed for now; a run tries again. First: {unknown[0].said}")
    return "".join(f"{sentence}. " for sentence in sentences)


def _parameters(crawl: Crawl, target: Target) -> str:
    of = crawl.of(target.service, target.operation)
    return parameters_in_words(of.service, of.operation, target.as_dict())
