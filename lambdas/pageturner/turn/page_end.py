"""Whether a page is the last one of its listing, and what the listing is then.

botocore ends a listing where there is no token. Here, the answer has the last word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pageturner import errors
from pageturner.crawls.crawl import Crawl
from pageturner.messages import count_of
from pageturner.page_state import Target
from pageturner.paging import answers, api, pagination, token_parameters
from pageturner.stores.page_store import End

# The errors of listings that ended without being whole, by name: a place holds the name.
ERRORS = {
    error.__name__: error for error in (errors.RepeatedTokenError, errors.TruncatedListingError, errors.PageErrorsError)
}


def end_of(page: pagination.Page, crawl: Crawl, target: Target, number: int, *, in_circle: bool = False) -> End | None:
    """Return why the listing ends with its page `number`, or None if it goes on.

    `in_circle` says that the page and its token came before.
    """
    if page.resume_token is not None:
        return "limited"
    if page.next_token is None:
        model = api.operation_model(crawl.service, crawl.operation)
        if not page.is_cut and answers.truncated_by(model, page.response):
            return "truncated"
        # The items before the beginning were not listed.
        return "limited" if _begins_inside(crawl, target) else "complete"
    # botocore compares no token with a StartingToken, either.
    if page.repeated_token and number > 1:
        return "repeated"
    if in_circle:
        return "circle"
    return "endless" if number >= crawl.max_pages else None


def _begins_inside(crawl: Crawl, target: Target) -> bool:
    if "StartingToken" in crawl.pagination_config:
        return True
    model = api.operation_model(crawl.service, crawl.operation)
    # The parts of a split listing begin where others end.
    return target.part is None and bool(
        token_parameters.starts_among(model, target.parameters, crawl.paginator.definition)
    )


def errors_inside(crawl: Crawl, page: pagination.Page) -> tuple[list[dict[str, Any]], int]:
    """Return the errors beside the items of a page, without those that the crawl ignores, and how many it ignores."""
    model = api.operation_model(crawl.service, crawl.operation)
    found = answers.errors_inside(model, crawl.paginator.definition, page.response)
    kept = [error for error in found if not set(crawl.ignore_errors) & answers.words_in(error["error"])]
    return kept, len(found) - len(kept)


def mark_of(token: str | None, lines: Sequence[Mapping[str, Any]]) -> str:
    """Return what stands for a page and the token after it, in the search for circles.

    Both must come again: a service may well answer a token that it gave before with what comes next.
    """
    return hashlib.sha256("".join([str(token), *(line["item"] for line in lines)]).encode()).hexdigest()[:16]


def failure(end: End | None, number: int, page_errors: int) -> errors.PageturnerError | None:
    """Return the error of a listing that ended with page `number` without being what the crawl asks for, or None."""
    if end == "repeated":
        return errors.RepeatedTokenError(
            f"page {number} returned the same token that fetched it; the page was kept, but the listing cannot continue"
        )
    if end == "circle":
        return errors.RepeatedTokenError(
            f"page {number} returned the items and the token of an earlier page: the tokens go round in a circle, "
            f"and the listing cannot continue"
        )
    if end == "truncated":
        return errors.TruncatedListingError(
            f"page {number} says that there are more, but has no token that fetches them; the page was kept"
        )
    if end in ("complete", "limited") and page_errors:
        return errors.PageErrorsError(
            f"the listing ended, but its answers had {count_of(page_errors, 'error')} beside their items, which the "
            f"manifest has under errors_in_pages; to accept such errors, add their codes to ignore_errors"
        )
    return None
