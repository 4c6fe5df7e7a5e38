"""What the history says of a run, from its first second to its report, and whom ReportRun and StopRun tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from pageturner import clients, telemetry
from pageturner.errors import InvalidCrawlError, OverlapError, SinkError
from pageturner.page_state import FROM_CHECKPOINT
from pageturner.plan.expansion import Expansion
from pageturner.stores import Stores
from pageturner.stores.history import HistoryRow
from pageturner.stores.run_table import RunTable
from tests.conftest import Aws, Machines
from tests.fake_glue import FakeSns
from tests.runs_of_a_bucket import target_of

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
    seen: list[Any] = []

    def look(*_: Any) -> Any:
        seen.append((row_of(stores), stores.executions.run_of("execution-1")))
        raise SinkError("killed")

    monkeypatch.setattr(Expansion, "targets", look)
    with pytest.raises(SinkError):
        machines.plan({"crawl": "c"})
    ((row, about),) = seen
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
    assert row.outcome == "stopped"
    assert row.reported_at is not None


def test_an_event_about_an_execution_that_was_redriven_is_late(
    aws: Aws, machines: Machines, stores: Stores, sns: FakeSns
) -> None:
    cut_short(aws, machines, {"crawl": "c"})
    import stop_run

    event = {"detail": {"executionArn": "execution-1", "status": "ABORTED"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clients, "is_running", lambda _: True)
        stop_run.handler(event, machines.context)
    assert (row_of(stores).outcome, sns.sent) == (None, [])


@pytest.mark.parametrize(("asked", "notices"), [(BY_ITSELF, 1), ({"crawl": "c"}, 0)])
def test_a_plan_that_finds_no_targets_is_told_if_nobody_watches(
    machines: Machines, stores: Stores, sns: FakeSns, monkeypatch: pytest.MonkeyPatch, asked: Any, notices: int
) -> None:
    def nothing(*_: Any) -> Any:
        raise InvalidCrawlError("for_each: there is no complete run of b")

    monkeypatch.setattr(Expansion, "targets", nothing)
    with pytest.raises(InvalidCrawlError):
        machines.plan(asked)
    assert (row_of(stores).outcome, row_of(stores).reported_at) == ("stopped", None)
    machines.stop("execution-1", "FAILED", error="InvalidCrawlError", cause="for_each: …", input=json.dumps(asked))
    assert len(sns.sent) == notices
    assert row_of(stores).reported_at is not None


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


def test_who_is_refused_hears_which_run_goes_on(aws: Aws, machines: Machines) -> None:
    import plan_run

    planned = cut_short(aws, machines, {"crawl": "c"})
    event = {
        "input": {"resume": planned["run"]["run_id"]},
        "execution": {"id": "e", "started_at": LATER, "entered_at": LATER},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clients, "is_running", lambda _: True)
        refused = plan_run.handler(event, machines.context)
    # A machine of an earlier version has no other way for it.
    assert refused["refused"] == refused["nothing_to_do"]
    assert refused["refused"] == {
        "outcome": "refused",
        "message": refused["refused"]["message"],
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
