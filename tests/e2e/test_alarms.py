"""A crawl whose schedule is gone: CheckCrawls says so, the alarm rings, and people hear of both; and then it is well.

The emulator makes no metrics of what functions print, so the test does that. It does not evaluate missing data either:
tests/infra/test_monitoring.py looks at that in the template.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.conftest import Deployed

# The emulator looks at the last 15 minutes. In half a minute, this is none of them any more.
JUST_IN_TIME = timedelta(minutes=14, seconds=30)


class Heard:
    """What comes to a queue that is subscribed to the notices, in order."""

    def __init__(self, deployed: Deployed) -> None:
        self._deployed = deployed
        self._sqs = deployed.emulator.client("sqs")
        self._url = self._sqs.create_queue(QueueName="alarms-heard")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]
        self._sns = deployed.emulator.client("sns")
        self._subscription = self._sns.subscribe(
            TopicArn=deployed.outputs["NoticesTopic"],
            Protocol="sqs",
            Endpoint=attributes["QueueArn"],
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        self.subjects: list[str] = []
        self.messages: list[str] = []

    def wait_for(self, subject: str) -> str:
        """Wait for a message with this in its subject, and return it."""
        self._deployed.wait_for(lambda: self._hears(subject))
        return next(message for said, message in zip(self.subjects, self.messages, strict=True) if subject in said)

    def _hears(self, subject: str) -> bool:
        answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            body = json.loads(message["Body"])
            self.subjects.append(body["Subject"])
            self.messages.append(body["Message"])
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return any(subject in said for said in self.subjects)

    def close(self) -> None:
        self._sns.unsubscribe(SubscriptionArn=self._subscription)
        self._sqs.delete_queue(QueueUrl=self._url)


@pytest.fixture
def heard(deployed: Deployed) -> Iterator[Heard]:
    heard = Heard(deployed)
    yield heard
    heard.close()


def check(deployed: Deployed, measured_at: datetime | None = None) -> list[str]:
    """Invoke CheckCrawls, put the metrics that it prints, and return which crawls are overdue."""
    functions, logs = deployed.emulator.client("lambda"), deployed.emulator.client("logs")
    name = deployed.function("CheckCrawls")
    group = functions.get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"]

    def printed() -> list[dict[str, Any]]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        texts = [event["message"].strip() for page in pages for event in page["events"]]
        return [line for text in texts if text.startswith("{") and "_aws" in (line := json.loads(text))]

    before = len(printed())
    answer = functions.invoke(FunctionName=name, Payload=b"{}")
    returned = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, returned
    deployed.wait_for(lambda: len(printed()) > before)
    line = printed()[-1]
    for each in line["_aws"]["CloudWatchMetrics"]:
        assert each["Dimensions"] == [[]]
        data = [
            {"MetricName": metric["Name"], "Value": value, "Timestamp": measured_at or datetime.now(UTC)}
            for metric in each["Metrics"]
            for value in line[metric["Name"]]
        ]
        deployed.emulator.client("cloudwatch").put_metric_data(Namespace=each["Namespace"], MetricData=data)
    return list(returned["overdue"])


def state_of(deployed: Deployed, alarm: str) -> str:
    stack = deployed.outputs["Dashboard"]
    (found,) = deployed.emulator.client("cloudwatch").describe_alarms(AlarmNames=[f"{stack}-{alarm}"])["MetricAlarms"]
    return str(found["StateValue"])


def delete_schedule(deployed: Deployed, crawl: str) -> None:
    scheduler = deployed.emulator.client("scheduler")
    for each in scheduler.list_schedules()["Schedules"]:
        name = {"Name": each["Name"], "GroupName": each["GroupName"]}
        if json.loads(scheduler.get_schedule(**name)["Target"]["Input"]).get("crawl") == crawl:
            scheduler.delete_schedule(**name)
            return
    raise AssertionError(f"{crawl} has no schedule")


def age_status(deployed: Deployed, crawl: str, since: str) -> None:
    """Make the row say that CheckCrawls has seen this schedule since then."""
    deployed.dynamodb.update_item(
        TableName=deployed.outputs["RunsTable"],
        Key={"pk": {"S": "status"}, "sk": {"S": crawl}},
        UpdateExpression="SET promised_since = :since",
        ExpressionAttributeValues={":since": {"S": since}},
    )


def test_a_schedule_that_is_gone_rings_until_the_crawl_has_run(deployed: Deployed, heard: Heard) -> None:
    assert check(deployed) == []
    assert state_of(deployed, "CrawlOverdue") == "OK"

    delete_schedule(deployed, "yearly")
    age_status(deployed, "yearly", "2024-06-01T00:00:00.000Z")
    assert check(deployed, datetime.now(UTC) - JUST_IN_TIME) == ["yearly"]
    assert state_of(deployed, "CrawlOverdue") == "ALARM"
    alarm = json.loads(heard.wait_for('ALARM: "'))
    assert alarm["AlarmName"].endswith("-CrawlOverdue")
    assert "docs/operations.md#a-crawl-is-overdue" in alarm["AlarmDescription"]
    notice = heard.wait_for("Pageturner: overdue: yearly")
    assert "due by 2025-01-02T01:00:00.000Z" in notice

    # It goes on, and is not said again.
    assert check(deployed, datetime.now(UTC) - JUST_IN_TIME) == ["yearly"]
    deployed.run({"crawl": "yearly"})
    deployed.wait_for(lambda: check(deployed) == [] and state_of(deployed, "CrawlOverdue") == "OK")
    assert json.loads(heard.wait_for('OK: "'))["AlarmName"].endswith("-CrawlOverdue")
    assert heard.subjects.count("Pageturner: overdue: yearly") == 1


def test_the_dashboard_is_there(deployed: Deployed) -> None:
    cloudwatch = deployed.emulator.client("cloudwatch")
    body = json.loads(cloudwatch.get_dashboard(DashboardName=deployed.outputs["Dashboard"])["DashboardBody"])
    group = next(each for each in body["widgets"] if each["type"] == "log")["properties"]["query"].split("'")[1]
    assert deployed.emulator.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]


def test_people_hear_of_a_run_that_is_not_complete(deployed: Deployed, heard: Heard) -> None:
    asked = {"service": "s3", "operation": "list_objects_v2", "parameters": {"Bucket": "nobody-has-this-bucket"}}
    ended = deployed.wait(deployed.start(asked))
    assert ended["status"] == "FAILED"
    said, _, output = ended["cause"].partition("\n\n")
    notice = heard.wait_for("Pageturner: adhoc-s3-list_objects_v2 is not complete")
    summary = json.loads(output)
    assert notice.startswith(said)
    assert summary["links"]["report"] in notice
    assert f"pageturner why {summary['run_id']}" in notice
    key = summary["report"].removeprefix(f"s3://{deployed.outputs['ItemsBucket']}/")
    report = deployed.s3.get_object(Bucket=deployed.outputs["ItemsBucket"], Key=key)
    assert "Not complete" in report["Body"].read().decode()
