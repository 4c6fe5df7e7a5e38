"""StopRun as it is deployed: what comes of its events when it fails, and that it reports as ReportRun does."""

from __future__ import annotations

from typing import Any

from aws_cdk.assertions import Template

from tests.infra.conftest import Synth
from tests.infra.test_resources import actions_of, statements


def test_who_fails_to_tell_that_an_execution_ended_is_a_dead_letter_too(
    template: Template, resources: dict[str, Any]
) -> None:
    """EventBridge has delivered the event when Lambda has it; that the function fails is Lambda's matter."""
    (queue,) = template.find_resources("AWS::SQS::Queue")
    of = template.find_resources("AWS::Lambda::EventInvokeConfig").values()
    found = {each["Properties"]["FunctionName"]["Ref"]: each["Properties"] for each in of}
    stop_run, check_crawls = (next(found[name] for name in found if of in name) for of in ("StopRun", "CheckCrawls"))
    assert (stop_run["MaximumRetryAttempts"], stop_run["MaximumEventAgeInSeconds"]) == (2, 3600)
    assert stop_run["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": [queue, "Arn"]}}}
    sends = [each for each in statements(resources, "FunctionsStopRun") if "sqs:SendMessage" in actions_of(each)]
    assert [each["Resource"] for each in sends] == [{"Fn::GetAtt": [queue, "Arn"]}]
    # Of checks, none waits longer than until the next one.
    assert (check_crawls["MaximumRetryAttempts"], check_crawls["MaximumEventAgeInSeconds"]) == (2, 900)


def test_whoever_reports_a_run_tells_of_its_changes_if_people_asked_for_it(template: Template, synth: Synth) -> None:
    """StopRun reports those that ReportRun could not."""
    for found, notice_changes in ((template, "false"), (synth(notice_changes="true"), "true")):
        told = {
            each["Properties"]["Handler"]: each["Properties"]["Environment"]["Variables"]["NOTICE_CHANGES"]
            for each in found.find_resources("AWS::Lambda::Function").values()
            if "NOTICE_CHANGES" in each["Properties"].get("Environment", {}).get("Variables", {})
        }
        assert told == dict.fromkeys(("report_run.handler", "stop_run.handler"), notice_changes)
