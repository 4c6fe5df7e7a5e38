"""The error-name contract: every exception that leaves a handler is one of these.

Step Functions knows a Python function's error by its class name alone, so the class names *are* the
names that the state machines' ``Retry`` and ``Choice`` states match. Infra takes them from here.

::

    PageturnerError
    ├── InvalidCrawlError     the crawl or the execution input is wrong     never retried: a person has to change it
    ├── OverlapError          another run of the crawl is going             never retried: the execution is refused
    ├── ThrottledError        the service asks for fewer requests           PageLoop backs off, then Crawl waits
    ├── TransientError        connection trouble, HTTP 5xx                  PageLoop retries, then Crawl
    ├── SinkError             our own bucket or tables refused a write      PageLoop retries, then Crawl
    ├── TokenInvalidError     the token has expired or is not taken         FetchPage says it with the place: a new pass
    ├── TooManyRestartsError  that has happened too often                   never retried: the verdict is failed
    ├── RepeatedTokenError    the service gave the same token twice         never retried: paging on would never end
    ├── DeadlinePassedError   the run has had its time                      never retried: the verdict is unfinished
    ├── AccessDeniedError     the caller may not do this                    never retried: the verdict is denied
    ├── NotFoundError         what is to be listed does not exist           never retried: the verdict is failed
    └── InvalidRequestError   the service rejects the request as it is      never retried: the verdict is failed
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, which is not the built-in one
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError


class PageturnerError(Exception):
    """The base of all errors that a handler raises."""


class InvalidCrawlError(PageturnerError):
    """The crawl or the execution input is wrong; the message says what, where, and what would be right."""


class OverlapError(PageturnerError):
    """Another run of the crawl is going; the message names it."""


class ThrottledError(PageturnerError):
    """The service asks for fewer requests."""


class TransientError(PageturnerError):
    """The service or the way to it failed for the moment."""


class SinkError(PageturnerError):
    """Pageturner's own bucket or tables did not take a write."""


class TokenInvalidError(PageturnerError):
    """The service no longer takes the token, or never did."""


class TooManyRestartsError(PageturnerError):
    """The target has begun again as often as it may, because its tokens do not last as long as its listing takes."""


class DeadlinePassedError(PageturnerError):
    """The run has not come to its end by its deadline."""


class RepeatedTokenError(PageturnerError):
    """The service returned the token that fetched the page: paging on would never end. The page was kept."""


class AccessDeniedError(PageturnerError):
    """The credentials do not permit the operation."""


class NotFoundError(PageturnerError):
    """What is to be listed does not exist."""


class InvalidRequestError(PageturnerError):
    """The service rejects the request, and would again."""


# The codes that botocore's standard retry mode knows (botocore/retries/standard.py), and those of services that
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

# Where an operation declares no token error, a rejection of the request while a token was sent is most likely about
# the token: only 364 of 3,449 paginated operations declare one.
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

# What botocore raises for a request that got no answer, or not a whole one, or that could not be signed just now.
CONNECTION_ERRORS = (
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    ResponseParserError,
)

SERVICE_ERRORS = (ClientError, *CONNECTION_ERRORS)

# Expired *credentials*, in spite of the name: the next invocation has fresh ones.
EXPIRED_CREDENTIALS_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})


def from_client_error(error: ClientError, *, token_sent: bool, declared_throttling: bool = False) -> PageturnerError:
    """Return the Pageturner error that stands for a service's error response.

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
    """Return the Pageturner error for what a request raised that carried no token: one of `SERVICE_ERRORS`."""
    return from_client_error(error, token_sent=False) if isinstance(error, ClientError) else TransientError(str(error))


@contextmanager
def as_sink_error(what: str) -> Iterator[None]:
    """Have what goes wrong with our own bucket and tables raise `SinkError`; `what` says what was not done."""
    try:
        yield
    except SERVICE_ERRORS as error:
        raise SinkError(f"{what}: {error}") from error
