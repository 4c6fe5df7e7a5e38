"""The dashboard: is it well? Then what the runs do, how long they take, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.log_queries import BY_DAY, COST_BY_CRAWL, CRAWLS_NOW, RUNS, LogQuery, log_groups
from infra.settings import Settings

_WHOLE, _HALF, _THIRD = 24, 12, 8
# What FetchPage counts for each crawl, with the titles of their graphs.
BY_CRAWL = {"PagesFetched": "Pages", "ItemsWritten": "Items", "Throttles": "Throttles"}


class Dashboard(Construct):
    """`name` is the stack's: people look for it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        alarms: Sequence[cloudwatch.IAlarm],
        functions: Mapping[str, lambda_.Function],
    ) -> None:
        super().__init__(scope, construct_id)
        self._functions = functions
        self.name = Stack.of(self).stack_name
        table, line = cloudwatch.LogQueryVisualizationType.TABLE, cloudwatch.LogQueryVisualizationType.LINE
        text = f"What each of these means, and what to do: {settings.documentation_url}#the-dashboard"
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=self.name,
            default_interval=Duration.days(1),
            widgets=[
                [
                    cloudwatch.AlarmStatusWidget(title="Is it well?", alarms=list(alarms), width=_THIRD, height=8),
                    self._logs("Each crawl", CRAWLS_NOW, table, _WHOLE - _THIRD, 8),
                ],
                [self._by_crawl(metric, title) for metric, title in BY_CRAWL.items()],
                [self._logs("Runs", RUNS, table, _WHOLE, 8)],
                [
                    self._logs(BY_DAY.name, BY_DAY, line, _HALF, 6),
                    self._logs(COST_BY_CRAWL.name, COST_BY_CRAWL, table, _HALF, 6),
                ],
                [cloudwatch.TextWidget(markdown=text, width=_WHOLE, height=1)],
            ],
        )

    def _by_crawl(self, metric: str, title: str) -> cloudwatch.GraphWidget:
        """A line for each crawl, also for those that come later."""
        search = f"SEARCH('{{\"{self.name}\",crawl}} MetricName=\"{metric}\"', 'Sum', 300)"
        return cloudwatch.GraphWidget(
            title=title,
            left=[cloudwatch.MathExpression(expression=search, label="", using_metrics={})],
            width=_THIRD,
            height=6,
            region=Aws.REGION,
        )

    def _logs(
        self, title: str, query: LogQuery, view: cloudwatch.LogQueryVisualizationType, width: int, height: int
    ) -> cloudwatch.LogQueryWidget:
        return cloudwatch.LogQueryWidget(
            title=title,
            log_group_names=log_groups(query, self._functions),
            query_string=query.text,
            view=view,
            width=width,
            height=height,
        )
