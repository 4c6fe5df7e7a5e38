"""State machines that moto's interpreter of the Amazon States Language runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import pytest
from moto import mock_aws
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from tests.conftest import shared_client

# moto parses a definition again for every execution, which takes most of its time.
_parse = cache(AmazonStateLanguageParser.parse)


def run_by_moto(machine: Mapping[str, Any], inputs: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Return how executions of these inputs end: the output, or a dict of `Error` and `Cause`."""
    with pytest.MonkeyPatch.context() as patch, mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        patch.setattr(AmazonStateLanguageParser, "parse", staticmethod(_parse))
        # In this thread, so that an execution has ended once it was started.
        patch.setattr(ExecutionWorker, "start", ExecutionWorker._execution_logic)
        stepfunctions = shared_client("stepfunctions")
        arn = stepfunctions.create_state_machine(
            name="m", definition=json.dumps(machine), roleArn="arn:aws:iam::123456789012:role/r"
        )["stateMachineArn"]
        return [_end(stepfunctions, arn, f"e{number}", each) for number, each in enumerate(inputs)]


def _end(stepfunctions: Any, machine: str, name: str, given: Mapping[str, Any]) -> Any:
    started = stepfunctions.start_execution(stateMachineArn=machine, name=name, input=json.dumps(given))
    ended = stepfunctions.describe_execution(executionArn=started["executionArn"])
    if ended["status"] == "SUCCEEDED":
        return json.loads(ended["output"])
    return {"Error": ended["error"], "Cause": ended["cause"]}
