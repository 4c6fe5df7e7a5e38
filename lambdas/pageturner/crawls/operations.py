"""`operations`: a crawl of several operations, by name, by pattern, or the inventory of an account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.inventory import OWN, inventory, without_parameters
from pageturner.crawls.operation_checks import wrong_operation
from pageturner.crawls.redact_checks import wrong_shared_redact
from pageturner.messages import listed, nearest, shown
from pageturner.paging import api
from pageturner.paging.paginators import paginator_of

INVENTORY = "inventory"
Operation = tuple[str, str]
# What all operations of a crawl can share. The other keys are about the parameters, the pages or the items of one.
_SHARED = {
    *("operations", "except", "regions", "accounts", "organizational_units", "account_tags"),
    *("max_pages", "max_pages_per_second", "pace", "max_concurrency", "deadline_hours", "overlap"),
    *("tolerate", "ignore_errors", "stale_items", "allow_empty", "mistrust", "sinks", "time_to_live", "redact"),
    *("schedule", "timezone", "enabled"),
}


def plain_crawls(crawl: Crawl) -> Iterator[Crawl]:
    """Yield the crawl of each operation of a crawl: itself, if it has one operation.

    What a pattern or the inventory has chosen lists what belongs to the account, where the operation can tell.
    """
    if not crawl.operations:
        yield crawl
        return
    for (service, operation), is_named in chosen(crawl.operations, crawl.except_).items():
        yield crawl.of(service, operation, {} if is_named else OWN.get((service, operation), {}))


def chosen(operations: Iterable[str], but: Iterable[str]) -> dict[Operation, bool]:
    """Return the operations, in order, and whether each is there by its name."""
    found: dict[Operation, bool] = {}
    for text in [operations] if isinstance(operations, str) else operations:
        found |= {each: found.get(each, False) or not _is_pattern(text) for each in _matching(text)}
    taken = {each for text in but for each in (_matching(text) if _is_pattern(text) else [_named(text)])}
    return {each: found[each] for each in sorted(found.keys() - taken)}


def wrong_operations(entry: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield what is wrong with the `operations` of an entry, and with the keys beside them."""
    if "operations" not in entry:
        if "except" in entry:
            yield f"{place}.except: takes away from operations, which are not set; remove it"
        return
    for key in entry.keys() - _SHARED:
        yield (
            f"{place}.{key}: not with operations, because it would have to be that of each of them; "
            f"make a crawl of its own for what needs it"
        )
    yield from (f"{place}.redact{line}" for line in wrong_shared_redact(entry.get("redact", {})))
    texts = [entry["operations"]] if isinstance(entry["operations"], str) else entry["operations"]
    wrong = [f"{place}.operations: {line}" for text in texts for line in _wrong(text)]
    yield from wrong
    if wrong:
        return
    found = chosen(texts, ())
    for text in entry.get("except", ()):
        if not found.keys() & set(_matching(text)):
            yield f"{place}.except: {shown(text)} takes away none of the operations{_near(text, found)}"
    if not chosen(texts, entry.get("except", ())):
        yield f"{place}.except: takes away all of the operations"


def _matching(text: str) -> list[Operation]:
    if text == INVENTORY:
        return list(inventory())
    if not _is_pattern(text):
        return [_named(text)]
    service, operation = _named(text)
    candidates = without_parameters() if any(each in service for each in "*?") else without_parameters(service)
    return [each for each in candidates if fnmatchcase(each[0], service) and fnmatchcase(each[1], operation)]


def _is_pattern(text: str) -> bool:
    return text == INVENTORY or any(each in text for each in "*?")


def _named(text: str) -> Operation:
    service, _, operation = text.partition(":")
    return service, operation


def _wrong(text: str) -> Iterator[str]:
    if _is_pattern(text):
        if not _matching(text):
            names = {":".join(each) for each in without_parameters()}
            yield f"{shown(text)} matches no operation that can be crawled without parameters{_near(text, names)}"
        return
    service, operation = _named(text)
    if (service, operation) in without_parameters(service):
        return
    if wrong := wrong_operation(service, operation):
        yield f"{shown(text)}: {wrong[1]}"
    else:
        paginator, shape = paginator_of(service, operation, {}), api.operation_model(service, operation).input_shape
        needs = f"it requires {listed(shape.required_members)}" if shape is not None else ""
        reason = paginator.refused or paginator.missing or needs
        yield f"{shown(text)}: {reason}; make a crawl of its own for it" if reason else f"{shown(text)} is unknown"


def _near(text: str, known: Iterable[Any]) -> str:
    return nearest(text, [each if isinstance(each, str) else ":".join(each) for each in known])
