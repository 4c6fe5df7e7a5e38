"""What the input of an execution may say where only the catalogue decides what is read."""

from __future__ import annotations

from collections.abc import Iterable

from pageturner.errors import InvalidCrawlError
from pageturner.messages import listed
from pageturner.paging.paginators import STATED

# The keys of a crawl that decide what is read, and where. Those of tokens name parameters that are set, too.
READING_KEYS = (
    *("service", "operation", "operations", "except", "parameters", "for_each", "since", "detail"),
    *("regions", "accounts", "organizational_units", "account_tags"),
    *STATED,
)


def refuse_other_reads(document: object, names: Iterable[str]) -> None:
    """Raise `InvalidCrawlError` if an input says what is read other than by the name of one of the crawls."""
    asked = [key for key in READING_KEYS if isinstance(document, dict) and key in document]
    if asked:
        raise InvalidCrawlError(
            f"input.{asked[0]}: this deployment reads only what its catalogue names, so that an input cannot set "
            f'{listed(asked)}; start a crawl by its name, like {{"crawl": "a-name"}} (available: {listed(names)}), add '
            f"one to the catalogue, or deploy with the setting adhoc_crawls=true"
        )
