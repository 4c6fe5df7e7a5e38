"""The rows of Parquet files on moto, as DuckDB reads them."""

from __future__ import annotations

from typing import Any

from tests.conftest import Aws
from tests.machines.publishing_services import parquet_rows


def rows_of(aws: Aws, prefix: str) -> list[dict[str, Any]]:
    """The rows of all files under a prefix, each a dict."""
    bodies = [aws.s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read() for key in aws.object_keys(prefix)]
    return parquet_rows(bodies)


def table_of(aws: Aws, summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The table that a run's publication wrote."""
    return rows_of(aws, f"tables/c/run={summary['published']['name']}/")


def changes_of(aws: Aws, summary: dict[str, Any]) -> list[dict[str, Any]]:
    """What a run's publication changed."""
    return rows_of(aws, f"changes/crawl=c/run={summary['published']['name']}/")
