"""Messages per second of the recording subscriber, against clients that only count, in one run.

A server on loopback writes frames that were built beforehand, so that the client is what is measured. The peer is the
public receive loop of `websockets`; the floor is our own socket with a sink that counts and does nothing else.

    python benchmarks/record.py [MESSAGES] [ROUNDS]
"""

import asyncio
import base64
import hashlib
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from websockets.asyncio.client import connect

from harness.drive.dialects import Reader, Route, route
from harness.drive.subscriber import Ask, Subscriber
from harness.drive.tapped_socket import TappedSocket, open_socket
from harness.lanes.deployment import LaneHandle
from harness.lanes.profile import load_profile
from harness.lanes.secrets import RunSecrets
from harness.model.names import Side, StreamKey, Topology
from harness.model.plan import Plan, Policy
from harness.recording.manifest import RecordingAbout
from harness.recording.recorder import Recorder
from harness.recording.redaction import Secrets

RUN_ID = "018f0000-0000-7000-8000-000000000001"
TOPIC = f"run:{RUN_ID}:events"
STREAM_ID = f"runtime.run.{RUN_ID}.events"
RATIO_MIN = 0.7
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def legacy_frames(count: int) -> list[bytes]:
    """The greeting, then `count` messages of the legacy dialect."""
    hello = {"type": "hello", "topic": TOPIC, "after_seq": 0, "limit": 200, "recommended_reconnect_backoff_ms": 500}
    return [_compact(hello), *(_compact({"type": "message", "message": _envelope(seq)}) for seq in range(1, count + 1))]


def target_frames(count: int) -> list[bytes]:
    """Identity, an empty snapshot, then `count` transactions of one row."""
    identity = {"identity": {"__identity__": "0x" + "c2" * 32}, "token": "", "connection_id": {"__connection_id__": 7}}
    applied = {
        "request_id": 1,
        "total_host_execution_duration_micros": 90,
        "query_id": {"id": 1},
        "update": {"tables": []},
    }
    opening = [_compact({"IdentityToken": identity}), _compact({"SubscribeMultiApplied": applied})]
    return opening + [_transaction(seq) for seq in range(1, count + 1)]


def _envelope(seq: int) -> dict[str, object]:
    payload = {"tool": "rg", "params": {"q": "needle", "path": "src"}, "latency_ms": seq % 997, "n": seq}
    return {
        "topic": TOPIC,
        "sequence": seq,
        "kind": "tool",
        "payload": payload,
        "published_at": "2026-02-25T12:00:00.123456789Z",
    }


def _transaction(seq: int) -> bytes:
    hexed, micros, key = _compact(_envelope(seq)).hex(), 1795358666191655 + seq, f"topic:{TOPIC}:seq:{seq}:kind:tool"
    digest = "sha256:" + hashlib.sha256(b"%d" % seq).hexdigest()
    row = [STREAM_ID, seq, key, f"{STREAM_ID}\x1f{key}", digest, hexed, [micros], seq]
    heads = [[STREAM_ID, seq, 1], [STREAM_ID, seq + 1, 1]]
    tables = [_table("stream_head", heads[:1], heads[1:]), _table("sync_event", [], [row])]
    update = {
        "status": {"Committed": {"tables": tables}},
        "timestamp": {"__timestamp_micros_since_unix_epoch__": micros},
        "caller_identity": {"__identity__": "0x" + "c2" * 32},
        "caller_connection_id": {"__connection_id__": 7},
        "reducer_call": {
            "reducer_name": "append_sync_event",
            "reducer_id": 2,
            "args": json.dumps([STREAM_ID, {"some": seq}, key, digest, hexed]),
            "request_id": 0,
        },
        "energy_quanta_used": {"quanta": 11778000},
        "total_host_execution_duration": {"__time_duration_micros__": 100},
    }
    return _compact({"TransactionUpdate": update})


def _table(name: str, deletes: list[list[object]], inserts: list[list[object]]) -> dict[str, object]:
    rows = {"deletes": [json.dumps(row) for row in deletes], "inserts": [_compact(row).decode() for row in inserts]}
    return {"table_id": 4100, "table_name": name, "num_rows": len(deletes) + len(inserts), "updates": [rows]}


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# the server: a process of its own that writes bytes it has made beforehand


def _serve(frames: list[bytes], ports: "multiprocessing.Queue[int]") -> None:
    asyncio.run(_serve_forever(b"".join(map(_framed, frames)), frames[0].startswith(b'{"Identity'), ports))


async def _serve_forever(stream: bytes, is_target: bool, ports: "multiprocessing.Queue[int]") -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in request.decode().split("\r\n")[1:] if line)
        key = {name.lower(): value for name, value in headers.items()}["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + _ACCEPT).digest())
        protocol = b"Sec-WebSocket-Protocol: v1.json.spacetimedb\r\n" if is_target else b""
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        writer.write(head + protocol + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + stream)
        await reader.read()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    ports.put(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _framed(data: bytes) -> bytes:
    size = len(data)
    if size < 126:
        return bytes((0x81, size)) + data
    return (
        b"\x81\x7e" + size.to_bytes(2, "big") + data if size < 65536 else b"\x81\x7f" + size.to_bytes(8, "big") + data
    )


# the three clients


async def counting_peer(way: Route, frames: int) -> None:
    """The public receive loop of `websockets`, counting."""
    options = {"compression": None, "max_size": None, "proxy": None, "ping_interval": None}
    async with connect(way.url, subprotocols=way.subprotocols or None, **options) as socket:  # type: ignore[arg-type]
        for _ in range(frames):
            await socket.recv(decode=False)


async def counting_floor(way: Route, frames: int) -> None:
    """Our socket with a sink that counts."""
    seen = 0

    def count(socket: TappedSocket, _opcode: int, _data: bytes) -> None:
        nonlocal seen
        seen += 1
        if seen == frames:
            socket.leave("done")

    socket = await open_socket(way, count)
    await socket.over
    await socket.close()


async def recording(lane: LaneHandle, secrets: RunSecrets, reader: Reader, frames: int, directory: Path) -> None:
    """The subscriber as a run uses it: journal, cursor, policy."""
    until = frames - (1 if lane.side is Side.LEGACY else 2)
    plan = Plan("record", "a benchmark", (), Topology.MIRRORED, 1, ())
    anchor = ("2026-01-01T00:00:00+00:00", time.monotonic_ns())
    about = RecordingAbout(plan.scenario, plan.topology, plan.digest, plan.seed, "0", "", *anchor)
    recorder = Recorder.create(directory, plan.to_json(), about, Secrets())
    ask = Ask("subscriber", 0, reader, 0, until, Policy())
    subscriber = Subscriber(ask, lane, secrets, recorder, asyncio.Event())
    async with asyncio.TaskGroup() as group:
        subscriber.start(group)
    recorder.close()
    assert subscriber.applied == until, f"{subscriber.applied} of {until} messages arrived ({subscriber.ended})"


def _seconds(work: Callable[[], Awaitable[None]]) -> float:
    async def timed() -> float:
        started = time.perf_counter()
        await work()
        return time.perf_counter() - started

    return asyncio.run(timed())


def measure(side: Side, messages: int, rounds: int) -> float:
    """Print the rates of one dialect; the median ratio of recording to the counting floor."""
    frames = (legacy_frames if side is Side.LEGACY else target_frames)(messages)
    ports: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=_serve, args=(frames, ports), daemon=True)
    server.start()
    profile = load_profile("legacy-reference" if side is Side.LEGACY else "target-standin")
    url = f"http://127.0.0.1:{ports.get(timeout=30)}"
    lane = LaneHandle(side, profile, url, profile.dialect, profile.database or None)
    reader = Reader(StreamKey("run", "r1"), TOPIC, 1, "bench")
    ratios: dict[str, list[float]] = {"floor": [], "peer": []}
    with tempfile.TemporaryDirectory() as directory:
        secrets = RunSecrets(Path(directory))
        for number in range(rounds):
            way = route(lane, secrets, reader, 0, 200)
            peer = _seconds(lambda way=way: counting_peer(way, len(frames)))  # type: ignore[misc]
            way = route(lane, secrets, reader, 0, 200)
            floor = _seconds(lambda way=way: counting_floor(way, len(frames)))  # type: ignore[misc]
            place = Path(directory) / str(number)
            ours = _seconds(lambda place=place: recording(lane, secrets, reader, len(frames), place))  # type: ignore[misc]
            ratios["floor"].append(floor / ours)
            ratios["peer"].append(peer / ours)
            print(
                f"  {len(frames) / ours:9,.0f} recorded/s  {len(frames) / floor:9,.0f} counted/s"
                f"  {len(frames) / peer:9,.0f} counted/s by recv()"
            )
    server.terminate()
    for name, values in ratios.items():
        print(f"  recording / counting ({name}): median {statistics.median(values):.2f}, worst {min(values):.2f}")
    return statistics.median(ratios["floor"])


def main() -> None:
    """Measure both dialects and say whether the least ratio is reached."""
    messages, rounds = (int(word) for word in [*sys.argv[1:], *("100000", "3")[len(sys.argv) - 1 :]][:2])
    for side in Side:
        print(f"{side}: {messages:,} messages, {rounds} rounds")
        ratio = measure(side, messages, rounds)
        print(f"  {'reached' if ratio >= RATIO_MIN else 'NOT REACHED'}: {RATIO_MIN} of the counting client is needed")


if __name__ == "__main__":
    main()
