"""The pace of all that ask a service in the same account and region, in a run, or in all runs of the deployment.

With `max_pages_per_second`, every page has a moment that its target has reserved, one after another, in a row that all
share. So the sum is right however many targets there are, and when one begins, ends or dies. A lease per target, and a
share of the pace for each, would need writes and reads for targets of a single page too, would be too fast until the
others have noticed a newcomer, and too slow after a death.

What throttling teaches is shared without it too: whoever is throttled says so in that row, and the others slow down at
their next look as if they had been throttled themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pageturner.page_state import PageState, Place, utc_text
from pageturner.stores import Stores

# Step Functions truncates the timestamp of a Wait to seconds, so a page may come this much before its moment.
EARLY = timedelta(seconds=1)
# For how long the first page of a PageLoop may wait, however short the loop is. After a wait that is not short, there
# is no time for all attempts at the page: the loop hands over, and the next one fetches it at once.
LONGEST_WAIT_SECONDS, SHORT_WAIT_SECONDS = 225, 50
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
        if not state.crawl.max_pages_per_second or state.retries:
            return None
        at = place.slot_at or self.reserve(state, now)
        has_waited = place.next == "pause" and (place.not_before or "") >= at
        if has_waited or is_due(at, now):
            return None
        return replace(place, slot_at=at, next="pause")

    def reserve(self, state: PageState, now: datetime) -> str:
        """Reserve the moment of the target's next page; "" if the crawl has no pace."""
        if not state.crawl.max_pages_per_second:
            return ""
        return utc_text(self.stores.paces.reserve(scope_of(state), 1 / state.crawl.max_pages_per_second, now))

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


def scope_of(state: PageState) -> str:
    """The name of what shares a pace."""
    holder = state.run.run_id if state.crawl.pace == "run" else "deployment"
    return f"{holder}#{state.crawl.service}#{state.target.account}#{state.target.region}"


def is_due(slot_at: str, now: datetime) -> bool:
    """Whether a page may be fetched at the moment that was reserved for it."""
    return datetime.fromisoformat(slot_at) - EARLY <= now
