"""Says in a line or two what keeps a person from AWS, and what to do about it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import (
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from pageturner.errors import CONNECTION_ERRORS, SERVICE_ERRORS, SinkError
from pageturner_cli.failures import UNREACHABLE, Failure

# IAM's codes for tokens that are over, and for keys that it does not know (AWS's Common Errors, and S3's own).
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN_KEYS = {
    *("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "InvalidAccessKeyId"),
    *("SignatureDoesNotMatch", "InvalidSignatureException", "InvalidToken", "IncompleteSignature"),
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AccessDeniedFault", "403"}
_NOT_AUTHORIZED = re.compile(r"not authorized to perform: (?P<action>[\w-]+:\w+)(?: on resource: (?P<resource>\S+))?")
_LOG_IN = "log in again (aws sso login, or whatever gave you these credentials), and repeat the command"


@dataclass(frozen=True)
class Asked:
    """What a person has asked for, to be named in messages."""

    stack: str
    region: str | None = None
    profile: str | None = None


# What keeps a person from AWS: whatever botocore raises by itself, and what the stores make of that.
AWS_ERRORS = (*SERVICE_ERRORS, SinkError)


def failure_of(error: Exception, asked: Asked) -> Failure:
    """Return the failure that one of `AWS_ERRORS` means for a person."""
    if isinstance(error, SinkError):
        cause = error.__cause__
        if isinstance(cause, SERVICE_ERRORS):
            return failure_of(cause, asked)
        return Failure(str(error), UNREACHABLE)
    lines = _of_service(error) if isinstance(error, ClientError) else _on_the_way(error, asked)
    return Failure("\n".join(lines), UNREACHABLE)


def _on_the_way(error: Exception, asked: Asked) -> Iterator[str]:
    if isinstance(error, ProfileNotFound):
        yield f"There is no AWS profile {asked.profile or 'of this name'} ({error})."
        yield "aws configure list-profiles lists yours: name one with --profile, or set AWS_PROFILE."
    elif isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        yield f"There are no AWS credentials here: {error}."
        yield "Set AWS_PROFILE or name a profile with --profile; for the emulator, export what make local prints."
    elif isinstance(error, NoRegionError):
        yield "No AWS region is set: name the stack's with --region, or set AWS_REGION."
    elif isinstance(error, (SSOError, TokenRetrievalError)):
        yield f"The credentials have expired: {error}"
        yield f"To go on, {_LOG_IN}."
    elif isinstance(error, CONNECTION_ERRORS):
        yield f"AWS does not answer: {error}"
        yield "Check the network, --region, and AWS_ENDPOINT_URL if it is set: it must name an emulator that runs."
    else:
        yield f"{type(error).__name__}: {error}"


def _of_service(error: ClientError) -> Iterator[str]:
    code, said = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    if code in _EXPIRED:
        yield f"The credentials have expired ({code}: {said})."
        yield f"To go on, {_LOG_IN}."
    elif code in _UNKNOWN_KEYS:
        yield f"AWS does not know these credentials ({code}: {said})."
        yield "Check the profile (--profile, AWS_PROFILE), and AWS_ENDPOINT_URL if the emulator is meant."
    elif is_denial(error):
        found = _NOT_AUTHORIZED.search(said)
        action = found["action"] if found else f"{error.operation_name}"
        yield f"These credentials may not do this: {said or code} ({error.operation_name})."
        if found:
            yield f"Who uses this needs: {statement([action], found['resource'] or '*')}"
        else:
            yield f"Have {action} allowed, or take another profile with --profile."
    else:
        yield f"AWS refuses: {code}: {said} ({error.operation_name})"


def is_denial(error: ClientError) -> bool:
    """Whether a service refuses because of permissions, and not because it does not know the credentials."""
    code, answer = error.response["Error"].get("Code", ""), error.response.get("ResponseMetadata", {})
    return code in _DENIED or (answer.get("HTTPStatusCode") == 403 and code not in _EXPIRED | _UNKNOWN_KEYS)


def statement(actions: list[str], resource: str = "*") -> str:
    """A statement of an IAM policy that allows actions."""
    return json.dumps({"Effect": "Allow", "Action": actions, "Resource": resource.rstrip(".")})
