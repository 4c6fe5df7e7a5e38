"""Where names do not say how parameters name resources: what the Service Authorization Reference and the APIs say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from local.iam_types import types_of
from pageturner.crawls.iam_actions import iam_action
from pageturner.paging import api

# Parameters with which a call reads what is another account's, or is of another form than the templates say.
ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "apigatewayv2": ("ResourceOwnerAccountId",),
    "appmesh": ("meshOwner",),
    "backup": ("BackupVaultAccountId",),
    "cloudformation": ("CallAs",),
    "cloudtrail": ("EventDataStoreOwnerAccountId",),
    "codeartifact": ("domainOwner",),
    "ecr": ("registryId",),
    "ecr-public": ("registryId",),
    "glue": ("CatalogId",),
    "internetmonitor": ("LinkedAccountId",),
    "mgn": ("accountID",),
    "omics": ("workflowOwnerId",),
    "pinpoint-sms-voice-v2": ("Owner",),
    "redshift": ("Account", "OwnerAccount", "ResourceOwner"),
    "redshift-serverless": ("ownerAccount",),
    "servicediscovery": ("OwnerAccount",),
    "signer": ("profileOwner",),
    "sqs": ("QueueOwnerAWSAccountId",),
}
# Services where a plain ID can be that of a resource which another account shares, or AWS.
_SHARED = ("account", "ec2", "networkmanager", "organizations", "route53resolver", "servicecatalog", "wellarchitected")
_HERE = "${Region}:${Account}"
_CONSUMER = (
    f"kinesis:{_HERE}:*/*/consumer/{{ConsumerARN:arn}}",
    f"kinesis:{_HERE}:stream/{{StreamARN:arn}}/consumer/{{ConsumerName}}:*",
)
_PATH = tuple(
    f"ssm:${{Region}}:{account}:parameter/{{Path:folder}}{end}" for account in ("${Account}", "") for end in ("", "/*")
)
_EXCEPTIONS: Mapping[tuple[str, str], tuple[str, ...]] = {
    **{
        ("athena", operation): (f"athena:{_HERE}:datacatalog/{{CatalogName}}",)
        for operation in ("get_database", "get_table_metadata", "list_databases", "list_table_metadata")
    },
    # Composite alarms are seen only with a grant on `*` (CloudWatch API Reference, DescribeAlarms).
    ("cloudwatch", "describe_alarms"): (),
    ("dynamodb", "batch_get_item"): (f"dynamodb:{_HERE}:table/{{RequestItems.keys(@)}}",),
    ("dynamodb", "transact_get_items"): (f"dynamodb:{_HERE}:table/{{TransactItems[].Get.TableName}}",),
    # A rule of another bus than the default one has the bus before it.
    **{
        ("events", operation): tuple(f"events:{_HERE}:rule/{before}{{{name}}}" for before in ("", "*/"))
        for operation, name in (("describe_rule", "Name"), ("list_targets_by_rule", "Rule"))
    },
    ("glue", "get_registry"): (f"glue:{_HERE}:registry/{{RegistryId.RegistryName||RegistryId.RegistryArn}}",),
    ("kinesis", "describe_stream_consumer"): _CONSUMER,
    ("logs", "get_log_events"): tuple(
        f"logs:{_HERE}:log-group:{{{name}}}:*" for name in ("logGroupName", "logGroupIdentifier")
    ),
    # The ARN of a Multi-Region Access Point has its alias.
    **{
        ("s3control", f"get_multi_region_access_point{what}"): ()
        for what in ("", "_policy", "_policy_status", "_routes")
    },
    # A path is all below it, and needs to be granted itself (Systems Manager User Guide, "Restricting access to
    # Parameter Store parameters using IAM policies").
    ("ssm", "get_parameters_by_path"): _PATH,
    ("sqs", "list_message_move_tasks"): (f"sqs:{_HERE}:{{SourceArn:arn}}",),
    ("stepfunctions", "list_executions"): (
        f"states:{_HERE}:stateMachine:{{stateMachineArn:arn}}",
        f"states:{_HERE}:mapRun:*/*:{{mapRunArn:arn}}",
    ),
    # A subscription's ARN is that of its topic, and more: which of them is looked at is not said.
    ("sns", "get_subscription_attributes"): (),
}
# Names that the services store in lower case.
_LOWER = ("docdb", "elasticache", "memorydb", "neptune", "rds", "redshift")
_IAM_NAME = re.compile(r"(.*:(?:user|role|group|instance-profile|server-certificate)/)(\{\w+\})")


def exception(service: str, operation: str) -> tuple[str, ...] | None:
    """Return the templates of an operation, none for ``*``; or None if it is no exception."""
    if iam_action(service, operation) == "apigateway:GET":
        return _api_gateway(service, operation)
    if service == "s3":
        return _s3(operation)
    if service == "sqs" and "QueueUrl" in _required(service, operation):
        return ("sqs:${Region}:{QueueUrl:account}:{QueueUrl:queue}",)
    if service == "neptunedata":
        return ()  # an ID says nothing of the cluster, which is in the ARN
    if service == "ssm" and operation in ("get_parameter", "get_parameters", "get_parameter_history"):
        name = "Names" if operation == "get_parameters" else "Name"
        # Public parameters have no account.
        return tuple(f"ssm:${{Region}}:{account}:parameter/{{{name}:path}}" for account in ("${Account}", ""))
    if service == "ssm" and "WindowId" in _required(service, operation):
        return (f"ssm:{_HERE}:maintenancewindow/{{WindowId}}",)
    return _EXCEPTIONS.get((service, operation))


def changed(service: str, template: str) -> tuple[str, ...]:
    """Return what becomes of a template that the names make."""
    if service == "logs" and re.search(r":log-group:\{\w+\}$", template):
        # All but tags is asked of what a log group has, with `:*` (User Guide, "CloudWatch Logs resources").
        return template, f"{template}:*"
    if service == "iam" and (found := _IAM_NAME.fullmatch(template)):
        # A name is unique, whatever path is before it.
        return template, f"{found[1]}*/{found[2]}"
    if service == "codeartifact":
        return (template.replace("{packageGroup}", "*"),)  # a pattern, encoded
    if service in _SHARED:
        return (template.replace("${Account}", "*"),)
    if service in ("iotsitewise", "kms"):
        return (re.sub(r"(?<!\$)\{(\w+)\}", r"{\1:id}", template),)
    if service == "lambda" and ":function:{FunctionName}" in template:
        function = f"lambda:{_HERE}:function:{{FunctionName:function}}"
        return function, f"{function}:*"  # versions and aliases
    if service == "quicksight" and re.search(":(user|group|namespace)/", template):
        return (template.replace("${Region}", "*"),)  # that of the account's identities
    if service == "route53":
        return (re.sub(r"\{(\w+)\}", r"{\1:last}", template),)
    if service == "secretsmanager":
        # Secrets Manager adds a hyphen and six characters to a name (User Guide, "What's in a secret").
        return (f"{template}-??????",)
    if service == "ssm" and ":document/{" in template:
        # Those of AWS have no account.
        return template, template.replace("${Account}", "")
    if service == "wafv2":
        return (template.replace("{Scope}", "*"),)  # CLOUDFRONT is "global"
    if service in _LOWER:
        return (re.sub(r"(?<!\$)\{(\w+)\}", r"{\1:lower}", template),)
    return (template,)


def _api_gateway(service: str, operation: str) -> tuple[str, ...]:
    """An action of API Gateway is a method, and its resource the path of the request."""
    model = api.operation_model(service, operation)
    shapes = model.input_shape.members if model.input_shape is not None else {}
    members = {shape.serialization.get("name", name): name for name, shape in shapes.items()}
    path = re.sub(r"\{(\w+)\+?\}", lambda found: f"{{{members[found[1]]}}}", model.http["requestUri"].partition("?")[0])
    path = path.removeprefix("/v2")
    # Tags are asked for by an ARN, which is encoded there; private domain names have another form.
    return () if path.startswith(("/tags", "/domainname")) else (f"apigateway:${{Region}}::{path}",)


def _s3(operation: str) -> tuple[str, ...]:
    required = _required("s3", operation)
    types = {each.name for each in types_of(iam_action("s3", operation))}
    if "Bucket" not in required or not types & {"bucket", "object"}:
        return ()
    bucket, point = "s3:::{Bucket:bucket}", "s3:*:*:accesspoint/{Bucket:point}"
    if "object" in types:
        bucket, point = (
            (bucket + "/{Key}", point + "/object/{Key}") if "Key" in required else (bucket + "/*", point + "/*")
        )
    return (bucket, point) if types & {"accesspoint", "accesspointobject"} else (bucket,)


def _required(service: str, operation: str) -> Any:
    shape = api.operation_model(service, operation).input_shape
    return shape.required_members if shape is not None else []
