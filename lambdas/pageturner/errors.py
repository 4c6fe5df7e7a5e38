"""The error-name contract: every exception that leaves a handler is one of these.

Step Functions identifies the error of a Python function only by its class name, so the class names *are* the
names that the state machines' ``Retry`` and ``Choice`` states match. Infra imports them from here.

::

    PageturnerError
    ├── InvalidCrawlError     the crawl or the execution input is wrong     never retried: a person must change it
    ├── OverlapError          another run of the crawl is running           never retried: the start is refused
    ├── RunWouldFailError     a dry run found that a run would fail         never retried: the execution is refused
    ├── RunStoppedError       the run's execution was stopped               never retried: the PageLoop ends
    ├── ThrottledError        the service throttled the request             PageLoop backs off, then Crawl waits
    ├── TransientError        connection error, HTTP 5xx                    PageLoop retries, then Crawl
    ├── SinkError             Pageturner's own bucket or tables failed      PageLoop retries, then Crawl
    │   └── DeploymentDeniedError  they, or its reader role, deny it that   never retried: the verdict is unfinished
    ├── CannotPublishError    the run cannot be published                   never retried: the execution fails
    ├── StillRunningError     the listing is not made yet: a query runs     PageLoop backs off, then Crawl waits
    ├── TokenInvalidError     the token has expired or is invalid           FetchPage returns the start of a new pass
    ├── TooManyRestartsError  that has happened too often                   never retried: the verdict is failed
    ├── RepeatedTokenError    the tokens go round in a circle               never retried: paging would never end
    ├── TruncatedListingError the last page says that it is not the last    never retried: nothing fetches the next one
    ├── PageErrorsError       answers had errors beside their items         never retried: the verdict is failed
    ├── MistrustedListingError the listing has far fewer items than it should  never retried: the verdict is failed
    ├── DeadlinePassedError   the run's deadline has passed                 never retried: the verdict is unfinished
    ├── AccessDeniedError     the credentials do not allow the operation    never retried: the verdict is denied
    ├── NotFoundError         the resource to list does not exist           never retried: the verdict is failed
    ├── NoEndpointError       the service is not in the target's region     never retried: the verdict is absent
    ├── UnexpectedError       a mistake in Pageturner itself                Crawl goes on, and gives up in the end
    └── InvalidRequestError   the request is invalid                        never retried: the verdict is failed
"""

from __future__ import annotations

import json
import re
import struct
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's, not the built-in
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError
from jmespath.exceptions import JMESPathError, JMESPathTypeError

# As JSON text, as the states have it. botocore's messages can quote a whole response, Step Functions ends an execution
# whose state exceeds 256 KiB, and its cause has room for 32,768 characters.
_LONGEST_MESSAGE = 8_000


class PageturnerError(Exception):
    """The base class of all errors that a handler raises."""

    def __init__(self, message: str = "") -> None:
        super().__init__(_bounded(message))


def _bounded(message: str) -> str:
    # Half a surrogate pair, which JSON can hold, cannot be sent.
    whole = text = message[: _LONGEST_MESSAGE + 1].encode("utf-8", "backslashreplace").decode()
    while len(json.dumps(text)) > _LONGEST_MESSAGE:
        text = text[: len(text) * 9 // 10]
    return text if text is whole else f"{text}…"


class InvalidCrawlError(PageturnerError):
    """The crawl or the execution input is wrong; the message says what, where, and what would be right."""


class OverlapError(PageturnerError):
    """Another run of the crawl is running: `run_id` of `crawl`, in `execution`; the message names it."""

    def __init__(self, message: str = "", *, crawl: str = "", run_id: str = "", execution: str = "") -> None:
        super().__init__(message)
        self.crawl, self.run_id, self.execution = crawl, run_id, execution


class RunWouldFailError(PageturnerError):
    """A dry run found that a run would fail; the message says why."""


class RunStoppedError(PageturnerError):
    """The execution that drives the run was stopped, so no more of its pages are turned."""


class ThrottledError(PageturnerError):
    """The service throttled the request."""


class TransientError(PageturnerError):
    """The service, or the connection to it, failed temporarily."""


class SinkError(PageturnerError):
    """A request to Pageturner's own bucket or tables failed."""


class DeploymentDeniedError(SinkError):
    """The deployment denies its own function a request: to its bucket, its tables, or the role that it reads through.

    No attempt helps, but a deployment, or a change of what denies it. It is not the target that denies access.
    """


class CannotPublishError(PageturnerError):
    """The run cannot be published: its pages are gone, or cannot be read; the message says which."""


class TokenInvalidError(PageturnerError):
    """The service rejected the token: it has expired, or was never valid."""


class TooManyRestartsError(PageturnerError):
    """The target has used up its restarts, because its tokens expire before its listing ends."""


class MistrustedListingError(PageturnerError):
    """The listing is complete, but has so much less than before, or than was counted, that the crawl mistrusts it."""


class DeadlinePassedError(PageturnerError):
    """The run did not end by its deadline."""


class StillRunningError(PageturnerError):
    """What makes the listing (a query, a job) is still running, and the answer is not whole yet."""


class RepeatedTokenError(PageturnerError):
    """The tokens go round in a circle, so paging would never end. The page was kept."""


class TruncatedListingError(PageturnerError):
    """The last page says that there is more, but has no token for it. The page was kept."""


class PageErrorsError(PageturnerError):
    """The listing ended, but some answers had errors about parts of it beside their items."""


class AccessDeniedError(PageturnerError):
    """The credentials do not allow the operation."""


class NotFoundError(PageturnerError):
    """The resource to list does not exist."""


class NoEndpointError(PageturnerError):
    """The service has no endpoint in the target's region: the endpoint's name does not exist, but other names do."""


class InvalidRequestError(PageturnerError):
    """The request is invalid: the service, or botocore, would reject it again."""


class UnexpectedError(PageturnerError):
    """A mistake in Pageturner itself; the message says which exception it was, and where."""


# What botocore raises for a request that got no answer or an incomplete one, or could not be signed at the moment.
CONNECTION_ERRORS = (
    ChecksumError,
    ConnectionError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ResponseParserError,
)

# What Python raises where botocore meets a value that it does not expect: the parsers check hardly any.
UNEXPECTED_VALUES = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError, struct.error),
)

# Whatever botocore raises by itself.
SERVICE_ERRORS = (ClientError, BotoCoreError, *CONNECTION_ERRORS)


# What botocore's messages may say of a request. All else can be a value: a parameter, a token, a part of a response.
_SAID = frozenset(
    {
        "actual_bytes",
        "error",
        "endpoint_url",
        "expected_bytes",
        "operation_name",
        "provider",
        "region_name",
        "service_name",
    }
)
# Where the value begins in what botocore says of a wrong parameter (botocore/validate.py, botocore/handlers.py).
_VALUE = re.compile(r", value: |:? ?['\"].*|$", re.DOTALL)


def said(error: BaseException) -> str:
    """An exception in a message: what it says of itself, without the values that it would quote.

    Values of items, parameters, tokens and responses stay out of everything that people are told: names, types and
    lengths are there. A service's own words are kept: who has sent values takes them out (`messages.without`).
    """
    if isinstance(error, PageturnerError | ClientError) or type(error).__module__.startswith("pageturner."):
        return str(error)
    if isinstance(error, JMESPathTypeError):
        return f"{error.function_name}() takes {' or '.join(error.expected_types)}, not {error.actual_type}"
    if isinstance(error, JMESPathError):  # what is wrong with the expression itself
        return str(error)
    if isinstance(error, BotoCoreError):
        given = getattr(error, "kwargs", {})
        if report := str(given.get("report", "")):
            return f"{type(error).__name__}: {'; '.join(_VALUE.split(line, 1)[0] for line in report.splitlines())}"
        return str(error.fmt.format(**{name: _said_of(name, value) for name, value in given.items()}))
    return type(error).__name__


def _said_of(name: str, value: object) -> object:
    if isinstance(value, BaseException):
        return said(value)
    if name == "endpoint_url":  # its path and its query are parameters, and tokens
        parts = urlsplit(str(value))
        return f"{parts.scheme}://{parts.netloc}"
    return value if name in _SAID else "…"


def from_botocore_error(error: Exception) -> PageturnerError:
    """Return the Pageturner error for one of `SERVICE_ERRORS` that is not a service's error response."""
    return (TransientError if isinstance(error, CONNECTION_ERRORS) else InvalidRequestError)(said(error))
