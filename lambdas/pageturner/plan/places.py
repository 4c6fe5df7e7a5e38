"""Where a crawl's targets are: its accounts, or the organization's, and the regions of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from pageturner.clients import Client
from pageturner.crawls.crawl import ALL_REGIONS, ORGANIZATION, Crawl
from pageturner.errors import (
    SERVICE_ERRORS,
    UNEXPECTED_VALUES,
    InvalidCrawlError,
    PageturnerError,
    ThrottledError,
    TransientError,
)
from pageturner.paging import api
from pageturner.paging.error_meanings import from_service_error
from pageturner.paging.global_listings import is_global as is_global_listing


@dataclass(frozen=True)
class Places:
    """Finds (account, region) pairs. `client` makes a client for a service, a region and, by role, an account."""

    client: Client
    account: str
    region: str

    def of(self, crawl: Crawl) -> Iterator[tuple[str, str]]:
        """Yield the pairs of `crawl`. Raises `InvalidCrawlError` if the organization or regions cannot be read."""
        partition = api.partition_of(self.region)
        for region in crawl.regions:
            if (other := api.known_regions().get(region, partition)) != partition:
                raise InvalidCrawlError(
                    f"regions: {region} is in the partition {other}, but credentials of {partition}, where this "
                    f"deployment is, are not valid there"
                )
        for account in self._accounts(crawl):
            regions: Iterable[str] = crawl.regions or (self.region,)
            if crawl.regions == ALL_REGIONS:
                regions = self._all(account, crawl.service, partition)
            if is_global_listing(crawl.service, crawl.operation, crawl.parameters):
                regions = sorted(regions, key=lambda region: region != self.region)[:1]
            yield from ((account, region) for region in regions)

    def where_it_is(self, crawl: Crawl) -> Iterator[tuple[str, str]]:
        """Yield the pairs of a crawl without the regions where botocore knows that its service is not.

        Several operations share the regions of a crawl, which not all of their services are in.
        """
        service, partition = crawl.service, api.partition_of(self.region)
        known, only = api.regions_of(service, partition), api.one_region_of(service, partition)
        is_global = not known and api.is_global(service, partition)
        for account, pairs in groupby(self.of(crawl), key=itemgetter(0)):
            regions = [region for _, region in pairs]
            if only or is_global:
                yield account, only or self.region
                continue
            for region in regions:
                # One that is newer than botocore may have it.
                if not known or region in known or region not in api.listed_regions():
                    yield account, region

    def _all(self, account: str, service: str, partition: str) -> list[str]:
        if only := api.one_region_of(service, partition):
            return [only]
        # A global service has one listing, the same from every region.
        return [self.region] if api.is_global(service, partition) else self._enabled(account, service, partition)

    def _enabled(self, account: str, service: str, partition: str) -> list[str]:
        """Return the regions of an account where a service exists, or may exist.

        botocore knows where it exists, and the account which regions there are: those that are newer than botocore
        count too, and all if botocore does not know the service's.
        """
        listed = [region for region, its_partition in api.listed_regions().items() if its_partition == partition]
        regions = api.regions_of(service, partition) or listed
        try:
            found = self.client("ec2", self.region, account).describe_regions(AllRegions=True)["Regions"]
            enabled = [region["RegionName"] for region in found if region.get("OptInStatus") != "not-opted-in"]
            disabled = {region["RegionName"] for region in found} - set(enabled)
        except SERVICE_ERRORS as error:
            reason = refused(error, "regions: the enabled regions cannot be read; list the regions instead")
            if account == self.account or not isinstance(reason, InvalidCrawlError):
                raise reason from error
            # One account that refuses must not fail the run, nor lose regions that it may have enabled. Targets in
            # regions that it has not enabled will be denied.
            return regions
        except UNEXPECTED_VALUES as error:
            raise unreadable("the enabled regions", error) from error
        newer = [region for region in enabled if region not in api.listed_regions()]
        return [region for region in regions if region not in disabled] + newer

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
                f"account or to a delegated administrator account, or list the accounts",
            ) from error
        except UNEXPECTED_VALUES as error:
            raise unreadable("the organization's accounts", error) from error


def refused(error: Exception, sentence: str) -> PageturnerError:
    """Return the error of a request that planning needs: one that is retried, or else `sentence` with the reason."""
    ours = from_service_error(error)
    return ours if isinstance(ours, ThrottledError | TransientError) else InvalidCrawlError(f"{sentence} ({error})")


def unreadable(what: str, error: Exception) -> TransientError:
    """Return the error of an answer that lacks what it should have: cut or garbled, so the request is retried."""
    return TransientError(f"{what} cannot be read from the service's answer: {type(error).__name__}: {error}")


def _active(pages: Any) -> Iterator[str]:
    for page in pages:
        # State replaces Status, which is being retired (Organizations API Reference, Account).
        yield from (
            account["Id"] for account in page["Accounts"] if account.get("State", account.get("Status")) == "ACTIVE"
        )
