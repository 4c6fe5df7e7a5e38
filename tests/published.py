"""Publishes runs in tests, by PublishRun itself, and reads what is published then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3

from pageturner import table_names
from pageturner.stores import Stores
from pageturner.stores.keys import sort_key
from tests.conftest import Aws, Machines
from tests.parquet import rows_of


def publish_as_it_is(run_id: str) -> dict[str, Any]:
    """Publish a run that has ended, and return its summary."""
    found = Stores.of_environment().runs.find(run_id)
    assert found is not None
    return Machines().publish({"run_id": run_id, "generation": found.generation})


def run_and_publish(aws: Aws, machines: Machines, crawl_name: str = "c") -> dict[str, Any]:
    """Run a crawl of the catalogue, publish it, and return its summary."""
    return machines.publish(machines.run(aws, {"crawl": crawl_name}))


def finish_and_publish(machines: Machines, planned: Mapping[str, Any]) -> dict[str, Any]:
    """Finish a run whose pages are turned, publish it, and return its summary."""
    return machines.publish(machines.finish(planned), planned["execution"])


def changes_of(summary: Mapping[str, Any]) -> tuple[int, int, int]:
    """How many items were new, changed and gone, by the summary of a run."""
    published = summary["published"]
    return published["new"], published["changed"], published["gone"]


def in_table(aws: Aws, crawl_name: str = "c") -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of a crawl's table, where Glue says it is, by the keys that they have in DynamoDB."""
    glue = boto3.client("glue")
    described = glue.get_table(DatabaseName=aws.database, Name=table_names.table_name(crawl_name))["Table"]
    prefix = described["StorageDescriptor"]["Location"].removeprefix(f"s3://{aws.bucket}/")
    rows = rows_of(aws, prefix)
    found = {(row["listing"], sort_key(_id(row))): row for row in rows}
    assert len(found) == len(rows)
    return found


def in_dynamodb(aws: Aws, crawl_name: str = "c") -> dict[tuple[str, str], dict[str, str]]:
    """The rows of a crawl's items in DynamoDB, by listing and sort key."""
    rows = [
        {name: value for name, typed in row.items() for value in typed.values()} for row in aws.rows(aws.items_table)
    ]
    return {
        (row["pk"].partition("#")[2], row["sk"]): row
        for row in rows
        if row["pk"].partition("#")[:2] == (crawl_name, "#")
    }


def published(aws: Aws, crawl_name: str = "c") -> list[str]:
    """The sort keys of a crawl's published items. The table has what DynamoDB has, but for what is marked there."""
    table = in_table(aws, crawl_name)
    there = {at: row for at, row in in_dynamodb(aws, crawl_name).items() if "stale_since" not in row}
    assert {at: (row["hash"], row["key"], row["region"]) for at, row in table.items()} == {
        at: (row["hash"], row["key"], row["region"]) for at, row in there.items()
    }
    # What is too large is not in DynamoDB.
    assert all(row.get("item", table[at]["item"]) == table[at]["item"] for at, row in there.items())
    return sorted(name for _, name in table)


def _id(row: Mapping[str, Any]) -> str:
    return f"{row['name']}#{row['hash']}" if row["shares_key"] else str(row["name"])
