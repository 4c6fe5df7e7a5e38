"""DuckDB and its threads as virtual time needs them."""

from __future__ import annotations

import atexit
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
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


# Stands for a connection's folder.
_FOLDER = "{folder}"
_FILE = re.compile(r"'\{folder\}/([^']+)'")


@dataclass(frozen=True)
class Statement:
    """A statement, and the files in the connection's folder that it reads, by their names."""

    query: str
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Answer:
    """What a statement returned, and the file that it wrote."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    written: bytes | None


class Cursor:
    """The rows of one statement after the other."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: Iterator[tuple[Any, ...]] = iter(())
        self.columns: list[str] = []

    def execute(self, query: str) -> Cursor:
        answer = self._connection.answer(query)
        self._rows, self.columns = iter(answer.rows), answer.columns
        return self

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        return list(islice(self._rows, size))

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)


class Connection:
    """A database whose files are all in one folder. DuckDB is asked nothing twice.

    Whoever publishes anew what was killed, or does it late, gives the same statements on the same files. They have the
    answers of the first time (none depends on anything else, such as the time); statements that make tables wait until
    one comes that has no answer yet.
    """

    _answers: ClassVar[dict[bytes, Answer]] = {}  # by the digest of all statements and files so far

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._digest = b""
        self._waiting: list[Statement] = []
        self._database: Database | None = None

    def execute(self, query: str) -> Cursor:
        return self.cursor().execute(query)

    def cursor(self) -> Cursor:
        return Cursor(self)

    def answer(self, query: str) -> Answer:
        """Return what DuckDB answers. Raises `duckdb.Error`."""
        text = query.replace(self._folder, _FOLDER)
        names = _FILE.findall(text)
        written = names.pop() if text.startswith("COPY") else None
        statement = Statement(text, {name: Path(self._folder, name).read_bytes() for name in names})
        self._digest = sha256(pickle.dumps((self._digest, text, statement.files))).digest()
        if self._digest not in self._answers:
            self._answers[self._digest] = self._asked(statement, written)
        elif not text.startswith(("COPY", "SELECT", "FROM")):
            self._waiting.append(statement)
        found = self._answers[self._digest]
        if written is not None and found.written is not None:
            Path(self._folder, written).write_bytes(found.written)
        return found

    def _asked(self, statement: Statement, written: str | None) -> Answer:
        if self._database is None:
            self._database = Database()
        for each in self._waiting:
            self._database.execute(each)
        self._waiting.clear()
        done = self._database.execute(statement)
        columns = [column[0] for column in done.description or ()]
        return Answer(columns, done.fetchall(), Path(self._database.folder, written).read_bytes() if written else None)

    def close(self) -> None:
        if self._database is not None:
            self._database.close()


class Database:
    """A database of its own on the one connection of this process: to open another takes 30 ms.

    All share a folder: files that statements read may be gone from where they were.
    """

    folder: ClassVar[str] = ""

    _shared: ClassVar[duckdb.DuckDBPyConnection | None] = None
    _numbers: ClassVar[Iterator[int]] = count(1)

    def __init__(self) -> None:
        if Database._shared is None:
            Database._shared = connect_to_duckdb(config={"threads": 1, "preserve_insertion_order": "false"})
            Database._shared.execute("SET TimeZone = 'UTC'")
            folder = TemporaryDirectory()
            atexit.register(folder.cleanup)
            Database.folder = folder.name
        self._name = f"of_{next(self._numbers)}"
        self._own = Database._shared.cursor()
        self._own.execute(f"ATTACH ':memory:' AS {self._name}")
        self._own.execute(f"USE {self._name}")

    def execute(self, statement: Statement) -> duckdb.DuckDBPyConnection:
        for name, body in statement.files.items():
            Path(self.folder, name).write_bytes(body)
        return self._own.execute(statement.query.replace(_FOLDER, self.folder))

    def close(self) -> None:
        self._own.execute("USE memory")
        self._own.execute(f"DETACH {self._name}")
        self._own.close()


def connect(config: Mapping[str, Any]) -> Connection:
    """In place of `duckdb.connect`."""
    return Connection(str(Path(config["temp_directory"]).parent))


def parquet_rows(files: Sequence[bytes]) -> list[dict[str, Any]]:
    """The rows of Parquet files of the same columns, each a dict."""
    if not files:
        return []
    with TemporaryDirectory() as folder:
        paths = [str(Path(folder, f"{number}.parquet")) for number in range(len(files))]
        for path, body in zip(paths, files, strict=True):
            Path(path).write_bytes(body)
        with closing(Connection(folder)) as db:
            read = db.execute(f"FROM read_parquet({paths}, hive_partitioning = false)")
            return [dict(zip(read.columns, row, strict=True)) for row in read.fetchall()]
