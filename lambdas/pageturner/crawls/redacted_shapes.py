"""The shapes of answers and items in which it is marked what is redacted: no other expression may need that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.detail import VALUE, Detail, detailed_shape
from pageturner.crawls.expression_checks import item_shape
from pageturner.crawls.secret_fields import HASHED, secret_fields
from pageturner.messages import shown
from pageturner.paging import api
from pageturner.paging.expression_shapes import Redacted, Structure, with_redacted
from pageturner.paging.expressions import named_field
from pageturner.paging.paginators import STATED
from pageturner.paging.redaction import WAYS

# What may not be a key: all items would have the same.
NO_KEYS = ("drop", "mask")
_DONE = {"drop": "dropped", "mask": "masked", "hash": "hashed"}


def answer_shape(service: str, operation: str, kept: Iterable[str], ways: Iterable[str] = WAYS) -> Any:
    """Return the shape of an operation's answers, with what is redacted in these `ways` by default."""
    shape: Any = api.operation_model(service, operation).output_shape
    for name, paths in secret_fields(service, operation).items():
        for path in paths if name not in kept else ():
            way = "hash" if path.startswith(HASHED) else "mask"
            field = named_field(path.removeprefix(HASHED), in_lists=True)
            if field is not None and way in ways:
                said = f"{_DONE[way]} by default; if it has to be in clear, add {shown(name)} to redact.keep"
                shape = with_redacted(field, shape, Redacted(said))
    return shape


def redacted_item(crawl: Crawl, ways: Iterable[str] = WAYS, *, by_crawl: bool = True) -> Any:
    """Return the shape of a crawl's items with their details, with what is redacted in these `ways`."""
    whole = crawl.as_dict()
    stated = {name: whole[name] for name in STATED if name in whole}
    answer = answer_shape(crawl.service, crawl.operation, crawl.defaults_kept, ways)
    item = item_shape(crawl.service, crawl.operation, stated, crawl.search, answer)
    if crawl.details and item is not None:
        item = Structure({**_members(item), **dict(_details(crawl.details, crawl.defaults_kept, ways))})
    elif crawl.details:
        item = None
    for way in ways if by_crawl else ():
        for path in crawl.redact.get(way, ()):
            if (field := named_field(path)) is not None:
                item = with_redacted(field, item, Redacted(f"{_DONE[way]} by redact.{way}"))
    return item


def _members(item: Any) -> dict[str, Any]:
    found = detailed_shape(item, ())
    return dict(found.members) if getattr(found, "type_name", None) == "structure" else {VALUE: item}


def _details(details: Iterable[Detail], kept: Iterable[str], ways: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for each in details:
        yield each.name, each.shape_in(answer_shape(each.service, each.operation, kept, ways))
