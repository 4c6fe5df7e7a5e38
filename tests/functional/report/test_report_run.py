"""ReportRun, for runs of a bucket: the report and the page of all runs are in the bucket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

import report_run
from pageturner import telemetry
from pageturner.errors import SinkError
from pageturner.report.index import Index
from pageturner.report.page import data_in
from pageturner.report.reporting import Reporter
from tests.conftest import Aws, Machines
from tests.runs_of_a_bucket import KEYS, run_again

pytestmark = pytest.mark.usefixtures("source")


def data(aws: Aws, key: str) -> dict[str, Any]:
    answer = aws.s3.get_object(Bucket=aws.bucket, Key=key)
    assert answer["ContentType"] == "text/html; charset=utf-8"
    found = data_in(iter(answer["Body"].read().decode("ascii").splitlines()))
    assert found is not None
    return found


def report(machines: Machines, summary: Mapping[str, Any]) -> None:
    event = json.loads(json.dumps({"summary": summary, "execution": "execution-1"}))
    report_run.handler(event, machines.context)


def test_a_run_is_reported_beside_its_manifest_and_with_all_runs(aws: Aws, machines: Machines) -> None:
    summaries = [machines.publish(machines.run(aws, {"crawl": "c"})), machines.publish(run_again(aws, machines))]
    for summary in summaries:
        report(machines, summary)
        assert summary["report"] == f"s3://{aws.bucket}/runs/{summary['run_id']}/report.html"
        found = data(aws, f"runs/{summary['run_id']}/report.html")
        assert (found["totals"]["items"], found["totals"]["pages"]) == (len(KEYS), 4)
        assert found["headline"] == summary["message"]
        assert found["links"] == summary["links"]
        assert found["cost"]["estimated_cost"] == summary["estimated_cost"]
        assert sum(found["timeline"]["pages"]) == 4
    runs = data(aws, "runs/index.html")
    latest = dict(zip(runs["columns"], runs["runs"][0], strict=True))
    assert (latest["run_id"], latest["outcome"], latest["items"]) == (summary["run_id"], "succeeded", len(KEYS))


def test_people_are_told_although_there_is_no_report(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = machines.publish(machines.run(aws, {"crawl": "c"}))

    def write(*_: object) -> bool:
        raise SinkError("S3 is down")

    monkeypatch.setattr(Reporter, "write", write)
    report(machines, summary)
    (row,) = [row for row in aws.rows(aws.runs_table) if row["pk"]["S"] == "history#c"]
    assert "reported_at" in row
    assert "runs/index.html" in aws.object_keys("runs/")


def test_people_are_told_of_a_report_that_is_there(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = machines.publish(machines.run(aws, {"crawl": "c"}))
    there: list[bool] = []

    def tell(*_: object) -> None:
        there.append(f"runs/{summary['run_id']}/report.html" in aws.object_keys("runs/"))

    monkeypatch.setattr(report_run, "tell", tell)
    report(machines, summary)
    assert there == [True]


def test_a_page_of_all_runs_that_cannot_be_put_is_said_as_that(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = machines.publish(machines.run(aws, {"crawl": "c"}))
    said: list[str] = []

    def add(*_: object) -> None:
        raise SinkError("others put it")

    monkeypatch.setattr(Index, "add", add)
    monkeypatch.setattr(telemetry.logger, "error", lambda text, *values: said.append(text % values))
    report(machines, summary)
    assert said == ["the run is not on the page of all runs: others put it"]
