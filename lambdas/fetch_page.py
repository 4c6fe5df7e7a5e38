"""FetchPage: turns one page of a target and returns the place after it."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from pageturner import clients, telemetry
from pageturner.errors import ThrottledError
from pageturner.page_state import PageState, Place, utc_text
from pageturner.stores import Stores
from pageturner.turn.pace import LONGEST_WAIT_SECONDS, SHORT_WAIT_SECONDS, Pace, is_due
from pageturner.turn.page_step import PageStep, Turned
from pageturner.turn.stop_check import StopCheck

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.handler
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Turn the page at `event["place"]` and return the next place. `pageturner.page_state` has the shapes.

    `event["share"]` is the part of the loop's time after which the target hands over, if it shares the loop.
    """
    began = datetime.now(UTC)
    if _is_late(event, began):
        throttled = event["retry_count"] > 0 or bool(event["place"].get("throttled"))
        return {**event["place"], "throttled": throttled, "next": "hand_over"}
    state = PageState.from_event(event)
    step = _page_step()
    clients.reads_for(state.run.run_id)
    with telemetry.about_run(state.run.run_id, state.crawl.name):
        _stop_check().check(state.run, state.crawl, began.timestamp())
        try:
            with _uncollected():
                turned = step.turn(state)
        except ThrottledError as error:
            _report_throttle(state, step, error)
            raise
        _report(state, turned)
        return _handed_back(turned, state, event, began)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no cycles of garbage meanwhile: a page makes many objects, of which none are in cycles."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@cache
def _page_step() -> PageStep:
    stores = Stores.of_environment()
    return PageStep(clients.client, stores, clients.client_that_asks_once, Pace(stores))


@cache
def _stop_check() -> StopCheck:
    return StopCheck(Stores.of_environment(), lambda execution: clients.is_running(execution))


def _report_throttle(state: PageState, step: PageStep, error: ThrottledError) -> None:
    step.stores.targets.count_throttle(state.run, state.target, str(error))
    step.pace.tell(state, datetime.now(UTC))
    telemetry.count_for_all("Throttles", 1)
    facts = {"target": state.target.target_id, "retry": state.retries, "error": str(error)}
    telemetry.logger.warning("throttled", extra=facts)


def _report(state: PageState, turned: Turned) -> None:
    details = {} if turned.details is None else asdict(turned.details)
    if turned.page is None:
        if details:
            facts = {"target": state.target.target_id, "page": turned.place.page, **details}
            telemetry.logger.info("the details of the page are continued", extra=facts)
        elif turned.place.next == "begin_pass":
            facts = {"target": state.target.target_id, "pass": turned.place.pass_number}
            telemetry.logger.warning("the service rejected the token: the target begins a new pass", extra=facts)
        elif turned.place.next == "page":
            facts = {"target": state.target.target_id, "page": turned.place.page}
            telemetry.logger.warning("the service rejected the token: it goes on behind the last key", extra=facts)
        return
    telemetry.count("PagesFetched", 1)
    telemetry.count("ItemsWritten", len(turned.page.records))
    telemetry.add_facts(
        target=state.target.target_id,
        page=turned.place.pages,
        items=len(turned.page.records),
        bytes=turned.page.bytes,
        fetch_ms=round(turned.fetch_ms),
        write_ms=round(turned.write_ms),
        verdict=turned.place.verdict,
        **details,
    )


def _is_late(event: Mapping[str, Any], now: datetime) -> bool:
    """Whether the time of the loop is over before the page is turned, so that its execution could time out.

    A loop that has turned no page of its only target goes on: it has an error to report, unless it has waited.
    """
    place = event["place"]
    if "share" in event or place.get("turned_in") == event["loop_started_at"]:
        return _loop_end(event, 1) <= now
    waited = now - datetime.fromisoformat(event["loop_started_at"])
    return place.get("next") == "pause" and waited.total_seconds() > SHORT_WAIT_SECONDS


def _handed_back(turned: Turned, state: PageState, event: Mapping[str, Any], began: datetime) -> dict[str, Any]:
    """Return the place, with what comes next in this loop, because Express can measure neither time nor pace.

    `turned_in` says that this loop has turned a page; `not_before` is when the next page may be fetched.
    """
    if turned.place.next == "page":
        return _to_next_page(turned.place, state, event, began)
    place = turned.place.as_dict()
    if place["next"] == "pause":
        # No page was turned. A target that shares the loop has one page at least, unless the whole time is over.
        until = min(datetime.fromisoformat(place["slot_at"]), _wait_end(event))
        if place["turned_in"] is None:
            del place["turned_in"]  # the state machine compares texts only
        return {**place, "throttled": state.throttled, "not_before": utc_text(until)}
    return {**place, "turned_in": event["loop_started_at"]}


def _to_next_page(after: Place, state: PageState, event: Mapping[str, Any], began: datetime) -> dict[str, Any]:
    now, end = datetime.now(UTC), _loop_end(event, event.get("share", 1))
    after = _page_step().pace.after_page(state, after, began, now, end)
    place = {**after.as_dict(), "turned_in": event["loop_started_at"]}
    if end <= now or (after.slot_at is not None and not is_due(after.slot_at, end)):
        return {**place, "next": "hand_over"}
    not_before = began + timedelta(seconds=after.interval)
    if after.slot_at is not None and not is_due(after.slot_at, now):
        not_before = max(not_before, datetime.fromisoformat(after.slot_at))
    if not_before > now:
        # Step Functions truncates the timestamp of a Wait to seconds.
        return {**place, "next": "pause", "not_before": utc_text(not_before)}
    return place


def _wait_end(event: Mapping[str, Any]) -> datetime:
    """Return until when the first page of a loop may wait, or that of a target that shares it."""
    if "share" in event:
        return _loop_end(event, 1)
    return datetime.fromisoformat(event["loop_started_at"]) + timedelta(seconds=LONGEST_WAIT_SECONDS)


def _loop_end(event: Mapping[str, Any], share: float) -> datetime:
    seconds = float(os.environ["LOOP_SECONDS"]) * share
    return datetime.fromisoformat(event["loop_started_at"]) + timedelta(seconds=seconds)
