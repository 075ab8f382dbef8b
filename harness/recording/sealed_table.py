"""One sealed table: a Parquet file whose bytes follow from its rows, and the tests it must pass to be read."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.model.errors import FormatError, UsageError
from harness.recording.durable import TEMPORARY, commit
from harness.recording.manifest import TableEntry, table_file
from harness.recording.tables import SEALED_TABLES

ROW_GROUP_ROWS = 65_536
ROW_GROUP_BYTES = 128 << 20
"""A row group ends early where its bodies and frames reach this size."""
ZSTD_LEVEL = 3

_RISING = (
    "ordinal",
    "closed_ordinal",
    "index",
    "at_ns",
    "sent_ns",
    "answered_ns",
    "opened_ns",
    "accepted_ns",
    "closed_ns",
)
_BODIES = ("data", "request_body", "response_body", "handshake_body")


class SealedTableWriter:
    """Writes one table under a temporary name, which `close` makes its own; without `close` nothing is left.

    Where rows are cut into row groups and pages depends on the rows alone, not on the batches they came in.
    Holds no more than one row group.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._path = directory / table_file(name)
        self._temporary = directory / (table_file(name) + TEMPORARY)
        self._name = name
        self._schema = SEALED_TABLES[name]
        self._parquet = pq.ParquetWriter(
            self._temporary,
            self._schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=_dictionary_columns(self._schema),
            column_encoding={field.name: "DELTA_BINARY_PACKED" for field in self._schema if field.name in _RISING},
            write_statistics=[field.name for field in self._schema if field.name not in _BODIES],
        )
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self._rows = 0
        self._last_ordinal = -1
        self._committed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._committed:
            self._parquet.close()
            self._temporary.unlink(missing_ok=True)

    def write(self, batch: pa.RecordBatch) -> None:
        """Takes the next rows. Raises UsageError unless ordinals rise strictly over the whole table."""
        if not batch.num_rows:
            return
        self._check_ordinals(batch.column(0).to_numpy())
        ends = np.cumsum(_row_bytes(batch))
        start = 0
        while start < batch.num_rows:
            before = int(ends[start - 1]) if start else 0
            # The row that reaches the bound still belongs to the group.
            fitting = int(np.searchsorted(ends, before + ROW_GROUP_BYTES - self._waiting_bytes)) + 1 - start
            rows = min(batch.num_rows - start, ROW_GROUP_ROWS - self._waiting_rows, fitting)
            self._waiting.append(batch.slice(start, rows))
            self._waiting_rows += rows
            self._waiting_bytes += int(ends[start + rows - 1]) - before
            if self._waiting_rows >= ROW_GROUP_ROWS or self._waiting_bytes >= ROW_GROUP_BYTES:
                self._write_group()
            start += rows

    def close(self) -> TableEntry:
        """Writes what waits, syncs the file and gives it its name."""
        self._write_group()
        self._parquet.close()
        with self._temporary.open("rb") as file:
            os.fsync(file.fileno())
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size_bytes = os.fstat(file.fileno()).st_size
        commit(self._temporary, self._path)
        self._committed = True
        return TableEntry(self._path.name, sha256, self._rows, size_bytes)

    def _write_group(self) -> None:
        if not self._waiting:
            return
        # One chunk a column: pages would else end where the batches did.
        group = pa.Table.from_batches(self._waiting, self._schema).combine_chunks()
        self._waiting = []
        self._rows += self._waiting_rows
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self._parquet.write_table(group, row_group_size=ROW_GROUP_ROWS)

    def _check_ordinals(self, ordinals: npt.NDArray[np.uint64]) -> None:
        if int(ordinals[0]) <= self._last_ordinal or not (ordinals[1:] > ordinals[:-1]).all():
            raise UsageError(
                f"the ordinals of table {self._name} do not rise strictly; renumber its rows before sealing"
            )
        self._last_ordinal = int(ordinals[-1])


def verify_table(directory: Path, name: str, entry: TableEntry | None) -> None:
    """Passes if the sealed table `name` is what the manifest says; else raises FormatError that says what is not.

    With `entry` None (no readable manifest) the file must at least be readable to its end, with the right columns.
    """
    path = directory / table_file(name)
    if not path.is_file():
        raise FormatError(f"{path.name} is missing")
    if entry is not None:
        _verify_bytes(path, entry)
    with open_table(directory, name) as parquet:
        if entry is not None and parquet.metadata.num_rows != entry.rows:
            raise FormatError(f"{path.name} has {parquet.metadata.num_rows} rows, the manifest says {entry.rows}")
    if entry is None:
        for _ in iter_table(directory, name):
            pass


def open_table(directory: Path, name: str) -> pq.ParquetFile:
    """The Parquet file of a sealed table. Raises FormatError if it is no Parquet or has other columns."""
    path = directory / table_file(name)
    try:
        parquet = pq.ParquetFile(path)
        schema = parquet.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FormatError(f"{path.name} is not readable as Parquet ({_first_line(error)})") from error
    if not schema.equals(SEALED_TABLES[name], check_metadata=False):
        parquet.close()
        raise FormatError(f"{path.name} has other columns than table {name}: {', '.join(schema.names)[:200]}")
    return parquet


def read_table(directory: Path, name: str) -> pa.Table:
    """All rows of a sealed table, with the schema of SEALED_TABLES. Raises FormatError if they cannot be read."""
    return pa.Table.from_batches(iter_table(directory, name), SEALED_TABLES[name])


def iter_table(directory: Path, name: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a sealed table, one row group at a time, all columns or some.

    Raises FormatError if they cannot be read.
    """
    schema = SEALED_TABLES[name]
    wanted = schema if columns is None else pa.schema([schema.field(column) for column in columns])
    with open_table(directory, name) as parquet:
        try:
            for group in range(parquet.num_row_groups):
                rows = parquet.read_row_group(group, columns=wanted.names)
                rows.validate(full=True)
                yield from rows.cast(wanted).to_batches()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise FormatError(f"{table_file(name)} cannot be read to its end ({_first_line(error)})") from error


def _verify_bytes(path: Path, entry: TableEntry) -> None:
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes != entry.bytes:
            raise FormatError(f"{path.name} has {size_bytes} bytes, the manifest says {entry.bytes}")
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != entry.sha256:
        raise FormatError(f"{path.name} has SHA-256 {sha256[:12]}…, the manifest says {entry.sha256[:12]}…")


def _dictionary_columns(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if field.name not in (*_RISING, *_BODIES)]


def _row_bytes(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """How many bytes of bodies each row carries."""
    sizes = np.zeros(batch.num_rows, dtype=np.int64)
    for field in batch.schema:
        if field.name in _BODIES:
            sizes += pc.fill_null(pc.binary_length(batch.column(field.name)), 0).to_numpy(zero_copy_only=False)
    return sizes


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
