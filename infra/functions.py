"""The functions."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import ArnFormat, Aws, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.function_code import function_code
from infra.item_store import ItemStore
from infra.notices import Notices
from infra.permissions import grant_organization, grant_reads
from infra.python_function import PythonFunction
from infra.settings import Settings
from pageturner.costs import FETCH_PAGE_MEMORY_MB, PLANNING_MEMORY_MB
from pageturner.crawls.crawl import Crawl

# A page is one API call, of at most two attempts of 25 s, and its writes.
FETCH_PAGE_TIMEOUT = Duration.seconds(60)
PLAN_RUN_TIMEOUT = Duration.minutes(14)
REPORT_TIMEOUT = Duration.minutes(5)


class Functions(Construct):
    """`plan_run`, `plan_long_targets`, `fetch_page`, `finish_run`, …: one file of ``lambdas/`` each."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        crawls: Mapping[str, Crawl],
        store: ItemStore,
        notices: Notices,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._store = store
        self._code = function_code(crawls)
        # FetchPage turns pages for so long, and what that costs depends on it.
        loops = {"LOOP_SECONDS": f"{settings.loop_seconds:g}"}
        # Both call the crawled services: FetchPage for pages, PlanRun to find targets.
        reading = {
            "ACCOUNT": Aws.ACCOUNT_ID,
            "READER_ROLE_ARN": _reader_role("{account}", settings),
            "EXTERNAL_ID": settings.external_id,
        }
        # A plan of 100,000 targets takes minutes and 200 MB (bench/); a service's model takes up to 100 MB.
        self.plan_run = self._function(
            "PlanRun", "plan_run", memory_size=PLANNING_MEMORY_MB, timeout=PLAN_RUN_TIMEOUT, environment=reading | loops
        )
        self.plan_long_targets = self._function(
            "PlanLongTargets", "plan_long_targets", memory_size=PLANNING_MEMORY_MB, timeout=PLAN_RUN_TIMEOUT
        )
        # Most of a page's time is parsing (1,000 keys are 361 KiB of XML). Lambda allots CPU by memory.
        self.fetch_page = self._function(
            "FetchPage",
            "fetch_page",
            memory_size=FETCH_PAGE_MEMORY_MB,
            timeout=FETCH_PAGE_TIMEOUT,
            environment=reading | loops,
        )
        # Its memory and disk do not grow with pages (bench/finish.py); what is published of the crawl is in memory.
        self.finish_run = self._function(
            "FinishRun",
            "finish_run",
            memory_size=PLANNING_MEMORY_MB,
            timeout=Duration.minutes(15),
            environment=loops,
        )
        changes = {"NOTICE_CHANGES": str(settings.notice_changes).lower()}
        self.report_run = self._function(
            "ReportRun",
            "report_run",
            memory_size=PLANNING_MEMORY_MB,
            timeout=REPORT_TIMEOUT,
            environment=changes,
        )
        self.fail_run = self._function("FailRun", "fail_run", memory_size=256, timeout=Duration.seconds(30))
        # It reports what ReportRun could not.
        self.stop_run = self._function(
            "StopRun", "stop_run", memory_size=256, timeout=Duration.seconds(30), environment=changes
        )
        # Lambda allots CPU by memory, and a thousand crawls that are not well take seconds of it.
        self.check_crawls = self._function("CheckCrawls", "check_crawls", memory_size=512, timeout=Duration.minutes(2))
        for function in (self.plan_run, self.fetch_page):
            if function.role is not None:
                grant_reads(function.role, crawls, settings.read_policies, other_accounts=_reader_role("*", settings))
        if self.plan_run.role is not None:
            grant_organization(self.plan_run.role, crawls)
        name = crawl_machine_name(self)
        for function in (self.plan_run, self.fetch_page, self.stop_run):
            function.add_to_role_policy(self._may("states:DescribeExecution", "execution", f"{name}:*"))
        for action in ("states:SendTaskFailure", "states:SendTaskSuccess"):
            self.fail_run.add_to_role_policy(self._may(action, "stateMachine", name))
        for function in (self.plan_run, self.report_run, self.stop_run, self.check_crawls):
            notices.grant_send(function)
        store.grant_plan(self.plan_run)
        store.grant_plan_long_targets(self.plan_long_targets)
        store.grant_turn_pages(self.fetch_page)
        store.grant_finish(self.finish_run)
        store.grant_report(self.report_run)
        store.grant_fail(self.fail_run)
        store.grant_stop(self.stop_run)
        store.grant_check(self.check_crawls)

    def _may(self, action: str, resource: str, name: str) -> iam.PolicyStatement:
        """Allow an action on the Crawl machine or its executions: by name, because it depends on the function."""
        arn = Stack.of(self).format_arn(
            service="states", resource=resource, resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        return iam.PolicyStatement(actions=[action], resources=[arn])

    def _function(
        self,
        construct_id: str,
        module: str,
        *,
        memory_size: int,
        timeout: Duration,
        environment: Mapping[str, str] | None = None,
    ) -> lambda_.Function:
        return PythonFunction(
            self,
            construct_id,
            module,
            code=self._code,
            settings=self._settings,
            store=self._store,
            memory_size=memory_size,
            timeout=timeout,
            environment=environment,
        )


def crawl_machine_name(scope: Construct) -> str:
    """The Crawl machine's name: people look for it, and permissions of its functions name it."""
    return f"{Stack.of(scope).stack_name}-Crawl"


def machine_log_group(machine: str) -> str:
    """The log group of a state machine: under this prefix, it needs no room in CloudWatch Logs' resource policy."""
    return f"/aws/vendedlogs/states/{machine}"


def _reader_role(account: str, settings: Settings) -> str:
    return f"arn:{Aws.PARTITION}:iam::{account}:role/{settings.reader_role}"
