"""What the CDK itself grants with a wildcard to the roles of machines and schedules, and why it has to be so."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import IConstruct

from infra.grants import acknowledge_wildcards

# The CDK gives the schedules of a target a role whose name begins so.
_SCHEDULER_ROLE = "SchedulerRoleForTarget"


def scheduler_roles(stack: Stack) -> list[iam.Role]:
    """Return the roles that the schedules of a stack have by now."""
    each = stack.node.children
    return [found for found in each if isinstance(found, iam.Role) and found.node.id.startswith(_SCHEDULER_ROLE)]


def acknowledge_invocations(scope: IConstruct, functions: Iterable[lambda_.IFunction]) -> None:
    """Acknowledge that a role, or the machine that it belongs to, may invoke functions."""
    versions = [f"{function.function_arn}:*" for function in functions]
    acknowledge_wildcards(scope, versions, "with a function, the CDK grants its versions and aliases: it has none")


def acknowledge_machine(machine: sfn.StateMachine, functions: Iterable[lambda_.IFunction]) -> None:
    """Acknowledge what a machine needs for its logs and traces, and to invoke these functions."""
    everywhere = "it delivers logs and sends traces, and IAM knows no resource of the actions for that"
    acknowledge_wildcards(machine, ["*"], everywhere)
    acknowledge_invocations(machine, functions)


def acknowledge_children(machine: sfn.StateMachine, maps: Iterable[str]) -> None:
    """Acknowledge that a machine may stop and redrive the executions that its maps start, by their labels."""
    stack = Stack.of(machine)
    name = stack.split_arn(machine.state_machine_arn, ArnFormat.COLON_RESOURCE_NAME).resource_name
    executions = [
        stack.format_arn(
            service="states",
            resource="execution",
            resource_name=f"{of}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        for of in (name, *(f"{name}/{label}" for label in maps))
    ]
    acknowledge_wildcards(machine, executions, "Step Functions names the executions of this machine's maps itself")
