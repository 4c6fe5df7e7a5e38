"""Alarms, dashboard and saved queries: they ask for what is logged and measured, and each alarm has its entry."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template
from botocore.exceptions import ClientError

from infra import log_queries
from infra.alarms import ANSWERS_OF_SERVICES
from infra.dashboard import BY_CRAWL
from infra.log_queries import LogQuery
from infra.settings import SettingError
from pageturner import clients, telemetry
from pageturner.errors import ThrottledError
from pageturner.page_state import FROM_CHECKPOINT
from tests.conftest import Aws, Machines
from tests.infra.conftest import PROJECT, Synth
from tests.infra.test_resources import actions_of, statements

OPERATIONS = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
QUERIES = {query.name: query for query in (*log_queries.SAVED, log_queries.BY_DAY)}
# What Lambda, and Logs Insights itself, put beside what the functions log.
NOT_OURS = {"@timestamp", "@log", "errorType", "errorMessage", "type", "record.status", "record.errorType"}


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def entries(section: str) -> list[str]:
    """The entries of a section of docs/operations.md."""
    text = OPERATIONS.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"^### (.*)$", text, re.MULTILINE)


@pytest.fixture(scope="module")
def alarms(resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The alarms by name."""
    found = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    return {each["AlarmName"].removeprefix("Pageturner-"): each for each in found}


def test_every_alarm_has_its_entry_and_every_entry_its_alarm(alarms: dict[str, dict[str, Any]]) -> None:
    linked = {each["AlarmDescription"].rpartition("docs/operations.md#")[2] for each in alarms.values()}
    assert linked == {anchor(heading) for heading in entries("The alarms")}


def test_a_link_that_works_for_whoever_deployed_is_a_setting(synth: Synth) -> None:
    url = "https://example.com/operations.html"
    found = synth(documentation_url=url).find_resources("AWS::CloudWatch::Alarm").values()
    assert all(f": {url}#" in each["Properties"]["AlarmDescription"] for each in found)
    for wrong in ("", "two words", f"{url}#alarms"):
        with pytest.raises(SettingError, match="it must be where docs/operations"):
            synth(documentation_url=wrong)


def test_every_alarm_acts_on_the_notices(alarms: dict[str, dict[str, Any]], resources: dict[str, Any]) -> None:
    (topic,) = [name for name, each in resources.items() if each["Type"] == "AWS::SNS::Topic"]
    for each in alarms.values():
        assert each["AlarmActions"] == [{"Ref": topic}]
        assert len(each["AlarmDescription"]) <= 1024
    lasting = {name for name, each in alarms.items() if each.get("OKActions") == [{"Ref": topic}]}
    assert lasting == {"CrawlOverdue", "ThrottledTooLong", "PublishLags", "DeadLetters"}


def test_alarms_may_publish_to_the_topic(template: Template) -> None:
    """CloudWatch's alarms do so by the topic's policy, and one that the topic is given replaces that by default."""
    allowed = {
        "Action": "sns:Publish",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Condition": Match.object_like({"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}),
    }
    statement = Match.array_with([Match.object_like(allowed)])
    template.has_resource_properties("AWS::SNS::TopicPolicy", {"PolicyDocument": {"Statement": statement}})


def test_who_is_dead_is_overdue(alarms: dict[str, dict[str, Any]]) -> None:
    """MiniStack does not evaluate missing data."""
    breaching = {name for name, each in alarms.items() if each["TreatMissingData"] == "breaching"}
    assert breaching == {"CrawlOverdue"}
    overdue = alarms["CrawlOverdue"]
    assert (overdue["Threshold"], overdue["Statistic"], overdue["EvaluationPeriods"]) == (1, "Maximum", 1)


def test_a_check_that_comes_late_is_in_time_for_the_alarm(
    alarms: dict[str, dict[str, Any]], template: Template
) -> None:
    """Each check has its period, of which CloudWatch looks at more than the last if it is empty."""
    assert alarms["CrawlOverdue"]["Period"] == alarms["PublishLags"]["Period"] == 15 * 60
    template.has_resource_properties("AWS::Scheduler::Schedule", {"ScheduleExpression": "rate(15 minutes)"})


def test_when_alarms_ring(alarms: dict[str, dict[str, Any]]) -> None:
    assert {each["ComparisonOperator"] for each in alarms.values()} == {"GreaterThanOrEqualToThreshold"}
    assert {name: each["Threshold"] for name, each in alarms.items() if each["Threshold"] != 1} == {"PublishLags": 3600}
    throttled = alarms["ThrottledTooLong"]
    assert throttled["Period"] * throttled["EvaluationPeriods"] == 3600
    assert "DatapointsToAlarm" not in throttled  # all of them
    assert "Dimensions" not in throttled


def test_every_function_but_those_that_answer_for_services_has_an_alarm(
    alarms: dict[str, dict[str, Any]], template: Template
) -> None:
    functions = [
        each["Properties"]["Handler"].removesuffix(".handler").replace("_", " ").title().replace(" ", "")
        for each in template.find_resources("AWS::Lambda::Function").values()
        if each["Properties"]["Handler"].endswith(".handler") and "Role" in each["Properties"]
    ]
    named = {name.removesuffix("Errors") for name in alarms if name.endswith("Errors")}
    assert named == set(functions) - set(ANSWERS_OF_SERVICES)
    assert set(ANSWERS_OF_SERVICES) < set(functions)


def test_the_schedule_may_only_invoke_check_crawls(template: Template, resources: dict[str, Any]) -> None:
    (schedule,) = [
        each["Properties"]
        for each in template.find_resources("AWS::Scheduler::Schedule").values()
        if each["Properties"]["ScheduleExpression"] == "rate(15 minutes)"
    ]
    role = schedule["Target"]["RoleArn"]["Fn::GetAtt"][0]
    allowed = {action: str(each["Resource"]) for each in statements(resources, role) for action in actions_of(each)}
    assert set(allowed) == {"lambda:InvokeFunction", "sqs:SendMessage"}
    assert set(re.findall(r"Functions[A-Z]\w+", allowed["lambda:InvokeFunction"])) == {
        schedule["Target"]["Arn"]["Fn::GetAtt"][0]
    }
    assert schedule["Target"]["Arn"]["Fn::GetAtt"][0].startswith("FunctionsCheckCrawls")
    assert "SchedulesDeadLetters" in allowed["sqs:SendMessage"]


def test_who_cannot_be_told_that_an_execution_ended_is_a_dead_letter(template: Template) -> None:
    queue = {"Fn::GetAtt": [Match.string_like_regexp("SchedulesDeadLetters.*"), "Arn"]}
    target = Match.object_like({"DeadLetterConfig": {"Arn": queue}})
    template.has_resource_properties(
        "AWS::Events::Rule", {"Description": "Pageturner: a Crawl execution has ended", "Targets": [target]}
    )


def test_the_emulator_has_no_saved_queries_of_logs(template: Template, synth: Synth) -> None:
    template.resource_count_is("AWS::Logs::QueryDefinition", len(log_queries.SAVED))
    synth(emulator="true").resource_count_is("AWS::Logs::QueryDefinition", 0)


_PRINTED: list[dict[str, Any]] = []


@pytest.fixture
def printed(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The lines that the functions print, in the first test that asks for them."""
    if not _PRINTED:
        _PRINTED.extend(request.getfixturevalue("printed_now"))
    return _PRINTED


@pytest.fixture
def printed_now(
    aws: Aws,
    machines: Machines,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> list[dict[str, Any]]:
    """The lines for a crawl that is throttled, succeeds, fails, is stopped, and is checked."""
    import check_crawls
    import report_run
    from pageturner.crawls.catalogue import parse_catalogue

    machines.catalogue = {
        "c": {
            "service": "s3",
            "operation": "list_objects_v2",
            "parameters": {"Bucket": "one-bucket"},
            "key": "Key",
            "schedule": "rate(1 day)",
        }
    }
    aws.s3.create_bucket(Bucket="one-bucket")
    aws.put_objects("one-bucket", ["k"])
    planned = machines.plan({"crawl": "c"})
    (target,) = aws.json(planned["targets"]["key"])

    def slow_down(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "less"}}, "ListObjectsV2")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clients.client("s3", "us-east-1"), "list_objects_v2", slow_down)
        with pytest.raises(ThrottledError):
            machines.fetch(planned, target, FROM_CHECKPOINT)
    machines.turn_all(planned, target)
    summary = machines.publish(machines.finish(planned))
    report_run.handler({"summary": summary, "execution": "execution-1"}, machines.context)
    failed = machines.plan({"crawl": "c"}, "execution-2")
    summary = machines.publish(machines.finish(failed), "execution-2")
    assert summary["outcome"] == "failed"
    report_run.handler({"summary": summary, "execution": "execution-2"}, machines.context)
    machines.fail(summary, "execution-2")
    machines.plan({"crawl": "c"}, "execution-3")
    machines.stop("execution-3")
    machines.plan({"crawl": "c"}, "execution-4")
    monkeypatch.setattr(check_crawls, "_catalogue", lambda: parse_catalogue({"crawls": machines.catalogue}))
    check_crawls.handler({}, machines.context)
    # The logger has the standard output of the first test.
    logged = [str(telemetry.logger.registered_formatter.format(record)) for record in caplog.records]
    return [json.loads(line) for line in (*capsys.readouterr().out.splitlines(), *logged)]


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    """The names of all fields, as Logs Insights discovers them: objects are none themselves."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from paths(inner, f"{prefix}.{name}" if prefix else name)
    else:
        yield prefix


WORDS = {
    *("filter", "stats", "fields", "sort", "limit", "by", "as", "and", "or", "desc", "asc", "ispresent", "count"),
    *("sum", "avg", "max", "min", "pct", "latest", "bin", "m", "d", "like", "coalesce"),
}


def asked(query: LogQuery) -> set[str]:
    """The fields that a query names, without those that it makes itself."""
    text = re.sub(r'"[^"]*"', "", query.text)
    made = set(re.findall(r"\bas (\w+)", text))
    return set(re.findall(r"@?[A-Za-z_][\w.]*", text)) - WORDS - made


def test_every_field_that_a_query_names_is_logged(printed: list[dict[str, Any]]) -> None:
    logged = {path for line in printed for path in paths(line)} | NOT_OURS
    for query in QUERIES.values():
        assert asked(query) <= logged, query.name


def test_every_line_that_a_query_looks_for_is_logged(printed: list[dict[str, Any]]) -> None:
    messages = {line.get("message") for line in printed}
    sought = {found for query in QUERIES.values() for found in re.findall(r'message = "([^"]*)"', query.text)}
    assert sought == {"run reported", "crawl checked", "throttled"}
    assert sought <= messages


def test_every_query_is_about_the_functions_that_log_it() -> None:
    of = {"run reported": "ReportRun", "crawl checked": "CheckCrawls", "throttled": "FetchPage"}
    for query in QUERIES.values():
        for message in re.findall(r'message = "([^"]*)"', query.text):
            assert query.functions == (of[message],)
        if "fetch_ms" in query.text:
            assert query.functions == ("FetchPage",)


def test_every_metric_that_is_looked_at_is_measured(
    printed: list[dict[str, Any]], alarms: dict[str, dict[str, Any]], resources: dict[str, Any]
) -> None:
    measured = {
        (metric["Name"], tuple(dimensions))
        for line in printed
        for each in line.get("_aws", {}).get("CloudWatchMetrics", [])
        for metric in each["Metrics"]
        for dimensions in each["Dimensions"]
    }
    own = [each for each in alarms.values() if each["Namespace"] == "Pageturner"]
    assert {(each["MetricName"], ()) for each in own} <= measured
    assert {(name, ("crawl",)) for name in BY_CRAWL} <= measured
    assert {each["Namespace"] for each in alarms.values()} == {"Pageturner", "AWS/Lambda", "AWS/SQS"}
    body = str(_dashboard(resources))
    assert set(re.findall(r'MetricName=\\*"(\w+)', body)) == set(BY_CRAWL)


def test_every_metric_has_its_price_and_meaning(printed: list[dict[str, Any]]) -> None:
    table = OPERATIONS.partition("\n## The metrics\n")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    measured = {
        metric["Name"]
        for line in printed
        for each in line.get("_aws", {}).get("CloudWatchMetrics", [])
        for metric in each["Metrics"]
    }
    assert documented == measured


def test_every_saved_query_is_in_the_document() -> None:
    table = OPERATIONS.partition("\n## Questions to the logs\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| \*\*(.*?)\*\*", table, re.MULTILINE)) == {query.name for query in log_queries.SAVED}


def _dashboard(resources: dict[str, Any]) -> dict[str, Any]:
    (found,) = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::CloudWatch::Dashboard"]
    parts = found["DashboardBody"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else str(part.get("Ref") or part["Fn::GetAtt"][0]) for part in parts)
    body: dict[str, Any] = json.loads(text)
    return body


def test_the_first_row_of_the_dashboard_says_if_it_is_well(
    resources: dict[str, Any], alarms: dict[str, dict[str, Any]]
) -> None:
    body = _dashboard(resources)
    state, crawls = [each for each in body["widgets"] if each["y"] == 0]
    assert (state["type"], len(state["properties"]["alarms"])) == ("alarm", len(alarms))
    assert crawls["type"] == "log"
    assert "crawl checked" in crawls["properties"]["query"]
    assert "FunctionsCheckCrawlsLogs" in crawls["properties"]["query"]


def test_the_dashboard_has_the_stack_s_name_and_is_an_output(template: Template) -> None:
    template.has_resource_properties("AWS::CloudWatch::Dashboard", {"DashboardName": "Pageturner"})
    template.has_output("Dashboard", {"Value": "Pageturner"})
