"""What Athena returns becomes rows in which nothing is lost, and what it does not understand is its own sentence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pageturner_cli import athena
from pageturner_cli.failures import WRONG, Failure


def rows_of(kind: str, names: list[str], *rows: list[str | None]) -> list[athena.Row]:
    found = [{"Data": [{} if each is None else {"VarCharValue": each} for each in row]} for row in rows]
    about = {"ColumnInfo": [{"Name": name} for name in names]}
    page = {"ResultSet": {"Rows": found, "ResultSetMetadata": about}}
    ended = {"QueryExecution": {"Status": {"State": "SUCCEEDED"}, "StatementType": kind}}
    client = SimpleNamespace(
        start_query_execution=lambda **_: {"QueryExecutionId": "q"},
        get_query_execution=lambda **_: ended,
        get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: [page]),
    )
    return list(athena.query(deployment(client), "SELECT"))


def deployment(client: Any) -> Any:
    return SimpleNamespace(client=lambda _: client, outputs={"Database": "d", "WorkGroup": "w"})


def test_columns_of_the_same_name_are_all_there() -> None:
    names: list[str | None] = ["run_id", "items", "items", "items"]
    (row,) = rows_of("DML", [], names, ["r", "1", "2", None])
    assert row == {"run_id": "r", "items": "1", "items_2": "2", "items_3": None}


def test_what_describe_and_show_say_is_in_its_columns() -> None:
    columns = ["col_name", "data_type", "comment"]
    assert rows_of("UTILITY", columns, ["id  \tint   \tthe\tid"], ["name\tstring"], [None]) == [
        {"col_name": "id", "data_type": "int", "comment": "the\tid"},
        {"col_name": "name", "data_type": "string", "comment": None},
        {"col_name": "", "data_type": None, "comment": None},
    ]
    assert rows_of("UTILITY", ["tab_name"], ["runs"]) == [{"tab_name": "runs"}]


def test_what_athena_cannot_parse_is_wrong_with_its_sentence() -> None:
    def refuses(**_: Any) -> None:
        said: Any = {"Code": "InvalidRequestException", "Message": "line 1:8: mismatched input 'FROM'"}
        raise ClientError({"Error": said}, "StartQueryExecution")

    with pytest.raises(Failure, match=r"^Athena: line 1:8: mismatched input 'FROM'$") as raised:
        list(athena.query(deployment(SimpleNamespace(start_query_execution=refuses)), "SELECT FROM"))
    assert raised.value.code == WRONG
