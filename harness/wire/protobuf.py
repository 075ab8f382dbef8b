"""Envelope <-> message of the sync contracts v1 and v2, binary and JSON (INV-01; contract, 5.1 to 5.2a).

A message carries less than an envelope does. What it has no field for stands once in CONTRACT_GAP; what it
has a field for must survive the way there and back, which `round_trip_v1` and `round_trip_v2` prove.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from harness.model.errors import FormatError
from harness.wire import mapping
from harness.wire._pb.openagents.sync.v1.sync_pb2 import KHALA_FRAME_KIND_UPDATE_BATCH, KhalaFrame
from harness.wire._pb.openagents.sync.v2.sync_pb2 import TransactionUpdate
from harness.wire.canonical import canonical_json, payload_hash
from harness.wire.events import Delivery
from harness.wire.json_slices import parsed, utf8

SCHEMA_VERSION = 1


class GapRow(NamedTuple):
    """One field of an envelope, and the message field that carries it: none is a gap of the contract."""

    field: str
    v1: str | None
    v2: str | None


CONTRACT_GAP: tuple[GapRow, ...] = (
    GapRow("stream", "topic", "stream_id"),
    GapRow("seq", "seq", "seq"),
    GapRow("body", "payload_bytes", "payload"),
    GapRow("hash of the body", None, "payload_hash"),
    GapRow("replay or live", None, "replayed"),
    GapRow("durable", None, "confirmed_read"),
    GapRow("event kind", None, None),
    GapRow("published_at", None, None),
    GapRow("idempotency key", None, None),
    GapRow("committed_at", None, None),
    GapRow("durable_offset", None, None),
)
"""What of an envelope the messages can carry: v1 in a KhalaFrame, v2 in a TransactionUpdate (contract, 5.2a)."""


class FrameFields(NamedTuple):
    """What a v1 KhalaFrame says of an envelope; `body` is canonical JSON."""

    topic: str
    seq: int
    body: bytes


class UpdateFields(NamedTuple):
    """What a v2 TransactionUpdate says of an envelope; `body` is canonical JSON, `body_hash` 32 raw bytes."""

    stream_id: str
    seq: int
    body: bytes
    body_hash: bytes
    replayed: bool
    confirmed_read: bool


_M = TypeVar("_M", bound=Message)


def frame_fields(delivery: Delivery) -> FrameFields:
    """The part of an envelope that v1 has fields for. Raises FormatError if the body has no canonical form."""
    topic = delivery.stream if delivery.wrapped_topic is None else delivery.wrapped_topic
    return FrameFields(topic, delivery.seq, canonical_json(delivery.body))


def update_fields(delivery: Delivery, replayed: bool, confirmed_read: bool) -> UpdateFields:
    """The part of an envelope that v2 has fields for; the two flags are facts of the delivery's connection.

    Raises FormatError if the body has no canonical form.
    """
    stream_id = mapping.stream_id(delivery.stream) if delivery.wrapped_topic is None else delivery.stream
    body = canonical_json(delivery.body)
    return UpdateFields(stream_id, delivery.seq, body, payload_hash(body), replayed, confirmed_read)


def khala_frame(fields: FrameFields) -> KhalaFrame:
    """The v1 message of an envelope. Raises FormatError if a field does not fit its type."""
    try:
        return KhalaFrame(
            topic=fields.topic,
            seq=fields.seq,
            kind=KHALA_FRAME_KIND_UPDATE_BATCH,
            payload_bytes=fields.body,
            schema_version=SCHEMA_VERSION,
        )
    except (ValueError, TypeError) as error:
        raise FormatError(f"event {fields.seq} of {fields.topic!r} does not fit a KhalaFrame: {error}") from error


def transaction_update(fields: UpdateFields) -> TransactionUpdate:
    """The v2 message of an envelope. Raises FormatError if a field does not fit its type."""
    try:
        return TransactionUpdate(
            stream_id=fields.stream_id,
            seq=fields.seq,
            payload=fields.body,
            payload_hash=fields.body_hash,
            replayed=fields.replayed,
            confirmed_read=fields.confirmed_read,
        )
    except (ValueError, TypeError) as error:
        name = fields.stream_id
        raise FormatError(f"event {fields.seq} of {name!r} does not fit a TransactionUpdate: {error}") from error


def fields_of_frame(frame: KhalaFrame) -> FrameFields:
    """What a v1 message says of an envelope."""
    return FrameFields(frame.topic, frame.seq, frame.payload_bytes)


def fields_of_update(update: TransactionUpdate) -> UpdateFields:
    """What a v2 message says of an envelope."""
    return UpdateFields(
        update.stream_id,
        update.seq,
        update.payload,
        update.payload_hash,
        update.replayed,
        update.confirmed_read,
    )


def from_binary(kind: type[_M], encoded: bytes) -> _M:
    """The message that `encoded` is. Raises FormatError if it is none of `kind`."""
    try:
        return kind.FromString(encoded)
    except DecodeError as error:
        raise FormatError(f"{len(encoded)} bytes are no {kind.DESCRIPTOR.full_name}: {error}") from error


def to_json(message: Message) -> bytes:
    """The message as protobuf JSON with the contract's own field names."""
    return json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None).encode()


def from_json(kind: type[_M], text: bytes) -> _M:
    """The message that the protobuf JSON in `text` is. Raises FormatError if it is none of `kind`."""
    try:
        fields = parsed(utf8(text))
        if type(fields) is not dict:
            raise FormatError("a message is an object")
        return json_format.ParseDict(fields, kind())
    except (json_format.ParseError, FormatError) as error:
        raise FormatError(f"not the JSON of a {kind.DESCRIPTOR.full_name}: {error}") from error


def _copies(message: _M) -> Iterator[tuple[str, _M]]:
    """The message after each encoding, by the encoding's name."""
    yield "binary", from_binary(type(message), message.SerializeToString())
    yield "json", from_json(type(message), to_json(message))


def _lost(sent: NamedTuple, encoding: str, got: NamedTuple) -> list[str]:
    pairs = zip(sent._fields, sent, got, strict=True)
    return [f"{encoding}.{name}" for name, before, after in pairs if before != after]


def round_trip_v1(delivery: Delivery) -> list[str]:
    """The fields of a v1 KhalaFrame that do not survive, as `binary.<field>` or `json.<field>`; [] is INV-01.

    Raises FormatError if the envelope does not become a message at all.
    """
    sent = frame_fields(delivery)
    copies = _copies(khala_frame(sent))
    return [lost for encoding, copy in copies for lost in _lost(sent, encoding, fields_of_frame(copy))]


def round_trip_v2(delivery: Delivery, *, replayed: bool = False, confirmed_read: bool = False) -> list[str]:
    """The fields of a v2 TransactionUpdate that do not survive, named as in `round_trip_v1`; [] is INV-01.

    Raises FormatError if the envelope does not become a message at all.
    """
    sent = update_fields(delivery, replayed, confirmed_read)
    copies = _copies(transaction_update(sent))
    return [lost for encoding, copy in copies for lost in _lost(sent, encoding, fields_of_update(copy))]
