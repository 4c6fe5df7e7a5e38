"""A list of names, patterns and exceptions, as `regions` and `accounts` are: what it names, and what it looks up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Choice:
    """What a list says. `named` is chosen as it is; `patterns` choose among what is looked up.

    Exceptions take away from both: `not_named` by name, and `not_matching` by pattern.
    """

    named: tuple[str, ...]
    patterns: tuple[str, ...]
    not_named: tuple[str, ...]
    not_matching: tuple[str, ...]

    def chooses(self, label: str) -> bool:
        """Whether a pattern matches."""
        return any(matches(label, pattern) for pattern in self.patterns)

    def excepts(self, name: str, label: str) -> bool:
        """Whether an exception has this name, or matches this label, which can be something else than the name."""
        return name in self.not_named or any(matches(label, pattern) for pattern in self.not_matching)


def of_regions(entries: Iterable[str]) -> Choice:
    """The choice of `regions`: what has no wildcard names a region."""
    return _choice(entries, "all", lambda entry: not set("*?") & set(entry))


def of_accounts(entries: Iterable[str] | str) -> Choice:
    """The choice of `accounts`: ids name accounts. All else is a pattern of an account's name in AWS Organizations."""
    return _choice((entries,) if isinstance(entries, str) else entries, "organization", str.isdecimal)


def matches(label: str, pattern: str) -> bool:
    """Whether a text matches a pattern with `*` and `?`. No other character is special."""
    return fnmatchcase(label, pattern.replace("[", "[[]"))


def _choice(entries: Iterable[str], everything: str, is_name: Callable[[str], bool]) -> Choice:
    chosen = [entry for entry in entries if not entry.startswith("!")]
    exceptions = [entry[1:] for entry in entries if entry.startswith("!")]
    if exceptions and not chosen:
        chosen = [everything]

    def split(of: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        names = tuple(entry for entry in of if is_name(entry) and entry != everything)
        return names, tuple("*" if entry == everything else entry for entry in of if entry not in names)

    return Choice(*split(chosen), *split(exceptions))
