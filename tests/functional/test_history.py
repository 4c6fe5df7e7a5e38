"""What the history says of a run, from its first second to its report, and whom ReportRun and StopRun tell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from pageturner import clients, telemetry
from pageturner.errors import InvalidCrawlError, OverlapError, SinkError
from pageturner.page_state import CONTINUES, FROM_CHECKPOINT
from pageturner.plan.expansion import Expansion
from pageturner.stores import Stores
from pageturner.stores.history import HistoryRow
from pageturner.stores.run_table import RunTable
from tests.conftest import Aws, Machines
from tests.fake_glue import FakeSns
from tests.runs_of_a_bucket import target_of, verdict_of

pytestmark = pytest.mark.usefixtures("source")
LATER = "2126-02-04T04:05:06.789Z"
BY_ITSELF = {"crawl": "c", "trigger": "schedule 2126-02-03T04:05:06Z"}


@pytest.fixture(autouse=True)
def sns(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> FakeSns:
    monkeypatch.setenv("NOTICES_TOPIC", "topic")
    monkeypatch.setenv("NOTICE_CHANGES", "false")
    fake, of_service = FakeSns(), clients.client
    monkeypatch.setattr(clients, "client", lambda name, *where: fake if name == "sns" else of_service(name, *where))
    return fake


@pytest.fixture
def stores(aws: Aws) -> Stores:
    return Stores.of_environment()


def row_of(stores: Stores, crawl: str = "c") -> HistoryRow:
    (row,) = stores.history.runs(crawl)
    return row


def cut_short(aws: Aws, machines: Machines, asked: Mapping[str, Any], execution: str = "execution-1") -> dict[str, Any]:
    planned = machines.plan(asked, execution)
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    return planned


def test_a_run_is_there_before_its_targets_are_looked_for(
    aws: Aws, machines: Machines, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_: Any) -> Any:
        raise SinkError("killed")

    monkeypatch.setattr(Expansion, "targets", look)
    with pytest.raises(SinkError):
        machines.plan({"crawl": "c"})
    row, about = row_of(stores), stores.executions.run_of("execution-1")
    assert about is not None
    assert (row.run_id, row.execution, row.targets, row.ended_at) == (about[0].run_id, "execution-1", None, None)
    assert about[1] == "c"


def test_the_history_goes_with_a_run(aws: Aws, machines: Machines, stores: Stores, sns: FakeSns) -> None:
    planned = machines.plan({"crawl": "c"})
    assert (row_of(stores).targets, row_of(stores).outcome) == (1, None)
    machines.turn_all(planned, target_of(aws, planned))
    output = machines.publish(machines.finish(planned))
    ended = row_of(stores)
    assert (ended.outcome, ended.verdict, ended.items, ended.reported_at) == (
        *("succeeded", "complete", output["items"]),
        None,
    )
    (status,) = stores.history.crawls()
    assert (status.outcome, status.complete_run_id) == ("succeeded", None)
    machines.report(output)
    row, (status,) = row_of(stores), stores.history.crawls()
    assert row.reported_at is not None
    assert (row.new, row.changed, row.gone) == (output["items"], 0, 0)
    assert (status.complete_run_id, status.complete_started_at) == (row.run_id, row.started_at)
    assert status.complete_seconds == str(output["seconds"])
    assert sns.sent == []


def test_who_is_killed_between_the_two_rows_is_repeated(
    aws: Aws, machines: Machines, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = RunTable.write_if, list[str]()

    def killed_at_the_status(self: RunTable, not_done: str, *request: Any, **more: Any) -> bool:
        if "of status" in not_done:
            written.append(not_done)
            raise SinkError("killed")
        return write(self, not_done, *request, **more)

    monkeypatch.setattr(RunTable, "write_if", killed_at_the_status)
    with pytest.raises(SinkError):
        machines.plan({"crawl": "c"})
    monkeypatch.setattr(RunTable, "write_if", write)
    assert (len(written), stores.history.crawls()) == (1, [])
    planned = machines.plan({"crawl": "c"})
    machines.turn_all(planned, target_of(aws, planned))
    output = machines.publish(machines.finish(planned))
    machines.report(output)
    (status,) = stores.history.crawls()
    assert (status.run_id, status.complete_run_id, status.outcome) == (*2 * [output["run_id"]], "succeeded")


def test_a_run_of_something_else_is_no_complete_run_of_the_crawl(aws: Aws, machines: Machines, stores: Stores) -> None:
    planned = machines.plan({"crawl": "c", "parameters": {"Prefix": "a"}})
    machines.turn_all(planned, target_of(aws, planned))
    machines.report(machines.publish(machines.finish(planned)))
    (status,) = stores.history.crawls()
    assert (status.outcome, status.complete_run_id) == ("succeeded", None)


def test_people_hear_of_a_run_that_is_not_complete(
    aws: Aws,
    machines: Machines,
    stores: Stores,
    sns: FakeSns,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planned = cut_short(aws, machines, {"crawl": "c"})
    output = machines.publish(machines.finish(planned))
    capsys.readouterr()
    logged: list[Any] = []
    monkeypatch.setattr(telemetry.logger, "info", lambda message, extra: logged.append((message, extra)))
    machines.report(output)
    (notice,) = sns.sent
    run_id = planned["run"]["run_id"]
    assert (notice["topic"], notice["kind"]) == ("topic", "not complete")
    assert notice["subject"] == "Pageturner: c is not complete"
    assert notice["message"].startswith(output["message"])
    assert f"pageturner why {run_id}" in notice["message"]
    assert output["links"]["report"] in notice["message"]
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["RunsNotComplete"] for line in printed if "_aws" in line] == [[1.0]]
    ((message, line),) = logged
    assert message == "run reported"
    assert (line["run_id"], line["outcome"], line["crawl"]) == (run_id, "failed", "c")
    # Resumed, it is a run that goes on, and then one that is complete.
    resumed = machines.plan({"resume": run_id}, "execution-2")
    row = row_of(stores)
    assert (row.generation, row.outcome, row.reported_at, row.execution) == (2, None, None, "execution-2")
    machines.report(output)  # late
    assert (row_of(stores).outcome, len(sns.sent)) == (None, 1)
    machines.turn_all(resumed, target_of(aws, resumed))
    machines.report(machines.publish(machines.finish(resumed), "execution-2"), "execution-2")
    (status,) = stores.history.crawls()
    assert (row_of(stores).outcome, status.complete_run_id, len(sns.sent)) == ("succeeded", run_id, 1)


def test_people_hear_of_changes_if_they_want_to(
    aws: Aws, machines: Machines, sns: FakeSns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTICE_CHANGES", "true")
    planned = machines.plan({"crawl": "c"})
    machines.turn_all(planned, target_of(aws, planned))
    output = machines.publish(machines.finish(planned))
    machines.report(output)
    (notice,) = sns.sent
    assert (notice["kind"], notice["subject"]) == ("changes", f"Pageturner: c: {output['items']} new")
    assert f"pageturner changes {output['run_id']}" in notice["message"]


def test_an_execution_that_was_stopped_is_no_secret(aws: Aws, machines: Machines, stores: Stores, sns: FakeSns) -> None:
    planned = cut_short(aws, machines, BY_ITSELF)
    for _ in range(2):
        machines.stop("execution-1", "TIMED_OUT", error="States.Timeout", input=json.dumps(BY_ITSELF))
    (notice,) = sns.sent
    assert notice["subject"] == "Pageturner: c was stopped"
    assert "The execution timed out: States.Timeout" in notice["message"]
    assert f"pageturner why {planned['run']['run_id']}" in notice["message"]
    row = row_of(stores)
    assert (row.outcome, row.reported_at, row.told_after) == ("stopped", None, 0)


def test_who_is_redriven_goes_on_and_when_it_is_stopped_again_people_hear_of_it_again(
    aws: Aws, machines: Machines, stores: Stores, sns: FakeSns
) -> None:
    planned = cut_short(aws, machines, {"crawl": "c"})
    machines.stop("execution-1")
    machines.stop("execution-1", "RUNNING", redrives=1)
    status = stores.history.crawl("c")
    assert status is not None
    assert (row_of(stores).outcome, row_of(stores).ended_at) == (status.outcome, status.ended_at) == (None, None)
    machines.stop("execution-1", "TIMED_OUT", redrives=1)
    machines.stop("execution-1", "RUNNING", redrives=1)  # late
    assert (row_of(stores).outcome, len(sns.sent)) == ("stopped", 2)
    machines.stop("execution-1", "RUNNING", redrives=2)
    machines.turn_all(planned, target_of(aws, planned))
    machines.finish(planned)
    machines.stop("execution-1", "FAILED", redrives=2, error="CannotPublishError", cause="the manifest is gone")
    assert (row_of(stores).outcome, len(sns.sent)) == ("stopped", 3)
    machines.stop("execution-1", "FAILED", redrives=2)
    assert len(sns.sent) == 3


@pytest.mark.parametrize("redrives", [0, 1])
def test_an_event_is_late_only_if_the_execution_was_redriven_since(
    machines: Machines, stores: Stores, sns: FakeSns, redrives: int, monkeypatch: pytest.MonkeyPatch, aws: Aws
) -> None:
    """Step Functions may say for a moment that it is running still."""
    import stop_run

    cut_short(aws, machines, {"crawl": "c"})
    event = {"detail": {"executionArn": "execution-1", "status": "ABORTED", "redriveCount": 0}}
    monkeypatch.setattr(clients, "running_redrive", lambda _: redrives)
    if redrives:
        stop_run.handler(event, machines.context)
    else:
        with pytest.raises(SinkError, match="ask again"):
            stop_run.handler(event, machines.context)
    assert (row_of(stores).outcome, sns.sent) == (None, [])


def test_a_summary_that_comes_after_the_end_is_one_that_is_not_reported(
    aws: Aws, machines: Machines, stores: Stores, sns: FakeSns
) -> None:
    planned = machines.plan({"crawl": "c"})
    machines.turn_all(planned, target_of(aws, planned))
    machines.stop("execution-1")  # while FinishRun is running
    machines.finish(planned)
    assert (row_of(stores).outcome, row_of(stores).reported_at, len(sns.sent)) == ("succeeded", None, 1)


def test_a_run_that_is_to_continue_and_does_not_is_no_secret(
    aws: Aws, machines: Machines, stores: Stores, sns: FakeSns
) -> None:
    planned = cut_short(aws, machines, {"crawl": "c"})
    verdict_of(aws, planned, "unfinished", CONTINUES, "it continues")
    assert machines.finish(planned)["outcome"] == "continues"
    machines.stop("execution-1", "SUCCEEDED")
    asked = json.dumps({"resume": planned["run"]["run_id"]})
    machines.stop("a-person's", "FAILED", error="OverlapError", input=asked)
    assert (row_of(stores).outcome, sns.sent) == ("continues", [])
    name = hashlib.sha256(b"execution-1").hexdigest()
    machines.stop(f"Crawl:{name}", "FAILED", error="SinkError", cause="no table", input=asked)
    (notice,) = sns.sent
    assert "SinkError: no table" in notice["message"]
    assert row_of(stores).outcome == "stopped"


def test_a_run_that_is_to_continue_in_an_execution_that_cannot_start_is_no_secret(
    aws: Aws, machines: Machines, stores: Stores, sns: FakeSns
) -> None:
    planned = cut_short(aws, machines, {"crawl": "c"})
    verdict_of(aws, planned, "unfinished", CONTINUES, "it continues")
    machines.finish(planned)
    machines.stop("execution-1", "FAILED", error="StepFunctions.AWSStepFunctionsException")
    assert (row_of(stores).outcome, len(sns.sent)) == ("stopped", 1)


def test_whoever_takes_the_lock_of_a_dead_execution_says_that_it_has_ended(
    aws: Aws, machines: Machines, stores: Stores
) -> None:
    """Step Functions' event about it was lost."""
    dead = cut_short(aws, machines, {"crawl": "c"})
    machines.started_at = LATER
    machines.plan({"crawl": "c"}, "execution-2")
    new, old = stores.history.runs("c")
    assert (old.run_id, old.outcome, old.ended_at) == (dead["run"]["run_id"], "stopped", LATER)
    assert (new.execution, new.outcome) == ("execution-2", None)


@pytest.mark.parametrize(("asked", "notices"), [(BY_ITSELF, 1), ({"crawl": "c"}, 0)])
def test_a_plan_that_finds_no_targets_is_told_if_nobody_watches(
    machines: Machines, stores: Stores, sns: FakeSns, monkeypatch: pytest.MonkeyPatch, asked: Any, notices: int
) -> None:
    def nothing(*_: Any) -> Any:
        raise InvalidCrawlError("for_each: there is no complete run of b")

    monkeypatch.setattr(Expansion, "targets", nothing)
    with pytest.raises(InvalidCrawlError):
        machines.plan(asked)
    assert (row_of(stores).outcome, row_of(stores).told_after) == ("stopped", None)
    machines.stop("execution-1", "FAILED", error="InvalidCrawlError", cause="for_each: …", input=json.dumps(asked))
    assert len(sns.sent) == notices
    assert row_of(stores).told_after == 0


def test_an_execution_that_began_no_run_is_told_if_nobody_watches(machines: Machines, sns: FakeSns) -> None:
    wrong = {"crawl": "gone", "trigger": "schedule 2126-02-03T04:05:06Z"}
    machines.stop("execution-1", "FAILED", error="InvalidCrawlError", cause="no such crawl", input=json.dumps(wrong))
    machines.stop("execution-2", "FAILED", error="InvalidCrawlError", cause="no such crawl", input='{"crawl": "gone"}')
    machines.stop("execution-3", "FAILED", error="InvalidCrawlError", cause="no such crawl")
    (notice,) = sns.sent
    assert "no such crawl" in notice["message"]


def test_a_run_that_report_run_could_not_report_is_told_by_stop_run(
    aws: Aws, machines: Machines, stores: Stores, sns: FakeSns
) -> None:
    planned = cut_short(aws, machines, {"crawl": "c"})
    output = machines.publish(machines.finish(planned))
    machines.stop("execution-1", "FAILED", error="RunIncomplete", cause=output["message"])
    machines.stop("execution-1", "FAILED", error="RunIncomplete", cause=output["message"])
    assert [each["subject"] for each in sns.sent] == ["Pageturner: c is not complete"]
    assert (row_of(stores).outcome, row_of(stores).reported_at is None) == ("failed", False)


def test_a_run_that_could_not_be_published_is_told(aws: Aws, machines: Machines, stores: Stores, sns: FakeSns) -> None:
    planned = machines.plan({"crawl": "c"})
    machines.turn_all(planned, target_of(aws, planned))
    machines.finish(planned)
    machines.stop("execution-1", "FAILED", error="CannotPublishError", cause="the manifest is gone")
    (notice,) = sns.sent
    assert "CannotPublishError: the manifest is gone" in notice["message"]
    assert row_of(stores).outcome == "stopped"


@pytest.mark.parametrize("how", ["resume", "publish"])
def test_a_run_that_is_published_at_last_is_complete(
    aws: Aws, machines: Machines, stores: Stores, sns: FakeSns, how: str
) -> None:
    planned = machines.plan({"crawl": "c"})
    machines.turn_all(planned, target_of(aws, planned))
    machines.finish(planned)
    machines.stop("execution-1", "FAILED", error="SinkError", cause="no Glue")
    run_id = planned["run"]["run_id"]
    output = machines.publish(machines.plan({how: run_id}, "execution-2")["publish"], "execution-2")
    machines.report(output, "execution-2")
    row, (status,) = row_of(stores), stores.history.crawls()
    assert (row.outcome, row.message, row.new) == ("succeeded", row.message, output["items"])
    assert row.message is not None
    assert row.message.startswith("complete")
    assert row.reported_at is not None
    assert (status.outcome, status.complete_run_id) == ("succeeded", run_id)
    assert len(sns.sent) == 1


def test_an_incomplete_run_that_a_person_publishes_is_as_incomplete(
    aws: Aws, machines: Machines, stores: Stores, sns: FakeSns
) -> None:
    planned = cut_short(aws, machines, {"crawl": "c"})
    machines.report(machines.publish(machines.finish(planned)))
    asked = machines.plan({"publish": planned["run"]["run_id"]}, "execution-2")["publish"]
    machines.report(machines.publish(asked, "execution-2"), "execution-2")
    (status,) = stores.history.crawls()
    assert (row_of(stores).outcome, status.outcome, status.complete_run_id) == ("failed", "failed", None)
    assert len(sns.sent) == 1


def test_a_run_that_an_earlier_version_has_begun_is_told_of(
    aws: Aws, machines: Machines, stores: Stores, sns: FakeSns
) -> None:
    """It put no rows, and its machine has no ReportRun."""
    planned = cut_short(aws, machines, {"crawl": "c"})
    run = {name: value for name, value in planned["run"].items() if name != "format"}
    for row in aws.rows("runs"):
        if row["sk"]["S"] == "run":
            aws.dynamodb.put_item(TableName="runs", Item={**row, "run": {"S": json.dumps(run)}})
        elif row["pk"]["S"].startswith(("history#", "status")) or row["sk"]["S"] == "about":
            aws.dynamodb.delete_item(TableName="runs", Key={"pk": row["pk"], "sk": row["sk"]})
    output = machines.publish(machines.finish(planned))
    machines.stop("execution-1", "FAILED", error="RunIncomplete", cause=output["message"])
    (status,) = stores.history.crawls()
    assert (status.run_id, status.outcome, row_of(stores).reported_at is None) == (output["run_id"], "failed", False)
    assert [each["subject"] for each in sns.sent] == ["Pageturner: c is not complete"]


def test_a_refused_start_is_told_only_if_it_repeats(aws: Aws, machines: Machines, stores: Stores, sns: FakeSns) -> None:
    planned = cut_short(aws, machines, {"crawl": "c"})
    machines.running.add("execution-1")
    told = []
    for number in range(2, 11):
        with pytest.raises(OverlapError):
            machines.plan({"crawl": "c"}, f"execution-{number}")
        told.append(len(sns.sent))
    # At the second, the fourth and the eighth time.
    assert told == [0, 1, 1, 2, 2, 2, 2, 3, 3]
    assert "2 times in a row" in sns.sent[0]["message"]
    assert planned["run"]["run_id"] in sns.sent[0]["message"]
    assert stores.history.crawls()[0].refused == 9
    machines.running.clear()
    machines.started_at = LATER
    machines.plan({"crawl": "c"}, "execution-20")
    assert stores.history.crawls()[0].refused == 0


@pytest.fixture
def refused(aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that asks for something in an execution, while another run of the crawl goes on."""
    import plan_run
    from pageturner.crawls.catalogue import parse_catalogue

    monkeypatch.setattr(plan_run, "_catalogue", lambda: parse_catalogue({"crawls": machines.catalogue}))
    monkeypatch.setattr(clients, "is_running", lambda _: True)

    def ask(asked: Any, execution: str) -> dict[str, Any]:
        times = {"started_at": LATER, "entered_at": LATER}
        return plan_run.handler({"input": asked, "execution": {"id": execution, **times}}, machines.context)

    return ask


def test_the_execution_of_a_run_that_has_begun_is_never_refused(
    aws: Aws, machines: Machines, sns: FakeSns, refused: Any
) -> None:
    """It would succeed, though its run is not complete."""
    planned = cut_short(aws, machines, {"crawl": "c"}, "e")
    summary = machines.publish(machines.finish(planned), "e")
    machines.started_at = LATER
    machines.plan({"crawl": "c"}, "newer")
    with pytest.raises(OverlapError, match=rf"still running, in newer; .* and then resume {summary['run_id']}"):
        refused({"resume": summary["run_id"]}, "e")
    with pytest.raises(OverlapError, match=r"still running, in newer; "):
        refused({"crawl": "c"}, "e")
    assert sns.sent == []


def test_who_is_refused_hears_which_run_goes_on(aws: Aws, machines: Machines, refused: Any) -> None:
    planned = cut_short(aws, machines, {"crawl": "c"})
    found = refused({"crawl": "c"}, "e")
    # A machine of an earlier version has no other way for it.
    assert found["refused"] == found["nothing_to_do"]
    assert found["refused"] == {
        "outcome": "refused",
        "message": found["refused"]["message"],
        "crawl": "c",
        "run_id": planned["run"]["run_id"],
        "execution": "execution-1",
    }


def test_a_cause_is_never_too_long_for_step_functions() -> None:
    from fail_run import cause_of

    output = {"run_id": "r", "message": "m", "targets": {"failed": 1}}
    assert cause_of("m", output) == 'm\n\n{\n  "run_id": "r",\n  "targets": {\n    "failed": 1\n  }\n}'
    assert cause_of("m" * 40_000, output) == "m" * 32_768
    assert cause_of("m" * 32_740, output) == "m" * 32_740
    assert cause_of("m", {}) == "m"
    keys = {f"{kind}_keys": 15 * [200 * "🦊"] for kind in ("new", "changed", "gone")}
    output |= {"cost_arithmetic": ["1 + 1"], "published": {"new": 15, **keys}}
    _, _, said = cause_of("m" * 2_000, output).partition("\n\n")
    without = {name: value for name, value in output.items() if name != "message"}
    assert json.loads(said) == {**without, "published": {"new": 15}}
    _, _, said = cause_of("m" * 2_000, {**output, "published": {"new": 40_000 * "n"}}).partition("\n\n")
    assert json.loads(said) == {"run_id": "r", "targets": {"failed": 1}}
