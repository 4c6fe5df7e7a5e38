"""The rows of Parquet files on moto, as DuckDB reads them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.conftest import Aws
from tests.machines.publishing_services import Connection


def rows_of(aws: Aws, prefix: str) -> list[dict[str, Any]]:
    """The rows of all files under a prefix, each a dict."""
    keys = aws.object_keys(prefix)
    if not keys:
        return []
    with TemporaryDirectory() as folder, closing(Connection()) as db:
        for number, key in enumerate(keys):
            (Path(folder) / f"{number}.parquet").write_bytes(
                aws.s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read()
            )
        read = db.execute(f"FROM read_parquet('{folder}/*.parquet', hive_partitioning = false)")
        names = [column[0] for column in read.description or ()]
        return [dict(zip(names, row, strict=True)) for row in read.fetchall()]


def table_of(aws: Aws, summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The table that a run's publication wrote."""
    return rows_of(aws, f"tables/c/run={summary['published']['name']}/")


def changes_of(aws: Aws, summary: dict[str, Any]) -> list[dict[str, Any]]:
    """What a run's publication changed."""
    return rows_of(aws, f"changes/crawl=c/run={summary['published']['name']}/")
