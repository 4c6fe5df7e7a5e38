"""Whatever happens to listings from run to run, and wherever publishing is killed, everything shows the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pageturner.prices import Volume
from pageturner.publish.metering import Meter
from pageturner.stores.publications import PublicationStore
from tests.histories import PREFIXES, Listed, Process, Ran, World, item, listed

pytestmark = pytest.mark.usefixtures("_one_connection")


@pytest.fixture(autouse=True)
def _nothing_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it costs depends on the time, and nothing that is published on what it costs."""
    monkeypatch.setattr(Meter, "take", lambda _: Volume())
    monkeypatch.setattr(PublicationStore, "spent", lambda *_: {})


KEYS = ("a", "b", "c", "d/e", "CommonPrefixes#a")
items = st.builds(
    item,
    st.sampled_from(KEYS),
    st.sampled_from("12"),
    st.integers(0, 1),
    st.sampled_from(["Contents"] * 3 + [PREFIXES]),
)
pages = st.lists(st.lists(items, max_size=4), min_size=1, max_size=3)
targets = st.one_of(
    st.builds(Listed, st.lists(pages, min_size=1, max_size=2)),
    st.builds(Listed, st.lists(pages, min_size=1, max_size=1)),
    st.builds(
        Listed,
        st.lists(pages, min_size=1, max_size=2),
        st.sampled_from(["complete", "limited", "denied"]),
        st.integers(0, 1),
    ),
)


@dataclass(frozen=True)
class Step:
    """A run of a history, and what becomes of its publishing: killed at requests, and perhaps left to the next run."""

    targets: dict[str, Listed]
    crawl: dict[str, Any]
    kills: list[int]
    doubles: int | None
    is_left: bool
    loses_table: bool
    as_catalogued: bool


crawls = st.fixed_dictionaries(
    {},
    optional={
        "stale_items": st.sampled_from(["remove", "mark", "keep"]),
        "allow_empty": st.booleans(),
        "ignore_fields": st.sampled_from([(), ("Size",), ("Size", "ETag")]),
        "sinks": st.sampled_from([("dynamodb",), ("dynamodb",), ()]),
        "key": st.sampled_from(["Key", "Key", "ETag"]),
        "search": st.sampled_from([None, None, "Contents[]"]),
    },
)
usual: st.SearchStrategy[dict[str, Any]] = st.just({})
steps = st.builds(
    Step,
    st.dictionaries(st.sampled_from(["l1", "l2"]), targets, min_size=1),
    st.one_of(usual, usual, crawls),
    st.lists(st.integers(1, 60), max_size=2),
    st.one_of(st.none(), st.integers(1, 60)),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([False] * 5 + [True]),
    st.sampled_from([True] * 5 + [False]),
)


def publish(world: World, ran: Ran, step: Step) -> None:
    if step.loses_table:
        world.lose_table()
    for kill in step.kills:
        world.publish(ran, Process(dies_at=kill))
    if not step.is_left:
        world.check(world.publish(ran, Process(doubles=step.doubles)))


# To shrink a history would take minutes.
@settings(max_examples=40, phases=[Phase.generate])
@given(st.lists(steps, min_size=2, max_size=6), st.sampled_from([1000, 1000, 4]))
def test_everything_shows_what_was_listed(history: list[Step], most_rows: int) -> None:
    world = World(most_rows)
    for step in history:
        ran = world.run(step.targets, as_catalogued=step.as_catalogued, **step.crawl)
        publish(world, ran, step)
    world.check(world.publish(ran))


HISTORY = (
    {"l1": listed([item("a"), item("b")], [item("c"), item("s"), item("s", "2")]), "l2": listed([item("a")])},
    {"l1": listed([item("a"), item("b", "2")], [item("d"), item("s", "2")]), "l3": listed([item("a", "3")])},
    {"l1": listed([item("a"), item("b", "3")]), "l3": listed([item("b", "3")])},
)


@pytest.mark.parametrize(
    ("most_rows", "stale_items", "by_the_next"),
    [(1000, "remove", False), (1000, "mark", True), (4, "remove", False), (4, "remove", True)],
)
def test_killed_at_any_request_it_comes_to_the_same(most_rows: int, stale_items: str, by_the_next: bool) -> None:
    """By the same run, or by the next one, which finishes what it finds.

    It is killed before its first request, and after each that writes. What comes after the same as before is the same.
    """
    world = World(most_rows)
    world.check(world.publish(world.run(HISTORY[0])))
    second, third = (world.run(targets, stale_items=stale_items) for targets in HISTORY[1:])
    process = Process()
    whole = world.copy()
    whole.check(whole.publish(second, process))
    assert len(process.requests) > 40
    seen: list[Any] = []
    for kill in [1, *(number + 1 for number in process.writes if number < len(process.requests))]:
        killed = world.copy()
        assert killed.publish(second, Process(dies_at=kill)) is None
        if not by_the_next:
            killed.check(killed.publish(second))
            assert killed.rows() == whole.rows()
        if (everything := killed.everything()) in seen:
            continue
        seen.append(everything)
        killed.check(killed.publish(third))
        assert killed.publish(second) is not None
        assert {event["DetailType"] for event in killed.events.sent} == {"Run finished", "Items changed"}


@pytest.mark.parametrize("most_rows", [1000, 4])
def test_any_request_can_be_done_twice(most_rows: int) -> None:
    world = World(most_rows)
    world.check(world.publish(world.run(HISTORY[0])))
    second, process = world.run(HISTORY[1]), Process()
    world.copy().publish(second, process)
    assert len(process.writes) > 20
    for request in process.writes:
        again = world.copy()
        again.check(again.publish(second, Process(doubles=request)))


@pytest.mark.parametrize("most_rows", [1000, 4])
def test_a_run_that_changes_nothing_asks_the_items_table_only_when_it_was_created(most_rows: int) -> None:
    world, process = World(most_rows), Process()
    for _ in range(2):
        world.check(world.publish(world.run(HISTORY[0])))
    before = world.rows()
    summary = world.publish(world.run(HISTORY[0]), process)
    world.check(summary)
    assert world.rows() == before
    assert {name for name, table in process.requests if table == "items"} == {"describe_table"}


def test_thousands_of_items_in_buckets() -> None:
    world = World(most_rows=700)
    many = [item(f"key-{number}", str(number % 7)) for number in range(3000)]
    cut = [many[start : start + 500] for start in range(0, 3000, 500)]
    summary = world.publish(world.run({"l1": listed(*cut), "l2": listed(many[:10])}))
    assert summary is not None
    assert summary["published"]["new"] == 3010
    world.check(summary)
    changed = [item(f"key-{number}", str((number + number % 3) % 7)) for number in range(100, 3100)]
    cut = [changed[start : start + 400] for start in range(0, 3000, 400)]
    summary = world.publish(world.run({"l1": listed(*cut), "l2": listed(many[:10])}), Process(dies_at=100))
    assert summary is None
    world.most_rows = 5000
    summary = world.publish(world.run({"l1": listed(*cut), "l2": listed(many[:10])}))
    world.check(summary)


def test_an_empty_listing_beside_ignored_errors_does_not_let_the_next_one_remove_everything() -> None:
    world = World()
    for each in (listed([item("a")]), listed([], ignored_errors=1), listed([])):
        world.check(world.publish(world.run({"l1": each})))
    assert {sk for _, sk in world.rows()} == {"a"}


def test_what_is_carried_over_keeps_its_name_when_other_fields_are_ignored() -> None:
    """Items that share a key have a hash in their name, which DynamoDB knows."""
    world = World()
    shared = listed([item("a", "1", 1), item("a", "1", 2)])
    world.check(world.publish(world.run({"l1": shared, "l2": listed([item("b")])})))
    other = world.run({"l1": listed([], verdict="denied"), "l2": listed([item("b")])}, ignore_fields=("Size",))
    world.check(world.publish(other))
    for each in (listed([item("a", "1", 3)]), listed([item("a", "1", 4)])):
        world.check(world.publish(world.run({"l1": each, "l2": listed([item("b")])}, ignore_fields=("Size",))))
    assert {sk for _, sk in world.rows()} == {"a", "b"}
