"""What is wrong with the details of a crawl: each message names the place, the value and the fix."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pageturner.crawls.catalogue import parse_catalogue
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.iam_actions import read_actions
from pageturner.errors import InvalidCrawlError
from pageturner.publish.columns import columns_of

BUCKETS = {"service": "s3", "operation": "list_buckets"}
POLICY = {"operation": "get_bucket_policy", "parameters": {"Bucket": "item.Name"}, "as": "Policy"}
TASKS = {"service": "ecs", "operation": "list_tasks", "parameters": {"cluster": "c"}}
TASK = {
    "operation": "describe_tasks",
    "parameters": {"cluster": "parameters.cluster", "tasks": "item"},
    "as": "Task",
    "batch": "tasks",
}
ENDPOINT = {
    "operation": "batch_get_dev_endpoints",
    "parameters": {"DevEndpointNames": "item"},
    "as": "Endpoint",
    "batch": "DevEndpointNames",
}
ROLES = {"service": "iam", "operation": "list_roles"}
OF_ROLE = {"parameters": {"RoleName": "item.RoleName"}, "as": "More"}


def crawl(entry: Any, detail: Any) -> Crawl:
    return parse_catalogue({"crawls": {"c": {**entry, "detail": detail}}})["c"]


def test_details_survive_their_way_through_the_state() -> None:
    for detail in (POLICY, [POLICY, {**POLICY, "operation": "get_bucket_tagging", "as": "Tagging"}]):
        made = crawl(BUCKETS, detail)
        assert Crawl.from_dict(json.loads(json.dumps(made.as_dict()))) == made
        assert made.details == Crawl.from_dict(json.loads(json.dumps(made.for_pages()))).details


@pytest.mark.parametrize(
    ("entry", "detail", "said"),
    [
        (BUCKETS, [], "detail: invalid value []; must be like"),
        (BUCKETS, {"operation": "get_bucket_policy"}, "must be like"),
        (BUCKETS, [POLICY, {"as": "X"}], 'detail.1: invalid value {"as": "X"}; must have at least operation'),
        (BUCKETS, {**POLICY, "match_": 1}, 'detail.match_: unknown key; did you mean "match"?'),
        (BUCKETS, [{**POLICY, "bach": 1}], 'detail.0.bach: unknown key; did you mean "batch"?'),
        (BUCKETS, {**POLICY, "as": "a-b"}, 'detail.as: invalid value "a-b"; must be letters, digits'),
        (BUCKETS, {**POLICY, "parameters": {"Bucket": 5}}, "detail.parameters.Bucket: invalid value 5; must be"),
        (BUCKETS, {**POLICY, "service": "s4"}, 'detail.service: boto3 has no service "s4"; did you mean "s3"?'),
        (BUCKETS, {**POLICY, "operation": "GetBucketPolicy"}, 'did you mean "get_bucket_policy"?'),
        (BUCKETS, {**POLICY, "operation": "put_bucket_policy"}, "detail.operation: Pageturner only reads"),
        (BUCKETS, {**POLICY, "parameters": {"Buckt": "item.Name"}}, 'Buckt: s3 get_bucket_policy has no such'),
        (BUCKETS, {**POLICY, "parameters": {"Buckt": "item.Name"}}, "detail.parameters: s3 get_bucket_policy requires"),
        (BUCKETS, {**POLICY, "parameters": {"Bucket": "item.Nam"}}, 'no member Nam; did you mean "Name"?'),
        (BUCKETS, {**POLICY, "parameters": {"Bucket": "key"}}, '"key" finds nothing: there is no member key'),
        (BUCKETS, {**POLICY, "parameters": {"Bucket": "item["}}, "is not valid JMESPath at character"),
        (BUCKETS, {**POLICY, "result_key": "Polic"}, 'detail.result_key: "Polic" finds nothing'),
        (BUCKETS, {**POLICY, "as": "Name"}, 'detail.as: "Name" is taken: the items have a member of this name; choose'),
        (BUCKETS, [POLICY, POLICY], 'detail.1.as: "Policy" is taken: another detail has it; choose another name'),
        (TASKS, {**TASK, "as": "value"}, 'detail.as: "value" is taken'),
        (TASKS, {**TASK, "parameters": {"tasks": "item", "cluster": "parameters.clster"}}, 'did you mean "cluster"?'),
        (BUCKETS, {**POLICY, "batch": "Bucket"}, 'no parameter "Bucket" that takes a list; remove batch'),
        (TASKS, {**TASK, "batch": "task"}, 'no parameter "task" that takes a list; did you mean "tasks"?'),
        (TASKS, {**TASK, "batch": "include"}, "detail.batch: include is not among the parameters; add it there"),
        (TASKS, {**TASK, "match": "TaskArn"}, 'detail.match: "TaskArn" finds nothing: there is no member TaskArn'),
        (BUCKETS, {**POLICY, "match": "Name"}, "detail.match: it finds the elements of a batch; set batch"),
        (
            {"service": "glue", "operation": "list_dev_endpoints"},
            ENDPOINT,
            "nothing says which member of an element of DevEndpoints is the DevEndpointNames that was sent; set match, "
            'like "match: EndpointName"',
        ),
        (
            {"service": "cloudfront", "operation": "list_distributions"},
            {
                "service": "rds",
                "operation": "describe_db_log_files",
                "parameters": {"DBInstanceIdentifier": "item.Id", "Marker": "'x'"},
                "as": "Logs",
            },
            "detail.parameters.Marker: rds describe_db_log_files is paged to its end by itself; remove it",
        ),
        (ROLES, {**OF_ROLE, "service": "kinesis", "operation": "get_records"}, "kinesis get_records never ends"),
        (BUCKETS, {**POLICY, "operation": "get_object"}, "s3 get_object cannot be a detail, which must be whole: its"),
        (BUCKETS, {**POLICY, "operation": "get_object_attributes"}, "its parameter PartNumberMarker looks like"),
    ],
)  # fmt: skip
def test_a_wrong_detail_is_refused(entry: Any, detail: Any, said: str) -> None:
    with pytest.raises(InvalidCrawlError) as raised:
        crawl(entry, detail)
    assert said in str(raised.value)
    assert all(line.startswith("crawls.c.detail") for line in str(raised.value).splitlines())


def test_what_pages_but_cannot_be_collected_is_refused() -> None:
    plans = {"service": "backup", "operation": "list_backup_vaults"}
    tags = {"operation": "list_tags", "parameters": {"ResourceArn": "item.BackupVaultArn"}, "as": "Tags"}
    with pytest.raises(InvalidCrawlError, match=r"could be in Tags \(a map\), and only .* be inferred; set result_key"):
        crawl(plans, tags)
    (detail,) = crawl(plans, {**tags, "result_key": "Tags"}).details
    assert detail.pages
    assert detail.paginator["result_key"] == "Tags"


@pytest.mark.parametrize(
    ("service", "operation", "parameter", "found"),
    [
        ("ecs", "describe_tasks", "tasks", ("tasks", "taskArn", 100)),
        ("ecs", "describe_services", "services", ("services", "serviceArn", 10)),
        ("codebuild", "batch_get_projects", "names", ("projects", "name", 100)),
        ("glue", "batch_get_jobs", "JobNames", ("Jobs", "Name", 10)),
        ("glue", "batch_get_workflows", "Names", ("Workflows", "Name", 25)),
        ("athena", "batch_get_named_query", "NamedQueryIds", ("NamedQueries", "NamedQueryId", 50)),
        ("ecr", "describe_repositories", "repositoryNames", ("repositories", "repositoryName", 100)),
        ("ec2", "describe_volumes", "VolumeIds", ("Volumes", "VolumeId", 100)),
        ("elbv2", "describe_target_groups", "TargetGroupArns", ("TargetGroups", "TargetGroupArn", 10)),
    ],
)
def test_the_models_tell_how_a_batch_is_answered(service: str, operation: str, parameter: str, found: Any) -> None:
    detail = {
        "service": service,
        "operation": operation,
        "parameters": {
            parameter: "item.RoleName",
            **({"cluster": "item.Path"} if operation.endswith("services") else {}),
        },
        "as": "More",
        "batch": parameter,
    }
    (made,) = crawl(ROLES, detail).details
    assert (made.found_by, made.match, made.most_values) == found


def test_the_functions_may_ask_for_details() -> None:
    keys = {"service": "kms", "operation": "describe_key", "parameters": {"KeyId": "item.Name"}, "as": "Key"}
    assert {"s3:GetBucketPolicy", "kms:DescribeKey"} <= set(read_actions([crawl(BUCKETS, [POLICY, keys])]))


def test_details_have_columns_and_names_for_other_crawls() -> None:
    detailed = crawl(BUCKETS, {**POLICY, "result_key": "Policy"})
    plain = Crawl("c", "s3", "list_buckets")
    assert [(each.name, each.type) for each in columns_of(detailed)] == [
        *((each.name, each.type) for each in columns_of(plain)),
        ("policy", "string"),
    ]
    assert [(each.name, each.member) for each in columns_of(crawl(TASKS, TASK))] == [
        ("value", "value"),
        ("task", "Task"),
    ]
    by_item = {"service": "ecs", "operation": "list_attributes", "key": "name"}
    by_task = {**by_item, "for_each": {"crawl": "tasks", "parameters": {"cluster": "item.Task.clusterArn"}}}
    by_task["parameters"] = {"targetType": "container-instance"}
    parse_catalogue({"crawls": {"tasks": {**TASKS, "detail": TASK}, "by_task": by_task}})
    by_task["for_each"] = {"crawl": "tasks", "parameters": {"cluster": "item.Task.cluster"}}
    with pytest.raises(InvalidCrawlError, match="there is no member cluster"):
        parse_catalogue({"crawls": {"tasks": {**TASKS, "detail": TASK}, "by_task": by_task}})


def test_a_detail_can_be_ignored_when_items_are_compared() -> None:
    assert crawl({**BUCKETS, "ignore_fields": ["Policy.Policy"]}, POLICY)
    with pytest.raises(InvalidCrawlError, match=r"ignore_fields: .* there is no member Polic"):
        crawl({**BUCKETS, "ignore_fields": ["Policy.Polic"]}, POLICY)


def test_other_details_make_another_listing_for_those_who_read_it_but_the_same_items() -> None:
    with_policy, without = crawl(BUCKETS, POLICY), Crawl("c", "s3", "list_buckets")
    assert with_policy.listing_hash != without.listing_hash
    assert with_policy.definition == without.definition
