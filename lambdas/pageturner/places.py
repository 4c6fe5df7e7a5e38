"""Where a crawl's targets are: accounts, of the organization if asked, and the regions of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from pageturner import api
from pageturner.crawl import ALL_REGIONS, ORGANIZATION, Crawl
from pageturner.errors import (
    SERVICE_ERRORS,
    InvalidCrawlError,
    PageturnerError,
    ThrottledError,
    TransientError,
    from_service_error,
)

# EC2 API Reference, Region: what OptInStatus says of a region that the account may use.
_ENABLED = ("opt-in-not-required", "opted-in")


@dataclass(frozen=True)
class Places:
    """Finds (account, region) pairs. `client` makes a client of a service in a region and, by role, an account."""

    client: Callable[[str, str, str], Any]
    account: str
    region: str

    def of(self, crawl: Crawl) -> Iterator[tuple[str, str]]:
        """Yield each place of `crawl`. Raises `InvalidCrawlError` where the organization cannot be read."""
        regions = cache(self._enabled_regions)
        for account in self._accounts(crawl):
            if crawl.regions == ALL_REGIONS:
                yield from ((account, region) for region in self._existing(crawl.service, account, regions))
            else:
                yield from ((account, region) for region in crawl.regions or (self.region,))

    def _existing(self, service: str, account: str, enabled: Callable[[str], frozenset[str]]) -> list[str]:
        known = api.regions_of(service, api.partition_of(self.region))
        # A global service has one listing, whichever region it is asked in.
        return [region for region in known if region in enabled(account)] if known else [self.region]

    def _enabled_regions(self, account: str) -> frozenset[str]:
        try:
            found = self.client("ec2", self.region, account).describe_regions(AllRegions=True)["Regions"]
        except SERVICE_ERRORS as error:
            if account == self.account:
                raise refused(error, "regions: those that are enabled cannot be read; list them instead") from error
            # One account that cannot be read is not to end the run: its targets will say that they were denied.
            return self._enabled_regions(self.account)
        return frozenset(region["RegionName"] for region in found if region.get("OptInStatus") in (*_ENABLED, None))

    def _accounts(self, crawl: Crawl) -> Iterator[str]:
        if crawl.accounts != ORGANIZATION:
            yield from crawl.accounts or (self.account,)
            return
        organizations = self.client("organizations", self.region, self.account)
        try:
            if not crawl.organizational_units:
                yield from _active(organizations.get_paginator("list_accounts").paginate())
                return
            units = list(crawl.organizational_units)
            seen = set()
            while units:
                if (unit := units.pop(0)) in seen:
                    continue
                seen.add(unit)
                yield from _active(organizations.get_paginator("list_accounts_for_parent").paginate(ParentId=unit))
                pages = organizations.get_paginator("list_organizational_units_for_parent").paginate(ParentId=unit)
                units += [below["Id"] for page in pages for below in page["OrganizationalUnits"]]
        except SERVICE_ERRORS as error:
            raise refused(
                error,
                f"accounts: the organization cannot be read from account {self.account}; deploy to its management "
                f"account or to a delegated administrator of AWS Organizations, or list the accounts",
            ) from error


def refused(error: Exception, sentence: str) -> PageturnerError:
    """The error for a request that the plan needs: one to be tried again, or else this sentence with the reason."""
    ours = from_service_error(error)
    return ours if isinstance(ours, ThrottledError | TransientError) else InvalidCrawlError(f"{sentence} ({error})")


def _active(pages: Any) -> Iterator[str]:
    for page in pages:
        # State has taken the place of Status, which goes away (Organizations API Reference, Account).
        yield from (
            account["Id"] for account in page["Accounts"] if account.get("State", account.get("Status")) == "ACTIVE"
        )
