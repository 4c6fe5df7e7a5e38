"""A start that is repeated starts nothing twice, and what was just started need not be known yet."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pageturner_cli import executions
from pageturner_cli.failures import Failure

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:Pageturner-Crawl"
BEGAN = datetime(2026, 2, 3, tzinfo=UTC)


def refusal(code: str) -> ClientError:
    said: Any = {"Code": code, "Message": "m"}
    return ClientError({"Error": said}, "operation")


def deployment(**operations: Any) -> Any:
    return SimpleNamespace(client=lambda _: SimpleNamespace(**operations), machine=MACHINE)


def test_each_start_has_a_name_of_its_own() -> None:
    names = []

    def start_execution(*, name: str, **_: Any) -> dict[str, Any]:
        names.append(name)
        return {"executionArn": f"arn:{name}", "startDate": BEGAN}

    for _ in range(2):
        executions.begin(deployment(start_execution=start_execution), {"crawl": "c"})
    assert len(set(names)) == 2


def test_a_start_whose_answer_was_lost_is_found_by_its_name() -> None:
    def start_execution(**_: Any) -> None:
        raise refusal("ExecutionAlreadyExists")

    def describe_execution(*, executionArn: str) -> dict[str, Any]:
        return {"status": "FAILED", "startDate": BEGAN, "error": executionArn.rpartition(":")[0]}

    of = deployment(start_execution=start_execution, describe_execution=describe_execution)
    found = executions.begin(of, {"crawl": "c"})
    assert (found.status, found.error) == ("FAILED", MACHINE.replace("stateMachine", "execution"))


def test_what_was_just_started_is_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.sleep", sleep)

    def describe_execution(**_: Any) -> dict[str, Any]:
        if clock[0] < known_at:
            raise refusal("ExecutionDoesNotExist")
        return {"status": "SUCCEEDED", "startDate": BEGAN}

    started = executions.Execution("arn", "RUNNING", BEGAN, {})
    known_at = 5.0
    assert executions.ended(deployment(describe_execution=describe_execution), started).status == "SUCCEEDED"
    known_at = 1_000.0
    with pytest.raises(Failure, match="no longer knows"):
        executions.ended(deployment(describe_execution=describe_execution), started)
