"""Validates a crawl, and reports each problem as a line that names the place, the value and the fix.

The schema, which editors use too, says what each key can be. The checks here cover what it cannot say: whether
botocore's models have the service, operation and parameters, and whether the keys can be combined.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any, cast

import fastjsonschema
from botocore.model import OperationModel

from pageturner.crawls import pagination_config
from pageturner.crawls.account_checks import check_accounts
from pageturner.crawls.bindings import literal_bindings
from pageturner.crawls.bounds import MOST_TARGETS
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.detail import detailed_shape, details_of
from pageturner.crawls.detail_checks import wrong_details
from pageturner.crawls.expression_checks import (
    for_each_expressions,
    item_shape,
    wrong_expression,
    wrong_ignored_field,
)
from pageturner.crawls.operation_checks import wrong_operation
from pageturner.crawls.operations import wrong_operations
from pageturner.crawls.read_only import refusal
from pageturner.crawls.redact_checks import wrong_redact
from pageturner.crawls.redacted_shapes import answer_shape
from pageturner.crawls.regions import wrong_regions
from pageturner.crawls.since_checks import parameters_of_some_run, wrong_since
from pageturner.crawls.starts import check_start
from pageturner.messages import listed, nearest, shown
from pageturner.paging import api, split
from pageturner.paging.paginators import NEEDED, STATED, paginator_of
from pageturner.paging.parameters import wrong_parameters

SCHEMA = json.loads(Path(__file__).with_name("crawls.schema.json").read_text(encoding="utf-8"))
KEYS: Mapping[str, Mapping[str, Any]] = SCHEMA["definitions"]["crawl"]["properties"]
# PlanRun validates every entry of a long list; the first ones are also validated here.
_FIRST_BINDINGS = 100


def problems(entry: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield the problems of an entry whose keys are all known; `place` is its path, like ``crawls.name``."""
    for key in () if "operations" in entry else ("service", "operation"):
        if entry.get(key) is None:
            yield f"{place}.{key}: missing required key; {KEYS[key]['errorMessage']}"
    right: dict[str, Any] = {}
    for key, value in entry.items():
        given = list(value) if isinstance(value, tuple) else value
        if wrong := against_schema(key, given):
            if key not in ("service", "operation") or value is not None:
                yield f"{place}.{key}{wrong}"
        else:
            right[key] = given
    lines = [line for check in _CHECKS for line in check(right, place)]
    yield from lines
    if not lines and _can_be_crawled(right):
        # It is about the items, and needs all else to be right.
        yield from (f"{place}.redact{line}" for line in wrong_redact(Crawl.from_dict({"name": "", **right})))


def check_parameters(service: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the parameters of a target, by botocore's own validation and the page size's bounds."""
    sent = {**pagination_config.required_page_size(service, operation), **parameters}
    wrong = list(wrong_parameters(api.operation_model(service, operation), sent))
    yield from wrong or pagination_config.wrong_in_parameters(service, operation, parameters)


@cache
def _validator(key: str) -> Callable[[Any], Any]:
    whole = {**KEYS[key], "$schema": SCHEMA["$schema"], "definitions": SCHEMA["definitions"]}
    return cast("Callable[[Any], Any]", fastjsonschema.compile(whole))


def against_schema(key: str, value: Any) -> str | None:
    """Return what the schema finds wrong with a key's value: ": …", or ".member: …" if a member is wrong."""
    try:
        _validator(key)(value)
    except fastjsonschema.JsonSchemaValueException as error:
        path = error.path[1:]
        if error.rule == "uniqueItems":
            return f": duplicate value in {shown(value)}"
        if error.rule == "additionalProperties" and "properties" in error.definition and key != "for_each":
            known = error.definition["properties"]
            (unknown, *_) = [name for name in error.value if name not in known]
            return f"{''.join(f'.{step}' for step in path)}.{unknown}: unknown key{nearest(unknown, known)}"
        if path and "errorMessage" in error.definition:
            return (
                f".{'.'.join(map(str, path))}: invalid value {shown(error.value)}; {error.definition['errorMessage']}"
            )
        return f": invalid value {shown(value)}; {KEYS[key]['errorMessage']}"
    return None


def _can_be_crawled(entry: Mapping[str, Any]) -> bool:
    """Whether the operation exists and only reads. If not, nothing else about it matters."""
    service, operation = str(entry.get("service")), str(entry.get("operation"))
    known = service in api.service_names() and operation in api.operation_names(service)
    return known and refusal(service, operation) is None


def _check_api(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    """Check `service`, `operation` and `parameters` against botocore's own models."""
    service, operation = entry.get("service"), entry.get("operation")
    if service is None or operation is None:
        return
    if wrong := wrong_operation(service, operation):
        key, why = wrong
        yield f"{place}.{key}: {why}"
        return
    parameters = entry.get("parameters", {})
    unknown = list(_unknown_parameters(service, operation, parameters))
    yield from (f"{place}.parameters.{line}" for line in unknown)
    if not unknown and "for_each" not in entry:
        sent = parameters_of_some_run(entry)
        yield from (f"{place}.parameters: {line}" for line in check_parameters(service, operation, sent))


def _unknown_parameters(service: str, operation: str, names: Iterable[str]) -> Iterator[str]:
    shape = api.operation_model(service, operation).input_shape
    known = list(shape.members) if shape else []
    for name in names:
        if name not in known:
            yield f"{name}: {service} {operation} has no such parameter{nearest(name, known)}"


def _check_for_each(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    for_each = entry.get("for_each")
    if for_each is None or not _can_be_crawled(entry):
        return
    place = f"{place}.for_each"
    service, operation, parameters = entry["service"], entry["operation"], parameters_of_some_run(entry)
    model = api.operation_model(service, operation)
    if (count := prod(map(len, for_each.get("matrix", {}).values()))) > MOST_TARGETS:
        yield f"{place}.matrix: makes {count:,} targets, and a run can have {MOST_TARGETS:,}"
        return
    if "crawl" not in for_each:
        for number, binding in enumerate(islice(literal_bindings(for_each), _FIRST_BINDINGS), start=1):
            lines = list(_unknown_parameters(service, operation, binding)) or list(
                check_parameters(service, operation, {**parameters, **binding})
            )
            if lines:
                yield from (f"{place}, entry {number}, {shown(binding)}: {line}" for line in lines)
                return
        return
    bound = for_each.get("parameters", {})
    if not bound and not {"account", "region"} & set(for_each):
        yield f"{place}: takes nothing of the items; add parameters, account or region"
    for key in ("account", "region"):
        if key in for_each and f"{key}s" in entry:
            yield f"{place}.{key}: also set in {key}s; remove one of the two"
    if "key" in for_each.get("parent", {}):
        yield f'{place}.parent.key: "key" is the key of the item, which is always there; use another name'
    unknown = list(_unknown_parameters(service, operation, bound))
    yield from (f"{place}.parameters.{line}" for line in unknown)
    for name in bound:
        if name in parameters:
            yield f"{place}.parameters.{name}: also set in parameters; remove one of the two"
    for at, expression in for_each_expressions(for_each):
        yield from _check_expression(expression, f"{place}.{at}")
    if not bound:
        yield from (f"{place}: {line}" for line in check_parameters(service, operation, parameters))
        return
    required = model.input_shape.required_members if model.input_shape else []
    given = {*parameters, *bound, *pagination_config.required_page_size(service, operation)}
    if not unknown:
        for name in required:
            if name not in given:
                yield f"{place}.parameters: {service} {operation} requires {name}; add it here or to parameters"


def _check_split(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    if "split" not in entry or not _can_be_crawled(entry):
        return
    place = f"{place}.split"
    way = split.way_of(entry["service"], entry["operation"])
    if way is None:
        what, known = f"{entry['service']} {entry['operation']}", ", ".join(split.WAYS_KNOWN)
        yield f"{place}: {what} cannot be split; remove split (supported: {known})"
        return
    config = entry.get("pagination_config", {})
    for key in ("MaxItems", "StartingToken"):
        if key in config:
            yield f"{place}: {key} applies to a whole listing, not to a part; remove one of the two"
    if "for_each" not in entry:
        yield from (f"{place}: {line}" for line in split.wrong(way, entry.get("parameters", {})))


def _check_since(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    if "since" in entry and _can_be_crawled(entry):
        for_each = entry.get("for_each", {})
        bound = [for_each.get("matrix", for_each.get("parameters", {})), *for_each.get("list", ())]
        given = {name: None for each in [entry.get("parameters", {}), *bound] for name in each}
        yield from (f"{place}.{line}" for line in wrong_since(entry, given, is_input=place == "input"))


def _check_regions(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    return (f"{place}.regions: {line}" for line in wrong_regions(entry.get("regions", [])))


def _check_paging(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    """Check how the operation pages: what the crawl states, what is missing, and what its paginator does not allow."""
    if not _can_be_crawled(entry):
        return
    service, operation = entry["service"], entry["operation"]
    wrong = list(_check_stated(_stated(entry), api.operation_model(service, operation), place))
    yield from wrong
    if wrong:
        return
    paginator = paginator_of(service, operation, _stated(entry))
    if paginator.refused:
        yield f"{place}.operation: {service} {operation} cannot be crawled: {paginator.refused}"
        return
    if paginator.missing:
        lacking = [name for name in NEEDED if name not in paginator.definition]
        yield (
            f"{place}: botocore has no paginator for {service} {operation}, and none can be inferred: "
            f"{paginator.missing}; set {listed(lacking)} in the crawl"
        )
        return
    if paginator.is_one_page:
        for key in ("pagination_config", "limit_key", "more_results"):
            if entry.get(key):
                yield f"{place}.{key}: {service} {operation} has no token, so it is a listing of one page; remove it"
        return
    yield from pagination_config.problems(entry, paginator.definition, place)


def _stated(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in STATED if name in entry}


def _check_stated(stated: Mapping[str, Any], model: OperationModel, place: str) -> Iterable[str]:
    parameters = list(model.input_shape.members) if model.input_shape else []
    for name, value in stated.items():
        values = value if isinstance(value, list) else [value]
        if name in ("input_token", "limit_key"):
            for each in sorted(set(values) - set(parameters)):
                near = nearest(each, parameters)
                yield f"{place}.{name}: {shown(each)} is not a parameter of the operation{near}"
        else:
            for each in values:
                yield from _check_expression(each, f"{place}.{name}", model.output_shape)
    tokens = [stated.get(name) for name in ("input_token", "output_token")]
    if all(tokens) and len({len(t) if isinstance(t, list) else 1 for t in tokens}) > 1:
        yield f"{place}.output_token: must have one entry for each input_token, in the same order"


def _check_expressions(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    """Check `search`, on a page; `key` and `detail`, on an item; and `ignore_fields`, on an item with its details."""
    known = _can_be_crawled(entry)
    kept = entry.get("redact", {}).get("keep", ())
    output = answer_shape(entry["service"], entry["operation"], kept) if known else None
    if "search" in entry:
        yield from _check_expression(entry["search"], f"{place}.search", output)
    item = item_shape(entry["service"], entry["operation"], _stated(entry), entry.get("search")) if known else None
    if "key" in entry:
        yield from _check_expression(entry["key"], f"{place}.key", item)
    wrong = list(wrong_details(entry, place)) if known and "detail" in entry else []
    yield from wrong
    details = details_of(entry.get("detail"), entry["service"]) if known and not wrong else ()
    for each in entry.get("ignore_fields", ()):
        lines = wrong_ignored_field(each, detailed_shape(item, details) if not wrong else None)
        yield from (f"{place}.ignore_fields: {line}" for line in lines)


def _check_expression(expression: str, place: str, shape: Any = None) -> Iterable[str]:
    return (f"{place}: {line}" for line in wrong_expression(expression, shape))


def _check_stale_items(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    if "time_to_live" in entry and entry.get("stale_items") != "mark":
        yield f'{place}.time_to_live: only marked items expire; add "stale_items: mark", or remove this'


_CHECKS = (
    wrong_operations,
    _check_api,
    _check_for_each,
    _check_split,
    _check_since,
    check_accounts,
    _check_regions,
    _check_paging,
    _check_expressions,
    _check_stale_items,
    check_start,
)
