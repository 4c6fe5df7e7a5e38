"""FailRun: fails the execution of an incomplete run with a readable cause; on a redrive, resumes the run.

A Fail state would fail again on every redrive (Step Functions Developer Guide, "Redriving executions").
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pageturner import clients, telemetry
from pageturner.finish.output import output_of
from pageturner.own_resources import as_sink_error
from pageturner.stores import Stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

ERROR = "RunIncomplete"
# Step Functions API Reference, SendTaskFailure.
_LONGEST_CAUSE = 32_768


@telemetry.handler
def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Fail the task of `event["token"]` with `event["message"]`, for the run `event["run_id"]`.

    The cause goes on with all that the output of an execution has which succeeds. If `event["execution"]` has failed
    this run before it was redriven for the `event["redrives"]`th time, the task succeeds, and returns the input of
    PlanRun that resumes the run. A retry fails the task again.
    """
    run_id, token = event["run_id"], event["token"]
    telemetry.logger.set_correlation_id(run_id)
    stepfunctions, runs = clients.client("stepfunctions"), Stores.of_environment().runs
    # The machine of an earlier version passes neither. The emulator, which cannot redrive, does not count.
    generation, redrives = event.get("generation", 1), event.get("redrives") or 0
    if runs.record_failure(run_id, generation, event["execution"], redrives):
        telemetry.logger.warning("run failed", extra={"reason": event["message"]})
        found = runs.find(run_id)
        is_there = found is not None and found.summary is not None and found.generation == generation
        output = output_of(found.summary or {}, found.published or {}) if found is not None and is_there else {}
        with as_sink_error(f"could not fail the execution of run {run_id}"):
            stepfunctions.send_task_failure(taskToken=token, error=ERROR, cause=cause_of(event["message"], output))
    else:
        telemetry.logger.info("redriven")
        with as_sink_error(f"could not resume run {run_id} in its redriven execution"):
            stepfunctions.send_task_success(taskToken=token, output=json.dumps({"resume": run_id}))


def cause_of(message: str, output: Mapping[str, Any]) -> str:
    """Return the sentence for people, and behind an empty line, as JSON, what a program would read in an output.

    An execution that fails has none (Step Functions API Reference, "DescribeExecution").
    """
    rest = {name: value for name, value in output.items() if name != "message"}
    for shorter in _shorter_and_shorter(rest) if rest else ():
        cause = f"{message}\n\n{json.dumps(shorter, indent=2)}"
        if len(cause) <= _LONGEST_CAUSE:
            return cause
    # A sentence is never cut short for the sake of the rest.
    return message[:_LONGEST_CAUSE]


def _shorter_and_shorter(output: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield an output, and then without what can be long, and is in the report, too."""
    yield dict(output)
    published = output.get("published") or {}
    counted = {name: value for name, value in published.items() if not name.endswith("_keys")}
    yield {**output, "published": counted}
    yield {name: value for name, value in output.items() if name not in ("published", "cost_arithmetic")}
