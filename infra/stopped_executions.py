"""Tells StopRun of each Crawl execution that has ended: its PageLoops may still turn pages, and nobody may know. And of
each that was redriven since."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

_LONGEST_AGE = Duration.hours(1)


class StoppedExecutions(Construct):
    """EventBridge rules. Step Functions delivers its events at best effort; PlanRun does without them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        state_machine: sfn.IStateMachine,
        stop_run: lambda_.IFunction,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        # EventBridge only hands the event to Lambda's own queue. From there, a function that fails is invoked thrice.
        stop_run.configure_async_invoke(
            on_failure=destinations.SqsDestination(dead_letters), retry_attempts=2, max_event_age=_LONGEST_AGE
        )
        told: list[tuple[str, str, dict[str, Any]]] = [
            ("Rule", "has ended", {"status": ["ABORTED", "FAILED", "SUCCEEDED", "TIMED_OUT"]}),
            ("Redriven", "was redriven", {"status": ["RUNNING"], "redriveCount": [{"numeric": [">", 0]}]}),
        ]
        for rule, what, how in told:
            events.Rule(
                self,
                rule,
                description=f"Pageturner: a Crawl execution {what}",
                event_pattern=events.EventPattern(
                    source=["aws.states"],
                    detail_type=["Step Functions Execution Status Change"],
                    detail={**how, "stateMachineArn": [state_machine.state_machine_arn]},
                ),
                targets=[
                    targets.LambdaFunction(
                        stop_run, dead_letter_queue=dead_letters, retry_attempts=10, max_event_age=_LONGEST_AGE
                    )
                ],
            )
