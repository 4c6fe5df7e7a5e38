"""Whether someone else counts what a crawl lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pageturner.crawls.bindings import literal_bindings
from pageturner.crawls.crawl import Crawl
from pageturner.paging.paginators import STATED
from pageturner.paging.witnesses import Witness, witness_of


def lists_all(crawl: Crawl) -> bool:
    """Return whether a crawl's items are those that the operation lists, from the first to the last.

    `search` makes other items, and so can a paginator that the crawl states.
    """
    limited = {"MaxItems", "StartingToken"} & crawl.pagination_config.keys()
    return (
        crawl.search is None
        and crawl.since is None
        and not limited
        and not any(getattr(crawl, name) is not None for name in STATED)
    )


def witness_of_listing(crawl: Crawl, parameters: Mapping[str, Any]) -> Witness | None:
    """Return who else counts the listing of a crawl with these parameters, or None."""
    if not lists_all(crawl):
        return None
    return witness_of(crawl.service, crawl.operation, parameters, crawl.paginator.definition.get("limit_key"))


def witness_of_crawl(crawl: Crawl) -> Witness | None:
    """Return who can be asked about targets of a crawl, or None if nobody can be about any of them."""
    bindings: Iterable[Mapping[str, Any]] = [{}]
    if crawl.for_each is not None:
        bindings = [crawl.for_each.get("parameters", {})] if crawl.source else literal_bindings(crawl.for_each)
    found = (witness_of_listing(crawl, {**crawl.parameters, **bound}) for bound in bindings)
    return next((witness for witness in found if witness is not None), None)
