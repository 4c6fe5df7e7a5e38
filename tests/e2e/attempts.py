"""What nobody who has a role's credentials may do: a table of requests.

A word in braces is a name of the deployment (`Enforced.names`), wherever it stands in a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OTHER_BUCKET = "enforced-a"
OTHER_TABLE = "pageturner-demo"
_ASSUMED_BY_ALL = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}'
_ALLOWS_ALL = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
_ROLE = "arn:aws:iam::{account}:role/"
_ROW = {"pk": {"S": "p"}, "sk": {"S": "s"}}
_EVENTS = [{"timestamp": 1, "message": "x"}]
_NO_TIME_TO_LIVE = {"Enabled": False, "AttributeName": "expires_at"}
_OF_OTHERS = {"service": {"S": "s"}, "operation": {"S": "o"}}


@dataclass(frozen=True)
class Attempt:
    """One request, by boto3's names."""

    service: str
    operation: str
    parameters: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.service}.{self.operation}({dict(self.parameters)})"


def _a(service: str, operation: str, **parameters: Any) -> Attempt:
    return Attempt(service, operation, parameters)


def _partition(key: str) -> dict[str, Any]:
    return {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": key}}}


# For each role, also those that read what is crawled: nothing is written anywhere, nothing secret is read, and nobody
# gets at another role's permissions.
FOR_ALL = (
    # Who may do what.
    _a("iam", "create_user", UserName="mallory"),
    _a("iam", "create_access_key", UserName="someone"),
    _a("iam", "create_role", RoleName="mallory", AssumeRolePolicyDocument=_ASSUMED_BY_ALL),
    _a("iam", "update_assume_role_policy", RoleName="{role}", PolicyDocument=_ASSUMED_BY_ALL),
    _a("iam", "put_role_policy", RoleName="{role}", PolicyName="p", PolicyDocument=_ALLOWS_ALL),
    _a("iam", "attach_role_policy", RoleName="{role}", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"),
    _a("iam", "delete_role_policy", RoleName="{role}", PolicyName="p"),
    _a("iam", "delete_role_permissions_boundary", RoleName="{role}"),
    _a("iam", "delete_user", UserName="someone"),
    _a("sts", "assume_role", RoleArn=_ROLE + "{crawl_role}", RoleSessionName="mallory"),
    _a("sts", "assume_role", RoleArn=_ROLE + "{publish_role}", RoleSessionName="mallory"),
    _a("sts", "assume_role", RoleArn=_ROLE + "{deploy_role}", RoleSessionName="mallory"),
    _a("sts", "assume_role", RoleArn="arn:aws:iam::222222222222:role/PageturnerReader", RoleSessionName="mallory"),
    _a("kms", "create_grant", KeyId="alias/aws/s3", GranteePrincipal=_ROLE + "{role}", Operations=["Decrypt"]),
    # Secrets.
    _a("secretsmanager", "get_secret_value", SecretId="a-secret"),
    _a("secretsmanager", "put_secret_value", SecretId="a-secret", SecretString="x"),
    _a("secretsmanager", "delete_secret", SecretId="a-secret"),
    _a("ssm", "get_parameter", Name="/a/secret", WithDecryption=True),
    _a("ssm", "get_parameters_by_path", Path="/a", WithDecryption=True),
    _a("ssm", "put_parameter", Name="/a/secret", Value="x", Type="String", Overwrite=True),
    _a("ssm", "send_command", DocumentName="AWS-RunShellScript", InstanceIds=["i-0123456789abcdef0"]),
    _a("kms", "decrypt", CiphertextBlob=b"x" * 99, KeyId="alias/a-key"),
    _a("kms", "schedule_key_deletion", KeyId="alias/a-key"),
    # Others' data.
    _a("s3", "get_object", Bucket=OTHER_BUCKET, Key="a0"),
    _a("s3", "put_object", Bucket=OTHER_BUCKET, Key="a0", Body=b"x"),
    _a("s3", "delete_object", Bucket=OTHER_BUCKET, Key="a0"),
    _a("s3", "delete_objects", Bucket=OTHER_BUCKET, Delete={"Objects": [{"Key": "a0"}, {"Key": "a1"}]}),
    _a("s3", "copy_object", Bucket=OTHER_BUCKET, Key="a9", CopySource=f"{OTHER_BUCKET}/a0"),
    _a("s3", "create_multipart_upload", Bucket=OTHER_BUCKET, Key="a0"),
    _a("s3", "put_bucket_policy", Bucket=OTHER_BUCKET, Policy=_ALLOWS_ALL),
    _a("s3", "put_bucket_notification_configuration", Bucket=OTHER_BUCKET, NotificationConfiguration={}),
    _a("s3", "create_bucket", Bucket="mallory"),
    _a("s3", "delete_bucket", Bucket=OTHER_BUCKET),
    _a("dynamodb", "get_item", TableName=OTHER_TABLE, Key=_OF_OTHERS),
    _a("dynamodb", "put_item", TableName=OTHER_TABLE, Item=_OF_OTHERS),
    _a("dynamodb", "delete_item", TableName=OTHER_TABLE, Key=_OF_OTHERS),
    _a("dynamodb", "batch_write_item", RequestItems={OTHER_TABLE: [{"DeleteRequest": {"Key": _OF_OTHERS}}]}),
    _a("dynamodb", "transact_write_items", TransactItems=[{"Delete": {"TableName": OTHER_TABLE, "Key": _OF_OTHERS}}]),
    _a("dynamodb", "delete_table", TableName=OTHER_TABLE),
    _a("dynamodb", "execute_statement", Statement='DELETE FROM "pageturner-demo"'),
    _a("sqs", "send_message", QueueUrl="{others_queue}", MessageBody="x"),
    _a("sqs", "receive_message", QueueUrl="{queue}"),
    _a("sqs", "purge_queue", QueueUrl="{queue}"),
    _a("sqs", "delete_queue", QueueUrl="{queue}"),
    _a("sns", "publish", TopicArn="{topic}", Message="x"),
    _a("sns", "subscribe", TopicArn="{notices}", Protocol="email", Endpoint="mallory@example.com"),
    _a("logs", "filter_log_events", logGroupName="/others"),
    _a("logs", "delete_log_group", logGroupName="/others"),
    _a("kinesis", "put_record", StreamName="s", Data=b"x", PartitionKey="p"),
    _a("rds", "delete_db_instance", DBInstanceIdentifier="d", SkipFinalSnapshot=True),
    _a("ecr", "delete_repository", repositoryName="others"),
    # What runs.
    _a("ec2", "run_instances", ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1),
    _a("ec2", "terminate_instances", InstanceIds=["i-0123456789abcdef0"]),
    _a("ec2", "authorize_security_group_ingress", GroupName="default", IpProtocol="-1", CidrIp="0.0.0.0/0"),
    _a("ecs", "run_task", taskDefinition="t"),
    _a("cloudformation", "delete_stack", StackName="Pageturner"),
    _a("cloudformation", "create_stack", StackName="mallory", TemplateBody="{}"),
    _a("route53", "delete_hosted_zone", Id="Z1"),
    _a("cloudtrail", "stop_logging", Name="t"),
    _a("organizations", "leave_organization"),
    # The deployment itself.
    _a("lambda", "invoke", FunctionName="{fetch_page}", Payload=b"{}"),
    _a("lambda", "invoke", FunctionName="{publish_run}", Payload=b"{}"),
    _a("lambda", "get_function", FunctionName="{fetch_page}"),
    _a("lambda", "update_function_code", FunctionName="{fetch_page}", ZipFile=b"x"),
    _a("lambda", "update_function_configuration", FunctionName="{fetch_page}", Environment={"Variables": {}}),
    _a("lambda", "delete_function", FunctionName="{fetch_page}"),
    _a("lambda", "add_permission", FunctionName="{fetch_page}", StatementId="s", Action="*", Principal="*"),
    _a("stepfunctions", "start_execution", stateMachineArn="{crawl}", input='{"crawl":"users"}'),
    _a("stepfunctions", "start_execution", stateMachineArn="{page_loop}", input="{}"),
    _a("stepfunctions", "stop_execution", executionArn="{execution}"),
    _a("stepfunctions", "get_execution_history", executionArn="{execution}"),
    _a("stepfunctions", "update_state_machine", stateMachineArn="{crawl}", definition="{}"),
    _a("stepfunctions", "delete_state_machine", stateMachineArn="{crawl}"),
    _a("events", "put_rule", Name="mallory", ScheduleExpression="rate(1 minute)"),
    _a("events", "disable_rule", Name="mallory"),
    _a("events", "put_events", Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": "others"}]),
    _a("scheduler", "delete_schedule", Name="mallory"),
    _a("cloudwatch", "disable_alarm_actions", AlarmNames=["a"]),
    _a("cloudwatch", "delete_alarms", AlarmNames=["a"]),
    _a("glue", "delete_database", Name="{database}"),
    _a("glue", "delete_table", DatabaseName="{database}", Name="users"),
    _a("glue", "update_table", DatabaseName="others", TableInput={"Name": "t"}),
    _a("athena", "start_query_execution", QueryString="SELECT 1", WorkGroup="{workgroup}"),
    _a("athena", "delete_work_group", WorkGroup="{workgroup}"),
    _a("s3", "delete_object", Bucket="{bucket}", Key="{page}"),
    _a("s3", "delete_object", Bucket="{bucket}", Key="{manifest}"),
    _a("s3", "delete_objects", Bucket="{bucket}", Delete={"Objects": [{"Key": "{page}"}]}),
    _a("s3", "put_object", Bucket="{bucket}", Key="elsewhere", Body=b"x"),
    _a("s3", "put_object_acl", Bucket="{bucket}", Key="{page}", ACL="public-read"),
    _a("s3", "put_bucket_policy", Bucket="{bucket}", Policy=_ALLOWS_ALL),
    _a("s3", "delete_bucket_policy", Bucket="{bucket}"),
    _a("s3", "put_bucket_lifecycle_configuration", Bucket="{bucket}", LifecycleConfiguration={"Rules": []}),
    _a("s3", "delete_public_access_block", Bucket="{bucket}"),
    _a("dynamodb", "scan", TableName="{runs}"),
    _a("dynamodb", "scan", TableName="{items}"),
    _a("dynamodb", "delete_table", TableName="{runs}"),
    _a("dynamodb", "update_time_to_live", TableName="{runs}", TimeToLiveSpecification=_NO_TIME_TO_LIVE),
    _a("dynamodb", "put_resource_policy", ResourceArn="{runs_arn}", Policy=_ALLOWS_ALL),
)  # fmt: skip


def _put(*keys: str) -> tuple[Attempt, ...]:
    return tuple(_a("s3", "put_object", Bucket="{bucket}", Key=key, Body=b"x") for key in keys)


def _get(*keys: str) -> tuple[Attempt, ...]:
    return tuple(_a("s3", "get_object", Bucket="{bucket}", Key=key) for key in keys)


_PAGES = (
    _a("s3", "put_object", Bucket="{bucket}", Key="items/new", Body=b"x", IfNoneMatch="*"),
    _a("s3", "put_object", Bucket="{bucket}", Key="{page}", Body=b"x"),
    _a("s3", "put_object_tagging", Bucket="{bucket}", Key="{page}", Tagging={"TagSet": []}),
)
_LOOK_AROUND = (
    _a("s3", "list_objects_v2", Bucket="{bucket}", Prefix="items/"),
    _a("s3", "get_bucket_policy", Bucket="{bucket}"),
)
_LOGS = (
    _a("logs", "put_log_events", logGroupName="/others", logStreamName="s", logEvents=_EVENTS),
    _a("logs", "create_log_group", logGroupName="/mallory"),
)
_WRITE_ITEMS = (
    _a("dynamodb", "put_item", TableName="{items}", Item=_ROW),
    _a("dynamodb", "update_item", TableName="{items}", Key=_ROW),
    _a("dynamodb", "delete_item", TableName="{items}", Key=_ROW),
    _a("dynamodb", "batch_write_item", RequestItems={"{items}": [{"PutRequest": {"Item": _ROW}}]}),
)
_READ_ITEMS = (
    _a("dynamodb", "get_item", TableName="{items}", Key=_ROW),
    _a("dynamodb", "query", TableName="{items}", **_partition("p")),
)  # fmt: skip
_WRITE_RUNS = (
    _a("dynamodb", "put_item", TableName="{runs}", Item=_ROW),
    _a("dynamodb", "batch_write_item", RequestItems={"{runs}": [{"PutRequest": {"Item": _ROW}}]}),
)
_DELETE_RUNS = (_a("dynamodb", "delete_item", TableName="{runs}", Key=_ROW),)
_PUBLISH = (
    *_put("tables/users/run=r/x.parquet", "changes/crawl=users/run=r/x.parquet", "published/users.json"),
    _a("glue", "get_table", DatabaseName="{database}", Name="users"),
    _a("glue", "create_table", DatabaseName="{database}", TableInput={"Name": "mallory"}),
    _a("glue", "update_table", DatabaseName="{database}", TableInput={"Name": "users"}),
    _a("glue", "batch_create_partition", DatabaseName="{database}", TableName="users", PartitionInputList=[{}]),
    _a("events", "put_events", Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}"}]),
)
# What is crawled is read with another role.
_CRAWL = (
    _a("iam", "list_users"),
    _a("iam", "list_policies"),
    _a("s3", "list_buckets"),
    _a("s3", "list_objects_v2", Bucket=OTHER_BUCKET),
    _a("dynamodb", "scan", TableName=OTHER_TABLE),
    _a("sqs", "list_queues"),
    _a("ec2", "describe_vpcs"),
)
_NOTIFY = (_a("sns", "publish", TopicArn="{notices}", Message="x"),)
_READ_PAGES = _get("{page}")
_WRITE_RECORDS = _put("{manifest}", "{targets}", "{report}", "tokens/t")
_CHANGE_RUNS = (*_WRITE_RUNS, *_DELETE_RUNS)
_ITEMS = (*_READ_ITEMS, *_WRITE_ITEMS)
_OF_PUBLISHING = (*_CRAWL, *_NOTIFY, *_PAGES, *_WRITE_RECORDS, *_LOOK_AROUND)
# Of functions that only keep books.
_OF_BOOKS = (
    *_CRAWL,
    *_ITEMS,
    *_PUBLISH,
    *_WRITE_RUNS,
    *_READ_PAGES,
    *_PAGES,
    *_put("tokens/t"),
)
_OF_READERS = (
    *_ITEMS,
    *_CHANGE_RUNS,
    *_PUBLISH,
    *_NOTIFY,
    *_READ_PAGES,
    *_PAGES,
    *_WRITE_RECORDS,
    *_LOOK_AROUND,
    *_LOGS,
)

_WITHOUT_THE_BUCKET = (*_OF_BOOKS, *_LOOK_AROUND, *_WRITE_RECORDS, *_get("{manifest}"))

# And for each role, what others do.
FOR = {
    "PlanRun": (*_CRAWL, *_ITEMS, *_PUBLISH, *_PAGES),
    "PlanLongTargets": (*_OF_BOOKS, *_NOTIFY, *_DELETE_RUNS),
    "FetchPage": (
        *_CRAWL, *_ITEMS, *_PUBLISH, *_NOTIFY, *_DELETE_RUNS,
        *_put("{manifest}", "{targets}", "{report}"), *_get("{manifest}"),
    ),
    "FinishRun": (*_CRAWL, *_ITEMS, *_PUBLISH, *_NOTIFY, *_READ_PAGES, *_PAGES, *_put("tokens/t")),
    "PublishRun": _OF_PUBLISHING,
    "PublishPart": _OF_PUBLISHING,
    "ReportRun": (*_OF_BOOKS, *_DELETE_RUNS, *_put("{manifest}", "{targets}")),
    "FailRun": (*_WITHOUT_THE_BUCKET, *_NOTIFY, *_DELETE_RUNS),
    "StopRun": _WITHOUT_THE_BUCKET,
    "CheckCrawls": (*_WITHOUT_THE_BUCKET, *_DELETE_RUNS),
    "Reader": _OF_READERS,
    "OtherReader": (*_OF_READERS, *(each for each in _CRAWL if each.service != "sqs")),
}  # fmt: skip

_THE_RUN = {"pk": {"S": "run#{run_id}"}, "sk": {"S": "run"}}
# With the same credentials, so that it is not these that are refused.
ALLOWED = {
    "PlanRun": _READ_PAGES[0],
    "PlanLongTargets": _a("dynamodb", "query", TableName="{runs}", **_partition("run#{run_id}")),
    "FetchPage": _READ_PAGES[0],
    "FinishRun": _get("{manifest}")[0],
    "PublishRun": _READ_PAGES[0],
    "PublishPart": _READ_PAGES[0],
    "ReportRun": _get("{manifest}")[0],
    "FailRun": _a("dynamodb", "get_item", TableName="{runs}", Key=_THE_RUN),
    "StopRun": _a("dynamodb", "get_item", TableName="{runs}", Key=_THE_RUN),
    "CheckCrawls": _a("dynamodb", "query", TableName="{runs}", **_partition("status")),
    "Reader": _a("iam", "list_users"),
    "OtherReader": _a("sqs", "list_queues"),
}
