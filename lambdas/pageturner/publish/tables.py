"""The tables of a crawl in the Glue Data Catalog: the one of its current publication, and the one of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pageturner import table_names
from pageturner.errors import SinkError
from pageturner.own_resources import as_sink_error
from pageturner.publish.columns import Column, all_columns
from pageturner.publish.operation_tables import columns_in_glue
from pageturner.stores import keys
from pageturner.stores.publications import Columns, Publication

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import ColumnTypeDef, StorageDescriptorTypeDef, TableInputTypeDef, TableTypeDef

# The table's parameter that has the number of the publication that wrote it last.
PUBLICATION = "pageturner.publication"
# Those who write at the same time are workers at one publication, or at one that was given up: a few.
_MOST_TRIES = 10


class Tables:
    """Moves the tables of crawls from publication to publication, and never back."""

    def __init__(self, client: GlueClient, database: str, bucket: str) -> None:
        self._client = client
        self._database = database
        self._bucket = bucket

    def move(self, publication: Publication, columns: Sequence[Column]) -> None:
        """Make the tables of a crawl show a publication, unless they show a newer one. Repeating this is harmless.

        The publication also becomes a partition of the table of all its crawl's publications, and what it changed one
        of `changes`. Raises `SinkError`.
        """
        crawl, name, number = publication.crawl, publication.name, publication.number
        files = self._files(all_columns(columns), keys.table_prefix(crawl, name))
        changes = self._files(table_names.CHANGES_COLUMNS, keys.changes_prefix(crawl, name))
        self._add_partition(table_names.CHANGES, [crawl, name], changes)
        history = table_names.history_name(crawl)
        all_files = self._files(all_columns(columns), keys.table_prefix(crawl))
        self._bring_forward(history, number, all_files, table_names.HISTORY_PARTITION_KEYS)
        # Its columns can be fewer than the table's: Athena reads Parquet by the columns' names (Athena User Guide,
        # "Update tables with partitions").
        self._add_partition(history, [name], files)
        self._bring_forward(table_names.table_name(crawl), number, files, ())

    def move_others(self, publication: Publication, tables: Mapping[str, Columns]) -> None:
        """Make the tables of the operations of a crawl, and `resources`, show a publication. Raises `SinkError`."""
        for table, columns in {**tables, table_names.TABLE_OF_ALL: ()}.items():
            prefix = keys.table_prefix(publication.crawl, publication.name, table)
            files = self._files(columns_in_glue(table, columns), prefix)
            self._bring_forward(
                table_names.operation_table_name(publication.crawl, table), publication.number, files, ()
            )

    def _bring_forward(
        self, name: str, number: int, files: StorageDescriptorTypeDef, partition_keys: Sequence[str]
    ) -> None:
        """Create a table, or update it if an older publication wrote it."""
        with as_sink_error(f"could not move table {name} in database {self._database} of Glue"):
            for _ in range(_MOST_TRIES):
                found = self._found(name)
                parameters = found.get("Parameters", {}) if found is not None else {}
                if int(parameters.get(PUBLICATION, 0)) >= number:
                    return
                table: TableInputTypeDef = {
                    "Name": name,
                    "TableType": "EXTERNAL_TABLE",
                    # What others have written on the table stays.
                    "Parameters": {
                        **parameters,
                        "EXTERNAL": "TRUE",
                        "classification": "parquet",
                        PUBLICATION: str(number),
                    },
                    "PartitionKeys": [{"Name": key, "Type": "string"} for key in partition_keys],
                    "StorageDescriptor": files,
                }
                if found is not None and "Description" in found:
                    table["Description"] = found["Description"]
                if self._write(table, found):
                    return
        raise SinkError(f"could not move table {name} in database {self._database} of Glue: others keep changing it")

    def _found(self, name: str) -> TableTypeDef | None:
        try:
            return self._client.get_table(DatabaseName=self._database, Name=name)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityNotFoundException":
                raise
            return None

    def _write(self, table: TableInputTypeDef, found: TableTypeDef | None) -> bool:
        """Write a table that was `found` like this. Returns False if somebody has written it meanwhile."""
        try:
            if found is None:
                self._client.create_table(DatabaseName=self._database, TableInput=table)
            else:
                # Glue keeps every version that it archives, and S3 has what each publication was.
                self._client.update_table(
                    DatabaseName=self._database, TableInput=table, VersionId=found["VersionId"], SkipArchive=True
                )
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("AlreadyExistsException", "ConcurrentModificationException"):
                raise
            return False
        return True

    def _add_partition(self, table: str, values: list[str], files: StorageDescriptorTypeDef) -> None:
        what = f"could not add partition {'/'.join(values)} to table {table} in database {self._database} of Glue"
        with as_sink_error(what):
            response = self._client.batch_create_partition(
                DatabaseName=self._database,
                TableName=table,
                PartitionInputList=[{"Values": values, "StorageDescriptor": files}],
            )
        for each in response.get("Errors", []):
            detail = each.get("ErrorDetail", {})
            if detail.get("ErrorCode") != "AlreadyExistsException":
                raise SinkError(f"{what}: {detail.get('ErrorCode')}: {detail.get('ErrorMessage')}")

    def _files(self, columns: Sequence[tuple[str, str]], prefix: str) -> StorageDescriptorTypeDef:
        described: list[ColumnTypeDef] = [{"Name": name, "Type": kind} for name, kind in columns]
        return {
            "Columns": described,
            "Location": f"s3://{self._bucket}/{prefix}",
            "InputFormat": table_names.INPUT_FORMAT,
            "OutputFormat": table_names.OUTPUT_FORMAT,
            "SerdeInfo": {
                "SerializationLibrary": table_names.SERDE,
                "Parameters": {"serialization.format": "1"},
            },
        }
