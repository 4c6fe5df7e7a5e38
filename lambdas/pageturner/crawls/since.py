"""`since`: each run lists what is new, in a window of time that begins where the last complete run's ends.

A window has the items behind its beginning and up to its end, by their own times, as the parts of a split listing have.
So every item is in one window, whether the service takes a time that it is asked for as inclusive or exclusive.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from pageturner.crawls.crawl import Crawl
from pageturner.errors import InvalidCrawlError
from pageturner.paging import api, split
from pageturner.paging.split import Bound, Part

# Three times the 5 minutes that CloudTrail typically takes, without a guarantee (User Guide, "Getting and viewing your
# CloudTrail log files").
_LAG = "15m"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# What is asked for beyond the window on either side, and cut off: a service may round, and its ends may be exclusive.
_BEYOND = timedelta(seconds=1)


# `from` is a keyword of Python.
Window = TypedDict("Window", {"from": str | None, "to": str})


def window_of(since: Mapping[str, Any], listed_to: str | None, now: str) -> Window:
    """Return the window of a run that is planned `now`; all up to `listed_to` is listed (None: nothing yet).

    Both are ISO 8601. Its ends are whole seconds in UTC; it has no beginning if nothing limits the first run. Raises
    `InvalidCrawlError` if it would be empty.
    """
    start = _text(datetime.fromisoformat(since["from"]).astimezone(UTC)) if "from" in since else listed_to
    lag = _duration(since.get("lag", _LAG))
    end = datetime.fromisoformat(now).astimezone(UTC).replace(microsecond=0) - lag
    if start is None:
        first = since.get("first")
        return {"from": _text(end - _duration(first)) if first else None, "to": _text(end)}
    if _text(end) <= start:
        again = datetime.fromisoformat(start) + lag + timedelta(seconds=1)
        raise InvalidCrawlError(
            f"since: a run now would list up to {_text(end)}, and it begins at {start}, up to which all is listed; "
            f"it can run again at {_text(again)}"
        )
    return {"from": start, "to": _text(end)}


def in_window(crawl: Crawl, parameters: Mapping[str, Any], window: Window) -> tuple[dict[str, Any], Part]:
    """Return the parameters of a request for what a listing has in a window, and which part of the answer that is."""
    since = crawl.since or {}
    own, is_number = dict(parameters), is_milliseconds(crawl.service)
    start, end = window["from"], window["to"]
    if start is not None:
        own[since["parameter"]] = _bound(datetime.fromisoformat(start) - _BEYOND, is_number=is_number)
    if "until" in since:
        own[since["until"]] = _bound(datetime.fromisoformat(end) + _BEYOND, is_number=is_number)
    return own, Part(
        number=1,
        count=1,
        member=time_of(crawl.service, crawl.operation, since),
        above=None if start is None else _bound(datetime.fromisoformat(start), is_number=is_number),
        up_to=_bound(datetime.fromisoformat(end), is_number=is_number),
    )


def any_window(service: str, since: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of some window: what stands for them where they are not known yet."""
    some = _bound(datetime(2026, 1, 1, tzinfo=UTC), is_number=is_milliseconds(service))
    return {since[name]: some for name in ("parameter", "until") if name in since}


def without_window(crawl: Crawl, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a listing, the same in every run, from those of a run's target."""
    own = any_window(crawl.service, crawl.since or {})
    return {name: value for name, value in parameters.items() if name not in own}


def time_of(service: str, operation: str, since: Mapping[str, Any]) -> str | None:
    """Return the member with an item's time: what `since` states, or what is known of the parameter."""
    way = split.way_of(service, operation)
    known = way.member if way is not None and way.kind == "times" and way.start == since["parameter"] else None
    stated: str | None = since.get("time")
    return stated or known


def is_milliseconds(service: str) -> bool:
    """Whether times are integers, milliseconds since 1970, and no timestamps: CloudWatch Logs alone has them."""
    return service == "logs"


def number_type(service: str) -> tuple[str, ...]:
    """Return the types, in botocore's models, of a service's times."""
    return ("long", "integer") if is_milliseconds(service) else ("timestamp",)


def in_model(service: str, operation: str) -> Mapping[str, Any]:
    """Return the shapes of an operation's parameters by name."""
    shape = api.operation_model(service, operation).input_shape
    return shape.members if shape is not None else {}


def _bound(time: datetime, *, is_number: bool) -> Bound:
    return int(time.timestamp()) * 1000 if is_number else _text(time)


def _duration(text: str) -> timedelta:
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
