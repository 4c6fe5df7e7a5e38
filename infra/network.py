"""Where functions run if they are to run in a VPC: in the subnets that the settings name. The CDK looks nothing up."""

from __future__ import annotations

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from infra.grants import grant
from infra.settings import Settings

# Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC".
_LOOKS = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
_MAKES = [
    f"ec2:{action}"
    for action in (
        "AssignPrivateIpAddresses",
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "UnassignPrivateIpAddresses",
    )
]


def run_in_vpc(function: lambda_.Function, settings: Settings) -> None:
    """Run a function in the settings' subnets. Lambda may make network interfaces for it; its code may not."""
    resource = function.node.default_child
    assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 - for the type checker
    resource.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
        subnet_ids=list(settings.subnet_ids), security_group_ids=list(settings.security_group_ids)
    )
    before = "Lambda looks for these before it makes the function, and there is no network interface to name yet"
    grant(function, _LOOKS + _MAKES, ["*"], because=before)
    functions = f"arn:{Aws.PARTITION}:lambda:{Stack.of(function).region}:{Aws.ACCOUNT_ID}:function:*"
    function.add_to_role_policy(
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            actions=_MAKES,
            resources=["*"],
            # Of requests by the code of functions; Lambda's own have no such key.
            conditions={"ArnLike": {"lambda:SourceFunctionArn": functions}},
        )
    )
