"""Frames as lanes spell them, and strategies for what travels inside."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from harness.wire.sync_rows import EVENT_COLUMNS

TOPIC = "run:r1:events"
STREAM = "runtime.run.r1.events"
AT = "2026-02-25T12:00:00.123456789Z"
AT_OFFSET = "2026-02-25T12:00:00.123456789+00:00"
HASH = "sha256:" + "ab" * 32

IDENTITY = "0xc2004b9e30cb5bd70ab232c47d33c82df964d7a9f0388a9e47409854bb25a567"
CONNECTION = 45930773115153618296538426508883707514

F1 = (
    f'{{"IdentityToken":{{"identity":{{"__identity__":"{IDENTITY}"}},"token":"eyJhbGciOi",'
    f'"connection_id":{{"__connection_id__":{CONNECTION}}}}}}}'
).encode()


def compact(value: Any) -> str:
    """JSON as servers write it: no space, nothing escaped but quotes, backslashes and control characters."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def topic_message(seq: int, body: str, topic: str = TOPIC, kind: str = "tool", at: str = AT) -> bytes:
    """One legacy message frame in the server's spelling."""
    return (
        f'{{"type":"message","message":{{"topic":{compact(topic)},"sequence":{seq},"kind":{compact(kind)},'
        f'"payload":{body},"published_at":{compact(at)}}}}}'
    ).encode()


def stored(seq: int, body: str, topic: str = TOPIC, kind: str = "tool", at: str = AT_OFFSET) -> bytes:
    """The envelope as the relay stores it on the target."""
    return (
        f'{{"topic":{compact(topic)},"sequence":{seq},"kind":{compact(kind)},'
        f'"published_at":{compact(at)},"payload":{body}}}'
    ).encode()


def event_values(seq: int, payload: bytes, stream: str = STREAM) -> list[Any]:
    """A `sync_event` row's values in column order, the time of commit left out."""
    key = f"topic:{TOPIC}:seq:{seq}:kind:tool"
    return [stream, seq, key, f"{stream}\x1f{key}", HASH, payload.hex(), None, seq + 1000]


def live_row(seq: int, payload: bytes, stream: str = STREAM) -> str:
    """A `sync_event` row of a transaction: an array."""
    values = event_values(seq, payload, stream)
    values[6] = [1795358666191655]
    return compact(values)


def snapshot_row(seq: int, payload: bytes, stream: str = STREAM) -> str:
    """A `sync_event` row of a snapshot: an object."""
    values = dict(zip(EVENT_COLUMNS, event_values(seq, payload, stream), strict=True))
    return compact(values | {"committed_at": {"__timestamp_micros_since_unix_epoch__": 1795358666186037}})


def head_row(next_seq: int, retained_from: int = 1, stream: str = STREAM) -> str:
    """A `stream_head` row of a transaction."""
    return compact([stream, next_seq, retained_from])


def head_object(next_seq: int, retained_from: int = 1, stream: str = STREAM) -> str:
    """A `stream_head` row of a snapshot."""
    return compact({"stream_id": stream, "next_seq": next_seq, "retained_from": retained_from})


def table(name: str, *updates: tuple[Sequence[str], Sequence[str]]) -> dict[str, Any]:
    """One TableUpdate; an update is (deletes, inserts)."""
    return {
        "table_id": 4100 if name == "sync_event" else 4098,
        "table_name": name,
        "num_rows": sum(len(deletes) + len(inserts) for deletes, inserts in updates),
        "updates": [{"deletes": list(deletes), "inserts": list(inserts)} for deletes, inserts in updates],
    }


def transaction(*tables: dict[str, Any], args: str = '["x", {"some": 2}, "k2"]', status: Any = None) -> bytes:
    """F3: a committed transaction of another client."""
    content = {
        "status": {"Committed": {"tables": list(tables)}} if status is None else status,
        "timestamp": {"__timestamp_micros_since_unix_epoch__": 1795358666191655},
        "caller_identity": {"__identity__": "0xc2001357fcf2d2ea725a83acca01997158de907a60ce400c9225c71ccaddca6f"},
        "caller_connection_id": {"__connection_id__": 256332671152196060485325094239260033561},
        "reducer_call": {"reducer_name": "append_sync_event", "reducer_id": 2, "args": args, "request_id": 0},
        "energy_quanta_used": {"quanta": 11778000},
        "total_host_execution_duration": {"__time_duration_micros__": 100},
    }
    return compact({"TransactionUpdate": content}).encode()


def append(seq: int, body: str, **changes: Any) -> bytes:
    """The transaction that one appended event makes: its head first, then the event."""
    heads = table("stream_head", ([head_row(seq)], [head_row(seq + 1)]))
    payload = stored(seq, body, **changes)
    return transaction(heads, table("sync_event", ([], [live_row(seq, payload)])), args=compact([payload.hex()]))


def snapshot(*tables: dict[str, Any]) -> bytes:
    """F2: the answer to SubscribeMulti."""
    content = {
        "request_id": 1,
        "total_host_execution_duration_micros": 776,
        "query_id": {"id": 1},
        "update": {"tables": list(tables)},
    }
    return compact({"SubscribeMultiApplied": content}).encode()


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)

uint64s = st.integers(0, 2**64 - 1)


@st.composite
def mutated(draw: st.DrawFn, frames: Sequence[bytes]) -> bytes:
    """One of `frames`, cut short or with a few bytes replaced, inserted or removed."""
    frame = bytearray(draw(st.sampled_from(list(frames))))
    if draw(st.booleans()):
        del frame[draw(st.integers(0, len(frame))) :]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(frame)))
        frame[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2) | st.sampled_from(TRICKY))
    return bytes(frame)


TRICKY = [b'"', b"\\", b"\\u", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b"\x00", b"\xff", b"-", b"e9", b"NaN"]

HOSTILE = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b'"type"',
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[" * 900 + b"]" * 900,
    b'{"type":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    b'{"TransactionUpdate":' + b'{"status":' * 900 + b"0" + b"}" * 901,
    b'{"type":"message","message":' + b"9" * 10_000 + b"}",
    b'{"type":"\\ud800"}',
    b'{"type":NaN}',
    b'{"\\ud800":1}',
    b'{"type":"hello","type":"hello"}',
]
"""Bytes that are of no dialect, and hard on whoever reads them."""
