"""What a run that is not complete tells a person to do, for every verdict and every error."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

import fail_run
from pageturner.crawls.catalogue import Resume, parse_resume
from pageturner.crawls.checks import KEYS
from pageturner.crawls.crawl import Crawl
from pageturner.finish.advice import BY_ERROR, BY_VERDICT, advice
from pageturner.finish.summary import SUMMED, Tally, summary
from pageturner.page_state import CONTINUES, Run
from pageturner.verdicts import ENDED, PAGES_MISSING
from tests.our_errors import OUR_ERRORS

RUN = Run("objects-20260101T000000Z-12345678", "2026-01-01", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", 0)
CRAWL = Crawl("objects", "s3", "list_objects_v2", parameters={"Bucket": "b"})
# FetchPage answers these itself, or PlanRun refuses a run with them; no target has them.
NEVER_OF_A_TARGET = {"CannotPublishError", "OverlapError", "RunWouldFailError", "TokenInvalidError"}


def entry(verdict: str, error: str = "", cause: str = "", **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"target_id": "id", "account": "111111111111", "region": "eu-west-1", "verdict": verdict}
    at = "2026-01-01T00:00:00.000Z"
    found |= {"parameters": {"Bucket": "b"}, "last_throttle": "", "first_page_at": at, "last_page_at": at}
    found |= {**dict.fromkeys((*SUMMED, "write_units"), 0), **more}
    return {**found, "error": error, "cause": cause} if error else found


def said_of(*entries: dict[str, Any], crawl: Crawl = CRAWL) -> str:
    tally = Tally(crawl, "us-east-1")
    for each in entries:
        tally.add(each)
    return str(summary(RUN, tally, datetime(2026, 1, 1, 1, tzinfo=UTC))["message"])


def by_service(code: str, said: str = "Said", operation: str = "ListObjectsV2") -> str:
    return f"An error occurred ({code}) when calling the {operation} operation: {said}"


RESUMES, STARTS_ANEW = True, False
CASES: list[tuple[str, str, str, dict[str, Any], bool, str]] = [
    ("denied", "AccessDeniedError", by_service("AccessDenied"), {}, RESUMES, "Allow s3:ListBucket: deploy"),
    ("denied", "AccessDeniedError", by_service("AccessDenied", operation="AssumeRole"), {}, RESUMES,
     "Deploy the reader stack to the account"),
    ("denied", "AccessDeniedError", by_service("OptInRequired"), {}, RESUMES, "Enable the region and s3"),
    ("failed", "NotFoundError", by_service("NoSuchBucket"), {}, STARTS_ANEW,
     "check Bucket in the crawl, and the account and region; start a new run. If it may be missing, "
     "set ignore_errors: [NoSuchBucket]"),
    ("failed", "NotFoundError", by_service("NoSuchBucket"), {"pages": 2}, STARTS_ANEW, "It was deleted while the run"),
    ("failed", "NotFoundError", "gone", {"parameters": {}}, STARTS_ANEW, "Check that s3 is set up in this account"),
    ("failed", "InvalidRequestError", by_service("InvalidArgument"), {}, STARTS_ANEW, "Change the parameters"),
    ("failed", "InvalidRequestError", by_service("BadRequestException"), {"pages": 3}, RESUMES, "without the token"),
    ("failed", "TruncatedListingError", "page 3 says so", {"pages": 3}, RESUMES, "cuts the listing off"),
    ("failed", "PageErrorsError", "3 errors",
     {"errors_in_pages": [{"member": "Errors", "error": {"ErrorCode": "INACTIVE", "Name": "A_VALUE"}}]}, RESUMES,
     'add the codes to ignore_errors: ["INACTIVE"]'),
    ("failed", "MistrustedListingError", "the listing has 5 items, but the last complete run listed 9", {}, RESUMES,
     'Then resume the run: start a new execution with the input {"resume": "objects-20260101T000000Z-12345678", '
     '"mistrust": "off"}'),
    ("unfinished", "RunStoppedError", "stopped", {}, RESUMES, "The logs of FetchPage"),
    ("unfinished", "UnexpectedError", "KeyError at page_step.py:5, in turn", {}, RESUMES, "The logs of FetchPage"),
    ("unfinished", "StillRunningError", "status: Running", {}, RESUMES, "Wait until what list_objects_v2 lists"),
    ("failed", "InvalidCrawlError", 'key: "abs(Key)" cannot be evaluated: x', {}, STARTS_ANEW, "Change key so that"),
    ("failed", "InvalidCrawlError", 'search: "abs(Key)" cannot be evaluated: x', {}, STARTS_ANEW, "Change search so"),
    ("failed", "RepeatedTokenError", "page 3 returned the same token", {}, RESUMES, "report it to AWS"),
    ("failed", "TooManyRestartsError", "after 3 restarts", {}, RESUMES, "with a larger PageSize or split"),
    ("unfinished", "DeadlinePassedError", "it was", {}, RESUMES, "Give it more time."),
    ("unfinished", "DeadlinePassedError", "it was", {"throttles": 14}, RESUMES, "more time and a slower pace"),
    ("unfinished", "SinkError", "could not write s3://b/k: AccessDenied", {}, RESUMES, "Check the permissions"),
    ("unfinished", "DeploymentDeniedError", "could not write s3://b/k: the deployment's own role is denied it", {},
     RESUMES, "Deploy the stack again, which restores its own permissions; or change what denies it"),
    ("unfinished", "ThrottledError", "x", {}, RESUMES, "Wait until s3 answers again"),
    ("unfinished", "TransientError", "x", {}, RESUMES, "Wait until s3 answers again"),
    ("unfinished", "Interrupted", "PageLoop was interrupted 5 times in a row", {}, RESUMES, "The logs of FetchPage"),
    ("unfinished", "Runtime.OutOfMemory", "Runtime exited with error: signal: killed", {}, RESUMES, "smaller PageSize"),
    ("unfinished", "Sandbox.Timedout", "RequestId: 1 Error: Task timed out", {}, RESUMES, "smaller PageSize"),
    ("unfinished", "", "", {}, RESUMES, "its execution was stopped or has failed"),
    ("unfinished", PAGES_MISSING, "the records of 1 page are missing", {}, RESUMES, "Resuming lists this target anew"),
    ("endless", "", "", {}, STARTS_ANEW,
     "more than max_pages (10,000,000) pages. If the listing does end, raise max_pages"),
    ("absent", "NoEndpointError", "no name", {}, STARTS_ANEW, "s3 is not in the region: leave it out"),
]  # fmt: skip


@pytest.mark.parametrize(("verdict", "error", "cause", "more", "resumes", "said"), CASES)
def test_advice_says_what_to_change_and_to_resume_only_where_that_helps(
    verdict: str, error: str, cause: str, more: dict[str, Any], resumes: bool, said: str
) -> None:
    message = said_of(entry(verdict, error, cause, **more))
    assert message.startswith(f"1 of 1 target not complete (1 {verdict}). 1 {verdict}: 111111111111 eu-west-1")
    assert said in message
    assert f"{error}: {cause}" in message or not error
    found = re.search(r'\{"resume".*?\}', message)
    if not resumes:
        assert found is None
        assert message.endswith("Resuming the run as it is does not help")
        return
    assert found is not None
    asked = parse_resume(json.loads(found[0]))
    assert asked is not None
    assert asked.run_id == RUN.run_id


def test_a_detail_that_is_refused_is_named_with_its_action_and_its_ignore_errors() -> None:
    policy = {"operation": "get_bucket_policy", "parameters": {"Bucket": "item.Name"}, "as": "Policy"}
    crawl = Crawl("buckets", "s3", "list_buckets", detail=policy)
    said = "detail Policy: s3 get_bucket_policy with {}: "
    denied = entry("denied", "AccessDeniedError", said + by_service("AccessDenied", operation="GetBucketPolicy"))
    message = said_of(denied, crawl=crawl)
    assert "Allow s3:GetBucketPolicy: deploy" in message
    assert "Or add AccessDenied to the ignore_errors of the detail" in message
    absent = entry("failed", "NotFoundError", said + by_service("NoSuchBucketPolicy", operation="GetBucketPolicy"))
    assert "may be missing, add NoSuchBucketPolicy to the ignore_errors of the detail" in said_of(absent, crawl=crawl)


def test_an_operation_of_several_is_named_and_can_be_left_out() -> None:
    several = Crawl("all", operations="inventory")
    denied = entry("denied", "AccessDeniedError", by_service("AccessDenied", operation="ListTopics"), parameters={})
    said = said_of({**denied, "service": "sns", "operation": "list_topics"}, crawl=several)
    assert "111111111111 eu-west-1 sns list_topics: AccessDeniedError" in said
    assert "Allow sns:ListTopics: set read_policies to a policy that has it" in said
    assert "except: [sns:list_topics]. Or set tolerate: [denied]" in said


def test_no_error_and_no_verdict_is_without_a_rule() -> None:
    assert BY_ERROR.keys() >= OUR_ERRORS - NEVER_OF_A_TARGET, (
        "errors.py has an error that finish/advice.py does not know"
    )
    assert BY_ERROR.keys() - OUR_ERRORS == {CONTINUES, "Interrupted", PAGES_MISSING}
    assert {error for _, error, *_ in CASES} >= BY_ERROR.keys() - {CONTINUES}
    verdicts = set(KEYS["tolerate"]["items"]["enum"])
    explained_by_their_error = {"absent", "denied", "failed", "unfinished"}
    assert verdicts - {*ENDED} - explained_by_their_error <= BY_VERDICT.keys()
    assert {verdict for verdict, *_ in CASES} >= verdicts - {*ENDED}


def test_what_continues_by_itself_asks_for_nothing() -> None:
    message = said_of(entry("unfinished", CONTINUES, "the target continues"))
    assert "There is nothing to do." in message
    assert message.endswith("The run continues by itself, in another execution")
    assert '{"resume"' not in message


def test_a_late_target_says_how_it_was_throttled_and_gets_more_time_and_a_slower_pace() -> None:
    last = by_service("ThrottlingException", "Rate exceeded", "ListRoles")
    cause = "the run's deadline was then; it is now later"
    late = entry("unfinished", "DeadlinePassedError", cause, throttles=14, last_throttle=last)
    message = said_of(late)
    assert f"DeadlinePassedError: {cause}; throttled 14 times, last: Rate exceeded. Give it" in message
    assert (
        '{"resume": "objects-20260101T000000Z-12345678", "deadline_hours": 48, "max_pages_per_second": 1.0}' in message
    )
    # What is advised is always in the bounds of the schema.
    for hours, pace in ((8760, 0.05), (5000, 1000), (0.001, None)):
        crawl = replace(CRAWL, deadline_hours=hours, max_pages_per_second=pace)
        changes = advice(crawl, late).changes
        assert parse_resume({"resume": "x", **changes}) == Resume("x", changes)


def test_the_advice_fits_the_crawl() -> None:
    gone = entry("failed", "NotFoundError", by_service("NoSuchBucket"))
    from_items = replace(CRAWL, for_each={"crawl": "buckets", "parameters": {"Bucket": "item.Name"}})
    assert advice(from_items, gone).text.startswith("It is gone since buckets listed it: run buckets again")
    denied = entry("denied", "AccessDeniedError", by_service("AccessDenied"))
    from_console = replace(CRAWL, name="adhoc-s3-list_objects_v2")
    assert "add the crawl to the catalogue, or a policy to read_policies" in advice(from_console, denied).text
    expired = entry("failed", "InvalidRequestError", "the service rejected the StartingToken: x")
    assert advice(CRAWL, expired).text.startswith("Take another StartingToken")
    restarted = entry("failed", "TooManyRestartsError", "x")
    slow = Crawl("roles", "iam", "list_roles", max_pages_per_second=1)
    assert "with a larger PageSize or a higher max_pages_per_second" in advice(slow, restarted).text


def test_a_crawl_of_what_is_new_is_not_told_what_it_cannot_do() -> None:
    crawl = replace(CRAWL, since={"parameter": "StartTime"})
    for verdict, error, cause, more, *_ in CASES:
        text = advice(crawl, {**entry(verdict, error, cause, **more), "throttles": 0}).text
        assert not re.search(r"tolerate|ignore_errors|split", text)


def test_targets_are_named_by_what_they_list_and_grouped_by_why_they_are_short() -> None:
    def gone(number: int) -> dict[str, Any]:
        cause = by_service("NoSuchBucket", f"Bucket {number} does not exist.")
        return entry("failed", "NotFoundError", cause, parameters={"Bucket": f"b{number}"})

    denied = entry("denied", "AccessDeniedError", by_service("AccessDenied", "No"), part={"number": 2, "count": 9})
    message = said_of(gone(1), denied, *map(gone, range(2, 6)), entry("complete"))
    assert message == (
        "6 of 7 targets not complete (1 complete, 1 denied, 5 failed). "
        '5 failed: 111111111111 eu-west-1 {"Bucket": "b1"}; 111111111111 eu-west-1 {"Bucket": "b2"}; '
        '111111111111 eu-west-1 {"Bucket": "b3"}; and 2 more: NotFoundError: An error occurred (NoSuchBucket) when '
        "calling the ListObjectsV2 operation: Bucket 1 does not exist. Nothing there has this name: check Bucket in "
        "the crawl, and the account and region; start a new run. If it may be missing, set ignore_errors: "
        "[NoSuchBucket], in the crawl or when you resume. "
        '1 denied: 111111111111 eu-west-1 {"Bucket": "b"} part 2 of 9: AccessDeniedError: An error occurred '
        "(AccessDenied) when calling the ListObjectsV2 operation: No. Allow s3:ListBucket: deploy the catalogue as it "
        "is now; in another account, its reader stack; or change the resource's policy, its key's policy or the "
        "organization's, if one of them denies it; if the crawl has another operation since, start a new "
        "run. Or set tolerate: [denied], in the crawl or when you resume. The policy statement that allows it: "
        '{"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::b"]}. '
        "All targets are in runs/objects-20260101T000000Z-12345678/manifest.json. "
        "Then resume the run, which can complete 1 of them: redrive its execution, or start a new one with the input "
        '{"resume": "objects-20260101T000000Z-12345678"}'
    )


def test_targets_with_the_same_error_but_another_way_out_are_told_apart() -> None:
    first = entry("failed", "InvalidRequestError", by_service("BadRequestException"))
    message = said_of(first, {**first, "pages": 3}, first)
    assert "2 failed: " in message
    assert "1 failed: " in message
    assert "Then resume the run, which can complete 1 of them: " in message


def test_the_message_is_always_short_enough_for_step_functions() -> None:
    entries = [
        entry("failed", "InvalidRequestError", by_service(f"Code{number}", "long " * 10_000), throttles=9)
        | {"parameters": {"Long": "x" * 50_000}, "last_throttle": "long " * 60}
        for number in range(2000)
    ]
    message = said_of(*entries, *entries)
    assert "And 1,995 more reasons." in message
    assert len(message) < fail_run._LONGEST_CAUSE / 2
