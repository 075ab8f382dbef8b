"""From a journal, or from tables, to a sealed recording: Parquet files and the manifest that names them by hash."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from harness.model.errors import FormatError, UsageError
from harness.recording.durable import read_file, sync_directory, write_durably
from harness.recording.journal import JournalReader
from harness.recording.manifest import (
    ABOUT_FILE,
    DAMAGED_JOURNAL_FILE,
    JOURNAL_FILE,
    MANIFEST_FILE,
    PLAN_FILE,
    Manifest,
    RecordingAbout,
    Sealed,
    TableEntry,
    digest,
    identities,
    table_file,
)
from harness.recording.sealed_table import SealedTableWriter
from harness.recording.tables import CONNECTIONS, EXCHANGES, JOURNAL_TABLES, SEALED_TABLES

_JOURNAL_SCHEMAS = dict(JOURNAL_TABLES)
_UNCLOSED_EXCHANGE = {"outcome": "indefinite"}
_UNCLOSED_CONNECTION = {"closed_by": "nobody"}


def seal(directory: Path) -> Path:
    """Seals the journal in `directory`, also one that a crash left behind. Returns `directory`.

    What was never closed becomes `indefinite` (an exchange) or closed by `nobody` (a connection). A journal
    that was not whole is sealed as `recovered` as far as it goes and kept as `journal.damaged.bin`. The same
    journal gives the same bytes. Raises UsageError if there is nothing to seal, or it is sealed, or still being
    written; FormatError if the files are not those of a recording.
    """
    with _owned_journal(directory) as journal:
        plan_json = read_file(directory / PLAN_FILE)
        about = RecordingAbout.from_json(read_file(directory / ABOUT_FILE))
        if digest(plan_json) != about.plan_digest:
            raise FormatError(f"{PLAN_FILE} has digest {digest(plan_json)}, {ABOUT_FILE} names {about.plan_digest}")
        reader = JournalReader(journal)
        entries, timeline, strays = _sealed_tables(directory, reader)
        damage = "; ".join(text for text in (reader.damage, strays) if text)
        _write_manifest(directory, entries, timeline, plan_json, about, "recovered" if damage else "complete", damage)
        if damage:
            journal.rename(directory / DAMAGED_JOURNAL_FILE)
        else:
            journal.unlink()
        (directory / ABOUT_FILE).unlink()
        sync_directory(directory)
    return directory


def write_recording(
    directory: Path,
    tables: Mapping[str, pa.Table],
    plan_json: bytes,
    about: RecordingAbout,
    sealed: Sealed = "complete",
    damage: str = "",
) -> Path:
    """Writes `tables` (those of SEALED_TABLES, with exactly their columns) as a new sealed recording.

    Returns `directory`. Raises UsageError if it holds a recording, if a table is missing, has other columns or
    ordinals that do not rise strictly, or if `about` names another plan.
    """
    require_vacant(directory)
    require_plan(plan_json, about)
    _require_tables(tables)
    directory.mkdir(parents=True, exist_ok=True)
    write_durably(directory / PLAN_FILE, plan_json)
    entries = {name: _write_table(directory, name, tables[name]) for name in SEALED_TABLES}
    _write_manifest(directory, entries, tables["timeline"], plan_json, about, sealed, damage)
    return directory


def require_vacant(directory: Path) -> None:
    """Raises UsageError if `directory` holds anything of a recording."""
    names = (PLAN_FILE, ABOUT_FILE, JOURNAL_FILE, DAMAGED_JOURNAL_FILE, MANIFEST_FILE, *map(table_file, SEALED_TABLES))
    for name in names:
        if (directory / name).exists():
            raise UsageError(f"{directory} holds a recording already ({name}); name another directory")


def require_plan(plan_json: bytes, about: RecordingAbout) -> None:
    """Raises UsageError unless `about` was made for this plan."""
    if digest(plan_json) != about.plan_digest:
        raise UsageError(
            f"the plan has digest {digest(plan_json)}, the recording is about {about.plan_digest}; pair them"
        )


@contextmanager
def _owned_journal(directory: Path) -> Iterator[Path]:
    """The journal to be sealed, locked against its writer and against another sealing."""
    journal = directory / JOURNAL_FILE
    if (directory / MANIFEST_FILE).exists():
        raise UsageError(f"{directory} is sealed already; a recording is sealed once")
    if not journal.exists():
        raise UsageError(f"{directory} holds no {JOURNAL_FILE}; name the directory of a recording")
    with journal.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{directory} is still being recorded; seal it when its recorder has ended") from None
        yield journal


def _sealed_tables(directory: Path, reader: JournalReader) -> tuple[dict[str, TableEntry], pa.Table, str]:
    """Writes all four tables from one pass over the journal. Frames stream through, everything else is held."""
    held: dict[str, list[pa.RecordBatch]] = {name: [] for name in _JOURNAL_SCHEMAS if name != "frames"}
    with SealedTableWriter(directory, "frames") as frames:
        for name, batch in reader:
            if name == "frames":
                frames.write(batch)
            else:
                held[name].append(batch)
        frames_entry = frames.close()
    rows = {name: pa.Table.from_batches(batches, _JOURNAL_SCHEMAS[name]) for name, batches in held.items()}
    exchanges, stray_answers = _joined(
        rows["exchanges_opened"], rows["exchanges_closed"], EXCHANGES, _UNCLOSED_EXCHANGE
    )
    connections, stray_ends = _joined(
        rows["connections_opened"], rows["connections_closed"], CONNECTIONS, _UNCLOSED_CONNECTION
    )
    entries = {
        "exchanges": _write_table(directory, "exchanges", exchanges),
        "connections": _write_table(directory, "connections", connections),
        "frames": frames_entry,
        "timeline": _write_table(directory, "timeline", rows["timeline"]),
    }
    strays = stray_answers + stray_ends
    stray_text = f"{JOURNAL_FILE}: {strays} closed rows without an opened one are left out" if strays else ""
    return entries, rows["timeline"], stray_text


def _joined(opened: pa.Table, closed: pa.Table, schema: pa.Schema, unclosed: Mapping[str, str]) -> tuple[pa.Table, int]:
    """Opened rows with the columns of their closed row by `id`, and how many closed rows found no opened one.

    Where none closed, `unclosed` gives the values and everything else is null.
    """
    row_of = {closed_id: row for row, closed_id in enumerate(closed.column("id").to_pylist())}
    found = [row_of.get(opened_id) for opened_id in opened.column("id").to_pylist()]
    taken = closed.take(pa.array(found, pa.int64()))
    taken = taken.rename_columns(["closed_ordinal" if name == "ordinal" else name for name in taken.column_names])
    columns = {name: opened.column(name) for name in opened.column_names}
    for name in schema.names[len(columns) :]:
        column = taken.column(name)
        columns[name] = column.fill_null(unclosed[name]) if name in unclosed else column
    return pa.table(columns, schema), closed.num_rows - len({row for row in found if row is not None})


def _write_table(directory: Path, name: str, table: pa.Table) -> TableEntry:
    with SealedTableWriter(directory, name) as writer:
        for batch in table.to_batches():
            writer.write(batch)
        return writer.close()


def _write_manifest(
    directory: Path,
    entries: Mapping[str, TableEntry],
    timeline: pa.Table,
    plan_json: bytes,
    about: RecordingAbout,
    sealed: Sealed,
    damage: str,
) -> None:
    plan_sha256 = digest(plan_json).removeprefix("sha256:")
    manifest = Manifest(about, identities(timeline), sealed, damage, entries, plan_sha256)
    write_durably(directory / MANIFEST_FILE, manifest.to_json())


def _require_tables(tables: Mapping[str, pa.Table]) -> None:
    if tables.keys() != SEALED_TABLES.keys():
        raise UsageError(f"a recording has the tables {sorted(SEALED_TABLES)}, not {sorted(tables)}")
    for name, schema in SEALED_TABLES.items():
        if not tables[name].schema.equals(schema, check_metadata=False):
            raise UsageError(f"table {name} has other columns than a recording; give it the schema of SEALED_TABLES")
