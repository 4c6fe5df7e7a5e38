"""Which resources parameters name: tricky operations, by hand from the Service Authorization Reference."""

from __future__ import annotations

from typing import Any

import pytest

from tests.allowed_resources import allowed_resources

HERE = "eu-west-1:111122223333"
ROLE = "arn:aws:iam::111122223333:role/path/r"
POINT = "arn:aws:s3:eu-west-1:111122223333:accesspoint/p"
TABLE = "arn:aws:dynamodb:us-east-1:444455556666:table/t"
KEY = f"arn:aws:kms:{HERE}:key/1234"
EXECUTION = f"arn:aws:states:{HERE}:execution:m:e"
STACK = f"arn:aws:cloudformation:{HERE}:stack/s/1234"
GROUP = f"arn:aws:logs:{HERE}:log-group:/g"


@pytest.mark.parametrize(
    ("operation", "parameters", "resources"),
    [
        # Buckets and objects.
        ("s3 list_objects_v2", {"Bucket": "b"}, ["s3:::b"]),
        ("s3 list_objects_v2", {"Bucket": "b", "Prefix": "logs/"}, ["s3:::b"]),
        ("s3 list_objects_v2", {"Bucket": POINT}, ["s3:*:*:accesspoint/p", "s3:::*"]),
        ("s3 list_objects_v2", {"Bucket": "p-abcd-s3alias"}, ["s3:*:*:accesspoint/*", "s3:::*"]),
        ("s3 get_bucket_policy", {"Bucket": "b"}, ["s3:::b"]),
        ("s3 get_bucket_encryption", {"Bucket": "b", "ExpectedBucketOwner": "111122223333"}, ["s3:::b"]),
        ("s3 get_object_tagging", {"Bucket": "b", "Key": "a/*"}, ["s3:::b/a/${*}"]),
        ("s3 head_object", {"Bucket": POINT, "Key": "k"}, ["s3:*:*:accesspoint/p/object/k", "s3:::*/k"]),
        ("s3 list_buckets", {}, None),
        # Tables and indexes.
        ("dynamodb scan", {"TableName": "t"}, [f"dynamodb:{HERE}:table/t"]),
        ("dynamodb query", {"TableName": "t", "IndexName": "i"},
         [f"dynamodb:{HERE}:table/t", f"dynamodb:{HERE}:table/t/index/i"]),
        ("dynamodb query", {"TableName": TABLE, "IndexName": "i"},
         ["dynamodb:us-east-1:444455556666:table/t", "dynamodb:us-east-1:444455556666:table/t/index/i"]),
        ("dynamodb scan", {"TableName": "arn:aws:s3:::b"}, [f"dynamodb:{HERE}:table/*"]),
        ("dynamodb batch_get_item", {"RequestItems": {"t": {}, "u": {}}},
         [f"dynamodb:{HERE}:table/t", f"dynamodb:{HERE}:table/u"]),
        ("dynamodb describe_export", {"ExportArn": f"{TABLE}/export/1"},
         ["dynamodb:us-east-1:444455556666:table/t/export/1"]),
        ("dynamodbstreams describe_stream", {"StreamArn": f"{TABLE}/stream/1"},
         ["dynamodb:us-east-1:444455556666:table/t/stream/1"]),
        ("dynamodb list_tables", {}, None),
        # Queues, topics, streams.
        ("sqs get_queue_attributes", {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/444455556666/q"},
         ["sqs:eu-west-1:444455556666:q"]),
        ("sqs get_queue_url", {"QueueName": "q"}, [f"sqs:{HERE}:q"]),
        ("sqs get_queue_url", {"QueueName": "q", "QueueOwnerAWSAccountId": "444455556666"}, None),
        ("sns list_subscriptions_by_topic", {"TopicArn": f"arn:aws:sns:{HERE}:t"}, [f"sns:{HERE}:t"]),
        ("kinesis list_shards", {"StreamName": "s"}, [f"kinesis:{HERE}:stream/s"]),
        ("kinesis describe_stream_consumer",
         {"StreamARN": f"arn:aws:kinesis:{HERE}:stream/s", "ConsumerName": "c"},
         [f"kinesis:{HERE}:stream/s/consumer/c:*"]),
        # Functions.
        ("lambda get_policy", {"FunctionName": "f"}, [f"lambda:{HERE}:function:f", f"lambda:{HERE}:function:f:*"]),
        ("lambda get_policy", {"FunctionName": f"arn:aws:lambda:{HERE}:function:f:live"},
         [f"lambda:{HERE}:function:f:live", f"lambda:{HERE}:function:f:live:*"]),
        ("lambda list_aliases", {"FunctionName": "111122223333:function:f"},
         [f"lambda:{HERE}:function:f", f"lambda:{HERE}:function:f:*"]),
        ("lambda list_functions", {}, None),
        # Logs.
        ("logs describe_log_streams", {"logGroupName": "/g"},
         [f"logs:{HERE}:log-group:/g", f"logs:{HERE}:log-group:/g:*"]),
        ("logs filter_log_events", {"logGroupIdentifier": GROUP},
         [f"logs:{HERE}:log-group:/g", f"logs:{HERE}:log-group:/g:*"]),
        ("logs get_log_events", {"logGroupName": "/g", "logStreamName": "s"}, [f"logs:{HERE}:log-group:/g:*"]),
        ("logs describe_log_groups", {"logGroupNamePrefix": "/g"}, None),
        # IAM: a name does not say the path.
        ("iam list_attached_role_policies", {"RoleName": "r"},
         ["iam::111122223333:role/*/r", "iam::111122223333:role/r"]),
        ("iam list_access_keys", {}, None),
        ("iam get_policy", {"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
         ["iam::aws:policy/ReadOnlyAccess"]),
        ("iam get_open_id_connect_provider",
         {"OpenIDConnectProviderArn": "arn:aws:iam::111122223333:oidc-provider/example.com"},
         ["iam::111122223333:oidc-provider/example.com"]),
        ("iam simulate_principal_policy", {"PolicySourceArn": ROLE, "ActionNames": ["s3:ListBucket"]}, None),
        # Keys, parameters, secrets.
        ("kms describe_key", {"KeyId": "1234"}, [f"kms:{HERE}:key/1234"]),
        ("kms describe_key", {"KeyId": KEY}, [f"kms:{HERE}:key/1234"]),
        ("kms describe_key", {"KeyId": "alias/a"}, [f"kms:{HERE}:key/*"]),
        ("kms describe_key", {"KeyId": f"arn:aws:kms:{HERE}:alias/a"},
         [f"kms:{HERE}:alias/a", f"kms:{HERE}:key/*"]),
        ("ssm get_parameter", {"Name": "/a/b:3"}, [f"ssm:{HERE}:parameter/a/b", "ssm:eu-west-1::parameter/a/b"]),
        ("ssm get_parameters", {"Names": ["a", "/b"]},
         [f"ssm:{HERE}:parameter/a", f"ssm:{HERE}:parameter/b", "ssm:eu-west-1::parameter/a",
          "ssm:eu-west-1::parameter/b"]),
        ("ssm get_parameters_by_path", {"Path": "/a/"},
         [f"ssm:{HERE}:parameter/a", f"ssm:{HERE}:parameter/a/*", "ssm:eu-west-1::parameter/a",
          "ssm:eu-west-1::parameter/a/*"]),
        ("ssm describe_parameters", {}, None),
        ("secretsmanager get_secret_value", {"SecretId": "s"}, [f"secretsmanager:{HERE}:secret:s-??????"]),
        ("secretsmanager describe_secret", {"SecretId": f"arn:aws:secretsmanager:{HERE}:secret:s-Ab12Cd"},
         [f"secretsmanager:{HERE}:secret:s-Ab12Cd", f"secretsmanager:{HERE}:secret:s-Ab12Cd-??????"]),
        # Clusters, and what is in them.
        ("ecs describe_services", {"cluster": "c", "services": ["s", "t"]},
         [f"ecs:{HERE}:service/c/s", f"ecs:{HERE}:service/c/t"]),
        ("ecs describe_tasks", {"tasks": ["1234"]}, [f"ecs:{HERE}:task/*/1234"]),
        ("ecs list_tasks", {"cluster": "c"}, None),
        ("eks describe_cluster", {"name": "c"}, [f"eks:{HERE}:cluster/c"]),
        ("eks describe_nodegroup", {"clusterName": "c", "nodegroupName": "n"}, [f"eks:{HERE}:nodegroup/c/n/*"]),
        # Databases: their names are stored in lower case.
        ("rds describe_db_instances", {"DBInstanceIdentifier": "d"}, [f"rds:{HERE}:db:d"]),
        ("rds describe_db_instances", {"DBInstanceIdentifier": "D"}, [f"rds:{HERE}:db:*"]),
        ("rds describe_db_instances", {}, None),
        ("rds describe_db_clusters", {"DBClusterIdentifier": "c"}, [f"rds:{HERE}:cluster:c"]),
        # Glue looks at the catalog and the database of a table, too.
        ("glue get_partitions", {"DatabaseName": "d", "TableName": "t"},
         [f"glue:{HERE}:catalog", f"glue:{HERE}:database/d", f"glue:{HERE}:table/d/t"]),
        ("glue get_tables", {"DatabaseName": "d"},
         [f"glue:{HERE}:catalog", f"glue:{HERE}:database/d", f"glue:{HERE}:table/d/*"]),
        ("glue get_tables", {"DatabaseName": "d", "CatalogId": "444455556666"}, None),
        ("athena list_query_executions", {"WorkGroup": "w"}, [f"athena:{HERE}:workgroup/w"]),
        ("athena list_query_executions", {}, None),
        ("athena list_databases", {"CatalogName": "c"}, [f"athena:{HERE}:datacatalog/c"]),
        # Others.
        ("stepfunctions get_execution_history", {"executionArn": EXECUTION}, [f"states:{HERE}:execution:m:e"]),
        ("stepfunctions describe_execution", {"executionArn": EXECUTION}, [f"states:{HERE}:execution:m:e"]),
        ("stepfunctions list_executions", {"stateMachineArn": f"arn:aws:states:{HERE}:stateMachine:m"},
         [f"states:{HERE}:stateMachine:m"]),
        ("cloudformation list_stack_resources", {"StackName": "s"}, [f"cloudformation:{HERE}:stack/s/*"]),
        ("cloudformation describe_stack_events", {"StackName": STACK},
         [f"cloudformation:{HERE}:stack/s/1234", f"cloudformation:{HERE}:stack/s/1234/*"]),
        ("cloudformation list_stack_instances", {"StackSetName": "s", "CallAs": "DELEGATED_ADMIN"}, None),
        ("ecr list_images", {"repositoryName": "r"}, [f"ecr:{HERE}:repository/r"]),
        ("ecr list_images", {"repositoryName": "r", "registryId": "444455556666"}, None),
        ("route53 list_resource_record_sets", {"HostedZoneId": "/hostedzone/Z1"}, ["route53:::hostedzone/Z1"]),
        ("apigateway get_resources", {"restApiId": "r"}, ["apigateway:eu-west-1::/restapis/r/resources"]),
        ("apigateway get_rest_apis", {}, ["apigateway:eu-west-1::/restapis"]),
        ("apigatewayv2 get_routes", {"ApiId": "a"}, ["apigateway:eu-west-1::/apis/a/routes"]),
        ("events list_targets_by_rule", {"Rule": "r"}, [f"events:{HERE}:rule/*/r", f"events:{HERE}:rule/r"]),
        ("wafv2 get_web_acl", {"Name": "n", "Scope": "REGIONAL", "Id": "1"}, [f"wafv2:{HERE}:*/webacl/n/1"]),
        ("organizations describe_organizational_unit", {"OrganizationalUnitId": "ou-1-2"},
         ["organizations::*:ou/o-*/ou-1-2"]),
        ("ec2 get_managed_prefix_list_entries", {"PrefixListId": "pl-1"}, ["ec2:eu-west-1:*:prefix-list/pl-1"]),
        ("ssm get_document", {"Name": "d"}, [f"ssm:{HERE}:document/d", "ssm:eu-west-1::document/d"]),
        ("acm list_tags_for_certificate", {"CertificateArn": f"arn:aws:acm:{HERE}:certificate/1"},
         [f"acm:{HERE}:certificate/1"]),
        ("sagemaker list_tags", {"ResourceArn": f"arn:aws:sagemaker:{HERE}:model/m"}, [f"sagemaker:{HERE}:model/m"]),
        ("cloudwatch describe_alarms", {"AlarmNames": ["a"]}, None),
        ("ec2 describe_instances", {"InstanceIds": ["i-1"]}, None),
    ],
)  # fmt: skip
def test_a_call_is_allowed_on_what_it_names(
    operation: str, parameters: dict[str, Any], resources: list[str] | None
) -> None:
    service, name = operation.split()
    allowed = allowed_resources(service, name, parameters)
    assert list(allowed) == (["*"] if resources is None else [f"arn:aws:{each}" for each in resources])
