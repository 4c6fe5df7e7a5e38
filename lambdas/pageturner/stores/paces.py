"""What all that ask a service in the same account and region share, in the runs table: one row for each such scope.

`free_at` is the next moment, in microseconds since 1970, that nobody has reserved. `throttled_at` is when the service
last throttled a request (ISO 8601 in UTC). If the row is lost, the pace begins anew.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pageturner.stores import keys
from pageturner.stores.run_table import RunTable

# Nobody reserves further ahead, unless thousands of targets share a page every 20 s.
_KEPT_SECONDS = 7 * 24 * 3600


class PaceStore:
    """Reserves moments, and remembers throttling."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def reserve(self, scope: str, seconds: float, now: datetime, count: int) -> datetime:
        """Reserve the next moments in a scope with one write, and return the first: `now` or later.

        The others follow it, each so many seconds after the one before. Two never get the same moment. One that is
        reserved and not used is lost, and nothing else.
        """
        length, began = round(count * seconds * 1e6), round(now.timestamp() * 1e6)
        while True:
            # Whoever finds the scope free can have lost it to another by the second request, but not by the third.
            behind = self._set(scope, now, "free_at = free_at + :it", "free_at > :now", length, began)
            if behind is not None:
                return datetime.fromtimestamp((behind - length) / 1e6, UTC)
            if self._set(scope, now, "free_at = :it", _IS_FREE, began + length, began) is not None:
                return now

    def throttle(self, scope: str, now: datetime, at: str) -> None:
        """Record that the service throttled a request at that time."""
        values = {":at": {"S": at}, ":expires_at": _expires_at(now)}
        expression = "SET throttled_at = :at, expires_at = :expires_at"
        self._table.update_row(_row(scope), f"the throttling of {scope}", expression, values)

    def throttled_at(self, scope: str) -> str:
        """Return when the service last throttled; "" if never. A change shows within a second, for half a read unit."""
        found = self._table.get(_row(scope), f"the pace of {scope}", consistent=False) or {}
        return str(found.get("throttled_at", {}).get("S", ""))

    def _set(self, scope: str, now: datetime, change: str, condition: str, value: int, began: int) -> int | None:
        values = {":it": {"N": str(value)}, ":now": {"N": str(began)}, ":expires_at": _expires_at(now)}
        expression = f"SET {change}, expires_at = :expires_at"
        updated = self._table.update_row(_row(scope), f"the pace of {scope}", expression, values, condition)
        return None if updated is None else int(updated["free_at"]["N"])


_IS_FREE = "attribute_not_exists(free_at) OR free_at <= :now"


def _row(scope: str) -> dict[str, Any]:
    return keys.row(keys.PACE.format(scope), "pace")


def _expires_at(now: datetime) -> dict[str, str]:
    return {"N": str(int(now.timestamp()) + _KEPT_SECONDS)}
