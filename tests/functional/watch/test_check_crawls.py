"""CheckCrawls on the rows that runs leave: what it logs, measures and says, and that it says it once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import check_crawls
from pageturner import clients, notices, telemetry
from pageturner.crawls.catalogue import parse_catalogue
from pageturner.crawls.crawl import Crawl
from pageturner.errors import SinkError, UnexpectedError
from pageturner.page_state import Run, utc_text
from pageturner.stores import Stores, keys
from pageturner.stores.run_table import RunTable
from tests.conftest import Aws, LambdaContext

NOON = datetime(2026, 5, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAILY = {"service": "s3", "operation": "list_buckets", "schedule": "cron(0 3 * * ? *)"}
SUMMARY = {
    "outcome": "succeeded",
    "verdict": "complete",
    "message": "complete: 2 items",
    "estimated_cost": 0.01,
    "pages": 1,
    "items": 2,
    "bytes": 3,
    "throttles": 0,
    "restarts": 0,
}


@dataclass
class Deployment:
    """The rows of a deployment, and CheckCrawls at a moment of its time."""

    capsys: pytest.CaptureFixture[str]
    caplog: pytest.LogCaptureFixture
    patch: pytest.MonkeyPatch
    sent: list[notices.Notice] = field(default_factory=list)
    crawls: dict[str, Any] = field(default_factory=lambda: {"c": DAILY})
    is_deaf: bool = False

    def check(self, now: datetime) -> dict[str, Any]:
        """Check, and return the metrics; the lines of the log are in `lines`."""

        class Clock(datetime):
            @classmethod
            def now(cls, _: Any = None) -> Any:
                return now

        catalogue: Mapping[str, Crawl] = parse_catalogue({"crawls": self.crawls})
        self.patch.setattr(check_crawls, "datetime", Clock)
        self.patch.setattr(check_crawls, "_catalogue", lambda: catalogue)
        self.patch.setattr(notices, "send", self._hear)
        self.caplog.clear()
        self.capsys.readouterr()
        returned = check_crawls.handler({}, LambdaContext())
        (metrics,) = map(json.loads, self.capsys.readouterr().out.splitlines())
        assert len(returned["overdue"]) == metrics["CrawlsOverdue"][0]
        return dict(metrics)

    def _hear(self, notice: notices.Notice) -> None:
        if self.is_deaf:
            raise SinkError
        self.sent.append(notice)

    def reads(self) -> list[tuple[str, int | None]]:
        """What is read from now on: partitions of the runs table, and how many rows at most."""
        read, rows = [], RunTable.rows

        def recorded(table: RunTable, partition: str, *, limit: int | None = None, **more: Any) -> Any:
            read.append((partition, limit))
            return rows(table, partition, limit=limit, **more)

        self.patch.setattr(RunTable, "rows", recorded)
        return read

    @property
    def lines(self) -> Any:
        return {vars(each)["crawl"]: vars(each) for each in self.caplog.records if each.message == "crawl checked"}

    def begin(self, started: datetime, crawl: str = "c") -> Run:
        text = utc_text(started)
        run = Run(f"{crawl}-{text}", text, text, "arn:execution", 0)
        Stores.of_environment().history.begin(run, crawl, as_catalogued=True)
        return run

    def end(self, run: Run, ended: datetime, crawl: str = "c", *, as_catalogued: bool = True, **said: Any) -> None:
        seconds = (ended - datetime.fromisoformat(run.started_at)).total_seconds()
        summary = {**SUMMARY, "ended_at": utc_text(ended), "seconds": seconds, "run_id": run.run_id, **said}
        Stores.of_environment().history.end(run, crawl, summary, as_catalogued=as_catalogued)

    def report(self, run: Run, ended: datetime, crawl: str = "c", **said: Any) -> None:
        seconds = (ended - datetime.fromisoformat(run.started_at)).total_seconds()
        summary = {**SUMMARY, "ended_at": utc_text(ended), "seconds": seconds, **said}
        Stores.of_environment().history.report(run, crawl, summary, summary, utc_text(ended + timedelta(minutes=1)))

    def run(self, started: datetime, took: timedelta, crawl: str = "c", **said: Any) -> Run:
        run = self.begin(started, crawl)
        self.end(run, started + took, crawl, **said)
        self.report(run, started + took, crawl, **said)
        return run


@pytest.fixture
def deployment(
    aws: Aws,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Deployment]:
    yield Deployment(capsys, caplog, monkeypatch)
    clients._client.cache_clear()


def test_who_runs_as_promised_is_well(deployment: Deployment) -> None:
    deployment.check(NOON)
    run = deployment.run(NOON + 15 * HOUR, HOUR / 2)
    metrics = deployment.check(NOON + 24 * HOUR)
    assert (metrics["CrawlsOverdue"], metrics["PublishLagSeconds"]) == ([0.0], [0.0])
    (of,) = metrics["_aws"]["CloudWatchMetrics"]
    assert (of["Namespace"], of["Dimensions"]) == (telemetry.metrics.namespace, [[]])
    assert {each["Name"]: each["Unit"] for each in of["Metrics"]} == {
        "CrawlsOverdue": "Count",
        "PublishLagSeconds": "Seconds",
    }
    line = deployment.lines["c"]
    assert (line["run_id"], line["outcome"], line["verdict"]) == (run.run_id, "succeeded", "complete")
    assert (line["hours_since_complete"], line["running_hours"], line["refused"]) == (8.5, None, 0)
    assert (line["overdue"], line["promised_at"]) == (False, "2026-05-07T04:00:00.000Z")
    assert deployment.sent == []


def test_at_a_first_deployment_nothing_is_overdue(deployment: Deployment) -> None:
    """Whatever the hour is, and however long the first run takes."""
    for hours in range(15 + 25):
        assert deployment.check(NOON + hours * HOUR)["CrawlsOverdue"] == [0.0]
    assert deployment.check(NOON + 40 * HOUR)["CrawlsOverdue"] == [1.0]
    assert deployment.lines["c"]["hours_since_complete"] is None
    (notice,) = deployment.sent
    assert "c has had no complete run yet. The next one was due by 2026-05-07T04:00:00.000Z." in notice.body
    assert "Nothing has started it." in notice.body
    assert "Type next: pageturner start c" in notice.body


def test_it_is_said_once_until_it_was_well_in_between(deployment: Deployment) -> None:
    deployment.check(NOON)
    deployment.run(NOON + 15 * HOUR, HOUR / 2)
    late = NOON + (15 + 24 + 1) * HOUR
    assert deployment.check(late - HOUR / 60)["CrawlsOverdue"] == [0.0]
    assert deployment.sent == []
    for minutes in (0, 15, 30):
        assert deployment.check(late + timedelta(minutes=minutes))["CrawlsOverdue"] == [1.0]
    (notice,) = deployment.sent
    assert (notice.kind, notice.subject) == ("overdue", "Pageturner: overdue: c")
    assert "c had its last complete run 24.5 hours ago." in notice.body
    deployment.run(late + HOUR, HOUR / 2)
    assert deployment.check(late + 2 * HOUR)["CrawlsOverdue"] == [0.0]
    assert len(deployment.sent) == 1
    assert deployment.check(late + 48 * HOUR)["CrawlsOverdue"] == [1.0]
    assert len(deployment.sent) == 2


def test_who_could_not_be_told_is_told_at_the_next_check(deployment: Deployment) -> None:
    deployment.check(NOON)
    late = NOON + 40 * HOUR
    deployment.is_deaf = True
    with pytest.raises(SinkError):
        deployment.check(late)
    deployment.is_deaf = False
    assert deployment.check(late + HOUR / 4)["CrawlsOverdue"] == [1.0]
    assert len(deployment.sent) == 1


def test_several_that_become_overdue_are_one_notice(deployment: Deployment) -> None:
    deployment.crawls = dict.fromkeys(("a", "b", "c", "d", "e"), DAILY)
    deployment.check(NOON)
    assert deployment.check(NOON + 40 * HOUR)["CrawlsOverdue"] == [5.0]
    (notice,) = deployment.sent
    assert notice.subject == "Pageturner: overdue: a, b, c and 2 more"
    assert notice.body.count("Type next:") == 5


def test_very_many_that_become_overdue_are_a_notice_that_somebody_can_read(deployment: Deployment) -> None:
    deployment.crawls = {f"c{number:02}": DAILY for number in range(60)}
    deployment.check(NOON)
    failed: dict[str, Any] = {"outcome": "failed", "verdict": "incomplete", "message": "x" * 2_000}
    for name in deployment.crawls:
        deployment.run(NOON + 15 * HOUR, HOUR / 2, name, **failed)
    assert deployment.check(NOON + 40 * HOUR)["CrawlsOverdue"] == [60.0]
    (notice,) = deployment.sent
    assert notice.body.count("pageturner why") == 50
    assert notice.body.endswith("\n\nAnd 10 more.\nType next: pageturner crawls\n")
    assert len(notice.body) < 50_000


def test_a_crawl_that_cannot_be_checked_keeps_no_other_from_being_checked(deployment: Deployment, aws: Aws) -> None:
    deployment.crawls = dict.fromkeys(("a", "b", "c"), DAILY)
    deployment.check(NOON)
    aws.dynamodb.update_item(
        TableName=aws.runs_table,
        Key=keys.row(keys.STATUS, "b"),
        UpdateExpression="SET promised_since = :nonsense",
        ExpressionAttributeValues={":nonsense": {"S": "nonsense"}},
    )
    for _ in range(2):
        with pytest.raises(UnexpectedError, match=r"^ValueError at checking\.py"):
            deployment.check(NOON + 40 * HOUR)
        assert [deployment.lines[name]["overdue"] for name in ("a", "c")] == [True, True]
        (metrics,) = map(json.loads, deployment.capsys.readouterr().out.splitlines())
        assert metrics["CrawlsOverdue"] == [2.0]
        (wrong,) = [vars(each) for each in deployment.caplog.records if each.message == "crawl not checked"]
        assert wrong["crawl"] == "b"
    assert [notice.subject for notice in deployment.sent] == ["Pageturner: overdue: a, c"]


def test_of_a_crawl_that_is_not_well_few_rows_are_read(deployment: Deployment) -> None:
    deployment.check(NOON)
    for hours in range(12):
        run = deployment.begin(NOON + hours * HOUR)
        deployment.end(run, NOON + (hours + 0.5) * HOUR)
    read = deployment.reads()
    assert deployment.check(NOON + 15 * HOUR)["PublishLagSeconds"] == [12.5 * 3600]
    assert read == [("status", None), ("history#c", 10)]


def test_runs_that_fail_do_not_keep_the_promise(deployment: Deployment) -> None:
    deployment.check(NOON)
    deployment.run(NOON + 15 * HOUR, HOUR / 2)
    failed: dict[str, Any] = {"outcome": "failed", "verdict": "incomplete", "message": "1 of 2 targets not complete"}
    run = deployment.run(NOON + 39 * HOUR, HOUR / 2, **failed)
    assert deployment.check(NOON + 40 * HOUR)["CrawlsOverdue"] == [1.0]
    assert deployment.lines["c"]["outcome"] == "failed"
    (notice,) = deployment.sent
    assert f"Its last run, {run.run_id}, ended: failed. 1 of 2 targets not complete" in notice.body
    assert f"Type next: pageturner why {run.run_id}" in notice.body


def test_a_run_that_goes_on_too_long_is_named(deployment: Deployment) -> None:
    deployment.check(NOON)
    deployment.run(NOON + 15 * HOUR, HOUR / 2)
    run = deployment.begin(NOON + 39 * HOUR)
    Stores.of_environment().history.refuse("c")
    assert deployment.check(NOON + 41.5 * HOUR)["CrawlsOverdue"] == [1.0]
    line = deployment.lines["c"]
    assert (line["running_hours"], line["outcome"], line["refused"]) == (2.5, None, 1)
    (notice,) = deployment.sent
    assert f"Its run {run.run_id} has been going on for 2.5 hours. 1 starts since were refused" in notice.body


def test_a_run_that_takes_long_to_be_published_keeps_the_promise_but_lags(deployment: Deployment) -> None:
    deployment.check(NOON)
    deployment.run(NOON + 15 * HOUR, HOUR / 2)
    run = deployment.begin(NOON + 39 * HOUR)
    deployment.end(run, NOON + 39.5 * HOUR)
    metrics = deployment.check(NOON + 42 * HOUR)
    assert (metrics["CrawlsOverdue"], metrics["PublishLagSeconds"]) == ([0.0], [2.5 * 3600])
    deployment.report(run, NOON + 39.5 * HOUR)
    assert deployment.check(NOON + 42 * HOUR)["PublishLagSeconds"] == [0.0]


def test_a_run_that_is_never_published_lags_until_a_later_one_is(deployment: Deployment) -> None:
    failed: dict[str, Any] = {"outcome": "failed", "verdict": "incomplete", "message": "not complete"}
    run = deployment.begin(NOON)
    deployment.end(run, NOON + HOUR, **failed)
    later = deployment.begin(NOON + 2 * HOUR)
    deployment.end(later, NOON + 3 * HOUR)
    assert deployment.check(NOON + 5 * HOUR)["PublishLagSeconds"] == [4 * 3600]
    deployment.report(later, NOON + 3 * HOUR)
    assert deployment.check(NOON + 5 * HOUR)["PublishLagSeconds"] == [0.0]


def test_a_run_of_something_else_keeps_no_promise(deployment: Deployment) -> None:
    """Somebody has run the crawl with other parameters."""
    deployment.check(NOON)
    run = deployment.begin(NOON + 15 * HOUR)
    deployment.end(run, NOON + 15.5 * HOUR, as_catalogued=False)
    deployment.report(run, NOON + 15.5 * HOUR)
    assert deployment.check(NOON + 40 * HOUR)["CrawlsOverdue"] == [1.0]


def test_another_schedule_counts_from_when_it_is_seen(deployment: Deployment) -> None:
    deployment.check(NOON)
    deployment.run(NOON + 15 * HOUR, HOUR / 2)
    for schedule in ("cron(0 * * * ? *)", "rate(1 hour)"):
        deployment.crawls = {"c": {**DAILY, "schedule": schedule}}
        assert deployment.check(NOON + 24.5 * HOUR)["CrawlsOverdue"] == [0.0]
    assert deployment.lines["c"]["promised_at"] == utc_text(NOON + 26.5 * HOUR)


def test_who_is_disabled_promises_nothing_and_is_well_when_enabled(deployment: Deployment) -> None:
    deployment.check(NOON)
    deployment.run(NOON + 15 * HOUR, HOUR / 2)
    assert deployment.check(NOON + 48 * HOUR)["CrawlsOverdue"] == [1.0]
    deployment.crawls = {"c": {**DAILY, "enabled": False}}
    assert deployment.check(NOON + 48 * HOUR)["CrawlsOverdue"] == [0.0]
    assert deployment.lines["c"]["promised_at"] is None
    deployment.crawls = {"c": DAILY}
    assert deployment.check(NOON + 96 * HOUR)["CrawlsOverdue"] == [0.0]
    assert deployment.lines["c"]["promised_at"] == "2026-05-10T04:00:00.000Z"
    assert len(deployment.sent) == 1


def test_who_has_no_schedule_is_looked_at_once_it_has_run(deployment: Deployment) -> None:
    deployment.crawls = {"c": {**DAILY, "schedule": None}, "other": DAILY}
    del deployment.crawls["c"]["schedule"]
    deployment.check(NOON)
    assert set(deployment.lines) == {"other"}
    deployment.run(NOON, HOUR)
    deployment.check(NOON + 1000 * HOUR)
    assert (deployment.lines["c"]["overdue"], deployment.lines["c"]["promised_at"]) == (False, None)


def test_an_earlier_version_s_runs_are_no_fault(deployment: Deployment) -> None:
    """The status has no promise yet: it begins with the first check."""
    deployment.run(NOON - 1000 * HOUR, HOUR)
    assert deployment.check(NOON)["CrawlsOverdue"] == [0.0]
    assert deployment.lines["c"]["promised_at"] == "2026-05-06T05:00:00.000Z"


def test_who_comes_after_another_crawl_is_due_after_its_runs(deployment: Deployment) -> None:
    deployment.crawls = {"source": DAILY, "c": {"service": "s3", "operation": "list_buckets", "after": "source"}}
    deployment.check(NOON)
    for day in range(3):
        start = NOON + (15 + 24 * day) * HOUR
        deployment.run(start, HOUR / 2, "source")
        assert deployment.check(start + HOUR)["CrawlsOverdue"] == [0.0]
        deployment.run(start + HOUR, HOUR / 2)
    deployment.run(NOON + 90 * HOUR, HOUR / 2, "source", as_catalogued=False)
    deployment.check(NOON + 93 * HOUR)
    assert deployment.lines["c"]["promised_at"] is None
    deployment.run(NOON + 93 * HOUR, HOUR / 2, "source")
    deployment.check(NOON + 94 * HOUR)
    awaited = deployment.lines["c"]
    assert (awaited["promised_at"], awaited["overdue"]) == ("2026-05-09T10:31:00.000Z", False)
    assert deployment.check(NOON + 95 * HOUR)["CrawlsOverdue"] == [1.0]
    # The source goes on, and is well.
    deployment.run(NOON + 111 * HOUR, HOUR / 2, "source")
    assert deployment.check(NOON + 111.6 * HOUR)["CrawlsOverdue"] == [1.0]
    assert [deployment.lines[name]["overdue"] for name in ("source", "c")] == [False, True]


def test_the_runs_of_a_source_are_read_once_and_only_while_one_is_awaited(deployment: Deployment) -> None:
    after = {"service": "s3", "operation": "list_buckets", "after": "source"}
    deployment.crawls = {"source": DAILY, "b": after, "c": after, "d": after}
    deployment.check(NOON)
    deployment.run(NOON + 15 * HOUR, HOUR / 2, "source")
    read = deployment.reads()
    deployment.check(NOON + 16 * HOUR)
    assert [deployment.lines[name]["promised_at"] for name in "bcd"] == ["2026-05-07T04:31:00.000Z"] * 3
    assert read == [("status", None), ("history#source", 5_000)]
    for name in "bcd":
        deployment.run(NOON + 16 * HOUR, HOUR / 2, name)
    read.clear()
    deployment.check(NOON + 17 * HOUR)
    assert [deployment.lines[name]["promised_at"] for name in "bcd"] == [None] * 3
    assert read == [("status", None)]


def test_who_cannot_read_the_runs_of_a_source_does_not_take_it_for_one_without_runs(deployment: Deployment) -> None:
    """What an iterator has not yielded before it raised is read again for the next one."""
    after = {"service": "s3", "operation": "list_buckets", "after": "source"}
    deployment.crawls = {"source": DAILY, "b": after, "c": after}
    deployment.check(NOON)
    deployment.run(NOON + 15 * HOUR, HOUR / 2, "source")
    rows, failures = RunTable.rows, [SinkError("throttled")]

    def failing_once(table: RunTable, partition: str, **more: Any) -> Iterator[Any]:
        if partition == "history#source" and failures:
            raise failures.pop()
        yield from rows(table, partition, **more)

    deployment.patch.setattr(RunTable, "rows", failing_once)
    with pytest.raises(SinkError, match="throttled"):
        deployment.check(NOON + 16 * HOUR)
    assert deployment.lines["c"]["promised_at"] == "2026-05-07T04:31:00.000Z"


def test_a_crawl_that_has_left_the_catalogue_promises_nothing(deployment: Deployment) -> None:
    deployment.check(NOON)
    deployment.check(NOON + 48 * HOUR)
    (status,) = Stores.of_environment().history.crawls()
    assert status.overdue_since is not None
    deployment.crawls = {}
    assert deployment.check(NOON + 49 * HOUR)["CrawlsOverdue"] == [0.0]
    (status,) = Stores.of_environment().history.crawls()
    assert (status.promise, status.promised_since, status.overdue_since) == (None, None, None)
