"""Where a crawl's targets are: its accounts, or the organization's, and the regions of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from pageturner.clients import Client
from pageturner.crawls.choice import matches
from pageturner.crawls.crawl import Crawl
from pageturner.errors import (
    SERVICE_ERRORS,
    UNEXPECTED_VALUES,
    InvalidCrawlError,
    PageturnerError,
    ThrottledError,
    TransientError,
    said,
)
from pageturner.messages import listed, shown
from pageturner.paging import api
from pageturner.paging.error_meanings import from_service_error
from pageturner.paging.global_listings import is_global as is_global_listing
from pageturner.plan.organization import Organization


@dataclass(frozen=True)
class Places:
    """Finds (account, region) pairs. `client` makes a client for a service, a region and, by role, an account.

    What it has asked for it knows then: which accounts a crawl has, and which regions an account has enabled.
    """

    client: Client
    account: str
    region: str
    _known: dict[Any, Any] = field(default_factory=dict)

    def of(self, crawl: Crawl) -> Iterator[tuple[str, str]]:
        """Yield the pairs of `crawl`. Raises `InvalidCrawlError` if the organization or regions cannot be read.

        Also if patterns of regions choose nothing in any account: nobody would notice that everything is missing.
        """
        count = 0
        for pair in self._pairs(crawl):
            count += 1
            yield pair
        if not count and set(crawl.region_choice.patterns) - {"*"}:
            raise InvalidCrawlError(
                f"regions: {shown(crawl.regions)} chooses no region that is enabled and has {crawl.service}; name the "
                f"regions, or choose others"
            )

    def where_it_is(self, crawl: Crawl) -> Iterator[tuple[str, str]]:
        """Yield the pairs of a crawl without the regions where botocore knows that its service is not.

        Several operations share the regions of a crawl, which not all of their services are in.
        """
        service, partition = crawl.service, api.partition_of(self.region)
        known, only = api.regions_of(service, partition), api.one_region_of(service, partition)
        is_global = not known and api.is_global(service, partition)
        for account, pairs in groupby(self._pairs(crawl), key=itemgetter(0)):
            regions = [region for _, region in pairs]
            if only or is_global:
                yield account, only or self.region
                continue
            for region in regions:
                # One that is newer than botocore may have it.
                if not known or region in known or region not in api.listed_regions():
                    yield account, region

    def _pairs(self, crawl: Crawl) -> Iterator[tuple[str, str]]:
        partition = api.partition_of(self.region)
        self._refuse_other_partitions(crawl, partition)
        chosen = json.dumps([crawl.accounts, crawl.organizational_units, dict(crawl.account_tags)])
        for account in self._once(chosen, lambda: list(self._accounts(crawl))):
            regions = self._regions(crawl, account, partition)
            if is_global_listing(crawl.service, crawl.operation, crawl.parameters):
                regions = sorted(regions, key=lambda region: region != self.region)[:1]
            yield from ((account, region) for region in regions)

    def _refuse_other_partitions(self, crawl: Crawl, partition: str) -> None:
        for chosen in (*crawl.region_choice.named, *crawl.region_choice.patterns):
            partitions = {its for region, its in api.known_regions().items() if matches(region, chosen)}
            if partitions and partition not in partitions:
                raise InvalidCrawlError(
                    f"regions: {chosen} is in the partition {listed(partitions)}, but credentials of {partition}, "
                    f"where this deployment is, are not valid there"
                )

    def _regions(self, crawl: Crawl, account: str, partition: str) -> list[str]:
        if not crawl.regions:
            return [self.region]
        choice = crawl.region_choice
        found: list[str] = []
        if choice.patterns:
            if only := self._only_region(crawl.service, partition):
                # What has one listing has no region that a pattern could leave out.
                return [*choice.named] or [only]
            found = self._enabled(account, crawl.service, partition)
        chosen = [*choice.named, *(each for each in found if each not in choice.named and choice.chooses(each))]
        return [region for region in chosen if not choice.excepts(region, region)]

    def _only_region(self, service: str, partition: str) -> str | None:
        """Return where the only listing of a service is, or None if each region has its own."""
        # A global service has one listing, the same from every region.
        return api.one_region_of(service, partition) or (self.region if api.is_global(service, partition) else None)

    def _enabled(self, account: str, service: str, partition: str) -> list[str]:
        """Return the regions of an account where a service exists, or may exist.

        botocore knows where it exists, and the account which regions there are: those that are newer than botocore
        count too, and all if botocore does not know the service's.
        """
        known = [region for region, its_partition in api.listed_regions().items() if its_partition == partition]
        regions = api.regions_of(service, partition) or known
        of_account = self._once(("regions of", account), lambda: self._regions_of(account))
        if of_account is None:
            # Targets in regions that it has not enabled will be denied.
            return regions
        enabled, disabled = of_account
        newer = [region for region in enabled if region not in api.listed_regions()]
        return [region for region in regions if region not in disabled] + newer

    def _regions_of(self, account: str) -> tuple[list[str], set[str]] | None:
        """Return the regions that an account has enabled, and those that it has not; None if it does not say."""
        try:
            found = self.client("ec2", self.region, account).describe_regions(AllRegions=True)["Regions"]
            enabled = [region["RegionName"] for region in found if region.get("OptInStatus") != "not-opted-in"]
            return enabled, {region["RegionName"] for region in found} - set(enabled)
        except SERVICE_ERRORS as error:
            reason = refused(error, "regions: the enabled regions cannot be read; list the regions instead")
            if account == self.account or not isinstance(reason, InvalidCrawlError):
                raise reason from error
            # One account that refuses must not fail the run, nor lose regions that it may have enabled.
            return None
        except UNEXPECTED_VALUES as error:
            raise unreadable("the enabled regions", error) from error

    def _once(self, what: Any, ask: Callable[[], Any]) -> Any:
        if what not in self._known:
            self._known[what] = ask()
        return self._known[what]

    def _accounts(self, crawl: Crawl) -> Iterator[str]:
        if not crawl.asks_for_accounts:
            choice = crawl.account_choice
            yield from [account for account in choice.named if account not in choice.not_named] or [self.account]
            return
        try:
            yield from Organization(self.client("organizations", self.region, self.account)).chosen(crawl)
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
    return (
        ours if isinstance(ours, ThrottledError | TransientError) else InvalidCrawlError(f"{sentence} ({said(error)})")
    )


def unreadable(what: str, error: Exception) -> TransientError:
    """Return the error of an answer that lacks what it should have: cut or garbled, so the request is retried."""
    return TransientError(f"{what} cannot be read from the service's answer: {said(error)}")
