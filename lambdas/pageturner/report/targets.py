"""The targets of a run, as its report shows them: the worst first, and all of them by account, region and operation."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.finish.in_words import why
from pageturner.finish.summary import is_as_wanted, is_elsewhere
from pageturner.finish.witness import in_words
from pageturner.messages import shortened, shown

Entry = Mapping[str, Any]
# So many are in a report at most: a megabyte or two. The manifest has all.
MOST_TARGETS = 5_000
# So many accounts, regions, or operations, and so many targets that were throttled.
MOST_GROUPS, MOST_THROTTLED = 50, 10
_LONGEST_WHY = 300
_VERDICTS = ("failed", "denied", "endless", "unfinished", "absent", "limited", "complete")
COLUMNS = (
    *("state", "verdict", "account", "region", "operation", "parameters", "items", "pages", "bytes", "seconds"),
    *("throttles", "restarts", "witness", "agrees", "why", "target_id"),
)
# What a target is in the report: not as the crawl asks; worth a look; absent where nobody expects the service; fine.
SHORT, NOTED, ELSEWHERE, FINE = "short", "noted", "elsewhere", "fine"
_STATES = (SHORT, NOTED, ELSEWHERE, FINE)


@dataclass
class Group:
    """What the targets of an account, a region, or an operation come to."""

    targets: int = 0
    short: int = 0
    elsewhere: int = 0
    pages: int = 0
    items: int = 0
    bytes: int = 0
    throttles: int = 0

    def add(self, entry: Entry, state: str) -> None:
        """Add a target."""
        self.targets += 1
        self.short += state == SHORT
        self.elsewhere += state == ELSEWHERE
        for name in ("pages", "items", "bytes", "throttles"):
            setattr(self, name, getattr(self, name) + entry[name])


@dataclass
class Targets:
    """Takes the entries of a run's targets, one by one, and keeps the worst of them. `region` is the deployment's."""

    crawl: Crawl
    region: str
    most: int = MOST_TARGETS
    total: int = 0
    groups: dict[str, dict[str, Group]] = field(default_factory=lambda: {"account": {}, "region": {}, "operation": {}})
    # The best of those that are kept is on top.
    _worst: list[tuple[tuple[int, ...], list[Any]]] = field(default_factory=list)
    _throttled: list[tuple[int, int, list[Any]]] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Add a target."""
        crawl = self.crawl.of(entry.get("service", ""), entry.get("operation", ""))
        state = _state(crawl, entry, self.region)
        operation = f"{crawl.service}:{crawl.operation}"
        for kind, name in (("account", entry["account"]), ("region", entry["region"]), ("operation", operation)):
            self.groups[kind].setdefault(name, Group()).add(entry, state)
        self.total += 1
        badness = (
            -_STATES.index(state),
            -_VERDICTS.index(entry["verdict"]),
            entry["throttles"],
            entry["restarts"],
            -self.total,
        )
        if len(self._worst) < self.most:
            heapq.heappush(self._worst, (badness, _row(crawl, entry, state, operation)))
        elif badness > self._worst[0][0]:
            heapq.heapreplace(self._worst, (badness, _row(crawl, entry, state, operation)))
        if entry["throttles"]:
            self._add_throttled(entry, operation)

    def rows(self, *, elsewhere_is_short: bool) -> list[list[Any]]:
        """Return the `COLUMNS` of the worst targets, the worst first."""
        found = [row for _, row in sorted(self._worst, key=lambda each: each[0], reverse=True)]
        if elsewhere_is_short:
            return [[SHORT if row[0] == ELSEWHERE else row[0], *row[1:]] for row in found]
        return found

    def throttled(self) -> list[list[Any]]:
        """Return the targets that were throttled most: what they are, how often, and what the service said last."""
        return [row for *_, row in sorted(self._throttled, key=lambda each: each[:2], reverse=True)]

    def grouped(self, kind: str, *, elsewhere_is_short: bool) -> dict[str, Any]:
        """Return the groups of a kind, those with targets that are not as wanted first; and what the `others` have."""
        if elsewhere_is_short:
            groups = {name: replace(of, short=of.short + of.elsewhere) for name, of in self.groups[kind].items()}
        else:
            groups = self.groups[kind]
        ranked = sorted(groups.items(), key=lambda each: (-each[1].short, -each[1].items, each[0]))
        others = Group()
        for _, group in ranked[MOST_GROUPS:]:
            for name, value in vars(group).items():
                setattr(others, name, getattr(others, name) + value)
        return {
            "rows": [{"name": name, **vars(group)} for name, group in ranked[:MOST_GROUPS]],
            "others": {"count": len(ranked[MOST_GROUPS:]), **vars(others)},
        }

    def _add_throttled(self, entry: Entry, operation: str) -> None:
        what = [entry["account"], entry["region"], operation, _parameters(entry), entry["throttles"]]
        ranked = (entry["throttles"], -self.total, [*what, entry["last_throttle"]])
        if len(self._throttled) < MOST_THROTTLED:
            heapq.heappush(self._throttled, ranked)
        else:
            heapq.heappushpop(self._throttled, ranked)


def interned(rows: list[list[Any]]) -> tuple[list[str], list[list[Any]]]:
    """Return the texts of rows, each once, and the rows with the number of its text in place of each."""
    numbers: dict[str, int] = {}
    texts = [position for position, name in enumerate(COLUMNS) if name not in _NUMBERS]
    packed = [list(row) for row in rows]
    for row in packed:
        for position in texts:
            row[position] = numbers.setdefault(row[position], len(numbers))
    return list(numbers), packed


_NUMBERS = ("items", "pages", "bytes", "seconds", "throttles", "restarts", "agrees")


def _state(crawl: Crawl, entry: Entry, region: str) -> str:
    if is_elsewhere(crawl, entry, region):
        return NOTED if is_as_wanted(crawl, entry) else ELSEWHERE
    if not is_as_wanted(crawl, entry):
        return SHORT
    witness = entry.get("witness")
    disagrees = witness is not None and witness["agrees"] is False
    return NOTED if disagrees or entry["verdict"] != "complete" else FINE


def _row(crawl: Crawl, entry: Entry, state: str, operation: str) -> list[Any]:
    witness = entry.get("witness") or {}
    said = in_words(witness) if witness.get("count") is not None else witness.get("why", "")
    explains = state in (SHORT, ELSEWHERE) or "error" in entry
    return [
        *(state, entry["verdict"], entry["account"], entry["region"], operation, _parameters(entry)),
        *(entry["items"], entry["pages"], entry["bytes"], round(entry["milliseconds"] / 1000, 3)),
        *(entry["throttles"], entry["restarts"], said, witness.get("agrees")),
        *(shortened(why(crawl, entry), _LONGEST_WHY) if explains else "", entry["target_id"]),
    ]


def _parameters(entry: Entry) -> str:
    words = [shown(entry["parameters"])] if entry["parameters"] else []
    if (part := entry.get("part")) and part["count"] > 1:
        words.append(f"part {part['number']} of {part['count']}")
    return ", ".join(words)
