"""Checks the expressions of a crawl against what botocore's models say that they apply to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import Shape
from jmespath.exceptions import JMESPathError

from pageturner.crawls.crawl import Crawl
from pageturner.messages import shown
from pageturner.paging import api, pagination, split
from pageturner.paging.expression_limits import ExpressionLimitError
from pageturner.paging.expression_shapes import FindsNothingError, Redacted, Structure, shape_found
from pageturner.paging.expressions import named_field
from pageturner.paging.paginators import paginator_of

TEXT = Shape("Text", {"type": "string"})


def wrong_expression(expression: str, shape: Any = None) -> Iterator[str]:
    """Yield what is wrong with an expression that applies to values of a botocore `shape` (None: unknown)."""
    try:
        found = shape_found(expression, shape)
        if isinstance(found, Redacted):
            yield f"{shown(expression)} finds what is redacted: {found.said}"
    except ExpressionLimitError as error:
        yield f"{shown(expression)} cannot be used: {error}"
    except JMESPathError as error:
        at = getattr(error, "lex_position", None)
        where = "" if at is None else f" at character {at + 1}"
        yield f"{shown(expression)} is not valid JMESPath{where}: {str(error).splitlines()[0]}"
    except FindsNothingError as error:
        yield f"{shown(expression)} finds nothing: {error}"


def wrong_ignored_field(expression: str, item: Any) -> Iterator[str]:
    """Yield what is wrong with an expression of `ignore_fields`, which applies to items of the shape `item`."""
    wrong = list(wrong_expression(expression, item))
    yield from wrong
    if not wrong and named_field(expression) is None:
        yield (
            f"{shown(expression)} does not name a field of the item; it must end in a field's name, and can have "
            "names, indexes, [], [*] and filters before it, like \"Tags[?Key=='seen'].Value\""
        )


def item_shape(service: str, operation: str, stated: Mapping[str, Any], search: str | None, answer: Any = None) -> Any:
    """Return the shape of a crawl's items, those of its primary result key; None if it is unknown or invalid."""
    return next(item_shapes(service, operation, stated, search, answer), None)


def item_shapes(
    service: str, operation: str, stated: Mapping[str, Any], search: str | None, answer: Any = None
) -> Iterator[Any]:
    """Yield the shapes of a crawl's items, of each result key that can have some; None as in `item_shape`.

    `answer` is the shape of the answers, if it is not that of the model.
    """
    definition = paginator_of(service, operation, stated).definition
    output = answer or api.operation_model(service, operation).output_shape
    if search is not None:
        found = _found(search, output)
        yield found.member if _is(found, "list") else found
        return
    for each in pagination.result_keys(definition) if "result_key" in definition else ():
        found = _found(each, output)
        if _is(found, "map"):
            yield Structure({"key": TEXT, "value": found.value})
        elif found is None or _is(found, "list", "structure", "string", "blob"):  # numbers are sums
            yield found.member if _is(found, "list") else found


def _found(expression: str, shape: Any) -> Any:
    try:
        return shape_found(expression, shape)
    except (JMESPathError, FindsNothingError):
        return None


def _is(shape: Any, *kinds: str) -> bool:
    return getattr(shape, "type_name", None) in kinds


def for_each_expressions(for_each: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the expressions on the items of another crawl, each with its place in `for_each`."""
    for group in ("parameters", "parent"):
        yield from ((f"{group}.{name}", text) for name, text in for_each.get(group, {}).items())
    yield from ((place, for_each[place]) for place in ("account", "region") if place in for_each)


def parameter_shapes(crawl: Crawl) -> Iterator[tuple[str, Any]]:
    """Yield the parameters of a crawl's targets with their shapes: its own, those of for_each, those of its parts."""
    names = set(crawl.parameters)
    for_each = crawl.for_each or {}
    names.update(*for_each.get("list", ()), for_each.get("matrix", ()), for_each.get("parameters", ()))
    if crawl.split is not None and (way := split.way_of(crawl.service, crawl.operation)):
        names.update(("Segment", "TotalSegments") if way.kind == "segments" else {way.start, way.end} - {""})
    shape = api.operation_model(crawl.service, crawl.operation).input_shape
    members = shape.members if shape else {}
    yield from ((name, members.get(name)) for name in sorted(names))
