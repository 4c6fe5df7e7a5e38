"""Which parameters of a target have values of items, which no message, no log and no notice may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.messages import described, shown
from pageturner.paging import split


def from_items(service: str, operation: str, target: Mapping[str, Any]) -> dict[str, Any]:
    """Return those parameters of a target, as the states and the manifest have it, that may come from items.

    They do if it is made for an item of another crawl, or where a listing is split between its own keys.
    """
    parameters: dict[str, Any] = dict(target["parameters"])
    if target.get("parent") is not None:
        return parameters
    way = split.way_of(service, operation) if target.get("part") else None
    if way is None or way.kind != "keys":
        return {}
    return {name: value for name, value in parameters.items() if name in (way.start, way.end)}


def parameters_in_words(service: str, operation: str, target: Mapping[str, Any]) -> str:
    """The parameters of a target in a message: as JSON, or, if items have them, what they are, and whose."""
    hidden = from_items(service, operation, target)
    own = {name: value for name, value in target["parameters"].items() if name not in hidden}
    words = [shown(own)] if own else []
    if hidden:
        words.append(f"{in_words(hidden)} of {target['target_id']}")
    return " and ".join(words)


def in_words(parameters: Mapping[str, Any]) -> str:
    """Parameters with values of items in a message: "Bucket (a text of 9 characters)"."""
    return ", ".join(f"{name} ({described(value)})" for name, value in sorted(parameters.items())) or "no parameters"


def for_a_report(crawl: Crawl, target: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target of `crawl` for the output of an execution: with what items have described, not shown."""
    of = crawl.of(target.get("service", ""), target.get("operation", ""))
    hidden = from_items(of.service, of.operation, target)
    parameters = {name: described(value) if name in hidden else value for name, value in target["parameters"].items()}
    return {**{name: value for name, value in target.items() if name != "parent"}, "parameters": parameters}
