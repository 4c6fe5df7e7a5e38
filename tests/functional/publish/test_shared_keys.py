"""Every listed item is published, whatever its key, however the listing is cut into pages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pageturner import clients
from tests.conftest import Aws, Machines
from tests.histories import Item, World, item, listed
from tests.published import changes_of, finish_and_publish, in_dynamodb, in_table, published, run_and_publish
from tests.runs_of_a_bucket import CRAWL, KEYS, LATER, target_of

pytestmark = pytest.mark.usefixtures("_one_connection")
LONG = "c" * 1100
several_items = st.lists(st.builds(item, st.sampled_from(["a", "b", "a#b", LONG]), st.sampled_from("123")), max_size=14)


@st.composite
def listings(draw: st.DrawFn) -> tuple[list[list[Item]], list[list[Item]]]:
    """The same items twice, each time in another order, with other repetitions, and cut into other pages."""
    found = draw(several_items)
    return draw(_paged(found)), draw(_paged(found + draw(st.lists(st.sampled_from(found))) if found else found))


@st.composite
def _paged(draw: st.DrawFn, found: list[Item]) -> list[list[Item]]:
    ordered = draw(st.permutations(found))
    cuts = sorted(draw(st.lists(st.integers(0, len(ordered)), max_size=4)))
    return [list(ordered[a:b]) for a, b in zip([0, *cuts], [*cuts, len(ordered)], strict=True)]


# To shrink them would take minutes.
@settings(max_examples=15, phases=[Phase.generate])
@given(listings(), st.sampled_from([1000, 4]))
def test_what_is_published_depends_on_the_set_of_items_alone(
    paged: tuple[list[list[Item]], list[list[Item]]], most_rows: int
) -> None:
    first, second = paged
    distinct = {each for page in first for each in page}
    shared = Counter(key for _, key, _, _ in distinct)
    world = World(most_rows)

    def publish(pages: Sequence[Sequence[Item]]) -> Mapping[str, Any]:
        summary = world.publish(world.run({"l1": listed(*pages)}, allow_empty=True))
        assert summary is not None
        world.check(summary)
        return dict(summary["published"])

    publish(first)
    once = world.rows()
    assert len(once) == len(distinct)
    names = {name for _, name in once}
    assert {key for key in ("a", "b", "a#b") if shared[key] == 1} == names & {"a", "b", "a#b"}
    # In another order, with other repetitions, on other pages, it is the same: nothing has changed.
    assert [publish(second)[kind] for kind in ("new", "changed", "gone")] == [0, 0, 0]
    assert world.rows() == once
    # What is not listed any more goes, and a key that is not shared any more is plain again.
    left = sorted(each for each in distinct if each[2] == "1")
    publish([left])
    assert len(world.rows()) == len(left)
    assert {name for _, name in world.rows() if len(name) < 9} == {key for _, key, _, _ in left if key != LONG}


class Roles:
    """IAM's client in the test: roles on pages."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, machines: Machines) -> None:
        self.pages: list[list[tuple[str, str]]] = []
        monkeypatch.setattr(clients.client("iam", "us-east-1"), "list_roles", self._list_roles)
        machines.catalogue = {"c": {"service": "iam", "operation": "list_roles", "overlap": "allow"}}

    def _list_roles(self, Marker: str = "0", **_: Any) -> dict[str, Any]:
        page = int(Marker)
        roles = [{"Arn": arn, "Path": path} for arn, path in self.pages[page]]
        more = page + 1 < len(self.pages)
        return {"Roles": roles, "IsTruncated": more} | ({"Marker": str(page + 1)} if more else {})


@pytest.fixture
def roles(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> Roles:
    return Roles(monkeypatch, machines)


def on_day(machines: Machines, day: int) -> str:
    machines.started_at = f"2127-01-{day:02}T00:00:00.000Z"
    return f"execution-{day}"


def plan(machines: Machines, day: int) -> dict[str, Any]:
    return machines.plan({"crawl": "c"}, on_day(machines, day))


def publish(aws: Aws, machines: Machines, day: int, **asked: Any) -> dict[str, Any]:
    execution = on_day(machines, day)
    return machines.publish(machines.run(aws, {"crawl": "c", **asked}, execution), execution)


def roles_published(aws: Aws) -> list[tuple[str, str]]:
    """The ARNs and paths of the published roles."""
    assert published(aws)
    texts = [json.loads(row["item"]) for row in in_table(aws).values()]
    return sorted((text["Arn"], text["Path"]) for text in texts)


def test_an_item_that_comes_to_share_its_key_and_stops(roles: Roles, aws: Aws, machines: Machines) -> None:
    roles.pages = [[("a", "1"), ("b", "1")]]
    assert changes_of(publish(aws, machines, 1)) == (2, 0, 0)
    assert published(aws) == ["a", "b"]
    roles.pages = [[("a", "1"), ("b", "1")], [("a", "2")]]
    # Both are known by other names now.
    assert changes_of(publish(aws, machines, 2)) == (2, 0, 1)
    assert [name.partition("#")[0] for name in published(aws)] == ["a", "a", "b"]
    assert roles_published(aws) == [("a", "1"), ("a", "2"), ("b", "1")]
    roles.pages = [[("a", "2")], [("a", "3"), ("b", "1")]]
    assert changes_of(publish(aws, machines, 3)) == (1, 0, 1)
    assert roles_published(aws) == [("a", "2"), ("a", "3"), ("b", "1")]
    roles.pages = [[("a", "3"), ("b", "1")]]
    assert changes_of(publish(aws, machines, 4)) == (1, 0, 2)
    assert published(aws) == ["a", "b"]


def test_the_same_item_on_several_pages_is_one(roles: Roles, aws: Aws, machines: Machines) -> None:
    roles.pages = [[("a", "1"), ("b", "1"), ("a", "1")], [("a", "1")], [("b", "1"), ("c", "1")]]
    summary = publish(aws, machines, 1)
    assert (summary["items"], changes_of(summary)) == (6, (3, 0, 0))
    assert published(aws) == ["a", "b", "c"]
    assert {row["key"]: row["page_object"][-10:-9] for row in in_table(aws).values()} == {"a": "1", "b": "1", "c": "3"}
    roles.pages = [[("c", "1"), ("b", "1"), ("a", "1")]]
    assert changes_of(publish(aws, machines, 2)) == (0, 0, 0)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("page_size", [1, 1000])
def test_items_under_a_key_that_is_not_unique_are_all_there(page_size: int, aws: Aws, machines: Machines) -> None:
    def run(size: int, day: int) -> tuple[int, int, int]:
        machines.catalogue = {"c": {**CRAWL, "key": "StorageClass", "pagination_config": {"PageSize": size}}}
        return changes_of(publish(aws, machines, day))

    assert run(page_size, 1) == (35, 0, 0)
    names = published(aws)
    assert {name.partition("#")[0] for name in names} == {"STANDARD"}
    assert sorted(json.loads(row["item"])["Key"] for row in in_table(aws).values()) == KEYS
    assert run(7, 2) == (0, 0, 0)
    assert published(aws) == names


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("changes", "verdict", "there"),
    [
        ({"stale_items": "keep"}, "complete", 35),
        ({"pagination_config": {"PageSize": 10, "MaxItems": 25}}, "limited", 25),
    ],
)
def test_also_those_of_a_listing_that_removes_nothing(
    changes: dict[str, Any], verdict: str, there: int, aws: Aws, machines: Machines
) -> None:
    machines.catalogue = {"c": {**CRAWL, "key": "StorageClass", **changes}}
    for changed in ((there, 0, 0), (0, 0, 0)):
        summary = run_and_publish(aws, machines)
        assert (summary["targets"], changes_of(summary)) == ({verdict: 1}, changed)
        assert len(published(aws)) == there
        machines.started_at = LATER


def test_what_a_limited_listing_adds_beside_items_that_shared_their_key(
    roles: Roles, aws: Aws, machines: Machines
) -> None:
    """Once told apart, always: until a complete listing says that the others are gone."""
    roles.pages = [[("a", "1"), ("a", "2"), ("b", "1")], [("c", "1")]]
    publish(aws, machines, 1)
    roles.pages = [[("a", "3"), ("b", "1"), ("b", "2")], [("c", "1")]]
    machines.catalogue = {"c": {**machines.catalogue["c"], "pagination_config": {"MaxItems": 3}}}
    assert changes_of(publish(aws, machines, 2)) == (3, 0, 1)
    assert roles_published(aws) == [("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("b", "2"), ("c", "1")]
    roles.pages = [[("a", "3"), ("b", "2"), ("c", "1")]]
    machines.catalogue = {"c": {"service": "iam", "operation": "list_roles"}}
    publish(aws, machines, 3)
    assert published(aws) == ["a", "b", "c"]


def test_the_metric_filters_of_several_log_groups(aws: Aws, machines: Machines) -> None:
    logs = clients.client("logs", "us-east-1")
    names = [("errors", 30), ("warnings", 30), ("only-here", 1)]
    for name, count in names:
        for number in range(count):
            group = f"group-{number}"
            if name != "warnings":
                logs.create_log_group(logGroupName=f"{name}-{group}")
            transformation = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
            logs.put_metric_filter(
                logGroupName=f"{'errors' if name == 'warnings' else name}-{group}",
                filterName=name,
                filterPattern="x",
                metricTransformations=[transformation],
            )
    machines.catalogue = {"c": {"service": "logs", "operation": "describe_metric_filters"}}
    assert changes_of(run_and_publish(aws, machines)) == (61, 0, 0)
    assert len(published(aws)) == 61
    assert '["only-here-group-0","only-here"]' in published(aws)


def test_a_resumed_run_does_not_bring_back_what_a_later_run_has_removed(
    roles: Roles, aws: Aws, machines: Machines
) -> None:
    roles.pages = [[("a", "0")], [("a#b", "1"), ("a#b", "2"), ("b", "3"), ("c", "4")]]
    first = plan(machines, 1)
    machines.fetch(first, target_of(aws, first), {"page": 1, "next": "page"})
    assert finish_and_publish(machines, first)["targets"] == {"unfinished": 1}
    assert in_dynamodb(aws) == {}
    roles.pages[0] = [("d", "0")]
    assert changes_of(publish(aws, machines, 2)) == (5, 0, 0)
    there = published(aws)
    assert [name.rpartition("#")[0] or name for name in there] == ["a#b", "a#b", "b", "c", "d"]
    resumed = machines.plan({"resume": first["run"]["run_id"]}, on_day(machines, 3))
    machines.turn_all(resumed, target_of(aws, first))
    summary = finish_and_publish(machines, resumed)
    assert (summary["outcome"], summary["items"], changes_of(summary)) == ("succeeded", 5, (0, 0, 0))
    assert published(aws) == there


@pytest.mark.parametrize("newer_first", [False, True])
def test_the_items_of_a_shared_key_that_two_runs_list_at_once_are_all_there(
    newer_first: bool, roles: Roles, aws: Aws, machines: Machines
) -> None:
    roles.pages = [[("a", "1")], [("a", "2"), ("b", "1")]]
    runs = [plan(machines, 1), plan(machines, 2)]
    for each in runs:
        machines.turn_all(each, target_of(aws, each))
    for each in reversed(runs) if newer_first else runs:
        assert finish_and_publish(machines, each)["verdict"] == "complete"
        assert roles_published(aws) == [("a", "1"), ("a", "2"), ("b", "1")]
    # What is told apart no longer is not told apart again by one that is late.
    roles.pages = [[("a", "1"), ("b", "1")]]
    assert changes_of(publish(aws, machines, 3)) == (1, 0, 2)
    assert published(aws) == ["a", "b"]
    machines.publish(machines.finish(runs[0]), "execution-1")
    assert published(aws) == ["a", "b"]


def test_large_items_are_told_apart_too(roles: Roles, aws: Aws, machines: Machines) -> None:
    roles.pages = [[("a", "x" * 410_000)], [("a", "y" * 410_000), ("b", "1")]]
    assert changes_of(publish(aws, machines, 1)) == (3, 0, 0)
    assert len(published(aws)) == 3
    assert sorted("item" in row for row in in_dynamodb(aws).values()) == [False, False, True]
    roles.pages = [[("a", "x" * 410_000)], [("a", "z" * 410_000), ("b", "1")]]
    assert changes_of(publish(aws, machines, 2)) == (1, 0, 1)
    assert len(published(aws)) == 3


@pytest.mark.usefixtures("source", "_either_way")
def test_the_parts_of_a_listing_are_told_apart_together(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": {**CRAWL, "key": "StorageClass", "split": 3}}
    summary = run_and_publish(aws, machines)
    assert summary["targets"]["complete"] > 1
    assert (summary["outcome"], summary["items"], changes_of(summary)) == ("succeeded", 35, (35, 0, 0))
    names = published(aws)
    assert len(names) == 35
    machines.catalogue = {"c": {**CRAWL, "key": "StorageClass"}}
    assert changes_of(publish(aws, machines, 5)) == (0, 0, 0)
    assert published(aws) == names
