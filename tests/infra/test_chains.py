"""What starts a crawl without a person: its schedule, or the end of another crawl's run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template
from moto.events.models import EventPattern

from infra.settings import SettingError
from pageturner.publish import announcing
from tests.histories import World, item, listed
from tests.infra.conftest import Synth
from tests.infra.test_resources import actions, statements

CATALOGUE = """
crawls:
  buckets: {service: s3, operation: list_buckets, key: Name, schedule: rate(1 day), flexible_time_window: 15}
  objects:
    service: s3
    operation: list_objects_v2
    for_each: {crawl: buckets, parameters: {Bucket: item.Name}}
    after: buckets
  roles: {service: iam, operation: list_roles, after: objects, enabled: false}
"""


@pytest.fixture(scope="module")
def chained(synth: Synth, tmp_path_factory: pytest.TempPathFactory) -> Template:
    path = tmp_path_factory.mktemp("chained") / "crawls.yaml"
    path.write_text(CATALOGUE)
    return synth(catalogue=str(path), stack_name="Mine")


def rules(template: Template) -> dict[str, Any]:
    """The rules of the chains, by the crawl that they start."""
    found = [each["Properties"] for each in template.find_resources("AWS::Events::Rule").values()]
    chains = [each for each in found if each["EventPattern"]["source"] == ["pageturner"]]
    return {json.loads(each["Targets"][0]["InputTransformer"]["InputTemplate"])["crawl"]: each for each in chains}


def test_a_crawl_starts_after_the_one_that_it_names(chained: Template) -> None:
    found = rules(chained)
    assert {name: each["EventPattern"]["detail"]["crawl"] for name, each in found.items()} == {
        "objects": ["buckets"],
        "roles": ["objects"],
    }
    assert {name: each["State"] for name, each in found.items()} == {"objects": "ENABLED", "roles": "DISABLED"}
    (target,) = found["objects"]["Targets"]
    transformer = target["InputTransformer"]
    assert json.loads(transformer["InputTemplate"]) == {"crawl": "objects", "trigger": "after <detail-run_id>"}
    assert transformer["InputPathsMap"] == {"detail-run_id": "$.detail.run_id"}
    assert target["Arn"]["Ref"].startswith("CrawlStateMachine")
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10}


def schedule_of_buckets(template: Template) -> dict[str, Any]:
    """The schedule of the only crawl that has one."""
    found = [each["Properties"] for each in template.find_resources("AWS::Scheduler::Schedule").values()]
    (only,) = [each for each in found if "buckets" in each["Target"].get("Input", "")]
    return dict(only)


def of_all_rules(template: Template) -> list[dict[str, Any]]:
    """The statements of the queue's policy that are about all rules of the account."""
    (policy,) = template.find_resources("AWS::SQS::QueuePolicy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    return [each for each in statements if "ArnLike" in each["Condition"]]


def finished(**changed: Any) -> dict[str, Any]:
    """The event of a run of the crawl `c` that is published, as EventBridge delivers it."""
    world = World()
    ran = world.run({"l1": listed([item("a")])})
    world.publish(ran)
    (sent,) = [event for event in world.events.sent if event["DetailType"] == announcing.RUN_FINISHED]
    detail = {**sent["Detail"], "stack": "Mine", **changed}
    return {"source": sent["Source"], "detail-type": sent["DetailType"], "detail": detail}


@pytest.mark.parametrize(
    ("changed", "starts"),
    [
        ({"crawl": "buckets"}, True),
        ({"crawl": "objects"}, False),
        ({"crawl": "buckets", "outcome": "failed"}, False),
        ({"crawl": "buckets", "as_catalogued": False}, False),
        ({"crawl": "buckets", "stack": "Theirs"}, False),
    ],
)
def test_only_a_whole_run_of_the_own_catalogue_starts_the_next(
    chained: Template, changed: dict[str, Any], starts: bool
) -> None:
    pattern = EventPattern.load(json.dumps(rules(chained)["objects"]["EventPattern"]))
    assert pattern.matches_event(finished(**changed)) == starts  # type: ignore[arg-type]


def test_what_changes_starts_nothing(chained: Template) -> None:
    pattern = EventPattern.load(json.dumps(rules(chained)["objects"]["EventPattern"]))
    event: Any = {**finished(crawl="buckets"), "detail-type": announcing.ITEMS_CHANGED}
    assert not pattern.matches_event(event)


def test_events_that_start_nothing_are_kept(chained: Template) -> None:
    """EventBridge needs the permission in the policy of the queue; Scheduler has it in its role."""
    resources = chained.to_json()["Resources"]
    (queue,) = chained.find_resources("AWS::SQS::Queue")
    arn = {"Fn::GetAtt": [queue, "Arn"]}
    for rule in rules(chained).values():
        assert [target["DeadLetterConfig"] for target in rule["Targets"]] == [{"Arn": arn}]
    chained.has_resource_properties(
        "AWS::Scheduler::Schedule", {"Target": Match.object_like({"DeadLetterConfig": {"Arn": arn}})}
    )
    # However many crawls are chained: a queue's policy has room for 20 statements.
    (sends,) = of_all_rules(chained)
    assert (sends["Action"], sends["Principal"]) == ("sqs:SendMessage", {"Service": "events.amazonaws.com"})
    assert sends["Resource"] == arn
    assert sends["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Join"][1][-1] == ":rule/*"
    assert {"states:StartExecution", "sqs:SendMessage"} <= actions(resources, "SchedulerRole")
    assert actions(resources, "CrawlStateMachineEventsRole") == {"states:StartExecution"}
    (statement,) = statements(resources, "CrawlStateMachineEventsRole")
    assert statement["Resource"]["Ref"].startswith("CrawlStateMachine")


def test_without_chains_no_rule_may_send_to_the_queue(template: Template) -> None:
    assert not rules(template)
    assert not of_all_rules(template)


def test_a_schedule_names_its_time_and_may_be_flexible(chained: Template, synth: Synth, tmp_path: Path) -> None:
    schedule = schedule_of_buckets(chained)
    assert schedule["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    trigger = "schedule <aws.scheduler.scheduled-time>"
    assert json.loads(schedule["Target"]["Input"]) == {"crawl": "buckets", "trigger": trigger}
    # It would be the same each time: MiniStack does not know it.
    path = tmp_path / "crawls.yaml"
    path.write_text(CATALOGUE)
    local = synth(catalogue=str(path), emulator="true")
    assert json.loads(schedule_of_buckets(local)["Target"]["Input"]) == {"crawl": "buckets"}


def test_more_crawls_than_a_stack_takes_are_told_so(synth: Synth, tmp_path: Path) -> None:
    path = tmp_path / "crawls.yaml"
    crawl = "{service: s3, operation: list_buckets, schedule: rate(1 day)}"
    path.write_text("crawls:\n" + "".join(f"  c{number}: {crawl}\n" for number in range(450)))
    said = (
        r'CloudFormation takes 500; each crawl with "schedule" or "after" is one: deploy \d\d of them as another stack'
    )
    with pytest.raises(SettingError, match=said):
        synth(catalogue=str(path))


@pytest.mark.parametrize("name", ["DeadLetters", "constructor", "toString", "hasOwnProperty", "Default", "Resource"])
def test_any_name_of_a_crawl_can_be_deployed(name: str, synth: Synth, tmp_path: Path) -> None:
    """Some are taken in the CDK's tree, where crawls stand beside the queue."""
    path = tmp_path / "crawls.yaml"
    crawls = {
        name: {"service": "s3", "operation": "list_buckets", "schedule": "rate(1 day)"},
        "b": {"service": "s3", "operation": "list_buckets", "after": name},
    }
    path.write_text(json.dumps({"crawls": crawls}))
    found = synth(catalogue=str(path))
    assert set(rules(found)) == {"b"}
    inputs = [
        each["Properties"]["Target"]["Input"] for each in found.find_resources("AWS::Scheduler::Schedule").values()
    ]
    assert any(name in text for text in inputs)
    crawls = {"a": {**crawls[name]}, name: {"service": "s3", "operation": "list_buckets", "after": "a"}}
    path.write_text(json.dumps({"crawls": crawls}))
    assert set(rules(synth(catalogue=str(path)))) == {name}
