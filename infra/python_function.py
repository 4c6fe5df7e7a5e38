"""A function as all of Pageturner's are: its runtime, its log group, and the stores that it is told of."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.function_code import ARCHITECTURE, runtime
from infra.grants import acknowledge_wildcards
from infra.item_store import ItemStore
from infra.network import run_in_vpc
from infra.settings import SettingError, Settings


class PythonFunction(lambda_.Function):
    """The handler of one file of ``lambdas/``."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        module: str,
        *,
        code: lambda_.Code,
        settings: Settings,
        store: ItemStore,
        memory_size: int,
        timeout: Duration,
        environment: Mapping[str, str] | None = None,
        ephemeral_storage_size: Size | None = None,
        role_name: str | None = None,
    ) -> None:
        is_debug = settings.log_level == "DEBUG"
        # Never WARN or ERROR: Lambda takes a line without a level for INFO, and then drops it (Lambda Developer Guide,
        # "Log-level filtering"). Metrics have none, nor have exceptions that nobody catches
        # (github.com/aws/aws-lambda-python-runtime-interface-client/issues/202).
        application_log_level = lambda_.ApplicationLogLevel.DEBUG if is_debug else lambda_.ApplicationLogLevel.INFO
        log_group = logs.LogGroup(
            scope,
            f"{construct_id}Logs",
            retention=log_retention(settings.log_retention_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        # The CDK's own has AWSLambdaBasicExecutionRole, which writes to all log groups, and makes them.
        principal = iam.ServicePrincipal("lambda.amazonaws.com")
        role = iam.Role(scope, f"{construct_id}Role", assumed_by=principal, role_name=role_name)
        log_group.grant(role, "logs:CreateLogStream", "logs:PutLogEvents")
        store.keep_pages_from(role)
        super().__init__(
            scope,
            construct_id,
            role=role,
            code=code,
            handler=f"{module}.handler",
            # MiniStack's own Python worker loses the class names of exceptions, which the state machines match.
            # `bootstrap` runs AWS's runtime interface client instead.
            runtime=lambda_.Runtime.PROVIDED_AL2023 if settings.emulator else runtime(),
            architecture=ARCHITECTURE,
            memory_size=memory_size,
            timeout=timeout,
            ephemeral_storage_size=ephemeral_storage_size,
            tracing=lambda_.Tracing.ACTIVE,
            # Without a system log level, which needs JSON, a million pages pay for Lambda's START, END and REPORT too.
            logging_format=lambda_.LoggingFormat.JSON,
            system_log_level_v2=lambda_.SystemLogLevel.INFO if is_debug else lambda_.SystemLogLevel.WARN,
            application_log_level_v2=application_log_level,
            log_group=log_group,
            environment={
                "ITEMS_BUCKET": store.bucket.bucket_name,
                "ITEMS_TABLE": store.items.table_name,
                "RUNS_TABLE": store.runs.table_name,
                "POWERTOOLS_LOG_LEVEL": settings.log_level,
                # Two deployments can share an account and a region: what belongs to this one, its metrics and events.
                "POWERTOOLS_METRICS_NAMESPACE": settings.stack_name,
                **(environment or {}),
            },
        )
        acknowledge_wildcards(
            role, ["*"], "the CDK lets it send traces, and IAM knows no resource of X-Ray's actions for it"
        )
        acknowledge(self, "L1", "they run on the Python that they were tested with, where Lambda has it")
        if settings.subnet_ids:
            run_in_vpc(self, settings)


def log_retention(days: int) -> logs.RetentionDays:
    """Return CloudWatch Logs' retention of that many days. Raises `SettingError` if there is none."""
    known = {3: "THREE_DAYS", 7: "ONE_WEEK", 14: "TWO_WEEKS", 30: "ONE_MONTH", 90: "THREE_MONTHS", 365: "ONE_YEAR"}
    if days not in known:
        raise SettingError(f"log_retention_days is {days}; it can be {', '.join(map(str, known))}")
    return logs.RetentionDays[known[days]]
