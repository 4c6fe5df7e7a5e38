"""Fetches one page of a target from the service; every failure is one of `pageturner.errors`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError
from jmespath.exceptions import JMESPathError

from pageturner import errors
from pageturner.clients import Client
from pageturner.crawls.crawl import Crawl
from pageturner.page_state import Target
from pageturner.paging import api, pagination, split
from pageturner.paging.error_meanings import Sent, from_client_error
from pageturner.turn.endpoints import no_endpoint
from pageturner.turn.unreadable import unreadable


def fetch(client: Client, crawl: Crawl, target: Target, token: str | None, taken: int) -> pagination.Page:
    """Call the operation once and return the target's page.

    `token` fetches the page (None: the first page). `taken` is the number of items taken before it.
    Raises the errors of `pageturner.errors`.
    """
    model = api.operation_model(crawl.service, crawl.operation)
    definition = crawl.paginator.definition
    tokens = pagination.input_tokens(definition)
    sent: Mapping[str, Any] = {}

    def method(**arguments: Any) -> Any:
        nonlocal sent
        sent = {name: value for name in tokens if (value := arguments.get(name)) is not None}
        try:
            return getattr(client(crawl.service, target.region, target.account), crawl.operation)(**arguments)
        except (ClientError, BotoCoreError):
            raise
        except (ResponseParserError, *errors.UNEXPECTED_VALUES) as error:
            raise unreadable(error) from error

    try:
        page = pagination.fetch_page(
            method,
            model,
            definition,
            target.parameters,
            crawl.pagination_config,
            token=token,
            taken=taken,
        )
    except ClientError as error:
        what_was_sent = Sent(token=bool(sent), accepted=bool(sent) and token is not None)
        found = from_client_error(error, model, what_was_sent)
        if isinstance(found, errors.TokenInvalidError) and token is None:
            # The first page: nothing was accepted without the token, so a new pass would send it again.
            of = "the StartingToken" if "StartingToken" in crawl.pagination_config else " and ".join(sent)
            raise errors.InvalidRequestError(
                f"the service rejected the first page: {of} may be invalid or expired, or may not belong to these "
                f"parameters: {error}"
            ) from error
        raise found from error
    except EndpointConnectionError as error:
        raise no_endpoint(error, crawl.service, target.region) or errors.TransientError(str(error)) from error
    except errors.SERVICE_ERRORS as error:
        raise errors.from_botocore_error(error) from error
    except JMESPathError as error:
        raise errors.InvalidCrawlError(f"the paginator's expressions cannot be evaluated: {error}") from error
    except errors.UNEXPECTED_VALUES as error:
        said = f"botocore cannot page this response: {type(error).__name__}: {error}"
        # botocore counts and cuts lists, and takes the members of a StartingToken as they are.
        asked = [name for name in ("MaxItems", "StartingToken") if name in crawl.pagination_config]
        asked += ["result_key"] if crawl.paginator.source == "stated" else []
        if asked:
            raise errors.InvalidRequestError(f"{said}; correct {' or '.join(asked)}") from error
        raise errors.TransientError(said) from error
    if target.part is None:
        return page
    own, is_end = split.cut(page.response, pagination.result_keys(definition), target.part)
    return replace(page, response=own, next_token=None if is_end else page.next_token)
