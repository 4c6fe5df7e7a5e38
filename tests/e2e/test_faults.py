"""Faults during a crawl, on the deployed stack.

After each, the listing is complete, or the verdict says what is missing and `resume` completes it.
`docs/reliability.md` has the table of faults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from infra.settings import MOST_HAND_OVERS
from local.fault_proxy import Answer, Dropped, Fault, Request, answering, json_error, s3_error
from pageturner.stores.keys import failed_in
from tests.e2e.conftest import (
    FEW_PAGES,
    OBJECTS,
    PAGE_SIZE,
    Deployed,
    crawl_of_parameters,
    listed_by_boto3,
    lists_parameters,
    lists_source,
    slow_pages,
)

ALWAYS = 100_000
WHOLE_PAGE_SIZE = 20


def commits(request: Request) -> bool:
    return request.method == "PUT" and "/items/crawl" in request.path


def moves_checkpoint(request: Request) -> bool:
    return request.target.endswith(".PutItem") and b'"page#' in request.body


def reads_checkpoint(request: Request) -> bool:
    return request.target.endswith(".Query") and b'"page#' in request.body


def lists_with_token(request: Request) -> bool:
    return lists_source(request) and "continuation-token" in request.path


def dropped(_: Request) -> Answer | None:
    raise Dropped


def dropped_after(_: Request, __: bytes) -> Answer | None:
    raise Dropped


def killing(deployed: Deployed, matches: Callable[[Request], bool], spared: int, *, after: bool) -> Fault:
    """Return a fault that kills FetchPage during a matching request, before or after it takes effect."""

    def kill() -> Answer | None:
        assert deployed.emulator.kill_functions("FetchPage") > 0
        raise Dropped

    if after:
        return Fault(matches, 1, spared, after=lambda _, __: kill())
    return Fault(matches, 1, spared, before=lambda _: kill())


THROTTLES = (
    "SlowDown",
    "RequestLimitExceeded",
    "ThrottledClientException",
    "TooManyRequests",
    "CallRateLimitExceededException",
)

Faults = Callable[[Deployed], list[Fault]]
# What happens in one run: each fault begins at a page behind that of the one before it, so that none hides another.
WHOLE: dict[str, Faults] = {
    # More than PageLoop retries. The target is slow after it, so there are few pages left.
    "a storm of throttles": lambda _: [answering(lists_source, s3_error(400, code), 3, 12) for code in THROTTLES],
    "an API that fails, and loses connections and answers": lambda _: [
        answering(lists_source, s3_error(500, "InternalError"), 7, 2),
        Fault(lists_source, 5, 5, before=dropped),
        Fault(lists_source, 5, 8, after=dropped_after),
    ],
    "killed everywhere, again and again": lambda d: [
        killing(d, lists_source, 2, after=False),
        killing(d, commits, 4, after=False),
        killing(d, commits, 6, after=True),
        killing(d, moves_checkpoint, 8, after=False),
        killing(d, moves_checkpoint, 10, after=True),
        *(killing(d, commits, 12, after=n % 2 == 0) for n in range(3)),
    ],
    "S3 refuses pages, says that another one writes them, and loses answers": lambda _: [
        answering(commits, s3_error(503, "ServiceUnavailable"), 9, 2),
        answering(commits, s3_error(409, "ConditionalRequestConflict"), 5, 5),
        Fault(commits, 3, 8, after=dropped_after),
    ],
    "S3 refuses pages for longer than PageLoop tries": lambda _: [
        answering(commits, s3_error(503, "ServiceUnavailable"), 24)
    ],
    "DynamoDB refuses to read and to write checkpoints": lambda _: [
        answering(reads_checkpoint, json_error("InternalServerError", 500), 5),
        answering(moves_checkpoint, json_error("InternalServerError", 500), 7, 2),
    ],
    "tokens that expire twice": lambda _: [
        answering(lists_with_token, s3_error(400, "InvalidArgument"), 1, 5),
        answering(lists_with_token, s3_error(400, "InvalidArgument"), 1, 9),
    ],
    "tokens that never last, where the order is known": lambda _: [
        answering(lists_with_token, s3_error(400, "InvalidArgument"), OBJECTS // WHOLE_PAGE_SIZE - 1)
    ],
}


@pytest.mark.parametrize("name", WHOLE)
def test_the_listing_is_whole_in_spite_of(name: str, deployed: Deployed, source: list[str]) -> None:
    faults = [deployed.proxy.add(fault) for fault in WHOLE[name](deployed)]
    summary = deployed.run({"crawl": "objects", "pagination_config": {"PageSize": WHOLE_PAGE_SIZE}})
    assert [fault.answered for fault in faults] == [fault.times for fault in faults], "each was met"
    assert summary["targets"] == {"complete": 1}
    assert deployed.keys_in_s3(summary) == source
    assert deployed.keys_in_dynamodb(summary) == sorted(source)


def resumed_whole(deployed: Deployed, run_id: str, source: list[str]) -> dict[str, Any]:
    """Clear the faults and resume the run, which completes it; resuming it again does nothing."""
    deployed.proxy.clear()
    summary = deployed.run({"resume": run_id, "deadline_hours": 1})
    assert (summary["run_id"], summary["targets"]) == (run_id, {"complete": 1})
    assert deployed.keys_in_s3(summary) == source
    assert deployed.keys_in_dynamodb(summary) == sorted(source)
    assert "nothing is left to resume" in deployed.run({"resume": run_id})["message"]
    return summary


def failed(deployed: Deployed, execution_input: Any) -> tuple[str, str]:
    """Run a crawl that must fail; return the cause, and the run ID that it names."""
    ended = deployed.wait(deployed.start(execution_input))
    assert (ended["status"], ended["error"]) == ("FAILED", "RunIncomplete"), ended
    cause = str(ended["cause"])
    named = re.search(r"All targets are in runs/(.+?)/manifest\.json\.", cause)
    assert named is not None, cause
    return cause, named[1]


INCOMPLETE: dict[str, tuple[Callable[[], Fault], str]] = {
    "access denied in the middle": (
        lambda: answering(lists_source, s3_error(403, "AccessDenied"), ALWAYS, 4),
        "(1 denied)",
    ),
    "the bucket is gone in the middle": (
        lambda: answering(lists_source, s3_error(404, "NoSuchBucket"), ALWAYS, 4),
        "(1 failed)",
    ),
    "tokens that never last": (
        lambda: answering(lists_with_token, s3_error(400, "InvalidArgument"), ALWAYS, 3),
        "TooManyRestartsError",
    ),
    "pages that are never taken": (
        lambda: answering(commits, s3_error(503, "ServiceUnavailable"), ALWAYS, 3),
        "SinkError: could not write s3://",
    ),
    "pages that the deployment denies itself": (
        lambda: answering(commits, s3_error(403, "AccessDenied"), ALWAYS, 3),
        "DeploymentDeniedError: could not write s3://",
    ),
    "a deadline that passes": (
        lambda: answering(lists_source, s3_error(503, "SlowDown"), ALWAYS, 4),
        "DeadlinePassedError",
    ),
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_the_verdict_says_what_is_missing_and_resume_makes_it_whole(
    name: str, deployed: Deployed, source: list[str]
) -> None:
    fault, said = INCOMPLETE[name]
    deployed.proxy.add(fault())
    asked: dict[str, Any] = FEW_PAGES
    if name == "a deadline that passes":
        # Some seconds. The resumed run has an hour.
        asked = {**FEW_PAGES, "deadline_hours": 0.001}
    if name == "tokens that never last":
        # With a delimiter, the order is not known, and the listing cannot go on behind a key.
        asked = {"service": "s3", "operation": "list_objects_v2", "key": "Key"}
        asked |= {"parameters": {"Bucket": "source", "Delimiter": "|"}, "pagination_config": {"PageSize": 30}}
    cause, run_id = failed(deployed, asked)
    assert cause.startswith("1 of 1 target not complete")
    assert said in cause
    resumed_whole(deployed, run_id, source)


def test_a_redriven_execution_resumes_its_run(deployed: Deployed, source: list[str]) -> None:
    """The emulator has no RedriveExecution. On AWS, a redrive reruns FailRun, which failed, in the same execution."""
    deployed.proxy.add(answering(lists_source, s3_error(403, "AccessDenied"), ALWAYS, 4))
    cause, run_id = failed(deployed, FEW_PAGES)
    deployed.proxy.clear()
    crawl = deployed.stepfunctions.describe_state_machine(stateMachineArn=deployed.outputs["CrawlMachineArn"])
    machine = deployed.stepfunctions.create_state_machine(
        name="redriven",
        definition=json.dumps({**json.loads(crawl["definition"]), "StartAt": "FailRun"}),
        roleArn=crawl["roleArn"],
    )["stateMachineArn"]
    execution = machine.replace(":stateMachine:", ":execution:") + ":same"
    deployed.dynamodb.update_item(
        TableName=deployed.outputs["RunsTable"],
        Key={"pk": {"S": f"run#{run_id}"}, "sk": {"S": "run"}},
        UpdateExpression=f"SET {failed_in(execution)} = :earlier",
        ExpressionAttributeValues={":earlier": {"N": "-1"}},
    )
    state = json.dumps({"run_id": run_id, "generation": 1, "message": cause, "outcome": "failed"})
    started = deployed.stepfunctions.start_execution(stateMachineArn=machine, name="same", input=state)
    assert started["executionArn"] == execution
    ended = deployed.wait(execution)
    assert ended["status"] == "SUCCEEDED", ended
    summary = json.loads(ended["output"])
    assert (summary["run_id"], summary["targets"]) == (run_id, {"complete": 1})
    assert deployed.keys_in_s3(summary) == source
    assert deployed.keys_in_dynamodb(summary) == sorted(source)


def test_the_same_token_twice_fails_the_target_and_keeps_its_page(deployed: Deployed, source: list[str]) -> None:
    def same_token(request: Request, content: bytes) -> Answer:
        sent = parse_qs(urlsplit(request.path).query)["continuation-token"][0]
        before, _, rest = content.partition(b"<NextContinuationToken>")
        _, _, behind = rest.partition(b"</NextContinuationToken>")
        token = f"<NextContinuationToken>{sent}</NextContinuationToken>".encode()
        return Answer(200, before + token + behind)

    deployed.proxy.add(Fault(lists_with_token, ALWAYS, 3, after=same_token))
    cause, run_id = failed(deployed, {"crawl": "objects"})
    assert "RepeatedTokenError" in cause
    (target,) = deployed.manifest({"run_id": run_id})["targets"]
    assert (target["verdict"], target["items"]) == ("failed", 5 * PAGE_SIZE)


def test_tokens_in_a_circle_fail_the_target_after_a_few_pages(deployed: Deployed, source: list[str]) -> None:
    sent: list[str] = []

    def back_to_the_second(request: Request, content: bytes) -> Answer:
        sent.append(parse_qs(urlsplit(request.path).query)["continuation-token"][0])
        before, _, rest = content.partition(b"<NextContinuationToken>")
        _, _, behind = rest.partition(b"</NextContinuationToken>")
        token = f"<NextContinuationToken>{sent[0]}</NextContinuationToken>".encode()
        return Answer(200, before + token + behind) if len(sent) % 4 == 0 else Answer(200, content)

    deployed.proxy.add(Fault(lists_with_token, ALWAYS, 0, after=back_to_the_second))
    cause, run_id = failed(deployed, {"crawl": "objects"})
    assert "RepeatedTokenError: page " in cause
    assert "the tokens go round in a circle" in cause
    (target,) = deployed.manifest({"run_id": run_id})["targets"]
    assert (target["verdict"], target["error"]) == ("failed", "RepeatedTokenError")
    # One page, and then four that come again: noticed at the second time around.
    assert target["pages"] <= 3 * 5


def test_one_denied_region_of_five_leaves_the_other_four_complete(deployed: Deployed) -> None:
    regions = ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1"]
    names = [f"/denied/{number}" for number in range(5)]
    for region in regions:
        deployed.put_parameters(region, names)
    fault = answering(lists_parameters("us-west-1"), json_error("AccessDeniedException"), ALWAYS)
    deployed.proxy.add(fault)
    asked = crawl_of_parameters("/denied", regions)
    cause, run_id = failed(deployed, asked)
    assert cause.startswith("1 of 5 targets not complete (4 complete, 1 denied)")
    assert "us-west-1" in cause
    deployed.proxy.clear()
    summary = deployed.run({"resume": run_id})
    assert summary["targets"] == {"complete": 5}
    assert deployed.keys_in_s3(summary) == [name for _ in regions for name in names]
    deployed.proxy.add(fault)
    assert deployed.run({**asked, "tolerate": ["denied"]})["targets"] == {"complete": 4, "denied": 1}


@pytest.fixture
def changed_source(deployed: Deployed, source: list[str]) -> Iterator[None]:
    """Let a test change the listing, and restore it afterwards."""
    yield
    for key in set(listed_by_boto3(deployed)) - set(source):
        deployed.s3.delete_object(Bucket="source", Key=key)
    for key in set(source) - set(listed_by_boto3(deployed)):
        deployed.s3.put_object(Bucket="source", Key=key, Body=b"x")


@pytest.mark.usefixtures("changed_source")
def test_a_page_delivered_twice_while_the_listing_changes_is_one_of_its_answers(
    deployed: Deployed, source: list[str]
) -> None:
    """FetchPage commits the fourth page and is killed; the listing changes before the page is fetched again."""
    page = source[3 * PAGE_SIZE : 4 * PAGE_SIZE]

    def changed_and_killed(_: Request, __: bytes) -> Answer | None:
        deployed.s3.delete_object(Bucket="source", Key=page[3])
        deployed.s3.put_object(Bucket="source", Key=f"{page[5]}-new", Body=b"x")
        deployed.emulator.kill_functions("FetchPage")
        raise Dropped

    deployed.proxy.add(Fault(commits, 1, 3, after=changed_and_killed))
    summary = deployed.run({"crawl": "objects"})
    # The page as it was committed: with the key deleted since then, and without the key added since then.
    assert deployed.keys_in_s3(summary) == source
    assert deployed.keys_in_dynamodb(summary) == sorted(source)


@pytest.mark.usefixtures("changed_source")
def test_what_is_gone_is_removed_by_the_next_complete_run_only(deployed: Deployed, source: list[str]) -> None:
    first = deployed.run(FEW_PAGES)
    deployed.s3.delete_object(Bucket="source", Key=source[-1])
    deployed.proxy.add(answering(lists_source, s3_error(403, "AccessDenied"), ALWAYS, 4))
    failed(deployed, FEW_PAGES)
    assert deployed.keys_in_dynamodb(first) == sorted(source)
    deployed.proxy.clear()
    summary = deployed.run(FEW_PAGES)
    assert deployed.keys_in_dynamodb(first) == sorted(source[:-1])
    assert summary["published"]["gone"] == 1


def in_the_middle(deployed: Deployed) -> str:
    """Start a run that goes on for some seconds, and return its execution once it has committed some pages."""
    deployed.proxy.add(slow_pages())
    execution = deployed.start({"crawl": "objects"})
    deployed.wait_for(lambda: sum(map(commits, deployed.proxy.requests)) > 5)
    return execution


def test_a_run_that_is_stopped_is_resumed_and_overlaps_are_refused(deployed: Deployed, source: list[str]) -> None:
    execution = in_the_middle(deployed)

    refused = deployed.wait(deployed.start({"crawl": "objects"}))
    said = json.loads(refused["output"])
    assert (refused["status"], said["outcome"], said["execution"]) == ("SUCCEEDED", "refused", execution)
    assert f"is still running, in {execution}" in said["message"]

    deployed.stepfunctions.stop_execution(executionArn=execution)
    run_id = deployed.run_of(execution)
    # Invocations that have begun continue for a while, as they would on AWS. Wait until they have ended.
    deployed.wait_for_children(execution)
    resumed_whole(deployed, run_id, source)


def test_a_run_right_after_a_stopped_one_is_alone_in_dynamodb(deployed: Deployed, source: list[str]) -> None:
    """Events come late or twice: the test gives its own to StopRun, and does not wait for that of Step Functions."""
    stopped = in_the_middle(deployed)
    deployed.stepfunctions.stop_execution(executionArn=stopped)
    deployed.stop_run(stopped)
    deployed.proxy.clear()
    planned = deployed.start({"crawl": "objects"})
    ended = deployed.wait(planned)
    assert ended["status"] == "SUCCEEDED", ended
    deployed.wait_for_children(stopped)
    summary = json.loads(ended["output"])
    assert deployed.keys_in_s3(summary) == source
    assert deployed.keys_in_dynamodb(summary) == sorted(source)


def test_a_page_loop_that_is_aborted_is_gone_on_with(deployed: Deployed, source: list[str]) -> None:
    execution = in_the_middle(deployed)
    # Between two loops there is none for a moment.
    deployed.wait_for(lambda: deployed.abort_page_loops() > 0)
    deployed.proxy.clear()
    ended = deployed.wait(execution)
    assert ended["status"] == "SUCCEEDED", ended
    summary = json.loads(ended["output"])
    assert deployed.keys_in_s3(summary) == source
    assert deployed.keys_in_dynamodb(summary) == sorted(source)


def with_most_hand_overs(deployed: Deployed, number: int) -> Deployed:
    """The same stack with a Crawl machine in which a target continues elsewhere after so many hand-overs."""
    crawl = deployed.stepfunctions.describe_state_machine(stateMachineArn=deployed.outputs["CrawlMachineArn"])
    definition, first = re.subn(
        rf"(GreaterThanEquals\"\s*:\s*){MOST_HAND_OVERS}\b", rf"\g<1>{number}", crawl["definition"]
    )
    definition, second = re.subn(
        rf"(GreaterThanEquals\"\s*:\s*){MOST_HAND_OVERS - 1}\b", rf"\g<1>{number - 1}", definition
    )
    assert (first, second) == (1, 1)
    machine = deployed.stepfunctions.create_state_machine(
        name="Short-Crawl", definition=definition, roleArn=crawl["roleArn"]
    )["stateMachineArn"]
    return Deployed(deployed.emulator, {**deployed.outputs, "CrawlMachineArn": machine}, deployed.proxy)


def test_a_run_too_long_for_one_execution_goes_on_in_a_new_one(deployed: Deployed, source: list[str]) -> None:
    """The limit is two hand-overs; by default it is 1,000, to stay below 25,000 history events per execution."""
    short = with_most_hand_overs(deployed, 2)
    deployed.proxy.add(slow_pages())
    asked = {"crawl": "objects"}
    first = short.wait(short.start(asked))
    assert first["status"] == "SUCCEEDED"
    continued = json.loads(first["input"])
    assert continued == asked
    run_id = short.run_of(first["executionArn"])
    short.wait_for(lambda: short.summary_of(run_id).get("outcome") == "succeeded" and not short.running())
    summary = short.summary_of(run_id)
    assert summary["items"] == OBJECTS
    assert short.keys_in_s3(summary) == source
    assert short.keys_in_dynamodb(summary) == sorted(source)
    executions = short.stepfunctions.list_executions(stateMachineArn=short.outputs["CrawlMachineArn"])["executions"]
    inputs = [
        json.loads(short.stepfunctions.describe_execution(executionArn=each["executionArn"])["input"])
        for each in executions
    ]
    assert inputs.count({"resume": run_id}) >= 1
