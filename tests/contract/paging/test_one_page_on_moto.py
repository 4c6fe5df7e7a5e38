"""Listings of one page of many services on moto: Pageturner returns all that the answer to boto3's one call has."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from pageturner.crawls.catalogue import parse_input
from pageturner.crawls.crawl import Crawl
from pageturner.errors import NotFoundError
from pageturner.page_state import Target
from pageturner.paging import api, pagination
from pageturner.paging.pagination import WHOLE
from pageturner.turn import page_end, page_fetch
from tests.conftest import ACCOUNT, REGION, Aws
from tests.moto_listings import POLICY, TRUST, without_metadata

ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
TAGS = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
LOWER_TAGS = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
Seed = Callable[[Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Listing:
    """An operation, where its items are, and how to create at least so many: a seed returns the parameters."""

    service: str
    operation: str
    result_key: str
    seed: Seed
    items: int = 1
    stated: Mapping[str, Any] = field(default_factory=dict)


def addresses(ec2: Any) -> Mapping[str, Any]:
    for _ in range(3):
        ec2.allocate_address(Domain="vpc")
    return {}


def key_pairs(ec2: Any) -> Mapping[str, Any]:
    for name in ("k1", "k2"):
        ec2.create_key_pair(KeyName=name)
    return {}


def customer_gateways(ec2: Any) -> Mapping[str, Any]:
    for number in range(2):
        ec2.create_customer_gateway(BgpAsn=65000, IpAddress=f"192.0.2.{number}", Type="ipsec.1")
    return {}


def vpn_gateways(ec2: Any) -> Mapping[str, Any]:
    ec2.create_vpn_gateway(Type="ipsec.1")
    return {}


def vpc_attribute(ec2: Any) -> Mapping[str, Any]:
    return {"VpcId": ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"], "Attribute": "enableDnsSupport"}


def nothing(_: Any) -> Mapping[str, Any]:
    return {}


def bucket(s3: Any) -> Mapping[str, Any]:
    s3.create_bucket(Bucket="source")
    return {"Bucket": "source"}


def versioned_bucket(s3: Any) -> Mapping[str, Any]:
    s3.create_bucket(Bucket="source")
    s3.put_bucket_versioning(Bucket="source", VersioningConfiguration={"Status": "Enabled"})
    return {"Bucket": "source"}


def tagged_bucket(s3: Any) -> Mapping[str, Any]:
    s3.create_bucket(Bucket="source")
    s3.put_bucket_tagging(Bucket="source", Tagging={"TagSet": TAGS})
    return {"Bucket": "source"}


def bucket_policy(s3: Any) -> Mapping[str, Any]:
    s3.create_bucket(Bucket="source")
    s3.put_bucket_policy(Bucket="source", Policy=POLICY)
    return {"Bucket": "source"}


def bucket_cors(s3: Any) -> Mapping[str, Any]:
    s3.create_bucket(Bucket="source")
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": [f"https://{name}.example"]} for name in "ab"]
    s3.put_bucket_cors(Bucket="source", CORSConfiguration={"CORSRules": rules})
    return {"Bucket": "source"}


def bucket_encryption(s3: Any) -> Mapping[str, Any]:
    s3.create_bucket(Bucket="source")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket="source", ServerSideEncryptionConfiguration={"Rules": [rule]})
    return {"Bucket": "source"}


def role(iam: Any) -> Mapping[str, Any]:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    return {"RoleName": "r"}


def policy(iam: Any) -> Mapping[str, Any]:
    return {"PolicyArn": iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]}


def identity_providers(iam: Any) -> Mapping[str, Any]:
    for name in ("a", "b"):
        iam.create_open_id_connect_provider(Url=f"https://{name}.example.com", ThumbprintList=["0" * 40])
    return {}


def function(client: Any) -> Mapping[str, Any]:
    boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as files:
        files.writestr("f.py", "def handler(event, context): ...")
    made = {"FunctionName": "f", "Role": ROLE, "Runtime": "python3.13", "Handler": "f.handler"}
    client.create_function(**made, Code={"ZipFile": code.getvalue()}, Tags={"a": "1"})
    return {"FunctionName": "f"}


def queue(sqs: Any) -> Mapping[str, Any]:
    return {"QueueUrl": sqs.create_queue(QueueName="q")["QueueUrl"], "AttributeNames": ["All"]}


def topic(sns: Any) -> Mapping[str, Any]:
    return {"ResourceArn": sns.create_topic(Name="t", Tags=TAGS)["TopicArn"]}


def topic_attributes(sns: Any) -> Mapping[str, Any]:
    return {"TopicArn": sns.create_topic(Name="t")["TopicArn"]}


def table(dynamodb: Any) -> Mapping[str, Any]:
    dynamodb.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    return {"TableName": "t"}


def key(kms: Any) -> Mapping[str, Any]:
    return {"KeyId": kms.create_key()["KeyMetadata"]["KeyId"]}


def clusters(ecs: Any) -> Mapping[str, Any]:
    for name in ("a", "b"):
        ecs.create_cluster(clusterName=name)
    return {"clusters": ["a", "b"]}


def task_definition(ecs: Any) -> Mapping[str, Any]:
    containers = [{"name": "c", "image": "i", "memory": 128}]
    made = ecs.register_task_definition(family="f", containerDefinitions=containers)
    return {"taskDefinition": made["taskDefinition"]["taskDefinitionArn"]}


def services(ecs: Any) -> Mapping[str, Any]:
    ecs.create_cluster(clusterName="c")
    task_definition(ecs)
    for name in ("a", "b"):
        ecs.create_service(cluster="c", serviceName=name, taskDefinition="f", desiredCount=0)
    return {"cluster": "c", "services": ["a", "b"]}


def tagged_repository(ecr: Any) -> Mapping[str, Any]:
    return {"resourceArn": ecr.create_repository(repositoryName="images", tags=TAGS)["repository"]["repositoryArn"]}


def rule(events: Any) -> Mapping[str, Any]:
    events.put_rule(Name="r", ScheduleExpression="rate(1 day)")
    return {"Name": "r"}


def trails(cloudtrail: Any) -> Mapping[str, Any]:
    boto3.client("s3").create_bucket(Bucket="source")
    for name in ("trail-a", "trail-b"):
        cloudtrail.create_trail(Name=name, S3BucketName="source")
    return {}


def alarms(cloudwatch: Any) -> Mapping[str, Any]:
    metric = {"Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 60}
    rules = {"EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
    for name in ("a", "b"):
        cloudwatch.put_metric_alarm(AlarmName=name, **metric, **rules)
    return {"Namespace": "n", "MetricName": "m"}


def stack(cloudformation: Any) -> Mapping[str, Any]:
    body = {"Resources": {name: {"Type": "AWS::SQS::Queue"} for name in ("A", "B")}}
    cloudformation.create_stack(StackName="s", TemplateBody=json.dumps(body))
    return {"StackName": "s"}


def zone(route53: Any) -> Mapping[str, Any]:
    return {"Id": route53.create_hosted_zone(Name="example.com", CallerReference="x")["HostedZone"]["Id"]}


def secret(secretsmanager: Any) -> Mapping[str, Any]:
    secretsmanager.create_secret(Name="s", SecretString="x", Tags=TAGS)
    return {"SecretId": "s"}


def parameters(ssm: Any) -> Mapping[str, Any]:
    ssm.put_parameter(Name="p", Value="v", Type="String", Tags=TAGS)
    return {"ResourceType": "Parameter", "ResourceId": "p"}


def machine(stepfunctions: Any) -> Mapping[str, Any]:
    definition = json.dumps({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}})
    made = stepfunctions.create_state_machine(name="m", definition=definition, roleArn=ROLE, tags=LOWER_TAGS)
    return {"resourceArn": made["stateMachineArn"]}


def machine_itself(stepfunctions: Any) -> Mapping[str, Any]:
    return {"stateMachineArn": machine(stepfunctions)["resourceArn"]}


def database(rds: Any) -> Mapping[str, Any]:
    made = rds.create_db_instance(
        DBInstanceIdentifier="d", DBInstanceClass="db.t3.micro", Engine="postgres", Tags=TAGS, AllocatedStorage=20
    )
    return {"ResourceName": made["DBInstance"]["DBInstanceArn"]}


def classic_load_balancer(elb: Any) -> Mapping[str, Any]:
    listener = {"Protocol": "http", "LoadBalancerPort": 80, "InstancePort": 80}
    made = {"AvailabilityZones": [f"{REGION}a"], "Tags": TAGS}
    for name in ("a", "b"):
        elb.create_load_balancer(LoadBalancerName=name, Listeners=[listener], **made)
    return {"LoadBalancerNames": ["a", "b"]}


def load_balancer(elbv2: Any) -> Mapping[str, Any]:
    subnets = boto3.client("ec2").describe_subnets()["Subnets"][:2]
    made = elbv2.create_load_balancer(Name="l", Subnets=[subnet["SubnetId"] for subnet in subnets])
    return {"LoadBalancerArn": made["LoadBalancers"][0]["LoadBalancerArn"]}


def lifecycle_hooks(autoscaling: Any) -> Mapping[str, Any]:
    launch = {"LaunchConfigurationName": "l"}
    autoscaling.create_launch_configuration(**launch, ImageId="ami-12c6146b", InstanceType="t3.micro")
    group = {"AutoScalingGroupName": "g"}
    autoscaling.create_auto_scaling_group(**group, **launch, MinSize=0, MaxSize=1, AvailabilityZones=[f"{REGION}a"])
    for name in ("a", "b"):
        transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
        autoscaling.put_lifecycle_hook(LifecycleHookName=name, **group, LifecycleTransition=transition)
    return group


def user_pool(cognito: Any) -> Mapping[str, Any]:
    return {"UserPoolId": cognito.create_user_pool(PoolName="p")["UserPool"]["Id"]}


def identity_pool(cognito: Any) -> Mapping[str, Any]:
    made = cognito.create_identity_pool(IdentityPoolName="p", AllowUnauthenticatedIdentities=False)
    return {"IdentityPoolId": made["IdentityPoolId"]}


def code_repository(codecommit: Any) -> Mapping[str, Any]:
    codecommit.create_repository(repositoryName="r")
    return {"repositoryName": "r"}


def recorder(config: Any) -> Mapping[str, Any]:
    config.put_configuration_recorder(ConfigurationRecorder={"name": "r", "roleARN": ROLE})
    return {}


def stages(apigateway: Any) -> Mapping[str, Any]:
    api_id = apigateway.create_rest_api(name="a")["id"]
    root = apigateway.get_resources(restApiId=api_id)["items"][0]["id"]
    at = {"restApiId": api_id, "resourceId": root, "httpMethod": "GET"}
    apigateway.put_method(**at, authorizationType="NONE")
    apigateway.put_integration(**at, type="MOCK")
    for name in ("a", "b"):
        apigateway.create_deployment(restApiId=api_id, stageName=name)
    return {"restApiId": api_id}


def http_api(apigatewayv2: Any) -> Mapping[str, Any]:
    return {"ApiId": apigatewayv2.create_api(Name="a", ProtocolType="HTTP")["ApiId"]}


def glue_database(glue: Any) -> Mapping[str, Any]:
    glue.create_database(DatabaseInput={"Name": "d"})
    return {"Name": "d"}


def detector(guardduty: Any) -> Mapping[str, Any]:
    return {"DetectorId": guardduty.create_detector(Enable=True)["DetectorId"]}


def lifecycle(efs: Any) -> Mapping[str, Any]:
    system = {"FileSystemId": efs.create_file_system(CreationToken="x")["FileSystemId"]}
    efs.put_lifecycle_configuration(**system, LifecyclePolicies=[{"TransitionToIA": "AFTER_30_DAYS"}])
    return system


def kubernetes_cluster(eks: Any) -> Mapping[str, Any]:
    subnets = boto3.client("ec2").describe_subnets()["Subnets"][:2]
    network = {"subnetIds": [subnet["SubnetId"] for subnet in subnets]}
    eks.create_cluster(name="c", roleArn=ROLE, resourcesVpcConfig=network)
    return {"name": "c"}


def search_domains(opensearch: Any) -> Mapping[str, Any]:
    for name in ("domain-a", "domain-b"):
        opensearch.create_domain(DomainName=name)
    return {}


def organization(organizations: Any) -> Mapping[str, Any]:
    organizations.create_organization(FeatureSet="ALL")
    return {}


def email_addresses(ses: Any) -> Mapping[str, Any]:
    for name in ("a", "b"):
        ses.verify_email_address(EmailAddress=f"{name}@example.com")
    return {}


def certificate(acm: Any) -> Mapping[str, Any]:
    return {"CertificateArn": acm.request_certificate(DomainName="example.com", Tags=TAGS)["CertificateArn"]}


def stream(kinesis: Any) -> Mapping[str, Any]:
    kinesis.create_stream(StreamName="s", ShardCount=1)
    return {"StreamName": "s"}


LISTINGS = [
    Listing("ec2", "describe_addresses", "Addresses", addresses, 3),
    Listing("ec2", "describe_key_pairs", "KeyPairs", key_pairs, 2),
    Listing("ec2", "describe_customer_gateways", "CustomerGateways", customer_gateways, 2),
    Listing("ec2", "describe_vpn_gateways", "VpnGateways", vpn_gateways),
    Listing("ec2", "describe_vpc_attribute", WHOLE, vpc_attribute),
    Listing("ec2", "get_ebs_encryption_by_default", WHOLE, nothing),
    Listing("s3", "get_bucket_versioning", WHOLE, versioned_bucket),
    Listing("s3", "get_bucket_tagging", "TagSet", tagged_bucket, 2),
    Listing("s3", "get_bucket_policy", WHOLE, bucket_policy),
    Listing("s3", "get_bucket_cors", "CORSRules", bucket_cors, 2),
    Listing("s3", "get_bucket_acl", WHOLE, bucket),
    Listing("s3", "get_bucket_encryption", "ServerSideEncryptionConfiguration.Rules", bucket_encryption),
    Listing("iam", "get_role", WHOLE, role),
    Listing("iam", "get_policy", WHOLE, policy),
    Listing("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList", identity_providers, 2),
    Listing("lambda", "get_function_configuration", WHOLE, function),
    Listing("sqs", "get_queue_attributes", WHOLE, queue),
    Listing("sns", "list_tags_for_resource", "Tags", topic, 2),
    Listing("sns", "get_topic_attributes", WHOLE, topic_attributes),
    Listing("dynamodb", "describe_table", WHOLE, table),
    Listing("dynamodb", "describe_continuous_backups", WHOLE, table),
    Listing("kms", "describe_key", WHOLE, key),
    Listing("kms", "get_key_rotation_status", WHOLE, key),
    Listing("ecs", "describe_clusters", "clusters", clusters, 2),
    Listing("ecs", "describe_services", "services", services, 2),
    Listing("ecs", "describe_task_definition", WHOLE, task_definition),
    Listing("ecr", "list_tags_for_resource", "tags", tagged_repository, 2),
    Listing("events", "describe_rule", WHOLE, rule),
    Listing("cloudtrail", "describe_trails", "trailList", trails, 2),
    Listing("cloudwatch", "describe_alarms_for_metric", "MetricAlarms", alarms, 2),
    Listing("cloudformation", "describe_stack_resources", "StackResources", stack, 2),
    Listing("cloudformation", "get_template", WHOLE, stack),
    Listing("route53", "get_hosted_zone", WHOLE, zone),
    Listing("secretsmanager", "describe_secret", WHOLE, secret),
    Listing("ssm", "list_tags_for_resource", "TagList", parameters, 2),
    Listing("stepfunctions", "list_tags_for_resource", "tags", machine, 2),
    Listing("stepfunctions", "describe_state_machine", WHOLE, machine_itself),
    Listing("rds", "list_tags_for_resource", "TagList", database, 2),
    Listing("elb", "describe_tags", "TagDescriptions", classic_load_balancer, 2),
    Listing("elbv2", "describe_load_balancer_attributes", "Attributes", load_balancer, 4),
    Listing("autoscaling", "describe_lifecycle_hooks", "LifecycleHooks", lifecycle_hooks, 2),
    Listing("cognito-idp", "describe_user_pool", WHOLE, user_pool),
    Listing("cognito-identity", "describe_identity_pool", WHOLE, identity_pool),
    Listing("codecommit", "get_repository", WHOLE, code_repository),
    Listing("config", "describe_configuration_recorders", "ConfigurationRecorders", recorder),
    Listing("apigateway", "get_stages", "item", stages, 2),
    Listing("apigatewayv2", "get_api", WHOLE, http_api),
    Listing("glue", "get_database", WHOLE, glue_database),
    Listing("efs", "describe_lifecycle_configuration", "LifecyclePolicies", lifecycle),
    Listing("eks", "describe_cluster", WHOLE, kubernetes_cluster),
    Listing("guardduty", "get_detector", WHOLE, detector),
    Listing("opensearch", "list_domain_names", "DomainNames", search_domains, 2),
    Listing("organizations", "describe_organization", WHOLE, organization),
    Listing("ses", "list_verified_email_addresses", "VerifiedEmailAddresses", email_addresses, 2),
    Listing("acm", "list_tags_for_certificate", "Tags", certificate, 2),
    Listing("kinesis", "describe_stream_summary", WHOLE, stream),
    Listing("sts", "get_caller_identity", WHOLE, nothing),
    # What a crawl states takes the place of what is inferred.
    Listing("iam", "get_role", "Role", role, 1, {"result_key": "Role"}),
    Listing("sqs", "get_queue_attributes", "Attributes", queue, 10, {"result_key": "Attributes"}),
]


def turned(client: Any, crawl: Crawl) -> pagination.Page:
    target = Target("t", ACCOUNT, REGION, crawl.parameters)
    return page_fetch.fetch(lambda *_: client, crawl, target, None, 0)


def crawl_of(
    service: str, operation: str, request: Mapping[str, Any], stated: Mapping[str, Any] | None = None
) -> Crawl:
    return parse_input({"service": service, "operation": operation, "parameters": request, **(stated or {})}, {})


def items(crawl: Crawl, page: pagination.Page) -> list[Any]:
    model = api.operation_model(crawl.service, crawl.operation)
    return [item for _, item in pagination.items(page.response, model, crawl.paginator.definition)]


@pytest.mark.parametrize(
    "listing", LISTINGS, ids=lambda each: " ".join([each.service, each.operation, *each.stated.values()])
)
def test_has_all_of_the_answer(aws: Aws, listing: Listing) -> None:
    client = boto3.client(listing.service)  # type: ignore[call-overload]
    request = listing.seed(client)
    crawl = crawl_of(listing.service, listing.operation, request, listing.stated)
    assert crawl.paginator.is_one_page
    assert crawl.result_keys == [listing.result_key]

    expected = without_metadata(getattr(client, listing.operation)(**request))
    page = turned(client, crawl)
    assert without_metadata(page.response) == expected
    assert (page.next_token, page.resume_token, page.repeated_token, page.miscount) == (None, None, False, 0)
    assert page_end.errors_inside(crawl, page) == ([], 0)
    found = items(crawl, page)
    if listing.result_key == WHOLE:
        assert found == [expected]
        assert page.non_aggregate == {}
    else:
        top, _, below = listing.result_key.partition(".")
        beside = {name: value for name, value in expected.items() if name != top}
        assert page.non_aggregate == beside
        its = expected[top][below] if below else expected[top]
        assert found == (_items_of_one(listing, its) if isinstance(its, Mapping) else its)
    assert len(found) >= listing.items


def _items_of_one(listing: Listing, its: Mapping[str, Any]) -> list[Any]:
    """A map has an item for each entry; a structure is one."""
    output: Any = api.operation_model(listing.service, listing.operation).output_shape
    if output.members[listing.result_key].type_name == "map":
        return [{"key": key, "value": value} for key, value in its.items()]
    return [its]


def test_what_was_never_set_is_an_empty_answer(aws: Aws) -> None:
    aws.s3.create_bucket(Bucket="source")
    crawl = crawl_of("s3", "get_bucket_versioning", {"Bucket": "source"})
    page = turned(aws.s3, crawl)
    assert items(crawl, page) == [{}]
    assert page.next_token is None


def test_what_was_never_set_can_be_an_error(aws: Aws) -> None:
    aws.s3.create_bucket(Bucket="source")
    with pytest.raises(NotFoundError, match="NoSuchBucketPolicy"):
        turned(aws.s3, crawl_of("s3", "get_bucket_policy", {"Bucket": "source"}))


def test_what_the_service_could_not_describe_is_an_error_of_the_page(aws: Aws) -> None:
    ecs = boto3.client("ecs")
    request = services(ecs)
    crawl = crawl_of("ecs", "describe_services", {**request, "services": ["a", "gone", "b"]})
    page = turned(ecs, crawl)
    assert [item["serviceName"] for item in items(crawl, page)] == ["a", "b"]
    (failure,) = ecs.describe_services(cluster="c", services=["gone"])["failures"]
    assert page_end.errors_inside(crawl, page) == ([{"member": "failures", "error": failure}], 0)
    assert page.non_aggregate == {"failures": [failure]}


def test_there_are_enough_of_them() -> None:
    assert len({(listing.service, listing.operation) for listing in LISTINGS}) >= 40
    assert len({listing.service for listing in LISTINGS}) >= 25
