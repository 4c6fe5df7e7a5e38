"""Runs that do not come to their end at once: restarts, resume, overlap, stale items, verdicts, pace, deadline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.reference import REFERENCE
from pageturner import clients
from pageturner.errors import (
    AccessDeniedError,
    DeadlinePassedError,
    InvalidCrawlError,
    InvalidRequestError,
    OverlapError,
    TooManyRestartsError,
)
from pageturner.page_state import AFTER_THROTTLING, FROM_CHECKPOINT
from tests.conftest import Aws, Machines

CRAWL: dict[str, Any] = {
    "service": "s3",
    "operation": "list_objects_v2",
    "parameters": {"Bucket": "source"},
    "pagination_config": {"PageSize": 10},
    "key": "Key",
}
KEYS = [f"key-{number:03}" for number in range(35)]
LATER = "2127-01-01T00:00:00.000Z"


@pytest.fixture
def source(aws: Aws, machines: Machines) -> None:
    aws.s3.create_bucket(Bucket="source")
    for key in KEYS:
        aws.s3.put_object(Bucket="source", Key=key, Body=b"x")
    machines.catalogue = {"c": CRAWL}


def target_of(aws: Aws, planned: Mapping[str, Any]) -> dict[str, Any]:
    (target,) = aws.json(planned["targets"]["key"])
    return dict(target)


def keys_in_dynamodb(aws: Aws) -> list[str]:
    return sorted(row["sk"]["S"] for row in aws.rows(aws.items_table))


def keys_by_manifest(aws: Aws, summary: Mapping[str, Any]) -> list[str]:
    manifest = aws.json(f"runs/{summary['run_id']}/manifest.json")
    return [line["key"] for file in manifest["files"] for line in aws.lines(file["key"])]


def entry(aws: Aws, summary: Mapping[str, Any]) -> dict[str, Any]:
    (found,) = aws.json(f"runs/{summary['run_id']}/manifest.json")["targets"]
    return dict(found)


def expired_token(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The service does not take the token of a page for this many times."""
    client = clients.client("s3", "us-east-1")
    whole = client.list_objects_v2
    left = [times]

    def list_objects_v2(**arguments: Any) -> Any:
        if "ContinuationToken" in arguments and left[0]:
            left[0] -= 1
            answer: Any = {"Error": {"Code": "InvalidArgument", "Message": "token"}}
            raise ClientError(answer, "ListObjectsV2")
        return whole(**arguments)

    monkeypatch.setattr(client, "list_objects_v2", list_objects_v2)


def denied(**_: Any) -> Any:
    answer: Any = {"Error": {"Code": "AccessDenied", "Message": "denied"}}
    raise ClientError(answer, "ListObjectsV2")


@pytest.mark.usefixtures("source")
def test_an_expired_token_begins_the_target_again_in_the_same_run(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    machines.fetch(planned, target, FROM_CHECKPOINT)
    # What the abandoned pass had seen is gone when the next one comes by.
    aws.s3.delete_object(Bucket="source", Key=KEYS[0])
    expired_token(monkeypatch, 1)
    end = machines.turn_all(planned, target)[-1]
    assert end["pass_number"] == 2
    machines.sweep(planned, target, end)
    summary = machines.finish(planned)
    assert keys_by_manifest(aws, summary) == KEYS[1:]
    assert keys_in_dynamodb(aws) == KEYS[1:]
    assert (summary["targets"], summary["restarts"], summary["items"]) == ({"complete": 1}, 1, 34)
    assert entry(aws, summary)["restarts"] == 1


@pytest.mark.usefixtures("source")
def test_tokens_that_never_last_end_the_target(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = machines.plan({"crawl": "c"})
    expired_token(monkeypatch, 1000)
    with pytest.raises(TooManyRestartsError, match="after 3 restarts"):
        machines.turn_all(planned, target_of(aws, planned))
    summary = machines.finish(planned)
    assert summary["outcome"] == "failed"


@pytest.mark.usefixtures("source")
def test_pages_of_an_abandoned_pass_do_not_count(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    place = machines.fetch(planned, target, FROM_CHECKPOINT)
    expired_token(monkeypatch, 1)
    begins = machines.fetch(planned, target, place)
    assert machines.finish(planned)["items"] == 10, "not begun yet"
    monkeypatch.setattr(clients.client("s3", "us-east-1"), "list_objects_v2", denied)
    with pytest.raises(AccessDeniedError):
        machines.fetch(planned, target, begins)
    summary = machines.finish(planned)
    assert (summary["items"], summary["targets"]) == (0, {"unfinished": 1})


@pytest.mark.usefixtures("source")
def test_a_starting_token_that_is_not_taken_is_not_paged_without(machines: Machines, aws: Aws) -> None:
    planned = machines.plan(
        {"crawl": "c", "pagination_config": {"StartingToken": "eyJDb250aW51YXRpb25Ub2tlbiI6ICJ4In0="}}
    )
    with pytest.MonkeyPatch.context() as patch:
        expired_token(patch, 1)
        with pytest.raises(InvalidRequestError, match="the service rejected the StartingToken"):
            machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)


@pytest.mark.usefixtures("source")
def test_a_run_is_resumed_from_its_checkpoints(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    first = machines.finish(planned)
    assert (first["outcome"], first["targets"]) == ("failed", {"unfinished": 1})
    assert first["message"].endswith(
        f'redrive its execution or start a new one with the input {{"resume": "{first["run_id"]}"}}'
    )

    resumed = machines.run(aws, {"resume": first["run_id"]}, "execution-2")
    assert (resumed["run_id"], resumed["outcome"], resumed["pages"]) == (first["run_id"], "succeeded", 4)
    assert keys_by_manifest(aws, resumed) == keys_in_dynamodb(aws) == KEYS
    assert len(aws.object_keys("items/")) == 4

    again = machines.run(aws, {"resume": first["run_id"]}, "execution-3")
    assert "has already succeeded, and nothing is left to resume" in again["message"]
    assert len(aws.object_keys("items/")) == 4


@pytest.mark.usefixtures("source")
def test_a_failed_execution_that_is_redriven_resumes_its_run(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    summary = machines.finish(planned)
    assert machines.fail(summary) == {"error": "RunIncomplete", "cause": summary["message"]}

    # Days later, in the same execution: it is not late already.
    machines.entered_at = LATER
    resumes = json.loads(machines.fail(summary)["output"])
    assert resumes == {"resume": summary["run_id"]}
    resumed = machines.plan(resumes)
    assert resumed["run"]["deadline"] == "2127-01-02T00:00:00.000Z"
    # When it fails of it again, it does so, and does not go round.
    summary = machines.finish(resumed)
    assert machines.fail(summary) == {"error": "RunIncomplete", "cause": summary["message"]}

    whole = machines.run(aws, resumes, "execution-2")
    assert (whole["run_id"], whole["outcome"]) == (summary["run_id"], "succeeded")
    assert keys_by_manifest(aws, whole) == keys_in_dynamodb(aws) == KEYS
    # Its run was resumed elsewhere meanwhile.
    assert json.loads(machines.fail(summary)["output"]) == resumes
    assert "nothing is left to resume" in machines.run(aws, resumes)["message"]


@pytest.mark.usefixtures("source")
def test_a_run_that_is_planned_long_after_its_execution_began_is_not_late(machines: Machines) -> None:
    """As when PlanRun itself has failed, and the execution is redriven."""
    machines.entered_at = LATER
    run = machines.plan({"crawl": "c"})["run"]
    assert (run["started_at"], run["deadline"]) == (machines.started_at, "2127-01-02T00:00:00.000Z")


@pytest.mark.usefixtures("source")
def test_only_the_targets_that_are_not_complete_are_resumed(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c", "regions": ["us-east-1", "eu-west-1"]})
    one, other = aws.json(planned["targets"]["key"])
    machines.sweep(planned, one, machines.turn_all(planned, one)[-1])
    summary = machines.finish(planned)
    assert summary["targets"] == {"complete": 1, "unfinished": 1}
    resumed = machines.plan({"resume": summary["run_id"]}, "execution-2")
    assert aws.json(resumed["targets"]["key"]) == [other]
    machines.sweep(resumed, other, machines.turn_all(resumed, other)[-1])
    assert machines.finish(resumed)["targets"] == {"complete": 2}


@pytest.mark.usefixtures("source")
def test_a_verdict_from_before_is_forgotten_when_a_target_is_paged_again(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    verdict = {"verdict": "denied", "error": "AccessDeniedError", "cause": "no"}
    record = {"pk": f"run#{planned['run']['run_id']}", "sk": f"verdict#{target['target_id']}", **verdict}
    aws.dynamodb.put_item(TableName=aws.runs_table, Item={name: {"S": value} for name, value in record.items()})
    assert machines.finish(planned)["targets"] == {"denied": 1}
    resumed = machines.plan({"resume": planned["run"]["run_id"]}, "execution-2")
    assert machines.finish(resumed)["targets"] == {"unfinished": 1}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"resume": "no-such-run"}, 'there is no run "no-such-run"'),
        ({"resume": 5}, 'must be {"resume": "<run_id>"} and nothing else'),
        ({"resume": "x", "crawl": "c"}, 'must be {"resume": "<run_id>"} and nothing else'),
    ],
)
def test_a_wrong_resume_is_told_so(document: object, said: str, machines: Machines) -> None:
    with pytest.raises(InvalidCrawlError, match=said.replace("{", r"\{")):
        machines.plan(document)


@pytest.mark.usefixtures("source")
def test_a_second_run_is_refused_while_one_is_going(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"}, "one")
    machines.running = {"one"}
    with pytest.raises(OverlapError, match=f"{planned['run']['run_id']} of the crawl c is still running, in one"):
        machines.plan({"crawl": "c"}, "two")
    with pytest.raises(OverlapError, match="is still running, in one"):
        machines.plan({"resume": planned["run"]["run_id"]}, "two")
    # The same execution may plan once more: its function was retried.
    assert machines.plan({"crawl": "c"}, "one") == planned
    machines.turn_all(planned, target_of(aws, planned))
    machines.finish(planned)
    machines.plan({"crawl": "c"}, "two")


@pytest.mark.usefixtures("source")
def test_the_lock_of_a_dead_execution_is_taken_over(machines: Machines) -> None:
    machines.plan({"crawl": "c"}, "one")
    machines.running = set()
    machines.plan({"crawl": "c"}, "two")


@pytest.mark.usefixtures("source")
def test_the_end_of_one_run_does_not_give_back_anothers_lock(machines: Machines) -> None:
    dead = machines.plan({"crawl": "c"}, "one")
    machines.plan({"crawl": "c"}, "two")
    machines.running = {"two"}
    machines.finish(dead)
    with pytest.raises(OverlapError, match="in two"):
        machines.plan({"crawl": "c"}, "three")


@pytest.mark.usefixtures("source")
def test_a_crawl_may_allow_two_runs_at_once(machines: Machines) -> None:
    machines.catalogue = {"c": {**CRAWL, "overlap": "allow"}}
    machines.running = {"one", "two"}
    assert machines.plan({"crawl": "c"}, "one")["run"] != machines.plan({"crawl": "c"}, "two")["run"]


def run_again(aws: Aws, machines: Machines, **changes: Any) -> dict[str, Any]:
    machines.started_at = LATER
    machines.catalogue = {"c": {**CRAWL, **changes}}
    return machines.run(aws, {"crawl": "c"}, "execution-2")


@pytest.mark.usefixtures("source")
def test_every_field_of_output_and_manifest_is_in_the_reference(aws: Aws, machines: Machines) -> None:
    reference = REFERENCE.read_text(encoding="utf-8")
    summary = machines.run(aws, {"crawl": "c", "split": 2})
    limited = machines.run(aws, {"crawl": "c", "pagination_config": {"MaxItems": 1}}, "execution-2")
    planned = machines.plan({"crawl": "c"}, "execution-3")
    unfinished = machines.finish(planned)
    names = {*summary}
    for run in (summary, limited, unfinished):
        manifest = aws.json(f"runs/{run['run_id']}/manifest.json")
        names |= {*manifest, *(name for each in [*manifest["files"], *manifest["targets"]] for name in each)}
    assert {"part", "resume_token"} <= names
    assert [name for name in sorted(names) if f"`{name}`" not in reference] == []


@pytest.mark.usefixtures("source")
def test_items_that_a_complete_listing_no_longer_has_are_removed(aws: Aws, machines: Machines) -> None:
    machines.run(aws, {"crawl": "c"})
    aws.s3.delete_object(Bucket="source", Key=KEYS[7])
    summary = run_again(aws, machines)
    assert keys_in_dynamodb(aws) == [key for key in KEYS if key != KEYS[7]]
    assert summary["stale_items"] == 1


@pytest.mark.usefixtures("source")
def test_a_listing_of_which_a_page_is_not_on_record_is_not_complete(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    machines.sweep(planned, target, machines.turn_all(planned, target)[-1])
    (second,) = [row for row in aws.rows(aws.runs_table) if row["sk"]["S"].endswith("#0001#00000002")]
    aws.dynamodb.delete_item(TableName=aws.runs_table, Key={"pk": second["pk"], "sk": second["sk"]})
    summary = machines.finish(planned)
    assert (summary["outcome"], summary["targets"], summary["pages"]) == ("failed", {"unfinished": 1}, 3)
    assert "PagesMissing: the records of 1 page are missing from the runs table" in summary["message"]


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(("page_size", "shared", "merged"), [(1, 0, 34), (10, 35, 0)])
def test_items_under_a_key_that_is_not_unique_are_never_silently_one(
    page_size: int, shared: int, merged: int, aws: Aws, machines: Machines
) -> None:
    changes = {"key": "StorageClass", "pagination_config": {"PageSize": page_size}}
    machines.catalogue = {"c": {**CRAWL, **changes}}
    summary = machines.run(aws, {"crawl": "c"})
    assert (summary["items"], summary["shared_keys"], summary["merged_items"]) == (35, shared, merged)
    assert len(keys_in_dynamodb(aws)) == 35 - merged
    assert entry(aws, summary)["merged_items"] == merged


@pytest.mark.usefixtures("source")
def test_stale_items_can_be_marked_and_lose_the_mark_when_they_are_seen(aws: Aws, machines: Machines) -> None:
    machines.run(aws, {"crawl": "c"})
    aws.s3.delete_object(Bucket="source", Key=KEYS[7])
    run_again(aws, machines, stale_items="mark")
    marked = {row["sk"]["S"]: row["stale_since"]["S"] for row in aws.rows(aws.items_table) if "stale_since" in row}
    assert marked == {KEYS[7]: LATER}
    aws.s3.put_object(Bucket="source", Key=KEYS[7], Body=b"x")
    machines.run(aws, {"crawl": "c"}, "execution-3")
    assert not [row for row in aws.rows(aws.items_table) if "stale_since" in row]


@pytest.mark.usefixtures("source")
def test_stale_items_can_be_kept(aws: Aws, machines: Machines) -> None:
    machines.run(aws, {"crawl": "c"})
    aws.s3.delete_object(Bucket="source", Key=KEYS[7])
    assert run_again(aws, machines, stale_items="keep")["outcome"] == "succeeded"
    assert keys_in_dynamodb(aws) == KEYS


@pytest.mark.usefixtures("source")
def test_a_listing_that_is_not_complete_removes_nothing(aws: Aws, machines: Machines) -> None:
    machines.run(aws, {"crawl": "c"})
    aws.s3.delete_object(Bucket="source", Key=KEYS[30])
    summary = run_again(aws, machines, pagination_config={"PageSize": 10, "MaxItems": 20})
    assert summary["targets"] == {"limited": 1}
    assert keys_in_dynamodb(aws) == KEYS


@pytest.mark.usefixtures("source")
def test_a_listing_that_began_at_a_token_removes_nothing_of_what_lies_before(aws: Aws, machines: Machines) -> None:
    machines.run(aws, {"crawl": "c"})
    config: Any = {"PageSize": 10, "MaxItems": 30}
    pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket="source", PaginationConfig=config)
    assert len(list(pages)) == 3
    machines.started_at = LATER
    asked = {"crawl": "c", "pagination_config": {"StartingToken": pages.resume_token}}
    summary = machines.run(aws, asked, "execution-2")
    assert (summary["targets"], summary["items"]) == ({"limited": 1}, len(KEYS) - 30)
    assert keys_in_dynamodb(aws) == KEYS


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("stale_items", "left"), [({}, KEYS), ({"stale_items": "remove"}, [KEYS[0], KEYS[10], KEYS[20], KEYS[30]])]
)
def test_a_run_of_other_items_than_the_catalogue_s_removes_none_of_those_unless_it_says_so(
    stale_items: dict[str, str], left: list[str], aws: Aws, machines: Machines
) -> None:
    machines.run(aws, {"crawl": "c"})
    machines.started_at = LATER
    summary = machines.run(aws, {"crawl": "c", "search": "Contents[:1]", **stale_items}, "execution-2")
    assert (summary["targets"], summary["items"]) == ({"complete": 1}, 4)
    assert keys_in_dynamodb(aws) == left


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("allow_empty", [False, True])
def test_an_empty_listing_removes_everything_only_where_the_crawl_says_so(
    allow_empty: bool, aws: Aws, machines: Machines
) -> None:
    machines.run(aws, {"crawl": "c"})
    for key in KEYS:
        aws.s3.delete_object(Bucket="source", Key=key)
    summary = run_again(aws, machines, allow_empty=allow_empty)
    assert keys_in_dynamodb(aws) == ([] if allow_empty else KEYS)
    assert bool(entry(aws, summary)["stale_items_kept_because"]) != allow_empty
    assert summary["targets"] == {"complete": 1}


@pytest.mark.usefixtures("source")
def test_a_sweep_goes_on_where_it_was_and_a_run_without_its_end_is_not_complete(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.run(aws, {"crawl": "c"})
    for key in KEYS[5:15]:
        aws.s3.delete_object(Bucket="source", Key=key)
    machines.started_at = LATER
    planned = machines.plan({"crawl": "c"}, "execution-2")
    target = target_of(aws, planned)
    end = machines.turn_all(planned, target)[-1]
    client = clients.client("dynamodb")
    whole = client.delete_item
    removed: list[str] = []

    def dies_at_the_fourth(**request: Any) -> Any:
        if len(removed) == 3:
            raise KeyboardInterrupt
        removed.append(request["Key"]["sk"]["S"])
        return whole(**request)

    with monkeypatch.context() as patch:
        patch.setattr(client, "delete_item", dies_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            machines.sweep(planned, target, end)
    summary = machines.finish(planned)
    assert summary["targets"] == {"unfinished": 1}
    assert "the sweep of its stale items is not finished" in summary["message"]
    resumed = machines.run(aws, {"resume": summary["run_id"]}, "execution-3")
    assert resumed["outcome"] == "succeeded"
    assert keys_in_dynamodb(aws) == [*KEYS[:5], *KEYS[15:]]


@pytest.mark.usefixtures("source")
def test_an_item_that_another_run_has_seen_meanwhile_is_not_removed(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.run(aws, {"crawl": "c"})
    aws.s3.delete_object(Bucket="source", Key=KEYS[7])
    client = clients.client("dynamodb")
    whole = client.delete_item

    def seen_just_before(**request: Any) -> Any:
        if request["Key"].get("sk") == {"S": KEYS[7]}:
            aws.dynamodb.update_item(
                TableName=aws.items_table,
                Key=request["Key"],
                UpdateExpression="SET fetched_at = :now",
                ExpressionAttributeValues={":now": {"S": "2199-01-01T00:00:00.000Z"}},
            )
        return whole(**request)

    monkeypatch.setattr(client, "delete_item", seen_just_before)
    run_again(aws, machines)
    assert keys_in_dynamodb(aws) == KEYS


def verdict_of(aws: Aws, planned: Mapping[str, Any], verdict: str, error: str, cause: str) -> None:
    target = target_of(aws, planned)
    record = {
        "pk": f"run#{planned['run']['run_id']}",
        "sk": f"verdict#{target['target_id']}",
        "verdict": verdict,
        "error": error,
        "cause": json.dumps({"errorMessage": cause}),
    }
    aws.dynamodb.put_item(TableName=aws.runs_table, Item={name: {"S": value} for name, value in record.items()})


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("tolerance", "verdict", "outcome"),
    [
        ({}, "denied", "failed"),
        ({"tolerate": ["denied"]}, "denied", "succeeded"),
        ({"tolerate": ["denied"]}, "failed", "failed"),
        ({"ignore_errors": ["NoSuchBucket"]}, "failed", "succeeded"),
        ({"ignore_errors": ["NotFoundError"]}, "failed", "succeeded"),
        ({"ignore_errors": ["AccessDenied"]}, "failed", "failed"),
    ],
)
def test_what_a_crawl_tolerates(
    tolerance: dict[str, Any], verdict: str, outcome: str, aws: Aws, machines: Machines
) -> None:
    machines.catalogue = {"c": {**CRAWL, **tolerance}}
    planned = machines.plan({"crawl": "c"})
    verdict_of(aws, planned, verdict, "NotFoundError", "An error occurred (NoSuchBucket) when calling X: gone")
    summary = machines.finish(planned)
    assert summary["outcome"] == outcome
    assert summary["targets"] == {verdict: 1}


@pytest.mark.usefixtures("source")
def test_a_target_says_all_that_is_known_of_it(aws: Aws, machines: Machines) -> None:
    summary = machines.run(aws, {"crawl": "c"})
    found = entry(aws, summary)
    assert {name: found[name] for name in ("verdict", "pages", "items", "restarts", "throttles")} == {
        "verdict": "complete",
        "pages": 4,
        "items": 35,
        "restarts": 0,
        "throttles": 0,
    }
    assert found["first_page_at"] <= found["last_page_at"]
    assert len(found["first_token_hash"]) == len(found["last_token_hash"]) == 16
    assert found["first_token_hash"] != found["last_token_hash"]


@pytest.mark.usefixtures("source")
def test_after_the_deadline_no_page_is_fetched(aws: Aws, machines: Machines) -> None:
    machines.started_at = "2020-01-01T00:00:00Z"
    planned = machines.plan({"crawl": "c"})
    with pytest.raises(DeadlinePassedError, match=r"the run's deadline was 2020-01-02T00:00:00.000Z"):
        machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    assert aws.object_keys("items/") == []
    # A resumed run has its time anew.
    machines.started_at = LATER
    assert machines.plan({"resume": planned["run"]["run_id"]}, "two")["run"]["deadline"] == "2127-01-02T00:00:00.000Z"


@pytest.mark.usefixtures("source")
def test_a_target_keeps_its_pace(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOP_SECONDS", "1e12")
    machines.catalogue = {"c": {**CRAWL, "max_pages_per_second": 0.25}}
    planned = machines.plan({"crawl": "c"})
    place = machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    assert (place["next"], place["interval"]) == ("pause", 4)
    ahead = datetime.fromisoformat(place["not_before"]) - datetime.now(UTC)
    assert 1 < ahead.total_seconds() <= 4


@pytest.mark.usefixtures("source")
def test_a_throttled_target_slows_down_and_slowly_speeds_up(aws: Aws, machines: Machines) -> None:
    aws.s3.create_bucket(Bucket="many")
    for number in range(120):
        aws.s3.put_object(Bucket="many", Key=f"{number:03}", Body=b"x")
    asked = {**CRAWL, "parameters": {"Bucket": "many"}, "pagination_config": {"PageSize": 1}}
    planned = machines.plan(asked)
    target = target_of(aws, planned)
    intervals = [machines.fetch(planned, target, place)["interval"] for place in (FROM_CHECKPOINT, AFTER_THROTTLING)]
    intervals += [machines.fetch(planned, target, AFTER_THROTTLING)["interval"]]
    assert intervals == [0, 0.5, 1]
    for _ in range(6):
        slowest = machines.fetch(planned, target, AFTER_THROTTLING)
    assert slowest["interval"] == 20
    faster = [machines.fetch(planned, target, FROM_CHECKPOINT)["interval"] for _ in range(3)]
    assert faster == [19, 18.05, 17.148]
    for _ in range(105):
        place = machines.fetch(planned, target, FROM_CHECKPOINT)
    assert place["interval"] < 0.1
