"""Fetches one page of a target from the service; every failure is one of `pageturner.errors`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError
from jmespath.exceptions import JMESPathError

from pageturner import errors
from pageturner.clients import Client
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.read_only import refusal
from pageturner.messages import shown, without
from pageturner.page_state import Target
from pageturner.paging import answers, api, counts, pagination, split, token_parameters
from pageturner.paging.page_size import default_page_size
from pageturner.paging.parameters import for_botocore
from pageturner.turn.endpoints import no_endpoint
from pageturner.turn.redacting import redacted_answer
from pageturner.turn.unreadable import unreadable

# A service may leave out what it has no value for. In the middle of a listing, an answer with nothing in it is believed
# only if it comes this often.
_BELIEVED_AFTER = 2


def fetch(
    client: Client, crawl: Crawl, target: Target, token: str | None, taken: int, retries: int = 0
) -> pagination.Page:
    """Call the operation once and return the target's page.

    `token` fetches the page (None: the first page). `taken` is the number of items taken before it, and `retries` how
    often this page has been fetched before. Raises the errors of `pageturner.errors`. Their messages, also those of the
    service, have the names of tokens and of parameters that come from items in place of their values.
    """
    try:
        return _fetched(client, crawl, target, token, taken, retries)
    except errors.PageturnerError as error:
        from pageturner.crawls.from_items import from_items  # only an error needs it

        sent = {**pagination.tokens_in_any(token), **from_items(crawl.service, crawl.operation, target.as_dict())}
        sent["StartingToken"] = crawl.pagination_config.get("StartingToken")
        raise type(error)(without(str(error), sent)) from error


def _fetched(
    client: Client, crawl: Crawl, target: Target, token: str | None, taken: int, retries: int
) -> pagination.Page:
    # Again, because nothing else stands between an invocation with any event and the service.
    if reason := refusal(crawl.service, crawl.operation):
        raise errors.InvalidRequestError(reason)
    if not api.is_region(target.region):  # the name of no host, which would seem to be down
        raise errors.InvalidRequestError(f"{shown(target.region)} is not a region")
    model = api.operation_model(crawl.service, crawl.operation)
    definition = crawl.paginator.definition
    is_first = token is None
    starting_token = crawl.pagination_config.get("StartingToken") if is_first else None
    token = token or token_parameters.token_of_whole_page(starting_token, definition)
    input_tokens = pagination.input_tokens(definition)
    config = crawl.pagination_config
    size = default_page_size(crawl.service, crawl.operation, definition, target.parameters, config)
    sent: Mapping[str, Any] = {}
    miscount = 0

    def method(**arguments: Any) -> Any:
        nonlocal sent, miscount
        sent = {name: value for name in input_tokens if (value := arguments.get(name)) is not None}
        try:
            answer = getattr(client(crawl.service, target.region, target.account), crawl.operation)(**arguments)
        except (ClientError, BotoCoreError):
            raise
        except (ResponseParserError, *errors.UNEXPECTED_VALUES) as error:
            raise unreadable(error) from error
        redacted_answer(crawl.service, crawl.operation, crawl.defaults_kept, answer)
        # Before botocore, or the split, cuts the page.
        miscount = counts.miscounted(crawl.service, crawl.operation, answer, pagination.result_keys(definition))
        return answer

    try:
        page = pagination.fetch_page(
            method,
            model,
            definition,
            for_botocore(model, target.parameters),
            config if size is None else {**config, "PageSize": size},
            token=token,
            taken=taken,
            excluded_by_token=token_parameters.excluded_by_token(crawl.service, crawl.operation),
        )
    except ClientError as error:
        from pageturner.paging.error_meanings import Sent, from_client_error  # only an error needs its expressions

        what_was_sent = Sent(token=bool(sent), accepted=bool(sent) and not is_first)
        found = from_client_error(error, model, what_was_sent)
        if isinstance(found, errors.TokenInvalidError) and is_first:
            # The first page: nothing was accepted without the token, so a new pass would send it again.
            of = "the StartingToken" if "StartingToken" in crawl.pagination_config else " and ".join(sent)
            raise errors.InvalidRequestError(
                f"the service rejected the first page: {of} may be invalid or expired, or may not belong to these "
                f"parameters: {error}"
            ) from error
        raise found from error
    except EndpointConnectionError as error:
        raise no_endpoint(error, crawl.service, target.region) or errors.from_botocore_error(error) from error
    except errors.SERVICE_ERRORS as error:
        raise errors.from_botocore_error(error) from error
    except JMESPathError as error:
        raise errors.InvalidCrawlError(
            f"the paginator's expressions cannot be evaluated: {errors.said(error)}"
        ) from error
    except errors.UNEXPECTED_VALUES as error:
        said = f"botocore cannot page this response: {errors.said(error)}"
        # botocore counts and cuts lists, and takes the members of a StartingToken as they are.
        asked = [name for name in ("MaxItems", "StartingToken") if name in crawl.pagination_config]
        asked += ["result_key"] if crawl.paginator.source == "stated" else []
        if asked:
            raise errors.InvalidRequestError(f"{said}; correct {' or '.join(asked)}") from error
        raise errors.TransientError(said) from error
    _check_answer(crawl, model, page.response, believed=not sent or retries >= _BELIEVED_AFTER)
    page, part = replace(page, miscount=miscount), target.part
    if token is not None and not sent:
        # The token begins behind an item's key.
        part = split.part_behind(crawl.service, crawl.operation, pagination.tokens_in(token), part)
    if part is None:
        return page
    own, is_end = split.cut(page.response, pagination.result_keys(definition), part)
    return replace(page, response=own, next_token=None if is_end else page.next_token, is_cut=is_end)


def _check_answer(crawl: Crawl, model: OperationModel, response: Mapping[str, Any], *, believed: bool) -> None:
    if answers.has_nothing_of(model, response):
        empty = f"the answer to {crawl.service} {crawl.operation} has nothing of what the operation returns"
        if not believed or not answers.may_be_empty(model, crawl.paginator.definition):
            raise errors.TransientError(f"{empty}, not even an empty list")
    if status := answers.running_status(model, crawl.paginator.definition, response):
        raise errors.StillRunningError(f"{crawl.service} {crawl.operation} is not whole yet: {status}")
