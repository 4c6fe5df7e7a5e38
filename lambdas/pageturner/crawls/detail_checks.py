"""Checks the details of a crawl against botocore's models of both operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.detail import VALUE, Detail, details_of
from pageturner.crawls.expression_checks import TEXT, item_shape, parameter_shapes, wrong_expression
from pageturner.crawls.operation_checks import wrong_operation
from pageturner.crawls.redacted_shapes import redacted_item
from pageturner.messages import listed, nearest, shown
from pageturner.paging import pagination
from pageturner.paging.expression_shapes import Structure
from pageturner.paging.paginators import STATED, paginator_of


def wrong_details(entry: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield what is wrong with the details of an entry whose own operation exists."""
    crawl = Crawl.from_dict({"name": "", **entry})
    stated = {name: entry[name] for name in STATED if name in entry}
    item = item_shape(crawl.service, crawl.operation, stated, crawl.search)
    # The parameters are found in the item as it is kept.
    kept = redacted_item(replace(crawl, detail=None))
    about = Structure(
        {
            "item": kept,
            **dict.fromkeys(("account", "region"), TEXT),
            "parameters": Structure(dict(parameter_shapes(crawl))),
        }
    )
    taken: dict[str, str] = dict.fromkeys(_members(item), "the items have a member of this name")
    for number, detail in enumerate(details_of(entry["detail"], crawl.service)):
        at = f"{place}.detail" if isinstance(entry["detail"], Mapping) else f"{place}.detail.{number}"
        if detail.name in taken:
            yield f"{at}.as: {shown(detail.name)} is taken: {taken[detail.name]}; choose another name"
        taken[detail.name] = "another detail has it"
        wrong = list(_wrong_operation(detail, at))
        yield from wrong or _wrong_detail(detail, about, at)


def _members(item: Any) -> list[str]:
    if item is None or getattr(item, "is_document_type", False):
        return []
    return list(item.members) if item.type_name == "structure" else [VALUE]


def _wrong_operation(detail: Detail, at: str) -> Iterator[str]:
    if wrong := wrong_operation(detail.service, detail.operation):
        key, why = wrong
        yield f"{at}.{key}: {why}"
    elif reason := detail.may_lack:
        what = f"{detail.service} {detail.operation}"
        yield f"{at}.operation: {what} cannot be a detail, which must be whole: {reason}"


def _wrong_detail(detail: Detail, about: Structure, at: str) -> Iterator[str]:
    what, shape = f"{detail.service} {detail.operation}", detail.model.input_shape
    known = dict(shape.members) if shape else {}
    for name, expression in detail.parameters.items():
        if name not in known:
            yield f"{at}.parameters.{name}: {what} has no such parameter{nearest(name, known)}"
        yield from (f"{at}.parameters.{name}: {line}" for line in wrong_expression(expression, about))
    for name in shape.required_members if shape else ():
        if name not in detail.parameters:
            yield f"{at}.parameters: {what} requires {name}; add it"
    if detail.pages:
        yield from _wrong_paging(detail, what, at)
    if detail.result_key is not None:
        yield from (
            f"{at}.result_key: {line}" for line in wrong_expression(detail.result_key, detail.model.output_shape)
        )
    yield from _wrong_batch(detail, known, what, at)


def _wrong_paging(detail: Detail, what: str, at: str) -> Iterator[str]:
    for name in pagination.input_tokens(detail.paginator):
        if name in detail.parameters:
            yield f"{at}.parameters.{name}: {what} is paged to its end by itself; remove it"
    if detail.found_by is None:
        missing = paginator_of(detail.service, detail.operation, {}).missing
        yield f"{at}: {what} pages, and nothing says what of its pages to collect: {missing}; set result_key"


def _wrong_batch(detail: Detail, known: Mapping[str, Any], what: str, at: str) -> Iterator[str]:
    if detail.batch is None:
        if detail.stated_match is not None:
            yield f"{at}.match: it finds the elements of a batch; set batch to the parameter that takes a list"
        return
    lists = [name for name, shape in known.items() if shape.type_name == "list"]
    if detail.batch not in lists:
        near = nearest(detail.batch, lists) if lists else "; remove batch"
        yield f"{at}.batch: {what} has no parameter {shown(detail.batch)} that takes a list{near}"
    elif detail.batch not in detail.parameters:
        yield f"{at}.batch: {detail.batch} is not among the parameters; add it there, with the value of one item"
    elif detail.found_by is None:
        outputs = detail.model.output_shape.members if detail.model.output_shape else {}
        found = listed(name for name, shape in outputs.items() if shape.type_name == "list")
        yield f"{at}.batch: nothing says in which list {what} answers; set result_key (its lists: {found})"
    elif detail.shape is None:
        yield f"{at}.result_key: {shown(detail.found_by)} finds no list, as a batch is answered with; correct it"
    elif detail.match is None:
        yield (
            f"{at}.batch: nothing says which member of an element of {detail.found_by} is the {detail.batch} that was "
            f'sent; set match, like "match: {_example(detail)}"'
        )
    else:
        yield from (f"{at}.match: {line}" for line in wrong_expression(detail.match, detail.shape))


def _example(detail: Detail) -> str:
    members: Mapping[str, Any] = getattr(detail.shape, "members", {})
    texts = [name for name, each in members.items() if each.type_name == "string"]
    return next((name for name in texts if name.lower().endswith(("arn", "id", "name"))), (texts or ["Name"])[0])
