"""What keeps a person from AWS is said in a line or two, with what to do."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    ReadTimeoutError,
)

from pageturner.errors import SinkError
from pageturner.own_resources import as_sink_error
from pageturner_cli.aws_errors import Asked, failure_of
from pageturner_cli.failures import UNREACHABLE

DENIED = "User: arn:aws:iam::1:user/a is not authorized to perform: states:StartExecution on resource: arn:aws:states:x"


def answer(code: str, message: str = "m", status: int = 400) -> ClientError:
    document: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(document, "StartExecution")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoCredentialsError(), ["no AWS credentials", "AWS_PROFILE", "--profile"]),
        (ProfileNotFound(profile="audit"), ["no AWS profile audit", "aws configure list-profiles"]),
        (NoRegionError(), ["No AWS region", "--region"]),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), ["does not answer", "AWS_ENDPOINT_URL"]),
        (ReadTimeoutError(endpoint_url="https://x"), ["does not answer", "network"]),
        (answer("ExpiredTokenException"), ["have expired", "log in again"]),
        (answer("ExpiredToken"), ["have expired", "log in again"]),
        (answer("UnrecognizedClientException"), ["does not know these credentials"]),
        (answer("AccessDeniedException", DENIED), ['"Action": ["states:StartExecution"]', '"arn:aws:states:x"']),
        (answer("403", "Forbidden", 403), ["may not do this", "StartExecution"]),
        (answer("ThrottlingException", "slow down"), ["AWS refuses: ThrottlingException: slow down"]),
    ],
)
def test_it_is_said_what_to_do(error: Any, said: list[str]) -> None:
    failure = failure_of(error, Asked("Pageturner", profile="audit"))
    assert failure.code == UNREACHABLE
    assert all(each in str(failure) for each in said), str(failure)
    assert str(failure).count("\n") <= 1


def test_an_error_in_a_store_is_that_of_aws() -> None:
    with pytest.raises(SinkError) as raised, as_sink_error("could not read the runs table"):
        raise answer("ExpiredTokenException")
    assert "have expired" in str(failure_of(raised.value, Asked("Pageturner")))
