"""What is tried with each role's credentials: requests that must be refused, and beside them requests that must not.

A request is what boto3 takes. Its texts have names in braces, which `filled` puts in: `bucket`, `items` and `runs` (the
tables), `database`, `crawl` and `page_loop` (the machines), `topic`, `queue` (its name), `account` and `region`; and
those of functions and their log groups, as ``{function:FetchPage}`` and ``{logs:FetchPage}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FUNCTIONS = (
    *("CheckCrawls", "FailRun", "FetchPage", "FinishRun", "PlanLongTargets", "PlanRun", "PublishPart", "PublishRun"),
    *("ReportRun", "StopRun"),
)
MACHINES = ("Crawl", "PageLoop")
PAGE = "items/crawl=c/date=2026-01-01/run=r/0123456789abcdef-1-00000001.jsonl.gz"


@dataclass(frozen=True)
class Attempt:
    """A request by a role: an operation of a service, by the API's own name of it."""

    role: str
    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        said = re.sub(r"[{}'\[\]]", "", str(self.parameters))
        return f"{self.role} {self.service}:{self.operation} {said}"


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """Return parameters with the names put in."""
    if isinstance(value, str):
        return re.sub(r"\{([a-z_]+(?::\w+)?)\}", lambda found: names[found[1]], value)
    if isinstance(value, Mapping):
        return {name: filled(each, names) for name, each in value.items()}
    return [filled(each, names) for each in value] if isinstance(value, list) else value


Request = tuple[str, str, Mapping[str, Any]]


def put(key: str, **more: Any) -> Request:
    return "s3", "PutObject", {"Bucket": "{bucket}", "Key": key, "Body": b"", **more}


def put_first(key: str) -> Request:
    return put(key, IfNoneMatch="*")


def get(key: str) -> Request:
    return "s3", "GetObject", {"Bucket": "{bucket}", "Key": key}


def delete(key: str, **more: Any) -> Request:
    return "s3", "DeleteObject", {"Bucket": "{bucket}", "Key": key, **more}


def listed(prefix: str) -> Request:
    return "s3", "ListObjectsV2", {"Bucket": "{bucket}", "Prefix": prefix}


def of_bucket(operation: str, **more: Any) -> Request:
    return "s3", operation, {"Bucket": "{bucket}", **more}


def of_object(operation: str, key: str, **more: Any) -> Request:
    return "s3", operation, {"Bucket": "{bucket}", "Key": key, **more}


def row(operation: str, pk: str, sk: str = "x", table: str = "{runs}") -> Request:
    return "dynamodb", operation, {"TableName": table, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}}


def put_row(pk: str, *attributes: str, table: str = "{runs}") -> Request:
    item = {"pk": {"S": pk}, "sk": {"S": "x"}, **{name: {"S": "x"} for name in attributes}}
    return "dynamodb", "PutItem", {"TableName": table, "Item": item}


def set_of(pk: str, attribute: str) -> Request:
    service, operation, parameters = row("UpdateItem", pk)
    how = {
        "UpdateExpression": "SET #x = :x",
        "ExpressionAttributeNames": {"#x": attribute},
        "ExpressionAttributeValues": {":x": {"S": "x"}},
    }
    return service, operation, {**parameters, **how}


def query(pk: str, table: str = "{runs}") -> Request:
    values = {":pk": {"S": pk}}
    how = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": values}
    return "dynamodb", "Query", {"TableName": table, **how}


def of_table(operation: str, table: str = "{runs}", **more: Any) -> Request:
    return "dynamodb", operation, {"TableName": table, **more}


def glue(operation: str, **more: Any) -> Request:
    return "glue", operation, {"DatabaseName": "{database}", **more}


def invoke(function: str) -> Request:
    return "lambda", "Invoke", {"FunctionName": f"{{function:{function}}}"}


def start(machine: str) -> Request:
    return "stepfunctions", "StartExecution", {"stateMachineArn": f"{{{machine}}}"}


def of_execution(operation: str, machine: str = "{crawl}") -> Request:
    return "stepfunctions", operation, {"executionArn": f"{machine}:execution"}


def told(operation: str) -> Request:
    return "stepfunctions", operation, {"taskToken": "t", "error": "e", "cause": "c"}


def logged(function: str) -> Request:
    events = [{"timestamp": 0, "message": "m"}]
    return "logs", "PutLogEvents", {"logGroupName": f"{{logs:{function}}}", "logStreamName": "s", "logEvents": events}


NOTICE: Request = ("sns", "Publish", {"TopicArn": "{topic}", "Message": "m"})
LETTER: Request = ("sqs", "SendMessage", {"QueueUrl": "{queue}", "MessageBody": "m"})
EVENT: Request = ("events", "PutEvents", {"Entries": [{"Source": "pageturner", "DetailType": "x", "Detail": "{}"}]})
TRACE: Request = ("xray", "PutTraceSegments", {"TraceSegmentDocuments": []})

# What no role may do.
_BY_NOBODY: tuple[Request, ...] = (
    put(PAGE),
    put(PAGE, IfMatch="etag"),
    delete(PAGE),
    delete(PAGE, VersionId="v"),
    delete("runs/r/manifest.json"),
    delete("tables/c/run=r/0000.parquet"),
    listed("items/"),
    listed("runs/"),
    put("athena-results/x"),
    put("elsewhere"),
    get("athena-results/x"),
    of_object("PutObjectAcl", PAGE, ACL="public-read"),
    of_object("PutObjectRetention", PAGE),
    of_object("PutObjectLegalHold", PAGE),
    of_object("PutObjectTagging", PAGE, Tagging={"TagSet": []}),
    of_bucket("PutBucketPolicy", Policy="{}"),
    of_bucket("DeleteBucketPolicy"),
    of_bucket("PutBucketLifecycleConfiguration"),
    of_bucket("PutBucketVersioning", VersioningConfiguration={"Status": "Suspended"}),
    of_bucket("ListObjectVersions"),
    of_bucket("DeleteBucket"),
    of_table("Scan"),
    of_table("Scan", "{items}"),
    of_table("DeleteTable"),
    of_table("UpdateTable"),
    row("GetItem", "anything"),
    put_row("anything", "x"),
    glue("DeleteTable", Name="c"),
    ("glue", "DeleteDatabase", {"Name": "{database}"}),
    ("lambda", "UpdateFunctionCode", {"FunctionName": "{function:FetchPage}"}),
    ("stepfunctions", "UpdateStateMachine", {"stateMachineArn": "{crawl}"}),
    ("sqs", "ReceiveMessage", {"QueueUrl": "{queue}"}),
    ("sqs", "PurgeQueue", {"QueueUrl": "{queue}"}),
    ("sns", "Subscribe", {"TopicArn": "{topic}", "Protocol": "email"}),
    ("logs", "CreateLogGroup", {"logGroupName": "other"}),
    ("logs", "DeleteLogGroup", {"logGroupName": "{logs:FetchPage}"}),
    ("iam", "PutRolePolicy", {"RoleName": "other", "PolicyName": "p", "PolicyDocument": "{}"}),
    ("iam", "PassRole", {"RoleName": "other"}),
)
# What only some may do.
_ITEM = put_row("c#l", "item", table="{items}")
_SOME: tuple[tuple[tuple[str, ...], Request], ...] = (
    (("FetchPage",), put_first(PAGE)),
    (("FetchPage",), put_first("detailing/r/t-1-00000001.json.gz")),
    (("FetchPage", "PlanRun"), put("tokens/r/abc")),
    (("PlanRun",), put_first("runs/r/targets.json")),
    (("PlanRun",), put_first("runs/r/targets-2-0a1b2c3d.json")),
    (("PlanRun",), put_first("runs/r/batches-2-0a1b2c3d.json")),
    (("PlanLongTargets",), put_first("runs/r/long-targets.json")),
    (("FinishRun",), put_first("runs/r/manifest.json")),
    (("FinishRun",), put("runs/r/manifest.json", IfMatch="etag")),
    (("FinishRun",), put_first("runs/r/manifest-1/files-00001-0a.jsonl.gz")),
    (("FinishRun",), put_first("finishing/r/1/000001.json")),
    (("ReportRun",), put("runs/r/report.html", IfMatch="etag")),
    (("ReportRun",), put("runs/index.html", IfMatch="etag")),
    (("PublishRun", "PublishPart"), put("published/c/1.json")),
    (("PublishRun", "PublishPart"), put_first("publishing/c/1-1-r/plan.json")),
    (("PublishRun", "PublishPart"), put_first("tables/c/run=r/0000.parquet")),
    (("PublishRun", "PublishPart"), put_first("changes/crawl=c/run=r/0000.parquet")),
    (("PublishRun", "PublishPart"), put_first("comparisons/c/a/0000.parquet")),
    (("PublishRun", "PublishPart"), put("summaries/runs/c/r.parquet", IfMatch="etag")),
    (("PublishRun", "PublishPart"), delete("published/c/1.json")),
    (("PublishRun", "PublishPart"), of_object("PutObjectTagging", "tables/c/run=r/0000.parquet")),
    (("Crawl",), put("map-results/x")),
    (("FetchPage", "PlanRun", "PublishRun", "PublishPart"), get(PAGE)),
    (("FetchPage",), get("detailing/r/t-1-00000001.json.gz")),
    (("FetchPage", "FinishRun"), get("tokens/r/abc")),
    (("PlanRun", "PlanLongTargets", "FinishRun", "Crawl"), get("runs/r/targets.json")),
    (("PlanRun", "Crawl"), get("runs/r/batches.json")),
    (("PlanLongTargets", "Crawl"), get("runs/r/long-targets.json")),
    (("FinishRun", "ReportRun", "PublishRun", "PublishPart"), get("runs/r/manifest.json")),
    (("ReportRun",), get("runs/r/report.html")),
    (("FinishRun", "PublishRun", "PublishPart"), get("published/c/1.json")),
    (("Crawl", "PublishRun", "PublishPart"), get("publishing/c/1-1-r/merge.json")),
    (("Crawl",), get("map-results/x")),
    (("FetchPage",), put_row("run#r", "key", "items", "place", "fetched_at")),
    (("FetchPage", "PlanRun"), put_row("run#r", "place", "expires_at")),
    (("Crawl",), put_row("run#r", "verdict", "error", "cause", "patience", "expires_at")),
    ((), put_row("run#r", "verdict", "key")),
    (("FetchPage",), set_of("pace#r", "free_at")),
    (("FinishRun", "PlanRun"), set_of("run#r", "summary")),
    (("PublishRun", "PublishPart"), set_of("run#r", "published")),
    (("FailRun", "FetchPage", "FinishRun", "PlanRun", "PublishRun", "PublishPart"), set_of("run#r", "failed_in_x")),
    (("PublishRun", "PublishPart"), set_of("published#c", "current")),
    (("PublishRun", "PublishPart"), set_of("fence#c", "number")),
    (("FinishRun",), set_of("lock#c", "continues_until")),
    (("FetchPage", "PlanRun"), put_row("lock#c", "run_id")),
    (("PlanRun", "PublishRun", "PublishPart"), row("DeleteItem", "lock#c")),
    (("FetchPage", "FinishRun", "PlanRun"), put_row("execution#e", "run_id")),
    (("FinishRun", "PlanRun", "StopRun"), row("DeleteItem", "execution#e")),
    (("PlanRun",), put_row("trigger#c", "run_id")),
    (("FinishRun",), put_row("latest#c", "run_id")),
    (("PublishRun", "PublishPart"), put_row("published#c", "reached")),
    (("FinishRun", "PlanRun", "ReportRun", "StopRun"), set_of("history#c", "outcome")),
    (("CheckCrawls", "FinishRun", "PlanRun", "ReportRun", "StopRun"), set_of("status", "outcome")),
    (("Crawl", "FetchPage", "FinishRun", "PlanLongTargets", "PlanRun"), query("run#r")),
    (("CheckCrawls", "ReportRun"), query("history#c")),
    (("CheckCrawls", "ReportRun"), query("status")),
    ((), query("lock#c")),
    ((), row("DeleteItem", "run#r")),
    ((), row("DeleteItem", "history#c")),
    ((), row("DeleteItem", "published#c")),
    ((), row("DeleteItem", "trigger#c")),
    (("PublishRun", "PublishPart"), _ITEM),
    (("PublishRun", "PublishPart"), query("c#l", "{items}")),
    (("PublishRun", "PublishPart"), row("DeleteItem", "c#l", table="{items}")),
    (("PublishRun", "PublishPart"), of_table("DescribeTable", "{items}")),
    (("PublishRun", "PublishPart"), glue("UpdateTable", TableInput={"Name": "c"})),
    (("PublishRun", "PublishPart"), glue("GetTable", Name="c")),
    ((), ("glue", "GetTable", {"DatabaseName": "other", "Name": "c"})),
    (("PublishRun", "PublishPart"), EVENT),
    (("CheckCrawls", "PlanRun", "ReportRun", "StopRun"), NOTICE),
    (("StopRun",), LETTER),
    (("Crawl",), start("crawl")),
    ((), start("page_loop")),
    (("Crawl",), ("stepfunctions", "StartSyncExecution", {"stateMachineArn": "{page_loop}"})),
    (("Crawl", "FetchPage", "PlanRun", "StopRun"), of_execution("DescribeExecution")),
    (("Crawl",), of_execution("StopExecution")),
    (("Crawl",), of_execution("RedriveExecution", "{crawl}/LongTargets")),
    ((), of_execution("RedriveExecution")),
    (("FailRun",), told("SendTaskFailure")),
    (("FailRun",), told("SendTaskSuccess")),
    *(
        (tuple(machine for machine in MACHINES if machine == "Crawl" or function == "FetchPage"), invoke(function))
        for function in FUNCTIONS
        if function not in ("CheckCrawls", "StopRun")
    ),
    ((), invoke("CheckCrawls")),
    ((), invoke("StopRun")),
    *(((function,), logged(function)) for function in FUNCTIONS),
    ((*FUNCTIONS, *MACHINES), TRACE),
)


def allowed() -> Iterator[Attempt]:
    """Yield what each role must be able to do."""
    for roles, request in _SOME:
        yield from (Attempt(role, *request) for role in roles)


def refused() -> Iterator[Attempt]:
    """Yield what each role must be refused."""
    for role in (*FUNCTIONS, *MACHINES):
        yield from (Attempt(role, *request) for request in _BY_NOBODY)
        yield from (Attempt(role, *request) for roles, request in _SOME if role not in roles)
