"""The Glue database, the tables that all crawls share, and the Athena workgroup."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk.assertions import Match, Template

from infra.saved_queries import saved_queries
from pageturner.table_names import CHANGES_COLUMNS, RUNS_COLUMNS, TARGETS_COLUMNS
from tests.infra.conftest import Synth


@pytest.mark.parametrize(
    ("name", "folder", "columns", "partition_keys"),
    [
        ("changes", "/changes/", CHANGES_COLUMNS, ["crawl", "run"]),
        ("runs", "/summaries/runs/", RUNS_COLUMNS, []),
        ("targets", "/summaries/targets/", TARGETS_COLUMNS, []),
    ],
)
def test_a_table_that_all_crawls_share(
    template: Template, name: str, folder: str, columns: Any, partition_keys: list[str]
) -> None:
    template.has_resource_properties(
        "AWS::Glue::Table",
        {
            "DatabaseName": "pageturner",
            "TableInput": {
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"classification": "parquet"},
                "PartitionKeys": [{"Name": key, "Type": "string"} for key in partition_keys],
                "StorageDescriptor": {
                    "Columns": [{"Name": column, "Type": kind} for column, kind in columns],
                    "Location": {"Fn::Join": ["", ["s3://", {"Ref": Match.any_value()}, folder]]},
                    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                    "SerdeInfo": {
                        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                        "Parameters": {"serialization.format": "1"},
                    },
                },
            },
        },
    )


def test_tables_and_queries_come_after_what_they_are_in(resources: dict[str, Any]) -> None:
    for kind, within in {"AWS::Glue::Table": "Database", "AWS::Athena::NamedQuery": "WorkGroup"}.items():
        found = [each for each in resources.values() if each["Type"] == kind]
        assert found
        assert all(within in str(each["DependsOn"]) for each in found)


def test_the_name_of_the_database_needs_no_quotes(synth: Synth) -> None:
    template = synth(stack_name="My-Crawls")
    template.has_resource_properties("AWS::Glue::Database", {"DatabaseInput": {"Name": "my_crawls"}})
    template.has_output("Database", {"Value": "my_crawls"})
    template.has_output("WorkGroup", {"Value": "My-Crawls"})


def test_a_query_cannot_scan_everything_nor_put_its_results_elsewhere(synth: Synth) -> None:
    synth(query_scan_limit_gb="5").has_resource_properties(
        "AWS::Athena::WorkGroup",
        {
            "Name": "Pageturner",
            "RecursiveDeleteOption": True,
            "WorkGroupConfiguration": {
                "EnforceWorkGroupConfiguration": True,
                "BytesScannedCutoffPerQuery": 5 * 1024**3,
                "ResultConfiguration": {
                    "OutputLocation": {"Fn::Join": ["", ["s3://", {"Ref": Match.any_value()}, "/athena-results/"]]},
                    "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
                },
            },
        },
    )


def test_the_workgroup_has_the_saved_queries(template: Template) -> None:
    queries = saved_queries(["buckets"])
    template.resource_count_is("AWS::Athena::NamedQuery", len(queries))
    for query in queries:
        template.has_resource_properties(
            "AWS::Athena::NamedQuery",
            {"Name": query.name, "Database": "pageturner", "WorkGroup": "Pageturner", "QueryString": query.sql},
        )
