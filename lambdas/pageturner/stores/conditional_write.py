"""Writes to DynamoDB that take effect only where a condition holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from pageturner.errors import as_sink_error


def conditional_write(not_done: str, write: Callable[..., Any], **request: Any) -> bool:
    """Make `write`, a client's method, and return whether the condition of the `request` held.

    Raises `SinkError`, which begins with `not_done`, where that cannot be told.
    """
    with as_sink_error(not_done):
        try:
            write(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
    return True
