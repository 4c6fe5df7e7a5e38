"""Turns one page of a target, in an order that loses nothing and makes a repeat harmless.

1. take the place from the state or from the checkpoint;
2. call the operation once, and those of the crawl's details for its items;
3. commit the page: its items and its next token in one object; the first writer wins;
4. if the listing has ended complete, ask who else counts it;
5. move the checkpoint forward;
6. return the next place.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from pageturner import errors
from pageturner.clients import Client
from pageturner.crawls.crawl import Crawl
from pageturner.page_state import PageState, Place, utc_text
from pageturner.paging import api, pagination, split, token_parameters
from pageturner.paging.identity import keys_of
from pageturner.stores import Stores
from pageturner.stores.checkpoints import PageRecord
from pageturner.stores.page_store import CommittedPage, Facts
from pageturner.turn import page_end, page_fetch
from pageturner.turn.pace import Pace
from pageturner.turn.records import DetailCounts, ReadPage, item_json, records
from pageturner.turn.redacting import redacted_text, redaction_of_items

if TYPE_CHECKING:
    from pageturner.turn.details import Details

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

    `page` is None if there was no page left to turn, if the page has to wait, if the service rejected the token, or if
    the `details` of the page are continued in the next invocation.
    """

    place: Place
    page: CommittedPage | None = None
    fetch_ms: float = 0
    write_ms: float = 0
    details: DetailCounts | None = None


@dataclass(frozen=True)
class PageStep:
    """Turns one page. `client` creates the client of a service in a region and an account.

    `client_that_asks_once` creates that of a witness, who is asked once.
    """

    client: Client
    stores: Stores
    client_that_asks_once: Client
    pace: Pace

    def turn(self, state: PageState) -> Turned:
        """Turn the page at the state's place. Raises the errors of `pageturner.errors`."""
        crawl = self._with_starting_token(state.crawl)
        place = state.place or self.stores.checkpoints.checkpoint(state.run, state.target.target_id) or Place()
        if place.next == "end":
            return self._ended(Turned(place))
        if (now := _now()) >= state.run.deadline:
            raise errors.DeadlinePassedError(f"the run's deadline was {state.run.deadline}; it is now {now}")
        if place.next == "begin_pass":
            place = replace(place, next="page")
            if not self.stores.checkpoints.begin_pass(state.run, state.target, place):
                raise errors.RunStoppedError(f"{state.run.run_id} has ended or was resumed: this invocation is late")
        if (waiting := self.pace.waits(state, place, datetime.now(UTC))) is not None:
            return Turned(waiting)
        began = time.monotonic()
        details = self._details(state, place, began)
        read = details.kept() if details else None
        if read is None:
            try:
                token = self.stores.pages.token(place.token)
                page = page_fetch.fetch(self.client, crawl, state.target, token, place.taken, state.retries)
            except errors.TokenInvalidError as error:
                if (behind := _behind_last_key(place, state)) is not None:
                    return Turned(behind)
                # The pass does not begin here, because Crawl may have abandoned this invocation. It begins when Crawl
                # comes back with this place.
                return Turned(_next_pass(place, error))
            read = _read(state, place, page)
        if details:
            if (whole := details.added_to(read)) is None:
                interval = _interval(place.interval, slows_down=state.throttled)
                same = replace(place, interval=interval, slot_at=None, next="page")
                return Turned(same, details=details.counts())
            read = whole
        fetched = time.monotonic()
        committed = self.stores.pages.commit(state.run, crawl.name, state.target, place, read.lines, read.facts)
        slows_down, heard_at = self.pace.hear(state, place, datetime.now(UTC))
        after = replace(_place_after(place, committed, state, slows_down=slows_down), heard_at=heard_at)
        written = time.monotonic()
        if after.verdict == "complete":
            from pageturner.turn.witness import Witnesses  # only the last page needs them

            # Before the checkpoint, behind which nobody comes back to this page.
            witnesses = Witnesses(self.client_that_asks_once, self.stores)
            witnesses.ask(state, place.pass_number, read.answer, datetime.now(UTC))
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
                read.non_aggregate,
                now,
                round((written - began) * 1000) + (details.milliseconds if details else 0),
                item_json(read.errors) if read.errors else None,
            ),
        )
        counts = details.counts() if details else None
        return self._ended(Turned(after, committed, (fetched - began) * 1000, (written - fetched) * 1000, counts))

    def _details(self, state: PageState, place: Place, began: float) -> Details | None:
        if state.crawl.detail is None:
            return None
        from pageturner.turn.details import Details  # only crawls with details need them

        return Details(self.client, self.stores.unfinished_pages, state, place, began)

    def _with_starting_token(self, crawl: Crawl) -> Crawl:
        if (kept := crawl.pagination_config.get("StartingToken")) is None:
            return crawl
        token = self.stores.pages.token(kept)
        return replace(crawl, pagination_config={**crawl.pagination_config, "StartingToken": token})

    def _ended(self, turned: Turned) -> Turned:
        if turned.place.error is not None:
            raise page_end.ERRORS[turned.place.error](turned.place.cause or "")
        return turned


def _read(state: PageState, place: Place, page: pagination.Page) -> ReadPage:
    crawl = state.crawl
    model = api.operation_model(crawl.service, crawl.operation)
    definition = crawl.paginator.definition
    inside, ignored = page_end.errors_inside(crawl, page)
    redaction = redaction_of_items(crawl)
    lines = records(
        state,
        place,
        pagination.items(page.response, model, definition, crawl.search),
        keys_of(crawl.service, crawl.operation, definition, crawl.key, crawl.search),
        _now(),
        None if redaction is None else partial(redacted_text, redaction),
    )
    mark = page_end.mark_of(page.next_token, lines)
    facts = Facts(
        next_token=page.next_token or page.resume_token,
        end=page_end.end_of(page, crawl, state.target, place.page, in_circle=mark == place.mark),
        taken=page.taken,
        sums=pagination.sums(page.response, definition),
        page_errors=len(inside),
        ignored_errors=ignored,
        mark=mark,
        miscount=page.miscount,
    )
    # As in botocore, from the first page only. `search` may take it for items, which are redacted.
    has_more = place.page == 1 and bool(page.non_aggregate) and redaction is None
    non_aggregate = item_json(page.non_aggregate) if has_more else None
    return ReadPage(lines, facts, inside, non_aggregate, page.response)


def _next_pass(place: Place, error: errors.TokenInvalidError) -> Place:
    """Return the beginning of the next pass, after the service rejected the token, if the target may restart."""
    if place.pass_number - place.first_pass >= MOST_RESTARTS:
        raise errors.TooManyRestartsError(
            f"the service rejected the token of page {place.page}, after {MOST_RESTARTS} restarts: {error}"
        ) from error
    return Place(
        pass_number=place.pass_number + 1, first_pass=place.first_pass, interval=place.interval, next="begin_pass"
    )


def _behind_last_key(place: Place, state: PageState) -> Place | None:
    """Return the same place with a token that begins behind the last key, if the order of the listing is known.

    It needs no new pass. Whoever else fetches this page begins behind the same key, and the first writer wins.
    """
    if place.last_key is None:
        return None
    crawl, names = state.crawl, pagination.input_tokens(state.crawl.paginator.definition)
    token = token_parameters.token_behind(crawl.service, crawl.operation, place.last_key, names)
    return replace(place, token=token) if token is not None else None


def _interval(interval: float, *, slows_down: bool) -> float:
    """Return the seconds between pages: doubled after a throttle, then slowly reduced."""
    if slows_down:
        return round(min(max(2 * interval, FIRST_INTERVAL), LONGEST_INTERVAL), 3)
    slower = interval * SPEED_UP
    return round(slower if slower >= SHORTEST_INTERVAL else 0.0, 3)


def _now() -> str:
    return utc_text(datetime.now(UTC))


def _place_after(place: Place, page: CommittedPage, state: PageState, *, slows_down: bool) -> Place:
    facts = page.facts
    names = {**place.sums, **facts.sums}
    after = replace(
        place,
        page=place.page + 1,
        token=facts.next_token,
        taken=place.taken + facts.taken,
        items=place.items + len(page.records),
        bytes=place.bytes + page.bytes,
        sums={name: place.sums.get(name, 0) + facts.sums.get(name, 0) for name in names},
        page_errors=place.page_errors + facts.page_errors,
        ignored_errors=place.ignored_errors + facts.ignored_errors,
        miscount=place.miscount + facts.miscount,
        missing_details=place.missing_details + facts.missing_details,
        last_key=_last_key(place, page, state),
        # Brent's algorithm: a circle of any length is met again between two powers of two.
        mark=facts.mark if place.page & (place.page - 1) == 0 else place.mark,
        interval=_interval(place.interval, slows_down=slows_down),
        next="page" if facts.end is None else "end",
        verdict=facts.end,
    )
    error = page_end.failure(facts.end, place.page, after.page_errors)
    if error is None:
        return after
    return replace(after, verdict="failed", error=type(error).__name__, cause=str(error))


def _last_key(place: Place, page: CommittedPage, state: PageState) -> str | None:
    """Return the last key of a listing so far, if its order is known: that of the page as it was committed."""
    crawl = state.crawl
    member = split.ordered_by(crawl.service, crawl.operation, state.target.parameters)
    if member is None or crawl.search is not None or redaction_of_items(crawl) is not None:
        return None
    primary = crawl.primary_result_key
    last = next((line for line in reversed(page.records) if line["result_key"] == primary), None)
    return str(json.loads(last["item"])[member]) if last is not None else place.last_key
