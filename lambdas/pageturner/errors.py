"""The error-name contract: every exception that leaves a handler is one of these.

Step Functions identifies the error of a Python function only by its class name, so the class names *are* the
names that the state machines' ``Retry`` and ``Choice`` states match. Infra imports them from here.

::

    PageturnerError
    ├── InvalidCrawlError     the crawl or the execution input is wrong     never retried: a person must change it
    ├── OverlapError          another run of the crawl is running           never retried: the execution is refused
    ├── RunStoppedError       the run's execution was stopped               never retried: the PageLoop ends
    ├── ThrottledError        the service throttled the request             PageLoop backs off, then Crawl waits
    ├── TransientError        connection error, HTTP 5xx                    PageLoop retries, then Crawl
    ├── SinkError             Pageturner's own bucket or tables failed      PageLoop retries, then Crawl
    ├── TokenInvalidError     the token has expired or is invalid           FetchPage returns the start of a new pass
    ├── TooManyRestartsError  that has happened too often                   never retried: the verdict is failed
    ├── RepeatedTokenError    the service returned the same token twice     never retried: paging would never end
    ├── DeadlinePassedError   the run's deadline has passed                 never retried: the verdict is unfinished
    ├── AccessDeniedError     the credentials do not allow the operation    never retried: the verdict is denied
    ├── NotFoundError         the resource to list does not exist           never retried: the verdict is failed
    └── InvalidRequestError   the request is invalid                        never retried: the verdict is failed
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's, not the built-in
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError


class PageturnerError(Exception):
    """The base class of all errors that a handler raises."""


class InvalidCrawlError(PageturnerError):
    """The crawl or the execution input is wrong; the message says what, where, and what would be right."""


class OverlapError(PageturnerError):
    """Another run of the crawl is running; the message names it."""


class RunStoppedError(PageturnerError):
    """The execution that drives the run was stopped, so no more of its pages are turned."""


class ThrottledError(PageturnerError):
    """The service throttled the request."""


class TransientError(PageturnerError):
    """The service, or the connection to it, failed temporarily."""


class SinkError(PageturnerError):
    """A request to Pageturner's own bucket or tables failed."""


class TokenInvalidError(PageturnerError):
    """The service rejected the token: it has expired, or was never valid."""


class TooManyRestartsError(PageturnerError):
    """The target has used up its restarts, because its tokens expire before its listing ends."""


class DeadlinePassedError(PageturnerError):
    """The run did not end by its deadline."""


class RepeatedTokenError(PageturnerError):
    """The page returned the same token that fetched it, so paging would never end. The page was kept."""


class AccessDeniedError(PageturnerError):
    """The credentials do not allow the operation."""


class NotFoundError(PageturnerError):
    """The resource to list does not exist."""


class InvalidRequestError(PageturnerError):
    """The request is invalid: the service, or botocore, would reject it again."""


# The codes that botocore's standard retry mode knows (botocore/retries/standard.py), and the codes of services that
# throttle under a name of their own, which botocore does not retry.
THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "CallRateLimitExceededException",  # imagebuilder
        "DependencyThrottle",  # elb
        "EC2ThrottledException",
        "EKSRequestThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RateLimitError",  # wickr
        "RateLimitExceededException",  # license-manager
        "RequestLimitExceeded",
        "RequestLimitExceededException",  # appstream
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "SlowDownException",  # sso-oidc
        "Throttled",  # sns
        "ThrottledClientException",  # chime
        "ThrottledException",
        "ThrottledRequestException",  # socialmessaging
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",  # efs
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)

TRANSIENT_CODES = frozenset(
    {"InternalError", "InternalFailure", "InternalServerError", "RequestTimeout", "RequestTimeoutException"}
    | {"ServiceUnavailable", "ServiceUnavailableException"}
)

TOKEN_CODES = frozenset(
    {
        "ExpiredIteratorException",  # kinesis, dynamodbstreams
        "ExpiredNextTokenException",  # budgets, kinesis, pricing
        "InvalidContinuationTokenException",
        "InvalidMarkerException",
        "InvalidNextToken",  # autoscaling, cloudwatch, sdb, ssm
        "InvalidNextTokenException",
        "InvalidPaginationException",
        "InvalidPaginationToken",  # health, route53
        "InvalidPaginationTokenException",
        "PaginationTokenExpiredException",
    }
)

# If a request carried a token, its rejection with one of these codes is most likely about the token: only 364 of 3,449
# paginated operations declare a token error.
REJECTION_CODES = frozenset(
    {
        "InvalidArgument",
        "InvalidInput",
        "InvalidInputException",
        "InvalidParameter",
        "InvalidParameterException",
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "InvalidRequest",
        "InvalidRequestException",
        "InvalidToken",  # stepfunctions
        "ValidationError",
        "ValidationException",
    }
)

ACCESS_DENIED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "AuthFailure",
        "Forbidden",
        "InvalidClientTokenId",
        "NotAuthorized",
        "OptInRequired",
        "SubscriptionRequiredException",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)

# What botocore raises for a request that got no answer or an incomplete one, or could not be signed at the moment.
CONNECTION_ERRORS = (
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    ResponseParserError,
)

SERVICE_ERRORS = (ClientError, *CONNECTION_ERRORS)

# Expired *credentials*, despite the name: the next invocation has fresh ones.
EXPIRED_CREDENTIALS_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})


def from_client_error(error: ClientError, *, token_sent: bool, declared_throttling: bool = False) -> PageturnerError:
    """Return the Pageturner error for a service's error response.

    `token_sent` says whether the request carried a pagination token, `declared_throttling` whether the service model
    marks the error's shape with the ``retryable.throttling`` trait.
    """
    code = str(error.response.get("Error", {}).get("Code", ""))
    metadata: dict[str, Any] = dict(error.response.get("ResponseMetadata", {}))
    status = int(metadata.get("HTTPStatusCode", 0))
    message = str(error)
    if declared_throttling or code in THROTTLING_CODES or status == 429:
        return ThrottledError(message)
    if code in TOKEN_CODES or (token_sent and code in REJECTION_CODES):
        return TokenInvalidError(message)
    if code in EXPIRED_CREDENTIALS_CODES or code in TRANSIENT_CODES or status >= 500:
        return TransientError(message)
    if code in ACCESS_DENIED_CODES or status in (401, 403):
        return AccessDeniedError(message)
    if status == 404 or code.startswith("NoSuch") or "NotFound" in code:
        return NotFoundError(message)
    return InvalidRequestError(message)


def from_service_error(error: Exception) -> PageturnerError:
    """Return the Pageturner error for one of `SERVICE_ERRORS`, raised by a request without a token."""
    return from_client_error(error, token_sent=False) if isinstance(error, ClientError) else TransientError(str(error))


@contextmanager
def as_sink_error(what: str) -> Iterator[None]:
    """Raise `SinkError` if a request to Pageturner's bucket or tables fails; `what` says what could not be done."""
    try:
        yield
    except SERVICE_ERRORS as error:
        raise SinkError(f"{what}: {error}") from error
