"""What only publishing asks: Glue and EventBridge in memory, and DuckDB and its threads as virtual time needs them.

The fakes are strict, as those in `tests.fakes` are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar

import duckdb
from duckdb import connect as connect_to_duckdb

from pageturner.publish.tables import PUBLICATION
from tests.fakes import client_error

_PARTITIONED = ("changes",)


@dataclass
class FakeGlue:
    """The tables of a database, each with its version, and their partitions."""

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    partitions: dict[tuple[str, ...], Mapping[str, Any]] = field(default_factory=dict)  # by table and values

    def get_table(self, *, DatabaseName: str, Name: str) -> dict[str, Any]:
        if Name not in self.tables:
            raise client_error("EntityNotFoundException", "GetTable")
        return {"Table": {**json.loads(json.dumps(self.tables[Name])), "VersionId": str(self.versions[Name])}}

    def create_table(self, *, DatabaseName: str, TableInput: Mapping[str, Any]) -> dict[str, Any]:
        if TableInput["Name"] in self.tables:
            raise client_error("AlreadyExistsException", "CreateTable")
        self._write(TableInput)
        return {}

    def update_table(
        self, *, DatabaseName: str, TableInput: Mapping[str, Any], VersionId: str, SkipArchive: bool
    ) -> dict[str, Any]:
        if TableInput["Name"] not in self.tables:
            raise client_error("EntityNotFoundException", "UpdateTable")
        if not self.is_version(TableInput["Name"], VersionId):
            raise client_error("ConcurrentModificationException", "UpdateTable")
        self._write(TableInput)
        return {}

    def is_version(self, name: str, version: str) -> bool:
        """Whether nobody has written a table since."""
        return version == str(self.versions[name])

    def batch_create_partition(
        self, *, DatabaseName: str, TableName: str, PartitionInputList: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        if TableName not in self.tables and TableName not in _PARTITIONED:
            raise client_error("EntityNotFoundException", "BatchCreatePartition")
        errors = []
        for each in PartitionInputList:
            of = TableName, *each["Values"]
            if of in self.partitions:
                detail = {"ErrorCode": "AlreadyExistsException", "ErrorMessage": "Partition already exists."}
                errors.append({"PartitionValues": each["Values"], "ErrorDetail": detail})
            self.partitions.setdefault(of, each["StorageDescriptor"])
        return {"Errors": errors}

    def number(self, name: str) -> int:
        """The publication that a table shows."""
        return int(self.tables[name]["Parameters"][PUBLICATION]) if name in self.tables else 0

    def _write(self, table: Mapping[str, Any]) -> None:
        known = {"Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor"}
        assert set(table) == known, set(table) ^ known
        self.tables[table["Name"]] = json.loads(json.dumps(table))
        self.versions[table["Name"]] = self.versions.get(table["Name"], -1) + 1


@dataclass
class FakeEvents:
    """The events that were sent, each as its type and detail."""

    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        assert 1 <= len(Entries) <= 10
        for each in Entries:
            assert set(each) == {"Source", "DetailType", "Detail"}
            self.sent.append((each["DetailType"], json.loads(each["Detail"])))
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in Entries]}


class Done:
    """A future of work that was done at once."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._error: Exception | None = None
        try:
            self._result = work()
        except Exception as error:  # noqa: BLE001 - whoever asks for the result hears it
            self._error = error

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._result


class InlineExecutor:
    """Does all work in the caller's thread, which is the invocation's: it takes its turns there."""

    def __init__(self, max_workers: int) -> None:
        assert max_workers > 0

    def __enter__(self) -> InlineExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Done:
        return Done(lambda: work(*arguments))

    def map(self, work: Callable[[Any], Any], each: Iterable[Any]) -> Iterator[Any]:
        return map(work, each)


class Connection:
    """A database of its own on the one connection of this process: to open another takes 30 ms."""

    _shared: ClassVar[duckdb.DuckDBPyConnection | None] = None
    _numbers: ClassVar[Iterator[int]] = count(1)

    def __init__(self) -> None:
        if Connection._shared is None:
            Connection._shared = connect_to_duckdb(config={"threads": 1, "preserve_insertion_order": "false"})
            Connection._shared.execute("SET TimeZone = 'UTC'")
        self._name = f"of_{next(self._numbers)}"
        self._own = Connection._shared.cursor()
        self._own.execute(f"ATTACH ':memory:' AS {self._name}")
        self._own.execute(f"USE {self._name}")
        self._cursors: list[duckdb.DuckDBPyConnection] = []

    def execute(self, query: str, values: list[Any] | None = None) -> duckdb.DuckDBPyConnection:
        return self._own.execute(query, values)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        cursor = self._own.cursor()
        cursor.execute(f"USE {self._name}")
        self._cursors.append(cursor)
        return cursor

    def close(self) -> None:
        for cursor in self._cursors:
            cursor.close()
        self._own.execute("USE memory")
        self._own.execute(f"DETACH {self._name}")
        self._own.close()


def connect(config: Mapping[str, Any]) -> Connection:
    """In place of `duckdb.connect`."""
    assert "temp_directory" in config
    return Connection()
