"""Who else counted what a run listed: in the manifest, in the summary and in the sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from pageturner import clients
from pageturner.errors import InvalidRequestError
from tests.conftest import ACCOUNT, REGION, Aws, Machines
from tests.published import publish_as_it_is, run_and_publish
from tests.runs_of_a_bucket import CRAWL, KEYS, entry, run_again, target_of

TABLE = {"service": "dynamodb", "operation": "scan", "parameters": {"TableName": "listed"}}
USERS = {"service": "iam", "operation": "list_users"}


def cloudwatch_counts(number: int, bucket: str = "source") -> None:
    """Have CloudWatch report the objects of a bucket, as it does once a day."""
    at = datetime.now(UTC) - timedelta(hours=20)
    dimensions = [
        {"Name": "BucketName", "Value": bucket},
        {"Name": "StorageType", "Value": "AllStorageTypes"},
    ]
    data: Any = {"MetricName": "NumberOfObjects", "Dimensions": dimensions, "Timestamp": at, "Value": number}
    boto3.client("cloudwatch").put_metric_data(Namespace="AWS/S3", MetricData=[data])


def asked(monkeypatch: pytest.MonkeyPatch, service: str, operation: str, answer: Any = None) -> list[Mapping[str, Any]]:
    """Record the questions to a witness; `answer` replaces its own."""
    client = clients.client_that_asks_once(service, REGION, ACCOUNT)
    whole = getattr(client, operation)
    questions: list[Mapping[str, Any]] = []

    def ask(**question: Any) -> Any:
        questions.append(question)
        if isinstance(answer, Exception):
            raise answer
        return whole(**question) if answer is None else answer

    monkeypatch.setattr(client, operation, ask)
    return questions


@pytest.fixture
def table(aws: Aws, machines: Machines) -> None:
    keys: Any = {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
    }
    aws.dynamodb.create_table(TableName="listed", BillingMode="PAY_PER_REQUEST", **keys)
    for number in range(12):
        aws.dynamodb.put_item(TableName="listed", Item={"id": {"N": str(number)}})
    machines.catalogue = {"c": TABLE}


@pytest.mark.usefixtures("source")
def test_cloudwatch_counted_the_objects_of_a_bucket(aws: Aws, machines: Machines) -> None:
    cloudwatch_counts(35)
    summary = machines.run(aws, {"crawl": "c"})
    witness = entry(aws, summary)["witness"]
    assert {name: witness[name] for name in ("who", "count", "listed", "agrees")} == {
        "who": "CloudWatch",
        "count": 35,
        "listed": 35,
        "agrees": True,
    }
    assert "noncurrent versions" in witness["more"]
    # The age is that of the data point.
    assert 0 < witness["age"] <= 48
    age = datetime.now(UTC) - datetime.fromisoformat(witness["at"])
    assert witness["age"] == pytest.approx(age.total_seconds() / 3600, abs=0.2)
    assert summary["witnesses"] == {"agreed": 1, "disagreed": 0, "none": 0}
    said = f"complete: 35 items on 4 pages of 1 target; CloudWatch counted 35 on {witness['at'][:10]}"
    assert summary["message"] == said


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(("counted", "agrees"), [(32, True), (38, True), (31, False), (40, False)])
def test_a_count_that_lags_may_differ_by_a_tenth(counted: int, agrees: bool, aws: Aws, machines: Machines) -> None:
    cloudwatch_counts(counted)
    summary = machines.run(aws, {"crawl": "c"})
    assert entry(aws, summary)["witness"]["agrees"] is agrees
    assert (summary["outcome"], summary["verdict"]) == ("succeeded", "complete")
    assert (f"but CloudWatch counted {counted}" in summary["message"]) is not agrees
    assert summary["message"].endswith(" (with noncurrent versions, delete markers and parts of incomplete uploads)")


@pytest.mark.usefixtures("table")
def test_dynamodb_itself_counts_a_table(aws: Aws, machines: Machines) -> None:
    summary = machines.run(aws, {"crawl": "c"})
    assert entry(aws, summary)["witness"] == {
        "who": "DynamoDB",
        "count": 12,
        "listed": 12,
        "age": 6,
        "at": None,
        "agrees": True,
    }
    assert summary["message"].endswith("of 1 target; DynamoDB counted 12, up to 6 hours ago")


@pytest.mark.usefixtures("table")
def test_a_lagging_witness_that_counted_nothing_yet_says_nothing(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(monkeypatch, "dynamodb", "describe_table", {"Table": {"ItemCount": 0}})
    summary = machines.run(aws, {"crawl": "c"})
    witness = entry(aws, summary)["witness"]
    assert (witness["count"], witness["agrees"]) == (None, None)
    assert witness["why"] == "DynamoDB was asked: it has not counted yet"
    assert summary["witnesses"] == {"agreed": 0, "disagreed": 0, "none": 1}


def test_iam_counts_its_users_and_its_local_policies_exactly(aws: Aws, machines: Machines) -> None:
    iam = boto3.client("iam")
    for number in range(5):
        iam.create_user(UserName=f"user-{number}")
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    iam.create_policy(PolicyName="own", PolicyDocument=policy)
    local = {"service": "iam", "operation": "list_policies", "parameters": {"Scope": "Local"}}
    machines.catalogue = {"users": USERS, "policies": local}
    users = entry(aws, machines.run(aws, {"crawl": "users"}))["witness"]
    assert (users["who"], users["count"], users["agrees"], users["age"]) == ("IAM", 5, True, 0)
    policies = entry(aws, machines.run(aws, {"crawl": "policies"}, "execution-2"))["witness"]
    assert (policies["count"], policies["agrees"]) == (1, True)


@pytest.mark.parametrize(("pending", "agrees"), [(1, True), (2, False)])
def test_a_count_that_is_only_about_right_may_differ_by_a_tenth(
    pending: int, agrees: bool, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [f"arn:aws:ecs:us-east-1:123456789012:task/c/{number}" for number in range(10)]
    monkeypatch.setattr(clients.client("ecs", REGION), "list_tasks", lambda **_: {"taskArns": tasks})
    counts = {"runningTasksCount": 10, "pendingTasksCount": pending}
    asked(monkeypatch, "ecs", "describe_clusters", {"clusters": [counts]})
    machines.catalogue = {"c": {"service": "ecs", "operation": "list_tasks"}}
    witness = entry(aws, machines.run(aws, {"crawl": "c"}))["witness"]
    assert (witness["count"], witness["agrees"]) == (10 + pending, agrees)


def test_an_exact_count_that_is_not_equal_disagrees_and_the_run_succeeds(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        boto3.client("iam").create_user(UserName=f"user-{number}")
    asked(monkeypatch, "iam", "get_account_summary", {"SummaryMap": {"Users": 21}})
    machines.catalogue = {"c": USERS}
    summary = machines.run(aws, {"crawl": "c"})
    assert summary["witnesses"] == {"agreed": 0, "disagreed": 1, "none": 0}
    assert "; but IAM counted 21 on 20" in summary["message"]
    assert summary["outcome"] == "succeeded"


def test_a_listing_that_nobody_counts_has_none_and_then_the_last_complete_run(aws: Aws, machines: Machines) -> None:
    logs = boto3.client("events")
    machines.catalogue = {"c": {"service": "events", "operation": "list_event_buses"}}
    summary = run_and_publish(aws, machines)
    assert entry(aws, summary)["witness"] is None
    assert summary["message"] == "complete: 1 item on 1 page of 1 target; published 1 new, 0 changed, 0 gone"
    assert summary["witnesses"] == {"agreed": 0, "disagreed": 0, "none": 1}
    logs.create_event_bus(Name="another")
    machines.started_at = "2126-02-04T04:05:06.789Z"
    again = machines.run(aws, {"crawl": "c"}, "execution-2")
    assert entry(aws, again)["witness"] == {
        "who": "the last complete run",
        "count": 1,
        "listed": 2,
        "age": 24,
        "at": "2126-02-03T04:05:06.789Z",
        "agrees": True,  # it may have grown
    }
    assert again["message"].endswith("; the last complete run listed 1 on 2126-02-03")


@pytest.mark.usefixtures("source")
def test_without_a_witness_a_listing_that_shrank_disagrees_with_the_last_complete_run(
    aws: Aws, machines: Machines
) -> None:
    run_and_publish(aws, machines)
    for key in KEYS[:4]:
        aws.s3.delete_object(Bucket="source", Key=key)
    summary = run_again(aws, machines)
    witness = entry(aws, summary)["witness"]
    assert (witness["who"], witness["count"], witness["listed"]) == ("the last complete run", 35, 31)
    assert witness["agrees"] is False
    assert witness["why"] == "CloudWatch was asked: it has no count"
    assert "; but the last complete run listed 35" in summary["message"]


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetMetricData"), "(AccessDenied)"),
        (ClientError({"Error": {"Code": "Throttling", "Message": "slow"}}, "GetMetricData"), "(Throttling)"),
        (
            ConnectTimeoutError(endpoint_url="https://monitoring/a-token"),
            'timeout on endpoint URL: "https://monitoring"',
        ),
        (ValueError("garbled"), "ValueError"),
        (InvalidRequestError("the response has 50,000,000 bytes"), "50,000,000 bytes"),
    ],
)
def test_a_witness_that_cannot_be_asked_fails_nothing_and_the_manifest_says_why(
    error: Exception, why: str, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = asked(monkeypatch, "cloudwatch", "get_metric_data", error)
    summary = machines.run(aws, {"crawl": "c"})
    assert (summary["outcome"], summary["verdict"]) == ("succeeded", "complete")
    assert why in entry(aws, summary)["witness"]["why"]
    assert len(questions) == 1


@pytest.mark.usefixtures("source")
def test_a_witness_is_asked_once_whoever_turns_the_last_page_again(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudwatch_counts(35)
    questions = asked(monkeypatch, "cloudwatch", "get_metric_data")
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    places = machines.turn_all(planned, target)
    machines.fetch(planned, target, places[-2])
    machines.fetch(planned, target, places[-1])
    assert entry(aws, machines.finish(planned))["witness"]["count"] == 35
    assert len(questions) == 1


@pytest.mark.usefixtures("source")
def test_a_function_that_is_killed_while_it_asks_is_not_asked_again(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    client = clients.client_that_asks_once("cloudwatch", REGION, ACCOUNT)

    def dies(**_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(client, "get_metric_data", dies)
        with pytest.raises(KeyboardInterrupt):
            machines.turn_all(planned, target)
    questions = asked(monkeypatch, "cloudwatch", "get_metric_data")
    machines.turn_all(planned, target)
    witness = entry(aws, machines.finish(planned))["witness"]
    assert witness["why"] == "CloudWatch was asked: FetchPage ended before it had the answer"
    assert not questions


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    "restricted",
    [
        {"parameters": {"Bucket": "source", "Prefix": "key-0"}},
        {"search": "Contents[?Size > `0`]"},
        {"result_key": "Contents"},
    ],
)
def test_nobody_is_asked_about_a_part_of_what_they_count(
    restricted: dict[str, Any], aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = asked(monkeypatch, "cloudwatch", "get_metric_data")
    machines.catalogue = {"c": {**CRAWL, **restricted}}
    assert entry(aws, machines.run(aws, {"crawl": "c"}))["witness"] is None
    assert not questions


@pytest.mark.usefixtures("source")
def test_a_limited_listing_has_no_witness(aws: Aws, machines: Machines) -> None:
    cloudwatch_counts(35)
    summary = machines.run(aws, {"crawl": "c", "pagination_config": {"MaxItems": 12}})
    assert (summary["verdict"], entry(aws, summary)["witness"]) == ("limited", None)


@pytest.mark.usefixtures("source")
def test_a_split_listing_is_counted_as_a_whole_and_asked_about_once(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudwatch_counts(35)
    questions = asked(monkeypatch, "cloudwatch", "get_metric_data")
    summary = machines.run(aws, {"crawl": "c", "split": 3})
    first, *others = aws.json(f"runs/{summary['run_id']}/manifest.json")["targets"]
    assert len(others) == 2
    assert (first["witness"]["count"], first["witness"]["listed"], first["witness"]["agrees"]) == (35, 35, True)
    assert [other["witness"] for other in others] == [None, None]
    assert len(questions) == 1
    assert summary["witnesses"] == {"agreed": 1, "disagreed": 0, "none": 0}


@pytest.mark.usefixtures("source")
def test_an_answer_with_fewer_items_than_it_says_is_its_own_witness(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudwatch_counts(34)
    client = clients.client("s3", "us-east-1")
    whole = client.list_objects_v2

    def one_lost(**arguments: Any) -> Any:
        answer = whole(**arguments)
        return {**answer, "Contents": [each for each in answer["Contents"] if each["Key"] != KEYS[7]]}

    monkeypatch.setattr(client, "list_objects_v2", one_lost)
    summary = machines.run(aws, {"crawl": "c"})
    witness = entry(aws, summary)["witness"]
    assert (witness["who"], witness["count"], witness["listed"]) == ("s3 (KeyCount)", 35, 34)
    assert witness["agrees"] is False
    assert "; but s3 (KeyCount) counted 35" in summary["message"]


def test_the_total_in_the_answers_is_a_witness(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    machines.catalogue = {
        "c": {"service": "connectcases", "operation": "search_cases", "parameters": {"domainId": "d"}}
    }
    answer = {"cases": [{"caseId": "1", "templateId": "t", "fields": []}], "totalCount": 2}
    client = clients.client("connectcases", REGION)
    monkeypatch.setattr(client, "search_cases", lambda **_: answer)
    witness = entry(aws, machines.run(aws, {"crawl": "c"}))["witness"]
    assert (witness["who"], witness["count"], witness["listed"], witness["agrees"]) == (
        "connectcases (totalCount)",
        2,
        1,
        False,
    )


@pytest.mark.usefixtures("source")
def test_the_sentence_of_many_targets_counts_them_and_names_the_first_that_disagrees(
    aws: Aws, machines: Machines
) -> None:
    cloudwatch_counts(35)
    aws.s3.create_bucket(Bucket="other")
    aws.s3.create_bucket(Bucket="third")
    for number in range(3):
        aws.s3.put_object(Bucket="third", Key=str(number))
    cloudwatch_counts(9, "third")
    buckets = [{"Bucket": name} for name in ("source", "other", "third")]
    crawl = {name: value for name, value in CRAWL.items() if name != "parameters"}
    machines.catalogue = {"c": {**crawl, "for_each": {"list": buckets}}}
    summary = machines.run(aws, {"crawl": "c"})
    assert summary["witnesses"] == {"agreed": 1, "disagreed": 1, "none": 1}
    assert (
        "; 1 of 3 targets agrees with a witness, and 1 does not: 123456789012 us-east-1 "
        '{"Bucket": "third"}: 3 items, but CloudWatch counted 9 on '
    ) in summary["message"]


def test_a_witness_has_one_short_attempt(aws: Aws) -> None:
    config = clients.client_that_asks_once("cloudwatch", REGION, ACCOUNT).meta.config
    assert config.retries["total_max_attempts"] == 1
    assert config.connect_timeout + config.read_timeout <= 7
    # The clients that fetch pages wait longer.
    assert clients.client("cloudwatch", REGION, ACCOUNT).meta.config.read_timeout == 25


@pytest.mark.usefixtures("source")
def test_an_older_run_that_ends_later_is_not_the_last_complete_one(aws: Aws, machines: Machines) -> None:
    older = machines.plan({"crawl": "c", "overlap": "allow"})
    target = target_of(aws, older)
    machines.turn_all(older, target)
    aws.s3.delete_object(Bucket="source", Key=KEYS[7])
    publish_as_it_is(run_again(aws, machines, overlap="allow")["run_id"])
    publish_as_it_is(machines.finish(older)["run_id"])
    machines.started_at = "2127-02-01T00:00:00.000Z"
    summary = machines.run(aws, {"crawl": "c"}, "execution-3")
    assert summary["message"].endswith("; the last complete run listed 34 on 2127-01-01")


@pytest.mark.usefixtures("source")
def test_a_limited_run_is_not_the_last_complete_one(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    publish_as_it_is(run_again(aws, machines, pagination_config={"PageSize": 10, "MaxItems": 12})["run_id"])
    machines.started_at = "2127-02-01T00:00:00.000Z"
    summary = machines.run(aws, {"crawl": "c", "pagination_config": {"MaxItems": None}}, "execution-3")
    assert summary["message"].endswith("; the last complete run listed 35 on 2126-02-03")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        ({"TotalResources": 3, "Complete": True}, "Resource Explorer counted 3, up to 36 hours ago"),
        ({"TotalResources": 1000, "Complete": False}, ""),
        (None, ""),
    ],
)
def test_resource_explorer_counts_queues_where_it_is_on(
    count: Any, said: str, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        boto3.client("sqs").create_queue(QueueName=f"queue-{number}")
    off = ClientError({"Error": {"Code": "UnauthorizedException", "Message": "no index"}}, "Search")
    questions = asked(monkeypatch, "resource-explorer-2", "search", {"Count": count} if count else off)
    machines.catalogue = {"c": {"service": "sqs", "operation": "list_queues"}}
    summary = machines.run(aws, {"crawl": "c"})
    # The default view can be of the whole organization.
    asked_for = "resourcetype:sqs:queue region:us-east-1 accountid:123456789012"
    assert [question["QueryString"] for question in questions] == [asked_for]
    assert summary["message"].partition("; ")[2] == said
    assert (entry(aws, summary)["witness"]["count"] is None) is not bool(said)
