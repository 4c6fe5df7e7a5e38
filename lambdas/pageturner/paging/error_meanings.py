"""What a service's error means for a listing: whether waiting, a new pass or a person can help.

The models decide: the error's code, and the status, the traits and the documentation of the shape that declares it. So
does what was sent: if the same request without its token was accepted before, a rejection is about the token, whatever
its name. The tables have the codes that no model declares (botocore's own; AWS's "Common error types"; S3's "Error
responses"; EC2's "Error codes") and the exceptions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from botocore.model import OperationModel

from pageturner import errors
from pageturner.paging import api

# The codes that botocore's standard retry mode knows (botocore/retries/standard.py), and codes of services that
# throttle under a name of their own, which botocore does not retry.
THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "CallRateLimitExceededException",  # imagebuilder
        "DependencyThrottle",  # elb
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RateLimitError",  # wickr
        "RequestLimitExceeded",
        "RequestLimitExceededException",  # appstream
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_THROTTLES = re.compile(r"Throttl|TooManyRequests?(Exception|Error|Fault)?$|SlowDown|RateExceeded|RateLimitExceeded")
_SAYS_THROTTLED = re.compile(
    r"throttled|throttling|too many (requests|calls)|rate (limit )?exceeded|request rate|too frequent"
    r"|number of [a-z ]*requests\b.{0,60}exceed|exceeded the limit of allowed",
    re.IGNORECASE,
)
# batch and others throttle as a plain ClientException or BadRequestException, with AWS's usual messages.
_MESSAGE_OF_A_THROTTLE = re.compile(r"\brate exceeded|^too many requests|^request (was )?throttled", re.IGNORECASE)
# athena's GetQueryResults, whose model declares only InvalidRequestException for it. The states are those of its
# QueryExecutionState that are not an end.
_MESSAGE_OF_A_RUNNING_QUERY = re.compile(r"^Query has not yet finished\. Current state: (QUEUED|RUNNING)\b")
# Reached by writers. A list operation declares them because the whole service does, or means its pace by them: so they
# are waited for, but not until the deadline.
_QUOTAS = re.compile(r"(Limit|Quota)s?Exceeded")
_NO_QUOTAS = frozenset(
    {
        "FilterLimitExceeded",  # ec2: "The request uses too many filters or too many filter values"
        "FilterLimitExceededException",  # license-manager: too many filters in the request
        "ItemCollectionSizeLimitExceededException",  # dynamodb: an item collection is too large
    }
)

_TRANSIENT = re.compile(
    r"Internal|Unavailable|Time(d)?-?Out|^Server|^Service(Exception|Failure|Fault|Error)|Busy|InProgress|BadGateway"
    r"|Conflict|Concurrent|ResourceContention|NotReady|Retryable|Dependen(t|cy).*(Exception|Fault)$|(Request|Operation)Aborted",
    re.IGNORECASE,
)
_SAYS_TRANSIENT = re.compile(
    r"(again|request|call|operation) later|later time|temporar|after a brief wait|exponential backoff|is busy"
    r"|internal (service |server )?(error|failure)|(error|problem) on the server",
    re.IGNORECASE,
)
# What is wrong with the request, whatever the documentation says about trying again.
_REJECTS = re.compile(r"^(Invalid|Validation|BadRequest|Malformed|Missing|Unsupported)|(Invalid|Validation)Exception$")

# Credentials that expired, or were signed at the wrong time: the next invocation has fresh ones.
EXPIRED_CREDENTIALS_CODES = frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"),
        *("RequestInTheFuture", "RequestTimeTooSkewed"),
    }
)
_DENIED_CODES = frozenset(
    {
        *("AuthFailure", "AuthorizationError", "AuthorizationErrorException", "OptInRequired"),
        *("IncompleteSignature", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSecurity", "InvalidSignature"),
        *("InvalidSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException"),
        *("SignatureDoesNotMatch", "SubscriptionRequiredException", "UnrecognizedClientException"),
        *("OperationNotPermitted", "PendingVerification"),  # ec2: not allowed for this account, or not yet
    }
)
_DENIED = re.compile(
    r"AccessDenied|Denied(Exception|Error|Fault)?$|Unauthorized|NotAuthorized|Unauthenticated|Forbidden"
    r"|^Authorization.*Exception$"
)
# swf's OperationNotPermittedFault, ds's InsufficientPermissionsException, snowball's Ec2RequestFailedException; but not
# what permissions are only one example of (eks's ClientException: "Actions can include …").
_SAYS_DENIED = re.compile(
    r"\b(caller|user|account) (does(n't| not) have|lacks) (the )?(sufficient|necessary)[a-z0-9 ]* permissions?\b",
    re.IGNORECASE,
)
_NOT_FOUND = re.compile(
    r"^NoSuch|NotFound|(Does)?Not(Exist|Exists|Present)(Exception|Fault)?$|Non[eE]xist"
    r"|^Unknown(Monitor|Resource|Subscription)",
    re.IGNORECASE,
)
# The service does not know the *operation*: the names of AWS's "Common error types".
_UNKNOWN_OPERATION = frozenset({"InvalidAction", "UnknownOperation", "UnknownOperationException"})

_TOKENS = re.compile(
    r"(Invalid|Expired|Bad|Malformed).*(NextToken|Pag(e|ination)Token|ContinuationToken|Marker|Cursor|Iterator)"
    r"|InvalidPagination|PaginationTokenExpired"
)
_SAYS_TOKEN = re.compile(
    r"(next|pagination|continuation|enumeration|page)[ _-]?token|pagination (marker|parameter)|next ?marker|the marker"
    r"|subsequent page",
    re.IGNORECASE,
)
# Codes that can mean a StartingToken of which nothing was accepted before: rejections of any value.
_ANY_VALUE = re.compile(
    r"^(Invalid|Illegal)?(Argument|Args|Input|Parameter|Request|Token)(s|Values?)?(Exception|Error|Fault)?$"
    r"|^Validation(Exception|Error)$|^BadRequest(Exception|Error)?$"
)


@dataclass(frozen=True)
class Sent:
    """What the request had: a pagination token (`token`), and whether it was accepted without it (`accepted`)."""

    token: bool = False
    accepted: bool = False


@dataclass(frozen=True)
class _Answer:
    """An error response, and what the model says about its error, if it declares it."""

    code: str
    status: int
    message: str
    receiver: bool = False
    declared: bool = False
    documentation: str = ""
    declared_status: int = 0
    fault: bool = False
    retryable: Mapping[str, Any] | None = None

    def says(self, pattern: re.Pattern[str]) -> bool:
        return bool(pattern.search(self.documentation))

    def is_named(self, pattern: re.Pattern[str]) -> bool:
        return bool(pattern.search(self.code))

    def has_status(self, *statuses: int) -> bool:
        return self.status in statuses or self.declared_status in statuses


def from_client_error(
    error: ClientError, model: OperationModel | None = None, sent: Sent | None = None
) -> errors.PageturnerError:
    """Return the Pageturner error for a service's error response.

    `model` is the operation's (None: only the code, the status and the message are known). The response can be
    another operation's (AssumeRole, or S3's HeadBucket of a redirected request), which had no token.
    """
    sent = sent or Sent()
    if model is not None and error.operation_name != model.name:
        model, sent = None, Sent()
    return _meaning(_answer(error, model), sent)(str(error))


def from_service_error(error: Exception) -> errors.PageturnerError:
    """Return the Pageturner error for one of `errors.SERVICE_ERRORS`, raised by a request without a token."""
    if isinstance(error, ClientError):
        return from_client_error(error)
    return errors.from_botocore_error(error)


def _answer(error: ClientError, model: OperationModel | None) -> _Answer:
    said: Mapping[str, Any] = error.response.get("Error", {})
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    code, message = str(said.get("Code") or ""), str(said.get("Message") or "")
    status, receiver = int(metadata.get("HTTPStatusCode", 0)), said.get("Type") == "Receiver"
    # A service that once spoke the query protocol answers with its old code, and with the shape's name beside it.
    shape = _declared(model, code, str(said.get("QueryErrorCode") or "")) if model is not None else None
    if model is None or shape is None:
        return _Answer(code, status, message, receiver)
    return _Answer(
        code,
        status,
        message,
        receiver,
        True,
        " ".join(re.sub(r"<[^>]+>", " ", shape.documentation or "").split()),
        int((shape.metadata.get("error") or {}).get("httpStatusCode") or 0),
        api.is_fault(model.service_model.service_name, shape.name),
        shape.metadata.get("retryable"),
    )


def _declared(model: OperationModel, *codes: str) -> Any:
    """The shape of an error: the operation's own, or else the service's. Two shapes of a service can share a code."""
    shapes: list[Any] = list(model.error_shapes)
    own = {code: shape for shape in shapes for code in (shape.error_code, shape.name)}
    service: Any = model.service_model
    return next((s for code in codes if (s := own.get(code) or service.shape_for_error_code(code)) is not None), None)


def _meaning(answer: _Answer, sent: Sent) -> type[errors.PageturnerError]:
    if _MESSAGE_OF_A_RUNNING_QUERY.search(answer.message):
        return errors.StillRunningError
    if sent.token and (answer.is_named(_TOKENS) or (not answer.is_named(_DENIED) and answer.says(_SAYS_TOKEN))):
        return errors.TokenInvalidError
    if _is_denied(answer):
        return errors.AccessDeniedError
    if _is_throttle(answer):
        return errors.ThrottledError
    if answer.code in EXPIRED_CREDENTIALS_CODES and not answer.says(_SAYS_TOKEN):
        return errors.TransientError
    if answer.code in _UNKNOWN_OPERATION:
        return errors.InvalidRequestError
    if _is_transient(answer):
        return errors.TransientError
    if answer.is_named(_NOT_FOUND):
        return errors.NotFoundError
    if answer.has_status(401, 403):
        return errors.AccessDeniedError
    if answer.has_status(404):
        return errors.NotFoundError
    if _is_token(answer, sent):
        return errors.TokenInvalidError
    return errors.InvalidRequestError


def _is_denied(answer: _Answer) -> bool:
    named = answer.code in _DENIED_CODES or answer.is_named(_DENIED) or _is_credentials_token(answer)
    return named or answer.says(_SAYS_DENIED)


def _is_credentials_token(answer: _Answer) -> bool:
    """S3's InvalidToken is about the credentials; where a model declares the code, it is about what was sent."""
    return answer.code == "InvalidToken" and not answer.declared


def _is_throttle(answer: _Answer) -> bool:
    if (answer.retryable or {}).get("throttling") or answer.says(_SAYS_THROTTLED):
        return True
    if _MESSAGE_OF_A_THROTTLE.search(answer.message) or answer.is_named(_THROTTLES):
        return True
    if answer.documentation and answer.is_named(_QUOTAS):
        return False
    return answer.code in THROTTLING_CODES or answer.has_status(429)


def _is_transient(answer: _Answer) -> bool:
    if answer.status >= 500 or answer.declared_status >= 500 or answer.fault or answer.receiver:
        return True
    if answer.is_named(_QUOTAS):
        return answer.code not in _NO_QUOTAS
    # migrationhuborchestrator calls each of its errors retryable, also ValidationException.
    if answer.is_named(_REJECTS) or answer.is_named(_NOT_FOUND):
        return False
    if answer.retryable is not None or answer.has_status(408):
        return True
    return answer.is_named(_TRANSIENT) or answer.says(_SAYS_TRANSIENT)


def _is_token(answer: _Answer, sent: Sent) -> bool:
    """Whether a rejection is about the token: all are, if the same request without it was accepted."""
    if not sent.token or answer.status in range(300, 400):
        return False
    return sent.accepted or answer.is_named(_ANY_VALUE)
