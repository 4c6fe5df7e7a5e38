"""What CloudWatch Logs Insights can be asked about runs: the saved queries, and those of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings import Settings


@dataclass(frozen=True)
class LogQuery:
    """A query, and the functions whose logs it is about; all of them if it names none."""

    name: str
    functions: tuple[str, ...]
    text: str


CRAWLS_NOW = LogQuery(
    "Crawls now",
    ("CheckCrawls",),
    """\
filter message = "crawl checked"
| stats latest(overdue) as is_overdue, latest(outcome) as last_outcome, latest(verdict) as last_verdict,
  latest(hours_since_complete) as hours_since_complete_run, latest(running_hours) as running_for_hours,
  latest(promised_at) as next_due_by, latest(refused) as starts_refused by crawl
| sort is_overdue desc, hours_since_complete_run desc
| limit 500""",
)
RUNS = LogQuery(
    "Runs of a day",
    ("ReportRun",),
    """\
filter message = "run reported"
| fields @timestamp, crawl, verdict, outcome, seconds, targets.complete, pages, items, new, changed, gone, throttles,
  restarts, estimated_cost, run_id
| sort @timestamp desc
| limit 1000""",
)
BY_DAY = LogQuery(
    "Longest run and cost of each day",
    ("ReportRun",),
    """\
filter message = "run reported"
| stats max(seconds) / 60 as longest_run_in_minutes, sum(estimated_cost) as dollars by bin(1d)""",
)
COST_BY_CRAWL = LogQuery(
    "Cost by crawl",
    ("ReportRun",),
    """\
filter message = "run reported"
| stats count(*) as runs, sum(estimated_cost) as dollars, max(seconds) / 60 as longest_run_in_minutes,
  sum(pages) as all_pages, sum(items) as all_items, sum(throttles) as all_throttles by crawl
| sort dollars desc
| limit 500""",
)
_ONE_RUN = 'correlation_id = "<run_id>"'
SAVED = (
    RUNS,
    CRAWLS_NOW,
    COST_BY_CRAWL,
    LogQuery(
        "Story of a run",
        (),
        f"""\
filter ({_ONE_RUN} or plan.run.run_id = "<run_id>") and ispresent(message)
| fields @timestamp, level, message, target, error, reason, summary.message, step.next, @log
| sort @timestamp asc
| limit 10000""",
    ),
    LogQuery(
        "Pages per minute of a run",
        ("FetchPage",),
        f"""\
filter {_ONE_RUN} and ispresent(fetch_ms)
| stats count(*) as pages_turned, sum(items) as items_written by bin(1m) as minute
| sort minute asc""",
    ),
    LogQuery(
        "Slowest targets of a run",
        ("FetchPage",),
        f"""\
filter {_ONE_RUN} and ispresent(fetch_ms)
| stats count(*) as pages_turned, sum(items) as items_written, avg(fetch_ms) as average_ms, pct(fetch_ms, 99) as p99_ms,
  avg(write_ms) as average_write_ms, max(@timestamp) as last_page_at by target
| sort average_ms desc
| limit 100""",
    ),
    LogQuery(
        "Throttles by target",
        ("FetchPage",),
        """\
filter message = "throttled"
| stats count(*) as throttled, latest(error) as last_error, max(@timestamp) as last_time by correlation_id, target
| sort throttled desc
| limit 100""",
    ),
    LogQuery(
        # Who times out or is killed logs nothing, but Lambda does (Lambda Developer Guide, "Lambda Telemetry API Event
        # schema reference"): "timeout", or an error of the runtime. Of an exception, that would be a second line.
        "Errors by name",
        (),
        """\
filter ispresent(errorType)
  or (type = "platform.report" and (record.status = "timeout" or record.errorType like "Runtime."))
| stats count(*) as errors, latest(errorMessage) as last_message, max(@timestamp) as last_time
  by coalesce(errorType, record.errorType, record.status) as error, @log
| sort errors desc""",
    ),
)


class LogQueries(Construct):
    """Saves the queries under the stack's name. MiniStack refuses a template that has this type."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, functions: Mapping[str, lambda_.Function]
    ) -> None:
        super().__init__(scope, construct_id)
        for query in () if settings.emulator else SAVED:
            logs.CfnQueryDefinition(
                self,
                query.name,
                name=f"{Stack.of(self).stack_name}/{query.name}",
                query_string=query.text,
                log_group_names=log_groups(query, functions),
            )


def log_groups(query: LogQuery, functions: Mapping[str, lambda_.Function]) -> list[str]:
    """Return the names of the log groups that a query is about."""
    return [functions[name].log_group.log_group_name for name in query.functions or functions]
