"""Which paginator pages an operation: botocore's own, one inferred from the model, or what the crawl states.

A paginator is data, in the terms of botocore's ``paginators-1.json``: `input_token`, `output_token`, `result_key`, and
optionally `limit_key`, `more_results` and `non_aggregate_keys`. Where there is one page, it is only a `result_key`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from botocore.model import OperationModel, StructureShape

from pageturner.paging import api

NEEDED = ("input_token", "output_token", "result_key")
STATED = (*NEEDED, "limit_key", "more_results")

# In order of preference, in lower case: an operation can have both a NextToken and a Marker.
_INPUT_TOKENS = (
    "nexttoken",
    "marker",
    "nextmarker",
    "pagetoken",
    "nextpagetoken",
    "paginationtoken",
    "continuationtoken",
    "startingtoken",
    "position",
    "cursor",
    "nextcursor",
)
_LIMIT_KEYS = ("maxresults", "limit", "maxrecords", "maxitems", "pagesize", "maximumpagesize", "maxkeys", "maxresult")
_MORE_RESULTS = ("istruncated", "truncated", "hasmore", "hasmoreresults")

# Paging these until there is no token would never end, or is not paging.
NEVER_ENDING = {
    ("kinesis", "get_records"): "it returns another shard iterator for as long as the shard is open",
    ("dynamodbstreams", "get_records"): "it returns another shard iterator for as long as the shard is open",
    ("logs", "get_log_events"): "at the end, it returns the same token again; use filter_log_events",
    ("lightsail", "get_relational_database_log_events"): "at the end, it returns the same token again",
}


@dataclass(frozen=True)
class Paginator:
    """A paginator's `definition`, and where it comes from.

    If the definition is incomplete, `missing` says why: the crawl must state the rest. `refused` says why nothing that
    it states would help.
    """

    definition: Mapping[str, Any]
    source: Literal["official", "inferred", "one page", "stated"]
    missing: str | None = None
    refused: str | None = None

    @property
    def is_one_page(self) -> bool:
        """Whether the first answer is the whole listing."""
        return "result_key" in self.definition and "input_token" not in self.definition


def paginator_of(service: str, operation: str, stated: Mapping[str, Any]) -> Paginator:
    """Return an operation's paginator: `stated` overrides botocore's own, which takes precedence over inference."""
    if (official := api.official_paginator(service, operation)) is not None:
        found = Paginator(official, "official")
    else:
        found = _inferred(api.operation_model(service, operation))
    if not stated:
        return found
    if found.source == "one page" and {"input_token", "output_token"} & stated.keys():
        found = Paginator({}, "inferred", "it looks like a listing of one page")  # which the crawl denies
    definition = {**found.definition, **stated}
    needed = ("result_key",) if found.source == "one page" else NEEDED
    missing = None if all(name in definition for name in needed) else found.missing
    return Paginator(definition, "stated", missing, found.refused)


def _inferred(model: OperationModel) -> Paginator:
    definition, missing = infer_paginator(model)
    if definition or missing is None:
        return Paginator(definition, "inferred", missing)
    from pageturner.paging.one_page import one_page  # most crawls need no such rules

    found = one_page(model)
    if found.definition:
        return Paginator(found.definition, "one page")
    return Paginator({}, "inferred", found.missing or missing, found.refused)


def infer_paginator(model: OperationModel) -> tuple[dict[str, Any], str | None]:
    """Return what the model says about how an operation pages, and why that is not enough (None: it is)."""
    inputs = _members(model.input_shape)
    outputs = _members(model.output_shape)
    input_token = _first(inputs, _INPUT_TOKENS, {"string"})
    if input_token is None:
        return {}, "no parameter looks like a token"
    token = _output_token(outputs, input_token)
    if token is None:
        return {}, f"its output has no token that matches {input_token}"
    path, output_token, members = token
    paginator: dict[str, Any] = {"input_token": input_token, "output_token": path + output_token}
    if limit_key := _first(inputs, _LIMIT_KEYS, {"integer", "long", "string"}):
        paginator["limit_key"] = limit_key
    if more_results := _first(members, _MORE_RESULTS, {"boolean"}):
        paginator["more_results"] = path + more_results
    held = list(could_hold_items(outputs))
    if len(held) == 1 and held[0][1] == "list":
        return {**paginator, "result_key": held[0][0]}, None
    if not held:
        return paginator, "its output has no list"
    found = " or ".join(f"{name} (a {kind})" for name, kind in held)
    return paginator, f"its items could be in {found}, and only a single list can be inferred"


def _members(shape: Any) -> Mapping[str, Any]:
    return shape.members if isinstance(shape, StructureShape) else {}


def could_hold_items(
    members: Mapping[str, Any], path: str = "", inside: frozenset[str] = frozenset()
) -> Iterator[tuple[str, str]]:
    """Yield the paths and kinds of the lists, maps and documents of an output, at any depth.

    A structure that is nested in itself is looked at once.
    """
    for name, shape in members.items():
        if shape.type_name in ("list", "map"):
            yield f"{path}{name}", shape.type_name
        elif getattr(shape, "is_document_type", False):
            yield f"{path}{name}", "document"
        elif shape.type_name == "structure" and shape.name not in inside:
            yield from could_hold_items(shape.members, f"{path}{name}.", inside | {shape.name})


def _first(members: Mapping[str, Any], names: tuple[str, ...], types: set[str]) -> str | None:
    by_lower_case = {name.lower(): name for name, shape in members.items() if shape.type_name in types}
    return next((by_lower_case[name] for name in names if name in by_lower_case), None)


def _output_token(outputs: Mapping[str, Any], input_token: str) -> tuple[str, str, Mapping[str, Any]] | None:
    """The path to the output token, its name, and all members next to it: at the top, or one structure down."""
    name = input_token.lower()
    bare = name.removeprefix("starting").removeprefix("page")
    names = (f"next{name}", name, f"next{bare}", f"nextpage{name}")
    if found := _first(outputs, names, {"string"}):
        return "", found, outputs
    for member, shape in outputs.items():
        below = _members(shape)
        if found := _first(below, names, {"string"}):
            return f"{member}.", found, below
    return None


def as_lists(stated: Mapping[str, Any]) -> dict[str, Any]:
    """What a crawl states, with lists for botocore: a frozen crawl has tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in stated.items()}
