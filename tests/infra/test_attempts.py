"""Each role does its own work and no other: what is tried with its credentials, judged by AWS's rules of evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests import attempts
from tests.asked_of_iam import asked
from tests.attempts import Attempt
from tests.conftest import ACCOUNT, REGION, Aws
from tests.iam import Ask, Evaluator, Names


@pytest.fixture(scope="module")
def evaluator(resources: dict[str, Any]) -> Iterator[Evaluator]:
    with Evaluator(resources) as made:
        yield made


@pytest.fixture(scope="module")
def named(resources: dict[str, Any]) -> Mapping[str, str]:
    """The names of what is deployed."""
    names = Names(resources)

    def only(kind: str, beginning: str = "") -> str:
        (found,) = [name for name in resources if resources[name]["Type"] == kind and name.startswith(beginning)]
        return found

    machine, function, log_group = "AWS::StepFunctions::StateMachine", "AWS::Lambda::Function", "AWS::Logs::LogGroup"
    found = {
        "bucket": Aws.bucket,
        "items": Aws.items_table,
        "runs": Aws.runs_table,
        "database": Aws.database,
        "account": ACCOUNT,
        "region": REGION,
        "crawl": names.arn(only(machine, "Crawl")),
        "page_loop": names.arn(only(machine, "PageLoop")),
        "topic": names.arn(only("AWS::SNS::Topic")),
        "queue": names.name(only("AWS::SQS::Queue")),
    }
    for name in attempts.FUNCTIONS:
        room = "Publishing" if name.startswith("Publish") else "Functions"
        found[f"function:{name}"] = names.name(only(function, f"{room}{name}"))
        found[f"logs:{name}"] = names.name(only(log_group, f"{room}{name}Logs"))
    return found


def asks(attempt: Attempt, named: Mapping[str, str]) -> list[Ask]:
    parameters = attempts.filled(attempt.parameters, named)
    found = list(asked(attempt.role, attempt.service, attempt.operation, parameters))
    assert found, f"IAM is asked nothing: {attempt}"
    return found


@pytest.mark.parametrize("role", [*attempts.FUNCTIONS, *attempts.MACHINES])
def test_a_role_is_refused_what_is_not_its_work(evaluator: Evaluator, named: Mapping[str, str], role: str) -> None:
    tried = [each for each in attempts.refused() if each.role == role]
    assert len(tried) >= 60
    assert [str(each) for each in tried if all(map(evaluator.allows, asks(each, named)))] == []


@pytest.mark.parametrize("role", [*attempts.FUNCTIONS, *attempts.MACHINES])
def test_a_role_is_allowed_its_own_work(evaluator: Evaluator, named: Mapping[str, str], role: str) -> None:
    tried = [each for each in attempts.allowed() if each.role == role]
    assert tried
    assert [str(each) for each in tried if not all(map(evaluator.allows, asks(each, named)))] == []
