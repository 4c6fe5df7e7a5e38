"""In-memory Glue and EventBridge, with only what publishing asks of them; as strict as the fakes of S3 and DynamoDB."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from pageturner.publish.tables import PUBLICATION
from tests.fakes import client_error

# EventBridge User Guide, "Quotas" and "PutEvents".
_MOST_ENTRIES = 10
_MOST_BYTES = 256 * 1024


@dataclass
class FakeGlue:
    """The tables of one database, and their partitions. Unlike moto, it heeds `VersionId`."""

    database: str = "pageturner"
    tables: dict[str, dict[str, Any]] = field(default_factory=lambda: {"changes": {"Name": "changes"}})
    partitions: dict[tuple[str, tuple[str, ...]], dict[str, Any]] = field(default_factory=dict)
    _lock: Any = field(default_factory=RLock, repr=False)

    def get_table(self, *, DatabaseName: str, Name: str) -> dict[str, Any]:
        return {"Table": deepcopy(self._found(DatabaseName, Name, "GetTable"))}

    def create_table(self, *, DatabaseName: str, TableInput: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            assert DatabaseName == self.database
            if TableInput["Name"] in self.tables:
                raise client_error("AlreadyExistsException", "CreateTable")
            self.tables[TableInput["Name"]] = {**_checked(TableInput), "VersionId": "0"}
        return {}

    def update_table(
        self, *, DatabaseName: str, TableInput: Mapping[str, Any], VersionId: str, SkipArchive: bool
    ) -> dict[str, Any]:
        with self._lock:
            there = self._found(DatabaseName, TableInput["Name"], "UpdateTable")
            if not self.is_version(there, VersionId):
                raise client_error("ConcurrentModificationException", "UpdateTable")
            self.tables[TableInput["Name"]] = {**_checked(TableInput), "VersionId": str(int(there["VersionId"]) + 1)}
        return {}

    def batch_create_partition(
        self, *, DatabaseName: str, TableName: str, PartitionInputList: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        self._found(DatabaseName, TableName, "BatchCreatePartition")
        errors = []
        for each in PartitionInputList:
            assert set(each) == {"Values", "StorageDescriptor"}
            key = TableName, tuple(each["Values"])
            if key in self.partitions:
                errors.append(
                    {"PartitionValues": each["Values"], "ErrorDetail": {"ErrorCode": "AlreadyExistsException"}}
                )
            else:
                self.partitions[key] = dict(each["StorageDescriptor"])
        return {"Errors": errors}

    def is_version(self, table: Mapping[str, Any], version: str) -> bool:
        """Whether nobody has written a table since."""
        return bool(table["VersionId"] == version)

    def number(self, name: str) -> int:
        """The publication that a table shows."""
        return int(self.tables[name]["Parameters"][PUBLICATION]) if name in self.tables else 0

    def _found(self, database: str, name: str, operation: str) -> dict[str, Any]:
        assert database == self.database
        if name not in self.tables:
            raise client_error("EntityNotFoundException", operation)
        return self.tables[name]


def _checked(table: Mapping[str, Any]) -> Mapping[str, Any]:
    known = {"Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor", "Description"}
    assert set(table) <= known, set(table) - known
    assert all(isinstance(value, str) for value in table["Parameters"].values())
    columns = [each["Name"] for each in (*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"])]
    assert len(set(columns)) == len(columns)
    return table


@dataclass
class FakeEvents:
    """EventBridge: it takes all events that are not too large."""

    sent: list[dict[str, Any]] = field(default_factory=list)

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        assert 1 <= len(Entries) <= _MOST_ENTRIES
        for each in Entries:
            assert set(each) == {"Source", "DetailType", "Detail"}
        if sum(len(text.encode()) for each in Entries for text in each.values()) > _MOST_BYTES:
            raise client_error("ValidationException", "PutEvents")
        self.sent += [{**each, "Detail": json.loads(each["Detail"])} for each in Entries]
        return {"FailedEntryCount": 0, "Entries": [{"EventId": str(number)} for number, _ in enumerate(Entries)]}


@dataclass
class FakeSns:
    """SNS: it takes all notices that are not too large."""

    sent: list[dict[str, Any]] = field(default_factory=list)

    def publish(self, *, TopicArn: str, Subject: str, Message: str, MessageAttributes: Mapping[str, Any]) -> Any:
        assert 1 <= len(Subject) < 100
        assert Subject.isascii()
        assert Subject.isprintable()
        assert 1 <= len(Message.encode()) <= _MOST_BYTES
        kind = MessageAttributes["kind"]["StringValue"]
        self.sent.append({"topic": TopicArn, "subject": Subject, "message": Message, "kind": kind})
        return {"MessageId": str(len(self.sent))}
