"""The fast way through a frame says what the codec says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.history.connections import Asked, Connection, Ended, Heard
from harness.history.decoding import Listener, listener
from harness.model.names import Side
from harness.wire.events import Batch, Delivery
from harness.wire.spacetime_json import SpacetimeJson
from tests.encoding import Event, snapshot, topic_message, transaction

IDENTITY = b'{"IdentityToken":{"identity":{"__identity__":"0xc2"},"token":"","connection_id":{"__connection_id__":7}}}'
TOPIC = "run:u:events"

events = st.builds(
    Event,
    topic=st.sampled_from([TOPIC, "worker:w:lifecycle", 'a"b', "é"]),
    seq=st.integers(0, 2**64 - 1),
    kind=st.text(max_size=6),
    body=st.sampled_from(['{"a":1}', "null", '"\\u00e9"', "[1, 2]", "-0.0"]),
    published_at=st.just("2026-02-25T12:00:00Z"),
)


def heard(side: Side, *frames: bytes) -> tuple[list[Delivery], Listener, Connection]:
    """What comes of frames through the listener of a side."""
    dialect = "topic-ws" if side is Side.LEGACY else "spacetime-v1-json"
    asked = Asked(0, side, "subscriber", "s", 0, 1, "run:r1", TOPIC, 0, dialect, "sync", 0, 0)
    connection = Connection(asked, Ended(101, 0, None, None, None, None, None), Heard())
    rows: list[tuple[Delivery, int, int, int]] = []
    listening = listener(connection, rows, [], shared=True)
    for index, frame in enumerate(frames):
        listening.take(index, index, frame)
    return [row[0] for row in rows], listening, connection


@given(events)
def test_legacy_message_is_what_was_sent(event: Event) -> None:
    """Topic, number, kind, instant and the very bytes of the body."""
    (found,), listening, _ = heard(Side.LEGACY, topic_message(event))

    assert (event.topic, event.seq, event.kind, event.published_at, event.body.encode()) == found[:5]
    assert [found] == listening.deliveries(topic_message(event))


@given(st.lists(events, min_size=1, max_size=3), st.booleans())
def test_transaction_is_what_the_codec_says(batch: list[Event], headed: bool) -> None:
    """One row or several, with or without a head: the same deliveries, ascending."""
    frame = transaction(batch, [(TOPIC, 3, 0)] if headed else [])
    found, listening, _ = heard(Side.TARGET, IDENTITY, frame)
    codec = SpacetimeJson("x", 0, "sync")
    codec.receive(IDENTITY)
    told = [one for event in codec.receive(frame) if isinstance(event, Batch) for one in event.deliveries]

    assert sorted(told, key=lambda one: one.seq) == found
    assert sorted(told, key=lambda one: one.batch_index) == listening.deliveries(frame)


@given(st.lists(events, min_size=1, max_size=5))
def test_rows_of_a_snapshot_ascend(batch: list[Event]) -> None:
    """A snapshot is a set: its rows are put in order before anything is said about order."""
    found, _, _ = heard(Side.TARGET, IDENTITY, snapshot(batch, []))

    assert sorted(event.seq for event in batch) == [one.seq for one in found]


@pytest.mark.parametrize("side", list(Side))
@given(junk=st.binary(max_size=60))
def test_no_frame_is_too_strange(side: Side, junk: bytes) -> None:
    """Any bytes are an envelope, an event, or a frame that is noted as undecoded."""
    found, _, connection = heard(side, IDENTITY, junk) if side is Side.TARGET else heard(side, junk)
    noted = len(connection.heard.events) + len(connection.heard.undecoded)

    assert len(found) + noted >= 1
