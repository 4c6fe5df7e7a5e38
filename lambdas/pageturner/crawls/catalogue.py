"""What a catalogue and an execution's input say, as crawls.

Used when the app is synthesized, for the whole catalogue, and when a run is planned, for the execution input. Every
message names the place, the value and what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from pageturner.crawls.checks import problems
from pageturner.crawls.crawl import SCHEDULE_KEYS, Crawl
from pageturner.errors import InvalidCrawlError
from pageturner.messages import listed, nearest, shown
from pageturner.paging.paginators import STATED

# Part of S3 keys, of DynamoDB keys and of the schedule's name (64 characters).
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}")
# Crawls that are typed into the console get a name of their own, so that they never mix with the catalogue's.
ADHOC_PREFIX = "adhoc-"
# What decides what of a page is an item, and which item it is.
_ITEM_KEYS = {"search", "key", *STATED}
_KEYS = tuple(f.name for f in fields(Crawl) if f.name != "name")


def parse_catalogue(document: object) -> dict[str, Crawl]:
    """Return the crawls of a catalogue (the parsed YAML or JSON of ``crawls.yaml``) by name.

    Raises `InvalidCrawlError` with a line for everything that is wrong.
    """
    if not isinstance(document, Mapping) or set(document) != {"crawls"} or not isinstance(document["crawls"], Mapping):
        raise InvalidCrawlError('the catalogue has one key at the top, "crawls", and under it a crawl for each name')
    crawls: dict[str, Crawl] = {}
    wrong: list[str] = []
    for name, entry in document["crawls"].items():
        try:
            crawls[str(name)] = _parse_crawl(name, entry, f"crawls.{name}")
        except InvalidCrawlError as error:
            wrong.append(str(error))
    if not wrong:
        wrong = [line for name, crawl in crawls.items() for line in _check_chain(crawl, crawls, f"crawls.{name}")]
    if wrong:
        raise InvalidCrawlError("\n".join(wrong))
    return crawls


def parse_resume(document: object) -> str | None:
    """Return the run that an input like ``{"resume": "<run_id>"}`` names, or None for another one.

    Raises `InvalidCrawlError`.
    """
    if not isinstance(document, Mapping) or "resume" not in document:
        return None
    run_id = document["resume"]
    if len(document) > 1 or not isinstance(run_id, str) or not run_id:
        raise InvalidCrawlError(f'the input {shown(document)} must be {{"resume": "<run_id>"}} and nothing else')
    return run_id


def parse_dry_run(document: object) -> tuple[bool, object]:
    """Return whether an input asks for a dry run, and the input without that. Raises `InvalidCrawlError`."""
    if not isinstance(document, Mapping) or "dry_run" not in document:
        return False, document
    if not isinstance(document["dry_run"], bool):
        raise InvalidCrawlError(f"input.dry_run: {shown(document['dry_run'])} must be true or false")
    return document["dry_run"], {key: value for key, value in document.items() if key != "dry_run"}


def parse_input(document: object, catalogue: Mapping[str, Crawl]) -> Crawl:
    """Return the crawl that an execution's input asks for.

    ``{"crawl": name}`` takes it from the catalogue; ``{"service": …, "operation": …}`` needs none. All other keys of
    a crawl can be given too; `parameters` and `pagination_config` are merged with the catalogue's.
    Raises `InvalidCrawlError`.
    """
    if not isinstance(document, Mapping):
        raise InvalidCrawlError(f'the input is {shown(document)}; it must be a JSON object like {{"crawl": "a-name"}}')
    asked = {str(key): value for key, value in document.items()}
    name = asked.pop("crawl", None)
    allowed = [key for key in _KEYS if key not in SCHEDULE_KEYS]
    entry: dict[str, Any] = {}
    if name is None:
        if not {"service", "operation"} & asked.keys():
            raise InvalidCrawlError(
                f'the input {shown(document)} names no crawl; give {{"crawl": "a-name"}} with a name of the catalogue '
                f'({listed(catalogue)}), or {{"service": "…", "operation": "…"}}'
            )
        name = ADHOC_PREFIX + f"{asked.get('service')}-{asked.get('operation')}"
    elif not isinstance(name, str) or name not in catalogue:
        raise InvalidCrawlError(f"input.crawl: {shown(name)} is not in the catalogue{nearest(name, catalogue)}")
    else:
        entry = {key: value for key, value in catalogue[name].as_dict().items() if key != "name"}
    _refuse_unknown_keys(asked, allowed, "input", ["crawl", "dry_run", "resume"])
    for key, value in asked.items():
        merged = key in ("parameters", "pagination_config") and isinstance(value, Mapping)
        entry[key] = {**entry.get(key, {}), **value} if merged else value
    if name in catalogue and asked.keys() & _ITEM_KEYS and "stale_items" not in asked:
        # Other items than the catalogue's crawl has do not make those stale.
        entry["stale_items"] = "keep"
    crawl = _parse_crawl(name, entry, "input")
    if wrong := _check_chain(crawl, {**catalogue, name: crawl}, "input"):
        raise InvalidCrawlError("\n".join(wrong))
    return crawl


def _parse_crawl(name: object, entry: object, place: str) -> Crawl:
    if not isinstance(name, str) or not (_NAME.fullmatch(name) or name.startswith(ADHOC_PREFIX)):
        raise InvalidCrawlError(
            f"{place}: the name {shown(name)} must be 1 to 48 letters, digits, hyphens and underscores"
        )
    if place != "input" and name.startswith(ADHOC_PREFIX):
        raise InvalidCrawlError(f'{place}: names that begin with "{ADHOC_PREFIX}" are for crawls from the console')
    if not isinstance(entry, Mapping):
        raise InvalidCrawlError(f'{place}: {shown(entry)} must be an object with at least "service" and "operation"')
    _refuse_unknown_keys(entry, _KEYS, place)
    if wrong := list(problems(entry, place)):
        raise InvalidCrawlError("\n".join(wrong))
    return Crawl.from_dict({"name": name, **entry})


def _refuse_unknown_keys(entry: Mapping[Any, Any], known: Iterable[str], place: str, more: Iterable[str] = ()) -> None:
    names = [*more, *known]
    if unknown := [key for key in entry if key not in names]:
        raise InvalidCrawlError(
            "\n".join(f"{place}.{key}: is not a key of a crawl{nearest(key, names)}" for key in unknown)
        )


def _check_chain(crawl: Crawl, catalogue: Mapping[str, Crawl], place: str) -> list[str]:
    """The chain of crawls that each have a target for each item of the next one: it is to end, in the catalogue."""
    chain = [crawl.name]
    source = crawl.source
    while source is not None:
        if source not in catalogue:
            of = "" if len(chain) == 1 else f", of {chain[-1]},"
            return [f"{place}.for_each.crawl: {shown(source)}{of} is not in the catalogue{nearest(source, catalogue)}"]
        if source in chain:
            return [f"{place}.for_each.crawl: it comes back to itself: {' → '.join([*chain, source])}"]
        chain.append(source)
        source = catalogue[source].source
    return []
