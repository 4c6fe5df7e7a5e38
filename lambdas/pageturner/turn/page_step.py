"""Turns one page of a target, in an order that loses nothing and makes a repeat harmless.

1. take the place from the state or from the checkpoint;
2. call the operation once;
3. commit the page: its items and its next token in one object; the first writer wins;
4. project the committed items to the other sinks;
5. move the checkpoint forward;
6. return the next place.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pageturner import errors
from pageturner.clients import Client
from pageturner.crawls.crawl import Crawl
from pageturner.page_state import PageState, Place, utc_text
from pageturner.paging import api, pagination
from pageturner.paging.identity import keys_of
from pageturner.stores import Stores
from pageturner.stores.checkpoints import PageRecord
from pageturner.stores.item_table import is_large
from pageturner.stores.page_store import CommittedPage, End, Facts
from pageturner.turn import page_fetch
from pageturner.turn.records import item_json, records

# Tokens that have expired this often before the listing ended will expire again.
MOST_RESTARTS = 3
# Seconds between pages: FIRST_INTERVAL after the first throttle, at most LONGEST_INTERVAL, which must fit into the time
# that Express leaves after the loop's budget. A page without a throttle multiplies the interval by SPEED_UP; below
# SHORTEST_INTERVAL, it becomes 0.
FIRST_INTERVAL = 0.5
LONGEST_INTERVAL = 20.0
SPEED_UP = 0.95
SHORTEST_INTERVAL = 0.05


@dataclass(frozen=True)
class Turned:
    """A turned page: the place after it, what was written, and the milliseconds that fetching and writing took.

    `page` is None if there was no page left to turn, or if the service rejected the token.
    """

    place: Place
    page: CommittedPage | None = None
    fetch_ms: float = 0
    write_ms: float = 0


@dataclass(frozen=True)
class PageStep:
    """Turns one page. `client` creates the client of a service in a region and an account."""

    client: Client
    stores: Stores

    def turn(self, state: PageState) -> Turned:
        """Turn the page at the state's place. Raises the errors of `pageturner.errors`."""
        place = state.place or self.stores.checkpoints.checkpoint(state.run, state.target.target_id) or Place()
        if place.next == "end":
            return self._ended(Turned(place))
        if (now := _now()) >= state.run.deadline:
            raise errors.DeadlinePassedError(f"the run's deadline was {state.run.deadline}; it is now {now}")
        if place.next == "begin_pass":
            place = replace(place, next="page")
            self.stores.checkpoints.begin_pass(state.run, state.target, place)
        began = time.monotonic()
        try:
            token = self.stores.pages.token(place.token)
            page = page_fetch.fetch(self.client, state.crawl, state.target, token, place.taken)
        except errors.TokenInvalidError as error:
            # The pass does not begin here, because Crawl may have abandoned this invocation. It begins when Crawl comes
            # back with this place.
            return Turned(_next_pass(place, error))
        fetched = time.monotonic()
        committed = self._commit(state, place, page)
        if "dynamodb" in state.crawl.sinks:
            self.stores.items.project(committed, state.target, state.crawl.result_keys)
        after = _place_after(place, committed, state)
        written = time.monotonic()
        self.stores.checkpoints.record_page(
            state.run,
            PageRecord(
                state.target.target_id,
                place.pass_number,
                place.page,
                len(committed.records),
                committed.bytes,
                committed.key,
                after,
                # As in botocore, from the first page only.
                item_json(page.non_aggregate) if place.page == 1 and page.non_aggregate else None,
                now,
                round((written - began) * 1000),
            ),
        )
        return self._ended(Turned(after, committed, (fetched - began) * 1000, (written - fetched) * 1000))

    def _commit(self, state: PageState, place: Place, page: pagination.Page) -> CommittedPage:
        crawl = state.crawl
        model = api.operation_model(crawl.service, crawl.operation)
        definition = crawl.paginator.definition
        lines = records(
            state,
            place,
            pagination.items(page.response, model, definition, crawl.search),
            keys_of(crawl.service, crawl.operation, definition, crawl.key, crawl.search),
            _now(),
        )
        facts = Facts(
            next_token=page.next_token or page.resume_token,
            end=_end(page, crawl, place),
            taken=page.taken,
            sums=pagination.sums(page.response, definition),
        )
        return self.stores.pages.commit(state.run, crawl.name, state.target, place, lines, facts)

    def _ended(self, turned: Turned) -> Turned:
        if turned.place.verdict == "failed":
            raise errors.RepeatedTokenError(
                f"page {turned.place.pages} returned the same token that fetched it; the page was kept, "
                f"but the listing cannot continue"
            )
        return turned


def _next_pass(place: Place, error: errors.TokenInvalidError) -> Place:
    """Return the beginning of the next pass, after the service rejected the token, if the target may restart."""
    if place.page == 1:
        raise errors.InvalidRequestError(f"the service rejected the StartingToken: {error}") from error
    if place.pass_number > MOST_RESTARTS:
        raise errors.TooManyRestartsError(
            f"the service rejected the token of page {place.page}, after {MOST_RESTARTS} restarts: {error}"
        ) from error
    return Place(pass_number=place.pass_number + 1, interval=place.interval, next="begin_pass")


def _end(page: pagination.Page, crawl: Crawl, place: Place) -> End | None:
    if page.resume_token is not None:
        return "limited"
    if page.next_token is None:
        # The items before a StartingToken were not listed.
        return "limited" if "StartingToken" in crawl.pagination_config else "complete"
    if page.repeated_token:
        return "repeated"
    return "endless" if place.page >= crawl.max_pages else None


def _interval(interval: float, state: PageState) -> float:
    """Return the seconds between pages: doubled after a throttle, then slowly reduced."""
    least = 1 / state.crawl.max_pages_per_second if state.crawl.max_pages_per_second else 0.0
    if state.throttled:
        return round(min(max(2 * interval, least, FIRST_INTERVAL), LONGEST_INTERVAL), 3)
    slower = interval * SPEED_UP
    return round(max(slower if slower >= SHORTEST_INTERVAL else 0.0, least), 3)


def _now() -> str:
    return utc_text(datetime.now(UTC))


def _place_after(place: Place, page: CommittedPage, state: PageState) -> Place:
    facts = page.facts
    verdict = "failed" if facts.end == "repeated" else facts.end
    names = {**place.sums, **facts.sums}
    return replace(
        place,
        page=place.page + 1,
        token=facts.next_token,
        taken=place.taken + facts.taken,
        items=place.items + len(page.records),
        bytes=place.bytes + page.bytes,
        large_items=place.large_items + (sum(map(is_large, page.records)) if "dynamodb" in state.crawl.sinks else 0),
        sums={name: place.sums.get(name, 0) + facts.sums.get(name, 0) for name in names},
        interval=_interval(place.interval, state),
        next="page" if facts.end is None else "end",
        verdict=verdict,
    )
