"""The Glue tables of a crawl move forward with its publications, whoever else moves them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from pageturner import table_names
from pageturner.errors import SinkError
from pageturner.publish.columns import ENVELOPE, ITEM, Column
from pageturner.publish.tables import PUBLICATION, Tables
from pageturner.stores.publications import Publication

ARN = Column("Arn", "arn", "string")
SIZE = Column("Size", "size", "bigint")


def publication(number: int, crawl: str = "my-crawl") -> Publication:
    return Publication(number, crawl, f"run-{number}", 1, f"run-{number}", 1, number - 1, "2026-11-25T12:00:00.000Z")


class CarefulGlue:
    """moto's client, and Glue's own VersionId, which moto ignores; `between` runs just before a table is written."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.between: list[Callable[[], None]] = []
        self.updates = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def create_table(self, **request: Any) -> Any:
        if self.between:
            self.between.pop()()
        return self.client.create_table(**request)

    def update_table(self, **request: Any) -> Any:
        self.updates += 1
        if self.between:
            self.between.pop()()
        found = self.client.get_table(DatabaseName=request["DatabaseName"], Name=request["TableInput"]["Name"])
        if found["Table"]["VersionId"] != request.pop("VersionId"):
            raise ClientError({"Error": {"Code": "ConcurrentModificationException"}}, "UpdateTable")
        return self.client.update_table(**request)


@pytest.fixture
def glue() -> Iterator[CarefulGlue]:
    with mock_aws():
        client = boto3.client("glue", region_name="eu-west-1")
        client.create_database(DatabaseInput={"Name": "pageturner"})
        client.create_table(
            DatabaseName="pageturner",
            TableInput={
                "Name": "changes",
                "PartitionKeys": [{"Name": key, "Type": "string"} for key in table_names.CHANGES_PARTITION_KEYS],
            },
        )
        yield CarefulGlue(client)


@pytest.fixture
def tables(glue: CarefulGlue) -> Tables:
    return Tables(glue, "pageturner", "bucket")  # type: ignore[arg-type]


def table(glue: CarefulGlue, name: str) -> dict[str, Any]:
    found: dict[str, Any] = glue.client.get_table(DatabaseName="pageturner", Name=name)["Table"]
    return found


def columns(described: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["Name"], each["Type"]) for each in described["StorageDescriptor"]["Columns"]]


def partitions(glue: CarefulGlue, name: str) -> dict[tuple[str, ...], dict[str, Any]]:
    found = glue.client.get_partitions(DatabaseName="pageturner", TableName=name)["Partitions"]
    return {tuple(each["Values"]): each for each in found}


def test_the_first_publication_creates_the_tables(glue: CarefulGlue, tables: Tables) -> None:
    tables.move(publication(1), [ARN])
    made = table(glue, "my_crawl")
    assert made["TableType"] == "EXTERNAL_TABLE"
    assert made["Parameters"] == {"EXTERNAL": "TRUE", "classification": "parquet", PUBLICATION: "1"}
    assert made["PartitionKeys"] == []
    assert columns(made) == [*ENVELOPE, ("arn", "string"), ITEM]
    assert made["StorageDescriptor"]["Location"] == "s3://bucket/tables/my-crawl/run=run-1/"
    assert made["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"] == table_names.SERDE
    history = table(glue, "my_crawl_history")
    assert history["StorageDescriptor"]["Location"] == "s3://bucket/tables/my-crawl/"
    assert history["PartitionKeys"] == [{"Name": "run", "Type": "string"}]
    of_history = partitions(glue, "my_crawl_history")
    assert of_history[("run-1",)]["StorageDescriptor"] == made["StorageDescriptor"]
    of_changes = partitions(glue, "changes")[("my-crawl", "run-1")]
    assert of_changes["StorageDescriptor"]["Location"] == "s3://bucket/changes/crawl=my-crawl/run=run-1/"
    assert columns(of_changes) == list(table_names.CHANGES_COLUMNS)


def test_a_later_one_moves_and_widens_them(glue: CarefulGlue, tables: Tables) -> None:
    tables.move(publication(1), [ARN])
    tables.move(publication(2), [ARN, SIZE])
    made = table(glue, "my_crawl")
    assert made["StorageDescriptor"]["Location"] == "s3://bucket/tables/my-crawl/run=run-2/"
    assert columns(made) == columns(table(glue, "my_crawl_history"))
    assert columns(made) == [*ENVELOPE, ("arn", "string"), ("size", "bigint"), ITEM]
    of_history = partitions(glue, "my_crawl_history")
    assert columns(of_history[("run-1",)]) == [*ENVELOPE, ("arn", "string"), ITEM]
    assert set(of_history) == {("run-1",), ("run-2",)}
    assert set(partitions(glue, "changes")) == {("my-crawl", "run-1"), ("my-crawl", "run-2")}


def test_an_older_one_moves_nothing_back_but_is_in_the_history(glue: CarefulGlue, tables: Tables) -> None:
    tables.move(publication(10), [ARN, SIZE])  # 10 before 9: numbers, not texts
    tables.move(publication(9), [ARN])
    assert table(glue, "my_crawl")["StorageDescriptor"]["Location"].endswith("run=run-10/")
    assert ("size", "bigint") in columns(table(glue, "my_crawl_history"))
    assert set(partitions(glue, "my_crawl_history")) == {("run-10",), ("run-9",)}


def test_repeating_it_changes_nothing(glue: CarefulGlue, tables: Tables) -> None:
    tables.move(publication(1), [ARN])
    before = table(glue, "my_crawl")
    tables.move(publication(1), [ARN])
    assert table(glue, "my_crawl") == before
    assert glue.updates == 0


def test_what_others_have_written_on_a_table_stays(glue: CarefulGlue, tables: Tables) -> None:
    tables.move(publication(1), [ARN])
    made = table(glue, "my_crawl")
    glue.client.update_table(
        DatabaseName="pageturner",
        TableInput={
            "Name": "my_crawl",
            "Description": "our roles",
            "Parameters": {**made["Parameters"], "owner": "me"},
            "StorageDescriptor": made["StorageDescriptor"],
        },
    )
    tables.move(publication(2), [ARN])
    moved = table(glue, "my_crawl")
    assert moved["Description"] == "our roles"
    assert moved["Parameters"]["owner"] == "me"
    assert moved["Parameters"][PUBLICATION] == "2"


@pytest.mark.parametrize("is_there", [False, True])
def test_a_newer_one_that_overtakes_is_not_taken_back(glue: CarefulGlue, tables: Tables, is_there: bool) -> None:
    """Publication 3 moves the tables while 2 has read them, and has not written yet: first the history, then both."""
    other = Tables(glue.client, "pageturner", "bucket")
    if is_there:
        tables.move(publication(1), [ARN])
    glue.between = [lambda: other.move(publication(3), [ARN, SIZE])]
    tables.move(publication(2), [ARN])
    assert glue.between == []
    for name in ("my_crawl", "my_crawl_history"):
        assert table(glue, name)["Parameters"][PUBLICATION] == "3"
        assert ("size", "bigint") in columns(table(glue, name))
    assert table(glue, "my_crawl")["StorageDescriptor"]["Location"].endswith("run=run-3/")


def test_an_older_one_that_overtakes_is_moved_on(glue: CarefulGlue, tables: Tables) -> None:
    other = Tables(glue.client, "pageturner", "bucket")
    tables.move(publication(1), [ARN])
    glue.between = [lambda: other.move(publication(2), [ARN])]
    tables.move(publication(3), [ARN, SIZE])
    assert table(glue, "my_crawl")["Parameters"][PUBLICATION] == "3"
    assert table(glue, "my_crawl")["StorageDescriptor"]["Location"].endswith("run=run-3/")


def test_it_does_not_try_for_ever(glue: CarefulGlue, tables: Tables) -> None:
    tables.move(publication(1), [ARN])
    made = {key: table(glue, "my_crawl_history")[key] for key in ("Name", "Parameters", "StorageDescriptor")}
    glue.between = [lambda: glue.client.update_table(DatabaseName="pageturner", TableInput=made)] * 50
    with pytest.raises(SinkError, match="others keep changing it"):
        tables.move(publication(2), [ARN])


def test_a_failure_names_the_table(glue: CarefulGlue) -> None:
    with pytest.raises(SinkError, match="run-1 to table changes in database absent of Glue"):
        Tables(glue.client, "absent", "bucket").move(publication(1), [])


def test_a_partition_that_cannot_be_added_fails(
    glue: CarefulGlue, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail = {"ErrorCode": "InternalServiceException", "ErrorMessage": "try again"}
    answer = {"Errors": [{"PartitionValues": ["my-crawl", "run-1"], "ErrorDetail": detail}]}
    monkeypatch.setattr(glue, "batch_create_partition", lambda **_: answer, raising=False)
    with pytest.raises(SinkError, match="InternalServiceException: try again"):
        tables.move(publication(1), [])
