"""Fetches one page of a target from the service; every failure is one of `pageturner.errors`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from botocore.exceptions import ClientError, PaginationError, ParamValidationError
from botocore.model import OperationModel

from pageturner import errors
from pageturner.clients import Client
from pageturner.crawls.crawl import Crawl
from pageturner.page_state import Target
from pageturner.paging import api, pagination, split
from pageturner.paging.page_size import default_page_size


def fetch(client: Client, crawl: Crawl, target: Target, token: str | None, taken: int) -> pagination.Page:
    """Call the operation once and return the target's page.

    `token` fetches the page (None: the first page). `taken` is the number of items taken before it.
    Raises the errors of `pageturner.errors`.
    """
    model = api.operation_model(crawl.service, crawl.operation)
    definition = crawl.paginator.definition
    config = crawl.pagination_config
    size = default_page_size(crawl.service, crawl.operation, definition, target.parameters, config)
    token_sent = token is not None or "StartingToken" in config
    try:
        page = pagination.fetch_page(
            getattr(client(crawl.service, target.region, target.account), crawl.operation),
            model,
            definition,
            target.parameters,
            config if size is None else {**config, "PageSize": size},
            token=token,
            taken=taken,
        )
    except ClientError as error:
        throttling = _declares_throttling(model, error)
        raise errors.from_client_error(error, token_sent=token_sent, declared_throttling=throttling) from error
    except errors.CONNECTION_ERRORS as error:
        raise errors.TransientError(str(error)) from error
    except (PaginationError, ParamValidationError) as error:
        raise errors.InvalidRequestError(str(error)) from error
    if target.part is None:
        return page
    own, is_end = split.cut(page.response, pagination.result_keys(definition), target.part)
    return replace(page, response=own, next_token=None if is_end else page.next_token)


def _declares_throttling(model: OperationModel, error: ClientError) -> bool:
    shape: Any = model.service_model.shape_for_error_code(cast(Any, error.response.get("Error", {}).get("Code")))
    return bool(shape is not None and (shape.metadata.get("retryable") or {}).get("throttling"))
