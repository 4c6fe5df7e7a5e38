"""What starts crawls by itself: the schedules and the EventBridge rules whose target is the Crawl machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pageturner_cli.deployment import Deployment


@dataclass(frozen=True)
class Start:
    """A schedule or a rule: which crawl it starts, and when."""

    crawl: str
    when: str
    is_enabled: bool


def found(deployment: Deployment) -> tuple[list[Start], list[str]]:
    """Return what is there, and the names of the stack's own schedules and rules that are not."""
    names, starts = set(), []
    for kind in (_schedules, _rules):
        for name, start in kind(deployment):
            names.add(name)
            starts += [start] if start is not None else []
    own = {
        physical
        for kind, _, physical in deployment.resources
        if kind in ("AWS::Scheduler::Schedule", "AWS::Events::Rule")
    }
    return starts, sorted(own - names)


def _schedules(deployment: Deployment) -> Iterator[tuple[str, Start | None]]:
    """Yield the name of each schedule, and what it starts if that is a crawl of the deployment."""
    scheduler = deployment.client("scheduler")
    for page in scheduler.get_paginator("list_schedules").paginate(GroupName="default"):
        for each in page["Schedules"]:
            # What lists schedules does not always say what they start.
            is_own = each.get("Target", {}).get("Arn", deployment.machine) == deployment.machine
            schedule = scheduler.get_schedule(Name=each["Name"], GroupName="default") if is_own else None
            if schedule is None or schedule["Target"]["Arn"] != deployment.machine:
                yield each["Name"], None
                continue
            crawl = json.loads(schedule["Target"].get("Input", "{}")).get("crawl", each["Name"])
            yield each["Name"], Start(crawl, schedule["ScheduleExpression"], schedule["State"] == "ENABLED")


def _rules(deployment: Deployment) -> Iterator[tuple[str, Start | None]]:
    """Yield the name of each rule, and what it starts if that is a crawl of the deployment."""
    events = deployment.client("events")
    starting = events.get_paginator("list_rule_names_by_target").paginate(TargetArn=deployment.machine)
    own = {name for page in starting for name in page["RuleNames"]}
    for page in events.get_paginator("list_rules").paginate():
        for rule in page["Rules"]:
            name = rule["Name"]
            if name not in own:
                yield name, None
                continue
            for target in events.list_targets_by_rule(Rule=name)["Targets"]:
                if target["Arn"] == deployment.machine:
                    template = target.get("InputTransformer", {}).get("InputTemplate", target.get("Input", "{}"))
                    crawl = json.loads(template).get("crawl", name)
                    yield name, Start(crawl, f"after {_source(rule)}", rule["State"] == "ENABLED")


def _source(rule: dict[str, str]) -> str:
    """The crawl after whose runs a rule starts another one."""
    detail = json.loads(rule.get("EventPattern", "{}")).get("detail", {})
    return ", ".join(detail.get("crawl", ["an event"]))
