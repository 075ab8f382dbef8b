"""What outlives the process: databases, names and rows in one SQLite file, written behind the commits.

A commit is answered before it is on the disk, as on the real server; a crash loses the newest ones, in order.
"""

import contextlib
import json
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.reference.spacetime.rows import Row, compact
from harness.reference.spacetime.schema import TABLES
from harness.reference.spacetime.transaction import TableDelta

# Commits that come within this time of each other are written in one SQLite transaction.
LINGER_S = 0.005
FLUSH_WAIT_S = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS databases (
    identity TEXT PRIMARY KEY, owner TEXT NOT NULL, program TEXT NOT NULL, replica INTEGER NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY, registrar TEXT NOT NULL, identity TEXT);
CREATE TABLE IF NOT EXISTS replicas (next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS rows (
    replica INTEGER NOT NULL, table_id INTEGER NOT NULL, slot INTEGER NOT NULL, row TEXT NOT NULL,
    PRIMARY KEY (replica, table_id, slot)) WITHOUT ROWID;
"""
_DELETE_ROW = "DELETE FROM rows WHERE replica = ? AND table_id = ? AND slot = ?"
_PUT_ROW = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)"

_log = logging.getLogger(__name__)
Parameters = tuple[object, ...]
Write = tuple[str, Sequence[Parameters]]


@dataclass(frozen=True, slots=True)
class StoredDatabase:
    """A database as it is kept: identities and program hash are hex digits."""

    identity: str
    owner: str
    program: str
    replica: int


@dataclass(frozen=True, slots=True)
class StoredName:
    """A registered name: who registered it, and the database it stands for, if any."""

    name: str
    registrar: str
    identity: str | None


@dataclass(frozen=True, slots=True)
class _Flush:
    done: threading.Event


class Journal:
    """The one writer of the file. Reading happens once, before the writer starts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[Write | _Flush | None] = queue.SimpleQueue()
        with _connected(path) as connection:
            connection.executescript(_SCHEMA)
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)

    def start(self) -> None:
        """Starts the writer."""
        self._thread.start()

    def databases(self) -> list[StoredDatabase]:
        """All databases."""
        return [StoredDatabase(*row) for row in self._read("SELECT * FROM databases")]

    def names(self) -> list[StoredName]:
        """All registered names."""
        return [StoredName(*row) for row in self._read("SELECT * FROM names")]

    def next_replica(self) -> int:
        """The first replica number that was never used."""
        return max((number for (number,) in self._read("SELECT next FROM replicas")), default=1)

    def rows(self, replica: int) -> dict[str, dict[int, Row]]:
        """The rows of one replica by table name and slot."""
        tables = {table.table_id: name for name, table in TABLES.items()}
        found: dict[str, dict[int, Row]] = {name: {} for name in TABLES}
        query = "SELECT table_id, slot, row FROM rows WHERE replica = ?"
        for table_id, slot, text in self._read(query, (replica,)):
            found[tables[table_id]][slot] = tuple(json.loads(text))
        return found

    def put_database(self, database: StoredDatabase) -> None:
        """Keeps a database, new or changed."""
        fields = (database.identity, database.owner, database.program, database.replica)
        self._put("INSERT OR REPLACE INTO databases VALUES (?, ?, ?, ?)", fields)
        self._put("DELETE FROM replicas")
        self._put("INSERT INTO replicas VALUES (?)", (database.replica + 1,))

    def drop_database(self, identity: str) -> None:
        """Forgets a database; its names stay registered."""
        self._put("DELETE FROM databases WHERE identity = ?", (identity,))

    def drop_rows(self, replica: int) -> None:
        """Forgets all rows of a replica."""
        self._put("DELETE FROM rows WHERE replica = ?", (replica,))

    def put_name(self, name: StoredName) -> None:
        """Keeps a name, new or changed."""
        self._put("INSERT OR REPLACE INTO names VALUES (?, ?, ?)", (name.name, name.registrar, name.identity))

    def put_commit(self, replica: int, deltas: Iterable[TableDelta]) -> None:
        """Keeps what a commit changed."""
        for delta in deltas:
            table_id = delta.table.table_id
            if delta.freed:
                self._queue.put((_DELETE_ROW, [(replica, table_id, slot) for slot in delta.freed]))
            if delta.stored:
                rows = [(replica, table_id, slot, compact(row)) for slot, row in delta.stored]
                self._queue.put((_PUT_ROW, rows))

    def flush(self) -> None:
        """Waits until everything so far is written."""
        flush = _Flush(threading.Event())
        self._queue.put(flush)
        flush.done.wait(FLUSH_WAIT_S)

    def stop(self) -> None:
        """Writes what is left and ends the writer."""
        self._queue.put(None)
        self._thread.join(FLUSH_WAIT_S)

    def _put(self, statement: str, parameters: Parameters = ()) -> None:
        self._queue.put((statement, [parameters]))

    def _read(self, query: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        with _connected(self._path) as connection:
            return connection.execute(query, parameters).fetchall()

    def _write(self) -> None:
        try:
            with _connected(self._path) as connection:
                while self._write_batch(connection):
                    time.sleep(LINGER_S)
        except sqlite3.Error:
            # As on the real server: who cannot keep what it acknowledged must not go on acknowledging.
            _log.critical("cannot write the journal", exc_info=True)
            os._exit(1)

    def _write_batch(self, connection: sqlite3.Connection) -> bool:
        """Writes all that waits in one transaction; False when the end was reached."""
        waiting = [self._queue.get()]
        while not self._queue.empty():
            waiting.append(self._queue.get())
        connection.execute("BEGIN")
        for write in waiting:
            if isinstance(write, tuple):
                connection.executemany(*write)
        connection.execute("COMMIT")
        for write in waiting:
            if isinstance(write, _Flush):
                write.done.set()
        return None not in waiting


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for the length of a block, closed at its end."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        yield connection
    finally:
        connection.close()
