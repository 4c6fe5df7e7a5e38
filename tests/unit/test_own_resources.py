"""What a failed request to the deployment's own resources means: an outage, or a denial that no attempt changes."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from pageturner.errors import DeploymentDeniedError, SinkError
from pageturner.own_resources import as_sink_error

ROLE = "User: arn:aws:sts::111122223333:assumed-role/Pageturner-eu-west-1-FetchPage/FetchPage"
OBJECT, KEY = "arn:aws:s3:::own/items/a.jsonl.gz", "arn:aws:kms:eu-west-1:111122223333:key/1"
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/Runs"
DENIALS = [
    # S3 says more to its own account, and less to others (S3 User Guide, "Troubleshoot access denied (403 Forbidden)").
    ("PutObject", "AccessDenied", 403, f'{ROLE} is not authorized to perform: s3:PutObject on resource: "{OBJECT}" '
     "because no identity-based policy allows the s3:PutObject action",
     f"s3:PutObject on {OBJECT} (no identity-based policy allows it)"),
    ("PutObject", "AccessDenied", 403, "Access Denied", "PutObject"),
    ("GetObject", "AccessDenied", 403, f'{ROLE} is not authorized to perform: s3:GetObject on resource: "{OBJECT}" '
     "with an explicit deny in a resource-based policy",
     f"s3:GetObject on {OBJECT} (an explicit deny in a resource-based policy)"),
    ("UpdateItem", "AccessDeniedException", 400, f"{ROLE} is not authorized to perform: dynamodb:UpdateItem on "
     f"resource: {TABLE} with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/p",
     f"dynamodb:UpdateItem on {TABLE} (an explicit deny in an identity-based policy)"),
    ("PutObject", "AccessDenied", 403, f"{ROLE} is not authorized to perform: kms:GenerateDataKey on resource: {KEY} "
     "because no resource-based policy allows the kms:GenerateDataKey action",
     f"kms:GenerateDataKey on {KEY} (no resource-based policy allows it)"),
    ("PutObject", "AccessDenied", 403, f"{ROLE} is not authorized to perform: kms:GenerateDataKey on the resource "
     "associated with this ciphertext with an explicit deny in a service control policy",
     "kms:GenerateDataKey (an explicit deny in a service control policy)"),
    ("PutObject", "KMS.DisabledException", 400, f"{KEY} is disabled.", "PutObject"),
    ("GetObject", "KMS.NotFoundException", 400, f"Key {KEY} does not exist", "GetObject"),
    ("Publish", "KMSAccessDenied", 400, "The ciphertext refers to a key to which you have no access", "Publish"),
    ("Publish", "AuthorizationError", 403, f"{ROLE} is not authorized to perform: SNS:Publish on: x", "Publish"),
]  # fmt: skip
OUTAGES = [
    ("SlowDown", 503),
    ("InternalError", 500),
    ("ThrottlingException", 400),
    ("KMS.ThrottlingException", 400),
    ("KMSInternalException", 500),
    ("ExpiredToken", 400),
    ("RequestTimeTooSkewed", 403),
    ("ConditionalRequestConflict", 409),
    ("NoSuchBucket", 404),
    ("ValidationException", 400),
]


def answer(operation: str, code: str, status: int, message: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)


@pytest.mark.parametrize(("operation", "code", "status", "message", "said"), DENIALS)
def test_a_denial_is_said_to_be_one_with_the_action_and_the_resource(
    operation: str, code: str, status: int, message: str, said: str
) -> None:
    with pytest.raises(DeploymentDeniedError) as raised, as_sink_error("could not write it"):
        raise answer(operation, code, status, message)
    start = (
        f"could not write it: the deployment's own role is denied {said}: An error occurred ({code}) when calling the"
    )
    assert str(raised.value).startswith(start)


@pytest.mark.parametrize(("code", "status"), OUTAGES)
def test_an_outage_is_one(code: str, status: int) -> None:
    with (
        pytest.raises(SinkError, match=r"^could not write it: An error") as raised,
        as_sink_error("could not write it"),
    ):
        raise answer("PutObject", code, status, "said")
    assert type(raised.value) is SinkError


def test_no_answer_is_no_denial() -> None:
    with pytest.raises(SinkError, match=r"^could not write it: Connect") as raised, as_sink_error("could not write it"):
        raise ConnectTimeoutError(endpoint_url="https://s3")
    assert type(raised.value) is SinkError


def test_what_is_quoted_is_not_said() -> None:
    with pytest.raises(DeploymentDeniedError) as raised, as_sink_error("could not write it"):
        raise answer("PutItem", "AccessDeniedException", 400, "no: 'an item', \"and another\"")
    assert "item" not in str(raised.value).removeprefix("could not write it").replace("PutItem", "")
