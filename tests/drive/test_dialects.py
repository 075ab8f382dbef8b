"""Dialects: where to connect, and the quick look at ordinary messages."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.drive.dialects import Reader, Route, route, wire_stream
from harness.lanes.deployment import LaneHandle
from harness.lanes.profile import load_profile
from harness.lanes.secrets import RunSecrets
from harness.model.errors import LaneError, ProtocolError
from harness.model.names import Side, StreamKey
from harness.wire.events import Batch

TOPIC = "run:abc:events"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> RunSecrets:
    return RunSecrets(tmp_path_factory.mktemp("secrets"))


def lane(profile_name: str, side: Side) -> LaneHandle:
    profile = load_profile(profile_name)
    return LaneHandle(side, profile, "http://127.0.0.1:4000", profile.dialect, profile.database or None)


def way(secrets: RunSecrets, profile_name: str, topic: str = TOPIC, cursor: int = 41) -> Route:
    reader = Reader(StreamKey("run", "r1"), topic, 1, "reader")
    return route(lane(profile_name, Side.LEGACY), secrets, reader, cursor, 50)


def test_the_legacy_dialect_asks_in_its_path(secrets: RunSecrets) -> None:
    """Topic, cursor and limit are in the URL; the reader's token is in the header."""
    asked = way(secrets, "legacy-reference")

    assert asked.url.startswith("ws://127.0.0.1:4000/internal/v1/khala/topics/run:abc:events/ws?")
    assert "after_seq=41&limit=50" in asked.url
    assert asked.headers["Authorization"].startswith("Bearer ")


def test_the_target_dialect_asks_after_it_was_identified(secrets: RunSecrets) -> None:
    """Database and subprotocol are in the handshake, the query comes later; each reader is somebody of its own."""
    asked = way(secrets, "target-standin")
    other = route(lane("target-standin", Side.TARGET), secrets, Reader(StreamKey("run", "r1"), TOPIC, 1, "b"), 0, 50)

    assert "/v1/database/sync/subscribe" in asked.url
    assert ("v1.json.spacetimedb",) == asked.subprotocols
    assert asked.headers != other.headers


def test_streams_are_spelled_as_the_lane_spells_them() -> None:
    """Contract, section 4."""
    spelled = [wire_stream(lane(name, Side.TARGET), TOPIC) for name in ("legacy-reference", "target-standin")]

    assert [TOPIC, "runtime.run.abc.events"] == spelled


def test_an_authority_has_no_subscribers(secrets: RunSecrets) -> None:
    """A dialect without a subscriber is a matter of the profile."""
    with pytest.raises(LaneError, match="authority-http"):
        way(secrets, "authority-reference")


@given(
    seq=st.integers(0, 2**64 - 1),
    topic=st.sampled_from([TOPIC, "run:other:events", 'run:"\\é\n:events']),
    payload=st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)),
)
def test_a_peek_sees_what_the_codec_sees(secrets: RunSecrets, seq: int, topic: str, payload: object) -> None:
    """Of a whole message the quick look tells the stream's own number, or leaves it to the codec."""
    asked = way(secrets, "legacy-reference")
    envelope = {
        "topic": topic,
        "sequence": seq,
        "kind": "k",
        "payload": payload,
        "published_at": "2026-01-01T00:00:00Z",
    }
    message = json.dumps({"type": "message", "message": envelope}, separators=(",", ":"), ensure_ascii=False).encode()
    (batch,) = asked.codec.receive(message)
    peeked = asked.peek(message)

    assert isinstance(batch, Batch)
    assert peeked is None or (seq,) == peeked
    assert (topic == TOPIC) == (peeked is not None)


@given(st.binary())
def test_a_peek_at_rubbish_leaves_it_to_the_codec(secrets: RunSecrets, rubbish: bytes) -> None:
    """What is not a message is never counted as one."""
    asked = way(secrets, "legacy-reference")

    assert asked.peek(rubbish) is None
    with pytest.raises(ProtocolError):
        asked.codec.receive(rubbish)


STREAM = "runtime.run.abc.events"


def event_row(seq: int, stream: str = STREAM, payload: object = None) -> str:
    """A row of `sync_event` as a transaction carries it."""
    stored = json.dumps({"topic": TOPIC, "sequence": seq, "kind": "k", "published_at": "x", "payload": payload})
    row = [stream, seq, f"k{seq}", f"{stream}\x1fk{seq}", "sha256:0", stored.encode().hex(), [1], seq]
    return json.dumps(row, separators=(",", ":"))


def table(name: str, inserts: Sequence[str], deletes: Sequence[str] = ()) -> object:
    updates = [{"deletes": list(deletes), "inserts": list(inserts)}]
    return {"table_id": 4100, "table_name": name, "num_rows": len(inserts) + len(deletes), "updates": updates}


def transaction(*tables: object, args: str = "[]") -> bytes:
    """A committed TransactionUpdate in the server's spelling."""
    call = {"reducer_name": "append_sync_event", "reducer_id": 2, "args": args, "request_id": 0}
    update = {
        "status": {"Committed": {"tables": tables}},
        "timestamp": {"__timestamp_micros_since_unix_epoch__": 1},
        "caller_identity": {"__identity__": "0x0"},
        "caller_connection_id": {"__connection_id__": 1},
        "reducer_call": call,
        "energy_quanta_used": {"quanta": 1},
        "total_host_execution_duration": {"__time_duration_micros__": 1},
    }
    return json.dumps({"TransactionUpdate": update}, separators=(",", ":"), ensure_ascii=False).encode()


def identified(secrets: RunSecrets) -> Route:
    asked = way(secrets, "target-standin")
    token = {"identity": {"__identity__": "0x0"}, "token": "t", "connection_id": {"__connection_id__": 1}}
    asked.codec.receive(json.dumps({"IdentityToken": token}).encode())
    return asked


@given(
    seqs=st.lists(st.integers(1, 2**64 - 1), min_size=1, max_size=3, unique=True),
    gone=st.lists(st.integers(1, 9), max_size=1),
    stream=st.sampled_from([STREAM, "runtime.run.other.events"]),
    payload=st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)),
    heads_first=st.booleans(),
)
def test_a_peek_into_a_transaction_sees_what_the_codec_sees(
    secrets: RunSecrets, seqs: list[int], gone: list[int], stream: str, payload: object, heads_first: bool
) -> None:
    """One inserted event of the stream is told at once; batches, retention and other streams are the codec's."""
    asked = identified(secrets)
    tables = [
        table(
            "sync_event", [event_row(seq, stream, payload) for seq in seqs], [event_row(seq, stream) for seq in gone]
        ),
        table("stream_head", [json.dumps([stream, 9, 1])], [json.dumps([stream, 8, 1])]),
    ]
    message = transaction(*(tables[::-1] if heads_first else tables))
    (batch,) = asked.codec.receive(message)
    peeked = asked.peek(message)

    assert isinstance(batch, Batch)
    assert peeked is None or peeked == tuple(one.seq for one in batch.deliveries if one.stream == STREAM)
    assert (len(seqs) == 1 and not gone and stream == STREAM) == (peeked is not None)


def test_a_peek_is_not_fooled_by_what_a_caller_wrote(secrets: RunSecrets) -> None:
    """Reducer arguments are shown to every subscriber, and anybody may write them."""
    lure = transaction(table("sync_event", [event_row(7)])).decode()
    message = transaction(table("sync_check", [json.dumps(["x"])]), args=lure)

    assert identified(secrets).peek(message) is None
