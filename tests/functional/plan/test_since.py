"""`since`: run after run lists what is new, each item once, whichever runs fail in between."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pageturner.errors import AccessDeniedError, InvalidCrawlError, OverlapError, SinkError
from pageturner.page_state import FROM_CHECKPOINT
from pageturner.stores.runs_and_locks import RunStore
from tests.conftest import REGION, Aws, Machines, shared_client
from tests.trail import ENDS, LOGS, RUNS, TRAIL, Service, begin, connected, fail, turn


@pytest.fixture
def trail(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> Service:
    machines.catalogue = {"c": TRAIL}
    return connected(Service("cloudtrail", ("start", "end")), monkeypatch)


def listed(aws: Aws, summary: Mapping[str, Any]) -> list[str]:
    manifest = aws.json(f"runs/{summary['run_id']}/manifest.json")
    assert manifest["window"] == summary["window"]
    lines = [line for file in manifest["files"] for line in aws.lines(file["key"])]
    return [line["key"] for line in lines if line["result_key"].lower() == "events"]


@pytest.mark.parametrize("rounds", [False, True])
@pytest.mark.parametrize("takes", [("start", "end"), ("start",), ("end",), ()])
@pytest.mark.parametrize(("kind", "crawl"), [("cloudtrail", TRAIL), ("logs", LOGS)])
def test_the_third_run_begins_where_the_first_ended_if_the_second_failed(
    kind: str,
    crawl: dict[str, Any],
    takes: tuple[str, ...],
    rounds: bool,
    aws: Aws,
    machines: Machines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machines.catalogue = {"c": crawl}
    service = connected(Service(kind, takes, rounds), monkeypatch)
    first = turn(aws, machines, begin(machines, service, 0))
    assert first["window"] == {"from": None, "to": ENDS[0]}
    assert sorted(listed(aws, first)) == service.visible(ENDS[0])
    assert service.name("start") not in service.asked[0]
    fail(machines, service, 1)
    third = turn(aws, machines, begin(machines, service, 2))
    assert third["window"] == {"from": ENDS[0], "to": ENDS[2]}
    fourth = turn(aws, machines, begin(machines, service, 3))
    assert fourth["window"] == {"from": ENDS[2], "to": ENDS[3]}
    every = [key for summary in (first, third, fourth) for key in listed(aws, summary)]
    assert sorted(every) == service.visible(ENDS[3])
    assert [summary["verdict"] for summary in (first, third, fourth)] == ["complete"] * 3


def test_a_failed_run_that_is_resumed_keeps_its_window(aws: Aws, machines: Machines, trail: Service) -> None:
    first = turn(aws, machines, begin(machines, trail, 0))
    failed = fail(machines, trail, 1)
    resumed = begin(machines, trail, 2, {"resume": failed["run"]["run_id"]})
    (one,), (other,) = (aws.json(planned["targets"]["key"]) for planned in (failed, resumed))
    assert one["parameters"] == other["parameters"]
    second = turn(aws, machines, resumed)
    assert second["window"] == {"from": ENDS[0], "to": ENDS[1]}
    third = turn(aws, machines, begin(machines, trail, 3))
    assert third["window"] == {"from": ENDS[1], "to": ENDS[3]}
    every = [key for summary in (first, second, third) for key in listed(aws, summary)]
    assert sorted(every) == trail.visible(ENDS[3])


def test_a_run_that_is_resumed_after_the_next_one_moves_nothing_back(
    aws: Aws, machines: Machines, trail: Service
) -> None:
    turn(aws, machines, begin(machines, trail, 0))
    failed = fail(machines, trail, 1)
    turn(aws, machines, begin(machines, trail, 2))
    late = turn(aws, machines, machines.plan({"resume": failed["run"]["run_id"]}, "execution-late"))
    assert late["window"] == {"from": ENDS[0], "to": ENDS[1]}
    assert begin(machines, trail, 3)["window"] == {"from": ENDS[2], "to": ENDS[3]}


def test_a_run_whose_execution_died_is_followed_by_one_from_the_same_time(
    aws: Aws, machines: Machines, trail: Service
) -> None:
    turn(aws, machines, begin(machines, trail, 0))
    killed = begin(machines, trail, 1)
    (target,) = aws.json(killed["targets"]["key"])
    machines.fetch(killed, target, FROM_CHECKPOINT)
    assert begin(machines, trail, 2)["window"] == {"from": ENDS[0], "to": ENDS[2]}


def test_a_plan_that_is_made_again_has_the_window_of_the_first(
    aws: Aws, machines: Machines, trail: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PlanRun is retried at the same time; a redriven execution that has not recorded its run yet plans later."""
    planned = begin(machines, trail, 0)
    assert begin(machines, trail, 0) == planned
    turn(aws, machines, planned)
    with monkeypatch.context() as patch:

        def killed(*_: Any, **__: Any) -> Any:
            raise SinkError("killed")

        patch.setattr(RunStore, "begin", killed)
        with pytest.raises(SinkError):
            begin(machines, trail, 1)
    machines.entered_at = RUNS[2]
    redriven = machines.plan({"crawl": "c"}, "execution-1")
    assert redriven["window"] == {"from": ENDS[0], "to": ENDS[1]}
    assert turn(aws, machines, redriven)["window"] == redriven["window"]
    assert begin(machines, trail, 3)["window"] == {"from": ENDS[1], "to": ENDS[3]}


def test_a_run_that_is_still_running_keeps_its_window_for_itself(aws: Aws, machines: Machines, trail: Service) -> None:
    turn(aws, machines, begin(machines, trail, 0))
    first = begin(machines, trail, 1)
    machines.running.add("execution-1")
    with pytest.raises(OverlapError, match=r"wait for it to end, or stop it$"):
        begin(machines, trail, 2)
    assert turn(aws, machines, first)["window"]["to"] == ENDS[1]
    machines.running.clear()
    assert begin(machines, trail, 3)["window"] == {"from": ENDS[1], "to": ENDS[3]}


def test_a_run_with_nothing_to_list_yet_is_refused_and_leaves_no_lock(
    aws: Aws, machines: Machines, trail: Service
) -> None:
    turn(aws, machines, begin(machines, trail, 0))
    machines.running.add("execution-0b")
    said = f"since: .* begins at {ENDS[0]}, up to which all is listed; it can run again at 2126-02-03T04:06:07Z"
    with pytest.raises(InvalidCrawlError, match=said):
        machines.plan({"crawl": "c"}, "execution-0b")
    assert begin(machines, trail, 1)["window"]["from"] == ENDS[0]


def test_an_input_that_lists_something_else_moves_nothing(aws: Aws, machines: Machines, trail: Service) -> None:
    turn(aws, machines, begin(machines, trail, 0))
    asked = {"crawl": "c", "parameters": {"EventCategory": "insight"}}
    other = turn(aws, machines, begin(machines, trail, 1, asked))
    assert other["window"] == {"from": None, "to": ENDS[1]}
    assert begin(machines, trail, 2)["window"] == {"from": ENDS[0], "to": ENDS[2]}


def test_an_input_says_where_a_run_begins(aws: Aws, machines: Machines, trail: Service) -> None:
    turn(aws, machines, begin(machines, trail, 0))
    asked = {"crawl": "c", "since": {"from": "2126-02-03T04:05:30Z"}}
    again = turn(aws, machines, begin(machines, trail, 1, asked))
    assert again["window"] == {"from": "2126-02-03T04:05:30Z", "to": ENDS[1]}
    before = set(trail.visible("2126-02-03T04:05:30Z"))
    assert sorted(listed(aws, again)) == sorted(set(trail.visible(ENDS[1])) - before)
    assert begin(machines, trail, 2)["window"] == {"from": ENDS[1], "to": ENDS[2]}


def test_another_lag_goes_on_from_the_same_time(aws: Aws, machines: Machines, trail: Service) -> None:
    turn(aws, machines, begin(machines, trail, 0))
    machines.catalogue = {"c": {**TRAIL, "since": {**TRAIL["since"], "lag": "30s", "first": "1d"}}}
    assert begin(machines, trail, 1)["window"] == {"from": ENDS[0], "to": "2126-02-03T04:06:36Z"}


def test_what_a_resumption_tolerates_is_listed_by_the_next_run(aws: Aws, machines: Machines, trail: Service) -> None:
    turn(aws, machines, begin(machines, trail, 0))
    failed = fail(machines, trail, 1)
    asked = {"resume": failed["run"]["run_id"], "tolerate": ["unfinished", "denied"]}
    resumed = machines.plan(asked, "execution-1b")
    assert machines.finish(resumed)["outcome"] == "succeeded"
    assert begin(machines, trail, 2)["window"] == {"from": ENDS[0], "to": ENDS[2]}


def test_the_first_run_goes_back_as_far_as_the_crawl_says(aws: Aws, machines: Machines, trail: Service) -> None:
    machines.catalogue = {"c": {**TRAIL, "since": {**TRAIL["since"], "first": "20s"}}}
    summary = turn(aws, machines, begin(machines, trail, 0))
    assert summary["window"] == {"from": "2126-02-03T04:05:36Z", "to": ENDS[0]}
    before = trail.visible("2126-02-03T04:05:36Z")
    assert sorted(listed(aws, summary)) == sorted(set(trail.visible(ENDS[0])) - set(before))


def test_all_targets_have_the_window_of_the_run(
    aws: Aws, machines: Machines, trail: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = connected(
        Service("cloudtrail", ("start", "end"), now=datetime.max.replace(tzinfo=UTC)), monkeypatch, "eu-west-1"
    )
    machines.catalogue = {"c": {**TRAIL, "regions": [REGION, "eu-west-1"]}}
    turn(aws, machines, begin(machines, trail, 0))
    planned = begin(machines, trail, 1)
    near, other = aws.json(planned["targets"]["key"])
    assert near["parameters"] == other["parameters"]
    machines.turn_all(planned, near)
    far.denies = True
    with pytest.raises(AccessDeniedError):
        machines.turn_all(planned, other)
    assert machines.finish(planned)["outcome"] == "failed"
    far.denies = False
    # One of two is not enough: both are listed again.
    third = begin(machines, trail, 2)
    assert third["window"] == {"from": ENDS[0], "to": ENDS[2]}
    assert len(turn(aws, machines, third)["targets"]) == 1
    # The names of targets are the same in every run.
    assert [each["target_id"] for each in aws.json(third["targets"]["key"])] == [near["target_id"], other["target_id"]]


def test_a_window_is_that_of_the_targets_of_a_for_each(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = connected(Service("logs", ("start", "end")), monkeypatch)
    for_each = {"list": [{"logGroupName": "one"}, {"logGroupName": "two"}]}
    crawl = {name: value for name, value in LOGS.items() if name != "parameters"}
    machines.catalogue = {"c": {**crawl, "for_each": for_each}}
    turn(aws, machines, begin(machines, service, 0))
    second = turn(aws, machines, begin(machines, service, 1))
    targets = aws.json(f"runs/{second['run_id']}/targets.json")
    assert [each["parameters"]["logGroupName"] for each in targets] == ["one", "two"]
    assert {each["parameters"]["startTime"] for each in targets} == {milliseconds(ENDS[0]) - 1000}
    assert {each["parameters"]["endTime"] for each in targets} == {milliseconds(ENDS[1]) + 1000}


def test_moto_has_each_event_in_one_window(aws: Aws, machines: Machines) -> None:
    """With requests as botocore makes them. moto takes no events that are long ago, or to come."""
    hour_ago = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    times = [(hour_ago + timedelta(minutes=each)).isoformat() for each in range(3)]
    logs = shared_client("logs")
    logs.create_log_group(logGroupName="group")
    logs.create_log_stream(logGroupName="group", logStreamName="stream")
    near = (-1001, -1000, -1, 0, 1, 1000, 1001)
    events = [
        (f"{number}{beside}", milliseconds(time) - 10_000 + beside)
        for number, time in enumerate(times)
        for beside in near
    ]
    logs.put_log_events(
        logGroupName="group",
        logStreamName="stream",
        logEvents=[
            {"message": message, "timestamp": time} for message, time in sorted(events, key=lambda each: each[1])
        ],
    )
    machines.catalogue = {"c": {**LOGS, "key": "message"}}
    found = []
    for number, time in enumerate(times):
        machines.started_at = time
        found.append(sorted(listed(aws, machines.run(aws, {"crawl": "c"}, f"execution-{number}"))))
    upto = [milliseconds(time) - 10_000 for time in times]
    assert found == [
        sorted(message for message, time in events if start < time <= end)
        for start, end in zip([0, *upto], upto, strict=False)
    ]


def milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def test_a_dry_run_shows_the_window_and_moves_nothing(aws: Aws, machines: Machines, trail: Service) -> None:
    turn(aws, machines, begin(machines, trail, 0))
    report = begin(machines, trail, 1, {"crawl": "c", "dry_run": True})["nothing_to_do"]
    assert report["window"] == {"from": ENDS[0], "to": ENDS[1]}
    (sample,) = report["targets"]["sample"]
    assert sample["parameters"] == {"StartTime": "2126-02-03T04:05:55Z", "EndTime": "2126-02-03T04:06:57Z"}
    assert begin(machines, trail, 2)["window"]["from"] == ENDS[0]


def test_a_person_lists_any_window_without_since(aws: Aws, machines: Machines, trail: Service) -> None:
    turn(aws, machines, begin(machines, trail, 0))
    own = {"StartTime": "2126-02-03T04:05:10Z", "EndTime": "2126-02-03T04:05:20Z"}
    with pytest.raises(InvalidCrawlError, match=re.escape("StartTime is also set in parameters")):
        begin(machines, trail, 1, {"crawl": "c", "parameters": own})
    summary = turn(aws, machines, begin(machines, trail, 1, {"crawl": "c", "since": None, "parameters": own}))
    assert "window" not in summary
    assert summary["items"] > 0
    assert begin(machines, trail, 2)["window"]["from"] == ENDS[0]


def test_runs_of_what_is_new_are_not_compared(aws: Aws, machines: Machines, trail: Service) -> None:
    run_ids = [turn(aws, machines, begin(machines, trail, number))["run_id"] for number in range(2)]
    with pytest.raises(InvalidCrawlError, match=r"input\.changes: these runs have listed only what was new"):
        machines.plan({"changes": run_ids})


def test_a_run_has_no_witness(aws: Aws, machines: Machines, trail: Service) -> None:
    machines.publish(turn(aws, machines, begin(machines, trail, 0)))
    summary = turn(aws, machines, begin(machines, trail, 1))
    (entry,) = aws.json(f"runs/{summary['run_id']}/manifest.json")["targets"]
    assert entry["witness"] is None
    assert summary["witnesses"] == {"agreed": 0, "disagreed": 0, "none": 1}
