"""Runs that failed, each for another cause: `why` names it, and what it says to type works once the cause is away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from local.fault_proxy import Answer, Dropped, Fault, Request, answering, s3_error
from tests.e2e.conftest import OBJECTS, Deployed, lists_source, slow_pages
from tests.e2e.terminal import Said, Terminal
from tests.e2e.test_faults import ALWAYS, commits, lists_with_token

LISTED = ["s3", "list_objects_v2", "--parameters", '{"Bucket": "source"}', "--set", "pagination_config={PageSize: 30}"]
# With a delimiter, the order is not known, and the listing cannot go on behind a key.
UNORDERED = ["s3", "list_objects_v2", "--parameters", '{"Bucket": "source", "Delimiter": "|"}']
FEW_PAGES = ["objects", "--set", "pagination_config={PageSize: 30}"]


def killing(deployed: Deployed) -> Fault:
    """Every FetchPage is killed before it commits a page."""

    def kill(_: Request) -> Answer | None:
        deployed.emulator.kill_functions("FetchPage")
        raise Dropped

    return Fault(commits, ALWAYS, 2, before=kill)


@dataclass(frozen=True)
class Case:
    """What goes wrong, what is typed, and what `why` has to say, and have typed next."""

    fault: Callable[[Deployed], Fault] | None
    typed: list[str]
    says: list[str]
    next_is: str
    put_right: Callable[[Deployed], object] = field(default=lambda _: None)


CASES = {
    "denied": Case(
        lambda _: answering(lists_source, s3_error(403, "AccessDenied"), ALWAYS, 4),
        ["objects"],
        ["1 denied", "AccessDeniedError", "Allow s3:ListBucket", '"Action": ["s3:ListBucket"]', "make deploy"],
        "pageturner resume ",
    ),
    "throttled for ever": Case(
        lambda _: answering(lists_source, s3_error(503, "SlowDown"), ALWAYS, 4),
        # Twice of that is enough for the rest at a slower pace.
        [*FEW_PAGES, "--set", "deadline_hours=0.006"],
        ["1 unfinished", "throttled", "SlowDown", "a slower pace"],
        "pageturner resume ",
    ),
    "a wrong parameter": Case(
        None,
        ["s3", "list_objects_v2", "--parameters", '{"Bucket": "not-there-yet"}'],
        ["1 failed", "NoSuchBucket", "check Bucket in the crawl"],
        """pageturner start s3 list_objects_v2 --parameters '{"Bucket": "not-there-yet"}'""",
        lambda deployed: deployed.s3.create_bucket(Bucket="not-there-yet"),
    ),
    "a deadline": Case(
        lambda _: Fault(lists_source, ALWAYS, before=lambda _: time.sleep(1)),
        [*FEW_PAGES, "--set", "deadline_hours=0.002"],
        ["1 unfinished", "DeadlinePassedError", "Give it more time"],
        "pageturner resume ",
    ),
    "tokens that are dead": Case(
        lambda _: answering(lists_with_token, s3_error(400, "InvalidArgument"), ALWAYS, 2),
        [*UNORDERED, "--set", "pagination_config={PageSize: 30}"],
        ["1 failed", "TooManyRestartsError", "lists this target anew"],
        "pageturner resume ",
    ),
    "a function that is killed": Case(
        killing,
        LISTED,
        ["1 unfinished", "Runtime.ExitError", "The logs of FetchPage and PageLoop have the reason"],
        "pageturner resume ",
    ),
}


def run_of(said: Said) -> str:
    return said.out.split()[0]


@pytest.mark.parametrize("name", CASES)
def test_why_names_the_cause_and_what_it_says_to_type_works(name: str, deployed: Deployed, source: list[str]) -> None:
    case, terminal = CASES[name], Terminal(deployed)
    if case.fault is not None:
        deployed.proxy.add(case.fault(deployed))
    failed = terminal.run("start", *case.typed, "--watch")
    assert failed.code == 1, failed
    run_id = run_of(failed)
    said = terminal.run("why", run_id)
    assert said.code == 1
    text = " ".join(said.out.split())
    assert [each for each in case.says if each not in text] == [], said.out
    typed = said.commands[-1]
    assert typed.startswith(case.next_is), said.out
    document = terminal.run("why", run_id, "--json").document
    assert [each["command"] for each in document["commands"]] == said.commands
    assert len(document["reasons"]) == 1

    deployed.proxy.clear()
    case.put_right(deployed)
    ended = terminal.typed(f"{typed} --watch")
    assert ended.code == 0, ended
    summary = terminal.run("show", run_of(ended), "--json").document
    assert summary["targets"] == {"complete": 1}
    if case.fault is not None:
        assert (summary["run_id"], summary["items"]) == (run_id, OBJECTS)


def test_what_planning_refuses_is_explained_by_the_name_that_was_printed(deployed: Deployed) -> None:
    terminal = Terminal(deployed)
    refused = terminal.run("start", "object")
    assert refused.code == 2
    assert 'did you mean "objects"?' in refused.error
    said = terminal.run("why", run_of(refused))
    assert said.code == 1
    assert "InvalidCrawlError" in said.out
    assert 'did you mean "objects"?' in " ".join(said.out.split())
    assert said.commands == ["pageturner start object"]


def test_what_was_triggered_before_says_what_that_has_started(deployed: Deployed, source: list[str]) -> None:
    terminal = Terminal(deployed)
    typed = ["start", "objects", "--set", "trigger=terminal", "--watch"]
    first = terminal.run(*typed)
    assert first.code == 0, first
    second = terminal.run(*typed)
    assert second.code == 0, second
    assert f'the trigger "terminal" has started run {run_of(first)}' in second.out
    said = terminal.run("why", run_of(second))
    assert said.commands == [f"pageturner show {run_of(first)}"]


def test_a_run_that_was_stopped_has_no_verdict_and_is_resumed(deployed: Deployed, source: list[str]) -> None:
    terminal = Terminal(deployed)
    deployed.proxy.add(slow_pages())
    started = terminal.run("start", "objects", "--json").document
    deployed.wait_for(lambda: sum(map(commits, deployed.proxy.requests)) > 5)
    deployed.stepfunctions.stop_execution(executionArn=started["execution"])
    said = terminal.run("why", started["run_id"])
    assert said.code == 1
    assert "Its execution was stopped, and left no reason" in said.out
    assert said.commands == [f"pageturner resume {started['run_id']}"]
    assert terminal.run("show", started["run_id"]).code == 1
    deployed.proxy.clear()
    deployed.wait_for_children(started["execution"])
    ended = terminal.typed(f"{said.commands[0]} --watch")
    assert ended.code == 0, ended
    assert terminal.run("show", started["run_id"], "--json").document["items"] == OBJECTS
    again = terminal.run("resume", started["run_id"], "--watch")
    assert again.code == 0
    assert "nothing is left to resume" in again.out


def test_a_run_that_is_listed_but_not_published_is_only_published(deployed: Deployed, source: list[str]) -> None:
    terminal = Terminal(deployed)

    def tells(request: Request) -> bool:
        return request.method == "PUT" and "/published/objects/" in request.path

    deployed.proxy.add(answering(tells, s3_error(403, "AccessDenied"), ALWAYS))
    failed = terminal.run("start", "objects", "--watch")
    assert failed.code == 1, failed
    said = terminal.run("why", run_of(failed))
    assert said.code == 1
    assert "not published" in said.out
    assert "AccessDenied" in said.out
    assert said.commands == [f"pageturner resume {run_of(failed)}"]
    deployed.proxy.clear()
    assert terminal.typed(f"{said.commands[0]} --watch").code == 0


def test_an_execution_that_never_planned_says_what_is_known_of_it(deployed: Deployed) -> None:
    """It died before PlanRun had a run: only its execution is left, which the run's name leads to."""
    terminal = Terminal(deployed)
    machine = deployed.stepfunctions.describe_state_machine(stateMachineArn=deployed.outputs["CrawlMachineArn"])
    died = {
        "StartAt": "Die",
        "States": {"Die": {"Type": "Fail", "Error": "States.Runtime", "Cause": "it is [red]dead"}},
    }
    deployed.stepfunctions.update_state_machine(
        stateMachineArn=deployed.outputs["CrawlMachineArn"], definition=json.dumps(died)
    )
    try:
        failed = terminal.run("start", "objects")
    finally:
        deployed.stepfunctions.update_state_machine(
            stateMachineArn=deployed.outputs["CrawlMachineArn"], definition=machine["definition"]
        )
    assert failed.code == 1
    said = terminal.run("why", run_of(failed))
    assert said.code == 1
    assert "States.Runtime: it is [red]dead" in said.out
    assert said.commands == ["pageturner start objects"]
