"""What is published of a crawl that lists what is new: all that its runs have listed, and nothing is removed."""

from __future__ import annotations

from typing import Any

import pytest

from pageturner.page_state import Run
from pageturner.stores import Stores
from tests.conftest import REGION, Aws, Machines
from tests.published import in_table, published
from tests.trail import ENDS, TRAIL, Service, begin, connected, fail, turn


@pytest.fixture
def trail(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> Service:
    machines.catalogue = {"c": TRAIL}
    return connected(Service("cloudtrail", ("start", "end")), monkeypatch)


def run_and_publish(aws: Aws, machines: Machines, trail: Service, number: int) -> dict[str, Any]:
    return machines.publish(turn(aws, machines, begin(machines, trail, number)), f"execution-{number}")


def keys(aws: Aws) -> list[str]:
    published(aws)  # DynamoDB has the same
    return sorted(row["key"] for row in in_table(aws).values())


@pytest.mark.usefixtures("_either_way", "_one_connection")
def test_runs_add_what_is_new(aws: Aws, machines: Machines, trail: Service) -> None:
    first = run_and_publish(aws, machines, trail, 0)
    fail(machines, trail, 1)
    third = run_and_publish(aws, machines, trail, 2)
    assert keys(aws) == trail.visible(ENDS[2])
    new = len(trail.visible(ENDS[2])) - len(trail.visible(ENDS[0]))
    counts = ("new", "changed", "gone", "replaced")
    assert [third["published"][name] for name in counts] == [new, 0, 0, 0]
    assert third["published"]["rows"] == first["published"]["rows"] + new


def test_a_run_that_has_found_nothing_publishes_nothing(aws: Aws, machines: Machines, trail: Service) -> None:
    run_and_publish(aws, machines, trail, 0)
    trail.denies, events = False, trail.events
    trail.events = lambda: iter(())  # type: ignore[method-assign]
    second = run_and_publish(aws, machines, trail, 1)
    assert (second["verdict"], second["items"], second["published"]["number"]) == ("complete", 0, 0)
    trail.events = events  # type: ignore[method-assign]
    run_and_publish(aws, machines, trail, 2)
    assert keys(aws) == sorted({*trail.visible(ENDS[0]), *trail.visible(ENDS[2])} - between(trail, 0, 1))


def between(trail: Service, start: int, end: int) -> set[str]:
    return set(trail.visible(ENDS[end])) - set(trail.visible(ENDS[start]))


def test_a_run_that_is_published_after_later_ones_adds_what_it_has(
    aws: Aws, machines: Machines, trail: Service
) -> None:
    """PublishRun failed, for one; and the next run begins behind what is not published."""
    run_and_publish(aws, machines, trail, 0)
    second = turn(aws, machines, begin(machines, trail, 1))
    stores = Stores.of_environment()
    found = stores.runs.find(second["run_id"])
    assert found is not None
    stores.runs.unlock("c", Run.from_dict(found.run))
    run_and_publish(aws, machines, trail, 2)
    assert set(keys(aws)) == set(trail.visible(ENDS[2])) - between(trail, 0, 1)
    late = machines.publish(second, "execution-late")
    assert late["published"]["new"] == len(between(trail, 0, 1))
    assert keys(aws) == trail.visible(ENDS[2])


def test_an_older_run_does_not_bring_back_what_a_later_one_lists_otherwise(
    aws: Aws, machines: Machines, trail: Service
) -> None:
    """A job, say, that was changed again in the meantime, and is listed by the time of its last change."""
    run_and_publish(aws, machines, trail, 0)
    failed = begin(machines, trail, 1)
    (target,) = aws.json(failed["targets"]["key"])
    machines.turn_all(failed, target)  # and is killed before FinishRun
    trail.state = "later"
    run_and_publish(aws, machines, trail, 2)
    resumed = machines.plan({"resume": failed["run"]["run_id"]}, "execution-late")
    late = machines.publish(machines.finish(resumed), "execution-late")
    assert [late["published"].get(name, 0) for name in ("new", "changed", "gone")] == [0, 0, 0]
    assert {row["item"].count("later") for row in in_table(aws).values() if row["key"] in between(trail, 0, 2)} == {1}


def test_the_items_of_a_listing_that_is_no_target_any_more_stay(
    aws: Aws, machines: Machines, trail: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(Service("cloudtrail", ("start", "end"), now=trail.now.replace(year=2127)), monkeypatch, "eu-west-1")
    machines.catalogue = {"c": {**TRAIL, "regions": [REGION, "eu-west-1"]}}
    run_and_publish(aws, machines, trail, 0)
    machines.catalogue = {"c": TRAIL}
    run_and_publish(aws, machines, trail, 1)
    assert {row["region"] for row in in_table(aws).values()} == {REGION, "eu-west-1"}


def test_the_listing_is_named_by_the_parameters_without_the_window(
    aws: Aws, machines: Machines, trail: Service
) -> None:
    machines.catalogue = {"c": {**TRAIL, "parameters": {"EventCategory": "insight"}}}
    for number in range(2):
        run_and_publish(aws, machines, trail, number)
    (listing,) = (row for row in aws.rows(aws.items_table) if row["pk"]["S"] == "c")
    assert listing["parameters"]["S"] == '{"EventCategory": "insight"}'


def test_what_is_known_of_earlier_runs_does_not_grow_for_ever(
    aws: Aws, machines: Machines, trail: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pageturner.publish.plan_making._RUNS_KNOWN", 2)
    for number in range(4):
        run_and_publish(aws, machines, trail, number)
    stores = Stores.of_environment()
    (listing,) = stores.publications.published(stores.publications.state("c").current).listings.values()
    assert len(listing.added) == 2
    assert listing.items == len(trail.visible(ENDS[3]))
