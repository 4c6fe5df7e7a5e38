"""Where a listing ends, and where it only looks so: what answers say besides their token decides the verdict."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pageturner import clients, errors
from pageturner.page_state import FROM_CHECKPOINT
from pageturner.turn import page_end
from tests.conftest import Aws, Machines
from tests.runs_of_a_bucket import entry, target_of

Answer = Callable[..., Mapping[str, Any]]


@pytest.fixture
def serve(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, Answer], None]:
    """Let a function answer an operation."""

    def replace(service: str, operation: str, answer: Answer) -> None:
        monkeypatch.setattr(clients.client(service, "us-east-1"), operation, answer)

    return replace


def run(aws: Aws, machines: Machines, **crawl: Any) -> dict[str, Any]:
    """Run a crawl as the state machines do. Errors that end a target are recorded in its place."""
    machines.catalogue = {"c": crawl}
    planned = machines.plan({"crawl": "c"})
    for target in aws.json(planned["targets"]["key"]):
        # The place of the last page has the error too.
        with contextlib.suppress(*page_end.ERRORS.values()):
            machines.turn_all(planned, target)
    return machines.finish(planned)


ROLES: dict[str, Any] = {"service": "iam", "operation": "list_roles"}


def roles(*names: str, **more: Any) -> dict[str, Any]:
    found = [
        {"RoleName": name, "Arn": f"arn:aws:iam::1:role/{name}", "RoleId": name, "Path": "/", "CreateDate": "2026"}
        for name in names
    ]
    return {"Roles": found, **more}


def test_tokens_in_a_circle_are_noticed_soon_and_the_pages_are_kept(
    aws: Aws, machines: Machines, serve: Callable[[str, str, Answer], None]
) -> None:
    """Each target has a circle of another length, with other pages before it."""
    ways = {f"/{before}/{length}/": (before, length) for before in (0, 1, 4, 9) for length in (1, 2, 3, 5, 8, 13)}
    requests = Counter[str]()

    def list_roles(PathPrefix: str, Marker: str = "0", **_: Any) -> Any:
        requests[PathPrefix] += 1
        number, (before, length) = int(Marker), ways[PathPrefix]
        after = number + 1 if number + 1 < before + length else before
        return roles(f"role-{number}", IsTruncated=True, Marker=str(after))

    serve("iam", "list_roles", list_roles)
    summary = run(aws, machines, **ROLES, for_each={"list": [{"PathPrefix": way} for way in ways]})
    assert summary["verdict"] == "incomplete"
    entries = aws.json(f"runs/{summary['run_id']}/manifest.json")["targets"]
    assert {each["parameters"]["PathPrefix"] for each in entries} == ways.keys()
    found = {(line["target"], line["key"]) for key in aws.object_keys("items/") for line in aws.lines(key)}
    for each in entries:
        assert (each["verdict"], each["error"]) == ("failed", "RepeatedTokenError")
        way = each["parameters"]["PathPrefix"]
        before, length = ways[way]
        assert {f"role-{number}" for number in range(before + length)} == {
            key.rpartition("/")[2] for target, key in found if target == each["target_id"]
        }
        # Brent's algorithm: at most three times the way into the circle and once around it.
        assert requests[way] <= 3 * (before + length) + 1


def test_a_token_may_come_again_with_other_items(
    aws: Aws, machines: Machines, serve: Callable[[str, str, Answer], None]
) -> None:
    """The service keeps the place of two cursors that take turns, and answers each with what comes next."""
    left = [f"role-{number}" for number in range(20)]

    def list_roles(Marker: str = "a", **_: Any) -> Any:
        page = roles(left.pop(0), IsTruncated=bool(left))
        return {**page, "Marker": "b" if Marker == "a" else "a"} if left else page

    serve("iam", "list_roles", list_roles)
    summary = run(aws, machines, **ROLES)
    assert (summary["verdict"], summary["items"]) == ("complete", 20)


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "page"),
    [
        ("iam", "list_roles", {}, roles("a", IsTruncated=True)),
        ("s3", "list_objects", {"Bucket": "b"}, {"Contents": [], "IsTruncated": True}),
        ("s3", "list_object_versions", {"Bucket": "b"}, {"Versions": [{"Key": "a"}], "IsTruncated": True}),
        (
            "kinesis",
            "describe_stream",
            {"StreamName": "s"},
            {"StreamDescription": {"Shards": [], "HasMoreShards": True}},
        ),
        ("cloudfront", "list_distributions", {}, {"DistributionList": {"Items": [{"Id": "a"}], "IsTruncated": True}}),
        ("kms", "list_aliases", {}, {"Aliases": [{"AliasName": "a"}], "Truncated": True}),
        (
            "resource-explorer-2",
            "search",
            {"QueryString": "*"},
            {"Resources": [{"Arn": "a"}], "Count": {"TotalResources": 1000, "Complete": False}},
        ),
    ],
)
def test_an_answer_that_says_it_is_not_the_last_but_has_no_token_is_never_complete(
    service: str,
    operation: str,
    parameters: dict[str, Any],
    page: Mapping[str, Any],
    aws: Aws,
    machines: Machines,
    serve: Callable[[str, str, Answer], None],
) -> None:
    serve(service, operation, lambda **_: page)
    summary = run(aws, machines, service=service, operation=operation, parameters=parameters)
    assert (entry(aws, summary)["verdict"], entry(aws, summary)["error"]) == ("failed", "TruncatedListingError")
    assert summary["outcome"] == "failed"
    assert "resume_token" not in entry(aws, summary)


GROUP: dict[str, Any] = {
    "service": "resource-groups",
    "operation": "list_group_resources",
    "parameters": {"Group": "g"},
    "result_key": "Resources",
}


def group_pages(NextToken: str = "1", **_: Any) -> Any:
    error = {"ErrorCode": "CLOUDFORMATION_STACK_INACTIVE", "Message": f"stack {NextToken}"}
    page = {"Resources": [{"Identifier": {"ResourceArn": NextToken}}], "QueryErrors": [error]}
    return {**page, "NextToken": str(int(NextToken) + 1)} if NextToken != "3" else page


def test_errors_beside_the_items_are_kept_from_every_page_and_the_target_is_not_complete(
    aws: Aws, machines: Machines, serve: Callable[[str, str, Answer], None]
) -> None:
    serve("resource-groups", "list_group_resources", group_pages)
    summary = run(aws, machines, **GROUP)
    found = entry(aws, summary)
    assert (found["verdict"], found["error"], found["page_errors"]) == ("failed", "PageErrorsError", 3)
    assert [(error["page"], error["member"], error["error"]["Message"]) for error in found["errors_in_pages"]] == [
        (1, "QueryErrors", "stack 1"),
        (2, "QueryErrors", "stack 2"),
        (3, "QueryErrors", "stack 3"),
    ]
    assert (summary["page_errors"], summary["items"], summary["outcome"]) == (3, 3, "failed")


def test_a_crawl_says_which_errors_beside_the_items_it_accepts(
    aws: Aws, machines: Machines, serve: Callable[[str, str, Answer], None]
) -> None:
    serve("resource-groups", "list_group_resources", group_pages)
    summary = run(aws, machines, **GROUP, ignore_errors=["CLOUDFORMATION_STACK_INACTIVE"])
    assert (summary["verdict"], summary["page_errors"], summary["ignored_errors"]) == ("complete", 0, 3)


QUERY: dict[str, Any] = {
    "service": "logs",
    "operation": "get_query_results",
    "parameters": {"queryId": "q"},
    "input_token": "nextToken",
    "output_token": "nextToken",
    "result_key": "results",
}


def test_a_listing_that_is_still_being_made_is_waited_for(
    aws: Aws, machines: Machines, serve: Callable[[str, str, Answer], None]
) -> None:
    statuses = ["Scheduled", "Running", "Complete"]

    def get_query_results(**_: Any) -> Any:
        return {"results": [[{"field": "a", "value": "b"}]], "status": statuses.pop(0)}

    serve("logs", "get_query_results", get_query_results)
    machines.catalogue = {"c": QUERY}
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    for status in ("Scheduled", "Running"):
        with pytest.raises(errors.StillRunningError, match=f"status: {status}"):
            machines.fetch(planned, target, FROM_CHECKPOINT)
    assert machines.fetch(planned, target, FROM_CHECKPOINT)["verdict"] == "complete"


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Timeout"])
def test_what_a_failed_query_had_found_until_then_is_not_complete(
    status: str, aws: Aws, machines: Machines, serve: Callable[[str, str, Answer], None]
) -> None:
    serve("logs", "get_query_results", lambda **_: {"results": [[{"field": "a", "value": "b"}]], "status": status})
    summary = run(aws, machines, **QUERY)
    assert entry(aws, summary)["error"] == "PageErrorsError"
    assert entry(aws, summary)["errors_in_pages"] == [{"page": 1, "member": "status", "error": status}]


def test_an_answer_with_nothing_in_it_ends_no_listing(
    aws: Aws, machines: Machines, serve: Callable[[str, str, Answer], None]
) -> None:
    serve("iam", "list_roles", lambda **sent: {} if "Marker" in sent else roles("a", IsTruncated=True, Marker="m"))
    machines.catalogue = {"c": ROLES}
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    place = machines.fetch(planned, target, FROM_CHECKPOINT)
    with pytest.raises(errors.TransientError, match="nothing of what the operation returns"):
        machines.fetch(planned, target, place)


def test_where_the_model_allows_it_an_empty_answer_is_believed_when_it_comes_again(
    aws: Aws, machines: Machines, serve: Callable[[str, str, Answer], None]
) -> None:
    """SQS leaves out QueueUrls where there are none."""
    serve("sqs", "list_queues", lambda **sent: {} if "NextToken" in sent else {"QueueUrls": ["a"], "NextToken": "n"})
    machines.catalogue = {"c": {"service": "sqs", "operation": "list_queues"}}
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    place = machines.fetch(planned, target, FROM_CHECKPOINT)
    for retries in (0, 1):
        with pytest.raises(errors.TransientError):
            machines.fetch(planned, target, place, retries)
    assert machines.fetch(planned, target, place, 2)["verdict"] == "complete"


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "page"),
    [
        ("iam", "list_roles", {"Marker": "m"}, roles("a")),
        ("dynamodb", "list_tables", {"ExclusiveStartTableName": "table-1"}, {"TableNames": ["table-2"]}),
        ("s3", "list_objects_v2", {"Bucket": "b", "StartAfter": "key-009"}, {"Contents": [{"Key": "key-010"}]}),
        ("kinesis", "list_streams", {"ExclusiveStartStreamName": "s"}, {"StreamNames": ["t"], "HasMoreStreams": False}),
    ],
)
def test_a_listing_that_begins_inside_is_limited(
    service: str,
    operation: str,
    parameters: dict[str, Any],
    page: Mapping[str, Any],
    aws: Aws,
    machines: Machines,
    serve: Callable[[str, str, Answer], None],
) -> None:
    serve(service, operation, lambda **_: page)
    crawl = {"service": service, "operation": operation, "allow_empty": True}
    bucket = {"Bucket": "b"} if "Bucket" in parameters else {}
    assert run(aws, machines, **crawl, parameters=bucket)["verdict"] == "complete"
    machines.started_at = "2127-01-01T00:00:00.000Z"
    summary = run(aws, machines, **crawl, parameters=parameters)
    assert (summary["verdict"], entry(aws, summary)["verdict"]) == ("limited", "limited")


def test_parameters_that_the_service_refuses_with_a_token_are_left_out_of_later_pages(
    aws: Aws, machines: Machines, serve: Callable[[str, str, Answer], None]
) -> None:
    requests: list[dict[str, Any]] = []

    def list_shards(**sent: Any) -> Any:
        requests.append(sent)
        shards = [{"ShardId": f"shard-{len(requests)}"}]
        return {"Shards": shards, "NextToken": "n"} if len(requests) == 1 else {"Shards": shards}

    serve("kinesis", "list_shards", list_shards)
    summary = run(aws, machines, service="kinesis", operation="list_shards", parameters={"StreamName": "s"})
    assert (summary["verdict"], summary["items"]) == ("complete", 2)
    assert ["StreamName" in sent for sent in requests] == [True, False]


def test_a_resume_token_that_ends_with_a_page_loses_no_secondary_items(aws: Aws, machines: Machines) -> None:
    """boto3 leaves out the common prefixes of the page that a StartingToken fetches, and nobody else has them."""
    aws.s3.create_bucket(Bucket="source")
    for key in ("a", "b", "c", "d/1", "e", "f/1"):
        aws.s3.put_object(Bucket="source", Key=key, Body=b"x")
    crawl: dict[str, Any] = {
        "service": "s3",
        "operation": "list_objects_v2",
        "parameters": {"Bucket": "source", "Delimiter": "/"},
    }
    first = run(aws, machines, **crawl, pagination_config={"PageSize": 2, "MaxItems": 2})
    token = entry(aws, first)["resume_token"]
    machines.started_at = "2127-01-01T00:00:00.000Z"
    second = run(aws, machines, **crawl, pagination_config={"PageSize": 2, "StartingToken": token})
    lines = [
        (line["result_key"], line["key"])
        for summary in (first, second)
        for file in aws.json(f"runs/{summary['run_id']}/manifest.json")["files"]
        for line in aws.lines(file["key"])
    ]
    assert {key.partition("#")[0] for _, key in lines} == {"a", "b", "c", "d/", "e", "f/"}


def test_a_long_resume_token_can_be_copied_from_the_manifest_into_the_next_run(
    aws: Aws, machines: Machines, serve: Callable[[str, str, Answer], None]
) -> None:
    long = "m" * 5000

    def list_roles(Marker: str | None = None, **_: Any) -> Any:
        return roles("c", "d") if Marker == long else roles("a", "b", IsTruncated=True, Marker=long)

    serve("iam", "list_roles", list_roles)
    first = run(aws, machines, **ROLES, pagination_config={"MaxItems": 2})
    token = entry(aws, first)["resume_token"]
    machines.started_at = "2127-01-01T00:00:00.000Z"
    second = run(aws, machines, **ROLES, pagination_config={"StartingToken": token})
    files = aws.json(f"runs/{second['run_id']}/manifest.json")["files"]
    listed = [line["key"].rpartition("/")[2] for file in files for line in aws.lines(file["key"])]
    assert [first["items"], listed] == [2, ["c", "d"]]


def test_a_reference_to_a_token_is_no_token(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": {**ROLES, "pagination_config": {"StartingToken": "s3:tokens/r/abc"}}}
    with pytest.raises(errors.InvalidCrawlError, match="the token itself is the resume_token in the run's manifest"):
        machines.plan({"crawl": "c"})
