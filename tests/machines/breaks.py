"""Deliberate breaks of the code: what a fence, a condition or a wait is for, without it.

Most leave out a condition where it reaches the service, so that they do not know how the code is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pageturner.errors import SinkError
from pageturner.page_state import Run
from pageturner.publish.plan import ListingPlan
from pageturner.publish.run_listings import RunListing
from pageturner.publish.tables import PUBLICATION
from pageturner.stores.checkpoints import CheckpointStore, PageRecord
from pageturner.stores.item_table import ItemTable
from pageturner.verdicts import PageCounts
from tests.fake_glue import FakeGlue
from tests.fakes import FakeDynamoDB, FakeS3
from tests.machines.schedule import Schedule
from tests.machines.world import Definitions

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Break:
    """A break of the code, or of the machine. One of the `seeds`, or of the first `within`, must notice it.

    `schedule` is the kind of schedule that the seeds are of.
    """

    name: str
    patch: Patch = lambda _: None
    edit: Callable[[Any], None] = lambda _: None  # the definition of Crawl
    seeds: tuple[int, ...] = ()
    within: int = 40
    schedule: type[Schedule] = Schedule


def broken_definitions(definitions: Definitions, broken: Break) -> Definitions:
    """The definitions with the break's edit."""
    crawl = json.loads(json.dumps(definitions.crawl))
    broken.edit(crawl)
    return replace(definitions, crawl=crawl)


def without_retry_of(error: str) -> Callable[[Any], None]:
    """No task of Crawl is retried after this error."""

    def edit(crawl: Any) -> None:
        for state in crawl["States"].values():
            for retrier in state.get("Retry", []):
                retrier["ErrorEquals"] = [name for name in retrier["ErrorEquals"] if name != error]

    return edit


def a_retry_looks_like_a_redrive(crawl: Any) -> None:
    crawl["States"]["FailRun"]["Parameters"]["Payload"]["redrives.$"] = "$$.State.RetryCount"


def short_verdicts_without_condition(crawl: Any) -> None:
    """A child of ShortTargets records its verdict over any other."""
    batch = crawl["States"]["ShortTargets"]["ItemProcessor"]["States"]["EachOfBatch"]["ItemProcessor"]
    del batch["States"]["ShortRecordVerdict"]["Parameters"]["ConditionExpression"]


def any_place_is_handed_over(crawl: Any) -> None:
    """Nobody looks at the text of the place that a PageLoop returns."""
    choices = crawl["States"]["LongTargets"]["ItemProcessor"]["States"]["PageLoopEnded?"]["Choices"]
    for rule in choices[0]["And"][0]["And"][1]["Or"]:
        rule["StringMatches"] = "*"


def hand_overs_are_not_counted(crawl: Any) -> None:
    """A place is handed over however many were before."""
    choices = crawl["States"]["LongTargets"]["ItemProcessor"]["States"]["PageLoopEnded?"]["Choices"]
    choices[0]["And"][1] = {"Variable": "$.hand_overs", "IsPresent": True}


def all_targets(store: CheckpointStore, run: Run) -> set[str]:
    """In place of `ended`: every target that has turned a page."""
    return {record.target_id for record in store.pages(run)}


def all_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages of abandoned passes count."""
    whole = PageCounts.add

    def add(self: PageCounts, record: PageRecord) -> None:
        latest, self.pass_number = max(self.pass_number, record.pass_number), record.pass_number
        whole(self, record)
        self.pass_number = latest

    monkeypatch.setattr(PageCounts, "add", add)
    monkeypatch.setattr("pageturner.finish.collecting.is_of_last_pass", lambda *_: True)


def put_without_condition(part_of_key: str) -> Patch:
    """S3 puts these objects whatever is there."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = FakeS3.put_object

        def put_object(self: FakeS3, **request: Any) -> Any:
            if part_of_key in request["Key"]:
                request = {name: value for name, value in request.items() if name not in ("IfNoneMatch", "IfMatch")}
            return whole(self, **request)

        monkeypatch.setattr(FakeS3, "put_object", put_object)

    return patch


def write_without_condition(partition: str, record: str, kind: str) -> Patch:
    """DynamoDB writes the rows whose keys begin so, whatever is there."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = FakeDynamoDB._holds

        def holds(self: FakeDynamoDB, request: dict[str, Any]) -> bool:
            if kind in request:
                key = request[kind]["Item"] if "Item" in request[kind] else request[kind]["Key"]
                if key["pk"]["S"].startswith(partition) and key["sk"]["S"].startswith(record):
                    return True
            return whole(self, request)

        monkeypatch.setattr(FakeDynamoDB, "_holds", holds)

    return patch


def replaced(name: str, value: Any) -> Patch:
    """Something of the code is replaced."""
    return lambda monkeypatch: monkeypatch.setattr(name, value)


def update_without_condition(of: str) -> Patch:
    """The row of what is published takes an update that sets or removes `of`, whatever it says."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = FakeDynamoDB._holds

        def holds(self: FakeDynamoDB, request: dict[str, Any]) -> bool:
            update = request.get("Update", {})
            is_own = update and update["Key"]["pk"]["S"].startswith("published#")
            return (is_own and of in update["UpdateExpression"]) or whole(self, request)

        monkeypatch.setattr(FakeDynamoDB, "_holds", holds)

    return patch


def glue_without_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables in Glue are moved whatever publication they show."""
    monkeypatch.setattr(FakeGlue, "get_table", _of_no_publication(FakeGlue.get_table))


def _of_no_publication(whole: Callable[..., Any]) -> Callable[..., Any]:
    def get_table(self: FakeGlue, **request: Any) -> Any:
        found = whole(self, **request)
        del found["Table"]["Parameters"][PUBLICATION]
        return found

    return get_table


def glue_without_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Glue takes an update of whichever version."""
    monkeypatch.setattr(FakeGlue, "is_version", lambda *_: True)


def replaces_always(listing: RunListing, *_: Any) -> ListingPlan | str:
    """In place of `_how`: whoever publishes last wins."""
    return ListingPlan("replace") if listing.has_ended else ""


def told_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """How far DynamoDB has been told is recorded before it is told."""
    whole = ItemTable.tell_in_parallel

    def tell(self: ItemTable, crawl: Any, number: int, changes: Any, *more: Any) -> int | None:
        changes = list(changes)
        try:
            return whole(self, crawl, number, changes, *more)
        except SinkError:
            return len(changes)

    monkeypatch.setattr(ItemTable, "tell_in_parallel", tell)
