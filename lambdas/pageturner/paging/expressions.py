"""Evaluates the JMESPath expressions of a crawl."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

from pageturner.errors import InvalidCrawlError, said
from pageturner.paging.expression_limits import Steps, compiled, evaluation, finds_parts


def find(key: str, expression: str, value: Any, steps: Steps | None = None) -> Any:
    """Return what `expression`, the value of the crawl's `key`, finds in a value; None if it finds nothing.

    Who finds something in each of many values has `steps` for all of them.
    Raises `InvalidCrawlError`, whose message has names and types and no values, if one of its functions rejects its
    arguments, which only real items can show, or if it takes too many steps.
    """
    try:
        return _search(expression)(value, steps)
    except JMESPathError as error:
        raise InvalidCrawlError(f'{key}: "{expression}" cannot be evaluated: {said(error)}') from error


@lru_cache(maxsize=512)
def only_finds_parts(expression: str) -> bool:
    """Whether a valid expression cannot find more than there is."""
    return finds_parts(compiled(expression))


@lru_cache(maxsize=512)
def _search(expression: str) -> Callable[[Any, Steps | None], Any]:
    """Return the search of an expression. Most are names, for which jmespath takes ten times as long as a dict."""
    found = compiled(expression)
    names, evaluate = _names(found.parsed), evaluation(found)
    if names is None:
        return evaluate
    if found.parsed["type"] == "field":
        (name,) = names
        return lambda value, _: value.get(name) if isinstance(value, dict) else None
    return lambda value, steps: (
        [value.get(name) for name in names] if isinstance(value, dict) else evaluate(value, steps)
    )


def _names(node: Any) -> list[str] | None:
    """The names in an expression like ``Name`` or ``[Name, Id]``, or None if it is another."""
    nodes = node["children"] if node["type"] == "multi_select_list" else [node]
    return [each["value"] for each in nodes] if all(each["type"] == "field" for each in nodes) else None


@dataclass(frozen=True)
class Field:
    """What a valid expression like ``Tags[?Key=='x'].Value`` names: the field `name` of what `within` finds."""

    within: ParsedResult
    name: str


def named_field(expression: str, *, in_lists: bool = False) -> Field | None:
    """Return the field that a valid expression names.

    None if it does not end in a field's name, or what is before that makes new values instead of finding parts. With
    `in_lists`, what finds the parts can be in a list, like ``[a, b]``, to which a filter applies.
    """
    split = _split(compiled(expression).parsed, (*_PATHS, "multi_select_list") if in_lists else _PATHS)
    return Field(ParsedResult(expression, split[0]), split[1]) if split else None


# What finds parts of a value.
_PATHS = (
    *("current", "field", "filter_projection", "flatten", "identity", "index_expression", "pipe", "projection"),
    *("subexpression", "value_projection"),
)


def _split(node: Any, paths: tuple[str, ...]) -> tuple[Any, str] | None:
    """Return the tree of what is before the field's name, and that name."""
    kind, children = node["type"], node["children"]
    if kind == "field":
        return {"type": "identity", "children": []}, node["value"]
    at = {"subexpression": -1, "pipe": -1, "projection": 1, "value_projection": 1, "filter_projection": 1}.get(kind)
    if at is None or not all(_finds_parts(child, paths) for child in children[:at]):
        return None
    if (split := _split(children[at], paths)) is None:
        return None
    within = [*children]
    within[at] = split[0]
    return {**node, "children": within}, split[1]


def _finds_parts(node: Any, paths: tuple[str, ...]) -> bool:
    kind, children = node["type"], node["children"]
    if kind in ("index", "slice"):
        return True
    parts = children[:2] if kind == "filter_projection" else children
    return kind in paths and all(_finds_parts(part, paths) for part in parts)
