"""The data that travels between the states of both state machines, parsed at the edge.

It is JSON, and small: Step Functions accepts 256 KiB, and items never travel. `run` and `crawl` are the same for all
targets of a run, `target` for all pages of a target. Only `place` moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from pageturner.crawls.crawl import Crawl
from pageturner.formats import known, readable, stamped
from pageturner.paging.split import Part

# The error of a target that continues in another execution, because this one nears Step Functions' event limit.
CONTINUES = "ContinuesInAnotherExecution"
Next = Literal["page", "pause", "begin_pass", "hand_over", "end"]
# PageLoop has already retried for most of a minute when Crawl begins to wait.
FIRST_WAIT_SECONDS = 15


@dataclass(frozen=True)
class Run:
    """One run of a crawl.

    `date` is the UTC day on which it began. `started_at` and `deadline` are ISO 8601 in UTC. `expires_at`, in seconds
    since 1970, is when DynamoDB may delete its records. Its pages in S3 stay. `execution` is the ARN of the Crawl
    execution that drives it; a resumed run has another one. `generation` counts its plans: 1, and one more with each
    resumption, redrive, or execution in which it continues by itself; `since` is the generation with which it was begun
    or last resumed.
    """

    run_id: str
    date: str
    started_at: str
    deadline: str
    expires_at: int
    execution: str = ""
    generation: int = 1
    since: int = 1

    def as_dict(self) -> dict[str, Any]:
        """The run as its record has it, and as the states pass it on."""
        return stamped(asdict(self))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Run:
        """The inverse of `as_dict`. Raises `SinkError` if a newer version has written it, as all of these do."""
        return cls(**known(cls, readable(document, f"run {document['run_id']}")))


@dataclass(frozen=True)
class Target:
    """One (account, region, parameters) of a run, paged on its own.

    If the listing is split, `part` says which part this target is, and all parts have the same `listing_id`. If the
    crawl has several operations, `service` and `operation` are its own. `parent` is what its items say about the item
    of another crawl that it is made for: its `key`, and what the crawl chose.
    """

    target_id: str
    account: str
    region: str
    parameters: Mapping[str, Any]
    part: Part | None = None
    service: str = ""
    operation: str = ""
    parent: Mapping[str, Any] | None = None

    @property
    def listing_id(self) -> str:
        """The name of the listing, the same in every run; its items share a partition in DynamoDB."""
        return self.target_id if self.part is None else self.target_id.rpartition("-")[0]

    @property
    def listing_targets(self) -> list[str]:
        """The ids of all targets of the listing."""
        if self.part is None:
            return [self.target_id]
        return [part_id(self.listing_id, number) for number in range(1, self.part.count + 1)]

    def as_dict(self) -> dict[str, Any]:
        """The target as the states pass it on."""
        return {name: value for name, value in asdict(self).items() if name == "parameters" or value not in (None, "")}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Target:
        """The inverse of `as_dict`, also for an element of the targets file, which has the target's patience too."""
        readable(document, f"target {document['target_id']}")
        part = document.get("part")
        return cls(**{**known(cls, document), "part": Part(**known(Part, part)) if part else None})


def utc_text(time: datetime) -> str:
    """A UTC time as all records and states have it: ISO 8601, so that strings sort by time."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def part_id(listing_id: str, number: int) -> str:
    """The target id of a part of a listing."""
    return f"{listing_id}-{number:04d}"


@dataclass(frozen=True)
class Place:
    """How far the paging of a target is.

    `page` is the number of the page to fetch, in pass `pass_number`, and `token` fetches it (None: the first page).
    `taken` counts what `MaxItems` counts. `items` and `bytes` (compressed) count what was written. `sums` adds up the
    numbers among the result keys.
    `page_errors` counts the errors beside the items, and `ignored_errors` those that the crawl ignores.
    `miscount` is how many more items the answers said that they had, and `missing_details` how many details are null.
    `last_key` is the last key of a listing whose order is known.
    `mark` stands for the last page whose number is a power of two, to notice tokens that go round in a circle.
    `interval` is the number of seconds between pages, which grows when the service throttles, and `heard_at` is until
    when the target has heard of throttling. `slot_at` is the moment that is reserved for the page, if the crawl has a
    pace, and `slots_left` counts those that are reserved behind it.
    `next` tells the state machine what to do. A "pause" lasts until `not_before`. "begin_pass" says that the service
    rejected the token, and that this place is the beginning of the next pass, which begins when Crawl comes back with
    it.
    At the end, `verdict` says what the listing is, with the `error` (a class of `errors.py`) and its `cause` if it has
    failed, and `token` is boto3's resume token if something other than the end of the listing stopped it.
    `turned_in` is the start time of the PageLoop that turned the last page.
    `first_pass` is the pass from which restarts are counted: 1, or the one that a resumption began.
    """

    pass_number: int = 1
    page: int = 1
    token: str | None = None
    taken: int = 0
    items: int = 0
    bytes: int = 0
    sums: Mapping[str, float] = field(default_factory=dict)
    page_errors: int = 0
    ignored_errors: int = 0
    miscount: int = 0
    missing_details: int = 0
    last_key: str | None = None
    mark: str = ""
    interval: float = 0
    heard_at: str = ""
    slot_at: str | None = None
    slots_left: int = 0
    next: Next = "page"
    verdict: str | None = None
    error: str | None = None
    cause: str | None = None
    turned_in: str | None = None
    not_before: str | None = None
    first_pass: int = 1

    @property
    def pages(self) -> int:
        """The number of pages written in this pass."""
        return self.page - 1

    def as_dict(self) -> dict[str, Any]:
        """The place as the states pass it on."""
        return stamped(asdict(self))

    def as_record(self) -> dict[str, Any]:
        """The place as a checkpoint has it: whoever goes on from there reserves a moment and listens anew."""
        left_out = ("heard_at", "slot_at", "slots_left")
        return {name: value for name, value in self.as_dict().items() if name not in left_out}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Place:
        """The inverse of `as_dict`, also for the place of an earlier version, with members that are no longer used."""
        return cls(**known(cls, readable(document, "the place of a target")))


# Used instead of a place: "continue from the checkpoint". Every target begins with it, for redrives and resumed runs.
FROM_CHECKPOINT: Mapping[str, Any] = {"from_checkpoint": True, "throttled": False}
# The same after a BackOff, so that the target slows down.
AFTER_THROTTLING: Mapping[str, Any] = {"from_checkpoint": True, "throttled": True}


@dataclass(frozen=True)
class Patience:
    """How long Crawl still waits for a target that makes no progress. It is the run's, whatever execution drives it.

    The next BackOff lasts `wait_seconds`. `interruptions` PageLoops in a row turned no page: the last page record was
    `last_page` (its sort key; empty if there was none, or nobody has looked).
    """

    wait_seconds: int = FIRST_WAIT_SECONDS
    interruptions: int = 0
    last_page: str = ""


@dataclass(frozen=True)
class PageState:
    """The input of `FetchPage`: the `crawl` of the target's operation, the `place` (None: the checkpoint's), whether an
    earlier attempt was `throttled`, and how many attempts at this page there were before.
    """

    run: Run
    crawl: Crawl
    target: Target
    place: Place | None
    throttled: bool = False
    retries: int = 0

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> PageState:
        """Parse the event of a function."""
        place = event["place"]
        target = Target.from_dict(event["target"])
        return cls(
            run=Run.from_dict(event["run"]),
            crawl=Crawl.from_dict(event["crawl"]).of(target.service, target.operation),
            target=target,
            place=None if "from_checkpoint" in place else Place.from_dict(place),
            throttled=bool(place.get("throttled") or event.get("retry_count")),
            retries=event.get("retry_count", 0),
        )
