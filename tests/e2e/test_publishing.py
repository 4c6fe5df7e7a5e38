"""Publishing on the deployed stack: SQL, DynamoDB and events say what boto3 lists, whatever fails meanwhile."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.saved_queries import SAVED_QUERIES
from local.emulator import ACCOUNT, PROJECT
from local.fault_proxy import Answer, Dropped, Fault, Request, answering, json_error, s3_error
from pageturner.turn.records import item_json
from tests.e2e.conftest import Deployed

ALWAYS = 100_000
BUCKET = "published"
CRAWL = {"crawl": "published"}
# The query that everyone asks: what is there now.
NOW = "SELECT key, etag FROM published ORDER BY key"
SAVED = {query.name: query.sql for query in SAVED_QUERIES}
ACCESS_PATTERNS = re.findall(
    r"^```python\n(.*?)^```$",
    (PROJECT / "docs" / "reference.md").read_text(encoding="utf-8").partition("\n## Items in DynamoDB\n")[2],
    re.MULTILINE | re.DOTALL,
)


def objects(deployed: Deployed) -> list[dict[str, Any]]:
    """The objects of the bucket, as a plain boto3 paginator lists them."""
    pages = deployed.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return [found for page in pages for found in page["Contents"]]


def listed(deployed: Deployed) -> list[tuple[str, str]]:
    """What `NOW` says if all is published."""
    return sorted((each["Key"], each["ETag"]) for each in objects(deployed))


def in_sql(deployed: Deployed) -> list[tuple[str | None, str | None]]:
    return sorted((row["key"], row["etag"]) for row in deployed.query(NOW))


def in_dynamodb(deployed: Deployed) -> list[tuple[str, str]]:
    """The same, of the items table."""
    (listing,) = deployed.rows("published")
    rows = deployed.rows(listing["partition"]["S"])
    return sorted((row["sk"]["S"], json.loads(row["item"]["S"])["ETag"]) for row in rows)


def change_one_of_each(deployed: Deployed) -> dict[str, str]:
    """Put an object, change one, and delete one. Returns the kind of change by key."""
    keys = [each["Key"] for each in objects(deployed)]
    new = f"2026/{time.time_ns()}"
    deployed.s3.put_object(Bucket=BUCKET, Key=new, Body=b"new")
    deployed.s3.put_object(Bucket=BUCKET, Key=keys[1], Body=str(time.time_ns()).encode())
    deployed.s3.delete_object(Bucket=BUCKET, Key=keys[0])
    return {new: "new", keys[1]: "changed", keys[0]: "gone"}


def changes_of(deployed: Deployed, run_id: str) -> dict[str | None, str | None]:
    rows = deployed.query(f"SELECT kind, key FROM changes WHERE crawl = 'published' AND run_id = '{run_id}'")  # noqa: S608
    assert len({row["key"] for row in rows}) == len(rows)
    return {row["key"]: row["kind"] for row in rows}


def assert_published(deployed: Deployed) -> None:
    assert in_sql(deployed) == in_dynamodb(deployed) == listed(deployed)


def puts(path: str) -> Callable[[Request], bool]:
    return lambda request: request.method == "PUT" and path in request.path


def calls(operation: str, *parts: str) -> Callable[[Request], bool]:
    return lambda request: (
        request.target.endswith(f".{operation}") and all(part.encode() in request.body for part in parts)
    )


@pytest.fixture(scope="session")
def _bucket(_stack: Deployed) -> None:
    _stack.s3.create_bucket(Bucket=BUCKET)
    for number in range(40):
        _stack.s3.put_object(Bucket=BUCKET, Key=f"{2025 + number % 2}/{'ü +%'[number % 4]}{number:02}", Body=b"x")
    _stack.run(CRAWL)


@pytest.fixture
def all_published(deployed: Deployed, _bucket: None) -> None:
    """All is published: earlier tests leave it so, unless they fail."""
    if not in_sql(deployed) == in_dynamodb(deployed) == listed(deployed):
        deployed.run(CRAWL)


@pytest.fixture
def published(deployed: Deployed, _bucket: None) -> dict[str, Any]:
    """The summary of a run after which all is published."""
    return deployed.run(CRAWL)


def test_the_table_has_what_boto3_lists_with_its_types(deployed: Deployed, published: dict[str, Any]) -> None:
    own = objects(deployed)
    rows = deployed.query("SELECT * FROM published ORDER BY key")
    assert [row["key"] for row in rows] == sorted(each["Key"] for each in own)
    by_key = {row["key"]: row for row in rows}
    for each in own:
        row = by_key[each["Key"]]
        assert json.loads(row["item"] or "") == json.loads(item_json(each))
        assert (row["size"], row["etag"]) == (str(each["Size"]), each["ETag"])
        assert datetime.fromisoformat(row["lastmodified"] or "").replace(tzinfo=UTC) == each["LastModified"]
        assert (row["account"], row["region"]) == (ACCOUNT, "us-east-1")
        assert row["page_object"] in [file["key"] for file in deployed.manifest(published)["files"]] or (
            row["run_id"] != published["run_id"]
        )
    table = deployed.emulator.client("glue").get_table(DatabaseName="pageturner", Name="published")["Table"]
    types = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert (types["size"], types["etag"], types["lastmodified"]) == ("bigint", "string", "timestamp")
    assert list(types) == list(rows[0]), "in the order of the files"
    (typed,) = deployed.query(
        "SELECT sum(size) AS size, max(lastmodified) > TIMESTAMP '2026-01-01' AS late FROM published"
    )
    assert typed["size"] == str(sum(each["Size"] for each in own))
    assert str(typed["late"]).lower() == "true"


def test_the_saved_queries_say_what_has_happened(deployed: Deployed, published: dict[str, Any]) -> None:
    expected = change_one_of_each(deployed)
    summary = deployed.run(CRAWL)
    assert {kind: summary["published"][kind] for kind in ("new", "changed", "gone")} == dict.fromkeys(
        ("new", "changed", "gone"), 1
    )
    found = {name: [row for row in deployed.query(sql) if row["crawl"] == "published"] for name, sql in SAVED.items()}
    last = found["What changed in the last run"]
    assert {row["key"]: row["kind"] for row in last} == expected
    (changed,) = [row for row in last if row["kind"] == "changed"]
    before, after = json.loads(changed["before"] or ""), json.loads(changed["after"] or "")
    assert before["ETag"] != after["ETag"]
    assert [member for member in before if before[member] != after[member]] == re.findall(
        r"\w+", changed["fields"] or ""
    )
    assert [row["key"] for row in found["Gone items of the last 7 days"]][:1] == [
        key for key, kind in expected.items() if kind == "gone"
    ]
    assert {row["field"] for row in found["Fields that change most often"]} >= {"ETag", "LastModified"}
    runs = found["Last three runs of each crawl"]
    assert runs[0]["run_id"] == summary["run_id"]
    assert [runs[0][name] for name in ("verdict", "items", "new", "changed", "gone")] == [
        "complete",
        "40",
        "1",
        "1",
        "1",
    ]
    assert found["Crawls whose last run is not complete"] == []
    assert found["Targets that are not complete"] == []
    history = deployed.query("SELECT run, count(*) AS items FROM published_history GROUP BY run ORDER BY run DESC")
    assert history[0] == {"run": summary["run_id"], "items": "40"}
    assert published["run_id"] in [row["run"] for row in history]


def test_the_documented_ways_to_read_dynamodb_find_what_boto3_lists(
    deployed: Deployed, all_published: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in deployed.emulator.environment().items():
        monkeypatch.setenv(name, value)
    own = {each["Key"]: json.loads(item_json(each)) for each in objects(deployed)}
    one = next(key for key in own if key.startswith("2026/"))
    names: dict[str, Any] = {
        "items_table": deployed.outputs["ItemsTable"],
        "items_bucket": deployed.outputs["ItemsBucket"],
    }
    here = {'"objects"': '"published"', "111122223333": ACCOUNT, "eu-west-1": "us-east-1", '"logs"': f'"{BUCKET}"'}
    for block in ACCESS_PATTERNS:
        for documented, ours in {**here, "2026/app.log": one}.items():
            block = block.replace(documented, ours)
        exec(compile(block, "docs/reference.md", "exec"), names)  # noqa: S102 - it is ours
    items = {row["sk"]: names["item_of"](row) for row in names["of_listing"]}
    assert items == own
    assert [row["sk"] for row in names["of_year"]] == sorted(key for key in own if key.startswith("2026/"))
    assert names["item_of"](names["row"]) == own[one]
    for found in ("of_crawl", "in_region", "still_listed"):
        assert {row["sk"] for row in names[found]} == set(own)


def test_a_query_sees_the_old_listing_whole_and_then_the_new_one(deployed: Deployed, all_published: None) -> None:
    old = listed(deployed)
    change_one_of_each(deployed)
    new = listed(deployed)
    seen: list[tuple[str, bool]] = []

    def look(what: str) -> Callable[[Request], None]:
        def looked(_: Request) -> None:
            found = in_sql(deployed)
            assert found in (old, new)
            seen.append((what, found == new))

        return looked

    for what, matches in {
        "a page is committed": puts("/items/crawl"),
        "the manifest is put": puts("/manifest.json"),
        "the table's file is put": puts("/tables/published/"),
        "the table is moved": calls("UpdateTable", '"published"'),
        "DynamoDB is told": calls("TransactWriteItems", deployed.outputs["ItemsTable"]),
        "the events are sent": calls("PutEvents"),
    }.items():
        deployed.proxy.add(Fault(matches, 1, before=look(what)))
    answers: list[list[tuple[str | None, str | None]]] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            answers.append(in_sql(deployed))

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            deployed.run(CRAWL)
        finally:
            ended.set()
        asking.result()
    assert seen == [
        ("a page is committed", False),
        ("the manifest is put", False),
        ("the table's file is put", False),
        ("the table is moved", False),
        ("DynamoDB is told", True),
        ("the events are sent", True),
    ]
    which = [answer == new for answer in answers]
    assert all(answer in (old, new) for answer in answers)
    assert which == sorted(which), "never back"
    assert (which[0], in_sql(deployed)) == (False, new)
    assert_published(deployed)


def test_half_a_run_changes_nothing(deployed: Deployed, all_published: None) -> None:
    before = listed(deployed)
    expected = change_one_of_each(deployed)

    def lists(request: Request) -> bool:
        return request.method == "GET" and request.path.startswith(f"/{BUCKET}?list-type=2")

    deployed.proxy.add(answering(lists, s3_error(403, "AccessDenied"), ALWAYS, 2))
    ended = deployed.wait(deployed.start(CRAWL))
    assert ended["error"] == "RunIncomplete"
    assert in_sql(deployed) == in_dynamodb(deployed) == before
    run_id = re.findall(r"runs/(.+?)/manifest\.json", ended["cause"])[0]
    assert changes_of(deployed, run_id) == {}
    (denied,) = [row for row in deployed.query(SAVED["Targets that are not complete"]) if row["crawl"] == "published"]
    assert (denied["run_id"], denied["verdict"], denied["error"]) == (run_id, "denied", "AccessDeniedError")
    deployed.proxy.clear()

    execution = deployed.start({"crawl": "published", "max_pages_per_second": 1})
    deployed.wait_for(lambda: any(map(lists, deployed.proxy.requests)))
    deployed.stepfunctions.stop_execution(executionArn=execution)
    deployed.stop_run(execution)
    assert in_sql(deployed) == in_dynamodb(deployed) == before

    summary = deployed.run({"resume": run_id})
    assert changes_of(deployed, summary["run_id"]) == expected
    assert_published(deployed)


def commits(request: Request) -> bool:
    return request.target.endswith(".UpdateItem") and b"SET #current = :mine" in request.body


def tells(request: Request) -> bool:
    return request.target.endswith(".TransactWriteItems") and b"published#" in request.body


def killing(deployed: Deployed, matches: Callable[[Request], bool], *, after: bool) -> Fault:
    """Return a fault that kills PublishRun during a matching request, before or after it takes effect."""

    def kill() -> Answer | None:
        assert deployed.emulator.kill_functions("PublishRun") > 0
        raise Dropped

    if after:
        return Fault(matches, 1, after=lambda _, __: kill())
    return Fault(matches, 1, before=lambda _: kill())


def cancels(code: str) -> Callable[[Request], Answer]:
    """DynamoDB cancels a transaction because of its last item."""

    def cancelled(request: Request) -> Answer:
        codes = [*["None"] * (len(json.loads(request.body)["TransactItems"]) - 1), code]
        error = {
            "__type": "TransactionCanceledException",
            "message": code,
            "CancellationReasons": [{"Code": each} for each in codes],
        }
        return Answer(400, json.dumps(error).encode(), "application/x-amz-json-1.0")

    return cancelled


Faults = Callable[[Deployed], list[Fault]]
# What happens in one run, in this order. Crawl invokes PublishRun seven times at most.
FAULTS: dict[str, Faults] = {
    "killed again and again until it has committed": lambda d: [
        killing(d, puts("/publishing/published/"), after=False),
        killing(d, puts("/tables/published/"), after=False),
        killing(d, puts("/changes/crawl"), after=True),
        killing(d, commits, after=False),
        killing(d, commits, after=True),
    ],
    "killed again and again until all know": lambda d: [
        killing(d, calls("UpdateTable"), after=False),
        killing(d, calls("UpdateTable"), after=True),
        killing(d, tells, after=False),
        killing(d, tells, after=True),
        killing(d, calls("PutEvents"), after=True),
    ],
    "services that fail": lambda _: [
        answering(puts("/tables/published/"), s3_error(503, "SlowDown"), 5),
        answering(calls("UpdateTable"), json_error("InternalServiceException", 500), 5),
        answering(calls("PutEvents"), json_error("InternalException", 500), 3),
    ],
    "lost answers, a throttled table, and others in the way": lambda _: [
        Fault(puts("/tables/published/"), 2, after=_lost),
        answering(calls("UpdateTable"), json_error("ConcurrentModificationException"), 3),
        answering(tells, json_error("ProvisionedThroughputExceededException"), 3),
        Fault(tells, 3, before=cancels("TransactionConflict")),
    ],
}


def _lost(_: Request, __: bytes) -> Answer | None:
    raise Dropped


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_published_is_whole_in_spite_of(name: str, deployed: Deployed, all_published: None) -> None:
    expected = change_one_of_each(deployed)
    faults = [deployed.proxy.add(fault) for fault in FAULTS[name](deployed)]
    summary = deployed.run(CRAWL)
    assert [fault.answered for fault in faults] == [fault.times for fault in faults], "each was met"
    assert_published(deployed)
    assert changes_of(deployed, summary["run_id"]) == expected
    assert {kind: summary["published"][kind] for kind in ("new", "changed", "gone")} == {
        "new": 1,
        "changed": 1,
        "gone": 1,
    }


def test_what_could_not_be_published_is_published_by_a_resumption(deployed: Deployed, all_published: None) -> None:
    before = listed(deployed)
    expected = change_one_of_each(deployed)
    deployed.proxy.add(answering(puts("/tables/published/"), s3_error(403, "AccessDenied"), ALWAYS))
    execution = deployed.start(CRAWL)
    ended = deployed.wait(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "DeploymentDeniedError"), ended
    assert in_sql(deployed) == in_dynamodb(deployed) == before
    deployed.proxy.clear()
    run_id = deployed.run_of(execution)
    listings = len(deployed.proxy.requests)
    summary = deployed.run({"resume": run_id})
    assert not [each for each in deployed.proxy.requests[listings:] if f"/{BUCKET}?list-type=2" in each.path]
    assert (summary["run_id"], summary["published"]["new"]) == (run_id, 1)
    assert changes_of(deployed, run_id) == expected
    assert_published(deployed)


def test_a_run_that_could_not_be_published_is_finished_by_the_next(deployed: Deployed, all_published: None) -> None:
    expected = change_one_of_each(deployed)
    deployed.proxy.add(answering(tells, json_error("InternalServerError", 500), ALWAYS))
    execution = deployed.start(CRAWL)
    assert deployed.wait(execution)["error"] == "SinkError"
    deployed.proxy.clear()
    # It was committed, so SQL has it, and DynamoDB has not been told.
    assert in_sql(deployed) == listed(deployed) != in_dynamodb(deployed)
    late = deployed.run_of(execution)
    summary = deployed.run(CRAWL)
    assert summary["published"]["new"] == 0
    assert changes_of(deployed, late) == expected
    assert_published(deployed)


def test_a_person_publishes_a_mistrusted_run_and_compares_two(deployed: Deployed, published: dict[str, Any]) -> None:
    before = listed(deployed)
    keys = [key for key, _ in before]
    gone = keys[::2]
    for key in gone:
        deployed.s3.delete_object(Bucket=BUCKET, Key=key)
    ended = deployed.wait(deployed.start({"crawl": "published", "mistrust": "20%"}))
    assert ended["error"] == "RunIncomplete"
    assert in_sql(deployed) == before
    run_id = re.findall(r"runs/(.+?)/manifest\.json", ended["cause"])[0]
    summary = deployed.run({"publish": run_id})
    assert (summary["outcome"], summary["published"]["gone"]) == ("succeeded", len(gone))
    assert_published(deployed)

    for key in gone:
        deployed.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    later = deployed.run(CRAWL)
    compared = deployed.run({"changes": [published["run_id"], later["run_id"]]})
    assert (compared["new"], compared["gone"], compared["changed"]) == (0, 0, len(gone)), "they were put again"
    where, _, prefix = compared["changes"].removeprefix("s3://").partition("/")
    assert deployed.s3.list_objects_v2(Bucket=where, Prefix=prefix)["KeyCount"] == 1


@pytest.fixture
def queue(deployed: Deployed) -> Iterator[tuple[str, str]]:
    """The URL and the ARN of a queue."""
    sqs = deployed.emulator.client("sqs")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    yield url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.delete_queue(QueueUrl=url)


def received(deployed: Deployed, url: str) -> list[dict[str, Any]]:
    """The bodies of all messages in a queue."""
    sqs = deployed.emulator.client("sqs")
    found: list[dict[str, Any]] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
        for message in messages:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_the_example_tells_a_topic_of_gone_items(
    deployed: Deployed, all_published: None, queue: tuple[str, str]
) -> None:
    cloudformation = deployed.emulator.client("cloudformation")
    cloudformation.create_stack(
        StackName="gone",
        TemplateBody=(PROJECT / "examples" / "gone_items_to_sns.yaml").read_text(encoding="utf-8"),
        Parameters=[{"ParameterKey": "Crawl", "ParameterValue": "published"}],
    )
    waiter = {"Delay": 1, "MaxAttempts": 60}
    cloudformation.get_waiter("stack_create_complete").wait(StackName="gone", WaiterConfig=waiter)
    (stack,) = cloudformation.describe_stacks(StackName="gone")["Stacks"]
    (topic,) = [output["OutputValue"] for output in stack["Outputs"]]
    url, arn = queue
    deployed.emulator.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    expected = change_one_of_each(deployed)
    summary = deployed.run(CRAWL)
    (told,) = [json.loads(message["Message"]) for message in received(deployed, url)]
    assert told == {
        "message": "1 items of published are gone",
        "run": summary["run_id"],
        "keys": [key for key, kind in expected.items() if kind == "gone"],
        "changes": summary["published"]["changes"],
    }
    deployed.run(CRAWL)
    assert received(deployed, url) == [], "nothing is gone"
    cloudformation.delete_stack(StackName="gone")


def test_every_run_sends_its_events(deployed: Deployed, all_published: None, queue: tuple[str, str]) -> None:
    url, arn = queue
    events = deployed.emulator.client("events")
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["pageturner"]}))
    events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])
    expected = change_one_of_each(deployed)
    summary = deployed.run(CRAWL)
    found = {event["detail-type"]: event["detail"] for event in received(deployed, url)}
    assert set(found) == {"Run finished", "Items changed"}
    finished, changed = found["Run finished"], found["Items changed"]
    assert (finished["run_id"], finished["verdict"], finished["published"]) == (summary["run_id"], "complete", True)
    assert finished["message"] == summary["message"]
    assert {key: kind for kind in ("new", "changed", "gone") for key in changed[f"{kind}_keys"]} == expected
    deployed.run(CRAWL)
    assert [event["detail-type"] for event in received(deployed, url)] == ["Run finished"]
    events.remove_targets(Rule="all", Ids=["queue"])
    events.delete_rule(Name="all")


# More than `most_rows`, in two parts.
LARGE = 1_250


def test_a_listing_too_large_for_one_function_is_published_in_parts(deployed: Deployed) -> None:
    deployed.create_table("large", [f"{number:05}" for number in range(LARGE)])
    killed = [deployed.proxy.add(_killing_a_part(deployed, matches)) for matches in _PARTS.values()]
    execution = deployed.start({"crawl": "large"})
    ended = deployed.wait(execution)
    assert ended["status"] == "SUCCEEDED", ended
    assert [fault.answered for fault in killed] == [1] * len(killed)
    maps = deployed.stepfunctions.list_map_runs(executionArn=execution)["mapRuns"]
    assert len(maps) == 4, "the targets; and the parts that scatter, merge, and tell"
    summary = json.loads(ended["output"])
    assert (summary["items"], summary["published"]["new"]) == (LARGE, LARGE)
    expected = [f"{number:05}" for number in range(LARGE)]
    assert _large_in_sql(deployed) == deployed.keys_in_dynamodb(summary) == expected

    for number in range(0, LARGE, 250):
        deployed.dynamodb.delete_item(TableName="large", Key={"id": {"S": f"{number:05}"}})
        item = {"id": {"S": f"{number + 1:05}"}, "changed": {"BOOL": True}}
        deployed.dynamodb.put_item(TableName="large", Item=item)
    again = deployed.run({"crawl": "large"})
    assert {kind: again["published"][kind] for kind in ("new", "changed", "gone")} == {
        "new": 0,
        "changed": 5,
        "gone": 5,
    }
    left = sorted(set(expected) - {f"{number:05}" for number in range(0, LARGE, 250)})
    assert _large_in_sql(deployed) == deployed.keys_in_dynamodb(again) == left
    compared = deployed.run({"changes": [summary["run_id"], again["run_id"]]})
    assert (compared["new"], compared["changed"], compared["gone"]) == (0, 5, 5)


def _large_in_sql(deployed: Deployed) -> list[str | None]:
    return [row["key"] for row in deployed.query("SELECT key FROM large ORDER BY key")]


_PARTS: dict[str, Callable[[Request], bool]] = {
    "scatter": lambda request: (
        request.method == "PUT" and "/publishing/large/" in request.path and ".parquet" in request.path
    ),
    "merge": puts("/tables/large/"),
    "tell": lambda request: request.target.endswith(".TransactWriteItems") and b"large#" in request.body,
}


def _killing_a_part(deployed: Deployed, matches: Callable[[Request], bool]) -> Fault:
    def kill(_: Request) -> Answer | None:
        assert deployed.emulator.kill_functions("PublishPart") > 0
        raise Dropped

    return Fault(matches, 1, before=kill)
