"""Expands a crawl into targets, and looks up what that needs: accounts, regions, another crawl's items, keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pageturner.clients import Client
from pageturner.crawls.bindings import Binding, item_bindings, literal_bindings
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.operations import plain_crawls
from pageturner.crawls.since import Window, window_of
from pageturner.errors import SERVICE_ERRORS, UNEXPECTED_VALUES, InvalidCrawlError, ThrottledError, TransientError
from pageturner.messages import shown, without
from pageturner.page_state import Run, Target
from pageturner.paging import api, split
from pageturner.paging.error_meanings import from_service_error
from pageturner.paging.parameters import for_botocore
from pageturner.plan import targets
from pageturner.plan.places import Places, unreadable
from pageturner.stores import Stores
from pageturner.stores.checkpoints import last_passes
from pageturner.stores.keys import targets_key


@dataclass(frozen=True)
class Expansion:
    """Expands crawls. `account` and `region` are the deployment's own, which are the default."""

    client: Client
    stores: Stores
    catalogue: Mapping[str, Crawl]
    account: str
    region: str

    def targets(self, crawl: Crawl, source_run: str | None, window: Window | None = None) -> Iterator[Target]:
        """Yield the targets of `crawl` as they are found; `source_run` and `window` are what the methods return.

        Raises `InvalidCrawlError` if their source is missing or gives parameters that the operation does not take, or
        if a target is too large for Step Functions.
        """
        places = Places(self.client, self.account, self.region)
        if crawl.operations:
            count = 0
            for plain in plain_crawls(crawl):
                everywhere = list(places.where_it_is(plain))
                count += len(everywhere)
                for target in targets.listings(plain, lambda _: everywhere, [Binding({})]):  # noqa: B023 - used up here
                    yield replace(target, service=plain.service, operation=plain.operation)
            if not count:
                raise InvalidCrawlError(f"regions: {shown(crawl.regions)} chooses no region that has a service of it")
            return

        @cache
        def pairs(account: str | None, region: str | None) -> list[tuple[str, str]]:
            of_account = {"accounts": (account,), "organizational_units": (), "account_tags": {}}
            own = crawl if account is None else replace(crawl, **of_account)  # type: ignore[arg-type]
            return list(places.of(own if region is None else replace(own, regions=(region,))))

        def places_of(binding: Binding) -> Iterable[tuple[str, str]]:
            if binding.account is not None and binding.region is not None:
                return [(binding.account, binding.region)]
            return pairs(binding.account, binding.region)

        def keys_after(listing: Target, key: str, most: int) -> tuple[list[str], bool]:
            return self._keys_after(crawl, listing, key, most)

        listings = targets.listings(crawl, places_of, self._bindings(crawl, source_run))
        parts = (part for listing in listings for part in targets.parts(crawl, listing, keys_after, window))
        yield from targets.small_enough(crawl, parts)

    def source_run(self, crawl: Crawl) -> str | None:
        """Return the run whose items become the targets of `crawl`; None if it has no source."""
        if crawl.source is None:
            return None
        run_id = self.stores.runs.latest(self.catalogue[crawl.source])
        if run_id is None:
            raise InvalidCrawlError(
                f"for_each.crawl: there is no complete run of {crawl.source} as the catalogue defines it; "
                f'start one first: {{"crawl": "{crawl.source}"}}'
            )
        return run_id

    def window(self, crawl: Crawl, now: str) -> Window | None:
        """Return the window of time that a run lists which is planned `now` (ISO 8601); None without `since`.

        Raises `InvalidCrawlError` if there is nothing in it yet.
        """
        if crawl.since is None:
            return None
        run_id = self.stores.runs.latest(crawl)
        found = self.stores.runs.find(run_id) if run_id is not None else None
        return window_of(crawl.since, found.window["to"] if found is not None and found.window else None, now)

    def as_catalogued(self, crawl: Crawl) -> bool:
        """Return whether `crawl` lists what the catalogue's crawl of its name lists."""
        catalogued = self.catalogue.get(crawl.name)
        return catalogued is not None and catalogued.listing_hash == crawl.listing_hash

    def _bindings(self, crawl: Crawl, source_run: str | None) -> Iterator[Binding]:
        if crawl.for_each is None:
            yield Binding({})
        elif crawl.source is None:
            yield from map(Binding, literal_bindings(crawl.for_each))
        else:
            found = self.stores.runs.find(str(source_run))
            if found is None:
                raise InvalidCrawlError(
                    f"for_each.crawl: the records of the latest run of {crawl.source} have expired; start a new run"
                )
            run = Run.from_dict(found.run)
            listed = self.stores.pages.json_array(targets_key(run))
            parameters = {each["target_id"]: each["parameters"] for each in listed}
            yield from item_bindings(crawl, self._records(run, self.catalogue[crawl.source]), parameters)

    def _records(self, run: Run, source: Crawl) -> Iterator[Mapping[str, Any]]:
        """Yield the lines of a run's pages that have items of its primary result key."""
        for key in last_passes(self.stores.checkpoints.pages(run)):
            for line in self.stores.pages.read(key).records:
                if line["result_key"] == source.primary_result_key:
                    yield line

    def _keys_after(self, crawl: Crawl, listing: Target, key: str, most: int) -> tuple[list[str], bool]:
        way = split.way_of(crawl.service, crawl.operation)
        after = {way.start: key} if way is not None and key else {}
        model = api.operation_model(crawl.service, crawl.operation)
        try:
            method = getattr(self.client(crawl.service, listing.region, listing.account), crawl.operation)
            answer = method(**for_botocore(model, {**listing.parameters, **after, "MaxKeys": most}))
            lists = (answer.get(name, []) for name in ("Contents", "Versions", "DeleteMarkers"))
            return sorted({item["Key"] for items in lists for item in items}), answer["IsTruncated"]
        except SERVICE_ERRORS as error:
            ours = from_service_error(error)
            if isinstance(ours, ThrottledError | TransientError):
                raise type(ours)(without(str(ours), listing.parameters)) from error
            # The target's own verdict will say that it is denied or not found.
            return [], False
        except UNEXPECTED_VALUES as error:
            raise unreadable("the keys of a listing that is split", error) from error
