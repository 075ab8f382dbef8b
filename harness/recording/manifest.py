"""`about.json` and `manifest.json`: what a recording says about itself.

The manifest names every table by its hash, so its own hash is the digest of the whole recording.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, cast

import pyarrow as pa

from harness.model.errors import FormatError
from harness.model.names import Topology
from harness.model.timeline import SERVICE_READY
from harness.recording.tables import SEALED_TABLES

FORMAT = "lane-parity/recording/1"
FORMAT_FAMILY = FORMAT.rpartition("/")[0]
PLAN_FILE = "plan.json"
ABOUT_FILE = "about.json"
MANIFEST_FILE = "manifest.json"
JOURNAL_FILE = "journal.bin"
DAMAGED_JOURNAL_FILE = "journal.damaged.bin"

Sealed: TypeAlias = Literal["complete", "recovered"]


@dataclass(frozen=True, slots=True)
class RecordingAbout:
    """What is known about a recording before its first row; kept beside the journal, so that a crash can be sealed."""

    scenario: str
    topology: Topology
    plan_digest: str
    """`Plan.digest`: `sha256:` + hex over `plan.json`."""
    seed: int
    harness_version: str
    harness_commit: str
    wall_anchor: str
    """RFC 3339 UTC instant at which the recording process's monotonic clock showed `monotonic_anchor_ns`."""
    monotonic_anchor_ns: int

    def to_json(self) -> bytes:
        """`about.json`: indented JSON, keys sorted."""
        return _document(asdict(self))

    @classmethod
    def from_json(cls, data: bytes) -> "RecordingAbout":
        """What `to_json` wrote. Raises FormatError for anything else."""
        return _about(_object(data, ABOUT_FILE), ABOUT_FILE)


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One sealed table: its file in the recording's directory, what it hashes to, and how large it is."""

    file: str
    sha256: str
    """64 hex digits over the file."""
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """`manifest.json`, written last: with it a recording is sealed."""

    about: RecordingAbout
    identities: tuple[Mapping[str, Any], ...]
    """`detail` of every `service_ready` row of the timeline, with its `subject` and `side`, in order."""
    sealed: Sealed
    """`recovered`: the recording process did not live to close its journal, or the journal was damaged."""
    damage: str
    """What a recovered journal lacked, in one sentence; empty when complete."""
    tables: Mapping[str, TableEntry]
    plan_sha256: str

    def to_json(self) -> bytes:
        """`manifest.json`: indented JSON, keys sorted, the same bytes for the same recording."""
        return _document({"format": FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, data: bytes) -> "Manifest":
        """What `to_json` wrote. Raises FormatError for other JSON and for other versions of the format."""
        raw = _object(data, MANIFEST_FILE)
        _require_format(raw.get("format"))
        sealed = _member(raw, "sealed", str, MANIFEST_FILE)
        if sealed not in ("complete", "recovered"):
            raise FormatError(f"{MANIFEST_FILE} is damaged: sealed is {sealed!r}, not complete or recovered")
        tables = _member(raw, "tables", dict, MANIFEST_FILE)
        if tables.keys() != SEALED_TABLES.keys():
            raise FormatError(f"{MANIFEST_FILE} is damaged: it lists {sorted(tables)}, not {sorted(SEALED_TABLES)}")
        return cls(
            about=_about(_member(raw, "about", dict, MANIFEST_FILE), MANIFEST_FILE),
            identities=tuple(_identity(entry) for entry in _member(raw, "identities", list, MANIFEST_FILE)),
            sealed=cast(Sealed, sealed),
            damage=_member(raw, "damage", str, MANIFEST_FILE),
            tables={name: _entry(name, entry) for name, entry in tables.items()},
            plan_sha256=_member(raw, "plan_sha256", str, MANIFEST_FILE),
        )


def manifest_digest(manifest_json: bytes) -> str:
    """`sha256:` + hex over the bytes of `manifest.json`: the digest of the recording."""
    return digest(manifest_json)


def digest(data: bytes) -> str:
    """`sha256:` + 64 hex digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def identities(timeline: pa.Table) -> tuple[Mapping[str, Any], ...]:
    """The `detail` of every `service_ready` row of a `timeline` table, with its `subject` and `side`.

    Raises FormatError for a detail that is no JSON object.
    """
    rows = timeline.select(["event", "subject", "side", "detail"]).to_pylist()
    return tuple(
        {
            **_object(row["detail"].encode(), "the detail of a service_ready row"),
            "subject": row["subject"],
            "side": row["side"],
        }
        for row in rows
        if row["event"] == SERVICE_READY
    )


def _document(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what} is damaged: it is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise FormatError(f"{what} is damaged: it is JSON, but no object")
    return value


def _member(raw: Mapping[str, Any], name: str, kind: type, what: str) -> Any:
    value = raw.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise FormatError(f"{what} is damaged: {name} is {value!r:.60}, not of type {kind.__name__}")
    return value


def _require_format(found: object) -> None:
    if found == FORMAT:
        return
    family, _, version = str(found).rpartition("/")
    if family == FORMAT_FAMILY and version.isdecimal():
        raise FormatError(f"the recording has format {found}, this harness reads {FORMAT}; use a harness that reads it")
    raise FormatError(f"{MANIFEST_FILE} is not the manifest of a recording: its format is {found!r:.60}, not {FORMAT}")


def _about(raw: Mapping[str, Any], what: str) -> RecordingAbout:
    texts = {name: _member(raw, name, str, what) for name in _ABOUT_TEXTS}
    numbers = {name: _member(raw, name, int, what) for name in ("seed", "monotonic_anchor_ns")}
    topology = _member(raw, "topology", str, what)
    if topology not in list(Topology):
        raise FormatError(f"{what} is damaged: topology is {topology!r:.60}, not mirrored or isolated")
    return RecordingAbout(topology=Topology(topology), **texts, **numbers)


_ABOUT_TEXTS = ("scenario", "plan_digest", "harness_version", "harness_commit", "wall_anchor")


def _identity(entry: object) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        raise FormatError(f"{MANIFEST_FILE} is damaged: an identity is {entry!r:.60}, not an object")
    return entry


def _entry(name: str, raw: object) -> TableEntry:
    if not isinstance(raw, dict):
        raise FormatError(f"{MANIFEST_FILE} is damaged: table {name} is {raw!r:.60}, not an object")
    file = _member(raw, "file", str, MANIFEST_FILE)
    if file != table_file(name):
        raise FormatError(f"{MANIFEST_FILE} is damaged: table {name} is in {file!r:.60}, not in {table_file(name)}")
    return TableEntry(
        file=file,
        sha256=_member(raw, "sha256", str, MANIFEST_FILE),
        rows=_member(raw, "rows", int, MANIFEST_FILE),
        bytes=_member(raw, "bytes", int, MANIFEST_FILE),
    )


def table_file(name: str) -> str:
    """The file name of a sealed table."""
    return f"{name}.parquet"
