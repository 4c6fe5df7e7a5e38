"""`split`: one listing becomes the listings of its parts, which together have every item exactly once.

The parts are complete by construction, wherever their boundaries are: each has the items above one boundary and up to
the next; the first has no lower boundary, and the last no upper one. Items that a service returns beyond them are cut
off here, so it does not matter whether it treats a start or an end as inclusive. Boundaries only decide how even the
parts are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from botocore.utils import parse_timestamp

from pageturner.paging.key_ranges import KeysAfter, key_boundaries

Bound = str | int


@dataclass(frozen=True)
class Part:
    """The part of a listing that a target has: number `number` of `count`.

    If the request cannot select the part exactly, an item's `member` decides: above `above` and up to `up_to` (None: no
    bound). An `ordered` listing ends at the first item beyond.
    """

    number: int
    count: int
    member: str | None = None
    above: Bound | None = None
    up_to: Bound | None = None
    ordered: bool = False


@dataclass(frozen=True)
class Way:
    """How an operation is split: by `segments`, by ranges of `keys` after `start`, or by `times` (`start` to `end`)."""

    kind: Literal["segments", "keys", "times"]
    start: str = ""
    end: str = ""
    member: str | None = None
    refused: tuple[str, ...] = ()  # parameters that it cannot be combined with


# Delimiter folds keys into prefixes; with EncodingType, botocore leaves keys encoded, which sort differently.
_NOT_THE_KEYS = ("Delimiter", "EncodingType")
_EVENTS = Way("times", "StartTime", "EndTime", "Date")
_WAYS: Mapping[tuple[str, str], Way] = {
    ("dynamodb", "scan"): Way("segments", refused=("Segment", "TotalSegments")),
    ("s3", "list_objects_v2"): Way("keys", "StartAfter", member="Key", refused=(*_NOT_THE_KEYS, "StartAfter")),
    ("s3", "list_objects"): Way("keys", "Marker", member="Key", refused=(*_NOT_THE_KEYS, "Marker")),
    ("s3", "list_object_versions"): Way(
        "keys", "KeyMarker", member="Key", refused=(*_NOT_THE_KEYS, "KeyMarker", "VersionIdMarker")
    ),
    ("cloudtrail", "lookup_events"): Way("times", "StartTime", "EndTime", "EventTime"),
    ("cloudwatch", "describe_alarm_history"): Way("times", "StartDate", "EndDate", "Timestamp"),
    ("logs", "filter_log_events"): Way("times", "startTime", "endTime", "timestamp"),
    ("docdb", "describe_events"): _EVENTS,
    ("elasticache", "describe_events"): _EVENTS,
    ("neptune", "describe_events"): _EVENTS,
    ("rds", "describe_events"): _EVENTS,
    ("redshift", "describe_events"): _EVENTS,
}
WAYS_KNOWN = tuple(f"{service} {operation}" for service, operation in sorted(_WAYS))


def way_of(service: str, operation: str) -> Way | None:
    """How the listings of an operation can be split, or None where no way is known."""
    return _WAYS.get((service, operation))


def ordered_by(service: str, operation: str, parameters: Mapping[str, Any]) -> str | None:
    """The member by whose values a listing is ordered and can begin anywhere, or None if that is not known."""
    way = way_of(service, operation)
    if way is None or way.kind != "keys" or any(name in parameters for name in _NOT_THE_KEYS):
        return None
    return None if _is_directory(parameters) else way.member


def _is_directory(parameters: Mapping[str, Any]) -> bool:
    """Whether the bucket is a directory bucket, or an access point of one: they do not list keys in order."""
    return str(parameters.get("Bucket", "")).endswith(("--x-s3", "--xa-s3"))


def wrong(way: Way, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield why a listing with these parameters cannot be split."""
    for name in way.refused:
        if name in parameters:
            yield f"split cannot be combined with the parameter {name}; remove one of the two"
    if way.kind == "keys" and _is_directory(parameters):
        yield "a directory bucket does not list its keys in order; remove split"
    if way.kind == "times":
        missing = [name for name in (way.start, way.end) if name not in parameters]
        if missing:
            yield f"time windows require the parameters {way.start} and {way.end}; add {' and '.join(missing)}"
            return
        start, end = parameters[way.start], parameters[way.end]
        try:
            # logs takes milliseconds, which are not times to botocore.
            is_empty = start >= end if _are_numbers(start, end) else _time(start) >= _time(end)
        except (ValueError, TypeError, OverflowError):
            yield f"{way.start} and {way.end} must be times, like 2026-01-31T00:00:00Z"
            return
        if is_empty:
            yield f"{way.start} must be before {way.end}"


def parts(
    way: Way, parameters: Mapping[str, Any], count: int, keys_after: KeysAfter
) -> Iterator[tuple[dict[str, Any], Part]]:
    """Yield at most `count` parts of a listing, each with its request parameters.

    `keys_after` is called for ranges of keys.
    """
    if way.kind == "segments":
        for number in range(count):
            yield {**parameters, "Segment": number, "TotalSegments": count}, Part(number + 1, count)
        return
    if way.kind == "keys":
        boundaries: list[Bound] = list(key_boundaries(keys_after, str(parameters.get("Prefix", "")), count))
    else:
        boundaries = _time_boundaries(parameters[way.start], parameters[way.end], count)
    edges = [None, *boundaries, None]
    for number, (above, up_to) in enumerate(pairwise(edges), start=1):
        own = dict(parameters)
        if above is not None:
            own[way.start] = above
        if up_to is not None and way.end:
            # A little later, in case the service's end is exclusive.
            own[way.end] = _later(up_to)
        yield own, Part(number, len(edges) - 1, way.member, above, up_to, ordered=way.kind == "keys")


def part_behind(service: str, operation: str, parameters: Mapping[str, Any], part: Part | None) -> Part | None:
    """Return the rest of a listing, or of its `part`, behind the key with which a request's `parameters` begin."""
    way = way_of(service, operation)
    if way is None or way.start not in parameters:
        return part
    return replace(part or Part(1, 1, way.member, ordered=True), above=parameters[way.start])


def cut(response: Mapping[str, Any], result_keys: Sequence[str], part: Part) -> tuple[Mapping[str, Any], bool]:
    """Return a page without the items of other parts, and whether the rest of the listing belongs to them."""
    if part.member is None:
        return response, False
    own, beyond = dict(response), False
    for name in result_keys:
        # All known ways have their lists at the top of the output.
        if not isinstance(items := response.get(name), list):
            continue
        kept = []
        for item in items:
            value = item.get(part.member) if isinstance(item, Mapping) else None
            if isinstance(value, datetime) and value.tzinfo is None:
                value = value.replace(tzinfo=UTC)
            if not _has_place(value, part):
                # Items of another kind (logs' searchedLogStreams) are not split: the first part has them.
                if name == result_keys[0] or part.number == 1:
                    kept.append(item)
                continue
            above, up_to = _like(value, part.above), _like(value, part.up_to)
            if up_to is not None and value > up_to:
                beyond = True
            elif above is None or value > above:
                kept.append(item)
        own[name] = kept
    return own, beyond and part.ordered


def _has_place(value: Any, part: Part) -> bool:
    """Whether a value can be held against the bounds: it can be missing, or be a time that botocore cannot parse."""
    if isinstance(value, str):
        return part.ordered
    return isinstance(value, datetime) or (
        isinstance(value, int)
        and all(isinstance(bound, int) for bound in (part.above, part.up_to) if bound is not None)
    )


def _like(value: Any, bound: Bound | None) -> Any:
    """A bound in the type of `value`: a time, or text, which compares by code points as S3 compares UTF-8 bytes."""
    return _time(bound) if isinstance(value, datetime) and bound is not None else bound


def _time(value: Any) -> datetime:
    found = parse_timestamp(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int) for value in values)


def _later(bound: Bound) -> Bound:
    return bound + 1 if isinstance(bound, int) else _text(_time(bound) + timedelta(seconds=1))


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _time_boundaries(start: Any, end: Any, count: int) -> list[Bound]:
    """Where the windows meet: integers if the parameters are (logs uses milliseconds), otherwise whole seconds."""
    if _are_numbers(start, end):
        return sorted({start + (end - start) * number // count for number in range(1, count)} - {start, end})
    begin, seconds = _time(start), int((_time(end) - _time(start)).total_seconds())
    steps = sorted({seconds * number // count for number in range(1, count)} - {0})
    return [_text((begin + timedelta(seconds=step)).replace(microsecond=0)) for step in steps]
