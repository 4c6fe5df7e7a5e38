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
from pageturner.page_state import PageState, utc_text
from pageturner.stores import Stores
from pageturner.turn.page_step import PageStep, Turned
from pageturner.turn.stop_check import StopCheck

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Turn the page at `event["place"]` and return the next place. `pageturner.page_state` has the shapes.

    `event["share"]` is the part of the loop's time after which the target hands over, if it shares the loop.
    """
    began = datetime.now(UTC)
    if _is_late(event, began):
        return {**event["place"], "throttled": event["retry_count"] > 0, "next": "hand_over"}
    state = PageState.from_event(event)
    step = _page_step()
    with telemetry.about_run(state.run.run_id, state.crawl.name):
        _stop_check().check(state.run, state.crawl, began.timestamp())
        try:
            with _uncollected():
                turned = step.turn(state)
        except ThrottledError as error:
            step.stores.targets.count_throttle(state.run, state.target, str(error))
            telemetry.count("Throttles", 1)
            facts = {"target": state.target.target_id, "retry": event["retry_count"], "error": str(error)}
            telemetry.logger.warning("throttled", extra=facts)
            raise
        _report(state, turned)
    return _handed_back(turned, event, began)


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
    return PageStep(clients.client, Stores.of_environment(), clients.client_that_asks_once)


@cache
def _stop_check() -> StopCheck:
    return StopCheck(Stores.of_environment(), lambda execution: clients.is_running(execution))


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

    A loop that has turned no page of its only target goes on: it has an error to report.
    """
    is_spent = _spent(event["loop_started_at"], now) >= float(os.environ["LOOP_SECONDS"])
    return is_spent and ("share" in event or event["place"].get("turned_in") == event["loop_started_at"])


def _handed_back(turned: Turned, event: Mapping[str, Any], began: datetime) -> dict[str, Any]:
    """Return the place, with what comes next in this loop, because Express can measure neither time nor pace.

    `turned_in` says that this loop has turned a page; `not_before` is when the next page may be fetched.
    """
    place = {**turned.place.as_dict(), "turned_in": event["loop_started_at"]}
    if place["next"] != "page":
        return place
    now = datetime.now(UTC)
    if _spent(event["loop_started_at"], now) >= float(os.environ["LOOP_SECONDS"]) * event.get("share", 1):
        return {**place, "next": "hand_over"}
    not_before = began + timedelta(seconds=turned.place.interval)
    if not_before > now:
        # Step Functions truncates the timestamp of a Wait to seconds.
        return {**place, "next": "pause", "not_before": utc_text(not_before)}
    return place


def _spent(loop_started_at: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(loop_started_at)).total_seconds()
