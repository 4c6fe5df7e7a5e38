"""Targets in regions where the service has no endpoint."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pageturner.crawls.catalogue import parse_input
from pageturner.finish.summary import SUMMED, Tally, summary
from pageturner.page_state import Run
from pageturner.paging import api
from tests.conftest import Aws, Machines

KNOWN = api.known_regions()
CAUSE = "sqs has no endpoint in the region: there is no name"


def ends(
    aws: Aws, machines: Machines, crawl: dict[str, Any], absent: str, execution: str = "execution-1"
) -> dict[str, Any]:
    """Return the summary of a run of two regions, of which `absent` has no endpoint."""
    planned = machines.plan(crawl, execution)
    listed = aws.json(planned["targets"]["key"])
    (gone,) = [target for target in listed if target["region"] == absent]
    for target in listed:
        if target is not gone:
            machines.turn_all(planned, target)
    record = {
        "pk": f"run#{planned['run']['run_id']}",
        "sk": f"verdict#1#{gone['target_id']}",
        "verdict": "absent",
        "error": "NoEndpointError",
        "cause": json.dumps({"errorMessage": CAUSE}),
    }
    aws.dynamodb.put_item(TableName=aws.runs_table, Item={name: {"S": value} for name, value in record.items()})
    return machines.finish(planned)


@pytest.fixture
def two_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The regions of `[all]`: one that botocore does not know for the service, and the deployment's own."""
    from pageturner.plan.places import Places

    monkeypatch.setattr(Places, "_enabled", lambda *_: ["eu-north-9", "us-east-1"])


ALL: dict[str, Any] = {"service": "sqs", "operation": "list_queues", "regions": ["all"]}


@pytest.mark.usefixtures("two_regions")
def test_a_region_without_the_service_does_not_fail_a_run_of_all_regions(aws: Aws, machines: Machines) -> None:
    summary = ends(aws, machines, ALL, "eu-north-9")
    assert (summary["outcome"], summary["verdict"]) == ("succeeded", "complete")
    assert summary["targets"] == {"absent": 1, "complete": 1}
    assert summary["message"].startswith("complete: 0 items on 1 page of 2 targets; 1 of them absent: the service has")


@pytest.mark.parametrize(("own", "short"), [("us-east-1", 0), ("eu-north-9", 1)])
def test_the_own_region_is_not_one_where_nobody_expects_the_service(own: str, short: int) -> None:
    tally = Tally(parse_input(ALL, {}), own)
    entry = {"verdict": "absent", "error": "NoEndpointError", "cause": CAUSE, "region": "eu-north-9", "account": "1"}
    tally.add({**entry, "parameters": {}, "last_throttle": "", **dict.fromkeys((*SUMMED, "write_units"), 0)})
    assert (tally.short, tally.absent) == (short, 1 - short)


AGENTS: dict[str, Any] = {"service": "bedrock-agent", "operation": "list_agents", "regions": ["all"]}


@pytest.mark.parametrize(
    ("crawl", "verdicts", "outcome", "said"),
    [
        # botocore knows no region of the service, so nobody expects it in the deployment's own either.
        (AGENTS, {"us-east-1": "absent", "eu-west-1": "complete"}, "succeeded", "complete: "),
        # Without any region, nothing says that the service is anywhere, and the run must not pass for a whole one.
        (AGENTS, {"us-east-1": "absent", "eu-west-1": "absent"}, "failed", "2 of 2 targets not complete (2 absent). "),
        (
            {**AGENTS, "tolerate": ["absent"]},
            {"us-east-1": "absent", "eu-west-1": "absent"},
            "succeeded",
            "as requested (2 ",
        ),
    ],
)
def test_a_service_whose_regions_botocore_does_not_know(
    crawl: dict[str, Any], verdicts: dict[str, str], outcome: str, said: str
) -> None:
    run = Run("run", "2026-01-01", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", 0)
    tally = Tally(parse_input(crawl, {}), "us-east-1")
    for region, verdict in verdicts.items():
        entry = {"target_id": region, "account": "1", "region": region, "verdict": verdict, "parameters": {}}
        error = {"error": "NoEndpointError", "cause": CAUSE} if verdict == "absent" else {}
        tally.add({**entry, **error, "last_throttle": "", **dict.fromkeys((*SUMMED, "write_units"), 0)})
    ended = summary(run, tally, datetime(2026, 1, 1, 1, tzinfo=UTC))
    assert ended["outcome"] == outcome
    assert ended["message"].startswith(said)


def test_a_region_where_the_service_is_known_fails_the_run(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name can be down for hours, as DynamoDB's was in us-east-1 in October 2025."""
    from pageturner.plan.places import Places

    monkeypatch.setattr(Places, "_enabled", lambda *_: ["eu-west-1", "us-east-1"])
    assert ends(aws, machines, ALL, "eu-west-1")["outcome"] == "failed"


@pytest.mark.usefixtures("two_regions")
@pytest.mark.parametrize(
    ("regions", "outcome"),
    [(["eu-*", "us-east-1"], "succeeded"), (["!us-west-*"], "succeeded"), (["all", "eu-north-9"], "failed")],
)
def test_a_region_that_a_pattern_chose_may_lack_the_service(
    regions: list[str], outcome: str, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pageturner.crawls.regions.api.known_regions", lambda: {**KNOWN, "eu-north-9": "aws"})
    assert ends(aws, machines, {**ALL, "regions": regions}, "eu-north-9")["outcome"] == outcome


def test_a_region_that_was_listed_fails_the_run_unless_tolerated(aws: Aws, machines: Machines) -> None:
    listed = {**ALL, "regions": ["eu-north-1", "us-east-1"]}
    assert ends(aws, machines, listed, "eu-north-1")["outcome"] == "failed"
    tolerated = ends(aws, machines, {**listed, "tolerate": ["absent"]}, "eu-north-1", "execution-2")
    assert (tolerated["outcome"], tolerated["verdict"]) == ("succeeded", "incomplete")
