"""A crawl: what to page, where, when and where to. What is wrong with one is for `catalogue` and `checks`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from pageturner.paging.pagination import result_keys
from pageturner.paging.paginators import STATED, Paginator, as_lists, paginator_of

ORGANIZATION = "organization"
ALL_REGIONS = ("all",)
# When a crawl runs is for the catalogue to say; all else can be said anew for one run.
SCHEDULE_KEYS = ("schedule", "timezone", "enabled")
# What is in the targets when they are planned, and when they are.
_PLAN_KEYS = ("parameters", "regions", "accounts", "organizational_units", "for_each", "split", *SCHEDULE_KEYS)
# What a crawl lists, and what of it may be missing; the other keys say when, how fast, and what becomes of it.
_LISTING_KEYS = (
    *("service", "operation", "parameters", "pagination_config", "for_each", "search", "key"),
    *("regions", "accounts", "organizational_units", "tolerate", "ignore_errors"),
    *STATED,
)


@dataclass(frozen=True)
class Crawl:
    """What to page, where, when and where to. The fields are the keys of a catalogue entry; `name` is the entry's own.

    ``crawls.schema.json`` describes them. Only `service` and `operation` have no default.
    """

    name: str
    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    pagination_config: Mapping[str, Any] = field(default_factory=dict)
    regions: tuple[str, ...] = ()
    accounts: tuple[str, ...] | str = ()
    organizational_units: tuple[str, ...] = ()
    for_each: Mapping[str, Any] | None = None
    split: int | None = None
    search: str | None = None
    key: str | None = None
    input_token: str | tuple[str, ...] | None = None
    output_token: str | tuple[str, ...] | None = None
    result_key: str | tuple[str, ...] | None = None
    limit_key: str | None = None
    more_results: str | None = None
    max_pages: int = 10_000_000
    max_pages_per_second: float | None = None
    max_concurrency: int = 10
    deadline_hours: float = 24
    overlap: str = "refuse"
    tolerate: tuple[str, ...] = ()
    ignore_errors: tuple[str, ...] = ()
    stale_items: str = "remove"
    allow_empty: bool = False
    sinks: tuple[str, ...] = ("dynamodb",)
    schedule: str | None = None
    timezone: str = "UTC"
    enabled: bool = True

    @property
    def paginator(self) -> Paginator:
        """What pages the operation; what the crawl states goes first."""
        stated = {name: value for name in STATED if (value := getattr(self, name)) is not None}
        return paginator_of(self.service, self.operation, as_lists(stated))

    @property
    def primary_result_key(self) -> str:
        """The result key of the items that a listing is about; other result keys come along with them."""
        return "search" if self.search is not None else result_keys(self.paginator.definition)[0]

    @property
    def source(self) -> str | None:
        """The crawl whose items this one has a target for each of."""
        return None if self.for_each is None else self.for_each.get("crawl")

    @property
    def listing_hash(self) -> str:
        """Tells whether two crawls list the same: a run that was asked for less is not a run of the catalogue's."""
        whole = self.as_dict()
        return _hash({name: whole[name] for name in _LISTING_KEYS if name in whole})

    def as_dict(self) -> dict[str, Any]:
        """The crawl as JSON: a catalogue entry with its name, without the keys that have their default."""
        return {
            f.name: list(value) if isinstance(value, tuple) else value
            for f in fields(self)
            if (value := getattr(self, f.name)) != _default(f.name)
        }

    def for_pages(self) -> dict[str, Any]:
        """What travels in the state: not what only the plan needs, of which there can be more than a state takes."""
        return {name: value for name, value in self.as_dict().items() if name not in _PLAN_KEYS}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Crawl:
        """The inverse of `as_dict`: for a crawl that has been validated before it came into the state."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
        return cls(**values)


def _default(name: str) -> Any:
    (found,) = (f for f in fields(Crawl) if f.name == name)
    return found.default_factory() if found.default_factory is not MISSING else found.default


def _hash(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
