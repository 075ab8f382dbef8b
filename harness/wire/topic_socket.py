"""The legacy dialect: one WebSocket a topic, JSON text frames tagged `type` (contract, section 2)."""

import re

from harness.model.errors import FormatError, ProtocolError
from harness.wire.codec import Handshake, cursor, path_segment
from harness.wire.events import Batch, Delivery, Event, HeadReport, Opened, Refused, Stale
from harness.wire.json_members import UINT64_MAX, Members, members
from harness.wire.json_slices import is_one_value, utf8

# White space around the payload belongs to the frame, not to the body: such a frame takes the long way.
_MESSAGE = re.compile(
    rb'\{"type":"message","message":\{"topic":"([^"\\\x00-\x1f]*)","sequence":(0|[1-9][0-9]{0,19}),'
    rb'"kind":"([^"\\\x00-\x1f]*)","payload":(?![ \t\n\r])(.*),(?<![ \t\n\r],)"published_at":"([^"\\\x00-\x1f]*)"\}\}',
    re.DOTALL,
)
_whole = _MESSAGE.fullmatch
_made = tuple.__new__
_HELLO_DETAIL = ("topic", "limit", "recommended_reconnect_backoff_ms")


def slice_message(message: bytes) -> Delivery | None:
    """The delivery of a message frame in the server's own spelling, its payload cut out unparsed.

    None for any other frame: another type, another member order, white space between members, an escape
    in a name. `TopicSocket.receive` reads those too.

    Guarantee: topic, sequence and kind are the frame's first members, published_at its last, and `body` is
    all that stands between. If `json_slices.is_one_value(body)`, the frame was valid JSON with exactly these
    members, and a full parse gives exactly this delivery. If not, the frame is broken or names a member
    twice; the body then stands for no value, and `receive` raises ProtocolError for the same frame.
    """
    match = _whole(message)
    if match is None:
        return None
    topic, sequence, kind, body, published_at = match.groups()
    seq = int(sequence)
    if seq > UINT64_MAX:
        return None
    try:
        return _made(Delivery, (topic.decode(), seq, kind.decode(), published_at.decode(), body, None, None, None, 0))
    except UnicodeDecodeError:
        return None


class TopicSocket:
    """One subscription to one topic from a cursor.

    The server begins to send by itself: nothing is opened and nothing answered. It closes without a word
    after `stale_cursor` and `error` (contract, 2.1), which is for the connection to notice.
    """

    def __init__(self, topic: str, after_seq: int, limit: int = 200) -> None:
        self._topic = topic
        self._after_seq = cursor(after_seq)
        self._limit = limit

    def handshake(self) -> Handshake:
        """Path and query of the topic; the dialect knows no subprotocol."""
        topic = path_segment(self._topic)
        query = f"after_seq={self._after_seq}&limit={self._limit}"
        return Handshake(f"/internal/v1/khala/topics/{topic}/ws?{query}", ())

    def opening(self) -> list[bytes]:
        """Nothing: the path says it all."""
        return []

    def replies(self) -> list[bytes]:
        """Nothing: the dialect has no client messages."""
        return []

    def receive(self, message: bytes) -> list[Event]:
        """What one frame said: a batch of one delivery, Opened for `hello`, Stale or Refused.

        Raises ProtocolError for bytes that are not of the dialect: not UTF-8, not JSON, an unknown type, a
        member missing, of another type or named twice. Unknown members are passed over, as clients do.
        """
        delivery = slice_message(message)
        if delivery is not None and is_one_value(delivery.body):
            return [Batch("message", [delivery], [], [])]
        try:
            return [_frame(members(utf8(message)))]
        except FormatError as error:
            raise ProtocolError(
                f"frame of topic {self._topic!r} is not of the topic socket dialect: {error}"
            ) from error


def _frame(frame: Members) -> Event:
    match frame.string("type"):
        case "message":
            return Batch("message", [_envelope(frame.members("message"))], [], [])
        case "hello":
            detail = " ".join(f"{name}={frame.raw(name)}" for name in _HELLO_DETAIL if name in frame)
            return Opened(frame.uint64("after_seq"), detail, frame.string("topic"))
        case "stale_cursor":
            return _stale(frame)
        case "error":
            return Refused(frame.string("code"), frame.string("message"))
        case other:
            raise FormatError(f"unknown frame type {other[:40]!r}, expected hello, message, stale_cursor or error")


def _envelope(envelope: Members) -> Delivery:
    return Delivery(
        stream=envelope.string("topic"),
        seq=envelope.uint64("sequence"),
        kind=envelope.string("kind"),
        published_at=envelope.string("published_at"),
        body=envelope.raw("payload").encode(),
        carried_hash=None,
        wrapped_topic=None,
        wrapped_seq=None,
    )


def _stale(frame: Members) -> Stale:
    return Stale(
        stream=frame.string("topic"),
        requested_cursor=frame.uint64("requested_cursor"),
        oldest_available_cursor=frame.uint64("oldest_available_cursor"),
        head_cursor=frame.uint64("head_cursor"),
        reason_codes=frame.strings("reason_codes"),
        replay_lag=frame.uint64("replay_lag"),
        replay_budget_events=frame.uint64("replay_budget_events"),
        qos_tier=frame.string("qos_tier"),
    )


def poll_heads(body: bytes) -> HeadReport | None:
    """Head and floor of a topic from a poll answer (contract, 2.4); None if the lane holds nothing of it.

    Raises ProtocolError if `body` is not such an answer.
    """
    try:
        answer = members(utf8(body))
        if answer.is_null("head_cursor"):
            return None
        return HeadReport(
            answer.string("topic"), answer.uint64("head_cursor"), answer.uint64("oldest_available_cursor")
        )
    except FormatError as error:
        raise ProtocolError(f"not a poll answer of the legacy dialect: {error}") from error
