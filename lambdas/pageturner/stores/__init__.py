"""The stores: page objects in S3; items, runs, checkpoints and target records in DynamoDB."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pageturner import clients

if TYPE_CHECKING:
    from pageturner.stores.checkpoints import CheckpointStore
    from pageturner.stores.executions import ExecutionStore
    from pageturner.stores.history import History
    from pageturner.stores.item_table import ItemTable
    from pageturner.stores.paces import PaceStore
    from pageturner.stores.page_store import PageStore
    from pageturner.stores.publications import PublicationStore
    from pageturner.stores.publishing_fences import PublishingFences
    from pageturner.stores.run_table import RunTable
    from pageturner.stores.runs_and_locks import RunStore
    from pageturner.stores.target_records import TargetRecords
    from pageturner.stores.triggers import TriggerStore
    from pageturner.stores.unfinished_pages import UnfinishedPages
    from pageturner.stores.witness_records import WitnessRecords


class Stores:
    """The stores of a deployment, each created on first use. `client` creates the client of a service.

    Each is imported on first use, too: FetchPage's first page needs three of them, and waits for all that is imported.
    """

    def __init__(self, client: Callable[[str], Any], bucket: str, items_table: str, runs_table: str) -> None:
        self._client = client
        self._bucket = bucket
        self._items_table = items_table
        self._runs_table = runs_table

    @classmethod
    def of_environment(cls) -> Stores:
        """Return the stores that the function's environment variables name."""
        return cls(clients.client, *(os.environ[name] for name in ("ITEMS_BUCKET", "ITEMS_TABLE", "RUNS_TABLE")))

    @cached_property
    def pages(self) -> PageStore:
        """The page objects, and the other objects of a run."""
        from pageturner.stores.page_store import PageStore

        return PageStore(self._client("s3"), self._bucket)

    @cached_property
    def unfinished_pages(self) -> UnfinishedPages:
        """Pages whose items lack details."""
        from pageturner.stores.unfinished_pages import UnfinishedPages

        return UnfinishedPages(self._client("s3"), self._bucket)

    @cached_property
    def items(self) -> ItemTable:
        """The items."""
        from pageturner.stores.item_table import ItemTable

        return ItemTable(self._client("dynamodb"), self._items_table, self.fences)

    @cached_property
    def runs(self) -> RunStore:
        """Runs and locks."""
        from pageturner.stores.runs_and_locks import RunStore

        return RunStore(self._run_table)

    @cached_property
    def history(self) -> History:
        """All runs, and how each crawl is."""
        from pageturner.stores.history import History

        return History(self._run_table)

    @cached_property
    def triggers(self) -> TriggerStore:
        """Which executions took triggers."""
        from pageturner.stores.triggers import TriggerStore

        return TriggerStore(self._run_table)

    @cached_property
    def executions(self) -> ExecutionStore:
        """The executions that turn pages."""
        from pageturner.stores.executions import ExecutionStore

        return ExecutionStore(self._run_table)

    @cached_property
    def fences(self) -> PublishingFences:
        """The fences of crawls."""
        from pageturner.stores.publishing_fences import PublishingFences

        return PublishingFences(self._client("dynamodb"), self._runs_table)

    @cached_property
    def checkpoints(self) -> CheckpointStore:
        """Checkpoints, which are page records."""
        from pageturner.stores.checkpoints import CheckpointStore

        return CheckpointStore(self._run_table)

    @cached_property
    def targets(self) -> TargetRecords:
        """Records of targets, besides their pages."""
        from pageturner.stores.target_records import TargetRecords

        return TargetRecords(self._run_table)

    @cached_property
    def paces(self) -> PaceStore:
        """What those share that ask the same service in the same account and region."""
        from pageturner.stores.paces import PaceStore

        return PaceStore(self._run_table)

    @cached_property
    def witnesses(self) -> WitnessRecords:
        """Records of how many items others counted."""
        from pageturner.stores.witness_records import WitnessRecords

        return WitnessRecords(self._run_table)

    @cached_property
    def publications(self) -> PublicationStore:
        """What is published of each crawl."""
        from pageturner.stores.publications import PublicationStore

        return PublicationStore(self._run_table, self.pages)

    @cached_property
    def _run_table(self) -> RunTable:
        from pageturner.stores.run_table import RunTable

        return RunTable(self._client("dynamodb"), self._runs_table)
