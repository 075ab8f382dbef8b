"""Tables of a recording: what is written down, as facts, before anything is judged.

Four sealed tables (architecture, section 4). A row that opens before it closes (`exchanges`, `connections`) is
journalled twice, as `*_opened` and `*_closed`; sealing joins the two by `id`, so a crash leaves an open row
*indefinite*, never unknown. All `*_ns` columns are monotonic nanoseconds of the recording process; the manifest
anchors them to the wall clock. `ordinal` is global over all tables and strictly increasing in journal order.
"""

import pyarrow as pa

_ORDINAL = pa.field("ordinal", pa.uint64(), nullable=False)
_REDACTED = pa.list_(pa.struct([("column", pa.string()), ("offset", pa.uint32()), ("length", pa.uint32())]))

EXCHANGES_OPENED = pa.schema(
    [
        _ORDINAL,
        pa.field("id", pa.int32(), nullable=False),
        pa.field(
            "purpose", pa.string(), nullable=False
        ),  # command | sentinel | log | heads | content | control | setup
        pa.field(
            "service", pa.string(), nullable=False
        ),  # authority/shared | authority/legacy | lane/target | relay/legacy …
        pa.field("side", pa.string()),  # null for a shared authority
        pa.field("step", pa.int32(), nullable=False),  # plan step index, -1 outside the plan
        pa.field("writer", pa.string()),
        pa.field("attempt", pa.int32(), nullable=False),
        pa.field("stream", pa.string()),  # plan name of the stream concerned
        pa.field("method", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),  # with query
        pa.field("request_headers", pa.string(), nullable=False),  # JSON object, secrets redacted
        pa.field("request_body", pa.binary(), nullable=False),
        pa.field("sent_ns", pa.int64(), nullable=False),
        pa.field("redacted_request", _REDACTED),
    ]
)
EXCHANGES_CLOSED = pa.schema(
    [
        _ORDINAL,
        pa.field("id", pa.int32(), nullable=False),
        pa.field("status", pa.int32()),  # null: no answer came
        pa.field("response_headers", pa.string()),
        pa.field("response_body", pa.binary()),
        pa.field("answered_ns", pa.int64()),
        pa.field("outcome", pa.string(), nullable=False),  # ok | refused | indefinite
        pa.field("error", pa.string()),  # why no answer came
        pa.field("redacted_response", _REDACTED),
    ]
)
CONNECTIONS_OPENED = pa.schema(
    [
        _ORDINAL,
        pa.field("id", pa.int32(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("purpose", pa.string(), nullable=False),  # subscriber | content
        pa.field("subscriber", pa.string(), nullable=False),
        pa.field(
            "step", pa.int32(), nullable=False
        ),  # the subscribe (or read) step: with side it names the subscription
        pa.field("attempt", pa.int32(), nullable=False),  # 1, 2, … inside one subscription
        pa.field("stream", pa.string(), nullable=False),  # plan name
        pa.field("wire_stream", pa.string(), nullable=False),  # topic or stream_id asked for
        pa.field("cursor", pa.uint64(), nullable=False),  # asked on this connection
        pa.field("dialect", pa.string(), nullable=False),  # topic-ws | spacetime-v1-json
        pa.field("database", pa.string()),
        pa.field("url", pa.string(), nullable=False),
        pa.field("request_headers", pa.string(), nullable=False),
        pa.field("opened_ns", pa.int64(), nullable=False),
    ]
)
CONNECTIONS_CLOSED = pa.schema(
    [
        _ORDINAL,
        pa.field("id", pa.int32(), nullable=False),
        pa.field("handshake_status", pa.int32()),  # 101, the HTTP refusal, or null when nothing answered
        pa.field("handshake_headers", pa.string()),
        pa.field("handshake_body", pa.binary()),
        pa.field("subprotocol", pa.string()),
        pa.field("accepted_ns", pa.int64()),  # hello / SubscribeMultiApplied arrived
        pa.field("closed_ns", pa.int64(), nullable=False),
        pa.field("closed_by", pa.string(), nullable=False),  # lane | harness | nobody (harness stopped)
        pa.field("code", pa.int32()),
        pa.field("reason", pa.string()),
        pa.field("error", pa.string()),
    ]
)
FRAMES = pa.schema(
    [
        _ORDINAL,
        pa.field("connection", pa.int32(), nullable=False),
        pa.field("index", pa.int32(), nullable=False),  # 0, 1, … of this connection, both directions counted together
        pa.field("direction", pa.int8(), nullable=False),  # 0 = from the lane, 1 = from the harness
        pa.field("opcode", pa.int8(), nullable=False),  # 1 text, 2 binary
        pa.field("at_ns", pa.int64(), nullable=False),
        pa.field("data", pa.large_binary(), nullable=False),
        pa.field("redacted", _REDACTED),
    ]
)
TIMELINE = pa.schema(
    [
        _ORDINAL,
        pa.field("at_ns", pa.int64(), nullable=False),
        pa.field("event", pa.string(), nullable=False),
        pa.field("side", pa.string()),
        pa.field("subject", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),  # JSON object
    ]
)

JOURNAL_TABLES: tuple[tuple[str, pa.Schema], ...] = (
    ("exchanges_opened", EXCHANGES_OPENED),
    ("exchanges_closed", EXCHANGES_CLOSED),
    ("connections_opened", CONNECTIONS_OPENED),
    ("connections_closed", CONNECTIONS_CLOSED),
    ("frames", FRAMES),
    ("timeline", TIMELINE),
)
"""Table id in the journal = position in this tuple."""


def _joined(opened: pa.Schema, closed: pa.Schema) -> pa.Schema:
    """Opened columns, then the closed ones, all nullable: a row may never have been closed."""
    extra = [field.with_nullable(True) for field in closed if field.name not in ("ordinal", "id")]
    closing = pa.field("closed_ordinal", pa.uint64())
    return pa.schema([*opened, closing, *extra])


EXCHANGES = _joined(EXCHANGES_OPENED, EXCHANGES_CLOSED)
CONNECTIONS = _joined(CONNECTIONS_OPENED, CONNECTIONS_CLOSED)

SEALED_TABLES: dict[str, pa.Schema] = {
    "exchanges": EXCHANGES,
    "connections": CONNECTIONS,
    "frames": FRAMES,
    "timeline": TIMELINE,
}
