"""Crawls from the console that list something else do not wait for each other; the same one twice is refused."""

from __future__ import annotations

from typing import Any

import pytest

from pageturner.errors import OverlapError
from pageturner.page_state import FROM_CHECKPOINT
from tests.conftest import Aws, Machines
from tests.published import finish_and_publish, in_dynamodb, in_table
from tests.runs_of_a_bucket import CRAWL, KEYS, LATER, target_of, verdict_of

OTHER: dict[str, Any] = {**CRAWL, "parameters": {"Bucket": "other"}}
NAME = "adhoc-s3-list_objects_v2"


@pytest.fixture(autouse=True)
def _buckets(aws: Aws, machines: Machines) -> None:
    for bucket in ("source", "other"):
        aws.s3.create_bucket(Bucket=bucket)
        aws.put_objects(bucket, KEYS)
    machines.running = {"one", "two", "three"}


@pytest.mark.parametrize(
    "changed",
    [
        {"parameters": {"Bucket": "other"}},
        {"regions": ["eu-west-1"]},
        {"accounts": ["111111111111"]},
        {"parameters": {"Bucket": "source", "Prefix": "key-00"}},
    ],
)
def test_crawls_from_the_console_that_differ_run_side_by_side(machines: Machines, changed: dict[str, Any]) -> None:
    planned = [machines.plan(CRAWL, "one"), machines.plan({**CRAWL, **changed}, "two")]
    assert [each["crawl"]["name"] for each in planned] == [NAME, NAME]
    assert planned[0]["run"]["run_id"] != planned[1]["run"]["run_id"]


@pytest.mark.parametrize("changed", [{}, {"tolerate": ["denied"]}, {"max_concurrency": 3}, {"sinks": []}])
def test_the_same_crawl_from_the_console_twice_is_refused(machines: Machines, changed: dict[str, Any]) -> None:
    run_id = machines.plan(CRAWL, "one")["run"]["run_id"]
    with pytest.raises(OverlapError, match=f"{run_id} of the crawl {NAME} is still running, in one"):
        machines.plan({**CRAWL, **changed}, "two")


def test_crawls_of_the_catalogue_have_one_lock_whatever_the_input_says(machines: Machines) -> None:
    machines.catalogue = {"c": CRAWL}
    machines.plan({"crawl": "c"}, "one")
    with pytest.raises(OverlapError):
        machines.plan({"crawl": "c", "parameters": {"Bucket": "other"}}, "two")


def test_what_runs_side_by_side_is_published_in_one_table(aws: Aws, machines: Machines) -> None:
    planned = [machines.plan(CRAWL, "one"), machines.plan(OTHER, "two")]
    for each in planned:
        machines.turn_all(each, target_of(aws, each))
    summaries = [finish_and_publish(machines, each) for each in planned]
    assert [each["published"]["table"] for each in summaries] == ["adhoc_s3_list_objects_v2"] * 2
    assert len(in_table(aws, NAME)) == 2 * len(KEYS)
    assert in_table(aws, NAME).keys() == in_dynamodb(aws, NAME).keys()
    # Each has given its lock back.
    assert not [row for row in aws.rows(aws.runs_table) if row["sk"]["S"] == "lock"]
    machines.started_at = LATER
    assert "run" in machines.plan(OTHER, "three")


def test_a_redriven_execution_takes_the_same_lock_again(aws: Aws, machines: Machines) -> None:
    planned = machines.plan(CRAWL, "one")
    machines.stop("one")
    machines.running = {"one"}
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    (lock,) = [row for row in aws.rows(aws.runs_table) if row["sk"]["S"] == "lock"]
    assert lock["pk"]["S"].startswith(f"lock#{NAME}#")


def test_a_run_that_is_resumed_keeps_its_lock(aws: Aws, machines: Machines) -> None:
    run_id = machines.finish(machines.plan(CRAWL, "one"))["run_id"]
    machines.running = {"two"}
    machines.plan({"resume": run_id, "tolerate": ["denied"]}, "two")
    with pytest.raises(OverlapError, match=f"{run_id} of the crawl {NAME} is still running, in two"):
        machines.plan(CRAWL, "three")


def test_a_run_that_continues_keeps_its_lock_for_the_next_execution(aws: Aws, machines: Machines) -> None:
    planned = machines.plan(CRAWL, "one")
    verdict_of(aws, planned, "unfinished", "ContinuesInAnotherExecution", "it continues")
    summary = machines.finish(planned)
    machines.running = {"two"}
    with pytest.raises(OverlapError, match=f"{summary['run_id']} of the crawl {NAME} is still running"):
        machines.plan(CRAWL, "two")
    assert "run" in machines.plan(summary["continuation"], "three")
