"""Details of items: what moto answers to a second operation, asked directly, is what the items have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.ec2.utils import generate_instance_identity_document
from moto.moto_api import state_manager

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.iam_actions import read_actions
from pageturner.turn.records import item_json
from tests.conftest import ACCOUNT, Aws, Machines, shared_client, shared_session
from tests.runs_of_a_bucket import entry

Prepare = Callable[[], None]
Oracle = Callable[[Any], Any]
ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
ASSUME = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture(autouse=True)
def _tasks_stay_as_they_are() -> Iterator[None]:
    """In moto, each look at a task moves it on."""
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1000})
    yield
    state_manager.unset_transition("ecs::task")


def none_if(code: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise
        return None


def without_metadata(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def buckets() -> None:
    s3 = shared_client("s3")
    for number in range(5):
        s3.create_bucket(Bucket=f"bucket-{number}")
        if number % 2:
            s3.put_bucket_policy(Bucket=f"bucket-{number}", Policy=f'{{"Id": "é{number}"}}')
            s3.put_bucket_tagging(Bucket=f"bucket-{number}", Tagging={"TagSet": [{"Key": "n", "Value": str(number)}]})
            s3.put_bucket_versioning(Bucket=f"bucket-{number}", VersioningConfiguration={"Status": "Enabled"})


def roles() -> None:
    iam = shared_client("iam")
    arns = [iam.create_policy(PolicyName=f"p-{number}", PolicyDocument=ALLOW)["Policy"]["Arn"] for number in range(130)]
    for number in range(3):
        iam.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument=ASSUME)
        for arn in arns[: number * 65]:
            iam.attach_role_policy(RoleName=f"role-{number}", PolicyArn=arn)


def users() -> None:
    iam = shared_client("iam")
    for number in range(4):
        iam.create_user(UserName=f"user-{number}")
    iam.create_login_profile(UserName="user-2", Password="a-long-password")


def queues() -> None:
    for number in range(3):
        shared_client("sqs").create_queue(QueueName=f"queue-{number}", Attributes={"DelaySeconds": str(number)})


def topics() -> None:
    for number in range(3):
        shared_client("sns").create_topic(Name=f"topic-{number}")


def keys() -> None:
    for number in range(3):
        shared_client("kms").create_key(Description=str(number))


def secrets() -> None:
    for number in range(3):
        shared_client("secretsmanager").create_secret(Name=f"s-{number}", SecretString="x")


def parameters() -> None:
    for number in range(23):
        shared_client("ssm").put_parameter(Name=f"p-{number:02}", Value=str(number), Type="String")


def log_groups() -> None:
    logs = shared_client("logs")
    for number in range(3):
        logs.create_log_group(logGroupName=f"g-{number}")
        for stream in range(number * 60):
            logs.create_log_stream(logGroupName=f"g-{number}", logStreamName=f"s-{stream:03}")


def repositories() -> None:
    ecr = shared_client("ecr")
    for number in range(3):
        ecr.create_repository(repositoryName=f"r-{number}")
    statement = {"Sid": "s", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    ecr.set_repository_policy(repositoryName="r-1", policyText=json.dumps(policy))


def rules() -> None:
    events = shared_client("events")
    for number in range(3):
        events.put_rule(Name=f"rule-{number}", ScheduleExpression="rate(1 day)")
        if number:
            events.put_targets(Rule=f"rule-{number}", Targets=[{"Id": "t", "Arn": "arn:aws:sns:us-east-1:1:t"}])


def pools() -> None:
    for number in range(3):
        shared_client("cognito-idp").create_user_pool(PoolName=f"pool-{number}")


def zones() -> None:
    for number in range(3):
        shared_client("route53").create_hosted_zone(Name=f"zone-{number}.example", CallerReference=str(number))


def state_machines() -> None:
    for number in range(3):
        shared_client("stepfunctions").create_state_machine(
            name=f"m-{number}", definition="{}", roleArn=f"arn:aws:iam::{ACCOUNT}:role/r"
        )


def named_queries() -> None:
    for number in range(3):
        shared_client("athena").create_named_query(Name=f"q-{number}", Database="d", QueryString="SELECT 1")


def clusters() -> None:
    for number in range(4):
        shared_client("ecs").create_cluster(clusterName=f"cluster-{number}")


def services() -> None:
    ecs = shared_client("ecs")
    clusters()
    image = [{"name": "c", "image": "i", "memory": 100, "cpu": 10}]
    ecs.register_task_definition(family="f", containerDefinitions=image)
    for number in range(23):
        ecs.create_service(cluster="cluster-1", serviceName=f"s-{number}", taskDefinition="f", desiredCount=0)


def tasks() -> None:
    ecs, ec2 = shared_client("ecs"), shared_client("ec2")
    clusters()
    instances()
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    image = [{"name": "c", "image": "i", "memory": 100, "cpu": 10}]
    ecs.register_task_definition(
        family="f", containerDefinitions=image, networkMode="awsvpc", requiresCompatibilities=["FARGATE"]
    )
    for _ in range(3):
        ecs.run_task(
            cluster="cluster-1",
            taskDefinition="f",
            count=2,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": []}},
        )


def container_instances() -> None:
    ecs = shared_client("ecs")
    clusters()
    instances()
    for instance in shared_session().resource("ec2").instances.all():
        ecs.register_container_instance(
            cluster="cluster-1",
            instanceIdentityDocument=json.dumps(generate_instance_identity_document(instance)),
        )


def instances() -> None:
    ec2 = shared_client("ec2")
    images = [each["ImageId"] for each in ec2.describe_images()["Images"][:3]]
    for image in images:
        ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2)


def projects() -> None:
    for number in range(5):
        shared_client("codebuild").create_project(
            name=f"project-{number}",
            source={"type": "S3", "location": "b/k"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=f"arn:aws:iam::{ACCOUNT}:role/service-role/r",
        )


def crawlers() -> None:
    for number in range(4):
        shared_client("glue").create_crawler(
            Name=f"crawler-{number}", Role="r", DatabaseName="d", Targets={"S3Targets": [{"Path": "s3://b/"}]}
        )


def triggers() -> None:
    for number in range(4):
        shared_client("glue").create_trigger(Name=f"t-{number}", Type="ON_DEMAND", Actions=[{"JobName": "j"}])


def load_balancers() -> None:
    elbv2, ec2 = shared_client("elbv2"), shared_client("ec2")
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    for number in range(3):
        elbv2.create_load_balancer(Name=f"lb-{number}", Subnets=subnets, Tags=[{"Key": "n", "Value": str(number)}])


def only(found: list[Any]) -> Any:
    (element,) = found
    return element


S3, IAM, ECS = ({"service": name} for name in ("s3", "iam", "ecs"))
BUCKETS = {**S3, "operation": "list_buckets"}
BUCKET = {"parameters": {"Bucket": "item.Name"}, "as": "More"}
IN_CLUSTER = {"parameters": {"cluster": "cluster-1"}}
# The crawl, its detail, what makes the items, and what boto3 answers for one.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], Prepare, Oracle]] = {
    "policies of buckets": (
        BUCKETS,
        {**BUCKET, "operation": "get_bucket_policy", "result_key": "Policy", "ignore_errors": ["NoSuchBucketPolicy"]},
        buckets,
        lambda item: none_if(
            "NoSuchBucketPolicy", lambda: shared_client("s3").get_bucket_policy(Bucket=item["Name"])["Policy"]
        ),
    ),
    "tags of buckets": (
        BUCKETS,
        {**BUCKET, "operation": "get_bucket_tagging", "result_key": "TagSet", "ignore_errors": ["NoSuchTagSet"]},
        buckets,
        lambda item: none_if(
            "NoSuchTagSet", lambda: shared_client("s3").get_bucket_tagging(Bucket=item["Name"])["TagSet"]
        ),
    ),
    "versioning of buckets": (
        BUCKETS,
        {**BUCKET, "operation": "get_bucket_versioning"},
        buckets,
        lambda item: without_metadata(shared_client("s3").get_bucket_versioning(Bucket=item["Name"])),
    ),
    "policies of roles": (
        {**IAM, "operation": "list_roles"},
        {"operation": "list_attached_role_policies", "parameters": {"RoleName": "item.RoleName"}, "as": "More"},
        roles,
        lambda item: [
            policy
            for page in shared_client("iam")
            .get_paginator("list_attached_role_policies")
            .paginate(RoleName=item["RoleName"])
            for policy in page["AttachedPolicies"]
        ],
    ),
    "logins of users": (
        {**IAM, "operation": "list_users", "pagination_config": {"PageSize": 2}},
        {
            "operation": "get_login_profile",
            "parameters": {"UserName": "item.UserName"},
            "as": "More",
            "result_key": "LoginProfile",
            "ignore_errors": ["NoSuchEntity"],
        },
        users,
        lambda item: none_if(
            "NoSuchEntity",
            lambda: shared_client("iam").get_login_profile(UserName=item["UserName"])["LoginProfile"],
        ),
    ),
    "attributes of queues": (
        {"service": "sqs", "operation": "list_queues"},
        {
            "operation": "get_queue_attributes",
            "parameters": {"QueueUrl": "item", "AttributeNames": "['DelaySeconds', 'QueueArn']"},
            "as": "More",
            "result_key": "Attributes",
        },
        queues,
        lambda item: shared_client("sqs").get_queue_attributes(
            QueueUrl=item["value"], AttributeNames=["DelaySeconds", "QueueArn"]
        )["Attributes"],
    ),
    "attributes of topics": (
        {"service": "sns", "operation": "list_topics"},
        {"operation": "get_topic_attributes", "parameters": {"TopicArn": "item.TopicArn"}, "as": "More"},
        topics,
        lambda item: without_metadata(shared_client("sns").get_topic_attributes(TopicArn=item["TopicArn"])),
    ),
    "keys": (
        {"service": "kms", "operation": "list_keys"},
        {"operation": "describe_key", "parameters": {"KeyId": "item.KeyId"}, "as": "More", "result_key": "KeyMetadata"},
        keys,
        lambda item: shared_client("kms").describe_key(KeyId=item["KeyId"])["KeyMetadata"],
    ),
    "secrets": (
        {"service": "secretsmanager", "operation": "list_secrets"},
        {"operation": "describe_secret", "parameters": {"SecretId": "item.ARN"}, "as": "More"},
        secrets,
        lambda item: without_metadata(shared_client("secretsmanager").describe_secret(SecretId=item["ARN"])),
    ),
    "streams of log groups": (
        {"service": "logs", "operation": "describe_log_groups"},
        {"operation": "describe_log_streams", "parameters": {"logGroupName": "item.logGroupName"}, "as": "More"},
        log_groups,
        lambda item: [
            stream
            for page in shared_client("logs")
            .get_paginator("describe_log_streams")
            .paginate(logGroupName=item["logGroupName"])
            for stream in page["logStreams"]
        ],
    ),
    "policies of repositories": (
        {"service": "ecr", "operation": "describe_repositories"},
        {
            "operation": "get_repository_policy",
            "parameters": {"repositoryName": "item.repositoryName"},
            "as": "More",
            "result_key": "policyText",
            "ignore_errors": ["RepositoryPolicyNotFoundException"],
        },
        repositories,
        lambda item: none_if(
            "RepositoryPolicyNotFoundException",
            lambda: shared_client("ecr").get_repository_policy(repositoryName=item["repositoryName"])["policyText"],
        ),
    ),
    "targets of rules": (
        {"service": "events", "operation": "list_rules"},
        {"operation": "list_targets_by_rule", "parameters": {"Rule": "item.Name"}, "as": "More"},
        rules,
        lambda item: shared_client("events").list_targets_by_rule(Rule=item["Name"])["Targets"],
    ),
    "user pools": (
        {"service": "cognito-idp", "operation": "list_user_pools"},
        {
            "operation": "describe_user_pool",
            "parameters": {"UserPoolId": "item.Id"},
            "as": "More",
            "result_key": "UserPool",
        },
        pools,
        lambda item: shared_client("cognito-idp").describe_user_pool(UserPoolId=item["Id"])["UserPool"],
    ),
    "records of zones": (
        {"service": "route53", "operation": "list_hosted_zones"},
        {"operation": "list_resource_record_sets", "parameters": {"HostedZoneId": "item.Id"}, "as": "More"},
        zones,
        lambda item: shared_client("route53").list_resource_record_sets(HostedZoneId=item["Id"])["ResourceRecordSets"],
    ),
    "state machines": (
        {"service": "stepfunctions", "operation": "list_state_machines"},
        {
            "operation": "describe_state_machine",
            "parameters": {"stateMachineArn": "item.stateMachineArn"},
            "as": "More",
        },
        state_machines,
        lambda item: without_metadata(
            shared_client("stepfunctions").describe_state_machine(stateMachineArn=item["stateMachineArn"])
        ),
    ),
    "named queries": (
        {"service": "athena", "operation": "list_named_queries"},
        {
            "operation": "get_named_query",
            "parameters": {"NamedQueryId": "item"},
            "as": "More",
            "result_key": "NamedQuery",
        },
        named_queries,
        lambda item: shared_client("athena").get_named_query(NamedQueryId=item["value"])["NamedQuery"],
    ),
    # In batches.
    "clusters": (
        {**ECS, "operation": "list_clusters"},
        {
            "operation": "describe_clusters",
            "parameters": {"clusters": "item", "include": "['TAGS']"},
            "as": "More",
            "batch": "clusters",
        },
        clusters,
        lambda item: only(
            shared_client("ecs").describe_clusters(clusters=[item["value"]], include=["TAGS"])["clusters"]
        ),
    ),
    "services": (
        {**ECS, "operation": "list_services", **IN_CLUSTER},
        {
            "operation": "describe_services",
            "parameters": {"cluster": "parameters.cluster", "services": "[item]"},
            "as": "More",
            "batch": "services",
        },
        services,
        lambda item: only(
            shared_client("ecs").describe_services(cluster="cluster-1", services=[item["value"]])["services"]
        ),
    ),
    "tasks": (
        {**ECS, "operation": "list_tasks", **IN_CLUSTER},
        {
            "operation": "describe_tasks",
            "parameters": {"cluster": "parameters.cluster", "tasks": "item"},
            "as": "More",
            "batch": "tasks",
            "match": "taskArn",
        },
        tasks,
        lambda item: only(shared_client("ecs").describe_tasks(cluster="cluster-1", tasks=[item["value"]])["tasks"]),
    ),
    "container instances": (
        {**ECS, "operation": "list_container_instances", **IN_CLUSTER},
        {
            "operation": "describe_container_instances",
            "parameters": {"cluster": "parameters.cluster", "containerInstances": "item"},
            "as": "More",
            "batch": "containerInstances",
        },
        container_instances,
        lambda item: only(
            shared_client("ecs").describe_container_instances(cluster="cluster-1", containerInstances=[item["value"]])[
                "containerInstances"
            ]
        ),
    ),
    "projects": (
        {"service": "codebuild", "operation": "list_projects"},
        {"operation": "batch_get_projects", "parameters": {"names": "item"}, "as": "More", "batch": "names"},
        projects,
        lambda item: only(shared_client("codebuild").batch_get_projects(names=[item["value"]])["projects"]),
    ),
    "crawlers": (
        {"service": "glue", "operation": "list_crawlers"},
        {
            "operation": "batch_get_crawlers",
            "parameters": {"CrawlerNames": "item"},
            "as": "More",
            "batch": "CrawlerNames",
        },
        crawlers,
        lambda item: only(shared_client("glue").batch_get_crawlers(CrawlerNames=[item["value"]])["Crawlers"]),
    ),
    "triggers": (
        {"service": "glue", "operation": "list_triggers"},
        {
            "operation": "batch_get_triggers",
            "parameters": {"TriggerNames": "item"},
            "as": "More",
            "batch": "TriggerNames",
        },
        triggers,
        lambda item: only(shared_client("glue").batch_get_triggers(TriggerNames=[item["value"]])["Triggers"]),
    ),
    "images of instances": (  # several have the same, and it is asked for once
        {"service": "ec2", "operation": "describe_instances", "search": "Reservations[].Instances[]"},
        {"operation": "describe_images", "parameters": {"ImageIds": "item.ImageId"}, "as": "More", "batch": "ImageIds"},
        instances,
        lambda item: only(shared_client("ec2").describe_images(ImageIds=[item["ImageId"]])["Images"]),
    ),
    "tags of load balancers": (
        {"service": "elbv2", "operation": "describe_load_balancers"},
        {
            "operation": "describe_tags",
            "parameters": {"ResourceArns": "item.LoadBalancerArn"},
            "as": "More",
            "batch": "ResourceArns",
            "match": "ResourceArn",
        },
        load_balancers,
        lambda item: only(
            shared_client("elbv2").describe_tags(ResourceArns=[item["LoadBalancerArn"]])["TagDescriptions"]
        ),
    ),
    "parameters": (
        {"service": "ssm", "operation": "describe_parameters"},
        {"operation": "get_parameters", "parameters": {"Names": "item.Name"}, "as": "More", "batch": "Names"},
        parameters,
        lambda item: only(shared_client("ssm").get_parameters(Names=[item["Name"]])["Parameters"]),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_details_are_what_boto3_answers(case: str, aws: Aws, machines: Machines) -> None:
    crawl, detail, prepare, answer = CASES[case]
    prepare()
    machines.catalogue = {"c": {**crawl, "detail": detail}, "plain": crawl}
    summary = machines.run(aws, {"crawl": "c"})
    assert summary["verdict"] == "complete", summary["message"]
    lines = [line for key in aws.object_keys("items/") for line in aws.lines(key)]
    items = [json.loads(line["item"]) for line in lines]
    assert len(items) >= 3
    expected = [json.loads(item_json(answer(item))) for item in items]
    assert [item["More"] for item in items] == expected
    assert entry(aws, summary)["missing_details"] == sum(each is None for each in expected)
    assert aws.object_keys("detailing/") == []

    # The rest of an item, and its key, are those of a crawl without details.
    plain = machines.run(aws, {"crawl": "plain"}, "execution-2")
    found = [line for key in aws.object_keys("items/crawl=plain/") for line in aws.lines(key)]
    assert plain["verdict"] == "complete"
    assert [line["key"] for line in found] == [line["key"] for line in lines]
    listed = [json.loads(line["item"]) for line in found]
    rest = [{name: value for name, value in item.items() if name != "More"} for item in items]
    assert rest == [item if isinstance(item, dict) else {"value": item} for item in listed]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("services", "ecs describe_services, for 10 items a call"),
        ("policies of buckets", "s3 get_bucket_policy, for 1 item a call, up to 1,000 calls a page"),
    ],
)
def test_a_dry_run_asks_for_no_details_and_says_what_they_take(
    case: str, said: str, aws: Aws, machines: Machines
) -> None:
    crawl, detail, prepare, _ = CASES[case]
    prepare()
    machines.catalogue = {"c": {**crawl, "detail": detail}}
    report = machines.plan({"crawl": "c", "dry_run": True})["nothing_to_do"]
    assert report["paging"]["details"] == {"More": said}
    assert len(report["iam"]["actions"]) == len(read_actions([Crawl.from_dict({"name": "c", **crawl})])) + 1


def test_the_log_of_a_page_says_how_many_details_it_has(
    aws: Aws, machines: Machines, capsys: pytest.CaptureFixture[str]
) -> None:
    crawl, detail, prepare, _ = CASES["policies of buckets"]
    prepare()
    machines.catalogue = {"c": {**crawl, "detail": detail}}
    machines.run(aws, {"crawl": "c"})
    (line,) = [json.loads(each) for each in capsys.readouterr().out.splitlines() if '"PagesFetched"' in each]
    # The bucket of the items has no policy, either.
    assert {name: line[name] for name in ("items", "details", "missing", "ignored")} == {
        "items": 6,
        "details": 6,
        "missing": 4,
        "ignored": 4,
    }
