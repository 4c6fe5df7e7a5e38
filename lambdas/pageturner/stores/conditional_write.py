"""Conditional writes to DynamoDB."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from pageturner.own_resources import as_sink_error


def conditional_write(not_done: str, write: Callable[..., Any], **request: Any) -> bool:
    """Call `write`, a client method, with `request`, and return whether the request's condition held.

    Any other failure raises a `SinkError` whose message begins with `not_done`.
    """
    with as_sink_error(not_done):
        try:
            write(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
    return True
