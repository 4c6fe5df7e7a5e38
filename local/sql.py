"""SQL over what is published, through Athena's API."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from local.emulator import Emulator

_POLL_SECONDS = 0.05
Row = dict[str, str | None]


class SqlError(Exception):
    """A query failed; the message has the reason."""


class Sql:
    """Queries the database of the deployed stack, whose `outputs` these are."""

    def __init__(self, emulator: Emulator, outputs: Mapping[str, str]) -> None:
        self._athena = emulator.client("athena")
        self._database = outputs["Database"]
        self._workgroup = outputs["WorkGroup"]

    def query(self, query: str) -> list[Row]:
        """Return the rows of a query: text by the names of the columns, as Athena returns it. Raises `SqlError`."""
        execution = self._athena.start_query_execution(
            QueryString=query, QueryExecutionContext={"Database": self._database}, WorkGroup=self._workgroup
        )["QueryExecutionId"]
        while (status := self._status(execution))["State"] in ("QUEUED", "RUNNING"):
            time.sleep(_POLL_SECONDS)
        if status["State"] != "SUCCEEDED":
            raise SqlError(f"{status['State']}: {status.get('StateChangeReason', '')}")
        pages = self._athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution)
        # The first row has the names.
        names, *rows = [
            [each.get("VarCharValue") for each in row["Data"]] for page in pages for row in page["ResultSet"]["Rows"]
        ]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _status(self, execution: str) -> dict[str, Any]:
        found: dict[str, Any] = self._athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"]
        return found
