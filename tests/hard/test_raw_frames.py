"""A lane that breaks the WebSocket protocol itself: recorded as far as it is one, reconnected, and never a crash."""

import asyncio
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.drive import tapped_socket
from harness.drive.dialects import Reader
from harness.drive.subscriber import Ask, Subscriber
from harness.lanes.secrets import RunSecrets
from harness.model.names import Side, StreamKey
from harness.model.plan import Policy
from tests.drive.conftest import Row, Tape, new_tape, run
from tests.drive.plans import plan
from tests.drive.scripted_lane import TOPIC, hello, message
from tests.hard.raw_lane import BINARY, CONTINUATION, PING, RawLane, close_frame, frame, raw_lane

QUICK = Policy(reconnect_max=1, backoff_ms=1)
HEARD_WITHIN_S = 10.0


@pytest.fixture
def tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tape:
    """A recorder on a fresh directory; nobody waits long for a lane that keeps a dead connection open."""
    monkeypatch.setattr(tapped_socket, "CLOSE_DEADLINE_S", 0.05)
    monkeypatch.setattr(tapped_socket, "OPEN_DEADLINE_S", 0.5)
    return new_tape(tmp_path / "recording", plan())


def listened(tape: Tape, directory: Path, *scripts: bytes, until: int | None = 2, **options: object) -> RawLane:
    """One subscriber of a raw lane, until it ended by itself or has what it waits for."""
    lanes: list[RawLane] = []

    async def story() -> None:
        async with raw_lane(*scripts, **options) as lane, asyncio.TaskGroup() as group:  # type: ignore[arg-type]
            lanes.append(lane)
            reader = Reader(StreamKey("run", "r1"), TOPIC, 1, "reader")
            ask = Ask("subscriber", 7, reader, 0, until, QUICK)
            one = Subscriber(ask, lane.handle, RunSecrets(directory), tape.recorder, asyncio.Event())
            one.start(group)
            await one.reached(until or 0, HEARD_WITHIN_S)
            await one.close("unsubscribed")

    run(story)
    return lanes[0]


def recorded(tape: Tape) -> list[bytes]:
    """Every message from the lane, in order."""
    return [row["data"] for row in tape.rows("frames") if row["direction"] == 0]


def endings(rows: Sequence[Row]) -> list[tuple[str, int | None]]:
    """Who ended each connection, with which code."""
    return [(row["closed_by"], row["code"]) for row in rows]


FIRST = [hello(), message(1)]
OPENING = b"".join(map(frame, FIRST))
GOES_ON = frame(hello(1)) + frame(message(2))


def test_what_comes_after_a_close_frame_is_no_message(tape: Tape, tmp_path: Path) -> None:
    """After Close a connection carries no data (RFC 6455, 1.4): the client has not got it, and comes back for it."""
    late = OPENING + close_frame(1000) + frame(message(2)) + frame(message(3))
    lane = listened(tape, tmp_path, late, GOES_ON)

    assert 2 == lane.connections
    assert [*FIRST, hello(1), message(2)] == recorded(tape)
    assert [("lane", 1000), ("harness", 1000)] == endings(tape.rows("connections_closed"))
    assert "after_seq=1" in lane.first_lines[1]


BROKEN = {
    "a masked frame": frame(message(2), masked=True),
    "a reserved bit": frame(message(2), reserved=4),
    "an unknown data opcode": frame(message(2), 3),
    "an unknown control opcode": frame(b"", 11),
    "a continuation of nothing": frame(message(2), CONTINUATION),
    "a message inside a message": frame(message(2)[:9], fin=False) + frame(message(2)),
    "a ping in pieces": frame(b"x", PING, fin=False),
    "a ping of 126 bytes": frame(b"x" * 126, PING),
    "a length with its top bit set": bytes([0x81, 127]) + struct.pack("!Q", 2**64 - 1),
    "a close of one byte": frame(b"\x03", 8),
    "a close with a reserved code": close_frame(1005),
    "a close with a reason that is no text": close_frame(1000, b"\xff\xfe"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_frame_ends_the_connection_and_nothing_else(tape: Tape, tmp_path: Path, broken: bytes) -> None:
    """What came before is on record, the end has a row, and the subscriber goes on from what it applied."""
    lane = listened(tape, tmp_path, OPENING + broken, GOES_ON)

    assert 2 == lane.connections
    assert [*FIRST, hello(1), message(2)] == recorded(tape)
    closed = tape.rows("connections_closed")
    assert [101, 101] == [row["handshake_status"] for row in closed]
    assert ["until"] == [row["detail"]["reason"] for row in tape.events("subscription_closed")]


UNREADABLE = {
    "binary": (frame(b"\x00\x01", BINARY), b"\x00\x01"),
    "text that is no UTF-8": (frame(b"\xff\xfe"), b"\xff\xfe"),
    "nothing": (frame(b""), b""),
    "half a JSON text": (frame(message(2)[:-2]), message(2)[:-2]),
    "brackets without end": (frame(b"[" * 300_000), b"[" * 300_000),
    "a number without end": (frame(b"9" * 100_000), b"9" * 100_000),
    "pieces": (frame(b"{", fin=False) + frame(b"]", CONTINUATION), b"{]"),
    "an unknown type": (frame(b'{"type":"surprise"}'), b'{"type":"surprise"}'),
}


@pytest.mark.parametrize(("sent", "kept"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_message_that_nobody_can_read_is_recorded_whole(tape: Tape, tmp_path: Path, sent: bytes, kept: bytes) -> None:
    """To the last byte and in its place, and what follows it is heard as ever."""
    lane = listened(tape, tmp_path, OPENING + sent + frame(message(2)))

    assert 1 == lane.connections
    assert [*FIRST, kept, message(2)] == recorded(tape)
    assert 1 == len(tape.events("undecodable"))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00" * 64,
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: bm8=\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
        b"HTTP/1.1 101 " + b"x" * 100_000,
    ],
)
def test_an_answer_that_is_no_handshake_is_an_attempt_that_failed(tape: Tape, tmp_path: Path, answer: bytes) -> None:
    """The subscriber ends by its policy, with a row for each attempt, and nothing was opened."""
    silent = answer in (b"",)
    lane = listened(tape, tmp_path, b"", until=None if silent else 1, answer=answer)

    assert lane.connections >= 1
    rows = tape.rows("connections_closed")
    assert [None] * len(rows) == [row["accepted_ns"] for row in rows]
    assert [] == recorded(tape)


@pytest.mark.parametrize("side", list(Side))
def test_noise_of_any_kind_never_ends_the_driver(tape: Tape, tmp_path: Path, side: Side) -> None:
    """Ten thousand messages of no dialect: every one of them is on record, the notes about them are few."""
    noise = b"".join(frame(b'{"n":%d}' % number) for number in range(10_000))
    listened(tape, tmp_path, noise + close_frame(1000), side=side, until=1)
    counts = {"frames": len(recorded(tape)), "notes": len(tape.events("undecodable"))}

    assert 20_000 == counts["frames"]
    assert counts["notes"] < 100
