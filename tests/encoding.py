"""Events as both lanes and the authority spell them, as bytes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from harness.wire.canonical import payload_hash
from harness.wire.mapping import stream_id


@dataclass
class Event:
    """One envelope as a lane delivers it; `body` and `body_hash` may be bent independently."""

    topic: str
    seq: int
    kind: str
    body: str
    published_at: str
    body_hash: str | None = None
    wrapped_topic: str | None = None
    wrapped_seq: int | None = None

    def copy(self, **changes: Any) -> Self:
        """A copy with some members changed."""
        return replace(self, **changes)

    @property
    def carried_hash(self) -> str:
        """The hash that a correct target sends along, unless it was bent."""
        return self.body_hash or "sha256:" + payload_hash(self.body.encode()).hex()


@dataclass
class Logged(Event):
    """A row of an authority's log."""

    command_id: str | None = ""


@dataclass
class Page:
    """One page of a log, as an exchange."""

    row: dict[str, Any]
    topic: str
    head: int
    rows: list[Logged]


def compact(text: str) -> str:
    """JSON without spaces, key order kept."""
    return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


def topic_message(event: Event) -> bytes:
    """A `message` frame of the legacy dialect."""
    return (
        f'{{"type":"message","message":{{"topic":{_text(event.topic)},"sequence":{event.seq},'
        f'"kind":{_text(event.kind)},"payload":{event.body},"published_at":{_text(event.published_at)}}}}}'
    ).encode()


def stale_frame(
    topic: str,
    cursor: int,
    floor: int,
    head: int,
    budget: int,
    *,
    tier: str = "warm",
    reasons: tuple[str, ...] | None = None,
) -> bytes:
    """A `stale_cursor` frame of the legacy dialect, its reasons those of the arithmetic unless others are named."""
    lag = max(head - cursor, 0)
    own = [("retention_floor_breach", cursor < floor), ("replay_budget_exceeded", lag > budget)]
    frame = {
        "type": "stale_cursor",
        "topic": topic,
        "requested_cursor": cursor,
        "oldest_available_cursor": floor,
        "head_cursor": head,
        "reason_codes": [code for code, given in own if given] if reasons is None else list(reasons),
        "replay_lag": lag,
        "replay_budget_events": budget,
        "qos_tier": tier,
    }
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False).encode()


def wrapped(event: Event) -> str:
    """The stored envelope of the target lane, members in the relay's order."""
    topic = event.topic if event.wrapped_topic is None else event.wrapped_topic
    seq = event.seq if event.wrapped_seq is None else event.wrapped_seq
    instant = event.published_at
    instant = instant[:-1] + "+00:00" if instant.endswith("Z") else instant
    return (
        f'{{"topic":{_text(topic)},"sequence":{seq},"kind":{_text(event.kind)},'
        f'"published_at":{_text(instant)},"payload":{event.body}}}'
    )


def event_row(event: Event) -> list[Any]:
    """A `sync_event` row by position."""
    stream = stream_id(event.topic)
    key = f"topic:{event.topic}:seq:{event.seq}:kind:{event.kind}"
    stored = wrapped(event).encode().hex()
    return [
        stream,
        event.seq,
        key,
        f"{stream}\x1f{key}",
        event.carried_hash,
        stored,
        [1_795_358_666_191_655],
        event.seq,
    ]


EVENT_COLUMNS = (
    "stream_id",
    "seq",
    "idempotency_key",
    "stream_idempotency_key",
    "payload_hash",
    "payload_bytes",
    "committed_at",
    "durable_offset",
)
HEAD_COLUMNS = ("stream_id", "next_seq", "retained_from")
CHECKPOINT_COLUMNS = ("checkpoint_key", "reader", "client_id", "stream_id", "acked_seq", "updated_at")
_COLUMNS_OF = {"sync_event": EVENT_COLUMNS, "stream_head": HEAD_COLUMNS, "sync_checkpoint": CHECKPOINT_COLUMNS}


def snapshot(events: list[Event], heads: list[tuple[str, int, int]]) -> bytes:
    """A `SubscribeMultiApplied` message; rows are objects."""
    micros = {"__timestamp_micros_since_unix_epoch__": 1_795_358_666_186_037}
    event_rows = [
        dict(zip(EVENT_COLUMNS, event_row(event), strict=True)) | {"committed_at": micros} for event in events
    ]
    head_rows = [dict(zip(HEAD_COLUMNS, row, strict=True)) for row in _head_rows(heads)]
    tables = [_rows("sync_event", event_rows), _rows("stream_head", head_rows)]
    update = {"tables": [table for table in tables if table["num_rows"]]}
    applied = {"request_id": 1, "total_host_execution_duration_micros": 1, "query_id": {"id": 1}, "update": update}
    return json.dumps({"SubscribeMultiApplied": applied}, separators=(",", ":")).encode()


def transaction(events: list[Event], heads: list[tuple[str, int, int]]) -> bytes:
    """A full `TransactionUpdate` message (wire sheet, F3); rows are arrays."""
    args = json.dumps(
        [[stream_id(event.topic), {"some": event.seq}, wrapped(event).encode().hex()] for event in events]
    )
    tables = [_rows("stream_head", _head_rows(heads)), _rows("sync_event", [event_row(event) for event in events])]
    message = {
        "status": {"Committed": {"tables": [table for table in tables if table["num_rows"]]}},
        "timestamp": {"__timestamp_micros_since_unix_epoch__": 1_795_358_666_191_655},
        "caller_identity": {"__identity__": "0xc200"},
        "caller_connection_id": {"__connection_id__": 256_332_671_152_196_060_485_325_094_239_260_033_561},
        "reducer_call": {"reducer_name": "append_sync_event", "reducer_id": 2, "args": args, "request_id": 0},
        "energy_quanta_used": {"quanta": 11_778_000},
        "total_host_execution_duration": {"__time_duration_micros__": 100},
    }
    return json.dumps({"TransactionUpdate": message}, separators=(",", ":")).encode()


def _head_rows(heads: list[tuple[str, int, int]]) -> list[list[Any]]:
    return [[stream_id(topic), head + 1, floor + 1] for topic, head, floor in heads]


def _rows(name: str, rows: list[Any]) -> dict[str, Any]:
    texts = [json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in rows]
    return {"table_id": 4100, "table_name": name, "num_rows": len(rows), "updates": [{"deletes": [], "inserts": texts}]}


def sql_answer(table: str, rows: list[list[Any]]) -> bytes:
    """An HTTP SQL answer over one of the sync tables."""
    elements = [{"name": {"some": name}, "algebraic_type": {"String": []}} for name in _COLUMNS_OF[table]]
    return json.dumps([{"schema": {"elements": elements}, "rows": rows, "total_duration_micros": 1}]).encode()


def log_page(page: Page) -> bytes:
    """A page of an authority's log."""
    rows = ",".join(
        f'{{"seq":{row.seq},"kind":{_text(row.kind)},"payload":{row.body},'
        f'"published_at":{_text(row.published_at)},"command_id":{_text(row.command_id)}}}'
        for row in page.rows
    )
    return f'{{"stream":{_text(page.topic)},"head_seq":{page.head},"events":[{rows}]}}'.encode()


def outbox_answer(rows: Sequence[Logged]) -> bytes:
    """The whole outbox of an authority as one page; ordinals from 1."""
    listed = ",".join(
        f'{{"ordinal":{ordinal},"topic":{_text(row.topic)},"sequence":{row.seq},"kind":{_text(row.kind)},'
        f'"payload":{row.body},"published_at":{_text(row.published_at)},"owner_user_id":1,'
        f'"command_id":{_text(row.command_id)}}}'
        for ordinal, row in enumerate(rows, 1)
    )
    return f'{{"boot_id":"boot","head_ordinal":{len(rows)},"rows":[{listed}]}}'.encode()


def _text(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)
