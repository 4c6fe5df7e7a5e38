"""Where a crawl's targets are: accounts, of the organization if asked, and the regions of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pageturner.clients import Client
from pageturner.crawls.crawl import ALL_REGIONS, ORGANIZATION, Crawl
from pageturner.errors import (
    SERVICE_ERRORS,
    InvalidCrawlError,
    PageturnerError,
    ThrottledError,
    TransientError,
    from_service_error,
)
from pageturner.paging import api


@dataclass(frozen=True)
class Places:
    """Finds (account, region) pairs. `client` makes a client of a service in a region and, by role, an account."""

    client: Client
    account: str
    region: str

    def of(self, crawl: Crawl) -> Iterator[tuple[str, str]]:
        """Yield each place of `crawl`. Raises `InvalidCrawlError` where the organization cannot be read."""
        existing = api.regions_of(crawl.service, api.partition_of(self.region))
        for account in self._accounts(crawl):
            if crawl.regions != ALL_REGIONS:
                regions: Iterable[str] = crawl.regions or (self.region,)
            elif existing:
                regions = self._enabled(account, existing)
            else:
                # A global service has one listing, whichever region it is asked in.
                regions = (self.region,)
            yield from ((account, region) for region in regions)

    def _enabled(self, account: str, regions: list[str]) -> list[str]:
        """Those of `regions` that an account has not left disabled."""
        try:
            found = self.client("ec2", self.region, account).describe_regions(AllRegions=True)["Regions"]
        except SERVICE_ERRORS as error:
            reason = refused(error, "regions: those that are enabled cannot be read; list them instead")
            if account == self.account or not isinstance(reason, InvalidCrawlError):
                raise reason from error
            # One account that does not tell is not to end the run, nor to have fewer regions than it may have: the
            # targets in regions that it has not enabled will be denied.
            return regions
        disabled = {region["RegionName"] for region in found if region.get("OptInStatus") == "not-opted-in"}
        return [region for region in regions if region not in disabled]

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
