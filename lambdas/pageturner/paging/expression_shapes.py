"""Checks whether a JMESPath expression can find anything in what a model describes.

An expression that cannot is worse than an error: a misspelled `output_token` ends every listing after its first page, a
misspelled `search` or `result_key` makes every listing empty, and both would count as complete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pageturner.messages import nearest
from pageturner.paging.expression_limits import compiled
from pageturner.paging.expressions import Field

# Strings that botocore's handlers decode from JSON (botocore/handlers.py).
_DECODED = ("policyDocumentType", "TemplateBody")
# Functions of a value's form, which redaction keeps.
_OF_FORM = ("keys", "length", "type")
# botocore adds this to every output.
_METADATA = "ResponseMetadata"


class FindsNothingError(Exception):
    """The expression names something that does not exist; the message says what, and what would be right."""


@dataclass(frozen=True)
class Structure:
    """A structure that Pageturner or an expression makes; `members` have shapes, as those that models describe."""

    members: Mapping[str, Any]
    type_name: str = "structure"


@dataclass(frozen=True)
class Redacted:
    """What is at a field that is redacted, and all that is in it; `said` is how."""

    said: str
    type_name: str = "redacted"


@dataclass(frozen=True)
class _Map:
    """A map whose values have the shape `value`, but those of some keys, in `members`."""

    value: Any
    members: Mapping[str, Any]
    type_name: str = "map"


@dataclass(frozen=True)
class _Projection:
    """The list that a projection makes; its elements have the shape `member`."""

    member: Any
    type_name: str = "list"


def shape_found(expression: str, shape: Any) -> Any:
    """Return the shape of what a valid expression finds in a value of a botocore `shape`.

    In both, None is a shape that no model describes. A list has the shape of its elements as `member`. Raises
    `FindsNothingError`, also if a function or a comparison would get what is `Redacted`.
    """
    return _found(compiled(expression).parsed, shape)


def redacted_in(expression: str, shape: Any) -> Redacted | None:
    """Return what is redacted of what a valid expression finds, or one of the elements of one like ``[A, B]``."""
    node = compiled(expression).parsed
    for part in node["children"] if node["type"] == "multi_select_list" else [node]:
        with suppress(FindsNothingError):
            if isinstance(found := _found(part, shape), Redacted):
                return found
    return None


def with_redacted(field: Field, shape: Any, redacted: Redacted) -> Any:
    """Return the shape in which the field that a path names is `redacted`; the shape itself if it has none."""
    return _changed(field.within.parsed, shape, lambda found: _with_member(found, field.name, lambda _: redacted))


def _changed(node: Any, shape: Any, change: Callable[[Any], Any]) -> Any:
    """Return the shape in which what a path finds is changed."""
    kind, children = node["type"], node["children"]
    if _is_open(shape) or isinstance(shape, Redacted):
        return shape
    if kind in ("current", "identity", "slice"):
        return change(shape)
    if kind == "field":
        return _with_member(shape, node["value"], change)
    if kind in ("subexpression", "pipe", "index_expression"):
        first, *others = children
        if not others:
            return _changed(first, shape, change)
        then = {**node, "children": others}
        return _changed(first, shape, lambda found: _changed(then, found, change))
    if kind == "multi_select_list":
        for child in children:
            shape = _changed(child, shape, lambda found: change(_Projection(found)).member)
        return shape
    if kind == "value_projection":
        return _changed(children[0], shape, lambda found: _with_values(found, children[1], change))
    if kind in ("projection", "filter_projection"):
        return _changed(children[0], shape, lambda found: _with_elements(found, children[1], change))
    if kind == "flatten":
        return _changed(children[0], shape, lambda found: _flattened(found, change))
    return _with_elements(shape, None, change)  # an index


def _with_member(shape: Any, name: str, change: Callable[[Any], Any]) -> Any:
    kind = getattr(shape, "type_name", None)
    if _is_open(shape) or kind not in ("structure", "map"):
        return shape
    if kind == "map":
        members = getattr(shape, "members", {})
        return _Map(shape.value, {**members, name: change(members.get(name, shape.value))})
    return Structure({**shape.members, name: change(shape.members[name])}) if name in shape.members else shape


def _with_values(shape: Any, each: Any, change: Callable[[Any], Any]) -> Any:
    kind = getattr(shape, "type_name", None)
    if kind == "structure":
        return Structure({name: _changed(each, its, change) for name, its in shape.members.items()})
    return _Map(_changed(each, shape.value, change), {}) if kind == "map" else shape


def _with_elements(shape: Any, each: Any, change: Callable[[Any], Any]) -> Any:
    if getattr(shape, "type_name", None) != "list":
        return shape
    return _Projection(change(shape.member) if each is None else _changed(each, shape.member, change))


def _flattened(shape: Any, change: Callable[[Any], Any]) -> Any:
    inner = getattr(shape, "member", None)
    return _Projection(change(inner)) if getattr(inner, "type_name", None) == "list" else change(shape)


def _found(node: Any, shape: Any) -> Any:
    kind, children = node["type"], node["children"]
    if kind == "field":
        return _member(shape, node["value"])
    if kind in ("subexpression", "pipe", "index_expression"):
        for child in children:
            shape = _found(child, shape)
        return shape
    if kind in ("current", "identity", "slice"):
        return shape
    if kind == "index":
        return _element(shape)
    if kind == "flatten":
        found = _found(children[0], shape)
        element = _element(found)
        return element if getattr(element, "type_name", None) == "list" else found
    if kind in ("projection", "filter_projection"):
        base, each, *condition = children
        element = _element(_found(base, shape))
        for tested in condition:
            _found(tested, element)
        return _Projection(_found(each, element))
    if kind == "value_projection":
        base, each = children
        found = _found(base, shape)
        return _Projection(_found(each, found if isinstance(found, Redacted) else getattr(found, "value", None)))
    if kind == "multi_select_dict":
        return Structure({pair["value"]: _found(pair["children"][0], shape) for pair in children})
    if kind in ("literal", "expref"):
        return None
    if kind == "or_expression" or node.get("value") == "not_null":
        return _any_found(children, shape)
    # The other kinds make a new value from what their parts find: functions, comparisons, lists.
    for child in children:
        found = _found(child, shape)
        is_used = kind in ("comparator", "function_expression") and node["value"] not in _OF_FORM
        if is_used and isinstance(found, Redacted):
            what = "a comparison" if kind == "comparator" else f"{node['value']}()"
            raise FindsNothingError(f"{what} would get what is redacted: {found.said}")
    return None


def _any_found(alternatives: list[Any], shape: Any) -> Redacted | None:
    nothing, redacted = [], None
    for alternative in alternatives:
        try:
            found = _found(alternative, shape)
        except FindsNothingError as error:
            nothing.append(error)
        else:
            redacted = found if isinstance(found, Redacted) else redacted
    if len(nothing) == len(alternatives):
        raise nothing[0]
    return redacted


def _element(shape: Any) -> Any:
    if isinstance(shape, Redacted):
        return shape
    if _is_open(shape):
        return None
    if shape.type_name == "list":
        return shape.member
    raise FindsNothingError(f"a {shape.type_name} is not a list")


def _member(shape: Any, name: str) -> Any:
    if isinstance(shape, Redacted):
        return shape
    if _is_open(shape) or name == _METADATA:
        return None
    if shape.type_name == "structure":
        if name in shape.members:
            return shape.members[name]
        raise FindsNothingError(f"there is no member {name}{nearest(name, shape.members)}")
    if shape.type_name == "map":
        return getattr(shape, "members", {}).get(name, shape.value)
    if shape.type_name == "list":
        raise FindsNothingError(f"a list has no member {name}; use [].{name} for each of its elements")
    raise FindsNothingError(f"a {shape.type_name} has no member {name}")


def _is_open(shape: Any) -> bool:
    """Whether the model does not describe what is inside."""
    if shape is None or getattr(shape, "is_document_type", False):
        return True
    return shape.type_name == "string" and (shape.name in _DECODED or bool(shape.serialization.get("jsonvalue")))
