"""One page of a target, in the order in which nothing is lost and a repeat is harmless.

1. take the place from the state, or from the checkpoint;
2. call the operation once;
3. commit the page: its items and its next token at once, and the first writer wins;
4. project the committed items to the other sinks;
5. move the checkpoint forward;
6. return the next place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from botocore.exceptions import ClientError, HTTPClientError, PaginationError, ParamValidationError
from botocore.model import OperationModel

from pageturner import api, errors, pagination
from pageturner.item_table import ItemTable
from pageturner.page_state import PageState, Place
from pageturner.page_store import CommittedPage, PageStore
from pageturner.records import records
from pageturner.run_store import PageRecord, RunStore


@dataclass(frozen=True)
class Turned:
    """A page that was turned: the place after it, what was written, and how long both halves took, in milliseconds.

    `page` is None where there was nothing left to turn.
    """

    place: Place
    page: CommittedPage | None = None
    fetch_ms: float = 0
    write_ms: float = 0


@dataclass(frozen=True)
class PageStep:
    """Turns one page. `client` makes the client of a service in a region."""

    client: Callable[[str, str], Any]
    pages: PageStore
    items: ItemTable
    runs: RunStore

    def turn(self, state: PageState) -> Turned:
        """Turn the page at the state's place. Raises the errors of `pageturner.errors`."""
        place = state.place or self.runs.checkpoint(state.run, state.target) or Place()
        if place.next == "end":
            return self._ended(Turned(place))
        began = time.monotonic()
        page = self._fetch(state, place)
        fetched = time.monotonic()
        committed = self._commit(state, place, page)
        if "dynamodb" in state.crawl.sinks:
            self.items.project(committed)
        after = _place_after(place, committed)
        self.runs.record_page(
            state.run,
            PageRecord(
                state.target.target_id,
                place.pass_number,
                place.page,
                len(committed.records),
                committed.bytes,
                committed.key,
                after,
            ),
        )
        written = time.monotonic()
        return self._ended(Turned(after, committed, (fetched - began) * 1000, (written - fetched) * 1000))

    def _fetch(self, state: PageState, place: Place) -> pagination.Page:
        crawl = state.crawl
        model = api.operation_model(crawl.service, crawl.operation)
        token = self.pages.token(place.token)
        token_sent = token is not None or "StartingToken" in crawl.pagination_config
        try:
            return pagination.fetch_page(
                getattr(self.client(crawl.service, state.target.region), crawl.operation),
                model,
                _paginator(state),
                state.target.parameters,
                crawl.pagination_config,
                token=token,
                taken=place.taken,
            )
        except ClientError as error:
            throttling = _declares_throttling(model, error)
            raise errors.from_client_error(error, token_sent=token_sent, declared_throttling=throttling) from error
        except HTTPClientError as error:
            raise errors.from_connection_error(error) from error
        except (PaginationError, ParamValidationError) as error:
            raise errors.InvalidRequestError(str(error)) from error

    def _commit(self, state: PageState, place: Place, page: pagination.Page) -> CommittedPage:
        end = None
        if page.resume_token is not None:
            end = "limited"
        elif page.next_token is None:
            end = "complete"
        elif page.repeated_token:
            end = "repeated"
        found = pagination.items(page.response, _paginator(state), state.crawl.search)
        fetched_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self.pages.commit(
            state.run,
            state.crawl.name,
            state.target,
            place,
            records(state, place, found, fetched_at),
            next_token=page.next_token or page.resume_token,
            end=end,
            taken=page.taken,
        )

    def _ended(self, turned: Turned) -> Turned:
        if turned.place.verdict == "failed":
            raise errors.RepeatedTokenError(
                f"the service returned the token that had fetched page {turned.place.pages} again; that page was kept, "
                f"but the listing cannot go on"
            )
        return turned


def _place_after(place: Place, page: CommittedPage) -> Place:
    verdicts = {"complete": "complete", "limited": "limited", "repeated": "failed"}
    return replace(
        place,
        page=place.page + 1,
        token=page.next_token,
        taken=place.taken + page.taken,
        items=place.items + len(page.records),
        bytes=place.bytes + page.bytes,
        next="page" if page.end is None else "end",
        verdict=verdicts[page.end] if page.end else None,
    )


def _paginator(state: PageState) -> Mapping[str, Any]:
    paginator = api.official_paginator(state.crawl.service, state.crawl.operation)
    if paginator is None:
        raise errors.InvalidCrawlError(f"botocore has no paginator for {state.crawl.service} {state.crawl.operation}")
    return paginator


def _declares_throttling(model: OperationModel, error: ClientError) -> bool:
    shape: Any = model.service_model.shape_for_error_code(cast(Any, error.response.get("Error", {}).get("Code")))
    return bool(shape is not None and (shape.metadata.get("retryable") or {}).get("throttling"))
