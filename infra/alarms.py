"""The alarms: each says in its description what it means, and links its entry in docs/operations.md.

Each looks at a single metric, and most cost $0.10 a month.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import ArnFormat, Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.settings import Settings
from infra.watch import CHECK_EVERY

_FIVE_MINUTES = Duration.minutes(5)
# A service that throttles in each five minutes of an hour keeps a run from getting on.
_THROTTLED_PERIODS = 12
_LONGEST_PUBLISH_SECONDS = 3600
# Their exceptions are mostly answers of services, which the state machines wait out or record as a verdict.
ANSWERS_OF_SERVICES = ("FetchPage", "PlanRun")


@dataclass(frozen=True)
class _Meaning:
    """What an alarm says: its name, the entry in the document, and a sentence. `lasts`: its end is news, too."""

    name: str
    entry: str
    sentence: str
    lasts: bool = True


class Alarms(Construct):
    """`all` has the alarms, in the order in which somebody who is woken looks at them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        topic: sns.ITopic,
        functions: Mapping[str, lambda_.Function],
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.all: list[cloudwatch.IAlarm] = []
        self._topic = topic
        self._let_alarms_publish()
        self._documentation_url = settings.documentation_url
        own = Stack.of(self).stack_name
        missing, breaching = cloudwatch.TreatMissingData.NOT_BREACHING, cloudwatch.TreatMissingData.BREACHING
        self._alarm(
            _Meaning(
                "RunNotComplete",
                "a-run-is-not-complete",
                "A run has failed, was stopped or timed out: what it should have listed is not complete.",
                lasts=False,
            ),
            cloudwatch.Metric(namespace=own, metric_name="RunsNotComplete", statistic="Sum", period=_FIVE_MINUTES),
            missing,
        )
        self._alarm(
            _Meaning(
                "CrawlOverdue",
                "a-crawl-is-overdue",
                "A crawl has had no complete run for longer than its schedule promises, or nobody has looked.",
            ),
            # CloudWatch looks back over more periods than are evaluated, and the last value there counts (User Guide,
            # "Configuring how CloudWatch alarms treat missing data"). So a check that is late is not missed, and a
            # longer period would only let silence last longer.
            cloudwatch.Metric(namespace=own, metric_name="CrawlsOverdue", statistic="Maximum", period=CHECK_EVERY),
            breaching,
        )
        self._alarm(
            _Meaning(
                "ThrottledTooLong",
                "throttled-for-an-hour",
                "Services have throttled Pageturner in each five minutes of the last hour.",
            ),
            cloudwatch.Metric(namespace=own, metric_name="Throttles", statistic="Sum", period=_FIVE_MINUTES),
            missing,
            periods=_THROTTLED_PERIODS,
        )
        self._alarm(
            _Meaning(
                "PublishLags",
                "a-run-is-not-published",
                "A run ended more than an hour ago, and is neither published nor reported.",
            ),
            cloudwatch.Metric(namespace=own, metric_name="PublishLagSeconds", statistic="Maximum", period=CHECK_EVERY),
            missing,
            threshold=_LONGEST_PUBLISH_SECONDS,
        )
        self._alarm(
            _Meaning(
                "DeadLetters",
                "dead-letters",
                "An event was given up: an execution was not started, or a function not told, or StopRun has failed.",
            ),
            dead_letters.metric_approximate_number_of_messages_visible(statistic="Maximum", period=_FIVE_MINUTES),
            missing,
        )
        for name, function in functions.items():
            if name not in ANSWERS_OF_SERVICES:
                self._alarm(
                    _Meaning(f"{name}Errors", "a-function-fails", f"{name} has raised an error.", lasts=False),
                    function.metric_errors(statistic="Sum", period=_FIVE_MINUTES),
                    missing,
                )

    def _let_alarms_publish(self) -> None:
        """A topic's policy of its own replaces the one that lets the account's alarms publish."""
        alarms = Stack.of(self).format_arn(
            service="cloudwatch", resource="alarm", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        self._topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AllowAlarms",
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[self._topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": alarms},
                },
            )
        )

    def _alarm(
        self,
        meaning: _Meaning,
        metric: cloudwatch.IMetric,
        missing: cloudwatch.TreatMissingData,
        *,
        threshold: float = 1,
        periods: int = 1,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            meaning.name,
            alarm_name=f"{Stack.of(self).stack_name}-{meaning.name}",
            alarm_description=f"{meaning.sentence} What to do: {self._documentation_url}#{meaning.entry}",
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=missing,
        )
        notice = actions.SnsAction(self._topic)
        alarm.add_alarm_action(notice)
        if meaning.lasts:
            alarm.add_ok_action(notice)
        self.all.append(alarm)
