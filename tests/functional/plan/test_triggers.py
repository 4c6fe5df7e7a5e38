"""What starts runs by itself delivers at least once: a trigger that comes twice makes one run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pageturner.errors import InvalidCrawlError, OverlapError, SinkError
from pageturner.plan.planning import Planner
from tests.conftest import Aws, Machines
from tests.published import publish_as_it_is
from tests.runs_of_a_bucket import CRAWL, LATER, target_of

TRIGGERED = {"crawl": "c", "trigger": "schedule 2126-02-03T04:05:00Z"}


def dies_before_it_begins(machines: Machines, monkeypatch: pytest.MonkeyPatch, execution: str) -> None:
    """PlanRun has taken the trigger, and is killed."""

    def killed(*_: Any) -> None:
        raise SinkError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Planner, "_lock", killed)
        with pytest.raises(SinkError):
            machines.plan(TRIGGERED, execution)


@pytest.mark.usefixtures("source")
def test_a_trigger_that_is_delivered_twice_makes_one_run(aws: Aws, machines: Machines) -> None:
    planned = machines.plan(TRIGGERED, "one")
    run_id = planned["run"]["run_id"]
    machines.running = {"one", "two"}
    duplicate = {
        "outcome": "duplicate",
        "crawl": "c",
        "run_id": run_id,
        "execution": "one",
        "message": f'the trigger "schedule 2126-02-03T04:05:00Z" has started run {run_id} of the crawl c already, in '
        "one; so this execution starts none",
    }
    # Not a refusal, although the run has the lock.
    assert machines.plan(TRIGGERED, "two")["nothing_to_do"] == duplicate
    machines.turn_all(planned, target_of(aws, planned))
    summary = machines.finish(planned)
    publish_as_it_is(run_id)
    machines.running = {"three"}
    machines.started_at = LATER
    assert machines.plan(TRIGGERED, "three")["nothing_to_do"] == duplicate
    assert summary["outcome"] == "succeeded"
    # Another occasion.
    assert machines.plan({"crawl": "c", "trigger": "schedule 2126-02-04T04:05:00Z"}, "four")["run"]["run_id"] != run_id


@pytest.mark.usefixtures("source")
def test_an_execution_that_plans_again_goes_on_with_its_trigger(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PlanRun is retried, or its execution redriven; also if it was killed before it had begun the run."""
    dies_before_it_begins(machines, monkeypatch, "one")
    planned = machines.plan(TRIGGERED, "one")
    assert machines.plan(TRIGGERED, "one") == planned
    machines.finish(planned)
    machines.entered_at = LATER
    assert machines.plan(TRIGGERED, "one")["run"]["run_id"] == planned["run"]["run_id"]


@pytest.mark.usefixtures("source")
def test_a_trigger_is_not_lost_with_an_execution_that_began_no_run(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies_before_it_begins(machines, monkeypatch, "one")
    machines.running = {"one"}
    assert machines.plan(TRIGGERED, "two")["nothing_to_do"]["execution"] == "one", "it may still begin"
    machines.running = {"two"}
    planned = machines.plan(TRIGGERED, "two")
    # The trigger is not the first one's any more, whether it is late or redriven.
    machines.running = {"one", "two"}
    for execution in ("one", "three"):
        said = machines.plan(TRIGGERED, execution)["nothing_to_do"]
        assert (said["run_id"], said["execution"]) == (planned["run"]["run_id"], "two")


@pytest.mark.usefixtures("source")
def test_only_one_takes_the_trigger_of_a_dead_execution(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    dies_before_it_begins(machines, monkeypatch, "one")
    planned: list[dict[str, Any]] = []

    class Running(set[str]):
        def __contains__(self, execution: object) -> bool:
            if execution == "one" and not planned:
                planned.append({})
                planned[0] = machines.plan(TRIGGERED, "three")  # faster than who asks
            return super().__contains__(execution)

    machines.running = Running({"two", "three"})
    assert machines.plan(TRIGGERED, "two")["nothing_to_do"]["execution"] == "three"
    assert planned[0]["run"]["execution"] == "three"


@pytest.mark.usefixtures("source")
def test_a_run_that_is_refused_leaves_its_trigger_to_another_execution(machines: Machines) -> None:
    machines.plan({"crawl": "c"}, "one")
    machines.running = {"one"}
    with pytest.raises(OverlapError):
        machines.plan(TRIGGERED, "two")
    machines.running = set()
    assert "run" in machines.plan(TRIGGERED, "three")


@pytest.mark.usefixtures("source")
def test_triggers_of_other_crawls_are_others(machines: Machines) -> None:
    machines.catalogue = {"c": CRAWL, "d": CRAWL}
    machines.running = {"one", "two", "three"}
    after = {"trigger": "after buckets-20261126T090709Z-e93905de"}
    asked = [{"crawl": "c"}, {"crawl": "d"}, CRAWL, {**CRAWL, "parameters": {"Bucket": "other"}}]
    planned = [machines.plan({**each, **after}, f"execution-{number}") for number, each in enumerate(asked)]
    assert len({each["run"]["run_id"] for each in planned}) == 4


@pytest.mark.usefixtures("source")
def test_rows_of_triggers_expire_with_their_runs(aws: Aws, machines: Machines) -> None:
    machines.plan({"crawl": "c", "trigger": 128 * "ü€"}, "one")
    rows = {row["pk"]["S"]: row for row in aws.rows(aws.runs_table)}
    run = json.loads(next(row for row in rows.values() if row["sk"]["S"] == "run")["run"]["S"])
    assert rows["trigger#c"]["expires_at"] == {"N": str(run["expires_at"])}


@pytest.mark.usefixtures("source")
def test_a_dry_run_takes_no_trigger(machines: Machines) -> None:
    assert machines.plan({**TRIGGERED, "dry_run": True}, "one")["nothing_to_do"]["crawl"] == "c"
    machines.running = {"one"}
    assert "run" in machines.plan(TRIGGERED, "two")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            {"crawl": "c", "trigger": 5},
            "input.trigger: invalid value 5; must be text of 1 to 256 characters that names",
        ),
        ({"crawl": "c", "trigger": ""}, 'input.trigger: invalid value ""; must be text of 1 to 256 characters'),
        ({"crawl": "c", "trigger": 257 * "x"}, "input.trigger: invalid value "),
        ({"crawl": "c", "triger": "x"}, 'input.triger: unknown key; did you mean "trigger"'),
        ({"resume": "r", "trigger": "x"}, "input.trigger: cannot change when a run is resumed: it starts a run, and"),
        ({"publish": "r", "trigger": "x"}, "input.trigger: unknown key"),
    ],
)
@pytest.mark.usefixtures("source")
def test_a_wrong_trigger_is_told_so(document: object, said: str, machines: Machines) -> None:
    with pytest.raises(InvalidCrawlError, match=f"^{said}"):
        machines.plan(document)
