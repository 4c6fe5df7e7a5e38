"""The functions."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import ArnFormat, Aws, Duration, Fn, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.function_code import function_code
from infra.grants import grant
from infra.item_store import ItemStore
from infra.notices import Notices
from infra.python_function import PythonFunction
from infra.reader_role import OwnReader, reader_names, reader_role_arn
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
        # Nobody else knows a stack's own, and that of a stack that is made anew is another.
        self.external_id = settings.external_id or Fn.select(2, Fn.split("/", Aws.STACK_ID))
        # FetchPage turns pages for so long, and what that costs depends on it.
        loops = {"LOOP_SECONDS": f"{settings.loop_seconds:g}"}
        # Both call the crawled services: FetchPage for pages, PlanRun to find targets.
        reading = {
            "ACCOUNT": Aws.ACCOUNT_ID,
            "READER_ROLE_ARN": reader_role_arn("{account}", settings),
            "EXTERNAL_ID": self.external_id,
            # Of this deployment alone, and for as long as it is there: equal values have equal hashes in all runs.
            "HASH_KEY": Aws.STACK_ID,
        }
        planning = {} if settings.adhoc_crawls else {"ONLY_CATALOGUED": "true"}
        plan_run, fetch_page = reader_names(settings.stack_name, Aws.REGION)
        # A plan of 100,000 targets takes minutes and 200 MB (bench/); a service's model takes up to 100 MB.
        self.plan_run = self._function(
            "PlanRun",
            "plan_run",
            memory_size=PLANNING_MEMORY_MB,
            timeout=PLAN_RUN_TIMEOUT,
            environment=reading | loops | planning,
            role_name=plan_run,
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
            role_name=fetch_page,
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
        self._read_through_a_role(crawls)
        # By name, because the machine depends on its functions.
        executions = Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{crawl_machine_name(self)}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        started = "it works for all executions of the machine, which get their names when they are started"
        for function in (self.plan_run, self.fetch_page, self.stop_run):
            grant(function, ["states:DescribeExecution"], [executions], because=started)
        by_token = ["states:SendTaskFailure", "states:SendTaskSuccess"]
        unguessable = "IAM knows no resource of these: the token is that of a task, and hard to guess"
        grant(self.fail_run, by_token, ["*"], because=unguessable)
        for function in (self.plan_run, self.report_run, self.stop_run, self.check_crawls):
            notices.grant_send(function)
        store.grants.plan(self.plan_run)
        store.grants.plan_long_targets(self.plan_long_targets)
        store.grants.turn_pages(self.fetch_page)
        store.grants.finish(self.finish_run)
        store.grants.report(self.report_run)
        store.grants.fail(self.fail_run)
        store.grants.stop(self.stop_run)
        store.grants.check(self.check_crawls)

    def _read_through_a_role(self, crawls: Mapping[str, Crawl]) -> None:
        readers = [role for function in (self.plan_run, self.fetch_page) if (role := function.role) is not None]
        reader = OwnReader(self, "Reader", settings=self._settings, crawls=crawls, store=self._store, readers=readers)
        for function in (self.plan_run, self.fetch_page):
            function.add_environment("OWN_READER_ROLE_ARN", reader.role.role_arn)

    def _function(
        self,
        construct_id: str,
        module: str,
        *,
        memory_size: int,
        timeout: Duration,
        environment: Mapping[str, str] | None = None,
        role_name: str | None = None,
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
            role_name=role_name,
        )


def crawl_machine_name(scope: Construct) -> str:
    """The Crawl machine's name: people look for it, and permissions of its functions name it."""
    return f"{Stack.of(scope).stack_name}-Crawl"


def machine_log_group(machine: str) -> str:
    """The log group of a state machine: under this prefix, it needs no room in CloudWatch Logs' resource policy."""
    return f"/aws/vendedlogs/states/{machine}"
