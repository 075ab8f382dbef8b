"""What a recording says about itself: one spelling, strictly read."""

import json
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.errors import FormatError
from harness.recording.manifest import Manifest, RecordingAbout, TableEntry, identities, manifest_digest
from harness.recording.tables import SEALED_TABLES, TIMELINE
from tests.recording.taping import ABOUT

MANIFEST = Manifest(
    about=ABOUT,
    identities=({"subject": "lane/legacy", "side": "legacy", "version": "é"},),
    sealed="recovered",
    damage="journal.bin: cut",
    tables={name: TableEntry(f"{name}.parquet", "0" * 64, 3, 100) for name in SEALED_TABLES},
    plan_sha256="1" * 64,
)


def changed(*path: str, to: Any) -> bytes:
    """The manifest's JSON with the member at `path` replaced."""
    document = json.loads(MANIFEST.to_json())
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return json.dumps(document).encode()


def test_a_manifest_comes_back() -> None:
    """What is written is read, and written again it has the same bytes."""
    read = Manifest.from_json(MANIFEST.to_json())

    assert MANIFEST == read
    assert MANIFEST.to_json() == read.to_json()


def test_a_manifest_has_one_spelling() -> None:
    """Members are sorted, a newline ends the file, and the digest is over these bytes."""
    data = MANIFEST.to_json()
    members = list(json.loads(data))

    assert sorted(members) == members
    assert data.endswith(b"}\n")
    assert b'"format": "lane-parity/recording/1"' in data
    assert manifest_digest(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_what_is_known_before_the_first_row_comes_back() -> None:
    """`about.json` is read as it was written."""
    assert ABOUT == RecordingAbout.from_json(ABOUT.to_json())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "manifest.json is damaged: it is no JSON"),
        (b"[" * 100_000, "manifest.json is damaged: it is no JSON"),
        (b"\xff", "manifest.json is damaged: it is no JSON"),
        (b"[]", "manifest.json is damaged: it is JSON, but no object"),
        (changed("format", to="lane-parity/recording/2"), "the recording has format lane-parity/recording/2, this"),
        (changed("format", to="lane-parity/verdict/1"), "manifest.json is not the manifest of a recording"),
        (changed("format", to=None), "manifest.json is not the manifest of a recording"),
        (changed("sealed", to="maybe"), "manifest.json is damaged: sealed is 'maybe'"),
        (changed("tables", to={}), "manifest.json is damaged: it lists \\[\\]"),
        (changed("tables", "frames", to=[]), "manifest.json is damaged: table frames is \\[\\]"),
        (changed("tables", "frames", "file", to="../x"), "manifest.json is damaged: table frames is in '../x'"),
        (changed("tables", "frames", "rows", to=True), "manifest.json is damaged: rows is True"),
        (changed("about", "topology", to="odd"), "manifest.json is damaged: topology is 'odd'"),
        (changed("about", "seed", to="1"), "manifest.json is damaged: seed is '1'"),
        (changed("identities", to=[1]), "manifest.json is damaged: an identity is 1"),
    ],
)
def test_another_document_is_refused(data: bytes, sentence: str) -> None:
    """What is not a manifest of this version is refused with what was seen and what was needed."""
    with pytest.raises(FormatError, match=f"^{sentence}"):
        Manifest.from_json(data)


@settings(deadline=None)
@given(position=st.integers(0, 10**6), change=st.integers(1, 255))
def test_a_flipped_byte_is_read_or_refused(position: int, change: int) -> None:
    """Whatever byte of a manifest changes, reading it gives a manifest or a format error, and another digest."""
    data = bytearray(MANIFEST.to_json())
    data[position % len(data)] ^= change
    with suppress(FormatError):
        Manifest.from_json(bytes(data))

    assert manifest_digest(MANIFEST.to_json()) != manifest_digest(bytes(data))


def timeline(*rows: tuple[str, str, str | None, str]) -> pa.Table:
    full = [(at, at, event, side, subject, detail) for at, (event, subject, side, detail) in enumerate(rows)]
    return pa.Table.from_struct_array(pa.array(full, pa.struct(list(TIMELINE))))


def test_identities_are_what_services_said_when_ready() -> None:
    """Every `service_ready` row is an identity, in order; its subject and side outrank what its detail claims."""
    rows = timeline(
        ("service_ready", "authority/shared", None, '{"version": "1"}'),
        ("stall", "harness", None, "not JSON"),
        ("service_ready", "lane/legacy", "legacy", '{"subject": "forged"}'),
    )

    assert (
        {"version": "1", "subject": "authority/shared", "side": None},
        {"subject": "lane/legacy", "side": "legacy"},
    ) == identities(rows)


def test_an_identity_is_an_object() -> None:
    """A detail that is no JSON object is a format error."""
    with pytest.raises(FormatError, match="the detail of a service_ready row is damaged"):
        identities(timeline(("service_ready", "lane/legacy", "legacy", "[]")))
