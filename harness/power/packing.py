"""Envelopes and what carries them, read from the bytes of both dialects and of the log, and written back.

It uses plain `json` and shares no decoder with `wire` or `history`: a mutator that used the code under test could not
show that this code is wrong.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Envelope:
    """One delivered envelope, editable. `row` is what it came in on the target or in the outbox, else None."""

    stream: str
    seq: int
    kind: str
    payload: Any
    published_at: str
    payload_hash: str | None = None
    row: Any = None
    key_order: bool = True
    command_id: str | None = None
    body: str | None = None
    """JSON text that is delivered instead of `payload`; need not be JSON at all."""
    wrapped_seq: int | None = None
    """The number that the stored envelope names, where it is not that of its row."""
    spent: bool = False
    """A fault was planted here already; no other one is (see `cuts.places`)."""

    def doubled(self) -> "Envelope":
        """An independent copy."""
        return copy.deepcopy(self)

    def payload_text(self) -> str:
        """Compact JSON of the payload, its keys in order of arrival or turned round; `body` where there is one."""
        if self.body is not None:
            return self.body
        return compact(self.payload if self.key_order else _turned_round(self.payload))


@dataclass(slots=True)
class Packet:
    """One carrier of envelopes: a frame, a SQL answer, a page of log or outbox. Written back only when touched."""

    row: Row
    origin: str
    """`message`, `snapshot`, `transaction`, `sql`, `log` or `outbox`."""
    envelopes: list[Envelope]
    document: Any = None
    touched: bool = False


def compact(value: Any) -> str:
    """JSON as the reference lanes spell it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def parsed(data: bytes | None) -> Any:
    """The JSON value of `data`, None where it is none."""
    try:
        return json.loads(data or b"")
    except ValueError:
        return None


def _turned_round(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turned_round(value[name]) for name in reversed(list(value))}
    return [_turned_round(inner) for inner in value] if isinstance(value, list) else value


# reading


def frame_packet(row: Row) -> Packet | None:
    """What a frame from a lane delivers; None for any other frame."""
    document = parsed(row["data"])
    if not isinstance(document, dict):
        return None
    if document.get("type") == "message":
        message = document["message"]
        return Packet(row, "message", [_wrapped(message)], document)
    for kind, origin in (("SubscribeMultiApplied", "snapshot"), ("TransactionUpdate", "transaction")):
        if kind in document:
            texts = inserts(document, "sync_event")
            return Packet(row, origin, [_from_row(json.loads(text)) for text in texts], document)
    return None


def answer_packet(row: Row) -> Packet | None:
    """What an answer holds of a log, an outbox or a lane's own content; None for any other answer."""
    document = parsed(row["response_body"]) if row["purpose"] in ("log", "content", "outbox") else None
    if row["purpose"] == "outbox" and isinstance(document, dict) and "rows" in document:
        return Packet(row, "outbox", [_published(published) for published in document["rows"]], document)
    if row["purpose"] == "log" and isinstance(document, dict) and "events" in document:
        return Packet(row, "log", [_logged(document["stream"], event) for event in document["events"]], document)
    if row["purpose"] == "content" and isinstance(document, list):
        return Packet(row, "sql", [_from_row(values) for values in document[0]["rows"]], document)
    return None


def inserts(document: dict[str, Any], table: str) -> Iterator[str]:
    """The inserted rows of a table of a SpacetimeDB message, as text, in order."""
    for found in _tables(document):
        if found["table_name"] == table:
            for update in found["updates"]:
                yield from update["inserts"]


def replace_inserts(document: dict[str, Any], table: str, rows: list[str]) -> None:
    """Put `rows` in the place of the inserted rows of a table, which is added where the message has none."""
    tables = _tables(document)
    found = next((each for each in tables if each["table_name"] == table), None)
    if found is None:
        found = {"table_id": 4100, "table_name": table, "num_rows": 0, "updates": [{"deletes": [], "inserts": []}]}
        tables.append(found)
    deletes = found["updates"][0]["deletes"] if found["updates"] else []
    found["updates"] = [{"deletes": deletes, "inserts": rows}]
    found["num_rows"] = len(rows) + len(deletes)


def _tables(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The tables of a message, as they lie in it."""
    ((_, message),) = document.items()
    update = message["update"] if "update" in message else message["status"].get("Committed", {"tables": []})
    tables: list[dict[str, Any]] = update["tables"]
    return tables


def _wrapped(message: dict[str, Any]) -> Envelope:
    return Envelope(message["topic"], message["sequence"], message["kind"], message["payload"], message["published_at"])


def _from_row(row: Any) -> Envelope:
    """An envelope of a `sync_event` row, object or array."""
    values = row if isinstance(row, dict) else dict(zip(_COLUMNS, row, strict=True))
    inner = _wrapped(json.loads(bytes.fromhex(values["payload_bytes"])))
    inner.stream, inner.seq = values["stream_id"], values["seq"]
    inner.payload_hash, inner.row = values["payload_hash"], row
    return inner


def _logged(stream: str, event: dict[str, Any]) -> Envelope:
    return Envelope(
        stream, event["seq"], event["kind"], event["payload"], event["published_at"], command_id=event["command_id"]
    )


def _published(row: dict[str, Any]) -> Envelope:
    envelope = _wrapped(row)
    envelope.command_id, envelope.row = row["command_id"], row
    return envelope


# writing

_COLUMNS = (
    "stream_id",
    "seq",
    "idempotency_key",
    "stream_idempotency_key",
    "payload_hash",
    "payload_bytes",
    "committed_at",
    "durable_offset",
)


def packed_frame(packet: Packet) -> list[bytes]:
    """Frames that carry the packet's envelopes: one each on legacy, all in one message on the target."""
    if packet.origin == "message":
        return [_message_text(envelope).encode() for envelope in packet.envelopes]
    document = copy.deepcopy(packet.document)
    replace_inserts(document, "sync_event", [compact(_to_row(one, packet.origin)) for one in packet.envelopes])
    return [compact(document).encode()]


def _message_text(envelope: Envelope) -> str:
    parts = (
        f'"topic":{compact(envelope.stream)}',
        f'"sequence":{envelope.seq}',
        f'"kind":{compact(envelope.kind)}',
        f'"payload":{envelope.payload_text()}',
        f'"published_at":{compact(envelope.published_at)}',
    )
    return '{"type":"message","message":{' + ",".join(parts) + "}}"


def _to_row(envelope: Envelope, origin: str) -> Any:
    values = envelope.row if isinstance(envelope.row, dict) else dict(zip(_COLUMNS, envelope.row, strict=True))
    values = {
        **values,
        "stream_id": envelope.stream,
        "seq": envelope.seq,
        "payload_hash": envelope.payload_hash,
        "payload_bytes": _stored_text(envelope, values).encode().hex(),
    }
    return _shaped(values, origin)


def _stored_text(envelope: Envelope, values: dict[str, Any]) -> str:
    """The stored envelope; it follows its row to another key, unless it is to name another number."""
    stored = json.loads(bytes.fromhex(values["payload_bytes"]))
    moved = envelope.seq != values["seq"] or envelope.stream != values["stream_id"]
    number = envelope.seq if moved else stored["sequence"]
    return (
        f'{{"topic":{compact(stored["topic"])},'
        f'"sequence":{number if envelope.wrapped_seq is None else envelope.wrapped_seq},'
        f'"kind":{compact(envelope.kind)},"published_at":{compact(envelope.published_at)},'
        f'"payload":{envelope.payload_text()}}}'
    )


def _shaped(values: dict[str, Any], origin: str) -> Any:
    """The row as an object in a snapshot, as an array elsewhere; the timestamp follows."""
    micros = values["committed_at"]
    bare = micros["__timestamp_micros_since_unix_epoch__"] if isinstance(micros, dict) else micros[0]
    if origin == "snapshot":
        return {**values, "committed_at": {"__timestamp_micros_since_unix_epoch__": bare}}
    return [*(values[name] for name in _COLUMNS[:6]), [bare], values["durable_offset"]]


def packed_answer(packet: Packet) -> bytes:
    """The body of an answer that holds the packet's envelopes."""
    if packet.origin == "sql":
        first, *others = packet.document
        rows = [_to_row(envelope, "sql") for envelope in packet.envelopes]
        return compact([{**first, "rows": rows}, *others]).encode()
    if packet.origin == "outbox":
        head = f'"boot_id":{compact(packet.document["boot_id"])},"head_ordinal":{packet.document["head_ordinal"]}'
        return f'{{{head},"rows":[{",".join(map(_publication_text, packet.envelopes))}]}}'.encode()
    events = ",".join(
        f'{{"seq":{e.seq},"kind":{compact(e.kind)},"payload":{e.payload_text()},'
        f'"published_at":{compact(e.published_at)},"command_id":{compact(e.command_id)}}}'
        for e in packet.envelopes
    )
    head = packet.document["head_seq"]
    return f'{{"stream":{compact(packet.document["stream"])},"head_seq":{head},"events":[{events}]}}'.encode()


def _publication_text(envelope: Envelope) -> str:
    parts = (
        f'"ordinal":{envelope.row["ordinal"]}',
        f'"topic":{compact(envelope.stream)}',
        f'"sequence":{envelope.seq}',
        f'"kind":{compact(envelope.kind)}',
        f'"payload":{envelope.payload_text()}',
        f'"published_at":{compact(envelope.published_at)}',
        f'"owner_user_id":{compact(envelope.row["owner_user_id"])}',
        f'"command_id":{compact(envelope.command_id)}',
    )
    return "{" + ",".join(parts) + "}"
