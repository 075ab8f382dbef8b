"""A recording opened for cutting: envelopes can be dropped, doubled, moved and changed, then it is sealed anew.

It reads and writes both dialects with plain `json` and shares no decoder with `wire` or `history`: a mutator that
used the code under test could not show that this code is wrong.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.model.names import Side, Topology
from harness.recording.reader import Recording
from harness.recording.sealing import write_recording
from harness.recording.tables import SEALED_TABLES

Row = dict[str, Any]
ROOM_BETWEEN_ORDINALS = 1 << 20


@dataclass(slots=True)
class Envelope:
    """One delivered envelope, editable. `row` is the table row it came in on the target, None on legacy and log."""

    stream: str
    seq: int
    kind: str
    payload: Any
    published_at: str
    payload_hash: str | None = None
    row: Any = None
    key_order: bool = True
    command_id: str | None = None

    def doubled(self) -> "Envelope":
        """An independent copy."""
        return copy.deepcopy(self)

    def payload_text(self) -> str:
        """Compact JSON of the payload, its keys in order of arrival or turned round."""
        return compact(self.payload if self.key_order else _turned_round(self.payload))


@dataclass(slots=True)
class Packet:
    """One carrier of envelopes: a frame, a SQL answer or a log page. Written back only when touched."""

    row: Row
    origin: str
    """`message`, `snapshot`, `transaction`, `sql` or `log`."""
    envelopes: list[Envelope]
    document: Any = None
    touched: bool = False


@dataclass(slots=True)
class Track:
    """The packets of one connection, in order of arrival."""

    connection: Row
    packets: list[Packet] = field(default_factory=list)

    @property
    def side(self) -> Side:
        """The side the connection was opened on."""
        return Side(self.connection["side"])

    def placed(self) -> Iterator[tuple[Packet, Envelope]]:
        """Every envelope with its packet; rows of one target message in order of seq, since they are a set."""
        for packet in self.packets:
            for envelope in sorted(packet.envelopes, key=lambda envelope: envelope.seq):
                yield packet, envelope


class Tape:
    """All tables of a recording as rows, and its envelopes as tracks."""

    def __init__(self, recording: Recording) -> None:
        self.plan = recording.plan
        self.about = recording.manifest.about
        self.rows: dict[str, list[Row]] = {name: recording.table(name).to_pylist() for name in SEALED_TABLES}
        self._make_room()
        connections = {row["id"]: Track(row) for row in self.rows["connections"]}
        for row in self.rows["frames"]:
            packet = _frame_packet(row) if row["direction"] == 0 else None
            if packet is not None:
                connections[row["connection"]].packets.append(packet)
        self.tracks = list(connections.values())
        self.pages = [packet for row in self.rows["exchanges"] if (packet := _answer_packet(row)) is not None]
        self._command_times = dict(_command_times(self.rows["exchanges"]))

    def _make_room(self) -> None:
        for rows in self.rows.values():
            for row in rows:
                for column in ("ordinal", "closed_ordinal"):
                    if row.get(column) is not None:
                        row[column] *= ROOM_BETWEEN_ORDINALS

    def subscribers(self, side: Side) -> list[Track]:
        """Tracks of the plan's subscribers on a side, own-content reads left out."""
        return [track for track in self.tracks if track.side is side and track.connection["purpose"] == "subscriber"]

    def content(self, side: Side) -> list[Packet]:
        """What carries the lane's own content: content sockets on legacy, SQL answers on the target."""
        sockets = [track for track in self.tracks if track.side is side and track.connection["purpose"] == "content"]
        answers = [page for page in self.pages if page.origin == "sql" and page.row["side"] == side.value]
        return [packet for track in sockets for packet in track.packets] + answers

    def log(self) -> list[Packet]:
        """Pages of the authorities' logs."""
        return [page for page in self.pages if page.origin == "log"]

    def command_times(self, track: Track, envelope: Envelope) -> tuple[int, int]:
        """When the command behind an envelope was sent and answered, monotonic ns; (0, 0) when no answer names it."""
        side = "shared" if self.plan.topology is Topology.MIRRORED else track.side.value
        return self._command_times.get((side, track.connection["stream"], envelope.seq), (0, 0))

    def write(self, directory: Path) -> None:
        """Seal what the tape is now as a new recording."""
        self.rows["frames"] = list(self._packed_frames())
        for page in self.pages:
            if page.touched:
                page.row["response_body"] = _packed_page(page)
        tables = {
            name: pa.Table.from_pylist(sorted(self.rows[name], key=lambda row: row["ordinal"]), schema=schema)
            for name, schema in SEALED_TABLES.items()
        }
        write_recording(directory, tables, self.plan.to_json(), self.about)

    def _packed_frames(self) -> Iterator[Row]:
        touched = {id(packet.row): packet for track in self.tracks for packet in track.packets if packet.touched}
        counted: dict[int, int] = {}
        for row in sorted(self.rows["frames"], key=lambda row: row["ordinal"]):
            packet = touched.get(id(row))
            datas = [row["data"]] if packet is None else _packed_frame(packet)
            for extra, data in enumerate(datas):
                index = counted.get(row["connection"], 0)
                counted[row["connection"]] = index + 1
                yield {**row, "ordinal": row["ordinal"] + extra, "index": index, "data": data}


def compact(value: Any) -> str:
    """JSON as the reference lanes spell it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _turned_round(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turned_round(value[name]) for name in reversed(list(value))}
    return [_turned_round(inner) for inner in value] if isinstance(value, list) else value


# reading


def _frame_packet(row: Row) -> Packet | None:
    document = _json(row["data"])
    if not isinstance(document, dict):
        return None
    if document.get("type") == "message":
        message = document["message"]
        return Packet(row, "message", [_wrapped(message)], document)
    for kind, origin in (("SubscribeMultiApplied", "snapshot"), ("TransactionUpdate", "transaction")):
        if kind in document:
            tables = _tables(document[kind])
            return Packet(row, origin, [_from_row(json.loads(text)) for text in _inserts(tables)], document)
    return None


def _tables(message: dict[str, Any]) -> list[dict[str, Any]]:
    update = message["update"] if "update" in message else message["status"].get("Committed", {"tables": []})
    return list(update["tables"])


def _inserts(tables: list[dict[str, Any]]) -> list[str]:
    events = [table for table in tables if table["table_name"] == "sync_event"]
    return [text for table in events for update in table["updates"] for text in update["inserts"]]


def _wrapped(message: dict[str, Any]) -> Envelope:
    return Envelope(message["topic"], message["sequence"], message["kind"], message["payload"], message["published_at"])


def _from_row(row: Any) -> Envelope:
    """An envelope of a `sync_event` row, object or array."""
    values = row if isinstance(row, dict) else dict(zip(_COLUMNS, row, strict=True))
    inner = _wrapped(json.loads(bytes.fromhex(values["payload_bytes"])))
    inner.stream, inner.seq = values["stream_id"], values["seq"]
    inner.payload_hash, inner.row = values["payload_hash"], row
    return inner


def _answer_packet(row: Row) -> Packet | None:
    document = _json(row["response_body"] or b"") if row["purpose"] in ("log", "content") else None
    if row["purpose"] == "log" and isinstance(document, dict) and "events" in document:
        events = [
            Envelope(
                document["stream"], e["seq"], e["kind"], e["payload"], e["published_at"], command_id=e["command_id"]
            )
            for e in document["events"]
        ]
        return Packet(row, "log", events, document)
    if row["purpose"] == "content" and isinstance(document, list):
        return Packet(row, "sql", [_from_row(values) for values in document[0]["rows"]], document)
    return None


def _command_times(exchanges: list[Row]) -> Iterator[tuple[tuple[str, str, int], tuple[int, int]]]:
    for row in exchanges:
        answer = _json(row["response_body"] or b"") if row["purpose"] in ("command", "sentinel") else None
        if isinstance(answer, dict) and row["outcome"] == "ok":
            seq = answer["event"]["seq"] if "event" in answer else answer["worker"]["worker"]["latest_seq"]
            authority = row["service"].partition("/")[2]
            yield (authority, row["stream"], seq), (row["sent_ns"], row["answered_ns"])


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


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


def _packed_frame(packet: Packet) -> list[bytes]:
    """Frames that carry the packet's envelopes: one each on legacy, all in one message on the target."""
    if packet.origin == "message":
        return [_message_text(envelope).encode() for envelope in packet.envelopes]
    document = copy.deepcopy(packet.document)
    ((_, message),) = document.items()
    tables = _tables(message)
    rows = [compact(_to_row(envelope, packet.origin)) for envelope in packet.envelopes]
    events = [table for table in tables if table["table_name"] == "sync_event"]
    if not events:
        events = [
            {"table_id": 4100, "table_name": "sync_event", "num_rows": 0, "updates": [{"deletes": [], "inserts": []}]}
        ]
        tables.extend(events)
        message.get("update", message.get("status", {}).get("Committed"))["tables"] = tables
    events[0]["updates"] = [{"deletes": events[0]["updates"][0]["deletes"], "inserts": rows}]
    events[0]["num_rows"] = len(rows) + len(events[0]["updates"][0]["deletes"])
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
    wrapped = json.loads(bytes.fromhex(values["payload_bytes"]))
    moved = envelope.seq != values["seq"] or envelope.stream != values["stream_id"]
    text = (
        f'{{"topic":{compact(wrapped["topic"])},"sequence":{envelope.seq if moved else wrapped["sequence"]},'
        f'"kind":{compact(envelope.kind)},"published_at":{compact(envelope.published_at)},'
        f'"payload":{envelope.payload_text()}}}'
    )
    values = {
        **values,
        "stream_id": envelope.stream,
        "seq": envelope.seq,
        "payload_hash": envelope.payload_hash,
        "payload_bytes": text.encode().hex(),
    }
    return _shaped(values, origin)


def _shaped(values: dict[str, Any], origin: str) -> Any:
    """The row as an object in a snapshot, as an array elsewhere; the timestamp follows."""
    micros = values["committed_at"]
    bare = micros["__timestamp_micros_since_unix_epoch__"] if isinstance(micros, dict) else micros[0]
    if origin == "snapshot":
        return {**values, "committed_at": {"__timestamp_micros_since_unix_epoch__": bare}}
    return [*(values[name] for name in _COLUMNS[:6]), [bare], values["durable_offset"]]


def _packed_page(page: Packet) -> bytes:
    if page.origin == "sql":
        first, *others = page.document
        rows = [_to_row(envelope, "sql") for envelope in page.envelopes]
        return compact([{**first, "rows": rows}, *others]).encode()
    events = ",".join(
        f'{{"seq":{e.seq},"kind":{compact(e.kind)},"payload":{e.payload_text()},'
        f'"published_at":{compact(e.published_at)},"command_id":{compact(e.command_id)}}}'
        for e in page.envelopes
    )
    head = page.document["head_seq"]
    return f'{{"stream":{compact(page.document["stream"])},"head_seq":{head},"events":[{events}]}}'.encode()
