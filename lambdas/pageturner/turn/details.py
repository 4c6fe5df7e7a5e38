"""Adds their details to the items of a page, within the page's own invocations and commit.

A page whose details do not fit into one invocation, or that is throttled, is kept with those that it has
(`stores/unfinished_pages.py`). The next invocation of the same page goes on with them, and fetches it no more.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pageturner import errors
from pageturner.clients import Client
from pageturner.crawls.detail import VALUE, Detail
from pageturner.formats import known, readable, stamped
from pageturner.page_state import PageState, Place
from pageturner.paging.expression_limits import Steps
from pageturner.paging.expressions import find
from pageturner.stores.page_store import Facts
from pageturner.stores.unfinished_pages import UnfinishedPages
from pageturner.turn.detail_calls import Answered, Ask, Caller
from pageturner.turn.records import LARGEST_TEXT, DetailCounts, ReadPage, item_json
from pageturner.turn.redacting import redacting, redaction_of_items

# Calls at once. The client has 16 connections, and parsing shares one processor: more would only wait. A page that was
# throttled goes on with fewer.
SIDE_BY_SIDE = 8
SIDE_BY_SIDE_THROTTLED = 2
# Seconds after an invocation began until it begins no more calls, and until it waits for none. A call is at most two
# attempts of 25 s, and FetchPage has 60 s.
LAST_CALL = 30.0
LEAVES_AFTER = 50.0
# Seconds of work that a killed invocation can lose.
KEEPS_EVERY = 10.0


@dataclass
class _Progress:
    """A page with the details that it has: their JSON texts, by detail and number of the item; None: nothing is there.

    `errors` are those beside their answers, `ignored` counts those that are None because of `ignore_errors`, and
    `milliseconds` is how long earlier invocations took. `etag` is the version that is kept.
    """

    page: ReadPage
    texts: dict[str, dict[int, str | None]]
    errors: list[dict[str, Any]] = field(default_factory=list)
    ignored: int = 0
    milliseconds: int = 0
    etag: str | None = None

    def as_document(self, milliseconds: int) -> dict[str, Any]:
        texts = {name: [[number, text] for number, text in found.items()] for name, found in self.texts.items()}
        page = {
            "lines": self.page.lines,
            "facts": asdict(self.page.facts),
            "errors": _as_json(self.page.errors),
            "non_aggregate": self.page.non_aggregate,
            "answer": _numbers_in(self.page.answer),
        }
        more = {"errors": self.errors, "ignored": self.ignored, "milliseconds": milliseconds}
        return stamped({"page": page, "texts": texts, **more})

    @classmethod
    def from_document(cls, document: Mapping[str, Any], etag: str) -> _Progress:
        readable(document, "a page that lacks details")
        page = {**known(ReadPage, document["page"]), "facts": Facts(**known(Facts, document["page"]["facts"]))}
        texts = {name: dict(map(tuple, found)) for name, found in document["texts"].items()}
        return cls(ReadPage(**page), texts, document["errors"], document["ignored"], document["milliseconds"], etag)


@dataclass
class Details:
    """The details of the page at `place`, in the invocation that `began` then, by the monotonic clock."""

    client: Client
    store: UnfinishedPages
    state: PageState
    place: Place
    began: float
    _progress: _Progress | None = None

    def kept(self) -> ReadPage | None:
        """Return the page if an earlier invocation has kept it. Raises `SinkError`."""
        found = self.store.find(self.state.run, self.state.target, self.place)
        if found is None:
            return None
        self._progress = _Progress.from_document(found.document, found.etag)
        return self._progress.page

    @property
    def milliseconds(self) -> int:
        """How long earlier invocations worked at the page."""
        return self._progress.milliseconds if self._progress else 0

    def counts(self) -> DetailCounts:
        """Return how many details the page has so far."""
        texts = [text for found in self._progress.texts.values() for text in found.values()] if self._progress else []
        return DetailCounts(len(texts), texts.count(None), self._progress.ignored if self._progress else 0)

    def added_to(self, page: ReadPage) -> ReadPage | None:
        """Return the page with all details, or None if they are continued in the next invocation of the page.

        Raises the errors of `pageturner.errors`; what can be asked again has then been kept.
        """
        details = self.state.crawl.details
        if self._progress is None:
            self._progress = _Progress(page, {each.name: {} for each in details})
        progress, before = self._progress, self.counts().details
        failed = self._ask_for(list(self._asks(progress)), progress)
        if failed is None and self.counts().details == len(self._lines(page)) * len(details):
            return self._whole(progress)
        if isinstance(failed, errors.ThrottledError | errors.TransientError):
            with suppress(errors.SinkError):  # this error matters more
                self._keep(progress)
        if failed is not None:
            raise failed
        was_kept = progress.etag is not None
        self._keep(progress)
        if was_kept and self.counts().details == before:
            raise errors.TransientError(f"no detail was answered within {LEAVES_AFTER:g} s")
        return None

    def _lines(self, page: ReadPage) -> list[tuple[int, dict[str, Any]]]:
        primary = self.state.crawl.primary_result_key
        return [(number, line) for number, line in enumerate(page.lines) if line["result_key"] == primary]

    def _asks(self, progress: _Progress) -> Iterator[Ask]:
        """Yield what to ask for the details that the page lacks."""
        target, details = self.state.target, self.state.crawl.details
        batches: dict[str, Ask] = {}
        steps = Steps()
        for number, line in self._lines(progress.page):
            lacking = [each for each in details if number not in progress.texts[each.name]]
            if not lacking:
                continue
            about = {
                "item": json.loads(line["item"]),
                "account": target.account,
                "region": target.region,
                "parameters": target.parameters,
            }
            for detail in lacking:
                parameters = _parameters(detail, about, steps)
                if parameters is None:  # nothing in the item says what to ask for
                    progress.texts[detail.name][number] = None
                elif detail.batch is None:
                    yield Ask(detail, parameters, {"": [number]})
                else:
                    value = item_json(parameters.pop(detail.batch))
                    alike = f"{detail.name} {item_json(parameters)}"
                    ask = batches.setdefault(alike, Ask(detail, parameters, {}))
                    if value not in ask.items and len(ask.items) == detail.most_values:
                        yield batches.pop(alike)
                        ask = batches.setdefault(alike, Ask(detail, parameters, {}))
                    ask.items.setdefault(value, []).append(number)
        yield from batches.values()

    def _ask_for(self, asks: Iterable[Ask], progress: _Progress) -> errors.PageturnerError | None:
        """Ask side by side, as long as there is time, and put what is answered into `progress`; return the first error.

        Whoever has not answered when there is no time left is not waited for.
        """
        waiting = deque(asks)
        callers = {each.name: self._caller(each) for each in self.state.crawl.details} if waiting else {}
        most = SIDE_BY_SIDE_THROTTLED if self.state.throttled else SIDE_BY_SIDE
        asked: dict[Future[Answered], Ask] = {}
        size = sum(len(line["item"]) for line in progress.page.lines)
        size += sum(len(text or "") for found in progress.texts.values() for text in found.values())
        failed: errors.PageturnerError | None = None
        keep_at = self._spent() + KEEPS_EVERY
        pool = ThreadPoolExecutor(most)
        try:
            while True:
                while waiting and failed is None and len(asked) < most and self._spent() < LAST_CALL:
                    ask = waiting.popleft()
                    asked[pool.submit(callers[ask.detail.name].ask, ask)] = ask
                if not asked or self._spent() >= LEAVES_AFTER:
                    return failed
                for future in wait(asked, LEAVES_AFTER - self._spent(), FIRST_COMPLETED).done:
                    answered = future.result()
                    size += _put(progress, asked.pop(future), answered)
                    failed = failed or answered.error
                if size > LARGEST_TEXT:
                    return errors.InvalidRequestError(_too_large())
                if (asked or waiting) and self._spent() >= keep_at:
                    self._keep(progress)
                    keep_at = self._spent() + KEEPS_EVERY
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _caller(self, detail: Detail) -> Caller:
        try:
            client = self.client(detail.service, self.state.target.region, self.state.target.account)
        except errors.SERVICE_ERRORS as error:
            raise errors.from_botocore_error(error) from error
        kept = self.state.crawl.defaults_kept
        method = redacting(detail.service, detail.operation, kept, getattr(client, detail.operation))
        return Caller(detail, method, self.state.target.region, redaction=redaction_of_items(self.state.crawl))

    def _keep(self, progress: _Progress) -> None:
        document = progress.as_document(progress.milliseconds + round(self._spent() * 1000))
        kept = self.store.keep(self.state.run, self.state.target, self.place, document, progress.etag)
        # What another invocation has kept stays: the next one goes on with that.
        progress.etag = kept or progress.etag

    def _spent(self) -> float:
        return time.monotonic() - self.began

    def _whole(self, progress: _Progress) -> ReadPage:
        page, counts = progress.page, self.counts()
        lines = list(page.lines)
        for number, line in self._lines(page):
            item = json.loads(line["item"])
            whole = item if isinstance(item, dict) else {VALUE: item}
            for name, texts in progress.texts.items():
                if name in whole:
                    raise errors.InvalidCrawlError(
                        f"detail.as: an item has a member {name} already; choose another name"
                    )
                text = texts[number]
                whole[name] = None if text is None else json.loads(text)
            lines[number] = {**line, "item": item_json(whole)}
        facts = replace(
            page.facts,
            page_errors=page.facts.page_errors + len(progress.errors),
            missing_details=counts.missing,
        )
        return replace(page, lines=lines, facts=facts, errors=[*page.errors, *progress.errors])


def _parameters(detail: Detail, about: Mapping[str, Any], steps: Steps) -> dict[str, Any] | None:
    """Return what to send about an item; None if one of the required parameters, or the batch's value, has no value."""
    found = {
        name: find(f"detail.parameters.{name}", expression, about, steps)
        for name, expression in detail.parameters.items()
    }
    if detail.batch is not None and isinstance(value := found[detail.batch], list):
        if len(value) > 1:
            raise errors.InvalidCrawlError(
                f"detail.parameters.{detail.batch}: finds {len(value)} values in an item, and a batch takes one of each"
            )
        found[detail.batch] = value[0] if value else None
    shape = detail.model.input_shape
    needed = {*(shape.required_members if shape else ()), *([detail.batch] if detail.batch else [])}
    if any(found[name] is None for name in needed & found.keys()):
        return None
    return {name: value for name, value in found.items() if value is not None}


def _put(progress: _Progress, ask: Ask, answered: Answered) -> int:
    """Put what was answered to the page's details, and return the length of its text."""
    texts = progress.texts[ask.detail.name]
    for value, text in answered.found.items():
        texts.update(dict.fromkeys(ask.items[value], text))
    progress.ignored += answered.ignored
    progress.errors += _as_json(answered.inside)
    return sum(len(text) * len(ask.items[value]) for value, text in answered.found.items() if text is not None)


def _as_json(value: list[dict[str, Any]]) -> Any:
    return json.loads(item_json(value))


def _too_large() -> str:
    return (
        f"the items of a page with their details are more than {LARGEST_TEXT // 2**20} MB of text; set a smaller "
        f"PageSize in pagination_config, or take less of each answer with the detail's result_key"
    )


def _numbers_in(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of an answer, which the last page's witness may need."""
    found = {name: _numbers_in(value) if isinstance(value, Mapping) else value for name, value in answer.items()}
    return {name: value for name, value in found.items() if isinstance(value, int | dict)}
