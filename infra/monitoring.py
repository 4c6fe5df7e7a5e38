"""What tells people that something is wrong, and lets them look: checks, alarms, dashboard, queries of the logs."""

from __future__ import annotations

from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.alarms import Alarms
from infra.dashboard import Dashboard
from infra.functions import Functions
from infra.log_queries import LogQueries
from infra.publishing import Publishing
from infra.settings import Settings
from infra.watch import Watch


class Monitoring(Construct):
    """`dashboard` is the name of the dashboard."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        functions: Functions,
        publishing: Publishing,
        dead_letters: sqs.IQueue,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        by_name = {
            "PlanRun": functions.plan_run,
            "PlanLongTargets": functions.plan_long_targets,
            "FetchPage": functions.fetch_page,
            "FinishRun": functions.finish_run,
            "PublishRun": publishing.publish_run,
            "PublishPart": publishing.publish_part,
            "ReportRun": functions.report_run,
            "FailRun": functions.fail_run,
            "StopRun": functions.stop_run,
            "CheckCrawls": functions.check_crawls,
        }
        Watch(self, "Watch", check_crawls=functions.check_crawls, dead_letters=dead_letters)
        alarms = Alarms(self, "Alarms", settings=settings, topic=topic, functions=by_name, dead_letters=dead_letters)
        dashboard = Dashboard(self, "Dashboard", settings=settings, alarms=alarms.all, functions=by_name)
        LogQueries(self, "LogQueries", settings=settings, functions=by_name)
        self.dashboard = dashboard.name
