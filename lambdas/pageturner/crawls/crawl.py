"""A crawl: what to page, where and when, and where the items go. `catalogue` and `checks` validate it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pageturner.formats import known
from pageturner.paging.pagination import result_keys
from pageturner.paging.paginators import STATED, Paginator, as_lists, paginator_of

if TYPE_CHECKING:
    from pageturner.crawls.choice import Choice
    from pageturner.crawls.detail import Detail

# Crawls from the console have a prefix of their own, so they never mix with the catalogue's.
ADHOC_PREFIX = "adhoc-"
# Only the catalogue says when a crawl runs; an execution's input can override everything else.
SCHEDULE_KEYS = ("schedule", "timezone", "flexible_time_window", "after", "enabled")
# The keys that planning turns into targets, and those of the schedule.
_PLACE_KEYS = ("regions", "accounts", "organizational_units", "account_tags")
_PLAN_KEYS = (
    *("operations", "except", "parameters", "for_each", "split", "since"),
    *(*_PLACE_KEYS, *SCHEDULE_KEYS),
)
# What decides which listings a crawl has.
_TARGET_KEYS = ("service", "operation", "operations", "except", "parameters", "for_each", *_PLACE_KEYS)
# What a crawl lists, and what may be missing; the other keys say when, how fast, and what happens to the items.
_LISTING_KEYS = (
    *("service", "operation", "operations", "except", "parameters", "pagination_config", "for_each", "search", "key"),
    *("detail", "redact", *_PLACE_KEYS, "tolerate", "ignore_errors"),
    *STATED,
)
# Of these, what decides which items a listing has and what their keys are, besides the parameters and the place. With
# another `detail`, the same items are changed; with another `redact`, a key can be a hash.
_ITEM_KEYS = ("search", "key", "redact", *STATED)


@dataclass(frozen=True)
class Crawl:
    """What to page, where and when, and where the items go: the keys of a catalogue entry, and its `name`.

    ``crawls.schema.json`` describes them. A crawl of several `operations` has no `service` and no `operation`; `of` is
    that of one of them. `except` is a word of Python's, so the field has another name.
    """

    name: str
    service: str = ""
    operation: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    pagination_config: Mapping[str, Any] = field(default_factory=dict)
    operations: tuple[str, ...] | str = ()
    except_: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    accounts: tuple[str, ...] | str = ()
    organizational_units: tuple[str, ...] = ()
    account_tags: Mapping[str, str] = field(default_factory=dict)
    for_each: Mapping[str, Any] | None = None
    split: int | None = None
    since: Mapping[str, Any] | None = None
    search: str | None = None
    key: str | None = None
    detail: tuple[Mapping[str, Any], ...] | Mapping[str, Any] | None = None
    redact: Mapping[str, Any] = field(default_factory=dict)
    input_token: str | tuple[str, ...] | None = None
    output_token: str | tuple[str, ...] | None = None
    result_key: str | tuple[str, ...] | None = None
    limit_key: str | None = None
    more_results: str | None = None
    max_pages: int = 10_000_000
    max_pages_per_second: float | None = None
    pace: str = "run"
    max_concurrency: int = 10
    deadline_hours: float = 24
    overlap: str = "refuse"
    tolerate: tuple[str, ...] = ()
    ignore_errors: tuple[str, ...] = ()
    stale_items: str = "remove"
    allow_empty: bool = False
    mistrust: str | bool = "off"
    sinks: tuple[str, ...] = ("dynamodb",)
    ignore_fields: tuple[str, ...] = ()
    time_to_live: int | None = None
    schedule: str | None = None
    timezone: str = "UTC"
    flexible_time_window: int | None = None
    after: str | None = None
    enabled: bool = True

    def of(self, service: str, operation: str, parameters: Mapping[str, Any] | None = None) -> Crawl:
        """Return the crawl of one of the operations; itself if it has no others, so that `service` is empty."""
        if not service:
            return self
        plain = replace(self, service=service, operation=operation, operations=(), except_=())
        return plain if parameters is None else replace(plain, parameters=parameters)

    @cached_property
    def paginator(self) -> Paginator:
        """The operation's paginator; what the crawl states takes precedence."""
        stated = {name: value for name in STATED if (value := getattr(self, name)) is not None}
        return paginator_of(self.service, self.operation, as_lists(stated))

    @property
    def result_keys(self) -> list[str]:
        """The names under which the items come; `search` replaces those of the paginator."""
        return ["search"] if self.search is not None else result_keys(self.paginator.definition)

    @property
    def primary_result_key(self) -> str:
        """The result key of the listing's main items; those of the other result keys come with them."""
        return self.result_keys[0]

    @cached_property
    def details(self) -> tuple[Detail, ...]:
        """What is asked about each item of the primary result key."""
        if self.detail is None:
            return ()
        from pageturner.crawls.detail import details_of  # only crawls with details need it

        return details_of(self.detail, self.service)

    @property
    def defaults_kept(self) -> tuple[str, ...]:
        """The names of what would be redacted by default, and is kept as it is."""
        return tuple(self.redact.get("keep", ()))

    @property
    def source(self) -> str | None:
        """The name of the crawl whose items become the targets of this one, or None."""
        return None if self.for_each is None else self.for_each.get("crawl")

    @property
    def lock_name(self) -> str:
        """The name of the lock that its runs share. Crawls from the console share one if they list the same."""
        if not self.name.startswith(ADHOC_PREFIX):
            return self.name
        whole = self.as_dict()
        return f"{self.name}#{_hash({name: whole[name] for name in _TARGET_KEYS if name in whole})}"

    @property
    def region_choice(self) -> Choice:
        """Which regions `regions` names, looks up, and leaves out."""
        from pageturner.crawls.choice import of_regions  # FetchPage has its region

        return of_regions(self.regions)

    @property
    def account_choice(self) -> Choice:
        """Which accounts `accounts` names, looks up, and leaves out."""
        from pageturner.crawls.choice import of_accounts

        return of_accounts(self.accounts)

    @property
    def asks_for_accounts(self) -> bool:
        """Whether the organization is read, because `accounts` chooses or excepts by name."""
        return bool(self.account_choice.patterns or self.account_choice.not_matching)

    @property
    def asks_for_regions(self) -> bool:
        """Whether the regions of each account are looked up, because `regions` does not name them all."""
        return bool(self.region_choice.patterns)

    def looks_up_region(self, region: str) -> bool:
        """Whether a region was chosen without its name, so that the service need not be there."""
        return self.asks_for_regions and region not in self.regions

    @cached_property
    def listing_hash(self) -> str:
        """Equal for crawls that list the same: a run of a smaller listing is not a run of the catalogue's crawl."""
        whole = self.as_dict()
        listed = {name: whole[name] for name in _LISTING_KEYS if name in whole}
        if self.since is not None:
            # Not how far behind now a run ends: all runs together list the same.
            listed["since"] = {name: self.since[name] for name in ("parameter", "time") if name in self.since}
        return _hash(listed)

    @cached_property
    def definition(self) -> str:
        """Equal for crawls that take the same items, with the same keys, from the same listing."""
        whole = self.as_dict()
        return _hash({name: whole[name] for name in _ITEM_KEYS if name in whole})

    @property
    def mistrusted_share(self) -> float | None:
        """The share of its items that a listing may lack, or None: YAML's `off` is false."""
        return (
            float(self.mistrust.rstrip("%")) / 100
            if isinstance(self.mistrust, str) and self.mistrust != "off"
            else None
        )

    def as_dict(self) -> dict[str, Any]:
        """The crawl as JSON: a catalogue entry with its name, without keys that have their default value."""
        return {
            f.name.rstrip("_"): list(value) if isinstance(value, tuple) else value
            for f in fields(self)
            if (value := getattr(self, f.name)) != _default(f)
        }

    def for_pages(self) -> dict[str, Any]:
        """The crawl as it travels in the state, without the keys that only PlanRun needs: they can be too large."""
        return {name: value for name, value in self.as_dict().items() if name not in _PLAN_KEYS}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Crawl:
        """The inverse of `as_dict`, for a crawl that was validated before it entered the state.

        That of a newer version may have more.
        """
        names = {"except": "except_"}
        values: dict[str, Any] = {
            names.get(key, key): tuple(value) if isinstance(value, list) else value for key, value in document.items()
        }
        return cls(**known(cls, values))


def _default(of: Field[Any]) -> Any:
    return of.default_factory() if of.default_factory is not MISSING else of.default


def _hash(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
