"""Sealed recordings, read again: nothing is handed out before its hash was checked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from harness.model.errors import FormatError, UsageError
from harness.model.plan import Plan
from harness.recording.durable import read_file
from harness.recording.manifest import (
    JOURNAL_FILE,
    MANIFEST_FILE,
    PLAN_FILE,
    Manifest,
    digest,
    manifest_digest,
    table_file,
)
from harness.recording.sealed_table import iter_table, read_table, verify_table
from harness.recording.tables import SEALED_TABLES

if TYPE_CHECKING:
    import pandas as pd

RECORDINGS_DIRECTORY = "recordings"


@dataclass(frozen=True)
class Recording:
    """A sealed recording whose files were verified when it was opened."""

    directory: Path
    digest: str
    """`sha256:` + hex over `manifest.json`: names the whole recording."""
    damage: tuple[str, ...]
    """Everything known to be wrong, as sentences: what a crash cut off, what is no longer what was sealed."""
    _manifest: Manifest | None = field(repr=False)
    _plan: Plan | None = field(repr=False)
    _broken: Mapping[str, str] = field(repr=False)

    @property
    def manifest(self) -> Manifest:
        """What the recording says about itself. Raises FormatError if `manifest.json` is damaged."""
        if self._manifest is None:
            raise FormatError(self._sentence(MANIFEST_FILE))
        return self._manifest

    @property
    def plan(self) -> Plan:
        """The plan that was recorded. Raises FormatError if `plan.json` is damaged."""
        if self._plan is None:
            raise FormatError(self._sentence(PLAN_FILE))
        return self._plan

    def table(self, name: str) -> pa.Table:
        """All rows of `exchanges`, `connections`, `frames` or `timeline`, read anew at every call.

        Columns and types are those of `harness.recording.tables.SEALED_TABLES`, rows are in ordinal order.
        Raises FormatError if the table is damaged, UsageError if there is none of that name.
        """
        self._require_intact(name)
        return read_table(self.directory, name)

    def frames(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The table `frames` one row group at a time, all columns or some. Raises FormatError if it is damaged."""
        self._require_intact("frames")
        return iter_table(self.directory, "frames", columns)

    def intact(self) -> dict[str, pa.Table]:
        """Every table that passed its tests, by name."""
        return {name: self.table(name) for name in SEALED_TABLES if name not in self._broken}

    def _require_intact(self, name: str) -> None:
        if name not in SEALED_TABLES:
            raise UsageError(f"a recording has no table {name!r}; it has {', '.join(SEALED_TABLES)}")
        if name in self._broken:
            raise FormatError(f"table {name} of {self.directory} is damaged: {self._broken[name]}")

    def _sentence(self, file: str) -> str:
        return f"{self.directory} is damaged: " + "; ".join(text for text in self.damage if file in text)


def open_recording(directory: Path) -> Recording:
    """The recording in `directory`, every file of it verified.

    Raises FormatError if it is not sealed, of another format version, or not what was sealed; the text names
    what is damaged and which tables are intact. That a recording was recovered from a crash is no such damage:
    it is sealed as far as it goes, and `damage` says how far.
    """
    recording = _opened(directory)
    told = {recording._manifest.damage} if recording._manifest else set()
    broken = [text for text in recording.damage if text not in told]
    if broken:
        intact = [name for name in SEALED_TABLES if name not in recording._broken]
        raise FormatError(
            f"recording {directory} is damaged: {'; '.join(broken)}; intact tables: {', '.join(intact) or 'none'}; "
            "record the run again"
        )
    return recording


def open_damaged(directory: Path) -> Recording:
    """The recording in `directory`, however damaged: its intact tables can be read, `damage` names the rest.

    Without a readable manifest there is no hash to hold a table against; then every table that can be read to
    its end counts as intact, and `damage` says so. Raises FormatError only where there is no sealed recording.
    """
    return _opened(directory)


def find_recordings(run_directory: Path) -> list[Path]:
    """The directories below `<run>/recordings` that hold a recording, sealed or not, in order of their paths.

    Raises UsageError if `run_directory` is not the directory of a run.
    """
    root = run_directory / RECORDINGS_DIRECTORY
    if not root.is_dir():
        raise UsageError(
            f"{run_directory} is not a run: it has no directory {RECORDINGS_DIRECTORY}; name the directory of a run"
        )
    marks = (MANIFEST_FILE, JOURNAL_FILE, PLAN_FILE)
    return sorted({path.parent for mark in marks for path in root.rglob(mark)})


def as_frames(recording: Recording) -> "dict[str, pd.DataFrame]":
    """The tables `exchanges`, `connections`, `frames` and `timeline`, columns as in `harness.recording.tables`.

    Integers are the nullable dtypes Int8, Int32, Int64 and UInt64, texts are `string`, both with `pd.NA` where
    nothing was recorded; bodies and frames are `bytes` or None (`object`), `redacted…` is a sequence of dicts
    {column, offset, length} or None (`object`). Raises FormatError for a damaged table.
    """
    import pandas as pd  # half a second, and no recording needs it

    types = {
        pa.int8(): pd.Int8Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
        pa.string(): pd.StringDtype("pyarrow"),
    }
    return {name: recording.table(name).to_pandas(types_mapper=types.get) for name in SEALED_TABLES}


def _opened(directory: Path) -> Recording:
    _require_sealed(directory)
    damage: list[str] = []
    manifest_json, manifest = _manifest(directory, damage)
    plan = _plan(directory, manifest, damage)
    broken = dict(_broken_tables(directory, manifest))
    damage += [f"table {name}: {text}" for name, text in broken.items()]
    return Recording(directory, manifest_digest(manifest_json), tuple(damage), manifest, plan, broken)


def _require_sealed(directory: Path) -> None:
    if (directory / MANIFEST_FILE).exists():
        return
    if (directory / JOURNAL_FILE).exists():
        raise FormatError(f"{directory} is not sealed; run `parity seal {directory}`")
    if not any((directory / table_file(name)).exists() for name in SEALED_TABLES):
        raise FormatError(f"{directory} holds no recording; name a directory with a {MANIFEST_FILE}")


def _manifest(directory: Path, damage: list[str]) -> tuple[bytes, Manifest | None]:
    """Bytes and content of the manifest; what is wrong with it goes to `damage`."""
    data = b""
    try:
        data = read_file(directory / MANIFEST_FILE)
        manifest = Manifest.from_json(data)
    except FormatError as error:
        damage.append(f"{error} ({MANIFEST_FILE} names no hash that tables could be held against)")
        return data, None
    if manifest.damage:
        damage.append(manifest.damage)
    return data, manifest


def _plan(directory: Path, manifest: Manifest | None, damage: list[str]) -> Plan | None:
    """The plan, if it is the one that the manifest names; what is wrong with it goes to `damage`."""
    try:
        data = read_file(directory / PLAN_FILE)
        if manifest is not None:
            _verify_plan(data, manifest)
        return Plan.from_json(data)
    except FormatError as error:
        damage.append(str(error))
        return None


def _verify_plan(data: bytes, manifest: Manifest) -> None:
    found = digest(data)
    for needed in (manifest.about.plan_digest, f"sha256:{manifest.plan_sha256}"):
        if found != needed:
            raise FormatError(f"{PLAN_FILE} has digest {found}, the manifest says {needed}")


def _broken_tables(directory: Path, manifest: Manifest | None) -> Iterator[tuple[str, str]]:
    for name in SEALED_TABLES:
        try:
            verify_table(directory, name, manifest.tables[name] if manifest else None)
        except FormatError as error:
            yield name, str(error)
