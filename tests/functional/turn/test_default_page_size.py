"""The page size that requests send although nobody asked for one, on moto."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from pageturner import clients
from pageturner.crawls.catalogue import parse_catalogue
from tests.conftest import REGION, Aws, Machines


@pytest.fixture
def requests_of(aws: Aws) -> Callable[[str], list[dict[str, Any]]]:
    """Records the parameters of the requests that the functions make of a service."""

    def record(service: str) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        client: Any = clients.client(service, REGION)

        def keep(params: dict[str, Any], **_: Any) -> None:
            sent.append(dict(params))

        client.meta.events.register(f"provide-client-params.{service}.*", keep)
        return sent

    return record


def test_every_queue_is_listed(aws: Aws, machines: Machines) -> None:
    """As SQS does, moto returns at most 1,000 queues and no token to a request without `MaxResults`."""
    sqs = boto3.client("sqs")
    for number in range(1010):
        sqs.create_queue(QueueName=f"queue-{number:04}")
    assert "NextToken" not in sqs.list_queues()
    summary = machines.run(aws, {"service": "sqs", "operation": "list_queues"})
    assert (summary["verdict"], summary["items"], summary["pages"]) == ("complete", 1010, 2)


def test_a_request_for_buckets_has_a_parameter(
    aws: Aws, machines: Machines, requests_of: Callable[[str], list[dict[str, Any]]]
) -> None:
    """S3 returns the region of each bucket only to a request with a parameter."""
    sent = requests_of("s3")
    planned = machines.plan({"service": "s3", "operation": "list_buckets"})
    assert planned["paging"]["page_size"] == 1000
    (target,) = aws.json(planned["targets"]["key"])
    machines.turn_all(planned, target)
    assert {"MaxBuckets": 1000} in sent


def test_instances_by_id_are_listed_without_a_page_size(
    aws: Aws, machines: Machines, requests_of: Callable[[str], list[dict[str, Any]]]
) -> None:
    """As EC2 does, moto rejects a request with both."""
    ids = [
        i["InstanceId"]
        for i in boto3.client("ec2").run_instances(ImageId="ami-12c6146b", MinCount=2, MaxCount=2)["Instances"]
    ]
    sent = requests_of("ec2")
    by_id = {"list": [{"InstanceIds": [each]} for each in ids]}
    asked = {"service": "ec2", "operation": "describe_instances", "for_each": by_id}
    assert machines.plan(asked, "execution-2")["paging"]["page_size"] == "the service's own"
    assert machines.run(aws, {**asked, "overlap": "allow"})["targets"] == {"complete": 2}
    assert sent == [{"InstanceIds": [each]} for each in ids]

    sent.clear()
    machines.run(aws, {"service": "ec2", "operation": "describe_instances", "overlap": "allow"}, "execution-3")
    assert sent == [{"MaxResults": 1000}]


@pytest.mark.parametrize(
    ("changes", "said", "sent"),
    [
        ({}, 1000, {"MaxItems": 1000}),
        ({"pagination_config": {"PageSize": "7"}}, "7", {"MaxItems": 7}),
        ({"parameters": {"MaxItems": 8}}, 8, {"MaxItems": 8}),
    ],
)
def test_a_dry_run_sends_and_shows_the_page_size(
    aws: Aws,
    machines: Machines,
    requests_of: Callable[[str], list[dict[str, Any]]],
    changes: dict[str, Any],
    said: Any,
    sent: dict[str, Any],
) -> None:
    requests = requests_of("iam")
    report = machines.plan({"service": "iam", "operation": "list_users", "dry_run": True, **changes})["nothing_to_do"]
    assert report["paging"]["page_size"] == said
    assert requests == [sent]


def test_the_default_is_no_part_of_what_a_crawl_lists() -> None:
    """A run is still the catalogue's crawl after a change of the default."""
    crawl = parse_catalogue({"crawls": {"c": {"service": "iam", "operation": "list_roles"}}})["c"]
    assert crawl.pagination_config == {}
    assert crawl.for_pages() == {"name": "c", "service": "iam", "operation": "list_roles"}
