"""The IAM actions of those who count what a crawl lists: only where they can be asked."""

from __future__ import annotations

from typing import Any

import pytest

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.iam_actions import read_actions

BUCKET: dict[str, Any] = {"service": "s3", "operation": "list_objects_v2", "parameters": {"Bucket": "b"}}
FROM_BUCKETS = {"crawl": "buckets", "parameters": {"Bucket": "item.Name"}}
POLICIES: dict[str, Any] = {"service": "iam", "operation": "list_policies"}


@pytest.mark.parametrize(
    ("crawl", "more"),
    [
        (BUCKET, {"cloudwatch:GetMetricData"}),
        ({**BUCKET, "parameters": {}, "for_each": FROM_BUCKETS}, {"cloudwatch:GetMetricData"}),
        ({**BUCKET, "pagination_config": {"PageSize": 100}}, {"cloudwatch:GetMetricData"}),
        ({**BUCKET, "parameters": {"Bucket": "b", "MaxKeys": 100}}, {"cloudwatch:GetMetricData"}),
        ({**BUCKET, "parameters": {"Bucket": "b", "Prefix": "logs/"}}, set()),
        ({**BUCKET, "search": "Contents[]"}, set()),
        ({**BUCKET, "pagination_config": {"MaxItems": 100}}, set()),
        ({**BUCKET, "pagination_config": {"StartingToken": "x"}}, set()),
        ({**BUCKET, "result_key": "Contents"}, set()),
        (POLICIES, set()),
        ({**POLICIES, "for_each": {"list": [{"Scope": "AWS"}, {"Scope": "Local"}]}}, {"iam:GetAccountSummary"}),
        ({**POLICIES, "for_each": {"matrix": {"Scope": ["AWS"], "OnlyAttached": [True, False]}}}, set()),
        ({"service": "events", "operation": "list_event_buses"}, set()),
        ({"service": "sqs", "operation": "list_queues"}, {"resource-explorer-2:Search"}),
        ({"service": "sqs", "operation": "list_queues", "parameters": {"QueueNamePrefix": "a"}}, set()),
    ],
)
def test_a_crawl_needs_the_action_of_its_witness(crawl: dict[str, Any], more: set[str]) -> None:
    made = Crawl(name="c", **crawl)
    own = {"list_objects_v2": "s3:ListBucket", "list_policies": "iam:ListPolicies"}.get(made.operation)
    own = own or {"list_event_buses": "events:ListEventBuses", "list_queues": "sqs:ListQueues"}[made.operation]
    assert set(read_actions([made])) == {own, *more}
