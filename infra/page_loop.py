"""PageLoop, the fast gear: an Express state machine that turns pages for minutes, then hands its place over."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.cdk_grants import acknowledge_machine
from infra.functions import machine_log_group
from infra.page_states import PageStates


class PageLoop(Construct):
    """`PageStates`, then `HandOver`. Its input is the page state, its output the place it reached."""

    def __init__(
        self, scope: Construct, construct_id: str, *, fetch_page: lambda_.IFunction, log_retention: logs.RetentionDays
    ) -> None:
        super().__init__(scope, construct_id)
        hand_over = sfn.Succeed(self, "HandOver", output_path="$.place")
        # A loop that has turned a page has made progress, and hands its place over. If the error persists, it fails the
        # next loop at its first page.
        turned_any = sfn.Choice(self, "TurnedAny?")
        turned_any.when(
            sfn.Condition.and_(
                sfn.Condition.is_present("$.place.turned_in"),
                sfn.Condition.string_equals_json_path("$.place.turned_in", "$$.Execution.StartTime"),
            ),
            hand_over,
        )
        turned_any.otherwise(sfn.Fail(self, "LoopFailed", error_path="$.failure.Error", cause_path="$.failure.Cause"))
        pages = PageStates(self, "Pages", fetch_page=fetch_page, then=hand_over, failed=turned_any)
        name = f"{Stack.of(self).stack_name}-PageLoop"
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=name,
            state_machine_type=sfn.StateMachineType.EXPRESS,
            definition_body=sfn.DefinitionBody.from_chainable(pages.start),
            timeout=Duration.minutes(5),
            tracing_enabled=True,
            # At level ALL, the logs of an Express execution cost more than the execution.
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "Logs",
                    log_group_name=machine_log_group(name),
                    retention=log_retention,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
        )
        acknowledge_machine(self.state_machine, [fetch_page])
        acknowledge(self.state_machine, "SF1", "at level ALL, the logs would cost more than the executions")
