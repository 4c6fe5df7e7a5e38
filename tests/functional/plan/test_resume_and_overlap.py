"""Runs that are resumed or redriven, and two runs of a crawl at once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

import fail_run
from pageturner import clients
from pageturner.crawls.catalogue import Resume, parse_resume
from pageturner.crawls.checks import KEYS as KEYS_OF_A_CRAWL
from pageturner.errors import (
    InvalidCrawlError,
    OverlapError,
    SinkError,
)
from pageturner.page_state import CONTINUES, FROM_CHECKPOINT, utc_text
from tests.conftest import Aws, Machines
from tests.published import publish_as_it_is
from tests.runs_of_a_bucket import CRAWL, KEYS, LATER, keys_by_manifest, target_of, verdict_of


@pytest.mark.usefixtures("source")
def test_a_run_is_resumed_from_its_checkpoints(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    first = machines.finish(planned)
    assert (first["outcome"], first["targets"]) == ("failed", {"unfinished": 1})
    assert first["message"].endswith(
        f'redrive its execution, or start a new one with the input {{"resume": "{first["run_id"]}"}}'
    )

    resumed = machines.run(aws, {"resume": first["run_id"]}, "execution-2")
    assert (resumed["run_id"], resumed["outcome"], resumed["pages"]) == (first["run_id"], "succeeded", 4)
    assert keys_by_manifest(aws, resumed) == KEYS
    assert len(aws.object_keys("items/")) == 4

    machines.publish(resumed, "execution-2")
    again = machines.run(aws, {"resume": first["run_id"]}, "execution-3")
    assert "has already succeeded, and nothing is left to resume" in again["message"]
    assert len(aws.object_keys("items/")) == 4


def failed(summary: Mapping[str, Any]) -> dict[str, str]:
    """What FailRun says of a run: the sentence, and then what would be the output of an execution that succeeds."""
    rest = {name: value for name, value in summary.items() if name != "message"}
    return {
        "error": "RunIncomplete",
        "cause": f"{summary['message']}\n\n{json.dumps({**rest, 'published': {}}, indent=2)}",
    }


@pytest.mark.usefixtures("source")
def test_a_failed_execution_that_is_redriven_resumes_its_run(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    summary = machines.finish(planned)
    assert machines.fail(summary) == failed(summary)

    # The execution is redriven long afterwards, and the run gets a new deadline.
    machines.entered_at = LATER
    resumes = json.loads(machines.fail(summary, redrives=1)["output"])
    assert resumes == {"resume": summary["run_id"]}
    resumed = machines.plan(resumes)
    assert resumed["run"]["deadline"] == "2127-01-02T00:00:00.000Z"
    # If the run fails again, the execution fails again too, instead of resuming forever.
    summary = machines.finish(resumed)
    assert machines.fail(summary, redrives=1) == failed(summary)

    whole = machines.run(aws, resumes, "execution-2")
    assert (whole["run_id"], whole["outcome"]) == (summary["run_id"], "succeeded")
    assert keys_by_manifest(aws, whole) == KEYS
    # Another execution has completed the run in the meantime.
    assert json.loads(machines.fail(summary, redrives=2)["output"]) == resumes
    machines.publish(whole, "execution-2")
    assert "nothing is left to resume" in machines.run(aws, resumes)["message"]


@pytest.mark.usefixtures("source")
def test_a_failure_that_is_told_twice_is_the_same_failure(aws: Aws, machines: Machines) -> None:
    """FailRun was killed after it had recorded the failure, or Step Functions did not get its answer."""
    planned = machines.plan({"crawl": "c"})
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    summary = machines.finish(planned)
    told = failed(summary)
    assert [machines.fail(summary) for _ in range(3)] == [told] * 3
    # A redrive that did not reach FailRun does not count as one that did.
    resumes = [json.loads(machines.fail(summary, redrives=2)["output"]) for _ in range(2)]
    assert resumes == [{"resume": summary["run_id"]}] * 2
    machines.entered_at = LATER
    summary = machines.finish(machines.plan(resumes[0]))
    told = failed(summary)
    assert [machines.fail(summary, redrives=2) for _ in range(2)] == [told] * 2
    assert "output" in machines.fail(summary, redrives=3)


@pytest.mark.usefixtures("source")
def test_each_execution_of_a_run_fails_by_itself(machines: Machines) -> None:
    summary = machines.finish(machines.plan({"crawl": "c"}))
    assert "error" in machines.fail(summary)
    again = machines.finish(machines.plan({"resume": summary["run_id"]}, "execution-2"))
    assert "error" in machines.fail(again, "execution-2")
    assert "output" in machines.fail(summary, redrives=1)
    assert "output" in machines.fail(again, "execution-2", redrives=1)


@pytest.mark.usefixtures("source")
def test_a_failure_that_cannot_be_told_is_tried_again(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = machines.finish(machines.plan({"crawl": "c"}))
    answer: Any = {"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}

    def send_task_failure(**_: Any) -> None:
        raise ClientError(answer, "SendTaskFailure")

    monkeypatch.setattr(clients.client("stepfunctions"), "send_task_failure", send_task_failure)
    event = {"run_id": summary["run_id"], "message": "m", "execution": "execution-1", "redrives": None, "token": "t"}
    with pytest.raises(SinkError, match=f"could not fail the execution of run {summary['run_id']}: .*Rate exceeded"):
        fail_run.handler(event, machines.context)
    assert "error" in machines.fail(summary)


def continues(aws: Aws, planned: Mapping[str, Any], patience: Mapping[str, Any]) -> None:
    """Record that the target of a run continues in another execution, as Crawl does."""
    target = target_of(aws, planned)
    run = planned["run"]
    record = {"pk": f"run#{run['run_id']}", "sk": f"verdict#{run['generation']}#{target['target_id']}"}
    record |= {"verdict": "unfinished", "error": CONTINUES, "cause": "the target continues in another execution"}
    record |= {"patience": json.dumps(patience)}
    aws.dynamodb.put_item(TableName=aws.runs_table, Item={name: {"S": value} for name, value in record.items()})


@pytest.mark.usefixtures("source")
def test_a_run_that_continues_by_itself_keeps_its_deadline_and_its_patience(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": {**CRAWL, "deadline_hours": 0.5}}
    planned = machines.plan({"crawl": "c"}, "execution-1")
    assert target_of(aws, planned)["patience"] == {"wait_seconds": 15, "interruptions": 0, "last_page": ""}
    for number in range(2, 6):
        left = {"wait_seconds": 240, "interruptions": number, "last_page": "page#t#0001#00000003"}
        continues(aws, planned, left)
        summary = machines.finish(planned)
        assert summary["outcome"] == "continues"
        machines.entered_at = f"2126-02-03T0{number + 3}:00:00.000Z"
        execution = f"execution-{number}"
        again = machines.plan(summary["continuation"], execution)
        assert again["run"]["deadline"] == planned["run"]["deadline"] == "2126-02-03T04:35:06.789Z"
        assert target_of(aws, again)["patience"] == left
        # Step Functions retries PlanRun if it does not get its answer.
        assert machines.plan(summary["continuation"], execution) == again
        assert target_of(aws, again)["patience"] == left
        planned = again
    # A person gives it more time.
    machines.stop(planned["execution"])
    resumed = machines.plan({"resume": summary["run_id"]}, "execution-9")
    assert resumed["run"]["deadline"] == "2126-02-03T08:30:00.000Z"
    assert target_of(aws, resumed)["patience"] == {"wait_seconds": 15, "interruptions": 0, "last_page": ""}
    # An execution in which that continues has the new deadline.
    continues(aws, resumed, {"wait_seconds": 15, "interruptions": 1, "last_page": ""})
    machines.entered_at = LATER
    summary = machines.finish(resumed)
    assert machines.plan(summary["continuation"], "execution-10")["run"]["deadline"] == resumed["run"]["deadline"]


@pytest.mark.usefixtures("source")
def test_a_run_that_continues_can_still_be_given_more_time(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    continues(aws, planned, {})
    run_id = machines.finish(planned)["run_id"]
    machines.entered_at = LATER
    assert machines.plan({"resume": run_id, "deadline_hours": 1}, "execution-2")["run"]["deadline"] > LATER


@pytest.mark.usefixtures("source")
def test_a_run_that_is_planned_long_after_its_execution_began_is_not_late(machines: Machines) -> None:
    """For example, PlanRun itself failed, and the execution is redriven."""
    machines.entered_at = LATER
    run = machines.plan({"crawl": "c"})["run"]
    assert (run["started_at"], run["deadline"]) == (machines.started_at, "2127-01-02T00:00:00.000Z")


@pytest.mark.usefixtures("source")
def test_only_the_targets_that_are_not_complete_are_resumed(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c", "regions": ["us-east-1", "eu-west-1"]})
    one, other = aws.json(planned["targets"]["key"])
    machines.turn_all(planned, one)
    summary = machines.finish(planned)
    assert summary["targets"] == {"complete": 1, "unfinished": 1}
    resumed = machines.plan({"resume": summary["run_id"]}, "execution-2")
    assert aws.json(resumed["targets"]["key"]) == [other]
    machines.turn_all(resumed, other)
    assert machines.finish(resumed)["targets"] == {"complete": 2}


@pytest.mark.usefixtures("source")
def test_a_verdict_from_before_is_forgotten_when_a_target_is_paged_again(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    verdict = {"verdict": "denied", "error": "AccessDeniedError", "cause": "no"}
    record = {"pk": f"run#{planned['run']['run_id']}", "sk": f"verdict#1#{target['target_id']}", **verdict}
    aws.dynamodb.put_item(TableName=aws.runs_table, Item={name: {"S": value} for name, value in record.items()})
    assert machines.finish(planned)["targets"] == {"denied": 1}
    resumed = machines.plan({"resume": planned["run"]["run_id"]}, "execution-2")
    assert machines.finish(resumed)["targets"] == {"unfinished": 1}


@pytest.mark.usefixtures("source")
def test_a_resumed_run_takes_another_deadline_and_pace_and_keeps_them(aws: Aws, machines: Machines) -> None:
    run_id = machines.plan({"crawl": "c"})["run"]["run_id"]
    changes = {"deadline_hours": 6, "max_pages_per_second": 1, "pace": "deployment", "max_concurrency": 5}
    resumed = machines.plan({"resume": run_id, **changes}, "execution-2")
    assert resumed["run"]["deadline"] == "2126-02-03T10:05:06.789Z"
    assert (resumed["crawl"]["max_pages_per_second"], resumed["max_concurrency"]) == (1, 5)
    now = utc_text(datetime.now(UTC))
    place = machines.fetch(resumed, target_of(aws, resumed), FROM_CHECKPOINT, loop_started_at=now)
    assert place["slot_at"] > now
    # A redriven execution, and one in which the run continues, resume it without saying so again.
    again = machines.plan({"resume": run_id}, "execution-3")
    assert {name: again[name] for name in ("crawl", "max_concurrency")} == {
        name: resumed[name] for name in ("crawl", "max_concurrency")
    }
    crawl = aws.json(f"runs/{machines.finish(again)['run_id']}/manifest.json")["crawl"]
    assert crawl == {"name": "c", **CRAWL, **changes}


@pytest.mark.usefixtures("source")
def test_a_resumed_run_can_tolerate_what_stays_missing_but_is_then_no_source(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {
        "c": CRAWL,
        "each": {**CRAWL, "parameters": {}, "for_each": {"crawl": "c", "parameters": {"Bucket": "key"}}},
    }
    planned = machines.plan({"crawl": "c"})
    verdict_of(aws, planned, "failed", "NotFoundError", "An error occurred (NoSuchBucket) when calling X: gone")
    run_id = machines.finish(planned)["run_id"]
    again = machines.plan({"resume": run_id, "ignore_errors": ["NoSuchBucket"]}, "execution-2")
    verdict_of(aws, again, "failed", "NotFoundError", "An error occurred (NoSuchBucket) when calling X: gone")
    assert machines.finish(again)["outcome"] == "succeeded"
    with pytest.raises(InvalidCrawlError, match="there is no complete run of c"):
        machines.plan({"crawl": "each"}, "execution-3")


def test_each_key_of_a_crawl_can_change_in_a_resumed_run_or_is_refused_with_the_reason() -> None:
    of_pace = {"max_pages_per_second", "pace", "max_concurrency"}
    allowed = {"deadline_hours", *of_pace, "tolerate", "ignore_errors", "mistrust"}
    for key, schema in KEYS_OF_A_CRAWL.items():
        document = {"resume": "x", key: schema["examples"][0]}
        if key in allowed:
            assert parse_resume(document) == Resume("x", {key: document[key]})
        else:
            with pytest.raises(InvalidCrawlError, match=f"^input.{key}: cannot change when a run is resumed: "):
                parse_resume(document)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"resume": "no-such-run"}, 'there is no run "no-such-run"'),
        ({"resume": 5}, 'invalid value 5; must be a run_id, like {"resume": "<run_id>"}'),
        ({"resume": "x", "crawl": "c"}, "input.crawl: cannot change when a run is resumed: the run has its crawl"),
        ({"resume": "x", "dry_run": True}, "input.dry_run: cannot change when a run is resumed: a dry run"),
        ({"resume": "x", "max_pages": 5}, "input.max_pages: cannot change when a run is resumed: a listing that"),
        ({"resume": "x", "parameters": {}}, "input.parameters: cannot change when a run is resumed: it decides what"),
        ({"resume": "x", "deadline": 6}, 'input.deadline: unknown key; did you mean "deadline_hours"?'),
        ({"resume": "x", "deadline_hours": 0}, "input.deadline_hours: invalid value 0; must be a number from 0.001"),
        ({"resume": "x", "max_concurrency": None}, "input.max_concurrency: invalid value null; must be an integer"),
        ({"resume": "x", "tolerate": ["broken"]}, 'input.tolerate.0: invalid value "broken"|input.tolerate: invalid'),
    ],
)
def test_a_wrong_resume_is_told_so(document: object, said: str, machines: Machines) -> None:
    with pytest.raises(InvalidCrawlError, match="|".join(map(re.escape, said.split("|")))):
        machines.plan(document)


@pytest.mark.usefixtures("source")
def test_a_second_run_is_refused_while_one_is_going(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"}, "one")
    machines.running = {"one"}
    with pytest.raises(OverlapError, match=f"{planned['run']['run_id']} of the crawl c is still running, in one"):
        machines.plan({"crawl": "c"}, "two")
    with pytest.raises(OverlapError, match="is still running, in one"):
        machines.plan({"resume": planned["run"]["run_id"]}, "two")
    # The same execution may plan again, because Step Functions may retry PlanRun.
    assert machines.plan({"crawl": "c"}, "one") == planned
    machines.turn_all(planned, target_of(aws, planned))
    machines.finish(planned)
    with pytest.raises(OverlapError, match="is still running, in one"):
        machines.plan({"crawl": "c"}, "two")
    publish_as_it_is(planned["run"]["run_id"])
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


@pytest.mark.usefixtures("source")
def test_targets_that_have_a_verdict_keep_it_while_the_run_continues_by_itself(aws: Aws, machines: Machines) -> None:
    """A target whose tokens do not last would otherwise begin anew in each execution."""
    planned = machines.plan({"crawl": "c", "regions": ["us-east-1", "eu-west-1", "eu-west-2"]})
    one, other, third = aws.json(planned["targets"]["key"])
    for target, error in ((one, CONTINUES), (other, "TooManyRestartsError")):
        record = {"pk": f"run#{planned['run']['run_id']}", "sk": f"verdict#1#{target['target_id']}", "error": error}
        record |= {"verdict": "unfinished" if error == CONTINUES else "failed", "cause": "why"}
        aws.dynamodb.put_item(TableName=aws.runs_table, Item={name: {"S": value} for name, value in record.items()})
    summary = machines.finish(planned)
    assert summary["outcome"] == "continues"
    again = machines.plan(summary["continuation"], "execution-2")
    left = [target["target_id"] for target in aws.json(again["targets"]["key"])]
    assert left == sorted([one["target_id"], third["target_id"]]), "the third was cut short without a verdict"
    summary = machines.finish(again)
    assert (summary["outcome"], summary["targets"]) == ("failed", {"unfinished": 2, "failed": 1})
    resumed = machines.plan({"resume": summary["run_id"]}, "execution-3")
    assert resumed["targets"]["count"] == 3
    assert machines.finish(resumed)["targets"] == {"unfinished": 3}, "a person begins anew"
