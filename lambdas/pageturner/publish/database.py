"""DuckDB, in a folder of its own that goes with it: what does not fit into memory is on the function's disk."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pageturner.errors import CannotPublishError

# DuckDB's limit is for its buffers; Python, botocore and what DuckDB allocates besides need the rest.
_SHARE_OF_MEMORY = 0.6
_MEMORY_MB = 3008
_LONGEST_MESSAGE = 500
_QUOTED = re.compile(r"(?<!\w)['\"].*['\"]", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w…])[-+]?\d[\w.,:+-]*")
# So many rows of a stream are in memory.
_AT_ONCE = 1000


@dataclass(frozen=True)
class Database:
    """A connection, and the folder for the files that it reads and writes."""

    folder: Path
    _connection: duckdb.DuckDBPyConnection

    def execute(self, query: str) -> None:
        """Execute a query. Raises `CannotPublishError`."""
        with _as_cannot_publish():
            self._connection.execute(query)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query, which are few. Raises `CannotPublishError`."""
        with _as_cannot_publish():
            return self._connection.execute(query).fetchall()

    def stream(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, which may be many. Other queries may be executed meanwhile."""
        cursor = self._connection.cursor()
        with _as_cannot_publish():
            cursor.execute(query)
        while True:
            with _as_cannot_publish():
                found = cursor.fetchmany(_AT_ONCE)
            if not found:
                return
            yield from found

    def load(self, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> None:
        """Make a table of what Python has: `columns` are names with DuckDB's types. Raises `CannotPublishError`."""
        # A file is the fast way to many rows.
        path = self.folder / f"{table}.json"
        # A lone surrogate, as a member's name may have, is a question mark: DuckDB takes none.
        with path.open("w", encoding="utf-8", errors="replace") as file:
            lines = (json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in rows)
            file.writelines(f"{line}\n" for line in lines)
        typed = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in columns.items())
        source = f"read_json({quoted(str(path))}, format = 'newline_delimited', columns = {{{typed}}})"
        self.execute(f"CREATE OR REPLACE TABLE {table} AS FROM {source}")
        path.unlink()


@contextmanager
def database() -> Iterator[Database]:
    """Open a database that is gone afterwards."""
    memory = int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", _MEMORY_MB))
    with tempfile.TemporaryDirectory(prefix="publish-") as folder:
        connection = duckdb.connect(
            config={
                "memory_limit": f"{int(memory * _SHARE_OF_MEMORY)}MB",
                "temp_directory": f"{folder}/spilled",
                # Nothing is downloaded: what is needed is in the wheel.
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                # All queries that write say their order.
                "preserve_insertion_order": "false",
            }
        )
        try:
            connection.execute("SET TimeZone = 'UTC'")
            yield Database(Path(folder), connection)
        finally:
            connection.close()


@contextmanager
def _as_cannot_publish() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise CannotPublishError(f"DuckDB cannot publish this: {type(error).__name__}: {_message(error)}") from error


def _message(error: duckdb.Error) -> str:
    """What DuckDB says, without the data, which it quotes: numbers as they are, and texts between quotes."""
    said = str(error)
    if not isinstance(error, duckdb.OutOfMemoryException | duckdb.IOException):
        said = _NUMBER.sub("…", _QUOTED.sub("…", said.partition("Input:")[0]))
    return said.partition("\n")[0][:_LONGEST_MESSAGE].strip()


def quoted(text: str) -> str:
    """A string in SQL."""
    return "'" + text.replace("'", "''") + "'"


def names_of(paths: Sequence[Path]) -> str:
    """A list of files in SQL."""
    return f"[{', '.join(quoted(str(path)) for path in paths)}]"
