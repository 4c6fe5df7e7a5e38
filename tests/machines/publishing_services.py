"""DuckDB and its threads as virtual time needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from typing import Any, ClassVar

import duckdb
from duckdb import connect as connect_to_duckdb


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
