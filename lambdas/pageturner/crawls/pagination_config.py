"""Checks `pagination_config`, and the page size wherever a crawl sets it.

It takes what botocore's `Paginator` takes, for every operation, with the differences that the reference lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from botocore.model import OperationModel, Shape
from botocore.utils import set_value_from_jmespath
from botocore.validate import ParamValidator

from pageturner.messages import count_of, shown
from pageturner.paging import api, pagination, split
from pageturner.paging.page_size import default_page_size, wrong_page_size
from pageturner.paging.paginators import paginator_of


def without_nulls(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an entry without the keys of its `pagination_config` that are null: to botocore, they are not set.

    Nor is `since`, which an execution's input can remove like this.
    """
    entry = {key: value for key, value in entry.items() if (key, value) != ("since", None)}
    config = entry.get("pagination_config")
    if not isinstance(config, Mapping):
        return entry
    return {**entry, "pagination_config": {key: value for key, value in config.items() if value is not None}}


def problems(entry: Mapping[str, Any], definition: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield what is wrong with the `pagination_config` of an entry whose paginator has this `definition`."""
    service, operation, config = entry["service"], entry["operation"], entry.get("pagination_config", {})
    model = api.operation_model(service, operation)
    place = f"{place}.pagination_config"
    if "PageSize" in config:
        if "limit_key" not in definition:
            yield f"{place}.PageSize: {service} {operation} has no parameter for the page size; remove it"
        elif wrong := wrong_page_size(model, definition["limit_key"], config["PageSize"]):
            yield f"{place}.PageSize: invalid value {shown(config['PageSize'])}; {wrong}"
    primary = pagination.result_keys(definition)[0]
    kind = getattr(pagination.result_shape(model, primary), "type_name", "list")
    if "MaxItems" in config and kind in ("map", "structure"):
        yield f"{place}.MaxItems: it counts the elements of a list, but {primary} is a {kind}; remove it"
    if "StartingToken" in config:
        way = split.way_of(service, operation)
        wrong = _wrong_starting_token(config["StartingToken"], model, definition, way.start if way else None)
        if wrong:
            yield f"{place}.StartingToken: {wrong}"
        for key in ("accounts", "regions", "for_each"):
            # A list of one account or one region is still one listing.
            if key in entry and (entry[key] == ["all"] or not isinstance(entry[key], list) or len(entry[key]) > 1):
                yield f"{place}.StartingToken: it continues one listing, but {key} makes several; remove one of the two"


def _wrong_starting_token(
    token: str, model: OperationModel, definition: Mapping[str, Any], start: str | None
) -> str | None:
    """Return why `token` cannot be a StartingToken here, or None if boto3 would take it: its own, or a raw one.

    `start` is the parameter with which a token may begin behind an item's key.
    """
    if token.startswith(pagination.REFERENCE):
        return "only refers to a token; the token itself is the resume_token in the run's manifest"
    names = pagination.input_tokens(definition)
    sent: dict[str, Any] = {}

    def empty_page(**arguments: Any) -> dict[str, Any]:
        sent.update(arguments)
        page: dict[str, Any] = {}
        primary = pagination.result_keys(definition)[0]
        if getattr(pagination.result_shape(model, primary), "type_name", None) in ("list", "string"):
            # botocore slices it, as the token says.
            set_value_from_jmespath(page, primary, [])
        return page

    try:
        pagination.fetch_page(empty_page, model, definition, {}, {"StartingToken": token})
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return f"not a token of this operation, which has {count_of(len(names), 'input token')}"
    if set(sent) - {*names, start}:
        return f"the token belongs to another operation; a token of this one contains {', '.join(names)}"
    lines = ParamValidator().validate(sent, cast(Shape, model.input_shape)).generate_report().splitlines()
    return "; ".join(line for line in lines if not line.startswith("Missing required")) or None


def wrong_in_parameters(service: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield that a page size among the parameters is one that the model does not accept."""
    limit_key = str(_paginator(service, operation).get("limit_key"))
    if limit_key in parameters:
        size = parameters[limit_key]
        if wrong := wrong_page_size(api.operation_model(service, operation), limit_key, size):
            yield f"{limit_key}: invalid value {shown(size)}; {wrong}"


@cache
def required_page_size(service: str, operation: str) -> Mapping[str, Any]:
    """The page size as a parameter, if the operation requires one: requests have it although the parameters do not."""
    shape, definition = api.operation_model(service, operation).input_shape, _paginator(service, operation)
    if shape is None or definition.get("limit_key") not in shape.required_members or "result_key" not in definition:
        return {}
    size = default_page_size(service, operation, definition, {}, {})
    return {} if size is None else {definition["limit_key"]: size}


@cache
def _paginator(service: str, operation: str) -> Mapping[str, Any]:
    """The operation's paginator, if a crawl states nothing else."""
    return paginator_of(service, operation, {}).definition
