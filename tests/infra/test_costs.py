"""What orchestration costs, by the state machines as they are synthesized: a state more in a loop is seen here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bench import cost
from pageturner import costs
from pageturner.publish import metering


def way(machine: Mapping[str, Any], chosen: Mapping[str, str], start: str | None = None, until: str = "") -> list[str]:
    """Return the states from one to `until`, to the end, or around; each Choice takes its branch."""
    states = machine["States"]
    name, path = start or machine["StartAt"], list[str]()
    while name not in (until, *path):
        path.append(name)
        state = states[name]
        if state["Type"] == "Choice":
            branches = {branch["Next"] for branch in state["Choices"]} | {state["Default"]}
            assert chosen[name] in branches, name
            name = chosen[name]
        elif "Next" in state:
            name = state["Next"]
        else:
            break
    return path


AT_ONCE = {"AnythingToDo?": "LongTargets", "Continues?": "PublishRun", "AnyLeft?": "FinishRun"}
IN_BATCHES = {**AT_ONCE, "AnythingToDo?": "ShortTargets"}


def test_a_run_has_the_transitions_that_are_counted(crawl_machine: dict[str, Any]) -> None:
    of_all = costs._OF_PLANNING + costs._OF_FINISHING
    assert len(way(crawl_machine, AT_ONCE, until="PublishRun")) == of_all + costs._OF_LONG_TARGETS
    assert len(way(crawl_machine, IN_BATCHES, until="PublishRun")) == of_all + costs._OF_BATCHES
    some_left = {**IN_BATCHES, "AnyLeft?": "LongTargets"}
    both = of_all + costs._OF_BATCHES + costs._OF_LONG_TARGETS
    assert len(way(crawl_machine, some_left, until="PublishRun")) == both


def test_a_page_loop_has_the_transitions_that_are_counted(crawl_machine: dict[str, Any]) -> None:
    child = crawl_machine["States"]["LongTargets"]["ItemProcessor"]
    assert len(way(child, {"PageLoopEnded?": "TakePlace"})) == costs._OF_LOOP
    assert len(way(child, {"PageLoopEnded?": "TargetEnded"})) == costs._OF_LOOP


def test_publishing_has_the_transitions_that_are_counted(crawl_machine: dict[str, Any]) -> None:
    ends = way(crawl_machine, {"Published?": "TakeSummary", "RunComplete?": "RunSucceeded"}, "PublishRun")
    assert len(ends) == metering.OF_PUBLISH_RUN + metering.REST.transitions == costs.OF_PUBLISHING.transitions
    parts = way(crawl_machine, {"Published?": "PublishParts"}, "PublishRun")
    assert len(parts) == metering.OF_PUBLISH_RUN + metering.OF_PARTS
    part = crawl_machine["States"]["PublishParts"]["ItemProcessor"]
    assert costs._OF_CHILD + len(way(part, {"MoreOfPart?": "PartPublished"})) == metering.OF_PUBLISH_PART


def test_a_child_of_express_costs_no_transition_but_its_start(crawl_machine: dict[str, Any]) -> None:
    processor = crawl_machine["States"]["ShortTargets"]["ItemProcessor"]
    assert processor["ProcessorConfig"]["ExecutionType"] == "EXPRESS"
    assert costs._OF_CHILD == 1


@pytest.mark.parametrize(("seconds", "most"), [(0.33, 0.60), (1.0, 1.40)])
def test_a_million_pages_of_one_listing(seconds: float, most: float) -> None:
    volume = cost.expected(1, 1_000_000, seconds)
    assert most / 2 < cost.dollars(volume, *cost.ORCHESTRATION) <= most
    assert cost.plain_standard_loop(1_000_000) == pytest.approx(50)


@pytest.mark.parametrize("max_concurrency", [10, 1000])
def test_a_million_targets_of_one_page(max_concurrency: int) -> None:
    volume = cost.expected(1_000_000, 1_000_000, 0.33, max_concurrency)
    assert 0.9 < cost.dollars(volume, *cost.ORCHESTRATION) <= 3


def test_logs_and_metrics_of_a_million_pages() -> None:
    volume = cost.expected(1, 1_000_000, 0.33)
    assert cost.dollars(volume, "log_gb") <= 0.30


def test_whoever_counts_knows_the_loops(crawl_machine: dict[str, Any], resources: dict[str, Any]) -> None:
    finish_run = crawl_machine["States"]["FinishRun"]
    assert finish_run["Parameters"]["long_targets.$"] == "$.targets.count"
    # PlanLongTargets counts those that are left in the place of all.
    assert crawl_machine["States"]["PlanLongTargets"]["ResultPath"] == "$.targets"
    told = {
        name.removeprefix("Functions")[:-8]
        for name, resource in resources.items()
        if "LOOP_SECONDS" in resource["Properties"].get("Environment", {}).get("Variables", {})
    }
    assert told == {"FetchPage", "FinishRun", "PlanRun"}


def test_functions_have_the_memory_that_is_counted(resources: dict[str, Any]) -> None:
    memory = {
        name: resource["Properties"]["MemorySize"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function" and name.startswith(("Functions", "Publishing"))
    }
    counted = {
        "FetchPage": costs.FETCH_PAGE_MEMORY_MB,
        **dict.fromkeys(("PlanRun", "PlanLongTargets", "FinishRun"), costs.PLANNING_MEMORY_MB),
        **dict.fromkeys(("PublishRun", "PublishPart"), costs.PUBLISHING_MEMORY_MB),
    }
    for function, size in counted.items():
        (found,) = [found for name, found in memory.items() if function in name]
        assert found == size, function
