import json
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.model.errors import ProtocolError, UsageError
from harness.wire.codec import Codec, Handshake
from harness.wire.events import Batch, Delivery, Event, HeadReport, Opened, Refused, Stale
from harness.wire.json_slices import is_one_value
from harness.wire.topic_socket import TopicSocket, poll_heads, slice_message
from tests.wire.frames import AT, HOSTILE, TOPIC, compact, json_values, mutated, names, topic_message, uint64s

HELLO = b'{"type":"hello","topic":"run:r1:events","after_seq":41,"limit":100,"recommended_reconnect_backoff_ms":473}'
STALE = (
    b'{"type":"stale_cursor","topic":"run:r1:events","requested_cursor":3,"oldest_available_cursor":7,'
    b'"head_cursor":12,"reason_codes":["retention_floor_breach"],"replay_lag":9,"replay_budget_events":20000,'
    b'"qos_tier":"warm"}'
)
EVICTED = (
    b'{"type":"error","code":"slow_consumer_evicted",'
    b'"message":"topic=run:r1:events lag=400 threshold=300 strikes=3 max_strikes=3"}'
)
MESSAGE = topic_message(1, '{"source":"runtime"}', kind="run.started")
FRAMES = [HELLO, STALE, EVICTED, MESSAGE, topic_message(2, '{"b":[1,{"c":"\\u00e9"}],"a":-1.5e-7}')]


def delivery(seq: int, body: bytes, topic: str = TOPIC, kind: str = "tool", at: str = AT) -> Delivery:
    return Delivery(topic, seq, kind, at, body, None, None, None, 0)


def received(message: bytes) -> list[Event]:
    return TopicSocket(TOPIC, 0).receive(message)


def test_the_path_asks_for_topic_cursor_and_limit() -> None:
    """A subscription is a path; a name that is no plain path segment is percent-encoded."""
    codec: Codec = TopicSocket("fleet:user:7/é workers", 41, limit=50)

    path = "/internal/v1/khala/topics/fleet:user:7%2F%C3%A9%20workers/ws?after_seq=41&limit=50"
    assert Handshake(path, ()) == codec.handshake()
    assert [] == codec.opening()
    assert [] == codec.replies()


@pytest.mark.parametrize("after_seq", [-1, 2**64])
def test_a_cursor_that_no_lane_takes_is_the_callers_mistake(after_seq: int) -> None:
    """A cursor is a u64."""
    with pytest.raises(UsageError, match="cursor"):
        TopicSocket(TOPIC, after_seq)


def test_a_whole_connection() -> None:
    """What goes in: hello, two messages, an eviction, a stale cursor. What comes out is said by each alone."""
    frames = [HELLO, MESSAGE, topic_message(2, "null"), EVICTED, STALE]
    codec = TopicSocket(TOPIC, 41)

    events = [event for frame in frames for event in codec.receive(frame)]

    assert [Opened, Batch, Batch, Refused, Stale] == [type(event) for event in events]
    assert [
        Opened(41, 'topic="run:r1:events" limit=100 recommended_reconnect_backoff_ms=473', TOPIC),
        Batch("message", [delivery(1, b'{"source":"runtime"}', kind="run.started")], [], []),
        Batch("message", [delivery(2, b"null")], [], []),
        Refused("slow_consumer_evicted", "topic=run:r1:events lag=400 threshold=300 strikes=3 max_strikes=3"),
        Stale(TOPIC, 3, 7, 12, ("retention_floor_breach",), 9, 20000, "warm"),
    ] == events


def test_the_body_is_the_text_as_delivered() -> None:
    """Neither member order nor the spelling of a number nor white space inside the payload is touched."""
    body = '{"z":1.0, "a":-0.0,"n":[9223372036854775808,1e+21],"é":"\\u00e9"}'

    assert [Batch("message", [delivery(7, body.encode())], [], [])] == received(topic_message(7, body))


def respaced(frame: bytes) -> bytes:
    return json.dumps(json.loads(frame), indent=1).encode()


def reordered(frame: bytes) -> bytes:
    message = json.loads(frame)["message"]
    return compact({"message": dict(reversed(message.items())), "type": "message"}).encode()


def extended(frame: bytes) -> bytes:
    return frame.replace(b'{"topic"', b'{"shard":{"n":[1]},"topic"')


@pytest.mark.parametrize("respell", [respaced, reordered, extended])
def test_another_spelling_takes_the_long_way_to_the_same_delivery(respell: Callable[[bytes], bytes]) -> None:
    """White space, member order and unknown members make no difference to what was delivered."""
    frame = respell(topic_message(3, '{"a":1}'))

    [batch] = received(frame)

    assert slice_message(frame) is None
    assert isinstance(batch, Batch)
    assert {"a": 1} == json.loads(batch.deliveries[0].body)
    assert delivery(3, batch.deliveries[0].body) == batch.deliveries[0]


def test_an_escaped_name_is_read() -> None:
    """A topic or kind with an escape is decoded, by the long way."""
    frame = topic_message(3, "1", kind='a"\\é')

    assert slice_message(frame) is None
    assert [Batch("message", [delivery(3, b"1", kind='a"\\é')], [], [])] == received(frame)


@pytest.mark.parametrize("space", [" ", "\t", "\r\n"])
def test_white_space_around_the_payload_is_not_body(space: str) -> None:
    """Both ways cut the same body, so that a digest does not depend on the way."""
    frame = topic_message(3, f"{space}[1]{space}")

    assert slice_message(frame) is None
    assert [Batch("message", [delivery(3, b"[1]")], [], [])] == received(frame)


@pytest.mark.parametrize(
    "body",
    [
        '1,"sequence":9',
        '1,"payload":2',
        '{"a":1},"published_at":"then","payload":2',
        "{",
        "",
        "1 2",
        "NaN",
        '"\x01"',
        '"unended',
    ],
)
def test_a_slice_of_a_broken_or_ambiguous_frame_is_no_value(body: str) -> None:
    """Where the slice is not one JSON value, the frame is refused: nothing is mistaken for a body."""
    frame = topic_message(3, body)

    sliced = slice_message(frame)

    assert sliced is not None
    assert not is_one_value(sliced.body)
    with pytest.raises(ProtocolError):
        received(frame)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"\xff", "not UTF-8 at byte 0"),
        (b'{"type":"goodbye"}', "unknown frame type 'goodbye'"),
        (b'{"kind":"hello"}', "member 'type' is missing"),
        (b'{"type":1}', "member 'type': a JSON string was wanted, not '1'"),
        (MESSAGE.replace(b'"sequence":1', b'"sequence":1.0'), "member 'sequence': an integer from 0"),
        (MESSAGE.replace(b'"sequence":1', b'"sequence":-1'), "member 'sequence': an integer from 0"),
        (MESSAGE.replace(b'"sequence":1', b'"sequence":01'), "no JSON comma or }"),
        (MESSAGE.replace(b'"sequence":1', b'"sequence":18446744073709551616'), "member 'sequence': an integer"),
        (MESSAGE.replace(b'"sequence":1', b'"sequence":true'), "member 'sequence': an integer from 0"),
        (MESSAGE.replace(b'"kind":"run.started",', b""), "member 'kind' is missing"),
        (MESSAGE.replace(b"run.started", b"\\ud800"), "lone surrogate"),
        (MESSAGE + b" x", "more follows"),
        (STALE.replace(b'["retention_floor_breach"]', b"[1]"), "member 'reason_codes'"),
        (HELLO.replace(b'"after_seq":41', b'"after_seq":null'), "member 'after_seq'"),
    ],
)
def test_what_is_not_of_the_dialect_is_refused_with_its_reason(frame: bytes, reason: str) -> None:
    """A ProtocolError names the topic, the member and what was wanted."""
    with pytest.raises(ProtocolError, match=f"topic '{TOPIC}' is not of the topic socket dialect") as refused:
        received(frame)

    assert reason in str(refused.value)


@pytest.mark.parametrize("message", HOSTILE)
def test_hostile_bytes_are_a_protocol_error(message: bytes) -> None:
    """Depth bombs, wrong encodings, huge numbers and lone surrogates are refused like any other wrong frame."""
    with pytest.raises(ProtocolError):
        received(message)


@pytest.mark.parametrize("depth", [500, 20_000])
def test_a_deeply_nested_body_is_delivered(depth: int) -> None:
    """How deep a payload nests is no business of the codec, which has no recursion of its own."""
    body = "[" * depth + "]" * depth

    assert [Batch("message", [delivery(1, body.encode())], [], [])] == received(topic_message(1, body))


@given(seq=uint64s, value=json_values, topic=names, kind=names, at=names)
def test_what_was_sent_is_what_is_received(seq: int, value: object, topic: str, kind: str, at: str) -> None:
    """Any envelope survives the frame: names, number and the body's very bytes."""
    body = compact(value)

    events = received(topic_message(seq, body, topic, kind, at))

    assert [Batch("message", [delivery(seq, body.encode(), topic, kind, at)], [], [])] == events


@given(message=st.binary(max_size=200) | mutated(FRAMES))
@example(message=MESSAGE.replace(b"runtime", b"\xff"))
def test_any_bytes_give_events_or_a_protocol_error(message: bytes) -> None:
    """No input makes the codec raise anything else, and the fast way never says more than the long way."""
    sliced = slice_message(message)
    try:
        events = received(message)
    except ProtocolError:
        assert sliced is None or not is_one_value(sliced.body)
        return

    assert events
    assert sliced is None or [Batch("message", [sliced], [], [])] == events


@given(message=mutated(FRAMES))
def test_the_slice_of_a_valid_frame_is_what_a_json_parser_reads(message: bytes) -> None:
    """Where the sliced body is one value, the standard parser finds the same members in the frame."""
    sliced = slice_message(message)
    if sliced is None or not is_one_value(sliced.body):
        return

    envelope = json.loads(message)["message"]
    assert [envelope[name] for name in ("topic", "sequence", "kind", "published_at")] == list(sliced[:4])
    assert repr(envelope["payload"]) == repr(json.loads(sliced.body))


def test_a_poll_answer_tells_head_and_floor() -> None:
    """Of a poll answer only the window is read, whatever its messages hold."""
    messages = "[" * 2000 + "]" * 2000
    body = f'{{"topic":"{TOPIC}","messages":{messages},"oldest_available_cursor":7,"head_cursor":12}}'.encode()

    assert HeadReport(TOPIC, 12, 7) == poll_heads(body)


def test_a_poll_answer_for_an_unknown_topic_tells_nothing() -> None:
    """A topic the lane never saw has no window."""
    body = b'{"topic":"x","messages":[],"oldest_available_cursor":null,"head_cursor":null,"replay_complete":true}'

    assert poll_heads(body) is None


@pytest.mark.parametrize("body", [b'{"error":"rate_limited"}', b"<html>", b'{"topic":"x","head_cursor":12}', *HOSTILE])
def test_what_is_no_poll_answer_is_refused(body: bytes) -> None:
    """An error body is not mistaken for an empty topic."""
    with pytest.raises(ProtocolError, match="not a poll answer"):
        poll_heads(body)
