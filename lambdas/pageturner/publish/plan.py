"""The plan of a publication: what it is made of, pinned before it begins, so that everyone makes the same of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from typing import Any, Literal

from pageturner.crawls.crawl import Crawl
from pageturner.errors import CannotPublishError
from pageturner.formats import known, readable, stamped
from pageturner.page_state import Run
from pageturner.stores import Stores
from pageturner.stores.keys import publishing_prefix
from pageturner.stores.publications import Publication, Published

# What becomes of what was published of a listing: the items of the run take its place, or are added, or it is gone.
How = Literal["replace", "add", "remove"]


@dataclass(frozen=True)
class ListingPlan:
    """How a listing is published. `is_comparable` says that its items and keys mean what they meant before.

    `newer` has the runs that began after this one, and have added items, which stay.
    """

    how: How
    is_comparable: bool = True
    newer: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a publication is made of.

    `listings` says how each listing is published that is not just carried over, by id, and `of_targets` names the
    listing of each of their targets. The page objects are in `chunks` lists, of up to `most_rows` items. `base` is what
    was published before, and `published` what is published then. `rehashes` says that other fields are ignored than
    before. `kept` counts the listings that ended, but are not published, or those that are not compared, by the
    reason. `operations` has the service and operation of each listing.

    A plan that only compares two runs, and publishes nothing, has the number 0. The plan of the earlier run is under
    the prefix `compared_with`.
    """

    publication: Publication
    run: Run
    crawl: Crawl
    base: Publication | None
    published: Published
    listings: Mapping[str, ListingPlan]
    of_targets: Mapping[str, str]
    chunks: int
    most_rows: int
    rehashes: bool = False
    compared_with: str = ""
    kept: Mapping[str, int] = field(default_factory=dict)
    operations: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def result_keys(self, listing: str) -> list[str]:
        """The result keys of the operation of a listing."""
        return self._result_keys(*self.operations.get(listing, ("", "")))

    @cached_property
    def _result_keys(self) -> Callable[[str, str], list[str]]:
        return cache(lambda service, operation: self.crawl.of(service, operation).result_keys)

    @property
    def prefix(self) -> str:
        """The prefix of all objects that the publication is made of."""
        return prefix_of(self.publication)

    def chunk_key(self, chunk: int) -> str:
        """The key of the list of the page objects of a chunk."""
        # Who makes the same plan with another setting cuts the lists elsewhere.
        return f"{self.prefix}pages/{self.most_rows}-{chunk}.json"

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON."""
        return stamped({**asdict(self), "crawl": self.crawl.as_dict()})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Plan:
        """The inverse of `as_dict`."""
        base = readable(document, "the plan of a publication")["base"]
        return cls(
            publication=Publication(**known(Publication, document["publication"])),
            run=Run.from_dict(document["run"]),
            crawl=Crawl.from_dict(document["crawl"]),
            base=Publication(**known(Publication, base)) if base else None,
            published=Published.from_dict(document["published"]),
            listings={
                of: ListingPlan(each["how"], each["is_comparable"], tuple(each["newer"]))
                for of, each in document["listings"].items()
            },
            of_targets=document["of_targets"],
            chunks=document["chunks"],
            most_rows=document["most_rows"],
            rehashes=document["rehashes"],
            compared_with=document["compared_with"],
            kept=document["kept"],
            operations={of: (service, name) for of, (service, name) in document.get("operations", {}).items()},
        )


def prefix_of(publication: Publication) -> str:
    """The prefix of what a publication is made of. Two that begin at the same time share nothing."""
    kind = "-asked" if publication.asked_by else ""
    name = f"{publication.number}-{publication.generation}{kind}-{publication.name}"
    return publishing_prefix(publication.crawl, name)


def put_plan(stores: Stores, plan: Plan) -> None:
    """Put a plan, unless it is there already. Raises `SinkError`."""
    stores.pages.put_text(_key(plan.prefix), [json.dumps(plan.as_dict())], dict)


def is_planned(stores: Stores, publication: Publication) -> bool:
    """Whether the plan of a publication has been put. Raises `SinkError`."""
    return stores.pages.version(_key(prefix_of(publication))) is not None


def read_plan(stores: Stores, prefix: str) -> Plan:
    """Return the plan under a prefix. Raises `SinkError`, and `CannotPublishError` if it is gone."""
    found = stores.pages.find_json(_key(prefix))
    if found is None:
        raise CannotPublishError(f"the plan of a publication is gone: s3://{stores.pages.bucket}/{_key(prefix)}")
    return Plan.from_dict(found)


def give_up(stores: Stores, publication: Publication) -> None:
    """Record that a publication is given up that is not committed: it may have left files. Raises `SinkError`."""
    stores.pages.put_json(_given_up_key(publication.crawl, publication.name), publication.number)


def was_given_up(stores: Stores, crawl_name: str, name: str) -> bool:
    """Whether a publication of that name was given up, so that its folders are of no use. Raises `SinkError`."""
    return stores.pages.version(_given_up_key(crawl_name, name)) is not None


def _given_up_key(crawl_name: str, name: str) -> str:
    return f"{publishing_prefix(crawl_name, 'given-up')}{name}.json"


def _key(prefix: str) -> str:
    return f"{prefix}plan.json"
