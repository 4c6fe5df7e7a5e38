"""Details under faults: what is asked again, what a page is when two work at it, and what missing parts come to."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pageturner import clients
from pageturner.errors import (
    AccessDeniedError,
    InvalidRequestError,
    NotFoundError,
    PageErrorsError,
    ThrottledError,
    TransientError,
)
from pageturner.page_state import FROM_CHECKPOINT
from pageturner.paging import bodies
from pageturner.turn import detail_calls, details
from tests.conftest import Aws, Machines, shared_client
from tests.runs_of_a_bucket import entry, target_of

NAMES = [f"role-{number}" for number in range(6)]
WITH_POLICY = NAMES[::2]
POLICY = {
    "operation": "get_role_policy",
    "parameters": {"RoleName": "item.RoleName", "PolicyName": "'p'"},
    "as": "Policy",
    "result_key": "RoleName",
    "ignore_errors": ["NoSuchEntity"],
}
TAGS = {"operation": "list_role_tags", "parameters": {"RoleName": "item.RoleName"}, "as": "TagList"}
ROLES = {
    "service": "iam",
    "operation": "list_roles",
    "pagination_config": {"PageSize": 4},
    "detail": [POLICY, TAGS],
}
OF_DETAILS = ("GetRolePolicy", "ListRoleTags")
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
Fault = Callable[[str, Mapping[str, Any]], None]


class Killed(BaseException):
    """The function's process was killed, so nothing after this line runs."""


def answer(code: str, operation: str = "GetRolePolicy", status: int = 400) -> ClientError:
    said: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, operation)


def no_fault(operation: str, parameters: Mapping[str, Any]) -> None:
    """Let everything go well."""


class Requests:
    """Counts the functions' requests, and lets a fault happen at any of them. Those of details come from threads."""

    def __init__(self) -> None:
        self.made = Counter[str]()
        self.count = 0
        self.fault: Fault = no_fault
        self._lock = threading.RLock()
        for client in (clients.client("iam", "us-east-1"), clients.client("s3"), clients.client("dynamodb")):
            client.meta.events.register("provide-client-params.*.*", self._made)

    def _made(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        with self._lock:
            self.count += 1
            self.made[model.name] += 1
        self.fault(model.name, params)

    @property
    def of_details(self) -> int:
        return sum(self.made[name] for name in OF_DETAILS)


def create_role(name: str) -> None:
    tags = [{"Key": "name", "Value": name}]
    shared_client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=DOCUMENT, Tags=tags)


@pytest.fixture
def requests(aws: Aws, machines: Machines) -> Requests:
    for name in NAMES:
        create_role(name)
    for name in WITH_POLICY:
        shared_client("iam").put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=DOCUMENT)
    machines.catalogue = {"c": ROLES}
    return Requests()


@pytest.fixture
def _one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer is kept at once."""
    monkeypatch.setattr(details, "SIDE_BY_SIDE", 1)
    monkeypatch.setattr(details, "SIDE_BY_SIDE_THROTTLED", 1)
    monkeypatch.setattr(details, "KEEPS_EVERY", 0)


def items(aws: Aws) -> list[dict[str, Any]]:
    return [json.loads(line["item"]) for key in aws.object_keys("items/") for line in aws.lines(key)]


def roles(aws: Aws) -> list[dict[str, Any]]:
    """The items by name: moto lists roles in the order of their random ids."""
    return sorted(items(aws), key=itemgetter("RoleName"))


def check_items(aws: Aws, names: list[str] = NAMES) -> None:
    """Each item is listed once, with its own details."""
    found = roles(aws)
    assert [(item["RoleName"], item["Policy"]) for item in found] == [
        (name, name if name in WITH_POLICY else None) for name in names
    ]
    assert all(item["TagList"] == [{"Key": "name", "Value": item["RoleName"]}] for item in found if "TagList" in item)


def manifest(aws: Aws, summary: Mapping[str, Any]) -> dict[str, Any]:
    return dict(aws.json(f"runs/{summary['run_id']}/manifest.json"))


def turn_all(
    machines: Machines, planned: Mapping[str, Any], target: Mapping[str, Any], *caught: type[BaseException]
) -> int:
    """Turn all pages as PageLoop does, which repeats an invocation that fails. Return how many failed."""
    place: Mapping[str, Any] = FROM_CHECKPOINT
    failed = retries = 0
    while place.get("next") != "end":
        assert failed < 100
        try:
            place, retries = machines.fetch(planned, target, place, retries), 0
        except caught:
            failed, retries = failed + 1, retries + 1
    return failed


def test_undisturbed_nothing_is_kept(aws: Aws, machines: Machines, requests: Requests) -> None:
    planned = machines.plan({"crawl": "c"})
    turn_all(machines, planned, target_of(aws, planned))
    check_items(aws)
    assert requests.of_details == 2 * len(NAMES)
    assert aws.object_keys("detailing/") == []
    summary = machines.finish(planned)
    assert (summary["verdict"], entry(aws, summary)["missing_details"]) == ("complete", 3)


@pytest.fixture
def _one_detail(requests: Requests, machines: Machines) -> None:
    machines.catalogue = {"c": {**ROLES, "detail": POLICY}}


# The requests of both pages, with an object kept after each answer.
@pytest.mark.usefixtures("_one_at_a_time", "_one_detail")
@pytest.mark.parametrize("at", range(22))
def test_killed_at_any_request_nothing_is_lost_and_what_is_kept_is_not_asked_again(
    at: int, aws: Aws, machines: Machines, requests: Requests
) -> None:
    planned = machines.plan({"crawl": "c"})
    target, begun = target_of(aws, planned), requests.count
    killed = []

    def kill(operation: str, parameters: Mapping[str, Any]) -> None:
        if requests.count == begun + at + 1:
            killed.append(operation)
            raise Killed

    requests.fault = kill
    failed = turn_all(machines, planned, target, Killed)
    requests.fault = no_fault
    assert failed == len(killed) <= 1
    check_items(aws)
    assert requests.of_details <= len(NAMES) + failed
    assert requests.made["ListRoles"] <= 2 + failed
    summary = machines.finish(planned)
    assert (summary["verdict"], summary["items"], entry(aws, summary)["missing_details"]) == ("complete", 6, 3)


@pytest.mark.usefixtures("_one_at_a_time", "_one_detail")
def test_these_are_all_requests(aws: Aws, machines: Machines, requests: Requests) -> None:
    planned = machines.plan({"crawl": "c"})
    target, begun = target_of(aws, planned), requests.count
    turn_all(machines, planned, target)
    assert requests.count - begun == 22


@pytest.mark.parametrize("side_by_side", [1, 8])
@pytest.mark.parametrize(("code", "status", "error"), [("Throttling", 400, ThrottledError), ("X", 500, TransientError)])
def test_a_throttled_page_goes_on_where_it_was(
    code: str,
    status: int,
    error: type[Exception],
    side_by_side: int,
    aws: Aws,
    machines: Machines,
    requests: Requests,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every fourth request for a detail fails: what was answered is kept, and the page is not fetched again."""
    monkeypatch.setattr(details, "SIDE_BY_SIDE", side_by_side)
    faults = []

    def throttle(operation: str, parameters: Mapping[str, Any]) -> None:
        if operation in OF_DETAILS and requests.of_details % 4 == 0:
            faults.append(operation)
            raise answer(code, operation, status)

    requests.fault = throttle
    planned = machines.plan({"crawl": "c"})
    assert turn_all(machines, planned, target_of(aws, planned), error) >= 2
    check_items(aws)
    assert requests.of_details == 2 * len(NAMES) + len(faults)
    assert requests.made["ListRoles"] == 2
    summary = machines.finish(planned)
    assert summary["verdict"] == "complete"
    assert (summary["throttles"] >= 2) == (error is ThrottledError)


def spends(monkeypatch: pytest.MonkeyPatch, requests: Requests, seconds: float) -> None:
    """Let each detail take so long, as far as the functions know."""
    began: dict[int, int] = {}
    monkeypatch.setattr(
        details.Details,
        "_spent",
        lambda step: (requests.of_details - began.setdefault(id(step), requests.of_details)) * seconds,
    )


@pytest.mark.usefixtures("_one_at_a_time")
def test_a_page_that_does_not_fit_into_an_invocation_is_continued_in_the_next(
    aws: Aws, machines: Machines, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(details, "KEEPS_EVERY", 1000)
    spends(monkeypatch, requests, seconds=details.LAST_CALL / 3)
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    began = machines.fetch(planned, target, FROM_CHECKPOINT)
    assert (began["page"], began["next"], requests.of_details) == (1, "hand_over", 3)
    assert items(aws) == []
    # Also after a pause, the loop goes on as it has time.
    paused, now = {**began, "next": "pause", "not_before": began["turned_in"]}, datetime.now(UTC).isoformat()
    again = machines.fetch(planned, target, paused, loop_started_at=now)
    assert (again["page"], again["next"], requests.of_details) == (1, "page", 6)
    turn_all(machines, planned, target)
    check_items(aws)
    assert requests.of_details == 2 * len(NAMES)
    assert requests.made["ListRoles"] == 2


def test_a_page_that_came_too_late_is_kept_for_its_details(
    aws: Aws, machines: Machines, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    with monkeypatch.context() as patch:
        patch.setattr(details, "LAST_CALL", -1)
        assert machines.fetch(planned, target, FROM_CHECKPOINT)["page"] == 1
        # Whoever has the page already, and its time, is to answer.
        with pytest.raises(TransientError, match="no detail was answered within 50 s"):
            machines.fetch(planned, target, FROM_CHECKPOINT)
    turn_all(machines, planned, target)
    check_items(aws)
    assert requests.made["ListRoles"] == 2


def test_nobody_waits_for_a_detail_that_hangs(
    aws: Aws, machines: Machines, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = machines.plan({"crawl": "c"})
    target, release = target_of(aws, planned), threading.Event()

    def hang(operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == "ListRoleTags" and requests.made[operation] == 1:
            release.wait(60)

    requests.fault = hang
    with monkeypatch.context() as patch:
        patch.setattr(details, "LEAVES_AFTER", 1.0)
        assert machines.fetch(planned, target, FROM_CHECKPOINT)["page"] == 1
        assert requests.of_details == 8
    release.set()
    turn_all(machines, planned, target)
    check_items(aws)
    # Only that one is asked again.
    assert requests.of_details == 2 * len(NAMES) + 1


@pytest.mark.usefixtures("_one_at_a_time")
@pytest.mark.parametrize("first", ["whole", "kept", "both kept"])
def test_two_invocations_at_one_page_mix_nothing(
    first: str, aws: Aws, machines: Machines, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one that was given up asks for its first detail, a role appears, and another works at the same page."""
    machines.catalogue = {"c": {**ROLES, "pagination_config": {}}}
    monkeypatch.setattr(details, "KEEPS_EVERY", 1000)
    planned = machines.plan({"crawl": "c"})
    target, met = target_of(aws, planned), list[str]()

    def other(operation: str, parameters: Mapping[str, Any]) -> None:
        if operation not in OF_DETAILS:
            return
        if not met:
            met.append("other")
            create_role("role-00")
            if first == "whole":
                assert machines.fetch(planned, target, FROM_CHECKPOINT)["page"] == 2
            else:
                with pytest.raises(ThrottledError):
                    machines.fetch(planned, target, FROM_CHECKPOINT)
        elif requests.of_details in {"whole": (), "kept": (4,), "both kept": (4, 5)}[first]:
            raise answer("Throttling", operation)

    requests.fault = other
    if first == "both kept":
        with pytest.raises(ThrottledError):
            machines.fetch(planned, target, FROM_CHECKPOINT)
    else:
        assert machines.fetch(planned, target, FROM_CHECKPOINT)["page"] == 2
    turn_all(machines, planned, target)
    # The page is that of whoever committed first, or, if nobody did, of whoever kept it first.
    check_items(aws, NAMES if first == "kept" else sorted(["role-00", *NAMES]))


def test_a_denied_detail_denies_the_target_unless_the_detail_ignores_it(
    aws: Aws, machines: Machines, requests: Requests
) -> None:
    def deny(operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == "GetRolePolicy" and parameters["RoleName"] == NAMES[2]:
            raise answer("AccessDenied", operation, 403)

    requests.fault = deny
    planned = machines.plan({"crawl": "c"})
    said = (
        r"detail Policy: iam get_role_policy with PolicyName .*, RoleName \(a text of 6 characters\): "
        r".*AccessDenied.*; for null where that is so, "
    )
    with pytest.raises(AccessDeniedError, match=said + 'add "AccessDenied" to the ignore_errors of this detail'):
        turn_all(machines, planned, target_of(aws, planned))
    ignoring = {**POLICY, "ignore_errors": ["NoSuchEntity", "AccessDenied"]}
    machines.catalogue = {"c": {**ROLES, "detail": [ignoring, TAGS]}}
    summary = machines.run(aws, {"crawl": "c", "overlap": "allow"}, "execution-2")
    assert (summary["verdict"], entry(aws, summary)["missing_details"]) == ("complete", 4)
    found = [json.loads(line["item"]) for file in manifest(aws, summary)["files"] for line in aws.lines(file["key"])]
    assert {item["RoleName"] for item in found if item["Policy"]} == {"role-0", "role-4"}


def test_what_is_not_there_fails_the_target_unless_the_detail_ignores_it(
    aws: Aws, machines: Machines, requests: Requests
) -> None:
    machines.catalogue = {"c": {**ROLES, "detail": {**POLICY, "ignore_errors": []}}}
    planned = machines.plan({"crawl": "c"})
    with pytest.raises(NotFoundError, match='add "NoSuchEntity" to the ignore_errors of this detail'):
        machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)


def test_throttling_is_waited_for_also_if_the_detail_ignores_it(
    aws: Aws, machines: Machines, requests: Requests
) -> None:
    def throttle(operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == "GetRolePolicy":
            raise answer("Throttling", operation)

    requests.fault = throttle
    machines.catalogue = {"c": {**ROLES, "detail": {**POLICY, "ignore_errors": ["Throttling", "NoSuchEntity"]}}}
    planned = machines.plan({"crawl": "c"})
    with pytest.raises(ThrottledError):
        machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)


def test_an_item_that_says_nothing_to_ask_for_is_not_asked_about(
    aws: Aws, machines: Machines, requests: Requests
) -> None:
    some = {**POLICY, "parameters": {"PolicyName": "'p'", "RoleName": "[item.RoleName][?@ != 'role-0'] | [0]"}}
    machines.catalogue = {"c": {**ROLES, "detail": some}}
    summary = machines.run(aws, {"crawl": "c"})
    assert (summary["verdict"], requests.of_details) == ("complete", len(NAMES) - 1)
    assert roles(aws)[0]["Policy"] is None
    assert entry(aws, summary)["missing_details"] == 4


def test_items_that_are_too_large_with_their_details_say_what_helps(
    aws: Aws, machines: Machines, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(details, "LARGEST_TEXT", 900)
    planned = machines.plan({"crawl": "c"})
    with pytest.raises(InvalidRequestError, match="set a smaller PageSize in pagination_config"):
        machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    machines.catalogue = {"c": {**ROLES, "pagination_config": {"PageSize": 1}}}
    assert machines.run(aws, {"crawl": "c", "overlap": "allow"}, "execution-2")["verdict"] == "complete"
    check_items(aws)


@pytest.mark.usefixtures("_one_at_a_time")
def test_an_answer_that_does_not_fit_into_memory_names_its_detail(
    aws: Aws, machines: Machines, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests.fault = lambda operation, _: monkeypatch.setattr(
        bodies, "LARGEST_BODY", 10 if operation in OF_DETAILS else 1_000_000
    )
    planned = machines.plan({"crawl": "c"})
    with pytest.raises(
        InvalidRequestError, match=r"^detail \w+: the response to \w+ has [\d,]+ bytes, and 10 fit into"
    ):
        machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)


def test_a_detail_with_too_many_pages_is_a_listing_of_its_own(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = shared_client("logs")
    logs.create_log_group(logGroupName="g")
    for number in range(120):
        logs.create_log_stream(logGroupName="g", logStreamName=f"s-{number}")
    streams = {
        "operation": "describe_log_streams",
        "parameters": {"logGroupName": "item.logGroupName"},
        "as": "Streams",
    }
    machines.catalogue = {"c": {"service": "logs", "operation": "describe_log_groups", "detail": streams}}
    planned = machines.plan({"crawl": "c"})
    monkeypatch.setattr(detail_calls, "MOST_PAGES", 2)
    with pytest.raises(
        InvalidRequestError, match="has more than 2 pages; list that in a crawl of its own, with for_each"
    ):
        machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    monkeypatch.setattr(detail_calls, "MOST_PAGES", 3)
    turn_all(machines, planned, target_of(aws, planned))
    assert len(items(aws)[0]["Streams"]) == 120


# In batches.

TASKS = {"service": "ecs", "operation": "list_tasks", "parameters": {"cluster": "c"}}
ARNS = [f"arn:aws:ecs:us-east-1:1:task/{number:03}" for number in range(7)]
TASK = {
    "operation": "describe_tasks",
    "parameters": {"cluster": "parameters.cluster", "tasks": "item"},
    "as": "Task",
    "batch": "tasks",
    "ignore_errors": ["MISSING"],
}
Describe = Callable[[list[str]], dict[str, Any]]


@pytest.fixture
def described(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Crawls tasks that a function describes, and returns the target's entry in the manifest."""
    client = clients.client("ecs", "us-east-1")
    monkeypatch.setattr(client, "list_tasks", lambda **_: {"taskArns": ARNS})

    def run(describe: Describe, **detail: Any) -> dict[str, Any]:
        monkeypatch.setattr(client, "describe_tasks", lambda **sent: describe(sent["tasks"]))
        machines.catalogue = {"c": {**TASKS, "detail": {**TASK, **detail}}}
        planned = machines.plan({"crawl": "c"})
        turn_all(machines, planned, target_of(aws, planned))
        return entry(aws, machines.finish(planned))

    return run


def task(arn: str) -> dict[str, Any]:
    return {"taskArn": arn, "lastStatus": f"status of {arn}"}


def test_answers_are_put_back_by_key_whatever_their_order(aws: Aws, described: Callable[..., dict[str, Any]]) -> None:
    found = described(lambda tasks: {"tasks": [task(arn) for arn in reversed(tasks) if arn != ARNS[3]], "failures": []})
    assert (found["verdict"], found["missing_details"]) == ("complete", 1)
    assert items(aws) == [{"value": arn, "Task": None if arn == ARNS[3] else task(arn)} for arn in ARNS]


def test_a_failure_that_the_detail_ignores_is_null_and_another_is_an_error_of_the_page(
    aws: Aws, described: Callable[..., dict[str, Any]]
) -> None:
    def describe(tasks: list[str]) -> dict[str, Any]:
        return {"tasks": [task(arn) for arn in tasks[1:]], "failures": [{"arn": tasks[0], "reason": "MISSING"}]}

    found = described(describe)
    assert (found["verdict"], found["missing_details"], found["page_errors"]) == ("complete", 1, 0)
    assert items(aws)[0] == {"value": ARNS[0], "Task": None}


def test_another_failure_is_an_error_of_the_page(aws: Aws, described: Callable[..., dict[str, Any]]) -> None:
    failure = {"arn": ARNS[0], "reason": "ACCESS"}
    with pytest.raises(PageErrorsError):
        described(lambda tasks: {"tasks": [task(arn) for arn in tasks[1:]], "failures": [failure]})
    assert len(items(aws)) == len(ARNS)


def test_what_is_left_unprocessed_is_asked_for_again_and_then_waited_for(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, asked = clients.client("athena", "us-east-1"), []
    ids = [f"query-{number}" for number in range(9)]
    monkeypatch.setattr(client, "list_named_queries", lambda **_: {"NamedQueryIds": ids})

    def batch_get_named_query(NamedQueryIds: list[str]) -> dict[str, Any]:
        asked.append(NamedQueryIds)
        return {
            "NamedQueries": [{"NamedQueryId": NamedQueryIds[0], "Name": "n"}],
            "UnprocessedNamedQueryIds": [{"NamedQueryId": each} for each in NamedQueryIds[1:]],
        }

    monkeypatch.setattr(client, "batch_get_named_query", batch_get_named_query)
    detail = {"parameters": {"NamedQueryIds": "item"}, "batch": "NamedQueryIds", "as": "Query"}
    detail |= {"operation": "batch_get_named_query"}
    machines.catalogue = {"c": {"service": "athena", "operation": "list_named_queries", "detail": detail}}
    planned = machines.plan({"crawl": "c"})
    assert turn_all(machines, planned, target_of(aws, planned), ThrottledError) == 2
    assert [item["Query"]["NamedQueryId"] for item in items(aws)] == ids
    assert [len(each) for each in asked] == [9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_an_element_that_nobody_asked_for_shows_that_match_is_wrong(described: Callable[..., dict[str, Any]]) -> None:
    said = (
        r"an element whose lastStatus, a text of .* characters, is one which was not asked for; "
        r"correct match, or what is sent as"
    )
    with pytest.raises(InvalidRequestError, match=said):
        described(lambda tasks: {"tasks": [task(arn) for arn in tasks]}, match="lastStatus")


def test_two_elements_for_one_value_are_not_guessed_at(described: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(InvalidRequestError, match="which another element has, too"):
        described(lambda tasks: {"tasks": [task(tasks[0]), task(tasks[0])]})


def test_one_that_fails_the_whole_batch_is_found_by_halves(aws: Aws, described: Callable[..., dict[str, Any]]) -> None:
    calls = []

    def describe(tasks: list[str]) -> dict[str, Any]:
        calls.append(len(tasks))
        if ARNS[4] in tasks:
            raise answer("TaskNotFoundException", "DescribeTasks")
        return {"tasks": [task(arn) for arn in tasks]}

    found = described(describe, ignore_errors=["TaskNotFoundException"])
    assert (found["verdict"], found["missing_details"]) == ("complete", 1)
    assert [item["value"] for item in items(aws) if item["Task"] is None] == [ARNS[4]]
    assert calls == [7, 3, 4, 2, 1, 1, 2]


def test_a_batch_has_no_more_values_than_the_operation_takes(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, asked = clients.client("ecs", "us-east-1"), []
    arns = [f"arn:aws:ecs:us-east-1:1:service/{number:03}" for number in range(25)]
    monkeypatch.setattr(client, "list_services", lambda **_: {"serviceArns": [arns[0], *arns]})

    def describe_services(cluster: str, services: list[str]) -> dict[str, Any]:
        asked.append(services)
        return {"services": [{"serviceArn": arn} for arn in services]}

    monkeypatch.setattr(client, "describe_services", describe_services)
    detail = {"parameters": {"cluster": "'c'", "services": "item"}, "batch": "services", "as": "Service"}
    detail |= {"operation": "describe_services"}
    machines.catalogue = {"c": {"service": "ecs", "operation": "list_services", "detail": detail}}
    machines.run(aws, {"crawl": "c"})
    assert sorted(map(len, asked)) == [5, 10, 10]
    assert [item["Service"]["serviceArn"] for item in items(aws)] == [arns[0], *arns]
