"""An even sample of targets, which can be more than memory holds."""

from __future__ import annotations

from collections.abc import Iterable

from pageturner.page_state import Target

_TARGETS_SHOWN = 5
_MOST_CHOSEN = 16


def evenly_chosen(targets: Iterable[Target]) -> tuple[int, list[Target], list[Target], int]:
    """Return the number of targets, the first few, an even sample, and the number of accounts and regions.

    It does not keep all targets.
    """
    count, step = 0, 1
    first: list[Target] = []
    chosen: list[Target] = []
    places: set[tuple[str, str]] = set()
    for target in targets:
        places.add((target.account, target.region))
        if count < _TARGETS_SHOWN:
            first.append(target)
        if count % step == 0:
            chosen.append(target)
            if len(chosen) > _MOST_CHOSEN:
                chosen, step = chosen[::2], step * 2
        count += 1
    return count, first, chosen, max(1, len(places))
