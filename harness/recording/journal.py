"""The journal: one append-only file that a recording process writes while everything may still go wrong.

Layout, little endian: a header (8 bytes magic, u32 format version), then frames. A frame is u32 payload length,
u32 CRC-32C over table id and payload, u8 table id, payload. The payload is the Arrow IPC message of one record
batch, without its schema: the table id names it. A flush writes one frame a table, in the order of their first
ordinals, so that every flush covers one unbroken stretch of ordinals. The last frame of a journal that was
closed has table id 255 and holds the number of rows (u64): without it the end of the file may be anything.
"""

import fcntl
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, TypeAlias

import google_crc32c
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harness.model.errors import FormatError, HarnessError, UsageError
from harness.recording.tables import JOURNAL_TABLES

MAGIC = b"parityj\n"
VERSION = 1
FLUSH_BYTES = 1 << 20
FLUSH_AFTER_NS = 200_000_000
ROW_BYTES = 64
"""What a row counts for besides its payload; only the moment of a flush depends on it."""

Row: TypeAlias = tuple[Any, ...]
"""The values of one row, in the order of its table's columns."""
Rewrite: TypeAlias = Callable[[list[Row]], list[Row]]
NO_REWRITE: Mapping[int, Rewrite] = MappingProxyType({})

TABLE_IDS = {name: table for table, (name, _) in enumerate(JOURNAL_TABLES)}

_HEADER = struct.Struct("<8sI")
_FRAME = struct.Struct("<IIB")
_END = 255
_ROW_COUNT = struct.Struct("<Q")
_STRUCTS = tuple(pa.struct(list(schema)) for _, schema in JOURNAL_TABLES)
_ID_CRCS = tuple(google_crc32c.value(bytes([table])) for table in range(256))
_NEVER_NS = 1 << 63


class JournalWriter:
    """Appends rows to a new journal.

    Rows are held back until 1 MiB of them waits, or until the first has waited for 200 ms by the caller's clock.
    What a flush has written survives the death of this process; only `close` makes it survive the machine's. One
    thread at a time. While it is open, nobody else can seal the file.
    """

    def __init__(self, path: Path, before_write: Mapping[int, Rewrite] = NO_REWRITE) -> None:
        """Creates the file. The rows of a table named in `before_write` pass through its function at every flush.

        Raises UsageError if the file is there already.
        """
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        except FileExistsError:
            raise UsageError(f"{path} exists already; record into another directory") from None
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._before_write = before_write
        self._pending: list[list[Row]] = [[] for _ in JOURNAL_TABLES]
        self._pending_bytes = 0
        self._due_ns = _NEVER_NS
        self.next_ordinal = 0
        self._size_bytes = 0
        self._closed = False
        self._write([_HEADER.pack(MAGIC, VERSION)])
        # pyarrow imports pandas at its first conversion: a stall of 200 ms that no run should meet later.
        _batch(0, [])

    def add(self, table: int, row: Row, payload_bytes: int, now_ns: int) -> None:
        """Takes a row of table `table` (a position in JOURNAL_TABLES): its columns in order, `next_ordinal` first.

        Raises HarnessError as `flush` does.
        """
        self._pending[table].append(row)
        self.next_ordinal += 1
        if not self._pending_bytes:
            self._due_ns = now_ns + FLUSH_AFTER_NS
        self._pending_bytes += payload_bytes + ROW_BYTES
        if self._pending_bytes >= FLUSH_BYTES or now_ns >= self._due_ns:
            self.flush()

    def flush(self) -> None:
        """Hands every waiting row to the operating system.

        Raises HarnessError if the disk does not take them, if a row does not fit its table, or after `close`. The
        rows of that flush are lost then, and the journal says so when it is read.
        """
        if self._closed:
            self._refuse_late_rows()
            return
        pending, self._pending = self._pending, [[] for _ in JOURNAL_TABLES]
        self._pending_bytes = 0
        self._due_ns = _NEVER_NS
        parts: list[bytes | pa.Buffer] = []
        for _, table in sorted((rows[0][0], table) for table, rows in enumerate(pending) if rows):
            rows = pending[table]
            if table in self._before_write:
                rows = self._before_write[table](rows)
            parts += _framed(table, _batch(table, rows).serialize())
        if parts:
            self._write(parts)

    def close(self) -> None:
        """Writes what waits and the end mark, syncs and closes. Closing twice is closing once."""
        if self._closed:
            return
        try:
            self.flush()
            self._write(_framed(_END, _ROW_COUNT.pack(self.next_ordinal)))
            os.fsync(self._file)
        finally:
            self._closed = True
            self._pending_bytes = FLUSH_BYTES  # so that the next row is refused at once
            os.close(self._file)

    def _refuse_late_rows(self) -> None:
        if any(self._pending):
            raise HarnessError("a row came after the journal was closed; stop what records before closing it")

    def _write(self, parts: list["bytes | pa.Buffer"]) -> None:
        """All of it or nothing: a torn frame would hide whatever is written after it."""
        size_bytes = sum(len(part) for part in parts)
        try:
            written = os.writev(self._file, parts)
            rest = memoryview(b"".join(parts) if written < size_bytes else b"")[written:]
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            os.ftruncate(self._file, self._size_bytes)
            raise HarnessError(
                f"the journal cannot be written ({error.strerror}); make room and record again"
            ) from error
        self._size_bytes += size_bytes


def _batch(table: int, rows: list[Row]) -> pa.RecordBatch:
    try:
        return pa.RecordBatch.from_struct_array(pa.array(rows, _STRUCTS[table]))
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        name = JOURNAL_TABLES[table][0]
        raise HarnessError(
            f"a row of table {name} does not fit its columns ({error}); {len(rows)} rows are lost"
        ) from error


def _framed(table: int, payload: "bytes | pa.Buffer") -> list["bytes | pa.Buffer"]:
    checksum = google_crc32c.extend(_ID_CRCS[table], payload)
    return [_FRAME.pack(len(payload), checksum, table), payload]


@dataclass(frozen=True, slots=True)
class JournalContents:
    """What could be read of a journal."""

    tables: dict[str, pa.Table]
    """Every table of JOURNAL_TABLES, with its columns; empty where no row was read."""
    complete: bool
    """Whether the journal was closed and every row that it ever took is here."""
    damage: str | None
    """What is wrong, where, and how much was kept, in one sentence; None when complete."""
    bytes_read: int


def read_journal(path: Path) -> JournalContents:
    """All rows up to the first bad frame, as the tables of JOURNAL_TABLES.

    Raises FormatError only if the file is no journal or one of a newer version.
    """
    reader = JournalReader(path)
    batches: dict[str, list[pa.RecordBatch]] = {name: [] for name, _ in JOURNAL_TABLES}
    for name, batch in reader:
        batches[name].append(batch)
    tables = {name: pa.Table.from_batches(batches[name], schema) for name, schema in JOURNAL_TABLES}
    return JournalContents(tables, reader.damage is None, reader.damage, reader.bytes_read)


class JournalReader:
    """Iterates a journal's batches without holding them; afterwards `damage` and `bytes_read` are final.

    Yields (table name, record batch with the table's schema), in the order of the file. Raises FormatError if
    the file is no journal or one of a newer version, and nothing else for whatever the file holds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = 0
        self._next_ordinals = [0] * len(JOURNAL_TABLES)
        self.bytes_read = 0
        self.damage: str | None = None

    def __iter__(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        with self._path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            try:
                yield from self._batches(file, size_bytes)
            except _BadFrameError as error:
                self.damage = (
                    f"{self._path.name}: {error} at byte {self.bytes_read} of {size_bytes}; "
                    f"what stands before it is kept ({self._rows} rows)"
                )

    def _batches(self, file: BinaryIO, size_bytes: int) -> Iterator[tuple[str, pa.RecordBatch]]:
        _check_header(file.read(_HEADER.size), self._path.name)
        self.bytes_read = _HEADER.size
        while True:
            table, payload = _next_frame(file, size_bytes - self.bytes_read)
            if table == _END:
                self._check_end(payload, size_bytes)
                return
            batch = self._batch(table, payload)
            self.bytes_read += _FRAME.size + len(payload)
            self._rows += batch.num_rows
            yield JOURNAL_TABLES[table][0], batch

    def _batch(self, table: int, payload: bytes) -> pa.RecordBatch:
        if table >= len(JOURNAL_TABLES):
            raise _BadFrameError(f"a frame of the unknown table {table}")
        name, schema = JOURNAL_TABLES[table]
        try:
            batch = pa.ipc.read_record_batch(pa.py_buffer(payload), schema)
            batch.validate(full=True)
        except Exception as error:  # whatever Arrow makes of hostile bytes
            raise _BadFrameError(
                f"a frame of {name} that Arrow cannot read ({str(error).partition(chr(10))[0]})"
            ) from error
        if any(not field.nullable and batch.column(at).null_count for at, field in enumerate(schema)):
            raise _BadFrameError(f"a frame of {name} that lacks a value")
        self._check_ordinals(table, batch.column(0).to_numpy())
        return batch

    def _check_ordinals(self, table: int, ordinals: npt.NDArray[np.uint64]) -> None:
        if not ordinals.size:
            raise _BadFrameError("a frame without rows")
        if int(ordinals[0]) < self._next_ordinals[table] or not (ordinals[1:] > ordinals[:-1]).all():
            raise _BadFrameError("a frame whose ordinals do not rise")
        self._next_ordinals[table] = int(ordinals[-1]) + 1

    def _check_end(self, payload: bytes, size_bytes: int) -> None:
        if len(payload) != _ROW_COUNT.size:
            raise _BadFrameError(f"an end mark of {len(payload)} bytes")
        (rows,) = _ROW_COUNT.unpack(payload)
        if rows != self._rows:
            raise _BadFrameError(f"an end mark for {rows} rows after {self._rows}")
        self.bytes_read += _FRAME.size + len(payload)
        if self.bytes_read != size_bytes:
            raise _BadFrameError("something after the end mark")


class _BadFrameError(Exception):
    """From here on the journal cannot be read; the text says what was found."""


def _check_header(header: bytes, name: str) -> None:
    wanted = _HEADER.pack(MAGIC, VERSION)
    if header == wanted:
        return
    if wanted.startswith(header):
        raise _BadFrameError("the end of the file inside its header")
    if len(header) == _HEADER.size and header.startswith(MAGIC):
        raise FormatError(f"{name} is a journal of version {_HEADER.unpack(header)[1]}, this harness reads {VERSION}")
    raise FormatError(f"{name} is not a journal: it does not start with {MAGIC!r}")


def _next_frame(file: BinaryIO, left_bytes: int) -> tuple[int, bytes]:
    """Table id and payload of the frame that starts here. A length is believed only as far as the file goes."""
    if left_bytes < _FRAME.size:
        raise _BadFrameError(
            "the end of the file inside a frame" if left_bytes else "the end of the file, without an end mark,"
        )
    length, checksum, table = _FRAME.unpack(file.read(_FRAME.size))
    if length > left_bytes - _FRAME.size:
        raise _BadFrameError(f"a frame of {length} bytes where {left_bytes - _FRAME.size} are left")
    payload = file.read(length)
    if google_crc32c.extend(_ID_CRCS[table], payload) != checksum:
        raise _BadFrameError("a frame whose checksum is wrong")
    return table, payload
