"""From a lane's dialect to what a subscriber needs: codec, address, credentials."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.lanes.deployment import LaneHandle
from harness.lanes.profile import SPACETIME_V1_JSON, TOPIC_WS
from harness.lanes.secrets import RunSecrets
from harness.model.errors import LaneError
from harness.model.names import StreamKey
from harness.wire.codec import Codec
from harness.wire.mapping import stream_id
from harness.wire.spacetime_json import SpacetimeJson
from harness.wire.topic_socket import TopicSocket

_DIGITS_MAX = 20
_COMMITTED = b'{"TransactionUpdate":{"status":{"Committed":{'

Peek = Callable[[bytes], Sequence[int] | None]
"""The stream's own numbers in an ordinary live message, ascending, nothing else looked at; None = ask the codec."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads what: the plan's name of the stream, its topic, the reader's user and name."""

    stream: StreamKey
    topic: str
    user: int
    name: str


@dataclass(frozen=True, slots=True)
class Route:
    """One connection attempt, ready to be made."""

    codec: Codec
    peek: Peek
    url: str
    subprotocols: tuple[str, ...]
    headers: Mapping[str, str]


def wire_stream(lane: LaneHandle, topic: str) -> str:
    """How the lane spells the stream of `topic`."""
    return topic if lane.dialect == TOPIC_WS else stream_id(topic)


def route(lane: LaneHandle, secrets: RunSecrets, reader: Reader, cursor: int, limit: int) -> Route:
    """The way to `reader`'s stream from `cursor`, with a token minted now where the dialect's tokens age.

    Raises LaneError for a dialect that has no subscriber.
    """
    if lane.dialect == TOPIC_WS:
        codec: Codec = TopicSocket(reader.topic, cursor, limit)
        token, peek = secrets.reader_token(reader.user, reader.stream, reader.name), _topic_peek(reader.topic)
    elif lane.dialect == SPACETIME_V1_JSON and lane.database is not None:
        codec = SpacetimeJson(stream_id(reader.topic), cursor, lane.database)
        token, peek = secrets.target_token(f"subscriber:{reader.name}"), _spacetime_peek(stream_id(reader.topic))
    else:
        raise LaneError(f"lane {lane.side} speaks {lane.dialect}, which no subscriber speaks; choose another profile")
    handshake = codec.handshake()
    url = "ws" + lane.url.removeprefix("http") + handshake.path
    return Route(codec, peek, url, handshake.subprotocols, {"Authorization": f"Bearer {token}"})


def _topic_peek(topic: str) -> Peek:
    """Reads the number behind the head that every message of `topic` has, as the server spells it."""
    head = b'{"type":"message","message":{"topic":%s,"sequence":' % _quoted(topic).encode()

    def peek(message: bytes) -> Sequence[int] | None:
        return _number_at(message, len(head)) if message.startswith(head) else None

    return peek


def _spacetime_peek(stream: str) -> Peek:
    """Reads the number of a transaction that inserted one event of `stream`, as the server spells it.

    The text looked for has bare quotes: inside of rows, reducer arguments and payloads every quote is escaped.
    """
    row = _quoted(_quoted(stream))[1:-1].encode()
    head = b'"table_name":"sync_event","num_rows":1,"updates":[{"deletes":[],"inserts":["[%s,' % row

    def peek(message: bytes) -> Sequence[int] | None:
        if not message.startswith(_COMMITTED):
            return None
        at = message.find(head)
        return _number_at(message, at + len(head)) if at >= 0 else None

    return peek


def _number_at(message: bytes, start: int) -> Sequence[int] | None:
    """The digits from `start` up to a comma, in a message that is closed like one."""
    digits = message[start : message.find(b",", start, start + _DIGITS_MAX + 1)]
    return (int(digits),) if digits.isdigit() and message.endswith(b"}}") else None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
