"""Sealing: a journal becomes tables, whatever state it was left in, and the same journal the same bytes."""

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import FormatError, UsageError
from harness.recording.journal import TABLE_IDS, JournalWriter, read_journal
from harness.recording.manifest import RecordingAbout
from harness.recording.reader import open_recording
from harness.recording.sealing import seal, write_recording
from harness.recording.tables import JOURNAL_TABLES, SEALED_TABLES
from tests.recording.taping import ABOUT, PATIENT, PLAN, close_exchange, fill, open_exchange, recorder_in, sealed_in

SEALED_FILES = {"manifest.json", "plan.json", *(f"{name}.parquet" for name in SEALED_TABLES)}


def unsealed_in(directory: Path) -> Path:
    recorder = recorder_in(directory)
    fill(recorder)
    recorder.close()
    return directory


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_journal_becomes_four_tables(tmp_path: Path) -> None:
    """Sealing leaves tables, plan and manifest; the journal and what was kept for a crash are gone."""
    directory = unsealed_in(tmp_path)
    before = names_in(directory)
    recording = open_recording(seal(directory))

    assert {"journal.bin", "plan.json", "about.json"} == before
    assert SEALED_FILES == names_in(directory)
    assert ("complete", "", ()) == (recording.manifest.sealed, recording.manifest.damage, recording.damage)
    assert (ABOUT, PLAN) == (recording.manifest.about, recording.plan)
    assert {"exchanges": 2, "connections": 2, "frames": 3, "timeline": 2} == {
        name: entry.rows for name, entry in recording.manifest.tables.items()
    }
    assert ({"profile": "embedded", "version": "1", "subject": "lane/legacy", "side": "legacy"},) == (
        recording.manifest.identities
    )


def test_opened_and_closed_rows_are_joined(tmp_path: Path) -> None:
    """A row is what was known at its opening and, by id, at its closing, in whatever order they closed."""
    recorder = recorder_in(tmp_path)
    ids = [open_exchange(recorder, step=step) for step in range(3)]
    close_exchange(recorder, ids[2], status=202)
    close_exchange(recorder, ids[0], status=200)
    table = open_recording(recorder.seal()).table("exchanges")

    assert [
        (0, 0, "ok", 200, 4, 1040),
        (1, 1, "indefinite", None, None, None),
        (2, 2, "ok", 202, 3, 1030),
    ] == [
        tuple(row[name] for name in ("ordinal", "step", "outcome", "status", "closed_ordinal", "answered_ns"))
        for row in table.to_pylist()
    ]


def test_what_never_closed_says_so(tmp_path: Path) -> None:
    """An open exchange is indefinite, an open connection was closed by nobody; everything else is unknown."""
    recording = open_recording(seal(unsealed_in(tmp_path)))
    exchange = recording.table("exchanges").to_pylist()[-1]
    connection = recording.table("connections").to_pylist()[-1]
    closing = {
        name: SEALED_TABLES[name].names[SEALED_TABLES[name].names.index("closed_ordinal") :]
        for name in ("exchanges", "connections")
    }

    assert {**dict.fromkeys(closing["exchanges"]), "outcome": "indefinite"} == {
        name: exchange[name] for name in closing["exchanges"]
    }
    assert {**dict.fromkeys(closing["connections"]), "closed_by": "nobody"} == {
        name: connection[name] for name in closing["connections"]
    }


def test_an_empty_recording_can_be_sealed(tmp_path: Path) -> None:
    """A recorder that noted nothing leaves a recording of empty tables, with all their columns."""
    tables = open_recording(recorder_in(tmp_path).seal()).intact()

    assert SEALED_TABLES == {name: table.schema for name, table in tables.items()}
    assert 0 == sum(table.num_rows for table in tables.values())


def test_the_same_journal_gives_the_same_bytes(tmp_path: Path) -> None:
    """Sealed twice in two places, every file is the same, and so is the digest."""
    shutil.copytree(unsealed_in(tmp_path / "one"), tmp_path / "two")
    first, second = (seal(tmp_path / name) for name in ("one", "two"))

    assert names_in(first) == names_in(second)
    for name in SEALED_FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_a_written_recording_equals_the_sealed_one(tmp_path: Path) -> None:
    """Tables read from a recording and written anew make the same recording: a mutation changes nothing else."""
    original = open_recording(sealed_in(tmp_path / "original"))
    copy = write_recording(tmp_path / "copy", original.intact(), PLAN.to_json(), ABOUT)

    assert original.digest == open_recording(copy).digest


def test_sealing_twice_is_refused(tmp_path: Path) -> None:
    """A sealed recording is never written again."""
    with pytest.raises(UsageError, match="is sealed already"):
        seal(sealed_in(tmp_path))


def test_there_must_be_something_to_seal(tmp_path: Path) -> None:
    """A directory without a journal is no recording in the making."""
    with pytest.raises(UsageError, match=r"holds no journal\.bin"):
        seal(tmp_path)


@PATIENT
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_cut_journal_is_recovered(share: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Cut anywhere, what is left is sealed as recovered, says what is missing, and the journal is kept."""
    directory = unsealed_in(tmp_path_factory.mktemp("cut"))
    data = (directory / "journal.bin").read_bytes()
    (directory / "journal.bin").write_bytes(data[: int(share * len(data))])
    kept = read_journal(directory / "journal.bin")
    recording = open_recording(seal(directory))

    assert {*SEALED_FILES, "journal.damaged.bin"} == names_in(directory)
    assert ("recovered", kept.damage) == (recording.manifest.sealed, recording.manifest.damage)
    assert (kept.damage,) == recording.damage
    assert kept.tables["frames"].equals(recording.table("frames"))
    assert kept.tables["exchanges_opened"].num_rows == recording.table("exchanges").num_rows


def test_a_crash_while_sealing_is_no_loss(tmp_path: Path) -> None:
    """Until the manifest stands the journal does too: leftovers of a sealing that died are overwritten."""
    directory = unsealed_in(tmp_path)
    (directory / "frames.parquet").write_bytes(b"half")
    (directory / "frames.parquet.tmp").write_bytes(b"quarter")
    (directory / "manifest.json.tmp").write_bytes(b"{")
    seal(directory)

    assert 3 == open_recording(directory).table("frames").num_rows
    assert SEALED_FILES == names_in(directory) - {"manifest.json.tmp"}


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("plan.json", None, "plan.json is missing"),
        ("about.json", None, "about.json is missing"),
        ("about.json", b"{}", "about.json is damaged"),
        ("plan.json", b"{}", "plan.json has digest"),
        ("journal.bin", b"PAR1 no journal at all", "journal.bin is not a journal"),
    ],
)
def test_what_is_no_recording_is_not_sealed(tmp_path: Path, name: str, data: bytes | None, sentence: str) -> None:
    """A directory whose files do not belong together is refused, and the journal stays."""
    directory = unsealed_in(tmp_path)
    if data is None:
        (directory / name).unlink()
    else:
        (directory / name).write_bytes(data)

    with pytest.raises(FormatError, match=f"^{sentence}"):
        seal(directory)

    assert (directory / "journal.bin").exists()
    assert not (directory / "manifest.json").exists()


def test_closed_rows_without_an_opened_one_are_counted(tmp_path: Path) -> None:
    """A forged journal that closes what it never opened is sealed without those rows, and says how many."""
    directory = unsealed_in(tmp_path)
    (directory / "journal.bin").unlink()
    writer = JournalWriter(directory / "journal.bin")
    writer.add(TABLE_IDS["exchanges_closed"], (0, 7, 200, None, None, None, "ok", None, None), 0, 0)
    writer.close()
    recording = open_recording(seal(directory))

    assert ("recovered", 0) == (recording.manifest.sealed, recording.table("exchanges").num_rows)
    assert "journal.bin: 1 closed rows without an opened one are left out" == recording.manifest.damage


def tables_of(tmp_path: Path) -> dict[str, pa.Table]:
    return open_recording(sealed_in(tmp_path / "original")).intact()


def test_a_written_recording_may_be_damaged_on_purpose(tmp_path: Path) -> None:
    """What a writer says about completeness is what the manifest says."""
    directory = write_recording(tmp_path / "new", tables_of(tmp_path), PLAN.to_json(), ABOUT, "recovered", "cut")

    assert ("cut",) == open_recording(directory).damage


def test_a_written_recording_is_checked_first(tmp_path: Path) -> None:
    """Missing tables, other columns, another plan and a directory in use are refused before anything is written."""
    tables = tables_of(tmp_path)
    plan, other = PLAN.to_json(), replace(ABOUT, plan_digest="sha256:0")
    refused: list[tuple[str, dict[str, pa.Table], RecordingAbout, str]] = [
        ("new", {name: table for name, table in tables.items() if name != "frames"}, ABOUT, "has the tables"),
        ("new", {**tables, "frames": tables["frames"].drop_columns(["data"])}, ABOUT, "table frames has other columns"),
        ("new", tables, other, "pair them"),
        ("original", tables, ABOUT, "holds a recording already"),
    ]
    for name, given_tables, about, sentence in refused:
        with pytest.raises(UsageError, match=sentence):
            write_recording(tmp_path / name, given_tables, plan, about)

    assert not (tmp_path / "new").exists()


def test_sealed_tables_are_the_journal_joined() -> None:
    """Each journal table is sealed somewhere: no column of it is lost but the second ordinal's name."""
    columns = {name: set(schema.names) for name, schema in SEALED_TABLES.items()}
    for name, schema in JOURNAL_TABLES:
        assert set(schema.names) <= columns[name.removesuffix("_opened").removesuffix("_closed")]
