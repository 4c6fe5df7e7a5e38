"""The states that publish a run: one function, or, of a run that is too large for that, a part of it each at a time."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra.invoke_function import invoke_function
from infra.publishing import PUBLISH_TIMEOUT, Publishing
from pageturner.errors import SinkError, ThrottledError, TransientError

# Each holds a part in memory, and writes to one table of DynamoDB.
_PARTS_AT_ONCE = 8


class PublishingStates(Construct):
    """`PublishRun` → `Published?` → `PublishParts` → `PublishRun` … `then`, whose state is the summary.

    None of them has a Catch: an execution that cannot publish fails there, and a redrive goes on there.
    """

    def __init__(self, scope: Construct, construct_id: str, *, publishing: Publishing, then: sfn.IChainable) -> None:
        super().__init__(scope, construct_id)
        payload = {"state": sfn.JsonPath.entire_payload, "execution": sfn.JsonPath.string_at("$$.Execution.Id")}
        publish_run = self._publish("PublishRun", publishing.publish_run, payload, result_path="$.publishing")
        published = sfn.Choice(self, "Published?")
        published.when(_publishing_is("parts"), self._publish_parts(publishing).next(publish_run))
        published.when(_publishing_is("again"), publish_run)
        published.otherwise(sfn.Pass(self, "TakeSummary", output_path="$.publishing.summary").next(then))
        publish_run.next(published)
        self.start = publish_run

    def _publish_parts(self, publishing: Publishing) -> sfn.DistributedMap:
        parts = sfn.DistributedMap(
            self,
            "PublishParts",
            label="PublishParts",
            map_execution_type=sfn.StateMachineType.STANDARD,
            max_concurrency=_PARTS_AT_ONCE,
            item_reader=sfn.S3JsonItemReader(
                bucket_name_path=sfn.JsonPath.string_at("$.publishing.parts.bucket"),
                key=sfn.JsonPath.string_at("$.publishing.parts.key"),
            ),
            result_path=sfn.JsonPath.DISCARD,
        )
        part = {"part": sfn.JsonPath.entire_payload}
        publish_part = self._publish("PublishPart", publishing.publish_part, part)
        more = sfn.Choice(self, "MoreOfPart?")
        more.when(sfn.Condition.string_equals("$.next", "part"), publish_part)
        more.otherwise(sfn.Succeed(self, "PartPublished"))
        return parts.item_processor(publish_part.next(more))

    def _publish(
        self, name: str, function: lambda_.IFunction, payload: dict[str, str], result_path: str | None = None
    ) -> tasks.LambdaInvoke:
        return invoke_function(
            self,
            name,
            function,
            payload,
            timeout=PUBLISH_TIMEOUT.plus(Duration.minutes(1)),
            own_errors=[SinkError, ThrottledError, TransientError],
            result_path=result_path,
        )


def _publishing_is(what: str) -> sfn.Condition:
    return sfn.Condition.string_equals("$.publishing.next", what)
