"""Multi-page listings of many services on moto: Pageturner returns the same pages and items as boto3.

Both also return the same resume token when MaxItems truncates the listing, and resume from it in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore import xform_name

from pageturner.paging import api, pagination
from tests.conftest import Aws
from tests.moto_listings import POLICY, TRUST, without_metadata

NUMBERS = range(11)


@dataclass(frozen=True)
class Listing:
    """An operation, how to create what it lists, and a page size that gives several pages."""

    service: str
    operation: str
    seed: Callable[[Any], Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    page_size: int | None = 3


def bucket(s3: Any) -> None:
    s3.create_bucket(Bucket="source")
    for number in NUMBERS:
        s3.put_object(Bucket="source", Key=f"a{number:02}", Body=b"x")
        s3.put_object(Bucket="source", Key=f"f{number:02}/ +%ü", Body=b"x")


def versions(s3: Any) -> None:
    s3.create_bucket(Bucket="source")
    s3.put_bucket_versioning(Bucket="source", VersioningConfiguration={"Status": "Enabled"})
    for number in NUMBERS:
        s3.put_object(Bucket="source", Key=f"k{number % 5}", Body=b"x")
    s3.delete_object(Bucket="source", Key="k0")
    s3.delete_object(Bucket="source", Key="k3")


def uploads(s3: Any) -> None:
    s3.create_bucket(Bucket="source")
    for number in NUMBERS:
        s3.create_multipart_upload(Bucket="source", Key=f"k{number:02}")


def record_sets(route53: Any) -> None:
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="x")["HostedZone"]["Id"]
    assert zone
    changes = [
        {
            "Action": "CREATE",
            "ResourceRecordSet": {
                "Name": f"r{number}.example.com",
                "Type": "A",
                "TTL": 60,
                "ResourceRecords": [{"Value": "192.0.2.1"}],
            },
        }
        for number in NUMBERS
    ]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


def hosted_zones(route53: Any) -> None:
    for number in NUMBERS:
        route53.create_hosted_zone(Name=f"z{number}.example.com", CallerReference=str(number))


def table(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "B"},
            {"AttributeName": "at", "AttributeType": "B"},
        ],
    )
    for number in NUMBERS:
        dynamodb.put_item(TableName="t", Item={"id": {"B": b"\x00\xff"}, "at": {"B": bytes([number, 200])}})


def tables(dynamodb: Any) -> None:
    for number in NUMBERS:
        dynamodb.create_table(
            TableName=f"table-{number}",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )


def log_events(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    now = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": now + number, "message": f"line {number}"} for number in NUMBERS]
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)


def log_groups(logs: Any) -> None:
    for number in NUMBERS:
        logs.create_log_group(logGroupName=f"g{number}")


def log_streams(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    for number in NUMBERS:
        logs.create_log_stream(logGroupName="g", logStreamName=f"s{number:02}")


def metrics(cloudwatch: Any) -> None:
    for start in range(0, 1100, 100):
        data = [{"MetricName": f"m{start + number}", "Value": 1} for number in range(100)]
        cloudwatch.put_metric_data(Namespace="n", MetricData=data)


def instances(ec2: Any) -> None:
    for _ in NUMBERS:
        ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)


def roles(iam: Any) -> None:
    for number in NUMBERS:
        iam.create_role(RoleName=f"r{number}", AssumeRolePolicyDocument=TRUST)


def users(iam: Any) -> None:
    for number in NUMBERS:
        iam.create_user(UserName=f"u{number}")
        iam.create_group(GroupName=f"g{number}")


def policies(iam: Any) -> None:
    for number in NUMBERS:
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=POLICY)


def accounts(organizations: Any) -> None:
    organizations.create_organization(FeatureSet="ALL")
    for number in NUMBERS:
        organizations.create_account(Email=f"a{number}@example.com", AccountName=f"a{number}")


def parameters(ssm: Any) -> None:
    for number in NUMBERS:
        ssm.put_parameter(Name=f"/p/{number}", Value="v", Type="String")


def secrets(secretsmanager: Any) -> None:
    for number in NUMBERS:
        secretsmanager.create_secret(Name=f"s{number}", SecretString="x")


def queues(sqs: Any) -> None:
    for number in NUMBERS:
        sqs.create_queue(QueueName=f"q{number}")


def pool_users(cognito: Any) -> None:
    pool = cognito.create_user_pool(PoolName="p")["UserPool"]["Id"]
    for number in NUMBERS:
        cognito.admin_create_user(UserPoolId=pool, Username=f"u{number}")


def machines(stepfunctions: Any) -> None:
    definition = json.dumps({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}})
    for number in NUMBERS:
        stepfunctions.create_state_machine(
            name=f"m{number}", definition=definition, roleArn="arn:aws:iam::123456789012:role/r"
        )


def notebooks(sagemaker: Any) -> None:
    for number in NUMBERS:
        sagemaker.create_notebook_instance(
            NotebookInstanceName=f"n{number}", InstanceType="ml.t3.medium", RoleArn="arn:aws:iam::123456789012:role/r"
        )


def jobs(glue: Any) -> None:
    for number in NUMBERS:
        glue.create_job(Name=f"j{number}", Role="r", Command={"Name": "glueetl"})


def named_queries(athena: Any) -> None:
    for number in NUMBERS:
        athena.create_named_query(Name=f"q{number}", Database="d", QueryString="SELECT 1")


def topics(sns: Any) -> None:
    for number in range(230):
        sns.create_topic(Name=f"t{number}")


def stacks(cloudformation: Any) -> None:
    body = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    for number in range(55):
        cloudformation.create_stack(StackName=f"s{number}", TemplateBody=body)


def rules(events: Any) -> None:
    for number in NUMBERS:
        events.put_rule(Name=f"r{number}", ScheduleExpression="rate(1 day)")


LISTINGS = [
    Listing("s3", "list_objects_v2", bucket, {"Bucket": "source"}),
    Listing("s3", "list_objects_v2", bucket, {"Bucket": "source", "Delimiter": "/"}),
    Listing("s3", "list_objects", bucket, {"Bucket": "source"}),
    Listing("s3", "list_object_versions", versions, {"Bucket": "source"}, 2),
    Listing("s3", "list_multipart_uploads", uploads, {"Bucket": "source"}),
    Listing("route53", "list_resource_record_sets", record_sets, {"HostedZoneId": "FIRST"}),
    Listing("route53", "list_hosted_zones", hosted_zones),
    Listing("dynamodb", "scan", table, {"TableName": "t"}),
    Listing(
        "dynamodb",
        "query",
        table,
        {
            "TableName": "t",
            "KeyConditionExpression": "id = :id",
            "ExpressionAttributeValues": {":id": {"B": b"\x00\xff"}},
        },
    ),
    Listing("dynamodb", "list_tables", tables),
    Listing("logs", "filter_log_events", log_events, {"logGroupName": "g"}),
    Listing("logs", "describe_log_groups", log_groups),
    Listing("logs", "describe_log_streams", log_streams, {"logGroupName": "g"}),
    Listing("cloudwatch", "list_metrics", metrics, {}, None),
    Listing("ec2", "describe_instances", instances),
    Listing("iam", "list_roles", roles),
    Listing("iam", "list_users", users),
    Listing("iam", "list_policies", policies),
    Listing("iam", "get_account_authorization_details", users),
    Listing("organizations", "list_accounts", accounts),
    Listing("ssm", "get_parameters_by_path", parameters, {"Path": "/p"}),
    Listing("ssm", "describe_parameters", parameters),
    Listing("secretsmanager", "list_secrets", secrets),
    Listing("sqs", "list_queues", queues),
    Listing("cognito-idp", "list_users", pool_users, {"UserPoolId": "FIRST"}),
    Listing("stepfunctions", "list_state_machines", machines),
    Listing("sagemaker", "list_notebook_instances", notebooks),
    Listing("glue", "get_jobs", jobs),
    Listing("athena", "list_named_queries", named_queries),
    Listing("sns", "list_topics", topics, {}, None),
    Listing("cloudformation", "describe_stacks", stacks, {}, None),
    Listing("events", "list_rules", rules),
]
# moto returns these in one page, whatever the page size.
ONE_PAGE = {"get_account_authorization_details", "list_multipart_uploads", "list_users"}
# moto returns these in a different order each time.
UNORDERED = {"list_metrics"}


def seeded(listing: Listing) -> tuple[Any, dict[str, Any]]:
    client = boto3.client(listing.service)  # type: ignore[call-overload]
    listing.seed(client)
    request = dict(listing.parameters)
    if "HostedZoneId" in request:
        request["HostedZoneId"] = client.list_hosted_zones()["HostedZones"][0]["Id"]
    if "UserPoolId" in request:
        request["UserPoolId"] = client.list_user_pools(MaxResults=1)["UserPools"][0]["Id"]
    return client, request


def ours(
    client: Any, listing: Listing, request: Mapping[str, Any], config: Mapping[str, Any]
) -> Iterator[pagination.Page]:
    model = api.operation_model(listing.service, listing.operation)
    paginator = api.official_paginator(listing.service, listing.operation)
    assert paginator is not None
    state: dict[str, Any] = {"token": None, "taken": 0}
    while True:
        page = pagination.fetch_page(getattr(client, listing.operation), model, paginator, request, config, **state)
        yield page
        if page.next_token is None:
            return
        state = json.loads(json.dumps({"token": page.next_token, "taken": state["taken"] + page.taken}))


def names_of_metrics(pages: list[Any]) -> list[str]:
    return sorted(metric["MetricName"] for page in pages for metric in page["Metrics"])


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: f"{listing.service} {listing.operation}")
def test_lists_as_boto3_does(aws: Aws, listing: Listing) -> None:
    client, request = seeded(listing)
    config: dict[str, Any] = {} if listing.page_size is None else {"PageSize": listing.page_size}
    paginator = client.get_paginator(listing.operation)
    assert xform_name(api.operation_names(listing.service)[listing.operation]) == listing.operation

    expected = [without_metadata(page) for page in paginator.paginate(**request, PaginationConfig=config)]
    if listing.operation in UNORDERED:
        found = [page.response for page in ours(client, listing, request, config)]
        assert len(found) == len(expected) > 1
        assert names_of_metrics(found) == names_of_metrics(expected)
        return
    assert [without_metadata(page.response) for page in ours(client, listing, request, config)] == expected
    assert len(expected) > 1 or listing.operation in ONE_PAGE

    # Truncated by MaxItems, both resume from the same token.
    stopped = {**config, "MaxItems": 4}
    theirs = paginator.paginate(**request, PaginationConfig=stopped)
    mine = list(ours(client, listing, request, stopped))
    assert [without_metadata(page.response) for page in mine] == [without_metadata(page) for page in theirs]
    assert theirs.resume_token is not None
    assert mine[-1].resume_token == theirs.resume_token
    resumed = {**config, "StartingToken": theirs.resume_token}
    assert [without_metadata(page.response) for page in ours(client, listing, request, resumed)] == [
        without_metadata(page) for page in paginator.paginate(**request, PaginationConfig=resumed)
    ]


def test_there_are_enough_of_them() -> None:
    assert len({(listing.service, listing.operation) for listing in LISTINGS}) >= 25
    assert len({listing.service for listing in LISTINGS}) >= 15
