"""What IAM is asked when a function calls AWS about its own bucket, tables, topic and so on.

S3 User Guide, "Required permissions for Amazon S3 API operations"; DynamoDB Developer Guide, "Using IAM with
transactions" and "Using IAM policy conditions for fine-grained access control".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.conftest import ACCOUNT, REGION, Aws
from tests.iam import Ask

_BUCKET = f"arn:aws:s3:::{Aws.bucket}"
_S3 = {"HeadObject": "GetObject"}
_IN_TRANSACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


# Of other services: the parameter that has the name of the resource, and what is around it in the ARN.
_NAMED = {
    "lambda": ("FunctionName", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}"),
    "sns": ("TopicArn", "{}"),
    "sqs": ("QueueUrl", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{}}"),
    "logs": ("logGroupName", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{}}:*"),
    "iam": ("RoleName", f"arn:aws:iam::{ACCOUNT}:role/{{}}"),
}
# The ARN of an execution is that of its machine, but for this.
_EXECUTION = (":stateMachine:", ":execution:")
_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction", "s3:ListObjectsV2": "s3:ListBucket"}
_ACTIONS |= {"s3:ListObjectVersions": "s3:ListBucketVersions"}
_ACTIONS |= {"s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration"}


def asked(role: str, service: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[Ask]:
    """Yield what IAM is asked for a request about Pageturner's own; nothing if it is about what is crawled."""
    action = _ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}")
    if service == "s3" and parameters.get("Bucket") == Aws.bucket:
        yield from _of_s3(role, operation, parameters) if "Key" in parameters else _of_bucket(role, action, parameters)
    elif service == "dynamodb":
        yield from _of_dynamodb(role, operation, parameters)
    elif service == "glue":
        yield from _of_glue(role, operation, parameters)
    elif service == "events":
        yield Ask(role, action, f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default")
    elif service == "stepfunctions":
        arn = parameters.get("executionArn", "").replace(*_EXECUTION) or parameters.get("stateMachineArn", "*")
        yield Ask(role, f"states:{operation}", arn)
    elif service == "xray":
        yield Ask(role, action, "*")
    elif service in _NAMED:
        name, arn = _NAMED[service]
        yield Ask(role, action, arn.format(parameters[name]))


def missing(role: str, service: str, parameters: Mapping[str, Any]) -> Iterator[Ask]:
    """Yield what IAM is asked when an object is not there: without it, S3 would answer 403, not 404."""
    if service == "s3" and parameters.get("Bucket") == Aws.bucket:
        yield Ask(role, "s3:ListBucket", _BUCKET)


def _of_bucket(role: str, action: str, parameters: Mapping[str, Any]) -> Iterator[Ask]:
    yield Ask(role, action, _BUCKET, {"s3:prefix": parameters["Prefix"]} if "Prefix" in parameters else {})


def _of_glue(role: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[Ask]:
    """Glue asks about what is above a resource, too (Glue Developer Guide, "Specifying Glue resource ARNs")."""
    database = parameters.get("DatabaseName") or parameters["Name"]
    places = ["catalog", f"database/{database}"]
    if "DatabaseName" in parameters:
        table = parameters.get("TableName") or parameters.get("Name") or parameters["TableInput"]["Name"]
        places.append(f"table/{database}/{table}")
    for place in places:
        yield Ask(role, f"glue:{operation}", f"arn:aws:glue:{REGION}:{ACCOUNT}:{place}")


def _of_s3(role: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[Ask]:
    place, context = f"{_BUCKET}/{parameters['Key']}", {}
    if operation == "PutObject":
        context = {"s3:ObjectCreationOperation": "true"}
        for name, header in (("IfNoneMatch", "s3:if-none-match"), ("IfMatch", "s3:if-match")):
            if name in parameters:
                context[header] = parameters[name]
        # S3 User Guide, "How to prevent object overwrites based on object changes".
        if "IfMatch" in parameters:
            yield Ask(role, "s3:GetObject", place)
    action = "DeleteObjectVersion" if "VersionId" in parameters else _S3.get(operation, operation)
    yield Ask(role, f"s3:{action}", place, context)


def _of_dynamodb(role: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[Ask]:
    if operation == "TransactWriteItems":
        for each in parameters["TransactItems"]:
            ((kind, action),) = each.items()
            yield from _of_dynamodb(role, _IN_TRANSACTIONS[kind], action)
    elif operation == "BatchWriteItem":
        for table, requests in parameters["RequestItems"].items():
            items = [request["PutRequest"]["Item"] for request in requests]
            context = {
                "dynamodb:LeadingKeys": sorted({item["pk"]["S"] for item in items}),
                "dynamodb:Attributes": sorted({name for item in items for name in item}),
            }
            yield Ask(role, "dynamodb:BatchWriteItem", _table(table), context)
    elif parameters.get("TableName") in (Aws.items_table, Aws.runs_table):
        has_rows = "Key" in parameters or "Item" in parameters or operation == "Query"
        context = _context(parameters) if has_rows else {}
        yield Ask(role, f"dynamodb:{operation}", _table(parameters["TableName"]), context)


def _table(name: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def _context(parameters: Mapping[str, Any]) -> dict[str, Any]:
    values = parameters.get("ExpressionAttributeValues", {})
    row = parameters.get("Item") or parameters.get("Key")
    if row is None:  # a query
        (name,) = re.findall(r"pk = (:\w+)", parameters["KeyConditionExpression"])
        row = {"pk": values[name], "sk": {}}
    names = parameters.get("ExpressionAttributeNames", {})
    expressions = " ".join(text for name, text in parameters.items() if name.endswith("Expression"))
    words = {names.get(word, word) for word in re.findall(r"(?<![:\w])#?[a-z_]\w*(?!\w*\()", expressions)}
    return {"dynamodb:LeadingKeys": [row["pk"]["S"]], "dynamodb:Attributes": sorted({*row, *words})}
