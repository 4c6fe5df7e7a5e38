"""What is started is watched from its first second, and what never began is not taken for what was there before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from pageturner.stores.runs_and_locks import RunRecord
from pageturner_cli import executions, finding, showing
from pageturner_cli.aws_errors import Asked
from pageturner_cli.commands import starting
from pageturner_cli.executions import Execution
from pageturner_cli.failures import COMPLETE, INTERRUPTED, WRONG, Failure
from pageturner_cli.finding import Found
from pageturner_cli.options import Settings

RUN, OLD, NEW = "c-20260203T040506Z-1a2b3c4d", "arn:old", "arn:new"
BEGAN = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
SUMMARY: Mapping[str, Any] = {"outcome": "failed", "message": "1 of 2 targets not complete", "targets": {"denied": 1}}


def record(driven_by: str) -> RunRecord:
    times = {"started_at": BEGAN.isoformat(), "deadline": BEGAN.isoformat(), "date": "2026-02-03", "expires_at": 1}
    run = {"run_id": RUN, "execution": driven_by, "generation": 1, **times}
    return RunRecord(run, {"name": "c"}, "", dict(SUMMARY))


class Started:
    """An execution that is `found` to be this, one look after another; and the run's `records`, one after another."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, found: list[Execution], records: list[RunRecord | None]
    ) -> None:
        self.found, self.records = found, records
        runs = SimpleNamespace(find=lambda _: self.records.pop(0) if len(self.records) > 1 else self.records[0])
        self.given = Settings()
        deployment: Any = SimpleNamespace(
            asked=Asked("Pageturner"), region="us-east-1", stores=SimpleNamespace(runs=runs)
        )
        self.given.__dict__["deployment"] = deployment
        monkeypatch.setattr(
            executions, "described", lambda *_: self.found.pop(0) if len(self.found) > 1 else self.found[0]
        )
        monkeypatch.setattr(executions, "begin", lambda _, asked: Execution(NEW, "RUNNING", BEGAN, asked))
        monkeypatch.setattr(executions, "run_id_of", lambda *_: RUN)
        monkeypatch.setattr(finding, "found", lambda *_: Found(deployment, RUN, "c", None, record(OLD)))
        monkeypatch.setattr(showing, "_sleep", lambda _: None)

    def types(self, command: Any, *words: str) -> tuple[Any, str]:
        ended = CliRunner().invoke(command, words, obj=self.given, standalone_mode=False)
        return (ended.exception if isinstance(ended.exception, Failure) else ended.return_value), ended.output


def failed(cause: str) -> Execution:
    return Execution(NEW, "FAILED", BEGAN, {}, None, "SinkError", cause)


RUNNING = Execution(NEW, "RUNNING", BEGAN, {})


def test_a_resumption_that_never_began_is_not_told_as_the_run_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch, [RUNNING, failed("could not write the lock: AccessDenied")], [record(OLD)])
    failure, said = started.types(starting.resume, RUN, "--watch")
    assert isinstance(failure, Failure)
    assert failure.code == WRONG
    assert "FAILED: SinkError: could not write the lock: AccessDenied" in str(failure)
    assert "it is as it was before" in str(failure)
    assert "1 of 2 targets" not in said


def test_a_start_that_never_planned_fails_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch, [failed("the table is gone")], [None])
    failure, _ = started.types(starting.start, "c", "--watch")
    assert "SinkError: the table is gone" in str(failure)
    assert f"pageturner why {RUN} says more" in str(failure)


def test_planning_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Execution(NEW, "SUCCEEDED", BEGAN, {}, {"message": "nothing is left to resume"})
    started = Started(monkeypatch, [RUNNING, RUNNING, done], [record(OLD)])
    code, said = started.types(starting.resume, RUN, "--watch", "--json")
    _, *phases, last = map(json.loads, said.splitlines())
    assert (code, [each["phase"] for each in phases]) == (COMPLETE, ["planning", "planning"])
    assert last == {"message": "nothing is left to resume"}
    _, said = Started(monkeypatch, [RUNNING, done], [record(OLD)]).types(starting.resume, RUN, "--watch")
    assert "finding its targets" in said


def test_who_interrupts_planning_is_told_how_to_watch_again(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch, [RUNNING], [None])

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(showing, "_sleep", interrupted)
    failure, _ = started.types(starting.start, "c", "--watch")
    assert isinstance(failure, Failure)
    assert (failure.code, f"pageturner watch {RUN}" in str(failure)) == (INTERRUPTED, True)
