"""The journal: what was written before the first bad byte can be read, and nothing wrong is ever read."""

import os
import resource
import signal
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import google_crc32c
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import FormatError, HarnessError, UsageError
from harness.recording.journal import (
    FLUSH_AFTER_NS,
    FLUSH_BYTES,
    TABLE_IDS,
    JournalContents,
    JournalWriter,
    read_journal,
)
from harness.recording.tables import JOURNAL_TABLES, TIMELINE
from tests.recording.taping import PATIENT, fill, recorder_in

FRAMES = TABLE_IDS["frames"]
HEADER_BYTES = 12
EVENTS = TABLE_IDS["timeline"]


def frame(ordinal: int, data: bytes = b"x") -> tuple[object, ...]:
    return (ordinal, 0, ordinal, 0, 1, 5, data, None)


def event(ordinal: int, detail: str = "{}") -> tuple[object, ...]:
    return (ordinal, 5, "stall", None, "harness", detail)


def signed(table: int, payload: bytes) -> bytes:
    """A frame whose checksum is right, whatever it holds."""
    return struct.pack("<IIB", len(payload), google_crc32c.value(bytes([table]) + payload), table) + payload


@dataclass(frozen=True)
class Sample:
    """A complete journal, and what is read from it."""

    data: bytes = field(repr=False)
    read: JournalContents = field(repr=False)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A small journal with rows in every table and several flushes."""
    directory = tmp_path_factory.mktemp("sample")
    recorder = recorder_in(directory)
    fill(recorder)
    recorder.close()
    path = directory / "journal.bin"
    return Sample(path.read_bytes(), read_journal(path))


def contents(data: bytes, directory: Path) -> JournalContents:
    path = directory / "journal.bin"
    path.write_bytes(data)
    return read_journal(path)


def is_start_of(read: JournalContents, whole: JournalContents) -> bool:
    """Whether every table of `read` is the beginning of the same table of `whole`."""
    return all(whole.tables[name].slice(0, table.num_rows).equals(table) for name, table in read.tables.items())


def frame_ends(data: bytes) -> Iterator[int]:
    end = HEADER_BYTES
    while end < len(data):
        end += 9 + struct.unpack_from("<I", data, end)[0]
        yield end


def test_a_closed_journal_is_complete(sample: Sample) -> None:
    """Every row that was taken is read, every table is there, and nothing is wrong."""
    rows = {name: table.num_rows for name, table in sample.read.tables.items()}

    assert (True, None, len(sample.data)) == (sample.read.complete, sample.read.damage, sample.read.bytes_read)
    assert {
        "exchanges_opened": 2,
        "exchanges_closed": 1,
        "connections_opened": 2,
        "connections_closed": 1,
        "frames": 3,
        "timeline": 2,
    } == rows
    assert list(range(11)) == sorted(
        ordinal for table in sample.read.tables.values() for ordinal in table["ordinal"].to_pylist()
    )


def test_every_prefix_is_readable(tmp_path: Path) -> None:
    """Cut anywhere, a journal gives the rows of its whole frames and says in one sentence what is missing."""
    writer = JournalWriter(tmp_path / "whole.bin")
    for ordinal in (0, 2):
        writer.add(EVENTS, event(ordinal), 1, now_ns=0)
        writer.add(FRAMES, frame(ordinal + 1), 1, now_ns=0)
        writer.flush()
    writer.close()
    whole, data = read_journal(tmp_path / "whole.bin"), (tmp_path / "whole.bin").read_bytes()
    ends = [HEADER_BYTES, *frame_ends(data)]
    for size in range(len(data)):
        read = contents(data[:size], tmp_path)
        kept = max((end for end in ends if end <= size), default=0)

        assert is_start_of(read, whole), size
        assert (False, kept) == (read.complete, read.bytes_read)
        assert f" at byte {kept} of {size}; " in str(read.damage)


def test_a_command_is_written_with_all_that_came_before_it(sample: Sample, tmp_path: Path) -> None:
    """The first flush (a frame for each of two tables) holds the command and the event noted before it."""
    read = contents(sample.data[: list(frame_ends(sample.data))[1]], tmp_path)

    assert ([0], [1]) == tuple(read.tables[name]["ordinal"].to_pylist() for name in ("timeline", "exchanges_opened"))


@PATIENT
@given(flips=st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=3))
def test_flipped_bytes_never_make_a_wrong_row(
    flips: list[tuple[int, int]], sample: Sample, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Damaged bytes end the reading, or make the file no journal of ours; what is read was written."""
    data = bytearray(sample.data)
    for position, change in flips:
        data[position % len(data)] ^= change
    directory = tmp_path_factory.mktemp("flipped")
    try:
        read = contents(bytes(data), directory)
    except FormatError:
        assert sample.data[:HEADER_BYTES] != data[:HEADER_BYTES]
    else:
        assert is_start_of(read, sample.read)
        assert read.complete == (bytes(data) == sample.data)


@PATIENT
@given(payload=st.binary(max_size=300), table=st.integers(0, 7))
def test_hostile_frames_with_a_right_checksum_are_refused(
    payload: bytes, table: int, sample: Sample, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A frame that Arrow cannot read, or of an unknown table, ends the reading without an exception."""
    read = contents(sample.data[:HEADER_BYTES] + signed(table, payload), tmp_path_factory.mktemp("hostile"))

    assert (False, HEADER_BYTES) == (read.complete, read.bytes_read)


@PATIENT
@given(position=st.integers(0, 2**20), change=st.integers(1, 255))
def test_a_forged_batch_never_raises(
    position: int, change: int, sample: Sample, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever Arrow message is signed again, reading ends in rows with the right columns or in a sentence."""
    (length,) = struct.unpack_from("<I", sample.data, HEADER_BYTES)
    payload = bytearray(sample.data[HEADER_BYTES + 9 : HEADER_BYTES + 9 + length])
    payload[position % length] ^= change
    forged = sample.data[:HEADER_BYTES] + signed(sample.data[HEADER_BYTES + 8], bytes(payload))
    read = contents(forged, tmp_path_factory.mktemp("forged"))

    assert not read.complete
    assert all(read.tables[name].schema.equals(schema) for name, schema in JOURNAL_TABLES)


def batch_of(rows: list[tuple[object, ...]], schema: pa.Schema) -> bytes:
    nullable = pa.struct([field.with_nullable(True) for field in schema])
    message = pa.RecordBatch.from_struct_array(pa.array(rows, nullable)).serialize()
    return bytes(message)


@pytest.mark.parametrize(
    ("frames", "sentence"),
    [
        ([struct.pack("<IIB", 2**32 - 1, 0, FRAMES)], "a frame of 4294967295 bytes where 0 are left"),
        ([b"1234"], "the end of the file inside a frame"),
        ([struct.pack("<IIB", 0, 1, FRAMES)], "a frame whose checksum is wrong"),
        ([signed(77, b"")], "a frame of the unknown table 77"),
        ([signed(255, b"123")], "an end mark of 3 bytes"),
        ([signed(255, struct.pack("<Q", 1))], "an end mark for 1 rows after 0"),
        ([signed(255, struct.pack("<Q", 0)), b"x"], "something after the end mark"),
        ([signed(EVENTS, batch_of([event(3), event(3)], TIMELINE))], "a frame whose ordinals do not rise"),
        ([signed(EVENTS, batch_of([event(3)], TIMELINE))] * 2, "a frame whose ordinals do not rise"),
        (
            [signed(EVENTS, batch_of([(1, 2, None, None, "s", "{}")], TIMELINE))],
            "a frame of timeline that lacks a value",
        ),
        ([signed(EVENTS, batch_of([], TIMELINE))], "a frame without rows"),
        ([], "the end of the file, without an end mark,"),
    ],
)
def test_damage_is_named(frames: list[bytes], sentence: str, sample: Sample, tmp_path: Path) -> None:
    """The sentence says what was found and where; a length is never believed further than the file goes."""
    read = contents(sample.data[:HEADER_BYTES] + b"".join(frames), tmp_path)

    assert read.damage is not None
    assert read.damage.startswith(f"journal.bin: {sentence} at byte ")


@pytest.mark.parametrize("data", [b"PAR1" + b"\0" * 20, b"parityj\n\2\0\0\0", b"\0"])
def test_a_file_that_is_no_journal_is_refused(data: bytes, tmp_path: Path) -> None:
    """Another file, or a journal of a newer version, is a format error and no damage."""
    with pytest.raises(FormatError, match=r"journal\.bin is (not )?a journal"):
        contents(data, tmp_path)


def test_nothing_is_written_before_it_must_be(tmp_path: Path) -> None:
    """Rows wait for company until the first of them has waited for 200 ms."""
    path = tmp_path / "journal.bin"
    writer = JournalWriter(path)
    writer.add(FRAMES, frame(0), 1, now_ns=50)
    writer.add(FRAMES, frame(1), 1, now_ns=49 + FLUSH_AFTER_NS)
    early = read_journal(path).tables["frames"].num_rows
    writer.add(FRAMES, frame(2), 1, now_ns=50 + FLUSH_AFTER_NS)
    late = read_journal(path).tables["frames"].num_rows
    writer.add(FRAMES, frame(3), 1, now_ns=51 + FLUSH_AFTER_NS)
    after = read_journal(path).tables["frames"].num_rows
    writer.close()

    assert (0, 3, 3) == (early, late, after)


def test_a_mebibyte_does_not_wait(tmp_path: Path) -> None:
    """Rows are written as soon as 1 MiB of them waits, whatever the clock says."""
    path = tmp_path / "journal.bin"
    writer = JournalWriter(path)
    writer.add(FRAMES, frame(0), 1, now_ns=0)
    writer.add(FRAMES, frame(1, bytes(FLUSH_BYTES)), FLUSH_BYTES, now_ns=0)
    read = read_journal(path)
    writer.close()

    assert [b"x", bytes(FLUSH_BYTES)] == read.tables["frames"]["data"].to_pylist()


def test_a_closed_journal_takes_nothing_more(tmp_path: Path) -> None:
    """Closing or flushing again is harmless; a row that comes too late is an error, not a loss."""
    writer = JournalWriter(tmp_path / "journal.bin")
    writer.close()
    writer.close()
    writer.flush()

    with pytest.raises(HarnessError, match="after the journal was closed"):
        writer.add(FRAMES, frame(0), 1, now_ns=0)


def test_a_journal_is_never_overwritten(tmp_path: Path) -> None:
    """A path that exists is refused."""
    JournalWriter(tmp_path / "journal.bin").close()

    with pytest.raises(UsageError, match="exists already"):
        JournalWriter(tmp_path / "journal.bin")


def test_a_row_that_does_not_fit_is_an_error_and_a_known_loss(tmp_path: Path) -> None:
    """What comes after a refused row is still written, and the journal knows that one is missing."""
    path = tmp_path / "journal.bin"
    writer = JournalWriter(path)
    writer.add(EVENTS, event(0), 1, now_ns=0)
    writer.add(FRAMES, (1, 2**40, 0, 0, 1, 5, b"", None), 1, now_ns=0)
    with pytest.raises(HarnessError, match="a row of table frames does not fit"):
        writer.flush()
    writer.add(EVENTS, event(2), 1, now_ns=0)
    writer.close()
    read = read_journal(path)

    assert [2] == read.tables["timeline"]["ordinal"].to_pylist()
    assert "an end mark for 3 rows after 1" in str(read.damage)


def test_a_full_disk_leaves_no_torn_frame(tmp_path: Path) -> None:
    """If the disk takes half a flush, that flush is taken back; what comes later is readable, the loss is known."""
    path = tmp_path / "journal.bin"
    writer = JournalWriter(path)
    writer.add(EVENTS, event(0), 1, now_ns=0)
    writer.flush()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 1000, limits[1]))
    try:
        writer.add(FRAMES, frame(1, bytes(5000)), 5000, now_ns=0)
        with pytest.raises(HarnessError, match="the journal cannot be written"):
            writer.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    writer.add(EVENTS, event(2), 1, now_ns=0)
    writer.close()
    read = read_journal(path)

    assert ([0, 2], 0) == (read.tables["timeline"]["ordinal"].to_pylist(), read.tables["frames"].num_rows)
    assert "an end mark for 3 rows after 2" in str(read.damage)


def test_rows_pass_through_their_rewrite(tmp_path: Path) -> None:
    """A table's rewrite sees its rows once, right before they are written, and other tables are left alone."""
    path = tmp_path / "journal.bin"
    writer = JournalWriter(path, {EVENTS: lambda rows: [(*row[:-1], "[]") for row in rows]})
    writer.add(EVENTS, event(0), 1, now_ns=0)
    writer.add(FRAMES, frame(1), 1, now_ns=0)
    writer.close()
    tables = read_journal(path).tables

    assert (["[]"], [b"x"]) == (tables["timeline"]["detail"].to_pylist(), tables["frames"]["data"].to_pylist())


def test_a_journal_that_grows_is_read_as_far_as_it_was(tmp_path: Path) -> None:
    """Reading beside the writer gives whole flushes only."""
    path = tmp_path / "journal.bin"
    writer = JournalWriter(path)
    writer.add(EVENTS, event(0), 1, now_ns=0)
    writer.flush()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
    read = read_journal(path)
    writer.close()

    assert (1, size, False) == (read.tables["timeline"].num_rows, read.bytes_read, read.complete)
