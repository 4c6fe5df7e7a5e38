"""The states that give a target a verdict other than its last page's: a Pass that sets it, and RecordVerdict."""

from __future__ import annotations

from typing import Literal

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra.retries import CONDITION_FAILED, retry_always
from pageturner.errors import (
    AccessDeniedError,
    DeadlinePassedError,
    DeploymentDeniedError,
    InvalidCrawlError,
    InvalidRequestError,
    NoEndpointError,
    NotFoundError,
    PageErrorsError,
    RepeatedTokenError,
    TooManyRestartsError,
    TruncatedListingError,
)
from pageturner.stores import keys

Verdict = Literal["absent", "denied", "failed", "unfinished"]
# What FetchPage fails with if no further attempt would end otherwise, and the verdict that it comes to.
_FINAL: dict[str, tuple[Verdict, tuple[type[Exception], ...]]] = {
    "Late": ("unfinished", (DeadlinePassedError,)),
    # No wait helps. Not denied, which a crawl can tolerate: it is not the target's service that denies.
    "DeploymentDenied": ("unfinished", (DeploymentDeniedError,)),
    "Denied": ("denied", (AccessDeniedError,)),
    "Absent": ("absent", (NoEndpointError,)),
    "Failed": (
        "failed",
        (
            InvalidRequestError,
            InvalidCrawlError,
            NotFoundError,
            PageErrorsError,
            RepeatedTokenError,
            TooManyRestartsError,
            TruncatedListingError,
        ),
    ),
}


class VerdictStates(Construct):
    """Records verdicts in the runs table, where FinishRun finds them.

    `failure` is the path of what FetchPage, or its PageLoop, has failed with: its `Error` and `Cause`. The names of the
    states begin with `prefix`. Which verdict of a target is `once` recorded stays.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        runs: dynamodb.ITableV2,
        failure: str,
        prefix: str = "",
        once: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        self._failure, self._prefix = failure, prefix
        self.record_verdict = tasks.DynamoPutItem(
            self,
            "RecordVerdict",
            state_name=f"{prefix}RecordVerdict",
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
            condition_expression="attribute_not_exists(pk)" if once else None,
            result_path=sfn.JsonPath.DISCARD,
            task_timeout=sfn.Timeout.duration(Duration.minutes(1)),
        )
        if once:
            self.record_verdict.add_retry(errors=[CONDITION_FAILED], max_attempts=0)
        retry_always(self.record_verdict)

    def add_final(self, what_failed: sfn.Choice) -> None:
        """Add the rules of the failures that are final, each with its verdict."""
        for name, (verdict, errors) in _FINAL.items():
            what_failed.when(self.failed_with(*errors), self.verdict(name, verdict))

    def failed_with(self, *errors: type[Exception]) -> sfn.Condition:
        """The condition that the failure is one of these errors."""
        path = f"{self._failure}.Error"
        named = [sfn.Condition.string_equals(path, error.__name__) for error in errors]
        return sfn.Condition.and_(sfn.Condition.is_present(path), sfn.Condition.or_(*named))

    def verdict(self, name: str, verdict: Verdict, *, error: str | None = None, cause: str | None = None) -> sfn.Chain:
        """Return a state that gives the target this verdict, by default with the failure's own error and cause."""
        return sfn.Pass(
            self,
            name,
            state_name=f"{self._prefix}{name}",
            parameters={
                **{part: sfn.JsonPath.object_at(f"$.{part}") for part in ("run", "target", "patience")},
                "verdict": verdict,
                "error": error or sfn.JsonPath.string_at(f"{self._failure}.Error"),
                "cause": cause or sfn.JsonPath.string_at(f"{self._failure}.Cause"),
            },
        ).next(self.record_verdict)


def _text(value: str) -> tasks.DynamoAttributeValue:
    return tasks.DynamoAttributeValue.from_string(value)
