"""Checks `since`: what it names must be there, and nothing that the crawl says may leave a gap between two runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pageturner.crawls.since import any_window, in_model, is_milliseconds, number_type, time_of
from pageturner.messages import nearest, shown
from pageturner.paging import api
from pageturner.paging.pagination import result_keys
from pageturner.paging.paginators import STATED, paginator_of
from pageturner.paging.token_parameters import starts_among

# With these, a run succeeds though something may be missing, and the next run would begin behind it.
_GAPS = {
    "tolerate": "the next run would begin behind what a tolerated target has not listed",
    "ignore_errors": "the next run would begin behind what was missing where there were errors",
    "mistrust": "a listing of what is new is not compared with the one before",
    "split": "a listing of what is new is not split",
}


def wrong_since(entry: Mapping[str, Any], parameters: Mapping[str, Any], *, is_input: bool) -> Iterator[str]:
    """Yield what is wrong with an entry's `since`, each line behind the place of an entry.

    The operation exists. `parameters` are all that the entry or its `for_each` sets; `is_input` says that it is of one
    execution only.
    """
    service, operation, since = entry["service"], entry["operation"], entry["since"]
    if "from" in since:
        yield from _wrong_beginning(since["from"], is_input=is_input)
    yield from _wrong_parameters(service, operation, since, parameters)
    yield from _gaps(entry, parameters)
    yield from _wrong_time(entry)


def _wrong_beginning(time: str, *, is_input: bool) -> Iterator[str]:
    if not is_input:
        yield "since.from: only an execution's input says where a run begins; for the first run, set first"
    try:
        datetime.fromisoformat(time)
    except ValueError as error:
        yield f"since.from: {shown(time)} is no time: {error}"


def _wrong_parameters(
    service: str, operation: str, since: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Iterator[str]:
    shapes = in_model(service, operation)
    for name in ("parameter", "until"):
        if (given := since.get(name)) is None:
            continue
        if given not in shapes:
            yield (
                f"since.{name}: {service} {operation} has no such parameter{nearest(given, shapes)} "
                "(only those at the top can be set, without a dot)"
            )
        elif shapes[given].type_name not in number_type(service):
            what = "an integer, as times of CloudWatch Logs are" if is_milliseconds(service) else "a timestamp"
            yield f"since.{name}: {given} is of the type {shapes[given].type_name}; it must be {what}"
        elif given in parameters:
            yield f"since.{name}: {given} is also set in parameters; remove one of the two (since: null removes since)"
    if since.get("until") == since["parameter"]:
        yield "since.until: the same as parameter; name the parameter for the end"
    shape = api.operation_model(service, operation).input_shape
    if shape is not None and since["parameter"] in shape.required_members and "first" not in since:
        yield f"since.first: {service} {operation} requires {since['parameter']}; say how far the first run goes back"


def _gaps(entry: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[str]:
    for key, reason in _GAPS.items():
        if entry.get(key) not in (None, [], "off", False):
            yield f"{key}: cannot be combined with since: {reason}; remove one of the two"
    if entry.get("overlap") == "allow":
        yield "overlap: two runs at the same time would list the same with since; remove one of the two"
    config = entry.get("pagination_config", {})
    for key in ("MaxItems", "StartingToken"):
        if key in config:
            yield (
                f"pagination_config.{key}: cannot be combined with since: the next run would begin behind what it "
                "leaves out; remove one of the two"
            )
    model = api.operation_model(entry["service"], entry["operation"])
    for name in starts_among(model, parameters, _definition(entry)):
        yield (
            f"parameters.{name}: says where the listing begins, and cannot be combined with since: what is before it "
            "would never be listed; remove one of the two"
        )


def _wrong_time(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield why items cannot be told by their time."""
    service, operation, since = entry["service"], entry["operation"], entry["since"]
    keys = result_keys(_definition(entry)) if "result_key" in _definition(entry) else []
    output = api.operation_model(service, operation).output_shape
    found = output.members.get(keys[0]) if keys and output is not None else None
    members = getattr(getattr(found, "member", None), "members", None)
    if members is None:
        yield (
            f"since: the items of {service} {operation} are no list of structures at the top of the output, so their "
            "times cannot be told"
        )
        return
    times = [name for name, shape in members.items() if shape.type_name in number_type(service)]
    time = time_of(service, operation, since)
    known = f"the items have: {', '.join(times) or 'none'}"
    if time is None:
        yield f"since.time: name the member with the item's time by which {since['parameter']} selects; {known}"
    elif time not in times:
        yield f"since.time: {shown(time)} is no time of an item; {known}"


def _definition(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    stated = {name: entry[name] for name in STATED if name in entry}
    return paginator_of(entry["service"], entry["operation"], stated).definition


def parameters_of_some_run(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry's parameters as a run of it has them: with those of a window, unless `since` is wrong."""
    since, given = entry.get("since"), entry.get("parameters", {})
    if since is None or any(_wrong_parameters(entry["service"], entry["operation"], since, given)):
        return dict(given)
    return {**any_window(entry["service"], since), **given}
