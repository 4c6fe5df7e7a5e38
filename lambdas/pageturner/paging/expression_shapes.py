"""Checks whether a JMESPath expression can find anything in what a model describes.

An expression that cannot is worse than an error: a misspelled `output_token` ends every listing after its first page, a
misspelled `search` or `result_key` makes every listing empty, and both would count as complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pageturner.messages import nearest
from pageturner.paging.expression_limits import compiled

# Strings that botocore's handlers decode from JSON (botocore/handlers.py).
_DECODED = ("policyDocumentType", "TemplateBody")
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
class _Projection:
    """The list that a projection makes; its elements have the shape `member`."""

    member: Any
    type_name: str = "list"


def shape_found(expression: str, shape: Any) -> Any:
    """Return the shape of what a valid expression finds in a value of a botocore `shape`.

    In both, None is a shape that no model describes. A list has the shape of its elements as `member`. Raises
    `FindsNothingError`.
    """
    return _found(compiled(expression).parsed, shape)


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
        return _Projection(_found(each, getattr(_found(base, shape), "value", None)))
    if kind == "multi_select_dict":
        return Structure({pair["value"]: _found(pair["children"][0], shape) for pair in children})
    if kind in ("literal", "expref"):
        return None
    if kind == "or_expression" or node.get("value") == "not_null":
        _any_found(children, shape)
        return None
    # The other kinds make a new value from what their parts find: functions, comparisons, lists.
    for child in children:
        _found(child, shape)
    return None


def _any_found(alternatives: list[Any], shape: Any) -> None:
    nothing = []
    for alternative in alternatives:
        try:
            _found(alternative, shape)
        except FindsNothingError as error:
            nothing.append(error)
    if len(nothing) == len(alternatives):
        raise nothing[0]


def _element(shape: Any) -> Any:
    if _is_open(shape):
        return None
    if shape.type_name == "list":
        return shape.member
    raise FindsNothingError(f"a {shape.type_name} is not a list")


def _member(shape: Any, name: str) -> Any:
    if _is_open(shape) or name == _METADATA:
        return None
    if shape.type_name == "structure":
        if name in shape.members:
            return shape.members[name]
        raise FindsNothingError(f"there is no member {name}{nearest(name, shape.members)}")
    if shape.type_name == "map":
        return shape.value
    if shape.type_name == "list":
        raise FindsNothingError(f"a list has no member {name}; use [].{name} for each of its elements")
    raise FindsNothingError(f"a {shape.type_name} has no member {name}")


def _is_open(shape: Any) -> bool:
    """Whether the model does not describe what is inside."""
    if shape is None or getattr(shape, "is_document_type", False):
        return True
    return shape.type_name == "string" and (shape.name in _DECODED or bool(shape.serialization.get("jsonvalue")))
