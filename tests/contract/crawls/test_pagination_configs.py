"""`pagination_config` against botocore: for every paginator that it ships, a crawl takes what `paginate()` takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import pytest
from botocore.exceptions import PaginationError
from botocore.model import OperationModel, Shape
from botocore.paginate import Paginator, TokenEncoder
from botocore.utils import set_value_from_jmespath
from botocore.validate import ParamValidator

from pageturner.crawls import pagination_config
from pageturner.crawls.checks import against_schema
from pageturner.crawls.pagination_config import without_nulls
from pageturner.paging import api, page_size, pagination

TOKENS = {"string": "t", "integer": 5, "map": {"id": {"B": b"\xff"}}}


@cache
def paginators() -> list[tuple[str, str, Mapping[str, Any]]]:
    """The paginators of botocore. To find them takes seconds, which not every worker has to spend."""
    return [
        (service, operation, definition)
        for service in api.service_names()
        for operation in api.operation_names(service)
        if (definition := api.official_paginator(service, operation))
    ]


class _RefusedError(Exception):
    """The arguments of a request that botocore's client would refuse."""


def botocore_takes(model: OperationModel, definition: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether botocore pages a listing of five items with this PaginationConfig."""

    def method(**arguments: Any) -> dict[str, Any]:
        report = ParamValidator().validate(arguments, cast(Shape, model.input_shape)).generate_report()
        if any(not line.startswith("Missing required") for line in report.splitlines()):
            raise _RefusedError(report)
        page: dict[str, Any] = {}
        primary = pagination.result_keys(definition)[0]
        kind = pagination.result_shape(model, primary).type_name
        five = list(range(5)) if kind == "list" else "abcde" if kind == "string" else dict.fromkeys("abcde")
        set_value_from_jmespath(page, primary, five)
        return page

    try:
        next(iter(Paginator(cast(Any, method), dict(definition), model).paginate(PaginationConfig=dict(config))))
    except (_RefusedError, PaginationError, ValueError, TypeError, AttributeError, LookupError):
        return False
    return True


def a_crawl_takes(service: str, operation: str, config: Mapping[str, Any]) -> bool:
    entry = without_nulls({"service": service, "operation": operation, "pagination_config": config})
    definition = api.official_paginator(service, operation)
    assert definition
    # What problems() of a whole entry does with this key.
    return against_schema("pagination_config", entry["pagination_config"]) is None and not list(
        pagination_config.problems(entry, definition, "c")
    )


def tokens_of(model: OperationModel, definition: Mapping[str, Any]) -> dict[str, Any]:
    members = cast(Any, model.input_shape).members
    return {name: TOKENS[members[name].type_name] for name in pagination.input_tokens(definition)}


def configs(model: OperationModel, definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    size = page_size._bounds(model, definition["limit_key"])[0] if "limit_key" in definition else 1
    tokens = tokens_of(model, definition)
    encode = TokenEncoder().encode
    return {
        "nothing": {},
        "None": {"MaxItems": None, "PageSize": None, "StartingToken": None},
        "MaxItems": {"MaxItems": 3},
        "MaxItems as text": {"MaxItems": "3"},
        "MaxItems 0": {"MaxItems": 0},
        "MaxItems is no number": {"MaxItems": "many"},
        "MaxItems is a list": {"MaxItems": [3]},
        "PageSize": {"PageSize": size},
        "PageSize as text": {"PageSize": str(size)},
        "PageSize and MaxItems": {"PageSize": size, "MaxItems": "3"},
        "a token": {"StartingToken": encode(dict(tokens))},
        "a token within a page": {"StartingToken": encode({**tokens, "boto_truncate_amount": 2})},
        "the token of a first page": {
            "StartingToken": encode({**dict.fromkeys(tokens), "boto_truncate_amount": 2}),
        },
        "a raw token": {"StartingToken": "raw/+ü"},
        "a raw token within a page": {"StartingToken": "___".join([*(["raw"] * len(tokens)), "2"])},
        "raw tokens, too many": {"StartingToken": "___".join(["raw"] * (len(tokens) + 2))},
        "a token of another operation": {"StartingToken": encode({"NoSuchParameter": "t"})},
        "a token of a number": {"StartingToken": "NQ=="},
        "an amount that is none": {"StartingToken": encode({**tokens, "boto_truncate_amount": "x"})},
        "a token that is no text": {"StartingToken": 5},
    }


def test_a_crawl_takes_what_botocore_takes_for_every_paginator() -> None:
    differences, compared, taken = [], 0, 0
    for service, operation, definition in paginators():
        model = api.operation_model(service, operation)
        for name, config in configs(model, definition).items():
            theirs = botocore_takes(model, definition, config)
            ours = a_crawl_takes(service, operation, config)
            compared += 1
            taken += theirs
            if ours != theirs:
                differences.append((service, operation, name, "botocore takes it" if theirs else "botocore refuses it"))
    assert differences == []
    assert len(paginators()) == 3449
    assert compared == 20 * 3449
    assert 0.5 < taken / compared < 0.9


DIFFERENT: dict[str, dict[str, Any]] = {
    "a misspelled name, which botocore ignores": {"maxItems": 5},
    "a negative number, which takes nonsense off a page": {"MaxItems": -1},
    "a truth value": {"MaxItems": True},
    "a fraction": {"MaxItems": 2.5},
    "a page of nothing, which S3 answers as if it were the end": {"PageSize": 0},
    "more than the model accepts, which the service may refuse": {"PageSize": 1001},
    "an empty token": {"StartingToken": ""},
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_botocore_takes_and_a_crawl_does_not(name: str) -> None:
    # iam states the bounds of its page size, s3 does not.
    service, operation = ("iam", "list_roles") if DIFFERENT[name] == {"PageSize": 1001} else ("s3", "list_objects_v2")
    definition = api.official_paginator(service, operation)
    assert definition
    assert botocore_takes(api.operation_model(service, operation), definition, DIFFERENT[name])
    assert not a_crawl_takes(service, operation, DIFFERENT[name])
