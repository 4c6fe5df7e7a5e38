"""One EventBridge Scheduler schedule for each crawl in the catalogue that has a `schedule`."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, TimeZone
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from pageturner.crawls.crawl import Crawl


class Schedules(Construct):
    """Starts the Crawl machine with ``{"crawl": name}``; events that cannot be delivered go to `dead_letters`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        crawls: Mapping[str, Crawl],
        state_machine: sfn.IStateMachine,
    ) -> None:
        super().__init__(scope, construct_id)
        # Scheduler accepts only standard queues as dead-letter queues.
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=Duration.days(14),
        )
        for crawl in crawls.values():
            if crawl.schedule is None:
                continue
            scheduler.Schedule(
                self,
                crawl.name,
                description=f"Pageturner: crawl {crawl.name}",
                schedule=scheduler.ScheduleExpression.expression(crawl.schedule, TimeZone.of(crawl.timezone)),
                enabled=crawl.enabled,
                target=targets.StepFunctionsStartExecution(
                    state_machine,
                    input=scheduler.ScheduleTargetInput.from_object({"crawl": crawl.name}),
                    dead_letter_queue=self.dead_letters,
                    # By default, Scheduler retries 185 times within a day. A run that is hours late would only
                    # overlap with the next one.
                    retry_attempts=10,
                    max_event_age=Duration.hours(1),
                ),
            )
