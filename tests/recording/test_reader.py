"""Reading: nothing is handed out that is not what was sealed, and of a damaged recording the rest still is."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import FormatError, UsageError
from harness.recording.manifest import manifest_digest
from harness.recording.reader import Recording, as_frames, find_recordings, open_damaged, open_recording
from harness.recording.tables import SEALED_TABLES
from tests.recording.taping import PATIENT, PLAN, recorder_in, sealed_in


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    return sealed_in(tmp_path / "recording")


def spoil(path: Path, position: int = 100) -> None:
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1
    path.write_bytes(data)


def all_tables(recording: Recording) -> dict[str, list[dict[str, object]]]:
    return {name: table.to_pylist() for name, table in recording.intact().items()}


def test_a_recording_is_named_by_its_manifest(sealed: Path) -> None:
    """The digest is over the bytes of the manifest; plan and tables are what was recorded."""
    recording = open_recording(sealed)

    assert manifest_digest((sealed / "manifest.json").read_bytes()) == recording.digest
    assert (sealed, PLAN, ()) == (recording.directory, recording.plan, recording.damage)
    assert list(SEALED_TABLES) == list(recording.intact())
    assert [b'{"hello":1}', b"\x00\xff", b'{"seq":1}'] == recording.table("frames")["data"].to_pylist()


def test_frames_can_be_walked(sealed: Path) -> None:
    """Walking the frames gives the rows of the table, with the columns asked for."""
    batches = list(open_recording(sealed).frames(["connection", "data"]))

    assert [(0, b'{"hello":1}'), (1, b"\x00\xff"), (0, b'{"seq":1}')] == [
        tuple(row.values()) for batch in batches for row in batch.to_pylist()
    ]


def test_a_table_must_exist(sealed: Path) -> None:
    """Another name than those of the four tables is a mistake of the caller."""
    with pytest.raises(UsageError, match="a recording has no table 'rows'"):
        open_recording(sealed).table("rows")


@pytest.mark.parametrize("name", list(SEALED_TABLES))
def test_a_damaged_table_is_named_and_the_others_are_intact(sealed: Path, name: str) -> None:
    """A flipped byte in one table: opening says which, and which are intact; those can still be read."""
    whole = all_tables(open_recording(sealed))
    spoil(sealed / f"{name}.parquet")
    others = [other for other in SEALED_TABLES if other != name]

    with pytest.raises(
        FormatError, match=rf"table {name}: {name}\.parquet has .*; intact tables: {', '.join(others)};"
    ):
        open_recording(sealed)
    damaged = open_damaged(sealed)
    assert {other: whole[other] for other in others} == all_tables(damaged)
    assert [f"table {name}: {name}.parquet"] == [text.split(" has ")[0] for text in damaged.damage]
    with pytest.raises(FormatError, match=f"table {name} of .* is damaged"):
        damaged.table(name)


def test_damaged_frames_cannot_be_walked(sealed: Path) -> None:
    """Walking is refused like reading, before the first row."""
    spoil(sealed / "frames.parquet")

    with pytest.raises(FormatError, match=r"table frames of .* is damaged"):
        open_damaged(sealed).frames()


@PATIENT
@given(
    file=st.sampled_from(sorted({"plan.json", *(f"{name}.parquet" for name in SEALED_TABLES)})),
    share=st.floats(0, 0.999),
)
def test_a_cut_file_is_found(file: str, share: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any file of a recording cut anywhere is a format error that names it; nothing else is lost."""
    directory = sealed_in(tmp_path_factory.mktemp("cut") / "recording")
    whole = all_tables(open_recording(directory))
    data = (directory / file).read_bytes()
    (directory / file).write_bytes(data[: int(share * len(data))])

    with pytest.raises(FormatError, match=rf"is damaged: .*{file} has "):
        open_recording(directory)
    damaged = open_damaged(directory)
    assert {name: rows for name, rows in whole.items() if f"{name}.parquet" != file} == all_tables(damaged)


@PATIENT
@given(position=st.integers(0, 10**6), change=st.integers(1, 255))
def test_a_flipped_byte_anywhere_is_found(position: int, change: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No file but the manifest can change unseen, and the manifest cannot without another digest."""
    directory = sealed_in(tmp_path_factory.mktemp("flipped") / "recording")
    digest = open_recording(directory).digest
    files = sorted(directory.iterdir())
    path = files[position % len(files)]
    data = bytearray(path.read_bytes())
    data[position // len(files) % len(data)] ^= change
    path.write_bytes(data)

    assert digest not in opened_digests(directory)


def opened_digests(directory: Path) -> Iterator[str]:
    """The digest under which the recording opens as intact, if it does."""
    try:
        recording = open_recording(directory)
    except FormatError:
        return
    yield recording.digest


def test_a_damaged_plan_is_named(sealed: Path) -> None:
    """The plan must be the one that the manifest names; the tables do not suffer."""
    (sealed / "plan.json").write_bytes(PLAN.to_json().replace(b'"seed":7', b'"seed":8'))
    damaged = open_damaged(sealed)

    with pytest.raises(FormatError, match=r"plan\.json has digest sha256:.*, the manifest says sha256:"):
        open_recording(sealed)
    with pytest.raises(FormatError, match=r"plan\.json has digest"):
        _ = damaged.plan
    assert list(SEALED_TABLES) == list(damaged.intact())


@pytest.mark.parametrize("manifest", [b"", b"{}", None])
def test_without_a_manifest_tables_are_readable_but_unproven(sealed: Path, manifest: bytes | None) -> None:
    """No hash, no proof: opening is refused, but whoever asks for damaged recordings gets what can be read."""
    whole = all_tables(open_recording(sealed))
    if manifest is None:
        (sealed / "manifest.json").unlink()
    else:
        (sealed / "manifest.json").write_bytes(manifest)
    spoil(sealed / "timeline.parquet", 4)
    damaged = open_damaged(sealed)

    with pytest.raises(FormatError, match=r"manifest\.json .* names no hash that tables could be held against"):
        open_recording(sealed)
    with pytest.raises(FormatError, match=r"manifest\.json"):
        _ = damaged.manifest
    assert PLAN == damaged.plan
    assert {name: rows for name, rows in whole.items() if name != "timeline"} == {
        name: rows for name, rows in all_tables(damaged).items() if name != "timeline"
    }


def test_a_newer_recording_is_refused_by_name(sealed: Path) -> None:
    """A format that this harness does not know is named, with the one that it reads."""
    document = json.loads((sealed / "manifest.json").read_text())
    document["format"] = "lane-parity/recording/2"
    (sealed / "manifest.json").write_text(json.dumps(document))

    with pytest.raises(
        FormatError, match="has format lane-parity/recording/2, this harness reads lane-parity/recording/1"
    ):
        open_recording(sealed)


def test_an_unsealed_recording_says_how_to_seal_it(tmp_path: Path) -> None:
    """A recording that crashed or still runs is not sealed, and the message carries the command."""
    recorder_in(tmp_path).close()

    for opened in (open_recording, open_damaged):
        with pytest.raises(FormatError, match=rf"is not sealed; run `parity seal {tmp_path}`"):
            opened(tmp_path)


@pytest.mark.parametrize("name", [".", "nowhere"])
def test_a_directory_without_a_recording_is_refused(tmp_path: Path, name: str) -> None:
    """An empty or missing directory holds no recording."""
    with pytest.raises(FormatError, match="holds no recording"):
        open_recording(tmp_path / name)


def test_recordings_of_a_run_are_found(tmp_path: Path) -> None:
    """Every directory that holds a recording is found, sealed, crashed or damaged, in the order of their paths."""
    root = tmp_path / "recordings"
    sealed_in(root / "b.mirrored")
    recorder_in(root / "a" / "isolated").close()
    damaged = sealed_in(root / "c.mirrored")
    (damaged / "manifest.json").unlink()
    (root / "empty").mkdir()

    assert [root / "a" / "isolated", root / "b.mirrored", root / "c.mirrored"] == find_recordings(tmp_path)


def test_a_run_has_recordings(tmp_path: Path) -> None:
    """A directory without `recordings` is no run; finding nothing there would look like success."""
    with pytest.raises(UsageError, match="is not a run"):
        find_recordings(tmp_path)


def test_pandas_frames_keep_types_and_gaps(sealed: Path) -> None:
    """Integers and texts are nullable dtypes, so that nothing recorded stays apart from zero and from empty."""
    frames = as_frames(open_recording(sealed))
    exchanges, recorded = frames["exchanges"], frames["frames"]

    assert list(SEALED_TABLES) == list(frames)
    assert ("UInt64", "Int32", "Int64", "string") == tuple(
        str(exchanges[name].dtype) for name in ("ordinal", "status", "answered_ns", "outcome")
    )
    assert (200, True) == (exchanges["status"][0], exchanges["status"][1] is pd.NA)
    assert (b"\x00\xff", None) == (recorded["data"][1], recorded["redacted"][1])
