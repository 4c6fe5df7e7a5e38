"""The pace of all that ask a service in the same account and region, in a run, or in all runs of the deployment.

With `max_pages_per_second`, every page has a moment that its target has reserved, one after another, in a row that all
share. So the sum is right however many targets there are, and when one begins, ends or dies. A target that is faster
than the pace, and has turned many pages, reserves a block of consecutive moments with one write: targets take turns.

In any t seconds, there are at most (t + 1) x pace + 1 pages, and one more for each target that is being paged: a page
can come a second early, and one of each target late. Nobody catches up: moments that have passed are not used. What a
target does not use of its block, because it ends, slows down or dies, is lost to the others: at most BLOCK_SECONDS.

A share of the pace for each target would be too fast until the others have noticed a newcomer, and too slow after a
death.

What throttling teaches is shared without it too: whoever is throttled says so in that row, and the others slow down at
their next look as if they had been throttled themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pageturner.page_state import PageState, Place, utc_text
from pageturner.stores import Stores

# Step Functions truncates the timestamp of a Wait to seconds, so a page may come this much before its moment.
EARLY = timedelta(seconds=1)
# For how long the first page of a PageLoop may wait, however short the loop is. After a wait that is not short, there
# is no time for all attempts at the page: the loop hands over, and the next one fetches it at once.
LONGEST_WAIT_SECONDS, SHORT_WAIT_SECONDS = 225, 50
# A block lasts no longer, since all others wait for its end. Of the 10 targets that run side by side by default, each
# waits 45 s for its turn: that is a short wait, and there are several turns in a loop.
BLOCK_SECONDS = 5
# A block has at most one moment for so many pages that the target has turned: nobody knows when a listing ends, and its
# part of the pace is lost that much if it ends now.
PAGES_PER_MOMENT = 8
# Blocks are for targets whose pages take at most half the time from one moment to the next. The other half is for the
# states between two pages, and for slower pages. A slower target would leave a part of its block unused.
ROOM_FACTOR = 2
# How often a target looks whether others were throttled; and until when a write may not show yet.
LOOK_SECONDS, _LAG_SECONDS = 5, 1
# Throttled requests of a second are told once.
_TOLD_SECONDS = 1


@dataclass(frozen=True)
class Pace:
    """Keeps the pace, and hears of throttling."""

    stores: Stores
    _told: dict[str, datetime] = field(default_factory=dict)  # by scope

    def waits(self, state: PageState, place: Place, now: datetime) -> Place | None:
        """Return the place with the moment for which its page has to wait, or None if it need not wait.

        A retry does not wait: the machine waits before it, and counts how often it fails.
        """
        if not (pace := state.crawl.max_pages_per_second) or state.retries:
            return None
        at = place.slot_at or self._reserve(state, pace, now, 1)
        has_waited = place.next == "pause" and (place.not_before or "") >= at
        if has_waited or is_due(at, now):
            return None
        return replace(place, slot_at=at, next="pause")

    def after_page(self, state: PageState, place: Place, began: datetime, now: datetime, end: datetime) -> Place:
        """Return the place after a page with the moment of the next one, if the crawl has a pace.

        `place` still has the moment of the page, which began at `began`. If no moment of its block is left, new ones
        are reserved, unless the loop is over: it ends at `end`.
        """
        if not (pace := state.crawl.max_pages_per_second):
            return place
        if (next_of_block := _next_of_block(place, 1 / pace, now)) is not None:
            return next_of_block
        if end <= now:
            return replace(place, slot_at=None, slots_left=0)
        count = 1
        if max(ROOM_FACTOR * (now - began).total_seconds(), place.interval) * pace <= 1:
            fit = int(min(BLOCK_SECONDS, (end - now).total_seconds()) * pace)
            count = max(1, min(fit, place.pages // PAGES_PER_MOMENT, state.crawl.max_pages - place.pages))
        return replace(place, slot_at=self._reserve(state, pace, now, count), slots_left=count - 1)

    def hear(self, state: PageState, place: Place, now: datetime) -> tuple[bool, str]:
        """Return whether the target has to slow down, and until when it has heard of throttling then."""
        if state.throttled or not place.heard_at:
            return state.throttled, utc_text(now)
        if (now - datetime.fromisoformat(place.heard_at)).total_seconds() < LOOK_SECONDS + _LAG_SECONDS:
            return False, place.heard_at
        throttled_at = self.stores.paces.throttled_at(scope_of(state))
        return throttled_at > place.heard_at, max(throttled_at, utc_text(now - timedelta(seconds=_LAG_SECONDS)))

    def tell(self, state: PageState, now: datetime) -> None:
        """Tell the others that the service throttles."""
        scope = scope_of(state)
        told = self._told.get(scope)
        if told is None or not 0 <= (now - told).total_seconds() < _TOLD_SECONDS:
            self.stores.paces.throttle(scope, now, utc_text(now))
            self._told.clear()  # an environment seldom sees two scopes throttled in a second
            self._told[scope] = now

    def _reserve(self, state: PageState, pace: float, now: datetime, count: int) -> str:
        return utc_text(self.stores.paces.reserve(scope_of(state), 1 / pace, now, count))


def scope_of(state: PageState) -> str:
    """The name of what shares a pace."""
    holder = state.run.run_id if state.crawl.pace == "run" else "deployment"
    return f"{holder}#{state.crawl.service}#{state.target.account}#{state.target.region}"


def is_due(slot_at: str, now: datetime) -> bool:
    """Whether a page may be fetched at the moment that was reserved for it."""
    return datetime.fromisoformat(slot_at) - EARLY <= now


def _next_of_block(place: Place, seconds: float, now: datetime) -> Place | None:
    """Return the place with its next moment that has not passed, or None if none is left."""
    if place.slot_at is None or not place.slots_left:
        return None
    at = datetime.fromisoformat(place.slot_at)
    moments = max(1, math.ceil((now - at).total_seconds() / seconds))
    if moments > place.slots_left:
        return None
    # It is kept in whole milliseconds, so in a block each can come one earlier than it should.
    slot_at = utc_text(at + timedelta(seconds=moments * seconds))
    return replace(place, slot_at=slot_at, slots_left=place.slots_left - moments)
