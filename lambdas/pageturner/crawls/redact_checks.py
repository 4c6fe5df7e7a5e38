"""Checks what a crawl redacts, and that no other expression of it needs what is redacted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.detail import VALUE
from pageturner.crawls.expression_checks import wrong_expression
from pageturner.crawls.redacted_shapes import NO_KEYS, redacted_item
from pageturner.crawls.secret_fields import DEFAULTS, secret_fields
from pageturner.errors import InvalidCrawlError
from pageturner.messages import nearest, shown
from pageturner.paging.expression_shapes import Structure, redacted_in
from pageturner.paging.expressions import named_field
from pageturner.paging.identity import keys_of
from pageturner.paging.paginators import STATED
from pageturner.paging.redaction import WAYS

# The keys that make other fields of a crawl's items, which its `redact` does not name.
_OTHER_FIELDS = {"service", "operation", "operations", "except", "search", "detail", *STATED}


def wrong_redact(crawl: Crawl) -> Iterator[str]:
    """Yield what is wrong with the `redact` of a crawl of one operation, whose other keys are right."""
    yield from _wrong_keep(crawl)
    paths = [(way, path) for way in WAYS for path in crawl.redact.get(way, ())]
    for path, times in Counter(path for _, path in paths).items():
        if times > 1:
            yield f": {shown(path)} is there {times} times; a field is redacted in one way"
    item, are_right = _with_named_members(crawl), True
    for way, path in paths:
        wrong = list(wrong_expression(path, item))
        yield from (f".{way}: {line}" for line in wrong)
        if wrong:
            are_right = False
        elif named_field(path) is None:
            yield (
                f".{way}: {shown(path)} does not name a field of the item; it must end in a field's name, and can have "
                "names, indexes, [], [*], * and filters before it, like \"Tags[?Key=='owner'].Value\""
            )
        elif way == "drop" and path in (each.name for each in crawl.details):
            yield f".drop: {shown(path)} is a detail; remove the detail instead"
    if are_right:
        yield from _wrong_key(crawl)


def _wrong_keep(crawl: Crawl) -> Iterator[str]:
    asked = [(crawl.service, crawl.operation), *((each.service, each.operation) for each in crawl.details)]
    of_these = {name for each in asked for name in secret_fields(*each)}
    for name in crawl.defaults_kept:
        if name not in DEFAULTS:
            yield f".keep: {shown(name)} is not redacted by default{nearest(name, DEFAULTS)}"
        elif name not in of_these:
            what = " and ".join(" ".join(each) for each in asked)
            yield f".keep: {shown(name)} redacts nothing in what {what} answers; remove it"


def wrong_shared_redact(redact: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the `redact` of a crawl of several operations, which has no fields in common."""
    for way in WAYS:
        if way in redact:
            yield f".{way}: not with operations, whose items have no fields in common; make a crawl of its own for it"
    for name in redact.get("keep", ()):
        if name not in DEFAULTS:
            yield f".keep: {shown(name)} is not redacted by default{nearest(name, DEFAULTS)}"


def _with_named_members(crawl: Crawl) -> Any:
    """The shape of the items in which defaults are marked. An item that is no structure has no field to redact."""
    item = redacted_item(crawl, by_crawl=False)
    if not crawl.details or item is None:
        return item
    is_value = set(item.members) == {VALUE, *(each.name for each in crawl.details)}
    return Structure({name: its for name, its in item.members.items() if not (is_value and name == VALUE)})


def _wrong_key(crawl: Crawl) -> Iterator[str]:
    """Yield what is wrong if all items would have the same key."""
    definition = crawl.paginator.definition
    if "result_key" not in definition:
        return
    identity = keys_of(crawl.service, crawl.operation, definition, crawl.key, crawl.search)[crawl.primary_result_key]
    if (
        identity is not None
        and identity.unique
        and (redacted := redacted_in(identity.expression, redacted_item(crawl, NO_KEYS)))
    ):
        yield (
            f": {shown(identity.expression)} is the key of the items, and {redacted.said}; hash it, or set another key"
        )


def with_redact(asked: Mapping[str, Any], catalogued: Crawl | None) -> dict[str, Any]:
    """Return what an input asks for, with what the catalogue's crawl redacts: an input can only redact more.

    Raises `InvalidCrawlError`.
    """
    redact = asked.get("redact")
    if isinstance(redact, Mapping) and "keep" in redact:
        raise InvalidCrawlError("input.redact.keep: only the catalogue says what is not redacted; remove it")
    if catalogued is None or not catalogued.redact:
        return dict(asked)
    if others := sorted(asked.keys() & _OTHER_FIELDS):
        raise InvalidCrawlError(
            "\n".join(
                f"input.{key}: {catalogued.name} says what is redacted in its items, and these would be others; "
                f"make a crawl of its own for it"
                for key in others
            )
        )
    if redact is None:
        return {key: value for key, value in asked.items() if key != "redact"}
    if not isinstance(redact, Mapping) or not all(isinstance(paths, list) for paths in redact.values()):
        return dict(asked)  # which the schema refuses
    both = {**catalogued.redact, **{way: [*catalogued.redact.get(way, ()), *redact[way]] for way in redact}}
    return {**asked, "redact": both}
