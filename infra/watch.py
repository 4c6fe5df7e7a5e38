"""CheckCrawls, and the schedule that invokes it every quarter of an hour."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk_grants import acknowledge_invocations, scheduler_roles

CHECK_EVERY = Duration.minutes(15)


class Watch(Construct):
    """A schedule of its own, not one of the crawls': it is there whatever the catalogue says."""

    def __init__(
        self, scope: Construct, construct_id: str, *, check_crawls: lambda_.IFunction, dead_letters: sqs.IQueue
    ) -> None:
        super().__init__(scope, construct_id)
        # The next one comes anyway, and nobody needs a letter of one that failed: the function's alarm rings.
        check_crawls.configure_async_invoke(retry_attempts=2, max_event_age=CHECK_EVERY)
        scheduler.Schedule(
            self,
            "Schedule",
            description="Pageturner: look at all crawls",
            schedule=scheduler.ScheduleExpression.rate(CHECK_EVERY),
            target=targets.LambdaInvoke(
                check_crawls,
                input=scheduler.ScheduleTargetInput.from_object({}),
                dead_letter_queue=dead_letters,
                retry_attempts=2,
                max_event_age=CHECK_EVERY,
            ),
        )
        for role in scheduler_roles(Stack.of(self)):
            acknowledge_invocations(role, [check_crawls])
