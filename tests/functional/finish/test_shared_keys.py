"""Every listed item is a row in DynamoDB, whatever its key, however the listing is cut into pages."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pageturner import clients
from pageturner.crawls.crawl import Crawl
from pageturner.finish.sweep import Sweeper
from pageturner.page_state import FROM_CHECKPOINT, PageState, Place, Run, Sweep, Target, utc_text
from pageturner.stores.keys import page_key
from pageturner.turn.page_step import PageStep
from pageturner.turn.witness import Witnesses
from tests.conftest import Aws, Machines
from tests.fakes import FakeDynamoDB, FakeS3, stores_in
from tests.runs_of_a_bucket import CRAWL, KEYS, LATER, entry, keys_in_dynamodb, target_of

TARGET = Target("t", "1", "us-east-1", {})
# A listed item: its key (roles by ARN), and what else tells it from others.
Item = tuple[str, int]


class World:
    """A listing of roles by a client that answers with given pages, crawled into fakes."""

    def __init__(self) -> None:
        self.s3, self.dynamodb = FakeS3(), FakeDynamoDB()

    def run(
        self, number: int, pages: Sequence[Sequence[Item]], kills: Sequence[int] = (), late: int = 0, **crawl: Any
    ) -> Any:
        """Crawl `pages`; one of them is written to DynamoDB again, late.

        The sweep is killed after each number of requests in `kills`.
        """
        run = Run(f"run-{number}", "2126-01-01", f"2126-01-{number:02}T00:00:00.000Z", "9999-01-01T00:00:00.000Z", 0)
        state = PageState(run, Crawl("c", "iam", "list_roles", allow_empty=True, **crawl), TARGET, None)
        stores = stores_in(self.s3, self.dynamodb)
        service = Answers(pages)
        step = PageStep(lambda *_: service, stores, Witnesses(lambda *_: service, stores))
        place = Place()
        while place.next != "end":
            place = step.turn(state).place
        again = page_key(run, "c", TARGET, Place(page=1 + late % place.pages))
        check = stores.fences.check(run, "c", TARGET, 1)
        stores.items.project(stores.pages.read(again), TARGET, ["Roles"], run, check)
        for requests in kills:
            with suppress(Dying.Killed):
                self._sweep(Sweeper(stores_in(self.s3, Dying(self.dynamodb, requests))), state)
        self._sweep(Sweeper(stores), state)
        return stores.targets.sweeps(run)["t", 1]

    def _sweep(self, sweeper: Sweeper, state: PageState) -> None:
        sweep = Sweep()
        while sweep.next != "end":
            sweep = sweeper.go_on(state, sweep)

    @property
    def rows(self) -> dict[str, str]:
        return {sk: row["item"]["S"] for (_, sk), row in self.dynamodb.tables.get("items", {}).items()}


class Answers:
    """IAM's client, with a page for each token."""

    def __init__(self, pages: Sequence[Sequence[Item]]) -> None:
        self._pages = pages

    def list_roles(self, Marker: str = "0", **_: Any) -> dict[str, Any]:
        page = int(Marker)
        roles = [{"Arn": arn, "Path": str(of)} for arn, of in (self._pages[page] if self._pages else ())]
        more = page + 1 < len(self._pages)
        return {"Roles": roles, "IsTruncated": more} | ({"Marker": str(page + 1)} if more else {})


class Dying:
    """A DynamoDB client whose process is killed after some requests."""

    class Killed(BaseException):
        """The function's process was killed."""

    def __init__(self, dynamodb: FakeDynamoDB, requests: int) -> None:
        self._dynamodb, self._left = dynamodb, requests

    def __getattr__(self, name: str) -> Any:
        if self._left == 0:
            raise Dying.Killed
        self._left -= 1
        return getattr(self._dynamodb, name)


ITEMS = st.lists(st.tuples(st.sampled_from(["a", "b", "a#b", "c" * 1100]), st.integers(1, 3)), max_size=14)


@st.composite
def listings(draw: st.DrawFn) -> tuple[list[list[Item]], list[list[Item]]]:
    """The same items twice, each time in another order, with other repetitions, and cut into other pages."""
    items = draw(ITEMS)
    return draw(_paged(items)), draw(_paged(items + draw(st.lists(st.sampled_from(items))) if items else items))


@st.composite
def _paged(draw: st.DrawFn, items: list[Item]) -> list[list[Item]]:
    ordered = draw(st.permutations(items))
    cuts = sorted(draw(st.lists(st.integers(0, len(ordered)), max_size=6)))
    return [ordered[a:b] for a, b in zip([0, *cuts], [*cuts, len(ordered)], strict=True)]


@settings(max_examples=400)
@given(listings(), st.lists(st.integers(1, 30), max_size=3), st.integers(0, 6), st.sampled_from(["remove", "mark"]))
def test_the_rows_depend_on_the_set_of_items_alone(
    paged: tuple[list[list[Item]], list[list[Item]]], kills: list[int], late: int, stale_items: str
) -> None:
    first, second = paged
    distinct = {item for page in first for item in page}
    shared = Counter(arn for arn, _ in distinct)
    world = World()
    record = world.run(1, first, kills, late, stale_items=stale_items)
    once = world.rows
    assert Counter(once.values()) == Counter(
        json.dumps({"Arn": arn, "Path": str(of)}, separators=(",", ":")) for arn, of in distinct
    )
    assert sum(sk in ("a", "b", "a#b") for sk in once) == sum(shared[arn] == 1 for arn in ("a", "b", "a#b"))
    assert record.merged == sum(map(len, first)) - len(distinct)
    assert record.shared == sum(count for count in shared.values() if count > 1)
    again = world.run(2, second, kills, late, stale_items=stale_items)
    assert world.rows == once
    assert (again.stale, again.shared) == (0, record.shared)
    # What is not listed any more goes, and a key that is not shared any more is plain again.
    world.run(3, [[item for item in sorted(distinct) if item[1] == 1]], stale_items="remove")
    assert len(world.rows) == sum(of == 1 for _, of in distinct)
    assert {sk for sk in world.rows if len(sk) < 9} == {arn for arn, of in distinct if of == 1 and len(arn) < 9}


@settings(max_examples=100)
@given(listings(), st.lists(st.integers(1, 20), max_size=2), st.integers(0, 6))
def test_no_item_is_lost_where_nothing_is_swept(
    paged: tuple[list[list[Item]], list[list[Item]]], kills: list[int], late: int
) -> None:
    distinct = {item for page in paged[0] for item in page}
    world = World()
    for number, pages in enumerate(paged, start=1):
        world.run(number, pages, kills, late, stale_items="keep")
        assert len(set(world.rows.values())) == len(world.rows) == len(distinct)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("page_size", [1, 10, 1000])
def test_items_under_a_key_that_is_not_unique_are_all_there(page_size: int, aws: Aws, machines: Machines) -> None:
    def run(key: str, size: int, execution: str) -> dict[str, Any]:
        machines.catalogue = {"c": {**CRAWL, "key": key, "pagination_config": {"PageSize": size}}}
        return machines.run(aws, {"crawl": "c"}, execution)

    summary = run("StorageClass", page_size, "execution-1")
    assert (summary["items"], summary["shared_keys"], summary["merged_items"]) == (35, 35, 0)
    assert (entry(aws, summary)["shared_keys"], entry(aws, summary)["merged_items"]) == (35, 0)
    rows = keys_in_dynamodb(aws)
    assert len(rows) == 35
    machines.started_at = LATER
    assert run("StorageClass", 7, "execution-2")["stale_items"] == 0
    assert keys_in_dynamodb(aws) == rows


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    "changes",
    [
        {"stale_items": "keep"},
        {"pagination_config": {"PageSize": 10, "MaxItems": 25}},
        {"pagination_config": {"PageSize": 10}, "max_pages": 2},
    ],
)
def test_also_those_of_a_listing_that_is_not_swept(changes: dict[str, Any], aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": {**CRAWL, "key": "StorageClass", **changes}}
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    end = machines.turn_all(planned, target)[-1]
    assert machines.finish(planned)["targets"] == {"unfinished": 1}
    assert "items that share a key may not be told apart" in entry(aws, planned["run"])["cause"]
    again = machines.plan({"resume": planned["run"]["run_id"]}, "execution-2")
    machines.sweep(again, target, end)
    summary = machines.finish(again)
    assert summary["targets"] in ({"complete": 1}, {"limited": 1}, {"endless": 1})
    assert len(keys_in_dynamodb(aws)) == summary["items"] > 0


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
    summary = machines.run(aws, {"service": "logs", "operation": "describe_metric_filters"})
    assert (summary["items"], summary["shared_keys"], summary["merged_items"]) == (61, 0, 0)
    assert len(keys_in_dynamodb(aws)) == 61
    assert '["only-here-group-0","only-here"]' in keys_in_dynamodb(aws)


def plan_now(machines: Machines, execution: str) -> dict[str, Any]:
    """Plan a run that begins when it really does, like the times of its items."""
    time.sleep(0.002)
    machines.started_at, machines.entered_at = utc_text(datetime.now(UTC)), "2126-03-01T00:00:00.000Z"
    planned = machines.plan({"crawl": "c"}, execution)
    time.sleep(0.002)
    return planned


def test_a_resumed_run_does_not_bring_back_what_a_later_run_has_removed(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a row is absent does not say that its key was shared, nor does a longer key that was."""
    left = ["a", "a#b", "a#b", "b", "c"]

    def list_roles(Marker: str = "0", **_: Any) -> dict[str, Any]:
        cut = left.index("a#b")
        roles = [{"Arn": arn, "Path": str(number)} for number, arn in enumerate(left)]
        more = {"IsTruncated": True, "Marker": "1"} if Marker == "0" else {"IsTruncated": False}
        return {"Roles": roles[cut:] if Marker == "1" else roles[:cut], **more}

    monkeypatch.setattr(clients.client("iam", "us-east-1"), "list_roles", list_roles)
    machines.catalogue = {"c": {"service": "iam", "operation": "list_roles"}}
    first = plan_now(machines, "execution-1")
    machines.fetch(first, target_of(aws, first), FROM_CHECKPOINT)
    left[0] = "d"
    second = plan_now(machines, "execution-2")
    target = target_of(aws, second)
    machines.sweep(second, target, machines.turn_all(second, target)[-1])
    assert machines.finish(second)["stale_items"] == 1
    rows = keys_in_dynamodb(aws)
    assert [key.partition("#")[0] for key in rows] == ["a", "a", "b", "c", "d"]
    resumed = machines.plan({"resume": first["run"]["run_id"]}, "execution-3")
    end = machines.turn_all(resumed, target)[-1]
    # The first sweep was cut off.
    for _ in range(2):
        machines.sweep(resumed, target, end)
    assert machines.finish(resumed)["outcome"] == "succeeded"
    assert keys_in_dynamodb(aws) == rows


@pytest.mark.parametrize("page_size", [1, 2])
@pytest.mark.parametrize("stopped", [False, True])
def test_the_items_of_a_key_whose_row_another_run_has_taken_are_all_there(
    stopped: bool, page_size: int, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If that run was stopped before it told them apart; otherwise it will."""
    found = [{"Arn": "a", "Path": "1"}, {"Arn": "a", "Path": "2"}, {"Arn": "b", "Path": "1"}]
    cuts = {"0": found[:page_size], "1": found[page_size:]}

    def list_roles(Marker: str = "0", **_: Any) -> dict[str, Any]:
        more = {"IsTruncated": True, "Marker": "1"} if Marker == "0" else {"IsTruncated": False}
        return {"Roles": cuts[Marker], **more}

    monkeypatch.setattr(clients.client("iam", "us-east-1"), "list_roles", list_roles)
    machines.catalogue = {"c": {"service": "iam", "operation": "list_roles", "overlap": "allow"}}
    first = plan_now(machines, "execution-1")
    target = target_of(aws, first)
    end = machines.turn_all(first, target)[-1]
    second = plan_now(machines, "execution-2")
    machines.running = {"execution-2"}
    other_end = machines.turn_all(second, target)[-1]
    if stopped:
        machines.stop("execution-2")
    machines.sweep(first, target, end)
    assert machines.finish(first)["verdict"] == "complete"

    def paths() -> list[str]:
        return sorted(
            json.loads(row["item"]["S"])["Path"] for row in aws.rows(aws.items_table) if "a" in row["key"]["S"]
        )

    assert paths() == (["1", "2"] if stopped else ["2"])
    machines.sweep(second, target, other_end)
    assert machines.finish(second)["verdict"] == "complete"
    assert paths() == ["1", "2"]
    # What a run has told apart is not told again by a late one.
    third = plan_now(machines, "execution-3")
    cuts["0"] = cuts["0"][:1]
    cuts["1"] = found[2:]
    machines.sweep(third, target, machines.turn_all(third, target)[-1])
    assert machines.finish(third)["stale_items"] == 2
    machines.sweep(first, target, end)
    assert keys_in_dynamodb(aws) == ["a", "b"]


@pytest.mark.usefixtures("source")
def test_a_large_item_is_told_apart_too(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = iter(
        [
            {"Roles": [{"Arn": "a", "Path": "x" * 410_000}], "IsTruncated": True, "Marker": "m"},
            {"Roles": [{"Arn": "a", "Path": "y" * 410_000}, {"Arn": "b"}]},
        ]
    )
    monkeypatch.setattr(clients.client("iam", "us-east-1"), "list_roles", lambda **_: next(pages))
    summary = machines.run(aws, {"service": "iam", "operation": "list_roles"})
    assert (summary["large_items"], summary["shared_keys"], summary["merged_items"]) == (2, 2, 0)
    assert len(keys_in_dynamodb(aws)) == 3


@pytest.mark.usefixtures("source")
def test_the_parts_of_a_listing_are_told_apart_together(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": {**CRAWL, "key": "StorageClass", "split": 3}}
    planned = machines.plan({"crawl": "c"})
    targets = aws.json(planned["targets"]["key"])
    assert len(targets) > 1
    ends = [machines.turn_all(planned, target)[-1] for target in targets]
    for target, end in zip(targets, ends, strict=True):
        machines.sweep(planned, target, end)
    summary = machines.finish(planned)
    assert (summary["outcome"], summary["items"], summary["shared_keys"]) == ("succeeded", 35, 35)
    assert len(keys_in_dynamodb(aws)) == len(KEYS)
    assert machines.fetch(planned, targets[0], FROM_CHECKPOINT)["next"] == "end"
