"""What SQL finds: the Glue database with the tables that all crawls share, and an Athena workgroup with queries.

The table of a crawl is made and widened by publishing, because its columns are those of the crawl's items.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from aws_cdk import Aws, Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.grants import grant
from infra.item_store import ATHENA_RESULTS_PREFIX
from infra.saved_queries import saved_queries
from infra.settings import Settings
from pageturner import table_names

_BYTES_OF_A_GIGABYTE = 1024**3
_MOVES_TABLES = tuple(f"glue:{action}" for action in ("GetTable", "CreateTable", "UpdateTable", "BatchCreatePartition"))


class Sql(Construct):
    """`database` and `workgroup` are names: people type them."""

    def __init__(
        self, scope: Construct, construct_id: str, *, bucket: s3.IBucket, settings: Settings, crawls: Iterable[str]
    ) -> None:
        super().__init__(scope, construct_id)
        self._bucket = bucket
        stack_name = Stack.of(self).stack_name
        # Glue's names are lower-case, and a hyphen would have to be quoted in each query.
        self.database = re.sub(r"[^a-z0-9_]", "_", stack_name.lower())
        self.workgroup = stack_name
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=self.database, description="Pageturner: what the crawls list, and what has changed"
            ),
        )
        for name, folder, columns, partition_keys in (
            (table_names.CHANGES, "changes/", table_names.CHANGES_COLUMNS, table_names.CHANGES_PARTITION_KEYS),
            (table_names.RUNS, "summaries/runs/", table_names.RUNS_COLUMNS, ()),
            (table_names.TARGETS, "summaries/targets/", table_names.TARGETS_COLUMNS, ()),
        ):
            self._table(name, folder, columns, partition_keys).add_resource_dependency(database)
        workgroup = self._workgroup(settings.query_scan_limit_gb)
        # MiniStack refuses a template with a type that it does not know, and this is one.
        for query in () if settings.emulator else saved_queries(crawls):
            athena.CfnNamedQuery(
                self,
                query.name,
                name=query.name,
                description=query.description,
                database=self.database,
                query_string=query.sql,
                work_group=self.workgroup,
            ).add_resource_dependency(workgroup)

    def _table(
        self, name: str, folder: str, columns: Iterable[tuple[str, str]], partition_keys: Iterable[str]
    ) -> glue.CfnTable:
        return glue.CfnTable(
            self,
            name.capitalize(),
            catalog_id=Aws.ACCOUNT_ID,
            database_name=self.database,
            table_input=glue.CfnTable.TableInputProperty(
                name=name,
                table_type="EXTERNAL_TABLE",
                parameters={"classification": "parquet"},
                partition_keys=[glue.CfnTable.ColumnProperty(name=key, type="string") for key in partition_keys],
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    columns=[glue.CfnTable.ColumnProperty(name=column, type=kind) for column, kind in columns],
                    location=f"s3://{self._bucket.bucket_name}/{folder}",
                    input_format=table_names.INPUT_FORMAT,
                    output_format=table_names.OUTPUT_FORMAT,
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library=table_names.SERDE, parameters={"serialization.format": "1"}
                    ),
                ),
            ),
        )

    def _workgroup(self, query_scan_limit_gb: int) -> athena.CfnWorkGroup:
        return athena.CfnWorkGroup(
            self,
            "WorkGroup",
            name=self.workgroup,
            description="Pageturner: queries over what the crawls list",
            # Else it could not be deleted with its queries.
            recursive_delete_option=True,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                bytes_scanned_cutoff_per_query=query_scan_limit_gb * _BYTES_OF_A_GIGABYTE,
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{self._bucket.bucket_name}/{ATHENA_RESULTS_PREFIX}/",
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_S3"
                    ),
                ),
            ),
        )

    def grant_publish(self, grantee: iam.IGrantable) -> None:
        """Let a function move the tables of this database, and tell the default event bus what has changed."""
        stack = Stack.of(self)
        of_glue = [
            stack.format_arn(service="glue", resource=resource, resource_name=name)
            for resource, name in (("catalog", None), ("database", self.database), ("table", f"{self.database}/*"))
        ]
        tables = "each crawl has tables of its own, which publishing makes, in a database that is the stack's"
        grant(grantee, _MOVES_TABLES, of_glue, because=tables)
        bus = stack.format_arn(service="events", resource="event-bus", resource_name="default")
        iam.Grant.add_to_principal(grantee=grantee, actions=["events:PutEvents"], resource_arns=[bus])
