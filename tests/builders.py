"""Recordings made by hand: a small world plays a plan without a fault, and a test then bends what it said.

`World.play(plan)` does what correct authorities and lanes do; its exchanges, connections and messages are plain lists
that a test may change before `write` seals them as a real recording. Times are made up: one millisecond a happening.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from harness.model.names import SIDES, Side, StreamKey, Topology
from harness.model.plan import (
    BarrierStep,
    Command,
    CommandStep,
    Expectation,
    Plan,
    ReadStep,
    Step,
    SubscribeStep,
    UnsubscribeStep,
)
from harness.model.subscription import fleet_of
from harness.recording.manifest import RecordingAbout
from harness.recording.reader import Recording, open_recording
from harness.recording.sealing import write_recording
from harness.recording.tables import SEALED_TABLES
from harness.wire.canonical import payload_hash
from harness.wire.mapping import stream_id

DIALECTS = {Side.LEGACY: "topic-ws", Side.TARGET: "spacetime-v1-json"}
RETENTION_EVENTS = 1024
ORDINAL_SPACING = 1000
_NS = 1_000_000


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

    def copy(self, **changes: Any) -> "Event":
        """A copy with some members changed."""
        return replace(self, **changes)

    @property
    def carried_hash(self) -> str:
        """The hash that a correct target sends along, unless it was bent."""
        return self.body_hash or "sha256:" + payload_hash(self.body.encode()).hex()


@dataclass
class Logged(Event):
    """A row of an authority's log."""

    command_id: str = ""


@dataclass
class Message:
    """One message from a lane: `kind` is hello, identity, snapshot, message, transaction or raw."""

    ordinal: int
    kind: str
    events: list[Event] = field(default_factory=list)
    heads: list[tuple[str, int, int]] = field(default_factory=list)
    """(topic, head, floor), target only."""
    text: bytes = b""


@dataclass
class Link:
    """One connection attempt and what came over it."""

    row: dict[str, Any]
    messages: list[Message] = field(default_factory=list)

    @property
    def side(self) -> Side:
        """The side it was opened on."""
        return Side(self.row["side"])

    def placed(self) -> Iterator[tuple[Message, Event]]:
        """Every event with the message that carries it, in order of arrival."""
        for message in self.messages:
            for event in list(message.events):
                yield message, event

    def find(self, seq: int) -> tuple[Message, Event]:
        """The first arrival of `seq`."""
        return next((message, event) for message, event in self.placed() if event.seq == seq)

    def drop(self, seq: int) -> None:
        """Takes every arrival of `seq` out."""
        for message, event in list(self.placed()):
            if event.seq == seq:
                message.events.remove(event)

    def swap(self, one: int, other: int) -> None:
        """Lets the first arrivals of two numbers change places."""
        (first, event), (second, later) = self.find(one), self.find(other)
        at, then = first.events.index(event), second.events.index(later)
        first.events[at], second.events[then] = later, event

    def edit(self, seq: int, **changes: Any) -> None:
        """Changes members of every arrival of `seq`."""
        for message, event in list(self.placed()):
            if event.seq == seq:
                message.events[message.events.index(event)] = event.copy(**changes)

    def insert_after(self, seq: int, event: Event) -> None:
        """Delivers `event` in the same message as `seq`, behind it."""
        message, place = self.find(seq)
        message.events.insert(message.events.index(place) + 1, event)


@dataclass
class Page:
    """One page of a log, as an exchange."""

    row: dict[str, Any]
    topic: str
    head: int
    rows: list[Logged]


def run_plan(
    *steps: Step,
    topology: Topology = Topology.MIRRORED,
    appends: int = 5,
    clauses: tuple[str, ...] = ("N1", "N3", "INV-07"),
) -> Plan:
    """`run:r1` with one subscriber from the start, some appends, then `steps`, a barrier and the final read.

    Step indexes of `steps` are given out here.
    """
    own: list[Step] = [
        CommandStep(0, "main", Command("create_run", "r1")),
        SubscribeStep(0, "early", SIDES, "run:r1"),
        *(
            CommandStep(
                0, "main", Command("append", "r1", event_type="note", payload=json.dumps({"n": n, "text": "é"}))
            )
            for n in range(appends)
        ),
        *steps,
    ]
    streams = _plan(own, topology, clauses).streams
    own += [BarrierStep(0, 1, streams), ReadStep(0, streams)]
    return _plan(own, topology, clauses)


def _plan(steps: Iterable[Step], topology: Topology, clauses: tuple[str, ...]) -> Plan:
    numbered = tuple(replace(step, index=index) for index, step in enumerate(steps))
    return Plan("built", "a plan built by hand", clauses, topology, 1, numbered)


class Authority:
    """A correct authority: streams by topic, runs by plan name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.logs: dict[str, list[Logged]] = {}
        self.runs: dict[str, str] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self._ids = itertools.count(1)

    def topic(self, stream: str) -> str:
        """The topic of a plan stream."""
        key = StreamKey.parse(stream)
        return key.topic(self.runs.get(key.name, key.name))

    def create(self, name: str) -> None:
        """Makes the run."""
        salt = hashlib.sha256(f"{self.name}/{name}".encode()).hexdigest()
        self.runs[name] = f"{salt[:8]}-{salt[8:12]}-7{salt[13:16]}-8{salt[17:20]}-{salt[20:32]}"

    def append(self, topics: Iterable[str], kind: str, body: str, at_ns: int) -> tuple[int, str]:
        """Appends one event to each of `topics`; the first one's number, and the command's id."""
        command_id = f"command-{self.name}-{next(self._ids)}"
        seconds, rest = divmod(at_ns, 1_000_000_000)
        published_at = f"2026-02-25T12:00:{seconds % 60:02d}.{rest:09d}Z"
        numbers = []
        for topic in topics:
            log = self.logs.setdefault(topic, [])
            numbers.append(len(log) + 1)
            log.append(Logged(topic, numbers[-1], kind, body, published_at, command_id=command_id))
        return numbers[0], command_id


class World:
    """Plays plans; afterwards its lists hold everything that a recording will say."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.exchanges: list[dict[str, Any]] = []
        self.links: list[Link] = []
        self.timeline: list[dict[str, Any]] = []
        self.pages: list[Page] = []
        self.authorities = {name: Authority(name) for name in plan.topology.authorities}
        self._ordinals = itertools.count(1)
        self._applied: dict[str, int] = {}
        self._live: list[Link] = []

    @classmethod
    def played(cls, plan: Plan) -> "World":
        """A world in which `plan` went without a fault."""
        world = cls(plan)
        for side in SIDES:
            world._ready(side)
        for step in plan.steps:
            world._do(step)
        return world

    # what a test asks for

    def link(self, side: Side, subscriber: str = "early", attempt: int = 1) -> Link:
        """The connection of a subscriber."""
        return next(
            link
            for link in self.links
            if link.side is side and link.row["subscriber"] == subscriber and link.row["attempt"] == attempt
        )

    def links_of(self, side: Side, *, content: bool = False) -> list[Link]:
        """The subscribers' connections of a side, with those that read its own content if asked."""
        purposes = ("subscriber", "content") if content else ("subscriber",)
        return [link for link in self.links if link.side is side and link.row["purpose"] in purposes]

    def answers(self, purpose: str, side: Side | None = None) -> list[dict[str, Any]]:
        """The exchanges of a purpose."""
        return [
            row for row in self.exchanges if row["purpose"] == purpose and (side is None or row["side"] == side.value)
        ]

    def event(self, stream: str, seq: int, authority: str = "shared") -> Logged:
        """An event as the log has it."""
        log = self.authorities[authority]
        return log.logs[log.topic(stream)][seq - 1]

    def everywhere(self, side: Side, change: Callable[[Link], None]) -> None:
        """Bends every subscription and the own content of a side alike (of the target, its SQL answers too)."""
        for link in self.links_of(side, content=True):
            change(link)
        for row in self.answers("content", side):
            shadow = Link({"side": side.value}, [Message(0, "sql", row["events"])])
            change(shadow)
            row["events"] = shadow.messages[0].events

    def write(self, directory: Path) -> Recording:
        """Seals everything as a recording and opens it."""
        plan_json = self.plan.to_json()
        about = RecordingAbout(
            self.plan.scenario,
            self.plan.topology,
            self.plan.digest,
            self.plan.seed,
            "0",
            "0" * 40,
            "2026-02-25T12:00:00Z",
            0,
        )
        return open_recording(write_recording(directory, self.tables(), plan_json, about))

    def tables(self) -> dict[str, pa.Table]:
        """The four tables."""
        rows = {
            "exchanges": [_spaced(_exchange_row(row)) for row in self.exchanges],
            "connections": [_spaced(link.row) for link in self.links],
            "frames": list(self._frames()),
            "timeline": list(map(_spaced, self.timeline)),
        }
        return {name: _table(name, entries) for name, entries in rows.items()}

    def _frames(self) -> Iterator[dict[str, Any]]:
        for link in self.links:
            index = itertools.count()
            for message in link.messages:
                for data in _encoded(link, message):
                    yield _frame_row(link, message, next(index), data)

    # playing

    def _now(self) -> int:
        return next(self._ordinals)

    def _ready(self, side: Side) -> None:
        detail = {"profile": f"{side}-reference", "retention_events": RETENTION_EVENTS, "dialect": DIALECTS[side]}
        self.note("service_ready", f"lane/{side}", side, **detail)

    def note(self, event: str, subject: str, side: Side | None = None, **detail: Any) -> None:
        """A row of the timeline."""
        ordinal = self._now()
        self.timeline.append(
            {
                "ordinal": ordinal,
                "at_ns": ordinal * _NS,
                "event": event,
                "subject": subject,
                "side": side and side.value,
                "detail": json.dumps(detail),
            }
        )

    def _do(self, step: Step) -> None:
        match step:
            case CommandStep():
                for authority in self.authorities.values():
                    self._command(authority, step.command, step.expect, step.index, "command", step.label)
            case SubscribeStep():
                for side in step.sides:
                    self._subscribe(step, side)
            case UnsubscribeStep():
                self._live = [
                    link
                    for link in self._live
                    if link.row["subscriber"] != step.subscriber or link.side not in step.sides
                ]
            case BarrierStep():
                for authority in self.authorities.values():
                    self._sentinels(authority, step)
            case ReadStep():
                self._read(step)

    def _sentinels(self, authority: Authority, step: BarrierStep) -> None:
        for stream in step.streams:
            key = StreamKey.parse(stream)
            if key.kind == "run":
                payload = json.dumps({"barrier": step.number})
                command = Command("append", key.name, event_type="parity.sentinel", payload=payload)
                self._command(authority, command, Expectation(), step.index, "sentinel", None)
            elif key.kind == "worker":
                self._command(authority, Command("heartbeat", key.name), Expectation(), step.index, "sentinel", None)

    def _command(
        self, authority: Authority, command: Command, expect: Expectation, step: int, purpose: str, label: str | None
    ) -> None:
        row = self._exchange(purpose, f"authority/{authority.name}", None, step, str(command.stream))
        if expect.outcome == "refused":
            _answer(row, expect.status or 400, {"error": expect.error or "invalid_request"}, "refused")
        elif expect.outcome == "repeated":
            _answer(row, 200, authority.answers[expect.same_as or ""])
        else:
            said = self._accept(authority, command, row["sent_ns"])
            if label is not None:
                authority.answers[label] = said
            _answer(row, 200, said)
        row["answered_ns"] = self._now() * _NS

    def _accept(self, authority: Authority, command: Command, at_ns: int) -> dict[str, Any]:
        if command.do == "create_run":
            authority.create(command.subject)
        kind, body = _kind_and_body(command)
        streams = [str(command.stream)]
        if command.stream.kind == "worker":
            streams.append(fleet_of(self.plan, command.subject))
        topics = [authority.topic(stream) for stream in streams]
        seq, command_id = authority.append(topics, kind, body, at_ns)
        for topic in topics:
            self._deliver(authority, topic)
        if command.stream.kind == "worker":
            return {"worker": {"worker": {"worker_id": command.subject, "latest_seq": seq}}, "command_id": command_id}
        run = {"id": authority.runs[command.subject], "latest_seq": seq}
        return {"run": run, "event": {"seq": seq, "event_type": kind}, "command_id": command_id}

    def _deliver(self, authority: Authority, topic: str) -> None:
        """The newest event of a topic, to everybody who listens."""
        logged = authority.logs[topic][-1]
        for link in list(self._live):
            own = self.plan.topology.authority_of(link.side) == authority.name and link.row["topic"] == topic
            if own and logged.seq > link.row["cursor"]:
                kind = "message" if link.side is Side.LEGACY else "transaction"
                heads = [] if link.side is Side.LEGACY else [(topic, logged.seq, 0)]
                link.messages.append(Message(self._now(), kind, [_delivered(logged)], heads))
                self._apply(link, logged.seq)

    def _apply(self, link: Link, seq: int) -> None:
        self._applied[link.row["subscriber"]] = max(self._applied.get(link.row["subscriber"], 0), seq)
        if link.row["until"] is not None and seq >= link.row["until"] and link in self._live:
            self._live.remove(link)

    def _subscribe(self, step: SubscribeStep, side: Side) -> None:
        cursor = self._applied.get(step.subscriber, 0) if step.cursor is None else step.cursor
        self._live.append(self._open(side, "subscriber", step.subscriber, step.index, step.stream, cursor, step.until))
        self._replay(self._live[-1])

    def _open(
        self, side: Side, purpose: str, subscriber: str, step: int, stream: str, cursor: int, until: int | None
    ) -> Link:
        authority = self.authorities[self.plan.topology.authority_of(side)]
        topic, ordinal = authority.topic(stream), self._now()
        row = {
            "ordinal": ordinal,
            "id": len(self.links),
            "side": side.value,
            "purpose": purpose,
            "subscriber": subscriber,
            "step": step,
            "attempt": 1,
            "stream": stream,
            "wire_stream": topic if side is Side.LEGACY else stream_id(topic),
            "cursor": cursor,
            "dialect": DIALECTS[side],
            "database": None if side is Side.LEGACY else "sync",
            "url": "ws://127.0.0.1/",
            "request_headers": "{}",
            "opened_ns": ordinal * _NS,
            "handshake_status": 101,
            "closed_by": "harness",
            "code": 1000,
            "topic": topic,
            "until": until,
        }
        link = Link(row)
        self.links.append(link)
        return link

    def _replay(self, link: Link) -> None:
        topic, cursor = link.row["topic"], link.row["cursor"]
        authority = self.authorities[self.plan.topology.authority_of(link.side)]
        events = [_delivered(logged) for logged in authority.logs.get(topic, []) if logged.seq > cursor]
        opened = self._now()
        link.row["accepted_ns"] = opened * _NS
        if link.side is Side.LEGACY:
            link.messages.append(Message(opened, "hello"))
            for event in events:
                link.messages.append(Message(self._now(), "message", [event]))
        else:
            link.messages.append(Message(self._now(), "identity"))
            head = [(topic, len(authority.logs[topic]), 0)] if topic in authority.logs else []
            link.messages.append(Message(opened, "snapshot", events[::-1], head))
            link.messages.sort(key=lambda message: message.kind != "identity")
            link.messages[0].ordinal, link.messages[1].ordinal = sorted(m.ordinal for m in link.messages)
        for event in events:
            self._apply(link, event.seq)

    def _read(self, step: ReadStep) -> None:
        for stream in step.streams:
            for authority in self.authorities.values():
                self._read_log(authority, step, stream)
            for side in SIDES:
                self._read_lane(side, step, stream)
        self._read_heads(step)

    def _read_log(self, authority: Authority, step: ReadStep, stream: str) -> None:
        row = self._exchange("log", f"authority/{authority.name}", None, step.index, stream)
        topic = authority.topic(stream)
        row["path"] = f"/internal/v1/streams/{quote(topic, safe='')}/events?after_seq=0&limit=1000"
        rows = [replace(logged) for logged in authority.logs.get(topic, [])]
        self.pages.append(Page(row, topic, len(rows), rows))
        row["page"] = self.pages[-1]

    def _read_lane(self, side: Side, step: ReadStep, stream: str) -> None:
        authority = self.authorities[self.plan.topology.authority_of(side)]
        topic = authority.topic(stream)
        log = authority.logs.get(topic, [])
        if side is Side.LEGACY:
            row = self._exchange("heads", "lane/legacy", side, step.index, stream)
            row["path"] = f"/internal/v1/khala/topics/{quote(topic, safe='')}/messages?after_seq=18446744073709551615"
            _answer(row, 200, {"topic": topic, "head_cursor": len(log) or None, "oldest_available_cursor": 0})
            self._replay(self._open(side, "content", f"content:{stream}", step.index, stream, 0, len(log)))
        else:
            row = self._exchange("content", "lane/target", side, step.index, stream)
            row["path"] = "/v1/database/sync/sql"
            row["events"] = [_delivered(logged) for logged in log][::-1]

    def _read_heads(self, step: ReadStep) -> None:
        row = self._exchange("heads", "lane/target", Side.TARGET, step.index, None)
        row["path"] = "/v1/database/sync/sql"
        logs = self.authorities[self.plan.topology.authority_of(Side.TARGET)].logs
        row["heads"] = [(topic, len(log), 0) for topic, log in logs.items()]

    def _exchange(self, purpose: str, service: str, side: Side | None, step: int, stream: str | None) -> dict[str, Any]:
        ordinal = self._now()
        row = {
            "ordinal": ordinal,
            "id": len(self.exchanges),
            "purpose": purpose,
            "service": service,
            "side": side and side.value,
            "step": step,
            "writer": "main",
            "attempt": 1,
            "stream": stream,
            "method": "POST",
            "path": "/",
            "request_headers": "{}",
            "request_body": b"",
            "sent_ns": ordinal * _NS,
            "status": 200,
            "outcome": "ok",
            "response_body": b"",
            "answered_ns": self._now() * _NS,
        }
        self.exchanges.append(row)
        return row


def _answer(row: dict[str, Any], status: int, body: Any, outcome: str = "ok") -> None:
    row.update(status=status, outcome=outcome, response_body=json.dumps(body).encode())


def _delivered(logged: Logged) -> Event:
    return Event(logged.topic, logged.seq, logged.kind, logged.body, logged.published_at)


def _kind_and_body(command: Command) -> tuple[str, str]:
    match command.do:
        case "create_run":
            return "run.started", '{"source":"runtime"}'
        case "append":
            return command.event_type or "", compact(command.payload or "null")
        case "worker_status":
            status = command.status or "running"
        case _:
            status = "running"
    return f"worker.{status}", f'{{"worker_id":"{command.subject}","status":"{status}","heartbeat_age_ms":0}}'


def compact(text: str) -> str:
    """JSON without spaces, key order kept."""
    return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


# encoding


def _table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    schema = SEALED_TABLES[name]
    ordered = sorted(rows, key=lambda row: row["ordinal"])
    return pa.table(
        {field.name: pa.array([row.get(field.name) for row in ordered], field.type) for field in schema}, schema
    )


def _spaced(row: dict[str, Any]) -> dict[str, Any]:
    """The row with room behind its ordinal, so that a message may become several frames."""
    return {**row, "ordinal": row["ordinal"] * ORDINAL_SPACING}


def _frame_row(link: Link, message: Message, index: int, data: bytes) -> dict[str, Any]:
    return {
        "ordinal": message.ordinal * ORDINAL_SPACING + index % ORDINAL_SPACING,
        "connection": link.row["id"],
        "index": index,
        "direction": 0,
        "opcode": 1,
        "at_ns": message.ordinal * _NS,
        "data": data,
    }


def _exchange_row(row: dict[str, Any]) -> dict[str, Any]:
    if "page" in row:
        return {**row, "response_body": log_page(row["page"])}
    if "events" in row:
        return {**row, "response_body": sql_answer("sync_event", [event_row(event) for event in row["events"]])}
    if "heads" in row:
        heads = [[stream_id(topic), head + 1, floor + 1] for topic, head, floor in row["heads"]]
        return {**row, "response_body": sql_answer("stream_head", heads)}
    return row


def _encoded(link: Link, message: Message) -> Iterator[bytes]:
    match message.kind:
        case "raw":
            yield message.text
        case "hello":
            yield json.dumps(
                {"type": "hello", "topic": link.row["topic"], "after_seq": link.row["cursor"], "limit": 200},
                separators=(",", ":"),
            ).encode()
        case "message":
            yield from map(topic_message, message.events)
        case "identity":
            yield (
                b'{"IdentityToken":{"identity":{"__identity__":"0xc200"},"token":"t",'
                b'"connection_id":{"__connection_id__":45930773115153618296538426508883707514}}}'
            )
        case "snapshot":
            yield snapshot(message.events, message.heads)
        case "transaction":
            yield transaction(message.events, message.heads)


def topic_message(event: Event) -> bytes:
    """A `message` frame of the legacy dialect."""
    return (
        f'{{"type":"message","message":{{"topic":{_text(event.topic)},"sequence":{event.seq},'
        f'"kind":{_text(event.kind)},"payload":{event.body},"published_at":{_text(event.published_at)}}}}}'
    ).encode()


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
    names = EVENT_COLUMNS if table == "sync_event" else HEAD_COLUMNS
    elements = [{"name": {"some": name}, "algebraic_type": {"String": []}} for name in names]
    return json.dumps([{"schema": {"elements": elements}, "rows": rows, "total_duration_micros": 1}]).encode()


def log_page(page: Page) -> bytes:
    """A page of an authority's log."""
    rows = ",".join(
        f'{{"seq":{row.seq},"kind":{_text(row.kind)},"payload":{row.body},'
        f'"published_at":{_text(row.published_at)},"command_id":{_text(row.command_id)}}}'
        for row in page.rows
    )
    return f'{{"stream":{_text(page.topic)},"head_seq":{page.head},"events":[{rows}]}}'.encode()


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
