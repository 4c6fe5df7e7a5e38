"""Checks what starts a crawl of the catalogue: its schedule, or the end of another crawl's run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.schedules import wrong_schedule, wrong_timezone
from pageturner.messages import nearest, shown


def check_start(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    """Yield what is wrong with the keys of an entry that say when it runs."""
    if "schedule" in entry:
        yield from (f"{place}.schedule: {line}" for line in wrong_schedule(entry["schedule"]))
    if "after" in entry:
        if "schedule" in entry:
            yield f"{place}.after: one thing starts a crawl, and this one has a schedule too; remove one of the two"
        for key in ("timezone", "flexible_time_window"):
            if key in entry:
                yield f"{place}.{key}: what starts after another crawl has no time of its own; remove it"
    elif "flexible_time_window" in entry and "schedule" not in entry:
        yield f"{place}.flexible_time_window: is a part of a schedule, and there is none; add one, or remove this"
    if wrong := wrong_timezone(entry.get("timezone", "UTC")):
        yield f"{place}.timezone: {wrong}"


def wrong_after(crawls: Mapping[str, Crawl]) -> Iterator[str]:
    """Yield a line for each crawl that starts after one that is not in the catalogue, or, in the end, after itself."""
    for name, crawl in crawls.items():
        place = f"crawls.{name}.after"
        if crawl.after is not None and crawl.after not in crawls:
            yield f"{place}: {shown(crawl.after)} is not in the catalogue{nearest(crawl.after, crawls)}"
        elif crawl.after == name:
            yield f"{place}: it would start itself, again and again; name another crawl"
        elif (chain := _chain(crawl, crawls))[-1] == name and len(chain) > 1:
            yield f"{place}: circular reference: {' → '.join(chain)}; a crawl of them needs another start"


def _chain(crawl: Crawl, crawls: Mapping[str, Crawl]) -> list[str]:
    """Return the name of a crawl, of the one after which it starts, and so on, until one has none, or comes twice."""
    chain = [crawl.name]
    while (after := crawls[chain[-1]].after) is not None and after in crawls:
        chain.append(after)
        if after in chain[:-1]:
            break
    return chain
