"""Finds where to split a listing of keys into ranges of about the same size.

Nothing says how the keys are distributed, so the tree of prefixes is explored, level by level, until it has several
times as many groups larger than a page as there will be parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# (key, most) → the first `most` keys after `key` (at most 1,000), and whether there are more.
KeysAfter = Callable[[str, int], tuple[Sequence[str], bool]]

_PAGE = 1000
_GROUPS_PER_PART = 8
_MOST_PROBES = 600
# A group larger than a page counts as this many keys.
_LARGE = 4 * _PAGE
_LAST = "\U0010ffff"


@dataclass(frozen=True)
class _Group:
    """The keys that begin with `prefix`. `size` is None if they are more than a page."""

    prefix: str
    size: int | None


class _Probes:
    def __init__(self, keys_after: KeysAfter) -> None:
        self._keys_after = keys_after
        self.left = _MOST_PROBES

    def page(self, prefix: str, after: str) -> tuple[Sequence[str], bool]:
        """Return a page of the keys after `after` that begin with `prefix`, and whether there are more of them."""
        self.left -= 1
        keys, more = self._keys_after(after, _PAGE)
        own = [key for key in keys if key.startswith(prefix)]
        return own, more and len(own) == len(keys)

    def first(self, prefix: str, after: str) -> str | None:
        """Return the first key after `after`, if it begins with `prefix`."""
        self.left -= 1
        keys, _ = self._keys_after(after, 1)
        return keys[0] if keys and keys[0].startswith(prefix) else None


def key_boundaries(keys_after: KeysAfter, prefix: str, count: int) -> list[str]:
    """Return at most `count` - 1 keys, in order, that divide the listing about evenly."""
    first, more = keys_after("", _PAGE)
    if not more:
        return sorted({first[len(first) * number // count - 1] for number in range(1, count) if len(first) >= count})
    probes = _Probes(keys_after)
    groups = [_Group(prefix, None)]
    while probes.left > 0 and 0 < sum(group.size is None for group in groups) < count * _GROUPS_PER_PART:
        expanded = [
            part
            for group in groups
            for part in ([group] if group.size is not None or probes.left <= 0 else _below(group, probes))
        ]
        if expanded == groups:
            break
        groups = expanded
    return _evenly(groups, count)


def _below(group: _Group, probes: _Probes) -> list[_Group]:
    """Return the groups one character further, after the longest prefix that the whole group shares."""
    found = probes.first(group.prefix, group.prefix)
    if found is None:
        return [_Group(group.prefix, 1)]
    prefix = after = _common_prefix(group.prefix, found, probes)
    groups: list[_Group] = []
    more = True
    while more and probes.left > 0:
        page, more = probes.page(prefix, after)
        sizes = Counter(key[: len(prefix) + 1] for key in page)
        # The last group may continue beyond the page.
        groups += [_Group(each, size) for each, size in sizes.items()]
        if more and groups:
            groups[-1] = _Group(groups[-1].prefix, None)
            # After a key that continues with the last Unicode character, the loop would not advance.
            more = groups[-1].prefix + _LAST > after
            after = groups[-1].prefix + _LAST
    return groups or [_Group(group.prefix, 1)]


def _common_prefix(prefix: str, key: str, probes: _Probes) -> str:
    """Return the longest prefix of `key`, the first key of a group, that all keys of the group share."""
    shortest, longest = len(prefix), len(key)
    while shortest < longest:
        middle = (shortest + longest + 1) // 2
        if probes.first(prefix, key[:middle] + _LAST):
            longest = middle - 1
        else:
            shortest = middle
    return key[:shortest]


def _evenly(groups: Sequence[_Group], count: int) -> list[str]:
    weights = [group.size if group.size is not None else _LARGE for group in groups]
    total, so_far = sum(weights), 0
    boundaries: list[str] = []
    for group, weight in zip(groups, weights, strict=True):
        # Every part except the first begins where a group begins.
        if so_far * count >= total * (len(boundaries) + 1):
            boundaries.append(group.prefix)
        so_far += weight
    return sorted(set(boundaries))[: count - 1]
