"""Checks how a crawl chooses accounts; `plan.organization` finds out whether there are such accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pageturner.crawls.choice import of_accounts
from pageturner.messages import shown


def check_accounts(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    """Yield what is wrong with `accounts`, and with what chooses among them."""
    accounts = entry.get("accounts", ())
    choice = of_accounts(accounts)
    for key, such in (("organizational_units", "units"), ("account_tags", "tags")):
        if key in entry and not choice.patterns:
            yield (
                f'{place}.{key}: requires "accounts: organization", or names in accounts: accounts that are listed by '
                f"id are read whatever their {such}"
            )
    left = [account for account in choice.named if account not in choice.not_named]
    if accounts and ("*" in choice.not_matching or not (choice.patterns or left)):
        yield f"{place}.accounts: invalid value {shown(accounts)}; the exceptions leave no account; remove some of them"
