"""Transactions in DynamoDB: all of their actions are done, or none."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from pageturner.errors import SinkError
from pageturner.own_resources import as_sink_error

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# DynamoDB Developer Guide, "Quotas": actions and bytes of a TransactWriteItems request.
MOST_ACTIONS = 100
MOST_BYTES = 4 * 1024 * 1024
# Transactions that meet at a row are tried again, after up to 20 ms, doubling to a second: for 7 s at most.
_MOST_CONFLICTS = 12
_CONFLICT_SECONDS = 0.02
_LONGEST_CONFLICT_SECONDS = 1.0


def transact(dynamodb: DynamoDBClient, not_done: str, actions: Sequence[Mapping[str, Any]]) -> frozenset[int]:
    """Do the actions, and return the places of those whose conditions did not hold: if there are any, none was done.

    Any other failure raises a `SinkError` whose message begins with `not_done`.
    """
    for conflicts in range(_MOST_CONFLICTS + 1):
        reasons = _reasons(dynamodb, not_done, actions)
        if failed := frozenset(place for place, code in enumerate(reasons) if code == "ConditionalCheckFailed"):
            return failed
        others = {code for code in reasons if code != "None"}
        if not others:
            return frozenset()
        if others != {"TransactionConflict"}:
            break
        longest = min(_CONFLICT_SECONDS * 2**conflicts, _LONGEST_CONFLICT_SECONDS)
        time.sleep(longest * random.random())  # noqa: S311 - so that they do not meet again
    # The state machine waits, because a Lambda function is billed while it waits.
    raise SinkError(f"{not_done}: DynamoDB cancelled the transaction: {', '.join(sorted(others))}")


def is_invalid(error: SinkError) -> bool:
    """Whether DynamoDB refused a request because it is invalid, or too large."""
    cause = error.__cause__
    return isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "ValidationException"


def _reasons(dynamodb: DynamoDBClient, not_done: str, actions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return why a transaction was cancelled, a code for each action; nothing if it was not."""
    with as_sink_error(not_done):
        try:
            dynamodb.transact_write_items(TransactItems=cast("Any", actions))
        except ClientError as error:
            reasons: Any = error.response.get("CancellationReasons")
            if not reasons:  # it was not cancelled, or nobody says why
                raise
            return [reason["Code"] for reason in reasons]
    return []
