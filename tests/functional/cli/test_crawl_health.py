"""`crawls` and `doctor` say what is wrong, and never that all is well when they could not see it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from pageturner.crawls.crawl import Crawl
from pageturner.page_state import Run
from pageturner.plan.targets import plan_run
from pageturner.stores.history import History
from pageturner_cli.aws_errors import Asked
from pageturner_cli.commands import runs, state
from pageturner_cli.crawl_checks import CrawlChecks
from pageturner_cli.deployment import Deployment
from pageturner_cli.doctor import Doctor
from pageturner_cli.failures import COMPLETE, UNREACHABLE, USAGE, WRONG, Failure
from pageturner_cli.options import Settings
from tests.conftest import ACCOUNT, REGION, Aws, shared_client, shared_session

MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:Pageturner-Crawl"
NIGHTLY = "cron(0 2 * * ? *)"
NOW = datetime.now(UTC)


class Stack:
    """A deployment whose crawls have run, and what starts them."""

    def __init__(self, aws: Aws) -> None:
        outputs = {"ItemsBucket": aws.bucket, "ItemsTable": aws.items_table, "RunsTable": aws.runs_table}
        self.deployment = Deployment(
            Asked("Pageturner"), shared_session(), given={**outputs, "CrawlMachineArn": MACHINE}
        )
        self.declares()
        self.deployment.__dict__["stack"] = {"StackName": "Pageturner", "StackStatus": "UPDATE_COMPLETE"}

    @property
    def history(self) -> History:
        return self.deployment.stores.history

    def declares(self, *resources: tuple[str, str, str]) -> None:
        self.deployment.__dict__["resources"] = list(resources)

    def succeeded(self, crawl: str, *, days_ago: float = 0) -> Run:
        began = (NOW - timedelta(days=days_ago)).isoformat()
        run = plan_run(Crawl(crawl), f"{MACHINE}:{crawl}", began, began)
        self.history.begin(run, crawl, as_catalogued=True)
        numbers = dict.fromkeys(("pages", "items", "bytes", "throttles", "restarts", "seconds", "estimated_cost"), 1)
        summary = {"outcome": "succeeded", "verdict": "complete", "ended_at": began, "message": "complete", **numbers}
        self.history.end(run, crawl, summary, as_catalogued=True)
        self.history.report(run, crawl, summary, summary, began)
        return run

    def schedule(self, crawl: str, *, is_on: bool = True) -> None:
        shared_client("scheduler").create_schedule(
            Name=f"Pageturner-{crawl}",
            ScheduleExpression=NIGHTLY,
            State="ENABLED" if is_on else "DISABLED",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": MACHINE, "RoleArn": "arn:aws:iam::1:role/r", "Input": json.dumps({"crawl": crawl})},
        )

    def chain(self, crawl: str, after: str, *, is_on: bool = True) -> None:
        events, name = shared_client("events"), f"Pageturner-{crawl}"
        pattern = {"source": ["pageturner"], "detail": {"crawl": [after]}}
        events.put_rule(Name=name, EventPattern=json.dumps(pattern), State="ENABLED" if is_on else "DISABLED")
        template = f'{{"crawl":"{crawl}","trigger":"after <run>"}}'
        transformed = {"InputPathsMap": {"run": "$.detail.run_id"}, "InputTemplate": template}
        events.put_targets(Rule=name, Targets=[{"Id": "0", "Arn": MACHINE, "InputTransformer": transformed}])

    def starts(self) -> dict[str, str]:
        """What is said of each schedule and rule, by its level."""
        return {check.said.partition(":")[0]: f"{check.level}: {check.said}" for check in self._checks().starts()}

    def crawls(self) -> dict[str, tuple[str, str, str]]:
        found = self._checks().crawls()
        return {check.said.partition(":")[0]: (check.level, check.said, check.to_do) for check in found}

    def accounts(self) -> list[tuple[str, str]]:
        return [(check.level, check.said) for check in self._checks().accounts()]

    def _checks(self) -> CrawlChecks:
        return CrawlChecks(self.deployment, NOW)

    def types(self, command: Any, *words: str) -> tuple[int, str]:
        given = Settings()
        given.__dict__["deployment"] = self.deployment
        ended = CliRunner().invoke(command, words, obj=given, standalone_mode=False)
        if isinstance(ended.exception, Failure):
            return ended.exception.code, str(ended.exception)
        assert ended.exception is None
        return ended.return_value, ended.output


@pytest.fixture
def stack(aws: Aws) -> Stack:
    return Stack(aws)


def test_a_crawl_that_is_overdue_is_wrong_though_its_last_run_was_complete(stack: Stack) -> None:
    stack.succeeded("nightly", days_ago=26)
    stack.history.set_overdue("nightly", (NOW - timedelta(days=24)).isoformat())
    code, said = stack.types(state.crawls)
    assert (code, "overdue: 26 d 00 h ago" in said, "pageturner doctor" in said) == (WRONG, True, True)
    assert stack.crawls()["nightly"] == (
        "wrong",
        "nightly: last complete 26 d 00 h ago; it became overdue 24 d 00 h ago",
        "pageturner start nightly",
    )


def test_a_crawl_that_nothing_has_started_yet_was_not_refused(stack: Stack) -> None:
    stack.history.set_promise("new", f"{NIGHTLY} UTC", NOW.isoformat())
    stack.history.refuse("held")
    code, said = stack.types(state.crawls)
    assert code == COMPLETE
    assert [line.split()[:3] for line in said.splitlines()[1:]] == [["held", "refused", "never"], ["new", "not", "yet"]]


def test_schedules_and_rules_are_said_with_the_crawls_that_they_start(stack: Stack) -> None:
    stack.succeeded("nightly")
    stack.schedule("nightly")
    stack.chain("chained", "nightly")
    assert stack.starts() == {
        "nightly": f"ok: nightly: {NIGHTLY}, last complete 0 s ago",
        "chained": "ok: chained: after nightly, last complete never",
    }


def test_what_was_switched_off_though_the_catalogue_promises_it_is_wrong(stack: Stack) -> None:
    stack.schedule("nightly", is_on=False)
    stack.chain("chained", "nightly", is_on=False)
    stack.schedule("paused", is_on=False)
    stack.history.set_promise("nightly", f"{NIGHTLY} UTC", NOW.isoformat())
    stack.history.set_promise("chained", "after nightly", NOW.isoformat())
    stack.history.set_promise("paused", "", NOW.isoformat())
    found = stack.starts()
    for crawl in ("nightly", "chained"):
        assert found[crawl].startswith("wrong: ")
        assert found[crawl].endswith("; it is off, but the catalogue promises it")
    assert found["paused"] == f"note: paused: {NIGHTLY}, last complete never; it is off"


def test_what_the_stack_has_and_nobody_finds_is_gone(stack: Stack) -> None:
    stack.schedule("kept")
    # The catalogue has it no longer: nothing is to start it.
    stack.history.set_promise("left", f"{NIGHTLY} UTC", NOW.isoformat())
    stack.declares(
        ("AWS::Scheduler::Schedule", "Scheduleskept", "Pageturner-kept"),
        ("AWS::Scheduler::Schedule", "Schedulesgone", "Pageturner-gone"),
        ("AWS::Events::Rule", "Chainsgone", "Pageturner-chain"),
    )
    found = stack.starts()
    assert [name for name, said in found.items() if said.startswith("wrong: ")] == [
        "Pageturner-chain is gone",
        "Pageturner-gone is gone",
    ]
    assert "left" not in found


def test_accounts_that_a_crawl_looks_up_are_unknown(stack: Stack) -> None:
    run = stack.succeeded("everywhere")
    crawl = {"name": "everywhere", "service": "s3", "operation": "list_buckets", "accounts": "organization"}
    assert stack.deployment.stores.runs.begin(run, crawl, 1, "e#", as_catalogued=True, source=None)
    ((level, said),) = stack.accounts()
    assert (level, said.startswith("everywhere looks up which accounts it reads")) == ("unknown", True)


def test_a_person_whom_the_role_of_an_account_does_not_trust_is_told_whom_to_ask(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stack.succeeded("other")
    crawl = {"name": "other", "service": "s3", "operation": "list_buckets", "accounts": ["111122223333"]}
    assert stack.deployment.stores.runs.begin(run, crawl, 1, "e#", as_catalogued=True, source=None)
    codes = iter(["AccessDenied", "ExpiredToken"])

    def refuses(**_: Any) -> None:
        raise ClientError({"Error": {"Code": next(codes), "Message": "m"}}, "AssumeRole")

    monkeypatch.setattr(stack.deployment.client("sts"), "assume_role", refuses)
    ((level, said),) = stack.accounts()
    assert (level, "it need not trust you" in said) == ("unknown", True)
    with pytest.raises(ClientError):  # for which doctor has a sentence of its own
        stack.accounts()


def test_an_alarm_that_rings_is_wrong_and_links_what_to_do(stack: Stack) -> None:
    cloudwatch = shared_client("cloudwatch")
    for name in ("Pageturner-CrawlOverdue", "Pageturner-Test-CrawlOverdue", "Pageturner-DeadLetters"):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            AlarmDescription="Nobody has looked. What to do: docs/operations.md#a-crawl-is-overdue",
            MetricName="m",
            Namespace="n",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
        cloudwatch.set_alarm_state(
            AlarmName=name, StateValue="OK" if "Dead" in name else "ALARM", StateReason="as it is"
        )
    (check,) = Doctor(stack.deployment, NOW)._alarms()
    assert (check.level, check.said) == ("wrong", "Pageturner-CrawlOverdue: Nobody has looked.")
    assert check.to_do == "docs/operations.md#a-crawl-is-overdue"


def test_who_may_look_at_nothing_is_not_told_that_nothing_is_wrong(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer: Any = {
        "Error": {"Code": "ExpiredTokenException", "Message": "m"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }

    class Expired:
        def __getattr__(self, name: str) -> Any:
            raise ClientError(answer, name)

    monkeypatch.setattr(Deployment, "client", lambda *_: Expired())
    monkeypatch.setattr(Deployment, "region", REGION)
    code, said = stack.types(state.doctor)
    assert code == UNREACHABLE
    assert "The credentials have expired" in said
    assert said.splitlines()[-1].startswith("nothing wrong was found, ")


def test_the_latest_runs_take_a_request_for_each_line_at_most(stack: Stack) -> None:
    for number in range(12):
        stack.succeeded(f"crawl-{number:02}", days_ago=number)
        stack.succeeded(f"crawl-{number:02}", days_ago=number + 0.5)
    asked: list[str] = []
    stack.deployment.client("dynamodb").meta.events.register("before-call", lambda model, **_: asked.append(model.name))
    code, said = stack.types(runs.runs, "--limit", "3")
    names = [line.partition("-2")[0] for line in said.splitlines()[1:]]
    assert (code, names) == (COMPLETE, ["crawl-00", "crawl-00", "crawl-01"])
    assert asked.count("Query") <= 1 + 3


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_the_runs_of_a_crawl_that_is_not_there_are_wrong_usage(stack: Stack, more: tuple[str, ...]) -> None:
    stack.succeeded("nightly")
    stack.history.set_promise("new", f"{NIGHTLY} UTC", NOW.isoformat())
    code, said = stack.types(runs.runs, "nightl", *more)
    assert (code, "Do you mean nightly?" in said) == (USAGE, True)
    assert stack.types(runs.runs, "new", *more) == (COMPLETE, "" if more else "new has not run yet.\n")
