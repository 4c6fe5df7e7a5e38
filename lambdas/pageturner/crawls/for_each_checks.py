"""Checks the expressions of `for_each`, which apply to the items of another crawl, as these are kept."""

from __future__ import annotations

from collections.abc import Iterator

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.expression_checks import TEXT, for_each_expressions, parameter_shapes, wrong_expression
from pageturner.crawls.redacted_shapes import redacted_item
from pageturner.paging.expression_shapes import Structure


def wrong_for_each(crawl: Crawl, source: Crawl) -> Iterator[str]:
    """Yield what is wrong with the expressions of `for_each`, which apply to the items of `source`."""
    if crawl.for_each is None:
        return
    if source.since is not None:
        yield f"crawl: a run of {source.name} lists only what is new, so targets for all other items would be missing"
    about = Structure(
        {
            "item": redacted_item(source),
            **dict.fromkeys(("key", "account", "region"), TEXT),
            "parameters": Structure(dict(parameter_shapes(source))),
        }
    )
    for place, expression in for_each_expressions(crawl.for_each):
        yield from (f"{place}: {line}" for line in wrong_expression(expression, about))
