"""One EventBridge Scheduler schedule for each crawl in the catalogue that has a `schedule`."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, TimeZone
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.acknowledge import acknowledge
from pageturner.crawls.crawl import Crawl

# By default, EventBridge retries 185 times within a day. A run that is hours late would only overlap with the next one.
RETRY_ATTEMPTS = 10
MAX_EVENT_AGE = Duration.hours(1)
# Names that are taken in the CDK's tree: the queue's, and those that every object of JavaScript has.
_TAKEN = (
    *("DeadLetters", "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString"),
    *("toString", "valueOf"),
)


class Schedules(Construct):
    """Starts the Crawl machine with ``{"crawl": name}``; events that cannot be delivered go to `dead_letters`.

    Scheduler delivers at least once, so the `trigger` names the time, and starts nothing twice.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        crawls: Mapping[str, Crawl],
        state_machine: sfn.IStateMachine,
        emulator: bool,
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
        acknowledge(self.dead_letters, "SQS3", "it is the dead-letter queue, which nothing receives from")
        for crawl in crawls.values():
            if crawl.schedule is None:
                continue
            # MiniStack would pass the attribute's name on, so that each time would have the same trigger.
            trigger = {} if emulator else {"trigger": f"schedule {scheduler.ContextAttribute.scheduled_time}"}
            scheduler.Schedule(
                self,
                id_of(crawl),
                description=f"Pageturner: crawl {crawl.name}",
                schedule=scheduler.ScheduleExpression.expression(crawl.schedule, TimeZone.of(crawl.timezone)),
                time_window=_time_window(crawl),
                enabled=crawl.enabled,
                target=targets.StepFunctionsStartExecution(
                    state_machine,
                    input=scheduler.ScheduleTargetInput.from_object({"crawl": crawl.name, **trigger}),
                    dead_letter_queue=self.dead_letters,
                    retry_attempts=RETRY_ATTEMPTS,
                    max_event_age=MAX_EVENT_AGE,
                ),
            )


def id_of(crawl: Crawl) -> str:
    """The construct id of what starts a crawl: its name, which no other crawl has.

    Another one for all of them would replace the schedules of existing deployments, and a `rate(…)` begins anew.
    """
    return f"Crawl {crawl.name}" if crawl.name in _TAKEN else crawl.name


def _time_window(crawl: Crawl) -> scheduler.TimeWindow:
    if crawl.flexible_time_window is None:
        return scheduler.TimeWindow.off()
    return scheduler.TimeWindow.flexible(Duration.minutes(crawl.flexible_time_window))
