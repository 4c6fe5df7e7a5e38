"""What items say of the item of another crawl for which they were listed: in tables, in changes, and in DynamoDB."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest

from pageturner.crawls.crawl import Crawl
from pageturner.publish.columns import Column, columns_of
from pageturner.stores.page_store import PageStore
from tests.conftest import Aws, Machines
from tests.parquet import changes_of, table_of
from tests.published import in_dynamodb, published

BUCKETS: dict[str, Any] = {
    "service": "s3",
    "operation": "list_buckets",
    "key": "Name",
    "search": "Buckets[?Name != 'items-bucket']",
}
OF_EACH = {"crawl": "buckets", "parameters": {"Bucket": "item.Name"}}
OBJECTS: dict[str, Any] = {"service": "s3", "operation": "list_objects_v2", "key": "Key"}
EARLIER = {"service": "s3", "operation": "list_objects_v2", "key": "Key", "for_each": {"list": [{"Bucket": "source"}]}}


def run_and_publish(aws: Aws, machines: Machines, number: int) -> dict[str, Any]:
    machines.started_at = f"2126-02-03T04:05:0{number}.000Z"
    return machines.publish(machines.run(aws, {"crawl": "c"}, f"execution-{number}"), f"execution-{number}")


@pytest.fixture
def _bucket(aws: Aws, machines: Machines) -> None:
    aws.s3.create_bucket(Bucket="source")
    aws.put_objects("source", ["a", "b"])
    machines.catalogue = {"buckets": BUCKETS, "c": {**OBJECTS, "for_each": OF_EACH}}
    machines.run(aws, {"crawl": "buckets"}, "buckets")


@pytest.mark.usefixtures("_bucket", "_either_way")
def test_the_parent_is_in_the_table_in_changes_and_in_dynamodb(aws: Aws, machines: Machines) -> None:
    first = run_and_publish(aws, machines, 1)
    assert {(row["key"], row["parent"]) for row in changes_of(aws, first)} == {
        (key, '{"key":"source"}') for key in ("a", "b")
    }
    assert {row["parent"] for row in table_of(aws, first)} == {'{"key":"source"}'}
    assert {row["parent"] for row in in_dynamodb(aws).values()} == {'{"key":"source"}'}
    # Another parent is no change of an item: the table has it, as it was listed last.
    machines.catalogue = {**machines.catalogue, "c": {**OBJECTS, "for_each": {**OF_EACH, "parent": {"of": "key"}}}}
    second = run_and_publish(aws, machines, 2)
    assert second["published"]["changed"] == 0
    assert {row["parent"] for row in table_of(aws, second)} == {'{"key":"source","of":"source"}'}
    aws.s3.delete_object(Bucket="source", Key="b")
    (gone,) = changes_of(aws, run_and_publish(aws, machines, 3))
    assert (gone["kind"], gone["parent"]) == ("gone", '{"key":"source","of":"source"}')


@pytest.mark.usefixtures("_bucket", "_either_way")
def test_files_of_an_earlier_version_have_no_parent(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A published table, and changes of which DynamoDB has not been told."""
    machines.catalogue = {**machines.catalogue, "c": EARLIER}
    first = run_and_publish(aws, machines, 1)
    assert {row["parent"] for row in table_of(aws, first)} == {None}
    for key in aws.object_keys("tables/"):
        body = aws.s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read()
        aws.s3.put_object(Bucket=aws.bucket, Key=key, Body=without_parent(body))
    aws.put_objects("source", ["c"])
    put_file = PageStore.put_file

    def put(self: PageStore, key: str, path: Path) -> None:
        if key.startswith("changes/") or "/scattered/" in key:
            path.write_bytes(without_parent(path.read_bytes()))
        put_file(self, key, path)

    monkeypatch.setattr(PageStore, "put_file", put)
    second = run_and_publish(aws, machines, 2)
    assert [second["published"][name] for name in ("new", "changed", "gone")] == [1, 0, 0]
    assert published(aws) == ["a", "b", "c"]


def test_a_column_that_had_the_name_before_gets_another() -> None:
    """Of the listings that can be crawled, four have a member with the name of the new column."""
    crawl = Crawl("c", "codeartifact", "list_package_groups", {"domain": "d"})
    columns = columns_of(crawl, [Column("parent", "parent", "string"), Column("arn", "arn", "string")])
    assert [each.name for each in columns if each.member == "parent"] == ["item_parent"]
    assert [each.name for each in columns_of(crawl, columns)] == [each.name for each in columns]


def without_parent(parquet: bytes) -> bytes:
    with duckdb.connect() as db, TemporaryDirectory() as folder:
        before, after = Path(folder, "before"), Path(folder, "after")
        before.write_bytes(parquet)
        db.read_parquet(str(before)).select("* EXCLUDE parent").write_parquet(str(after))
        return after.read_bytes()
