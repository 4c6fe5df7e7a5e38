"""The states that give a target a verdict other than its last page's: a Pass that sets it, and RecordVerdict."""

from __future__ import annotations

from typing import Literal

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra.retries import retry_always
from pageturner.stores import keys


class VerdictStates(Construct):
    """Records verdicts in the runs table, where FinishRun finds them."""

    def __init__(self, scope: Construct, construct_id: str, *, runs: dynamodb.ITableV2) -> None:
        super().__init__(scope, construct_id)
        self.record_verdict = tasks.DynamoPutItem(
            self,
            "RecordVerdict",
            table=runs,
            item={
                "pk": _text(sfn.JsonPath.format(keys.RUN, sfn.JsonPath.string_at("$.run.run_id"))),
                "sk": _text(
                    sfn.JsonPath.format(
                        keys.VERDICT,
                        sfn.JsonPath.string_at("$.run.generation"),
                        sfn.JsonPath.string_at("$.target.target_id"),
                    )
                ),
                "verdict": _text(sfn.JsonPath.string_at("$.verdict")),
                "error": _text(sfn.JsonPath.string_at("$.error")),
                "cause": _text(sfn.JsonPath.string_at("$.cause")),
                # An execution in which the run continues goes on with it.
                "patience": _text(sfn.JsonPath.json_to_string(sfn.JsonPath.object_at("$.patience"))),
                "expires_at": tasks.DynamoAttributeValue.number_from_string(
                    sfn.JsonPath.format("{}", sfn.JsonPath.string_at("$.run.expires_at"))
                ),
            },
            result_path=sfn.JsonPath.DISCARD,
            task_timeout=sfn.Timeout.duration(Duration.minutes(1)),
        )
        retry_always(self.record_verdict)

    def verdict(
        self,
        name: str,
        verdict: Literal["absent", "denied", "failed", "unfinished"],
        *,
        error: str | None = None,
        cause: str | None = None,
    ) -> sfn.Chain:
        """Return a state that gives the target this verdict, by default with PageLoop's own error and cause."""
        return sfn.Pass(
            self,
            name,
            parameters={
                **{part: sfn.JsonPath.object_at(f"$.{part}") for part in ("run", "target", "patience")},
                "verdict": verdict,
                "error": error or sfn.JsonPath.string_at("$.page_loop.ended.Error"),
                "cause": cause or sfn.JsonPath.string_at("$.page_loop.ended.Cause"),
            },
        ).next(self.record_verdict)


def _text(value: str) -> tasks.DynamoAttributeValue:
    return tasks.DynamoAttributeValue.from_string(value)
