"""Crawls on the deployed stack, from the Step Functions API to the stored items."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.fault_proxy import answering, json_error, s3_error
from tests.e2e.conftest import FEW_PAGES, OBJECTS, PAGE_SIZE, Deployed, lists_source, slow_pages


def test_a_crawl_finds_exactly_what_boto3_finds_through_many_hand_overs(deployed: Deployed, source: list[str]) -> None:
    deployed.proxy.add(slow_pages())
    execution = deployed.start({"crawl": "objects"})
    ended = deployed.wait(execution)
    assert ended["status"] == "SUCCEEDED", ended
    summary = json.loads(ended["output"])

    assert deployed.keys_in_s3(summary) == source
    assert deployed.keys_in_dynamodb(summary) == sorted(source)
    assert (summary["verdict"], summary["items"], summary["pages"]) == (
        "complete",
        OBJECTS,
        OBJECTS // PAGE_SIZE,
    )

    map_runs = deployed.map_runs(execution)
    assert set(map_runs) == {"LongTargets"}, "a single target has no batch"
    (child,) = map_runs["LongTargets"]
    places = [place for event in deployed.history(child) if (place := _place_handed_over(event))]
    assert len(places) >= 4  # three hand-overs, and the end
    assert [place["next"] for place in places] == ["hand_over"] * (len(places) - 1) + ["end"]
    # The token travels in the state, and each loop begins where the previous one ended.
    assert all(place["token"] for place in places[:-1])
    assert [place["page"] for place in places] == sorted({place["page"] for place in places})
    assert places[-1]["token"] is None


def _place_handed_over(event: dict[str, Any]) -> dict[str, Any] | None:
    details = event.get("taskSucceededEventDetails", {})
    if not details.get("resource", "").endswith(":startSyncExecution"):
        return None
    place: dict[str, Any] = json.loads(json.loads(details["output"])["Output"])
    return place


@pytest.mark.parametrize("times", [6, 20])
def test_throttling_delays_a_crawl_and_loses_nothing(deployed: Deployed, source: list[str], times: int) -> None:
    """PageLoop's own retries are enough for 6 throttles; 20 outlast them, and Crawl backs off."""
    fault = deployed.proxy.add(answering(lists_source, s3_error(503, "SlowDown"), times))
    # The target is slow after it, so there are few pages left.
    summary = deployed.run({"crawl": "objects", "pagination_config": {"PageSize": 100}})
    assert fault.answered == times
    assert summary["throttles"] == times / 2  # botocore itself makes two attempts
    report = deployed.shown(f"runs/{summary['run_id']}/report.html")
    assert report["totals"]["throttles"] == report["throttled"][0][4] == times / 2
    assert (report["totals"]["items"], report["targets"]["total"]) == (OBJECTS, 1)
    assert sum(report["timeline"]["items"]) == OBJECTS
    runs = deployed.shown("runs/index.html")
    assert summary["run_id"] in {run[runs["columns"].index("run_id")] for run in runs["runs"]}
    assert deployed.keys_in_s3(summary) == source
    assert deployed.keys_in_dynamodb(summary) == sorted(source)


def test_tables_that_are_throttled_delay_a_crawl_and_lose_nothing(deployed: Deployed, source: list[str]) -> None:
    for target in ("TransactWriteItems", "PutItem"):
        deployed.proxy.add(
            answering(
                lambda request, name=target: request.target.endswith(f".{name}"),  # type: ignore[misc]
                json_error("ProvisionedThroughputExceededException"),
                5,
            )
        )
    summary = deployed.run(FEW_PAGES)
    assert all(fault.answered == 5 for fault in deployed.proxy.faults)
    assert deployed.keys_in_s3(summary) == source
    assert deployed.keys_in_dynamodb(summary) == sorted(source)


@pytest.mark.parametrize(
    ("execution_input", "said"),
    [
        ({"crawl": "object"}, 'input.crawl: "object" is not in the catalogue; did you mean "objects"?'),
        ({"crawl": "objects", "page_size": 5}, "input.page_size: unknown key"),
        ([], 'the input is []; it must be a JSON object like {"crawl": "a-name"}'),
    ],
)
def test_a_wrong_input_fails_at_plan_run_in_words_and_nothing_else_happens(
    deployed: Deployed, execution_input: Any, said: str
) -> None:
    ended = deployed.wait(deployed.start(execution_input))
    assert (ended["status"], ended["error"]) == ("FAILED", "InvalidCrawlError")
    assert ended["cause"].startswith(said)
    assert not [request for request in deployed.proxy.requests if request.method == "PUT"]
    assert {request.target.rpartition(".")[2] for request in deployed.proxy.requests} <= {
        "",
        "GetItem",
        "PutItem",
        "TransactWriteItems",
        # StopRun hears that the execution has ended, and asks if it goes on.
        "DescribeExecution",
    }


def test_a_target_that_fails_fails_the_run_in_words(deployed: Deployed) -> None:
    ended = deployed.wait(
        deployed.start({"service": "s3", "operation": "list_objects_v2", "parameters": {"Bucket": "no-such-bucket"}})
    )
    assert (ended["status"], ended["error"]) == ("FAILED", "RunIncomplete")
    assert ended["cause"].startswith("1 of 1 target not complete (1 failed)")
    assert "The specified bucket does not exist. Nothing there has this name: check Bucket" in ended["cause"]
    sentence, _, output = ended["cause"].partition("\n\n")
    assert sentence.endswith("Resuming the run as it is does not help")
    assert json.loads(output)["links"]["report"].endswith("report.html")


def test_no_permission_is_the_verdict_denied(deployed: Deployed, source: list[str]) -> None:
    deployed.proxy.add(answering(lists_source, s3_error(403, "AccessDenied"), 1000))
    ended = deployed.wait(deployed.start({"crawl": "objects"}))
    assert ended["status"] == "FAILED"
    assert "(1 denied)" in ended["cause"]
    assert "AccessDeniedError" in ended["cause"]
    assert "Allow s3:ListBucket" in ended["cause"]


def test_an_empty_listing_is_complete(deployed: Deployed) -> None:
    deployed.s3.create_bucket(Bucket="empty")
    summary = deployed.run({"crawl": "objects", "parameters": {"Bucket": "empty"}})
    assert (summary["verdict"], summary["pages"], summary["items"]) == ("complete", 1, 0)


def test_a_bucket_has_a_witness_and_a_part_of_it_has_none(deployed: Deployed) -> None:
    deployed.s3.create_bucket(Bucket="counted")
    for number in range(25):
        deployed.s3.put_object(Bucket="counted", Key=f"{'ab'[number % 2]}{number:02}", Body=b"x")
    # S3 reports it once a day; the emulator does not.
    at = datetime.now(UTC) - timedelta(hours=20)
    dimensions = [{"Name": "BucketName", "Value": "counted"}, {"Name": "StorageType", "Value": "AllStorageTypes"}]
    data = {"MetricName": "NumberOfObjects", "Dimensions": dimensions, "Timestamp": at, "Value": 25}
    deployed.emulator.client("cloudwatch").put_metric_data(Namespace="AWS/S3", MetricData=[data])

    summary = deployed.run({"crawl": "objects", "parameters": {"Bucket": "counted"}})

    (target,) = deployed.manifest(summary)["targets"]
    witness = target["witness"]
    assert (witness["who"], witness["count"], witness["listed"], witness["agrees"]) == ("CloudWatch", 25, 25, True)
    assert 0 < witness["age"] <= 48
    assert f"; CloudWatch counted 25 on {witness['at'][:10]}" in summary["message"]
    assert summary["witnesses"] == {"agreed": 1, "disagreed": 0, "none": 0}

    part = deployed.run({"crawl": "objects", "parameters": {"Bucket": "counted", "Prefix": "a"}})
    assert [target["witness"] for target in deployed.manifest(part)["targets"]] == [None]
    assert part["message"].startswith("complete: 13 items on 2 pages of 1 target; published 13 new")
    assert part["witnesses"] == {"agreed": 0, "disagreed": 0, "none": 1}


def test_a_table_has_a_witness(deployed: Deployed) -> None:
    deployed.create_table("counted", list(map(str, range(15))))
    asked = {"service": "dynamodb", "operation": "scan", "parameters": {"TableName": "counted"}}
    summary = deployed.run(asked)
    (target,) = deployed.manifest(summary)["targets"]
    expected = {"who": "DynamoDB", "count": 15, "listed": 15, "age": 6, "at": None, "agrees": True}
    assert target["witness"] == expected
    assert "; DynamoDB counted 15, up to 6 hours ago" in summary["message"]


def test_a_listing_that_shrank_too_much_is_red_until_a_person_says_that_it_is_true(deployed: Deployed) -> None:
    deployed.s3.create_bucket(Bucket="shrinking")
    names = [f"{number:02}" for number in range(50)]
    for name in names:
        deployed.s3.put_object(Bucket="shrinking", Key=name, Body=b"x")
    asked = {"crawl": "objects", "parameters": {"Bucket": "shrinking"}, "mistrust": "20%"}
    deployed.run(asked)
    for name in names[30:]:
        deployed.s3.delete_object(Bucket="shrinking", Key=name)

    ended = deployed.wait(deployed.start(asked))

    assert (ended["status"], ended["error"]) == ("FAILED", "RunIncomplete")
    assert "the listing has 30 items, but the last complete run listed 50 on" in ended["cause"]
    resume = json.loads(ended["cause"].partition("\n\n")[0].rpartition("with the input ")[2])
    assert resume["mistrust"] == "off"
    listed = len([request for request in deployed.proxy.requests if request.path.startswith("/shrinking?list-type=2")])
    summary = deployed.run(resume)
    assert (summary["verdict"], summary["items"], summary["published"]["gone"]) == ("complete", 30, 20)
    after = len([request for request in deployed.proxy.requests if request.path.startswith("/shrinking?list-type=2")])
    assert after == listed


def test_an_operation_without_a_paginator_of_botocores_is_inferred(deployed: Deployed) -> None:
    events = deployed.emulator.client("events")
    names = [f"bus-{number}" for number in range(5)]
    for name in names:
        events.create_event_bus(Name=name)
    summary = deployed.run({"crawl": "event-buses"})
    assert summary["verdict"] == "complete"
    listed = [bus["Name"] for bus in events.list_event_buses()["EventBuses"]]
    assert set(names) < set(listed)
    assert [json.loads(line["item"])["Name"] for line in deployed.lines(summary)] == listed
    assert len(deployed.keys_in_dynamodb(summary)) == len(listed)


def test_every_queue_is_listed_although_the_crawl_has_no_page_size(deployed: Deployed) -> None:
    """As SQS does, the emulator returns a token only to a request with `MaxResults`, and 1,000 queues at most."""
    sqs = deployed.emulator.client("sqs")
    for number in range(1010):
        sqs.create_queue(QueueName=f"all-{number:04}")
    first = sqs.list_queues(QueueNamePrefix="all-")
    assert (len(first["QueueUrls"]), "NextToken" in first) == (1000, False)

    summary = deployed.run({"crawl": "every-queue"})

    assert (summary["verdict"], summary["items"], summary["pages"]) == ("complete", 1010, 2)
    names = [f"all-{number:04}" for number in range(1010)]
    assert sorted(key.rpartition("/")[2] for key in deployed.keys_in_s3(summary)) == names
    assert sorted(key.rpartition("/")[2] for key in deployed.keys_in_dynamodb(summary)) == names
