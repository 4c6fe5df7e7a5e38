"""One EventBridge rule for each crawl in the catalogue that starts `after` another one."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.schedules import MAX_EVENT_AGE, RETRY_ATTEMPTS, id_of
from pageturner.crawls.crawl import Crawl


class Chains(Construct):
    """Starts the Crawl machine with ``{"crawl": name}`` when a run of another crawl has succeeded and is published.

    A run is announced again when it is published again, and EventBridge delivers at least once. So the `trigger` names
    the run, and starts nothing twice.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        crawls: Mapping[str, Crawl],
        state_machine: sfn.IStateMachine,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        chained = [crawl for crawl in crawls.values() if crawl.after is not None]
        if not chained:
            return
        queue = self._queue(dead_letters)
        run_id = events.EventField.from_path("$.detail.run_id")
        for crawl in chained:
            finished = {
                # Another deployment in the account may have a crawl of that name.
                "stack": [Stack.of(self).stack_name],
                "crawl": [str(crawl.after)],
                "outcome": ["succeeded"],
                "as_catalogued": [True],
            }
            events.Rule(
                self,
                id_of(crawl),
                description=f"Pageturner: crawl {crawl.name} after {crawl.after}",
                enabled=crawl.enabled,
                event_pattern=events.EventPattern(source=["pageturner"], detail_type=["Run finished"], detail=finished),
                targets=[
                    targets.SfnStateMachine(
                        state_machine,
                        input=events.RuleTargetInput.from_object({"crawl": crawl.name, "trigger": f"after {run_id}"}),
                        dead_letter_queue=queue,
                        retry_attempts=RETRY_ATTEMPTS,
                        max_event_age=MAX_EVENT_AGE,
                    )
                ],
            )

    def _queue(self, dead_letters: sqs.IQueue) -> sqs.IQueue:
        """Let rules send to the queue, and return it as the CDK does not know it, which would add a statement for each.

        A queue's policy has room for 20 (SQS Developer Guide, "Policy quotas").
        """
        rules = Stack.of(self).format_arn(
            service="events", resource="rule", resource_name="*", arn_format=ArnFormat.SLASH_RESOURCE_NAME
        )
        dead_letters.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                resources=[dead_letters.queue_arn],
                conditions={"ArnLike": {"aws:SourceArn": rules}},
            )
        )
        return sqs.Queue.from_queue_arn(self, "DeadLetters", dead_letters.queue_arn)
