"""The publications of each crawl: one row a crawl in the runs table, and what is published in S3.

Publications are numbered, and one follows the other: a publication is begun (`pending`), its files are put, it is
committed (it is `current` then), DynamoDB is told what has changed, and it is finished. Each step is a condition on the
row. While one is pending, no other begins; whoever wants to publish finishes it first. What it is made of is pinned by
its plan, so everyone who works at it, however late, makes the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from pageturner.formats import known, readable, stamped
from pageturner.stores import keys
from pageturner.stores.page_store import PageStore
from pageturner.stores.run_table import RunTable

# How long it is known how far DynamoDB has been told.
_EXPIRES_SECONDS = 30 * 24 * 3600
# A pending publication is the last one that was begun. Another version might write its text in another way.
_IS_PENDING = "attribute_exists(pending) AND #last = :number"
# What a publication has taken is kept in millionths.
_MILLION = 1_000_000


@dataclass(frozen=True)
class Publication:
    """A publication of a crawl.

    `name` is its partition in the tables and the name of its folders: the run's id, or that with the number if the run
    was published before. Its files are in `buckets` parts, by the key's hash; 1 if a function can hold everything.
    `base` is the number of what was published before (0: nothing), and `begun_at` when it was begun (ISO 8601).
    `asked_by` is the execution in which a person asked for it: mistrusted listings are published too, and DynamoDB is
    reconciled.
    """

    number: int
    crawl: str
    run_id: str
    generation: int
    name: str
    buckets: int
    base: int
    begun_at: str
    asked_by: str = ""


@dataclass(frozen=True)
class Told:
    """What DynamoDB was last told: the publication's `number`, in which table, and what became of `stale_items`."""

    number: int
    table: str
    stale_items: str


@dataclass(frozen=True)
class State:
    """What the row of a crawl says. `is_committed` is about the `pending` one; `last` is the highest number begun."""

    current: Publication | None = None
    pending: Publication | None = None
    is_committed: bool = False
    told: Told | None = None
    last: int = 0


@dataclass(frozen=True)
class PublishedListing:
    """The last complete listing of a target, as it was published: of the run `run_id`, which began at `started_at`.

    `items` and `bytes` (compressed) count what was listed, and `passes` has the last pass of each of its targets.
    `service` and `operation` are there if the crawl has several operations.
    `definition` is a hash of what decides what its items and their keys are. `as_catalogued` says that a run of
    the catalogue's crawl has listed it. `added` has when the runs began whose items were added since; if there are no
    others, `is_complete` is false.
    """

    account: str
    region: str
    parameters: Mapping[str, Any]
    run_id: str
    started_at: str
    items: int
    bytes: int
    passes: Mapping[str, int]
    definition: str
    as_catalogued: bool
    is_complete: bool = True
    added: Mapping[str, str] = field(default_factory=dict)
    service: str = ""
    operation: str = ""


# The member, name and type of each column of a table, in order.
Columns = tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Published:
    """What is published of a crawl: its listings by id, the `columns` of its table, and those of the `tables` of its
    operations, if it has several.

    `ignore_fields` are those without which its items are hashed; None if they are not the same for all. `told_by` has
    when the last run began, and its id, that told which listings the catalogue's crawl has: others were gone then.
    """

    listings: Mapping[str, PublishedListing] = field(default_factory=dict)
    columns: Columns = ()
    ignore_fields: tuple[str, ...] | None = ()
    told_by: tuple[str, str] = ("", "")
    tables: Mapping[str, Columns] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Published:
        """The inverse of `asdict`."""
        readable(document, "what is published of a crawl")
        listings = {of: PublishedListing(**known(PublishedListing, each)) for of, each in document["listings"].items()}
        tables = {name: _columns(each) for name, each in document.get("tables", {}).items()}
        ignored = document["ignore_fields"]
        began, run_id = document.get("told_by", ("", ""))
        ignored = tuple(ignored) if ignored is not None else None
        return cls(listings, _columns(document["columns"]), ignored, (began, run_id), tables)


class PublicationStore:
    """Reads and writes the row of a crawl, and what is published."""

    def __init__(self, table: RunTable, pages: PageStore) -> None:
        self._table = table
        self._pages = pages

    def state(self, crawl_name: str) -> State:
        """Return what the row says."""
        found = self._table.get(_row(crawl_name), f"what is published of crawl {crawl_name}")
        if found is None:
            return State()
        return State(
            current=_publication(found, "current"),
            pending=_publication(found, "pending"),
            is_committed="committed" in found,
            told=Told(**known(Told, json.loads(found["told"]["S"]))) if "told" in found else None,
            last=int(found["last"]["N"]),
        )

    def begin(self, publication: Publication) -> bool:
        """Begin a publication. Returns False if another one is pending, or has been begun or finished meanwhile."""
        return self._update(
            publication.crawl,
            "SET pending = :pending, #last = :number REMOVE committed",
            "attribute_not_exists(pending) AND (attribute_not_exists(#last) OR #last < :number)",
            {"#last": "last"},
            pending=_text(publication),
            number=publication.number,
        )

    def commit(self, publication: Publication) -> bool:
        """Make a pending publication the current one, whose files are all there. Returns False if it is not pending."""
        return self._update(
            publication.crawl,
            "SET #current = :mine, committed = :number",
            f"{_IS_PENDING} AND attribute_not_exists(committed)",
            {"#current": "current", "#last": "last"},
            mine=_text(publication),
            number=publication.number,
        )

    def record_told(self, publication: Publication, told: Told) -> bool:
        """Record that DynamoDB has been told of a committed publication. Returns False if it is not pending."""
        return self._update(
            publication.crawl,
            "SET told = :told",
            f"{_IS_PENDING} AND attribute_exists(committed)",
            {"#last": "last"},
            number=publication.number,
            told=json.dumps(asdict(told)),
        )

    def finish(self, publication: Publication) -> bool:
        """End a committed publication, or give one up that is not. Returns False if it is not pending."""
        return self._update(
            publication.crawl,
            "REMOVE pending, committed",
            _IS_PENDING,
            {"#last": "last"},
            number=publication.number,
        )

    def published(self, publication: Publication | None) -> Published:
        """Return what was published with a publication; nothing with None. Raises `SinkError`."""
        if publication is None:
            return Published()
        return Published.from_dict(self._pages.get_json(keys.published_key(publication.crawl, publication.number)))

    def put_published(self, publication: Publication, published: Published) -> None:
        """Put what is published with a publication, before it is committed. Repeating this puts the same."""
        self._pages.put_json(keys.published_key(publication.crawl, publication.number), stamped(asdict(published)))

    def forget(self, publication: Publication) -> None:
        """Delete what was published with an earlier publication; its tables stay."""
        self._pages.delete(keys.published_key(publication.crawl, publication.number))

    def reached(self, publication: Publication, bucket: int) -> int:
        """Return of how many changes of a bucket DynamoDB has been told."""
        found = self._table.get(_progress(publication, bucket), f"how far bucket {bucket} of {publication.name} is")
        return int(found["reached"]["N"]) if found is not None else 0

    def record_reached(self, publication: Publication, bucket: int, reached: int) -> None:
        """Record that. Whoever is late, and is less far, moves it back, which is harmless."""
        values = {"reached": {"N": str(reached)}, "expires_at": _expires_at(publication)}
        self._table.put_row(_progress(publication, bucket), f"how far bucket {bucket} is", values)

    def add_spent(self, publication: Publication, spent: Mapping[str, float]) -> None:
        """Add what an invocation has taken, by the names of `pageturner.prices.Volume`, to what others have.

        What is done twice costs twice. Who is killed before has not said what it took.
        """
        self._table.write_if(
            f"could not write what {publication.name} has taken to the runs table",
            "update_item",
            Key=_spent(publication),
            UpdateExpression="SET expires_at = :expires_at ADD " + ", ".join(f"#{name} :{name}" for name in spent),
            ExpressionAttributeNames={f"#{name}": name for name in spent},
            ExpressionAttributeValues={
                ":expires_at": _expires_at(publication),
                **{f":{name}": {"N": str(round(number * _MILLION))} for name, number in spent.items()},
            },
        )

    def spent(self, publication: Publication) -> dict[str, float]:
        """Return that of all invocations that have said so."""
        found = self._table.get(_spent(publication), f"what {publication.name} has taken") or {}
        names = found.keys() - {"pk", "sk", "expires_at"}
        return {name: int(found[name]["N"]) / _MILLION for name in names}

    def _update(
        self, crawl_name: str, update: str, condition: str, names: Mapping[str, str], /, **values: str | int
    ) -> bool:
        return self._table.write_if(
            f"could not write what is published of crawl {crawl_name} to the runs table",
            "update_item",
            Key=_row(crawl_name),
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues={
                f":{name}": {"N": str(value)} if isinstance(value, int) else {"S": value}
                for name, value in values.items()
            },
            **({"ExpressionAttributeNames": names} if names else {}),
        )


def _columns(document: Any) -> Columns:
    return tuple((member, name, kind) for member, name, kind in document)


def _row(crawl_name: str) -> dict[str, Any]:
    return keys.row(keys.PUBLISHED.format(crawl_name), "published")


def _progress(publication: Publication, bucket: int) -> dict[str, Any]:
    return keys.row(keys.PUBLISHED.format(publication.crawl), f"told#{publication.number}#{bucket}")


def _spent(publication: Publication) -> dict[str, Any]:
    return keys.row(keys.PUBLISHED.format(publication.crawl), f"spent#{publication.number}")


def _expires_at(publication: Publication) -> dict[str, str]:
    return {"N": str(int(datetime.fromisoformat(publication.begun_at).timestamp()) + _EXPIRES_SECONDS)}


def _text(publication: Publication) -> str:
    return json.dumps(stamped(asdict(publication)), sort_keys=True)


def _publication(found: Mapping[str, Any], name: str) -> Publication | None:
    if name not in found:
        return None
    return Publication(**known(Publication, readable(json.loads(found[name]["S"]), "what is published of a crawl")))
