"""Fetches one page of a target from the service; every failure is one of `pageturner.errors`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from botocore.exceptions import ClientError, PaginationError, ParamValidationError
from botocore.model import OperationModel

from pageturner import errors
from pageturner.clients import Client
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.read_only import refusal
from pageturner.page_state import Target
from pageturner.paging import answers, api, pagination, split, token_parameters
from pageturner.paging.parameters import for_botocore

# A service may leave out what it has no value for. In the middle of a listing, an answer with nothing in it is believed
# only if it comes this often.
_BELIEVED_AFTER = 2


def fetch(
    client: Client, crawl: Crawl, target: Target, token: str | None, taken: int, retries: int = 0
) -> pagination.Page:
    """Call the operation once and return the target's page.

    `token` fetches the page (None: the first page). `taken` is the number of items taken before it, and `retries` how
    often this page has been fetched before. Raises the errors of `pageturner.errors`.
    """
    # Again, because nothing else stands between an invocation with any event and the service.
    if reason := refusal(crawl.service, crawl.operation):
        raise errors.InvalidRequestError(reason)
    model = api.operation_model(crawl.service, crawl.operation)
    definition = crawl.paginator.definition
    starting_token = crawl.pagination_config.get("StartingToken") if token is None else None
    token = token or token_parameters.token_of_whole_page(starting_token, definition)
    tokens = pagination.tokens_in(token)
    # A token that begins behind an item's key has none of the service's own.
    token_sent = any(tokens.get(name) is not None for name in pagination.input_tokens(definition))
    is_behind = token is not None and not token_sent
    token_sent = token_sent or starting_token is not None
    try:
        page = pagination.fetch_page(
            getattr(client(crawl.service, target.region, target.account), crawl.operation),
            model,
            definition,
            for_botocore(model, target.parameters),
            crawl.pagination_config,
            token=token,
            taken=taken,
            excluded_by_token=token_parameters.excluded_by_token(crawl.service, crawl.operation),
        )
    except ClientError as error:
        throttling = _declares_throttling(model, error)
        raise errors.from_client_error(error, token_sent=token_sent, declared_throttling=throttling) from error
    except errors.CONNECTION_ERRORS as error:
        raise errors.TransientError(str(error)) from error
    except (PaginationError, ParamValidationError) as error:
        raise errors.InvalidRequestError(str(error)) from error
    _check_answer(crawl, model, page.response, believed=not token_sent or retries >= _BELIEVED_AFTER)
    part = split.part_behind(crawl.service, crawl.operation, tokens, target.part) if is_behind else target.part
    if part is None:
        return page
    own, is_end = split.cut(page.response, pagination.result_keys(definition), part)
    return replace(page, response=own, next_token=None if is_end else page.next_token, is_cut=is_end)


def _check_answer(crawl: Crawl, model: OperationModel, response: Mapping[str, Any], *, believed: bool) -> None:
    if answers.has_nothing_of(model, response):
        empty = f"the answer to {crawl.service} {crawl.operation} has nothing of what the operation returns"
        if not believed or not answers.may_be_empty(model, crawl.paginator.definition):
            raise errors.TransientError(f"{empty}, not even an empty list")
    if status := answers.running_status(model, response):
        raise errors.StillRunningError(f"{crawl.service} {crawl.operation} is not whole yet: {status}")


def _declares_throttling(model: OperationModel, error: ClientError) -> bool:
    shape: Any = model.service_model.shape_for_error_code(cast(Any, error.response.get("Error", {}).get("Code")))
    return bool(shape is not None and (shape.metadata.get("retryable") or {}).get("throttling"))
