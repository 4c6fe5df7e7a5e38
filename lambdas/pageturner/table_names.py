"""The tables in the Glue Data Catalog: their names, and the columns of those that all crawls share."""

from __future__ import annotations

# Every difference between two publications, and a row for each run and each of its targets.
CHANGES = "changes"
RUNS = "runs"
TARGETS = "targets"
RESERVED = (CHANGES, RUNS, TARGETS)
# The end of the name of the table that has all publications of a crawl.
HISTORY = "_history"

# How the tables of crawls from the console begin: their names are those of operations, some of which end like that.
_ADHOC = "adhoc_"

# The table over all operations of a crawl that has several.
TABLE_OF_ALL = "resources"

# How Hive's classes read and write Parquet, as all tables are stored.
INPUT_FORMAT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
OUTPUT_FORMAT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"

# Partition keys, which are folders in S3 (run=<name>) and no columns of the files.
CHANGES_PARTITION_KEYS = ("crawl", "run")
HISTORY_PARTITION_KEYS = ("run",)

# Names and types, as Glue and Athena have them.
CHANGES_COLUMNS = (
    ("kind", "string"),
    ("account", "string"),
    ("region", "string"),
    ("target", "string"),
    ("listing", "string"),
    ("result_key", "string"),
    ("key", "string"),
    ("name", "string"),
    ("fields", "array<string>"),
    ("before", "string"),
    ("after", "string"),
    ("hash", "string"),
    ("first_seen", "timestamp"),
    ("last_changed", "timestamp"),
    ("fetched_at", "timestamp"),
    ("run_id", "string"),
    ("page_object", "string"),
    ("service", "string"),
    ("operation", "string"),
    ("parent", "string"),
)
RUNS_COLUMNS = (
    ("run_id", "string"),
    ("crawl", "string"),
    ("verdict", "string"),
    ("outcome", "string"),
    ("started_at", "timestamp"),
    ("ended_at", "timestamp"),
    ("seconds", "double"),
    ("targets", "bigint"),
    ("pages", "bigint"),
    ("items", "bigint"),
    ("bytes", "bigint"),
    ("throttles", "bigint"),
    ("restarts", "bigint"),
    ("dollars", "double"),
    ("published", "boolean"),
    ("new", "bigint"),
    ("changed", "bigint"),
    ("gone", "bigint"),
    ("message", "string"),
    ("manifest", "string"),
)
TARGETS_COLUMNS = (
    ("run_id", "string"),
    ("crawl", "string"),
    ("target", "string"),
    ("listing", "string"),
    ("account", "string"),
    ("region", "string"),
    ("parameters", "string"),
    ("verdict", "string"),
    ("error", "string"),
    ("cause", "string"),
    ("pages", "bigint"),
    ("items", "bigint"),
    ("bytes", "bigint"),
    ("seconds", "double"),
    ("throttles", "bigint"),
    ("restarts", "bigint"),
    ("witness", "string"),
    ("published", "boolean"),
    ("service", "string"),
    ("operation", "string"),
)


def table_name(crawl_name: str) -> str:
    """Return the name of a crawl's table. Names in Glue are lower-case, and a hyphen would need quotes in SQL."""
    return crawl_name.lower().replace("-", "_")


def operation_table_name(crawl_name: str, table: str) -> str:
    """Return the name of one of the tables of a crawl of several operations: `resources`, or ``ec2:describe_vpcs``."""
    return f"{table_name(crawl_name)}_{table.replace(':', '_').replace('-', '_')}"


def history_name(crawl_name: str) -> str:
    """Return the name of the table that has all publications of a crawl."""
    table = table_name(crawl_name)
    return f"{table}_{HISTORY}" if table.startswith(_ADHOC) else f"{table}{HISTORY}"
