"""Errors of requests to the deployment's own resources: its bucket and tables, and the role that it reads through.

They are about the deployment, never about a target: so no crawl tolerates them as a target's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from pageturner.denials import denial_in
from pageturner.errors import (
    SERVICE_ERRORS,
    UNEXPECTED_VALUES,
    AccessDeniedError,
    DeploymentDeniedError,
    SinkError,
    said,
)

_QUOTED = re.compile(r"(?<!\w)(['\"]).*\1", re.DOTALL)
# What S3, SNS and others answer if a key of KMS is disabled, is to be deleted, or is not theirs to use. That passes no
# sooner than a denial does.
_KEY_CODES = re.compile(r"KMS\.?(?!Internal|Throttl)\w+")


@contextmanager
def as_sink_error(what: str) -> Iterator[None]:
    """Raise `SinkError` if a request to Pageturner's own resources fails; `what` says what could not be done.

    If it is denied, that is a `DeploymentDeniedError`, whose message names the action and the resource.
    """
    try:
        yield
    except SERVICE_ERRORS as error:
        # What is written there, and quoted by who refuses it, has items and tokens.
        reason = f"{what}: {_QUOTED.sub('…', said(error))}"
        raise denied_to_itself(error, what) or SinkError(reason) from error
    except UNEXPECTED_VALUES as error:
        raise SinkError(f"{what}: botocore cannot read the response: {said(error)}") from error


def denied_to_itself(error: Exception, what: str) -> DeploymentDeniedError | None:
    """Return what it means that the deployment's own function was denied this; None if another error stopped it."""
    if not isinstance(error, ClientError):
        return None
    from pageturner.paging.error_meanings import from_client_error  # only an error needs its expressions

    code, message = str(error.response.get("Error", {}).get("Code") or ""), str(error)
    if not (isinstance(from_client_error(error), AccessDeniedError) or _KEY_CODES.fullmatch(code)):
        return None
    denial = denial_in(message)
    action = denial.action or error.operation_name
    on = f" on {denial.resource}" if denial.resource else ""
    by = f" ({denial.by})" if denial.by else ""
    said_so = _QUOTED.sub("…", message)
    return DeploymentDeniedError(f"{what}: the deployment's own role is denied {action}{on}{by}: {said_so}")
