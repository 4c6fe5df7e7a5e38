"""Many targets from one crawl, on the deployed stack: each run has exactly what boto3 lists."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.catalogue import read_catalogue
from local.emulator import ACCOUNT, PROJECT
from local.fault_proxy import Answer, Fault, Request, answering, json_error
from local.seed import BUCKET, TABLE
from pageturner.crawls.crawl import SCHEDULE_KEYS
from tests.e2e.accounts import READER, client_of, deploy_reader
from tests.e2e.conftest import Deployed, crawl_of_parameters, lists_parameters, loops_of

ACCOUNTS = (ACCOUNT, "111111111111", "222222222222")
REGIONS = ("us-east-1", "eu-west-1")


@pytest.fixture(scope="module", autouse=True)
def _longer_loops(_stack: Deployed) -> Iterator[None]:
    """Loops in which a slow machine, too, turns some pages of a batch."""
    with loops_of(_stack, seconds=12):
        yield


@pytest.fixture
def reader_roles(deployed: Deployed, assembly: Path) -> Iterator[None]:
    """The reader stack in the other accounts."""
    for account in ACCOUNTS[1:]:
        deploy_reader(deployed, account, assembly)
    yield
    for account in ACCOUNTS[1:]:
        client_of(deployed.emulator, account, "cloudformation").delete_stack(StackName=READER)


@pytest.mark.usefixtures("reader_roles")
def test_three_accounts_in_two_regions(deployed: Deployed) -> None:
    expected: dict[tuple[str, str], list[str]] = {}
    for number, (account, region) in enumerate((a, r) for a in ACCOUNTS for r in REGIONS):
        sqs = client_of(deployed.emulator, account, "sqs", region)
        for queue in range(3 + number):
            sqs.create_queue(QueueName=f"fan-{number}-{queue}")
        pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix="fan-", PaginationConfig={"PageSize": 2})
        expected[account, region] = [_path(url) for page in pages for url in page.get("QueueUrls", [])]
    assert [len(urls) for urls in expected.values()] == [3, 4, 5, 6, 7, 8]
    summary = deployed.run({"crawl": "queues"})
    assert summary["targets"] == {"complete": 6}
    found: dict[tuple[str, str], list[str]] = {place: [] for place in expected}
    for line in deployed.lines(summary):
        found[line["account"], line["region"]].append(_path(line["key"]))
    assert found == expected
    in_dynamodb = [_path(key) for key in deployed.keys_in_dynamodb(summary)]
    assert in_dynamodb == sorted(path for paths in expected.values() for path in paths)


def _path(url: str) -> str:
    """Drop the endpoint from a queue URL: for the functions, it is the proxy's."""
    return urlsplit(url).path


def test_buckets_in_three_regions_are_listed_once_and_their_objects_in_their_own_regions(deployed: Deployed) -> None:
    regions = {"regional-a": "us-east-1", "regional-b": "eu-west-1", "regional-c": "ap-southeast-2"}
    for bucket, region in regions.items():
        s3 = deployed.emulator.client("s3", region_name=region)
        elsewhere = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **elsewhere)
        for number in range(3):
            s3.put_object(Bucket=bucket, Key=f"{bucket}-{number}", Body=b"x")
    buckets = deployed.run({"crawl": "regional-buckets"})
    assert buckets["targets"] == {"complete": 1}
    assert deployed.keys_in_s3(buckets) == list(regions)
    objects = deployed.run({"crawl": "objects-of-regional-buckets"})
    assert objects["targets"] == {"complete": 3}
    found = [(line["region"], line["key"]) for line in deployed.lines(objects)]
    assert sorted(found) == sorted(
        (region, f"{bucket}-{number}") for bucket, region in regions.items() for number in range(3)
    )


def test_an_account_without_the_role_is_denied_and_the_others_are_complete(deployed: Deployed) -> None:
    # The emulator allows every AssumeRole, so the proxy returns AWS's error.
    denied = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"

    def assumes(request: Request) -> bool:
        return b"Action=AssumeRole" in request.body and b"333333333333" in request.body

    deployed.proxy.add(answering(assumes, Answer(403, denied, "text/xml"), 1000))
    execution = deployed.start({"crawl": "queues", "accounts": [ACCOUNT, "333333333333"], "regions": ["us-east-1"]})
    ended = deployed.wait(execution)
    assert ended["status"] == "FAILED"
    assert ended["cause"].startswith(
        "1 of 2 targets not complete (1 complete, 1 denied). 1 denied: 333333333333 us-east-1"
    )
    assert "AssumeRole" in ended["cause"]
    assert "Deploy the reader stack to the account" in ended["cause"]


def test_batches_end_the_short_targets_and_leave_a_long_and_a_throttled_one(deployed: Deployed) -> None:
    long, throttled, denied = "us-east-2", "eu-west-1", "us-west-1"
    short = ["us-east-1", "us-west-2", "eu-central-1", "eu-north-1", "sa-east-1"]
    regions = [long, *short[:2], denied, *short[2:4], throttled, short[4]]
    expected = {
        region: [f"/batches/{number:02}" for number in range(40 if region == long else 2)] for region in regions
    }
    for region, names in expected.items():
        deployed.put_parameters(region, names)
    # Twenty pages take longer than its share, a third of 12 s.
    deployed.proxy.add(Fault(lists_parameters(long), 1000, before=lambda _: time.sleep(0.3)))
    # More than the retries of a batch: seven invocations, of two attempts each.
    throttles = deployed.proxy.add(answering(lists_parameters(throttled), json_error("ThrottlingException"), 16))
    deployed.proxy.add(answering(lists_parameters(denied), json_error("AccessDeniedException"), 1000))

    asked = crawl_of_parameters("/batches", regions)
    execution = deployed.start({**asked, "max_concurrency": 3, "tolerate": ["denied"]})
    ended = deployed.wait(execution)

    assert ended["status"] == "SUCCEEDED", ended
    summary = json.loads(ended["output"])
    assert summary["targets"] == {"complete": 7, "denied": 1}
    assert throttles.answered == 16
    listed = {region: sum(map(lists_parameters(region), deployed.proxy.requests)) for region in regions}
    assert listed == {**dict.fromkeys(regions, 1), long: 20, throttled: 16 + 1}, "each page once"
    found: dict[str, list[str]] = {region: [] for region in regions}
    for line in deployed.lines(summary):
        found[line["region"]].append(line["key"])
    assert found == {**expected, denied: []}
    assert deployed.keys_in_dynamodb(summary) == sorted(name for names in found.values() for name in names)
    map_runs = deployed.map_runs(execution)
    batches = [deployed.input_of(child)["targets"] for child in map_runs["ShortTargets"]]
    assert sorted(len(batch) for batch in batches) == [2, 3, 3]
    left = {deployed.input_of(child)["target"]["region"] for child in map_runs["LongTargets"]}
    assert {long, throttled} <= left
    assert not set(short) <= left, "some listings of one page have ended in their batches"


def test_the_objects_of_thirty_buckets(deployed: Deployed) -> None:
    expected = []
    for number in range(30):
        bucket = f"many-{number:02}"
        deployed.s3.create_bucket(Bucket=bucket)
        for key in range(number % 5):
            deployed.s3.put_object(Bucket=bucket, Key=f"{bucket}/{key}", Body=b"x")
        pages = deployed.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        expected += [found["Key"] for page in pages for found in page.get("Contents", [])]
    refused = deployed.wait(deployed.start({"crawl": "objects-of-buckets"}))
    assert refused["error"] == "InvalidCrawlError"
    assert refused["cause"].startswith("for_each.crawl: there is no complete run of buckets")
    assert deployed.run({"crawl": "buckets"})["items"] == 30
    summary = deployed.run({"crawl": "objects-of-buckets"})
    assert summary["targets"] == {"complete": 30}
    assert sorted(deployed.keys_in_s3(summary)) == sorted(expected)
    assert deployed.keys_in_dynamodb(summary) == sorted(expected)
    assert len(expected) == 60


def test_a_chain_of_two_levels(deployed: Deployed) -> None:
    logs = deployed.emulator.client("logs")
    expected = []
    for group in ("/chain/a", "/chain/b", "/chain/c"):
        logs.create_log_group(logGroupName=group)
        for stream in ("x", "y", "z"):
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
            events = [{"timestamp": 1_780_000_000_000 + n, "message": f"{group} {stream} {n}"} for n in range(4)]
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        expected += [event["message"] for page in pages for event in page["events"]]
    assert len(expected) == 36
    assert deployed.run({"crawl": "log-groups"})["items"] == 3
    assert deployed.run({"crawl": "log-streams"})["items"] == 9
    summary = deployed.run({"crawl": "log-events"})
    assert summary["targets"] == {"complete": 9}
    messages = [json.loads(line["item"])["message"] for line in deployed.lines(summary)]
    assert sorted(messages) == sorted(expected)


def test_a_scan_in_twelve_segments(deployed: Deployed) -> None:
    deployed.create_table("segmented", [f"{number:03}" for number in range(300)])
    pages = deployed.dynamodb.get_paginator("scan").paginate(TableName="segmented")
    expected = sorted(row["id"]["S"] for page in pages for row in page["Items"])
    summary = deployed.run({"crawl": "rows"})
    assert summary["targets"] == {"complete": 12}
    assert sorted(deployed.keys_in_s3(summary)) == expected == deployed.keys_in_dynamodb(summary)
    assert len(expected) == 300


# Many kinds of characters, and keys that begin with other keys.
BEGINNINGS = [
    "a",
    "a/",
    "a//",
    "a///",
    "ab",
    "A",
    "0",
    "é",
    "e\u0301",
    "日本/",
    "🙂",
    " ",
    "  ",
    "+",
    "%",
    "%2F",
    "&",
    "?",
]
BEGINNINGS += ["#", "=", "<", '"', "'", "\\", "~", ".", "..x", "-", "_", "\x01", "\t", "\x7f", "\ue000", "\U0010fffd"]


def test_a_bucket_of_all_kinds_of_keys_split_twelve_ways(deployed: Deployed) -> None:
    deployed.s3.create_bucket(Bucket="names")
    for beginning in BEGINNINGS:
        for ending in ("", "x", "x/y", "/", "z z+z"):
            deployed.s3.put_object(Bucket="names", Key=beginning + ending, Body=b"x")
    pages = deployed.s3.get_paginator("list_objects_v2").paginate(Bucket="names")
    expected = [found["Key"] for page in pages for found in page["Contents"]]
    assert len(expected) > 150
    summary = deployed.run({"crawl": "names"})
    assert summary["targets"] == {"complete": 12}
    assert deployed.keys_in_s3(summary) == expected
    assert sorted(line["key"] for line in deployed.lines(summary)) == sorted(expected)
    assert summary["items"] == len(deployed.keys_in_dynamodb(summary)) == len(expected)
    for key in expected[::2]:
        deployed.s3.delete_object(Bucket="names", Key=key)
    again = deployed.run({"crawl": "names", "split": 5})
    # The parts are others, and the listing is the same.
    assert again["published"]["gone"] == len(expected[::2])
    assert deployed.keys_in_dynamodb(again) == sorted(expected[1::2])


def test_a_dry_run_of_the_demos_crawls_says_what_the_runs_then_do(deployed: Deployed) -> None:
    # A few pages: less than `make demo` seeds.
    deployed.s3.create_bucket(Bucket=BUCKET)
    for number in range(220):
        deployed.s3.put_object(Bucket=BUCKET, Key=f"{number:03}", Body=b"x")
    deployed.create_table(TABLE, [])
    for number in range(300):
        row = {name: {"S": f"{name} {number}"} for name in ("id", "service", "operation")}
        deployed.dynamodb.put_item(TableName=TABLE, Item=row)
    crawls = read_catalogue(PROJECT / "crawls.yaml")
    assert len(crawls) == 3
    for crawl in crawls.values():
        asked = {key: value for key, value in crawl.as_dict().items() if key not in ("name", *SCHEDULE_KEYS)}
        before = deployed.keys_of_bucket(deployed.outputs["ItemsBucket"])
        report = deployed.run({**asked, "dry_run": True})
        assert deployed.keys_of_bucket(deployed.outputs["ItemsBucket"]) == before
        assert report["targets"]["count"] == 1
        assert report["iam"]["denied"] == []
        summary = deployed.run(asked)
        assert summary["pages"] > (0 if crawl.service == "iam" else 1)
        assert report["estimate"]["pages"] == pytest.approx(summary["pages"], rel=0.2)
        assert not report["estimate"]["at_least"]
