"""A subscriber that never reads: bounded memory in the lane, everything for everybody else, a word on why it went."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection

from tests.hard.idle_reader import IdleReader, texts
from tests.reference.legacy_gateway.running import reader_token, received, running_gateway
from tests.reference.spacetime.running import (
    EVENTS_OF_X,
    PROTOCOL,
    RELAY,
    hello,
    live_rows,
    message,
    running_stand_in,
    subscribe,
)

MIB = 1 << 20
TOPIC = "run:never-read:events"
PAYLOAD = {"text": "x" * 8_000}
EVENTS, STEP_EVENTS = 4_000, 100
GATEWAY_GROWN_BYTES_MAX = 32 * MIB
"""Far less than the 32 MB that were not read, beside the window that is kept anyway."""

COMMITS = 18_600
QUEUED_MESSAGES_MAX = 16_384
STAND_IN_GROWN_BYTES_MAX = 160 * MIB
"""What the real server grew by was about 80 MB, with rows of 0.9 kB (wire sheet, 4.5)."""
DEADLINE_S = 60.0


def resident_bytes(pid: int) -> int:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def last_word(frames: list[Frame]) -> dict[str, object]:
    """The last text message."""
    said: dict[str, object] = json.loads(texts(frames)[-1])
    return said


def test_the_legacy_gateway_holds_nothing_for_a_reader_that_reads_nothing(tmp_path: Path) -> None:
    """Its window is kept once. Whoever else reads gets everything, and the idle reader is told that it is stale."""
    with running_gateway(tmp_path) as gateway:
        url = f"ws://127.0.0.1:{gateway.port}/internal/v1/khala/topics/{TOPIC}/ws?after_seq=0&limit=200"
        headers = {"Authorization": f"Bearer {reader_token(device_id='idle')}"}
        gateway.feed(TOPIC, 1, 1_100, payload=PAYLOAD)
        full_bytes = resident_bytes(gateway.process.pid)
        with (
            IdleReader(url.replace("after_seq=0", "after_seq=1100"), headers) as idle,
            gateway.join(TOPIC, after_seq=1_100, limit=200, token=reader_token(device_id="other")) as other,
        ):
            received(other, 1)
            got = [
                frame["message"]["sequence"]
                for first in range(1_101, 1_101 + EVENTS, STEP_EVENTS)
                for frame in _fed(gateway.feed, other, first)
            ]
            grown_bytes = resident_bytes(gateway.process.pid) - full_bytes
            frames = idle.rest()

    assert list(range(1_101, 1_101 + EVENTS)) == got
    assert grown_bytes < GATEWAY_GROWN_BYTES_MAX
    assert "stale_cursor" == last_word(frames)["type"]
    assert Opcode.CLOSE is frames[-1].opcode
    assert len(texts(frames)) < EVENTS / 2


def _fed(feed: object, other: ClientConnection, first: int) -> list[dict[str, dict[str, int]]]:
    """Some events fed, and as many frames read by the other reader."""
    assert callable(feed)
    feed(TOPIC, first, first + STEP_EVENTS - 1, payload=PAYLOAD)
    return received(other, STEP_EVENTS)


def test_the_stand_in_cuts_off_a_reader_that_reads_nothing(tmp_path: Path) -> None:
    """After 16 384 messages it is dropped without a Close frame and the log says why; the other one gets all."""
    with running_stand_in(tmp_path) as lane:
        url = f"ws://127.0.0.1:{lane.port}/v1/database/sync/subscribe?compression=None"
        headers = {"Authorization": f"Bearer {lane.token('idle')}"}
        before_bytes = resident_bytes(lane.process.pid)
        with IdleReader(url, headers, [PROTOCOL]) as idle, lane.socket() as other, lane.socket(subject=RELAY) as writer:
            request = {"query_strings": [EVENTS_OF_X], "request_id": 1, "query_id": {"id": 1}}
            idle.send(json.dumps({"SubscribeMulti": request}).encode())
            hello(other)
            subscribe(other, 1, EVENTS_OF_X)
            with _collected(other) as got:
                _append(writer, COMMITS)
                _wait_for(got, COMMITS)
            grown_bytes = resident_bytes(lane.process.pid) - before_bytes
            frames = idle.rest()

    assert list(range(1, COMMITS + 1)) == got
    assert grown_bytes < STAND_IN_GROWN_BYTES_MAX
    assert "client channel capacity exceeded" in (tmp_path / "stand-in.log").read_text()
    assert Opcode.CLOSE not in {frame.opcode for frame in frames}
    assert len(texts(frames)) < COMMITS - QUEUED_MESSAGES_MAX + 2


@contextmanager
def _collected(connection: ClientConnection) -> Iterator[list[int]]:
    """The numbers that come over a connection, collected beside whatever else goes on."""
    got: list[int] = []

    def collect() -> None:
        while len(got) < COMMITS:
            _, content = message(connection)
            got.extend(row[1] for row in live_rows(content, "sync_event"))

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    yield got
    thread.join(DEADLINE_S)


def _append(writer: ClientConnection, commits: int) -> None:
    """One call an event, not waiting for the answer to each."""
    hello(writer)
    for seq in range(1, commits + 1):
        args = json.dumps(["x", {"some": seq}, f"k{seq}", "h", "00" * 600])
        call = {"reducer": "append_sync_event", "args": args, "request_id": seq, "flags": 1}
        writer.send(json.dumps({"CallReducer": call}))


def _wait_for(got: list[int], count: int) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while len(got) < count and time.monotonic() < deadline_s:
        threading.Event().wait(0.05)
