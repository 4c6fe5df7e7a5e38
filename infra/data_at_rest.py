"""A KMS key of one's own for all that holds data, and what roles need to use it.

It knows types of resources, not resources: what the stack comes to have is encrypted too. docs/deploying.md has what
the key's policy must allow to services.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aws_cdk import ArnFormat, Aws, CfnResource, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn

from infra.cdk_grants import scheduler_roles

# In seconds, the longest that Step Functions and SQS take: each new data key is a request to KMS.
_MACHINES_REUSE = 900
_QUEUES_REUSE = 86_400
_DATA_KEYS = ("kms:Decrypt", "kms:GenerateDataKey")
# DynamoDB asks for the other two on behalf of whoever uses a table (DynamoDB Developer Guide, "DynamoDB encryption at
# rest: usage notes").
_DATA = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey")


def encrypt(stack: Stack, key_arn: str) -> None:
    """Encrypt what the stack has by now with a key, and let its functions, machines and schedules use the key."""
    each = stack.node.find_all()
    for resource in (found for found in each if isinstance(found, CfnResource)):
        for path, value in _properties(resource.cfn_resource_type, key_arn).items():
            resource.add_property_override(path, value)
    use = _may(key_arn, _DATA, **_through("s3", "dynamodb", "sns", "sqs", "lambda"))
    for function in (found for found in each if isinstance(found, lambda_.Function)):
        function.add_to_role_policy(use)
    machines = [found for found in each if isinstance(found, sfn.StateMachine)]
    # The CDK knows the name that it has given, so that no policy of a machine depends on the machine.
    names = [str(machine.node.default_child.state_machine_name) for machine in machines]  # type: ignore[union-attr]
    for machine in machines:
        machine.add_to_role_policy(_may(key_arn, _DATA, **_through("s3", "dynamodb")))
        for statement in _of_executions(stack, key_arn, names):
            machine.add_to_role_policy(statement)
    for role in scheduler_roles(stack):
        role.add_to_policy(_may(key_arn, _DATA_KEYS, **_through("sqs")))
        # What is to be delivered.
        role.add_to_policy(_may(key_arn, ["kms:Decrypt"]))


def _properties(kind: str, key_arn: str) -> dict[str, Any]:
    """The properties that encrypt a resource of this type, by their path."""
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}
    machine = {
        "Type": "CUSTOMER_MANAGED_KMS_KEY",
        "KmsKeyId": key_arn,
        "KmsDataKeyReusePeriodSeconds": _MACHINES_REUSE,
    }
    found: dict[str, dict[str, Any]] = {
        "AWS::Athena::WorkGroup": {
            "WorkGroupConfiguration.ResultConfiguration.EncryptionConfiguration": {
                "EncryptionOption": "SSE_KMS",
                "KmsKey": key_arn,
            }
        },
        "AWS::DynamoDB::GlobalTable": {
            "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS"},
            "Replicas.0.SSESpecification": {"KMSMasterKeyId": key_arn},
        },
        "AWS::Lambda::Function": {"KmsKeyArn": key_arn},
        "AWS::Logs::LogGroup": {"KmsKeyId": key_arn},
        "AWS::S3::Bucket": {
            # With a key for the bucket, S3 does not ask KMS for each object.
            "BucketEncryption.ServerSideEncryptionConfiguration": [
                {"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": by_default}
            ]
        },
        "AWS::Scheduler::Schedule": {"KmsKeyArn": key_arn},
        "AWS::SNS::Topic": {"KmsMasterKeyId": key_arn},
        "AWS::SQS::Queue": {
            "KmsMasterKeyId": key_arn,
            "KmsDataKeyReusePeriodSeconds": _QUEUES_REUSE,
            # The two exclude each other.
            "SqsManagedSseEnabled": False,
        },
        "AWS::StepFunctions::StateMachine": {"EncryptionConfiguration": machine},
    }
    return found.get(kind, {})


def _of_executions(stack: Stack, key_arn: str, names: Iterable[str]) -> list[iam.PolicyStatement]:
    """What the role of a machine needs for definitions and executions, of the machine that it starts too, and for logs.

    Step Functions Developer Guide, "Data at rest encryption".
    """
    machines = [
        stack.format_arn(
            service="states",
            resource="stateMachine",
            resource_name=name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        for name in names
    ]
    logs = stack.format_arn(service="logs", resource="*", arn_format=ArnFormat.NO_RESOURCE_NAME)
    return [
        _may(key_arn, _DATA_KEYS, StringEquals={"kms:EncryptionContext:aws:states:stateMachineArn": machines}),
        _may(key_arn, ["kms:GenerateDataKey"], StringEquals={"kms:EncryptionContext:SourceArn": logs}),
    ]


def _through(*services: str) -> dict[str, Any]:
    """The condition that one of these services asks KMS on behalf of the role."""
    return {"StringEquals": {"kms:ViaService": [f"{name}.{Aws.REGION}.amazonaws.com" for name in services]}}


def _may(key_arn: str, actions: Iterable[str], **conditions: Any) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=[key_arn], conditions=conditions)
