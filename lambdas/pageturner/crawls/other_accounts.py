"""Which other accounts the crawls of a catalogue read: for their permissions, before anything has run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pageturner.crawls.crawl import Crawl


@dataclass(frozen=True)
class OtherAccounts:
    """Accounts that are named, and whether others are found when a run is planned."""

    named: frozenset[str] = frozenset()
    found: bool = False

    def __bool__(self) -> bool:
        return bool(self.named) or self.found


def other_accounts(crawl: Crawl, catalogue: Mapping[str, Crawl]) -> OtherAccounts:
    """Return the accounts that a crawl chooses, or that its source does; the deployment's own can be among them."""
    if crawl.accounts:
        choice = crawl.account_choice
        return OtherAccounts(frozenset(choice.named) - frozenset(choice.not_named), crawl.asks_for_accounts)
    if crawl.for_each is None or crawl.source is None:
        return OtherAccounts()
    if "account" in crawl.for_each:
        return OtherAccounts(found=True)
    return other_accounts(catalogue[crawl.source], catalogue)
