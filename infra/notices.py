"""The topic of notices: what people are told without having asked."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct


class Notices(Construct):
    """An SNS topic, to which e-mail addresses subscribe that confirm it; others can subscribe as they like."""

    def __init__(self, scope: Construct, construct_id: str, *, emails: Sequence[str]) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", display_name="Pageturner", enforce_ssl=True)
        for email in emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))

    def grant_send(self, function: lambda_.Function) -> None:
        """Let a function send notices, and tell it where to."""
        self.topic.grant_publish(function)
        function.add_environment("NOTICES_TOPIC", self.topic.topic_arn)
