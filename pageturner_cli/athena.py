"""SQL over what is published, through Athena's API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pageturner_cli.deployment import Deployment
from pageturner_cli.failures import WRONG, Failure

# As Athena returns it: text by the names of the columns.
Row = dict[str, str | None]
# The first queries look often, because most are short.
_FIRST_POLL_SECONDS, _POLL_SECONDS = 0.1, 1.0


def query(deployment: Deployment, sql: str) -> Iterator[Row]:
    """Yield the rows of a query in the stack's database. Raises `Failure` with Athena's reason if it fails.

    Who is interrupted while it runs ends it.
    """
    athena = deployment.client("athena")
    try:
        execution = athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": deployment.outputs["Database"]},
            WorkGroup=deployment.outputs["WorkGroup"],
        )["QueryExecutionId"]
    except ClientError as error:
        # What it cannot parse, it does not start.
        if error.response["Error"]["Code"] != "InvalidRequestException":
            raise
        raise Failure(f"Athena: {error.response['Error']['Message']}", WRONG) from error
    try:
        ended = _ended(athena, execution)
    except KeyboardInterrupt:
        _stop(athena, execution)
        raise
    status = ended["Status"]
    if status["State"] != "SUCCEEDED":
        raise Failure(f"Athena: {status['State']}: {status.get('StateChangeReason', 'no reason given')}", WRONG)
    # The first row of a SELECT has the names; what SHOW and DESCRIBE return has none.
    has_names = ended.get("StatementType", "DML") == "DML"
    names: list[str] | None = None
    for page in athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution):
        rows = [[each.get("VarCharValue") for each in row["Data"]] for row in page["ResultSet"]["Rows"]]
        if names is None:
            about = page["ResultSet"].get("ResultSetMetadata", {}).get("ColumnInfo", ())
            names = [str(name) for name in rows.pop(0)] if has_names and rows else [each["Name"] for each in about]
            names = _unlike(names)
        for values in rows:
            if len(values) == 1 < len(names):  # DESCRIBE and SHOW have all columns in one, with tabs between them
                values = [each.strip() for each in str(values[0] or "").split("\t", len(names) - 1)]
            yield dict(zip(names, chain(values, repeat(None)), strict=False))


def _unlike(names: list[str]) -> list[str]:
    """Names of columns, of which none comes twice: the second "items" is "items_2"."""
    found: list[str] = []
    for name in names:
        number, unlike = 1, name
        while unlike in found:
            number += 1
            unlike = f"{name}_{number}"
        found.append(unlike)
    return found


def literal(text: str) -> str:
    """A text in SQL."""
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def _ended(athena: Any, execution: str) -> dict[str, Any]:
    seconds = _FIRST_POLL_SECONDS
    while True:
        found: dict[str, Any] = athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]
        if found["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return found
        time.sleep(seconds)
        seconds = min(2 * seconds, _POLL_SECONDS)


def _stop(athena: Any, execution: str) -> None:
    try:
        athena.stop_query_execution(QueryExecutionId=execution)
    except (BotoCoreError, ClientError):
        return  # it ends by itself, and nobody waits for it
