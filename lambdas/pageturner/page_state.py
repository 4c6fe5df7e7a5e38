"""What travels between the states of both gears, parsed at the edge.

JSON, kept small: Step Functions takes 256 KiB, and items never travel. `run` and `crawl` are the same for all targets
of a run, `target` for all pages of a target; only `place` moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from pageturner.crawls.crawl import Crawl
from pageturner.paging.split import Part

Next = Literal["page", "pause", "begin_pass", "hand_over", "end"]


@dataclass(frozen=True)
class Run:
    """One going-through of a crawl.

    `date` is the UTC day on which it began, `started_at` and `deadline` are ISO 8601 in UTC; `expires_at`, in seconds
    since 1970, is when DynamoDB may forget its records. Its pages in S3 stay.
    """

    run_id: str
    date: str
    started_at: str
    deadline: str
    expires_at: int


@dataclass(frozen=True)
class Target:
    """One (account, region, parameters) of a run, which is paged on its own.

    `part` says which part of a listing it has, where that is split; then `listing_id` is what its parts have in common.
    """

    target_id: str
    account: str
    region: str
    parameters: Mapping[str, Any]
    part: Part | None = None

    @property
    def listing_id(self) -> str:
        """Names the listing, in every run the same; its items share a partition in DynamoDB."""
        return self.target_id if self.part is None else self.target_id.rpartition("-")[0]

    @property
    def listing_targets(self) -> list[str]:
        """The ids of all targets that the listing is split into."""
        if self.part is None:
            return [self.target_id]
        return [part_id(self.listing_id, number) for number in range(1, self.part.count + 1)]

    def as_dict(self) -> dict[str, Any]:
        """The target as it travels."""
        whole = asdict(self)
        return whole if self.part else {name: value for name, value in whole.items() if name != "part"}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Target:
        """The inverse of `as_dict`."""
        part = document.get("part")
        return cls(**{**document, "part": Part(**part) if part else None})


def utc_text(time: datetime) -> str:
    """A time of UTC as all records and states have it: ISO 8601, so that earlier times are lesser texts."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def part_id(listing_id: str, number: int) -> str:
    """The target id of a part of a listing."""
    return f"{listing_id}-{number:04d}"


@dataclass(frozen=True)
class Place:
    """Where the paging of a target is.

    `page` is the number of the page to fetch, in pass `pass_number`, and `token` fetches it (None: the first page).
    `taken` counts what `MaxItems` counts; `items` and `bytes` what was written (bytes: compressed), `shared_keys` the
    items that shared their key with another one on their page, `large_items` those that DynamoDB holds as a reference
    to their line in S3, `sums` adds up the numbers among the result keys.
    `interval` is how many seconds apart pages are to be fetched, which grows when the service throttles.
    `next` tells the state machine what to do. A "pause" lasts until `not_before`; "begin_pass" says that the token is
    no longer taken, and that this is the beginning of the next pass, for Crawl to go on with when all else has ended.
    At the end, `verdict` says what the listing is, and `token` is boto3's resume token where something other than the
    listing's own end stopped it. `turned_in` says in which PageLoop the last page was turned, by the time at which that
    loop began.
    """

    pass_number: int = 1
    page: int = 1
    token: str | None = None
    taken: int = 0
    items: int = 0
    bytes: int = 0
    shared_keys: int = 0
    large_items: int = 0
    sums: Mapping[str, float] = field(default_factory=dict)
    interval: float = 0
    next: Next = "page"
    verdict: str | None = None
    turned_in: str | None = None
    not_before: str | None = None

    @property
    def pages(self) -> int:
        """How many pages of this pass have been written."""
        return self.page - 1

    def as_dict(self) -> dict[str, Any]:
        """The place as it travels."""
        return asdict(self)


# In place of a place: "look where the checkpoint is". It begins every target, so that a redrive or a resume goes on.
FROM_CHECKPOINT: Mapping[str, Any] = {"from_checkpoint": True, "throttled": False}
# The same after a BackOff, so that the target goes on more slowly.
AFTER_THROTTLING: Mapping[str, Any] = {"from_checkpoint": True, "throttled": True}


@dataclass(frozen=True)
class Sweep:
    """How far the sweep of a target's stale items is.

    `start_key` (DynamoDB's) is where it goes on; `stale` and `others` count the items so far.

    `next` is "sweep" or "end".
    """

    next: str = "sweep"
    start_key: Mapping[str, Any] | None = None
    stale: int = 0
    others: int = 0


@dataclass(frozen=True)
class PageState:
    """The input of `FetchPage`: `place` is None where the checkpoint has it; `throttled`: the page was, before this."""

    run: Run
    crawl: Crawl
    target: Target
    place: Place | None
    throttled: bool = False

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> PageState:
        """Parse the state as `plan_run` made it."""
        place = event["place"]
        return cls(
            run=Run(**event["run"]),
            crawl=Crawl.from_dict(event["crawl"]),
            target=Target.from_dict(event["target"]),
            place=None if "from_checkpoint" in place else Place(**place),
            throttled=bool(place.get("throttled") or event.get("retry_count")),
        )
