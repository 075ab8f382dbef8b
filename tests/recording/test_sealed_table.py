"""Sealed tables: bytes that follow from the rows alone, and no row that is not what was sealed."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import FormatError, UsageError
from harness.recording import sealed_table
from harness.recording.manifest import TableEntry
from harness.recording.sealed_table import SealedTableWriter, iter_table, read_table, verify_table
from harness.recording.tables import FRAMES, SEALED_TABLES
from tests.recording.taping import PATIENT

REDACTED = st.none() | st.lists(
    st.fixed_dictionaries({"column": st.text(), "offset": st.integers(0, 9), "length": st.integers(0, 9)}), max_size=2
)
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int8(): st.integers(-128, 127),
    pa.string(): st.text(),
    pa.binary(): st.binary(),
    pa.large_binary(): st.binary(),
}


def rows_of(schema: pa.Schema) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows of `schema` with any values, ordinals rising."""
    columns = {
        field.name: VALUES.get(field.type, REDACTED)
        if not field.nullable
        else st.none() | VALUES.get(field.type, REDACTED)
        for field in schema
    }
    rows = st.lists(st.fixed_dictionaries(columns), max_size=5, unique_by=lambda row: row["ordinal"])
    return rows.map(lambda found: sorted(found, key=lambda row: int(row["ordinal"])))


def frames(count: int, body: bytes = b"x", start: int = 0) -> pa.Table:
    rows = [(at, 0, at, 0, 1, at, body, None) for at in range(start, start + count)]
    return pa.Table.from_struct_array(pa.array(rows, pa.struct(list(FRAMES))))


def sealed(directory: Path, name: str, table: pa.Table) -> TableEntry:
    with SealedTableWriter(directory, name) as writer:
        for batch in table.to_batches():
            writer.write(batch)
        return writer.close()


@pytest.mark.parametrize("name", list(SEALED_TABLES))
def test_rows_come_back(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever values a table holds, nulls included, it is read as it was written, types included."""
    schema = SEALED_TABLES[name]

    @PATIENT
    @given(rows_of(schema))
    def law(rows: list[dict[str, Any]]) -> None:
        directory = tmp_path_factory.mktemp(name)
        table = pa.Table.from_pylist(rows, schema)
        entry = sealed(directory, name, table)
        verify_table(directory, name, entry)
        read = read_table(directory, name)

        assert read.schema.equals(schema, check_metadata=True)
        assert table.to_pylist() == read.to_pylist()
        assert len(rows) == entry.rows

    law()


def test_bytes_do_not_depend_on_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows in other batches make the same file: row groups and pages are cut by rows and sizes alone."""
    monkeypatch.setattr(sealed_table, "ROW_GROUP_ROWS", 64)
    monkeypatch.setattr(sealed_table, "ROW_GROUP_BYTES", 3_000)
    table = pa.concat_tables([frames(100), frames(150, b"y" * 100, 100), frames(7, b"z" * 9000, 250)])
    entries = []
    for at, size in enumerate((1, 7, 64, 65, 1000)):
        (tmp_path / str(at)).mkdir()
        pieces = [table.slice(start, size) for start in range(0, len(table), size)]
        entries.append(sealed(tmp_path / str(at), "frames", pa.concat_tables(pieces)))
    metadata = pq.read_metadata(tmp_path / "0" / "frames.parquet")
    groups = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]

    assert {entries[0]} == set(entries)
    assert [64, 64, 30, 30, 30, 30, 3, 1, 1, 1, 1, 1, 1] == groups


def test_frames_are_found_without_reading_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Iterating gives one row group after the other, with only the columns asked for."""
    monkeypatch.setattr(sealed_table, "ROW_GROUP_ROWS", 64)
    sealed(tmp_path, "frames", frames(130))
    batches = list(iter_table(tmp_path, "frames", ["index", "data"]))

    assert [64, 64, 2] == [batch.num_rows for batch in batches]
    assert ["index", "data"] == batches[0].schema.names


@pytest.mark.parametrize("table", [pa.concat_tables([frames(2), frames(1)]), pa.concat_tables([frames(1)] * 2)])
def test_ordinals_rise(tmp_path: Path, table: pa.Table) -> None:
    """Rows out of order are refused, and nothing is left of the file."""
    with pytest.raises(UsageError, match="the ordinals of table frames do not rise"):
        sealed(tmp_path, "frames", table)

    assert [] == list(tmp_path.iterdir())


@PATIENT
@given(position=st.integers(0, 2**20), change=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_file_is_named(
    position: int, change: int, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One flipped byte, or a cut anywhere, and the table is refused with what the manifest says."""
    directory = tmp_path_factory.mktemp("damaged")
    entry = sealed(directory, "frames", frames(50))
    path = directory / "frames.parquet"
    data = bytearray(path.read_bytes())
    if cut:
        del data[position % len(data) :]
    else:
        data[position % len(data)] ^= change
    path.write_bytes(data)

    with pytest.raises(FormatError, match=r"frames\.parquet has .*, the manifest says"):
        verify_table(directory, "frames", entry)


@PATIENT
@given(position=st.integers(0, 2**20), change=st.integers(1, 255))
def test_hostile_bytes_with_a_right_hash_are_an_error_or_rows(
    position: int, change: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever a file with a right hash holds, reading it ends in rows of the table or in a format error."""
    directory = tmp_path_factory.mktemp("hostile")
    entry = sealed(directory, "frames", frames(50))
    path = directory / "frames.parquet"
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= change
    path.write_bytes(data)
    forged = replace(entry, sha256=hashlib.sha256(data).hexdigest())
    try:
        verify_table(directory, "frames", forged)
        schema = read_table(directory, "frames").schema
    except FormatError:
        schema = FRAMES

    assert FRAMES.equals(schema)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    """A Parquet file of another shape is not the table, whatever its name."""
    path = tmp_path / "timeline.parquet"
    pq.write_table(pa.table({"ordinal": [1]}), path)
    data = path.read_bytes()
    entry = TableEntry(path.name, hashlib.sha256(data).hexdigest(), 1, len(data))

    with pytest.raises(FormatError, match=r"timeline\.parquet has other columns than table timeline: ordinal"):
        verify_table(tmp_path, "timeline", entry)


def test_the_number_of_rows_is_part_of_the_seal(tmp_path: Path) -> None:
    """A file that holds other many rows than the manifest says is refused."""
    entry = sealed(tmp_path, "frames", frames(3))

    with pytest.raises(FormatError, match=r"frames\.parquet has 3 rows, the manifest says 4"):
        verify_table(tmp_path, "frames", replace(entry, rows=4))
