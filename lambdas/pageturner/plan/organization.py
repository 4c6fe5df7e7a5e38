"""Which accounts of the organization a crawl chooses: by name, organizational unit, tag and exception."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pageturner.crawls.choice import matches
from pageturner.crawls.crawl import Crawl
from pageturner.errors import InvalidCrawlError, ThrottledError
from pageturner.messages import count_of, shown
from pageturner.paging.error_meanings import from_service_error

# AWS Organizations throttles whoever asks for the tags of many accounts, one after another.
_MOST_WAITS, _WAIT_SECONDS = 60, 1.0


@dataclass(frozen=True)
class Organization:
    """Chooses accounts. `organizations` is boto3's client; its errors are raised as they come."""

    organizations: Any

    def chosen(self, crawl: Crawl) -> list[str]:
        """Return the accounts of `crawl`, those first that it names. These stay as they are, unless it excepts them.

        Raises `InvalidCrawlError` if something chooses no account: nobody would notice that it is missing.
        """
        choice = crawl.account_choice
        names = dict(self._active())
        inside = self._inside(crawl, names)
        where = "the organization" + (", in organizational_units," if crawl.organizational_units else "")
        for pattern in choice.patterns:
            if not any(matches(names[account], pattern) for account in inside):
                raise InvalidCrawlError(
                    f"accounts: no active account of {where} has a name like {shown(pattern)}; AWS Organizations has "
                    f"the names, and upper case differs from lower case"
                )
        chosen = [
            account
            for account in [*choice.named, *(each for each in inside if each not in choice.named)]
            if (account in choice.named or choice.chooses(names[account]))
            and not choice.excepts(account, names.get(account, ""))
        ]
        tagged = [account for account in chosen if account in choice.named or self._has_tags(account, crawl)]
        if not chosen:
            raise InvalidCrawlError(f"accounts: {shown(crawl.accounts)} leaves no account; remove exceptions")
        if crawl.account_tags and set(tagged) <= set(choice.named):
            raise InvalidCrawlError(
                f"account_tags: none of {count_of(len(chosen), 'account')} has the tags {shown(crawl.account_tags)}; "
                f"upper case differs from lower case"
            )
        return tagged

    def _active(self) -> Iterator[tuple[str, str]]:
        for page in self.organizations.get_paginator("list_accounts").paginate():
            # State replaces Status, which is being retired (Organizations API Reference, Account).
            yield from (
                (account["Id"], account["Name"])
                for account in page["Accounts"]
                if account.get("State", account.get("Status")) == "ACTIVE"
            )

    def _inside(self, crawl: Crawl, names: Mapping[str, str]) -> list[str]:
        """Return those accounts that are in the units of `crawl`, at any depth, and in none that it excepts."""
        units = [unit for unit in crawl.organizational_units if not unit.startswith("!")]
        excepted = self._below([unit[1:] for unit in crawl.organizational_units if unit.startswith("!")])
        below = self._below(units) if units else set(names)
        return [account for account in names if account in below and account not in excepted]

    def _below(self, units: list[str]) -> set[str]:
        found: set[str] = set()
        seen: set[str] = set()
        while units:
            if (unit := units.pop(0)) in seen:
                continue
            seen.add(unit)
            for page in self.organizations.get_paginator("list_accounts_for_parent").paginate(ParentId=unit):
                found.update(account["Id"] for account in page["Accounts"])
            pages = self.organizations.get_paginator("list_organizational_units_for_parent").paginate(ParentId=unit)
            units += [below["Id"] for page in pages for below in page["OrganizationalUnits"]]
        return found

    def _has_tags(self, account: str, crawl: Crawl) -> bool:
        if not crawl.account_tags:
            return True
        tags = self._tags(account)
        return all(key in tags and matches(tags[key], value) for key, value in crawl.account_tags.items())

    def _tags(self, account: str) -> dict[str, str]:
        for _ in range(_MOST_WAITS):
            try:
                return self._tags_at_once(account)
            except ClientError as error:
                if not isinstance(from_service_error(error), ThrottledError):
                    raise
                # PlanRun would begin anew with the first account, and be throttled at the same one.
                time.sleep(_WAIT_SECONDS)
        return self._tags_at_once(account)

    def _tags_at_once(self, account: str) -> dict[str, str]:
        pages = self.organizations.get_paginator("list_tags_for_resource").paginate(ResourceId=account)
        return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
