from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template

from infra.function_code import runtime
from infra.functions import FETCH_PAGE_TIMEOUT
from infra.settings import SettingError
from pageturner.crawls.iam_actions import iam_action
from pageturner.errors import InvalidCrawlError
from pageturner.turn import details
from tests.infra.conftest import PROJECT, Synth


def statements(resources: dict[str, Any], role_prefix: str) -> Iterator[dict[str, Any]]:
    """Yield the statements of all policies of the role whose logical ID has this prefix."""
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Policy" and any(
            role["Ref"].startswith(role_prefix) for role in resource["Properties"]["Roles"]
        ):
            yield from resource["Properties"]["PolicyDocument"]["Statement"]


def actions(resources: dict[str, Any], role_prefix: str) -> set[str]:
    return {action for statement in statements(resources, role_prefix) for action in actions_of(statement)}


def actions_of(statement: dict[str, Any]) -> list[str]:
    """Return the actions of a statement as a list; a single action is a string in the template."""
    found = statement["Action"]
    return [found] if isinstance(found, str) else found


def test_the_reader_may_do_what_the_catalogue_needs_and_no_more(resources: dict[str, Any]) -> None:
    allowed = [each for each in statements(resources, "FunctionsReader") if each["Effect"] == "Allow"]
    assert {action for each in allowed for action in actions_of(each)} == {
        *("s3:ListAllMyBuckets", "ec2:DescribeInstances", "iam:ListRoles"),
        "iam:GetAccountSummary",  # IAM counts its roles
    }


def test_only_the_functions_that_publish_know_items(resources: dict[str, Any]) -> None:
    policies = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::IAM::Policy"]
    roles = [
        policy["Roles"][0]["Ref"]
        for policy in policies
        if any(
            "StoreItemTable" in str(each) for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"
        )
    ]
    assert sorted(role.partition("Role")[0] for role in roles) == ["PublishingPublishPart", "PublishingPublishRun"]


def test_the_crawl_machine_has_the_name_by_which_functions_may_know_it(resources: dict[str, Any]) -> None:
    names = {
        each["Properties"]["StateMachineName"]
        for each in resources.values()
        if each["Type"] == "AWS::StepFunctions::StateMachine"
    }
    assert names == {"Pageturner-Crawl", "Pageturner-PageLoop"}
    permitted = {
        (action, statement["Resource"]["Fn::Join"][1][-1])
        for role in ("FunctionsPlanRun", "FunctionsFetchPage", "FunctionsStopRun")
        for statement in statements(resources, role)
        for action in actions_of(statement)
        if action.startswith("states:")
    }
    assert permitted == {("states:DescribeExecution", ":execution:Pageturner-Crawl:*")}


@pytest.mark.parametrize(
    "how",
    [
        {"status": ["ABORTED", "FAILED", "SUCCEEDED", "TIMED_OUT"]},
        {"status": ["RUNNING"], "redriveCount": [{"numeric": [">", 0]}]},
    ],
)
def test_how_an_execution_is_is_told_to_stop_run(
    template: Template, resources: dict[str, Any], how: dict[str, Any]
) -> None:
    (machine,) = [
        name
        for name, resource in resources.items()
        if resource["Type"] == "AWS::StepFunctions::StateMachine" and name.startswith("Crawl")
    ]
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": {
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {**how, "stateMachineArn": [{"Ref": machine}]},
            },
            "Targets": [
                Match.object_like(
                    {"Arn": {"Fn::GetAtt": [Match.string_like_regexp("FunctionsStopRun.*"), "Arn"]}},
                )
            ],
        },
    )


def test_a_page_can_be_committed_when_nobody_waits_for_its_details_any_more() -> None:
    assert details.LAST_CALL < details.LEAVES_AFTER <= FETCH_PAGE_TIMEOUT.to_seconds() - 10


def test_functions(template: Template) -> None:
    timeouts = {"plan_run": 840, "fetch_page": 60, "finish_run": 900, "fail_run": 30, "stop_run": 30}
    timeouts |= {"plan_long_targets": 840, "publish_run": 900, "publish_part": 900, "report_run": 300}
    timeouts |= {"check_crawls": 120}
    template.resource_count_is("AWS::Lambda::Function", len(timeouts))
    for handler, timeout in timeouts.items():
        template.has_resource_properties(
            "AWS::Lambda::Function",
            {
                "Handler": f"{handler}.handler",
                "Timeout": timeout,
                "Runtime": runtime().name,
                "Architectures": ["arm64"],
                "TracingConfig": {"Mode": "Active"},
                "LoggingConfig": {
                    "LogGroup": Match.any_value(),
                    "LogFormat": "JSON",
                    "SystemLogLevel": "WARN",
                    "ApplicationLogLevel": "INFO",
                },
            },
        )


@pytest.mark.parametrize(
    ("level", "lambdas_own", "application"),
    [("DEBUG", "INFO", "DEBUG"), ("INFO", "WARN", "INFO"), ("WARNING", "WARN", "INFO"), ("ERROR", "WARN", "INFO")],
)
def test_no_log_level_makes_lambda_drop_metrics(synth: Synth, level: str, lambdas_own: str, application: str) -> None:
    functions = [each["Properties"] for each in synth(log_level=level).find_resources("AWS::Lambda::Function").values()]
    assert {each["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] for each in functions} == {level}
    # Others would log events, responses, and exceptions with their values, or give them to X-Ray.
    of_powertools = {name for each in functions for name in each["Environment"]["Variables"] if "POWERTOOLS" in name}
    assert of_powertools == {"POWERTOOLS_LOG_LEVEL", "POWERTOOLS_METRICS_NAMESPACE"}
    assert {each["LoggingConfig"]["SystemLogLevel"] for each in functions} == {lambdas_own}
    assert {each["LoggingConfig"]["ApplicationLogLevel"] for each in functions} == {application}


def test_every_log_group_forgets(resources: dict[str, Any]) -> None:
    groups = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Logs::LogGroup"]
    assert len(groups) == 12
    assert {group["RetentionInDays"] for group in groups} == {30}


def test_the_log_groups_of_state_machines_need_no_room_in_the_resource_policy(resources: dict[str, Any]) -> None:
    """Step Functions Developer Guide, "Avoiding Amazon CloudWatch Logs resource policy size restrictions"."""
    machines = [each for each in resources.values() if each["Type"] == "AWS::StepFunctions::StateMachine"]
    for machine in machines:
        (destination,) = machine["Properties"]["LoggingConfiguration"]["Destinations"]
        group = resources[destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0]]
        name = machine["Properties"]["StateMachineName"]
        assert group["Properties"]["LogGroupName"] == f"/aws/vendedlogs/states/{name}"


def test_page_loop_logs_errors_only(template: Template) -> None:
    template.has_resource_properties(
        "AWS::StepFunctions::StateMachine",
        {
            "StateMachineType": "EXPRESS",
            "LoggingConfiguration": Match.object_like({"Level": "ERROR", "IncludeExecutionData": False}),
        },
    )


@pytest.mark.parametrize(("retain_data", "policy"), [("true", "Retain"), ("false", "Delete")])
def test_data_goes_with_the_stack_only_where_the_setting_says_so(synth: Synth, retain_data: str, policy: str) -> None:
    resources = synth(retain_data=retain_data).to_json()["Resources"]
    kinds = {"AWS::S3::Bucket", "AWS::DynamoDB::GlobalTable"}
    kept = [each["DeletionPolicy"] for each in resources.values() if each["Type"] in kinds]
    assert kept == [policy] * 3
    emptied = [each for each in resources.values() if each["Type"] == "Custom::S3AutoDeleteObjects"]
    assert len(emptied) == (1 if policy == "Delete" else 0)


def test_runs_and_stale_items_are_forgotten_by_dynamodb_itself(template: Template) -> None:
    template.all_resources_properties(
        "AWS::DynamoDB::GlobalTable",
        {"TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True}, "BillingMode": "PAY_PER_REQUEST"},
    )


def test_schedules(template: Template) -> None:
    template.resource_count_is("AWS::Scheduler::Schedule", 3)  # one looks at all crawls
    target = {
        "Input": '{"crawl":"buckets","trigger":"schedule <aws.scheduler.scheduled-time>"}',
        "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10},
        "DeadLetterConfig": {"Arn": Match.any_value()},
        "Arn": {"Ref": Match.string_like_regexp("CrawlStateMachine.*")},
    }
    template.has_resource_properties(
        "AWS::Scheduler::Schedule",
        {"ScheduleExpression": "rate(1 day)", "State": "ENABLED", "Target": Match.object_like(target)},
    )
    template.has_resource_properties(
        "AWS::Scheduler::Schedule",
        {
            "ScheduleExpression": "cron(0 3 * * ? *)",
            "ScheduleExpressionTimezone": "Europe/Berlin",
            "State": "DISABLED",
        },
    )


def test_the_emulator_changes_only_what_it_cannot_run(synth: Synth, template: Template) -> None:
    local, remote = synth(emulator="true").to_json(), template.to_json()
    types = {resource["Type"] for resource in local["Resources"].values()}
    unknown = {"AWS::Athena::NamedQuery", "AWS::Logs::QueryDefinition"}
    assert not unknown & types
    for name in [name for name, each in remote["Resources"].items() if each["Type"] in unknown]:
        del remote["Resources"][name]
    for name, resource in local["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Function":
            there = remote["Resources"][name]["Properties"]
            assert resource["Properties"]["Runtime"] == "provided.al2023"
            resource["Properties"]["Runtime"] = there["Runtime"]
            if name.startswith("Publishing"):
                assert resource["Properties"]["Code"] != there["Code"]
                resource["Properties"]["Code"] = there["Code"]
        if resource["Type"] == "AWS::Scheduler::Schedule":
            target, there = resource["Properties"]["Target"], remote["Resources"][name]["Properties"]["Target"]
            # That of CheckCrawls has nothing in it.
            more = {"trigger"} if "crawl" in target["Input"] else set()
            assert set(json.loads(there["Input"])) - set(json.loads(target["Input"])) == more
            target["Input"] = there["Input"]
    assert local == remote


def test_the_rules_of_the_cdk_find_nothing_whatever_the_settings(synth: Synth) -> None:
    # `make check` has the defaults.
    days = {f"{name}_retention_days": "30" for name in ("page", "run", "history", "changes", "log")}
    others = {"reader_role": "Reader", "read_policies": "ReadOnlyAccess", "hand_overs": "2", "log_level": "DEBUG"}
    synth(rules=True, stack_name="My-Crawls", retain_data="false", loop_seconds="0", most_rows="1", **days, **others)


def test_managed_policies_for_crawls_from_the_console(synth: Synth) -> None:
    synth(read_policies="ReadOnlyAccess", adhoc_crawls="true").has_resource_properties(
        "AWS::IAM::Role",
        {
            "ManagedPolicyArns": Match.array_with(
                [{"Fn::Join": ["", Match.array_with([":iam::aws:policy/ReadOnlyAccess"])]}]
            )
        },
    )


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"stack_name": "my stack"}, 'stack_name is "my stack"; it must be a letter'),
        ({"loop_seconds": "240"}, "loop_seconds is 240; it must be from 0 to 225"),
        ({"loop_seconds": "soon"}, 'loop_seconds is "soon"; it must be a number'),
        ({"hand_overs": "0"}, "hand_overs is 0; it must be from 1 to 1000"),
        ({"hand_overs": "1.5"}, 'hand_overs is "1.5"; it must be a whole number'),
        ({"retain_data": "yes"}, 'retain_data is "yes"; it must be true or false'),
        ({"log_level": "WARN"}, 'log_level is "WARN"; it must be DEBUG, INFO, WARNING or ERROR'),
        ({"log_retention_days": "31"}, "log_retention_days is 31; it can be 3, 7, 14, 30, 90, 365"),
        ({"page_retention_days": "7"}, "page_retention_days is 7; it must be 0 (for ever) or from 30 to 36500"),
        ({"run_retention_days": "-1"}, "run_retention_days is -1; it must be 0 (for ever) or"),
        ({"history_retention_days": "29"}, "history_retention_days is 29; it must be 0 (for ever) or"),
        ({"changes_retention_days": "40000"}, "changes_retention_days is 40000; it must be 0 (for ever) or"),
        ({"changes_retention_days": "ever"}, 'changes_retention_days is "ever"; it must be a whole number'),
        ({"query_scan_limit_gb": "0"}, "query_scan_limit_gb is 0; it must be from 1 to 7000000"),
        ({"most_rows": "0"}, "most_rows is 0; it must be at least 1"),
        ({"documentation_url": "a#b"}, 'documentation_url is "a#b"; it must be where docs/operations.md is'),
        ({"reader_role": "a role"}, 'reader_role is "a role"; it must be 1 to 64 letters'),
        ({"external_id": "x"}, 'external_id is "x"; it must be 2 to 1224 letters'),
        ({"kms_key": "alias/mine"}, 'kms_key is "alias/mine"; it must be the ARN of a KMS key, not of an alias'),
        ({"access_logs_bucket": "My Logs"}, 'access_logs_bucket is "My Logs"; it must be the name of a bucket'),
        ({"subnet_ids": "subnet-12345678"}, "subnet_ids and security_group_ids go together: give both, or neither"),
        ({"security_group_ids": "sg-12345678"}, "subnet_ids and security_group_ids go together"),
        ({"subnet_ids": "vpc-12345678", "security_group_ids": "sg-12345678"}, 'subnet_ids has "vpc-12345678"; it must'),
        ({"subnet_ids": "subnet-12345678", "security_group_ids": "s"}, 'security_group_ids has "s"; it must be IDs'),
        ({"loop_second": "60"}, 'there is no setting "loop_second"; did you mean "loop_seconds"?'),
        ({"catalogue": "none.yaml"}, 'catalogue is "none.yaml", which cannot be read'),
    ],
)
def test_a_wrong_setting_is_told_what_would_be_right(synth: Synth, context: dict[str, str], said: str) -> None:
    with pytest.raises(SettingError, match=re.escape(said)):
        synth(**context)


def test_a_catalogue_that_is_not_text_is_told_so(synth: Synth, tmp_path: Any) -> None:
    binary = tmp_path / "crawls.yaml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match="which cannot be read"):
        synth(catalogue=str(binary))


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("s3", "list_objects_v2", "s3:ListBucket"),
        ("stepfunctions", "list_state_machines", "states:ListStateMachines"),
        ("cloudwatch", "list_metrics", "cloudwatch:ListMetrics"),
        ("cloudcontrol", "list_resources", "cloudformation:ListResources"),
        ("apigateway", "get_rest_apis", "apigateway:GET"),
        ("apigateway", "delete_rest_api", "apigateway:DELETE"),
        ("apigatewayv2", "get_apis", "apigateway:GET"),
        ("apigatewayv2", "list_portals", "apigateway:ListPortals"),
        ("budgets", "describe_budgets", "budgets:ViewBudget"),
        ("budgets", "delete_budget", "budgets:ModifyBudget"),
        ("keyspaces", "list_types", "cassandra:Select"),
        ("keyspaces", "delete_table", "cassandra:Drop"),
        ("s3", "list_bucket_inventory_configurations", "s3:GetInventoryConfiguration"),
        ("dms", "describe_data_providers", "dms:ListDataProviders"),
        ("iotsecuretunneling", "list_tunnels", "iot:ListTunnels"),
        ("partnercentral-selling", "list_opportunities", "partnercentral:ListOpportunities"),
        ("timestream-query", "query", "timestream:Select"),
        ("s3", "delete_objects", "s3:DeleteObject"),
        ("s3control", "list_regional_buckets", "s3-outposts:ListRegionalBuckets"),
        ("securityhub", "get_findings_v2", "securityhub:GetFindings"),
    ],
)
def test_an_operation_needs_the_action_that_iam_knows(service: str, operation: str, action: str) -> None:
    assert iam_action(service, operation) == action


def test_a_wrong_catalogue_stops_the_synthesis(synth: Synth, tmp_path: Any) -> None:
    wrong = tmp_path / "crawls.yaml"
    wrong.write_text("crawls: {c: {service: s3, operation: list_bucket}}")
    with pytest.raises(InvalidCrawlError, match='did you mean "list_buckets"'):
        synth(catalogue=str(wrong))


def test_the_shipped_catalogue_is_right(synth: Synth) -> None:
    synth(catalogue=str(PROJECT / "crawls.yaml")).resource_count_is("AWS::Scheduler::Schedule", 4)


def test_two_stacks_have_no_name_in_common(synth: Synth, resources: dict[str, Any]) -> None:
    # Names of policies and of saved queries need not be unique.
    named = {
        "AWS::Athena::WorkGroup": "Name",
        "AWS::Glue::Database": "DatabaseInput",
        "AWS::Logs::LogGroup": "LogGroupName",
        "AWS::StepFunctions::StateMachine": "StateMachineName",
        "AWS::S3::Bucket": "BucketName",
        "AWS::DynamoDB::GlobalTable": "TableName",
        "AWS::Lambda::Function": "FunctionName",
        "AWS::IAM::Role": "RoleName",
        "AWS::Events::Rule": "Name",
        "AWS::CloudWatch::Alarm": "AlarmName",
        "AWS::CloudWatch::Dashboard": "DashboardName",
        "AWS::Logs::QueryDefinition": "Name",
        "AWS::SNS::Topic": "TopicName",
        "AWS::Scheduler::Schedule": "Name",
        "AWS::Scheduler::ScheduleGroup": "Name",
    }

    def names(stack: dict[str, Any]) -> set[tuple[str, str]]:
        """The names that are not left to CloudFormation."""
        return {
            (each["Type"], str(each["Properties"][named[each["Type"]]]))
            for each in stack.values()
            if named.get(each["Type"]) in each.get("Properties", {})
        }

    assert {"AWS::StepFunctions::StateMachine", "AWS::Glue::Database"} <= {kind for kind, _ in names(resources)}
    assert not names(resources) & names(synth(stack_name="Short").to_json()["Resources"])
