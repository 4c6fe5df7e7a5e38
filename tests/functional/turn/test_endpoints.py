"""A service that is not in a region, and endpoints that cannot be reached: botocore's own errors, under a resolver."""

from __future__ import annotations

import socket
from typing import Any

import boto3
import pytest
from botocore.config import Config

from pageturner.crawls.catalogue import parse_input
from pageturner.errors import NoEndpointError, PageturnerError, TransientError
from pageturner.page_state import Target
from pageturner.turn import page_fetch

DYNAMODB = "dynamodb.us-east-1.amazonaws.com"


def fetch(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, int], region: str, service: str = "sqs", **parameters: str
) -> str:
    """Fetch a first page under a resolver with these errors; any other name has an address that nobody listens at."""
    monkeypatch.setenv("ACCOUNT", "1")
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> Any:
        asked.append(host)
        if host in answers:
            raise socket.gaierror(answers[host], "no")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    made = boto3.client(service, region, config=once)  # type: ignore[call-overload]
    operation = {"sqs": "list_queues", "iam": "list_roles", "s3": "list_objects_v2"}[service]
    crawl = parse_input({"service": service, "operation": operation, "parameters": parameters}, {})
    with pytest.raises(PageturnerError) as raised:
        page_fetch.fetch(lambda *_: made, crawl, Target("t", "1", region, parameters), None, 0)
    assert asked
    return f"{type(raised.value).__name__}: {raised.value}"


@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_NODATA])  # type: ignore[attr-defined,unused-ignore]
def test_a_name_that_does_not_exist_is_a_region_without_the_service(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said = fetch(monkeypatch, {"sqs.mars-north-1.amazonaws.com": code}, "mars-north-1")
    name = "there is no name sqs.mars-north-1.amazonaws.com"
    assert said == f"{NoEndpointError.__name__}: sqs has no endpoint in mars-north-1: {name}"


def test_a_name_that_should_exist_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said = fetch(monkeypatch, {"sqs.eu-west-1.amazonaws.com": socket.EAI_NONAME}, "eu-west-1")
    assert said.startswith(f"{NoEndpointError.__name__}: ")
    assert said.endswith("botocore lists this region for the service, so its name may be hidden or down")


@pytest.mark.parametrize(
    ("answers", "region", "service"),
    [
        ({"sqs.mars-north-1.amazonaws.com": socket.EAI_AGAIN}, "mars-north-1", "sqs"),
        # No names at all.
        ({"sqs.mars-north-1.amazonaws.com": socket.EAI_NONAME, DYNAMODB: socket.EAI_NONAME}, "mars-north-1", "sqs"),
        ({"sqs.mars-north-1.amazonaws.com": socket.EAI_NONAME, DYNAMODB: socket.EAI_AGAIN}, "mars-north-1", "sqs"),
        # The name is there, but nothing answers.
        ({}, "mars-north-1", "sqs"),
        # A name that is the same from every region says nothing of the region.
        ({"iam.amazonaws.com": socket.EAI_NONAME}, "eu-west-1", "iam"),
    ],
)
def test_anything_else_is_an_outage(
    answers: dict[str, int], region: str, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fetch(monkeypatch, answers, region, service).startswith(f"{TransientError.__name__}: ")


def test_the_name_of_a_directory_bucket_says_nothing_of_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its zone is a part of the endpoint's name, and can be misspelled."""
    bucket = "b--euw9-az9--x-s3"
    host = f"{bucket}.s3express-euw9-az9.eu-west-1.amazonaws.com"
    said = fetch(monkeypatch, {host: socket.EAI_NONAME}, "eu-west-1", "s3", Bucket=bucket)
    assert said.startswith(f"{TransientError.__name__}: ")
    assert host in said
