"""How targets are put into batches, whose first pages an Express execution of ShortTargets turns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pageturner.costs import MOST_TARGETS_OF_BATCH
from pageturner.crawls.crawl import Crawl
from pageturner.plan.batches import batches, put_batches
from pageturner.plan.targets import room_for_targets, size_of
from pageturner.stores.page_store import array_text
from tests.conftest import Aws, Machines
from tests.fakes import FakeDynamoDB, FakeS3, stores_in
from tests.runs_of_a_bucket import CRAWL


def crawl_of(**more: Any) -> Crawl:
    return Crawl.from_dict({"name": "c", **CRAWL, **more})


def targets_of(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"target_id": f"t{number:05}", **more} for number in range(count)]


@pytest.mark.parametrize(
    ("count", "max_concurrency", "sizes"),
    [
        (3, 10, [1, 1, 1]),
        (10, 10, [1] * 10),
        (11, 10, [2] * 5 + [1]),
        (3, 1, [3]),
        (81, 1, [40, 40, 1]),
        (10_000, 10, [MOST_TARGETS_OF_BATCH] * 250),
    ],
)
def test_a_batch_has_several_targets_only_if_they_would_wait_anyway(
    count: int, max_concurrency: int, sizes: list[int]
) -> None:
    made = list(batches(targets_of(count), crawl_of(max_concurrency=max_concurrency), count))
    assert [len(batch) for batch in made] == sizes
    in_order = [target["target_id"] for batch in made for target in batch]
    assert in_order == [target["target_id"] for target in targets_of(count)]


def test_each_target_may_take_what_those_before_it_have_left() -> None:
    (batch,) = batches(targets_of(4, patience={}), crawl_of(max_concurrency=1), 4)
    assert [target["share"] for target in batch] == [0.25, 0.5, 0.75, 1]
    assert batch[0] == {"target_id": "t00000", "patience": {}, "share": 0.25}


def test_a_batch_fits_into_the_state_of_an_execution() -> None:
    crawl = crawl_of(max_concurrency=1)
    large = targets_of(30, parameters={"Ids": ["x" * 10_000]})
    made = list(batches(large, crawl, 30))
    assert len(made) == 2
    assert sum(len(batch) for batch in made) == 30
    for batch in made:
        assert sum(map(size_of, batch)) < room_for_targets(crawl) + 30 * len('"share":0.0000,')
        assert len(json.dumps({"crawl": crawl.for_pages(), "targets": batch})) < 256 * 1024
    # One that fills a state is alone.
    whole = targets_of(2, parameters={"Ids": ["x" * 200_000]})
    assert [len(batch) for batch in batches(whole, crawl, 2)] == [1, 1]


def test_batches_that_are_put_twice_are_the_first_ones() -> None:
    s3 = FakeS3()
    pages = stores_in(s3, FakeDynamoDB()).pages
    pages.put_text("runs/r/targets.json", array_text(targets_of(5)), lambda: {"count": "5"})
    first = put_batches(pages, "runs/r/targets.json", crawl_of(max_concurrency=2), 5)
    assert first == {"bucket": "bucket", "key": "runs/r/batches.json", "count": 2}
    before = s3.objects["runs/r/batches.json"]
    # A resumption has changed the concurrency meanwhile.
    assert put_batches(pages, "runs/r/targets.json", crawl_of(max_concurrency=1), 5) == first
    assert s3.objects["runs/r/batches.json"] is before


@pytest.mark.parametrize("name", ["c", "targets-of-all"])
@pytest.mark.usefixtures("source")
def test_only_several_targets_are_in_batches(aws: Aws, machines: Machines, name: str) -> None:
    each = [{"Bucket": "source", "Prefix": f"key-0{number}"} for number in range(3)]
    machines.catalogue = {name: {**CRAWL, "parameters": {}, "max_concurrency": 1, "for_each": {"list": each}}}
    planned = machines.plan({"crawl": name})
    run_id = planned["run"]["run_id"]
    assert planned["batches"] == {"bucket": aws.bucket, "key": f"runs/{run_id}/batches.json", "count": 1}
    (batch,) = aws.json(planned["batches"]["key"])
    targets = aws.json(planned["targets"]["key"])
    assert [{**target, "share": share} for target, share in zip(targets, (0.3333, 0.6667, 1), strict=True)] == batch[
        "targets"
    ]
    for target in targets[:2]:
        machines.turn_all(planned, target)
    failed = machines.finish(planned)
    # A single one is left.
    resumed = machines.plan({"resume": failed["run_id"]}, "execution-2")
    assert (resumed["targets"]["count"], "batches" in resumed) == (1, False)
