"""A plan played without a fault, as plain lists: exchanges, connections with their messages, log pages, timeline."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from harness.model.names import SIDES, Side, StreamKey
from harness.model.plan import (
    BarrierStep,
    Command,
    CommandStep,
    Expectation,
    FaultStep,
    HealStep,
    Plan,
    ReadStep,
    Step,
    SubscribeStep,
    UnsubscribeStep,
)
from harness.model.subscription import fleets
from harness.wire.mapping import stream_id
from tests.encoding import Event, Logged, Page, compact, stale_frame

DIALECTS = {Side.LEGACY: "topic-ws", Side.TARGET: "spacetime-v1-json"}
RETENTION_EVENTS = 1024
CLOSE_CODES = {
    Side.LEGACY: {"stale_cursor": 4410, "slow_consumer_evicted": 4429, "shutdown": 1001},
    Side.TARGET: {"shutdown": 1006},
}
BUDGET_EVENTS = {"run": 20_000}
"""What the legacy dialect gives a stream of the kind; 10,000 where none is named."""
TICK_NS = 1_000_000


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


class Authority:
    """A correct authority: streams by topic, runs by plan name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.logs: dict[str, list[Logged]] = {}
        self.outbox: list[Logged] = []
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
            self.outbox.append(log[-1])
        return numbers[0], command_id


class Stage:
    """Where a plan is played: what correct authorities and lanes do, one millisecond a happening."""

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
        self._down: dict[str, list[Link]] = {}
        self._boots = itertools.count(1)

    def play(self) -> None:
        """Carries out the plan."""
        for side in SIDES:
            self._ready(side)
        for step in self.plan.steps:
            self._do(step)

    def _now(self) -> int:
        return next(self._ordinals)

    def _setting(self, side: Side, knob: str, default: int) -> int:
        given = (one.value for one in self.plan.settings if (one.seat, one.knob) == (side.value, knob))
        return next(given, default)

    def window(self, side: Side) -> int:
        """How many events of a stream the lane of a side keeps."""
        return self._setting(side, "retention_events", RETENTION_EVENTS)

    def budget(self, stream: str) -> int:
        """The replay budget of a stream on the legacy side."""
        of_class = BUDGET_EVENTS.get(stream.partition(":")[0], 10_000)
        return self._setting(Side.LEGACY, "replay_budget_events", of_class)

    def _ready(self, side: Side) -> None:
        detail = {
            "profile": f"{side}-reference",
            "retention_events": self.window(side),
            "dialect": DIALECTS[side],
            "close_codes": CLOSE_CODES[side],
            "boot_id": f"boot-{next(self._boots)}",
        }
        self.note("service_ready", f"lane/{side}", side, **detail)

    def note(self, event: str, subject: str, side: Side | None = None, **detail: Any) -> None:
        """A row of the timeline."""
        ordinal = self._now()
        self.timeline.append(
            {
                "ordinal": ordinal,
                "at_ns": ordinal * TICK_NS,
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
                for side in SIDES:
                    self.note("barrier_reached", str(step.number), side, relay=f"relay/{side}", streams=1)
            case FaultStep():
                self._take_down(step)
            case HealStep():
                self._bring_back(step)
            case ReadStep():
                self._read(step)

    def _take_down(self, step: FaultStep) -> None:
        """Kills or stops a lane: every connection to it ends."""
        side = Side(step.fault.subject.partition("/")[2])
        self.note("fault", step.fault.subject, side, step=step.index, name=step.name, kind=step.fault.kind)
        code = 1006 if step.fault.kind == "kill" else CLOSE_CODES[side]["shutdown"]
        self._down[step.name] = [link for link in self._live if link.side is side]
        self._live = [link for link in self._live if link.side is not side]
        for link in self._down[step.name]:
            self._end(link, "lane", code)
        self.note("fault_proven", step.fault.subject, side, step=step.index, name=step.name, proof="gone")

    def _bring_back(self, step: HealStep) -> None:
        """Starts the lane again: it holds what the log has, and every client comes back to where it was."""
        links = self._down.pop(step.name)
        side = links[0].side
        self._ready(side)
        self.note("healed", f"lane/{side}", side, step=step.index, name=step.name, proof="back")
        for link in links:
            numbers = [event.seq for _, event in link.placed()]
            self._connect(link.row, max([*numbers, link.row["cursor"]]), link.row["attempt"] + 1)

    def _end(self, link: Link, closed_by: str, code: int) -> None:
        link.row.update(closed_by=closed_by, code=code, closed_ns=self._now() * TICK_NS)

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
        row["answered_ns"] = self._now() * TICK_NS

    def _accept(self, authority: Authority, command: Command, at_ns: int) -> dict[str, Any]:
        if command.do == "create_run":
            authority.create(command.subject)
        kind, body = _kind_and_body(command)
        streams = [str(command.stream)]
        if command.stream.kind == "worker":
            streams.append(fleets(self.plan)[command.subject])
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
                floor = max(logged.seq - self.window(link.side), 0)
                heads = [] if link.side is Side.LEGACY else [(topic, logged.seq, floor)]
                link.messages.append(Message(self._now(), kind, [_delivered(logged)], heads))
                self._apply(link, logged.seq)

    def _apply(self, link: Link, seq: int) -> None:
        subscriber, until = link.row["subscriber"], link.row["until"]
        position = seq if until is None else min(seq, until)
        self._applied[subscriber] = max(self._applied.get(subscriber, 0), position)
        if link.row["until"] is not None and seq >= link.row["until"] and link in self._live:
            self._live.remove(link)

    def _subscribe(self, step: SubscribeStep, side: Side) -> None:
        cursor = self._applied.get(step.subscriber, 0) if step.cursor is None else step.cursor
        row = {"side": side, "purpose": "subscriber", "subscriber": step.subscriber, "step": step.index}
        self._connect({**row, "stream": step.stream, "until": step.until}, cursor, 1)

    def _connect(self, wish: dict[str, Any], cursor: int, attempt: int) -> None:
        """Opens connections until one is not told that its cursor is stale."""
        purpose, subscriber, step, stream = (wish[name] for name in ("purpose", "subscriber", "step", "stream"))
        link = self._open(Side(wish["side"]), purpose, subscriber, step, stream, cursor, wish["until"])
        link.row["attempt"] = attempt
        self._live.append(link)
        again = self._replay(link)
        if again is not None:
            self._live.remove(link)
            self._connect(wish, again, attempt + 1)

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
            "opened_ns": ordinal * TICK_NS,
            "handshake_status": 101,
            "closed_by": "harness",
            "code": 1000,
            "topic": topic,
            "until": until,
        }
        link = Link(row)
        self.links.append(link)
        return link

    def _replay(self, link: Link) -> int | None:
        """What a connection gets when it opens; the cursor to go on from, where it is told that its own is stale."""
        topic, cursor = link.row["topic"], link.row["cursor"]
        authority = self.authorities[self.plan.topology.authority_of(link.side)]
        log = authority.logs.get(topic, [])
        floor = max(len(log) - self.window(link.side), 0)
        events = [_delivered(logged) for logged in log if logged.seq > max(cursor, floor)]
        opened = self._now()
        link.row["accepted_ns"] = opened * TICK_NS
        if link.side is Side.LEGACY:
            link.messages.append(Message(opened, "hello"))
            budget = self.budget(link.row["stream"])
            if cursor < floor or len(log) - cursor > budget:
                frame = stale_frame(topic, cursor, floor, len(log), budget)
                link.messages.append(Message(self._now(), "raw", text=frame))
                self._end(link, "lane", CLOSE_CODES[Side.LEGACY]["stale_cursor"])
                return max(floor, len(log) - budget)
            for event in events:
                link.messages.append(Message(self._now(), "message", [event]))
        else:
            link.messages.append(Message(self._now(), "identity"))
            head = [(topic, len(log), floor)] if log else []
            link.messages.append(Message(opened, "snapshot", events[::-1], head))
            link.messages.sort(key=lambda message: message.kind != "identity")
            link.messages[0].ordinal, link.messages[1].ordinal = sorted(m.ordinal for m in link.messages)
        for event in events:
            self._apply(link, event.seq)
        return None

    def _read(self, step: ReadStep) -> None:
        for stream in step.streams:
            for authority in self.authorities.values():
                self._read_log(authority, step, stream)
            for side in SIDES:
                self._read_lane(side, step, stream)
        self._read_heads(step)
        for authority in self.authorities.values():
            self._read_outbox(authority, step)

    def _read_outbox(self, authority: Authority, step: ReadStep) -> None:
        """Publications are the very rows of the log's pages: what a test changes there, it changes here too."""
        service = f"authority/{authority.name}"
        own = [page for page in self.pages if (page.row["service"], page.row["step"]) == (service, step.index)]
        shown = {(page.topic, logged.seq): logged for page in own for logged in page.rows}
        row = self._exchange("outbox", service, None, step.index, None)
        row["path"] = "/internal/v1/outbox?after=0&limit=5000"
        row["published"] = [shown.get((one.topic, one.seq), one) for one in authority.outbox]

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
        floor = max(len(log) - self.window(side), 0)
        if side is Side.LEGACY:
            row = self._exchange("heads", "lane/legacy", side, step.index, stream)
            row["path"] = f"/internal/v1/khala/topics/{quote(topic, safe='')}/messages?after_seq=18446744073709551615"
            _answer(row, 200, {"topic": topic, "head_cursor": len(log) or None, "oldest_available_cursor": floor})
            wish = {"side": side, "purpose": "content", "subscriber": f"content:{stream}", "step": step.index}
            self._connect({**wish, "stream": stream, "until": len(log)}, 0, 1)
        else:
            row = self._exchange("content", "lane/target", side, step.index, stream)
            row["path"] = "/v1/database/sync/sql"
            row["events"] = [_delivered(logged) for logged in log[floor:]][::-1]

    def _read_heads(self, step: ReadStep) -> None:
        row = self._exchange("heads", "lane/target", Side.TARGET, step.index, None)
        row["path"] = "/v1/database/sync/sql"
        logs = self.authorities[self.plan.topology.authority_of(Side.TARGET)].logs
        window = self.window(Side.TARGET)
        row["heads"] = [(topic, len(log), max(len(log) - window, 0)) for topic, log in logs.items()]

    def _exchange(self, purpose: str, service: str, side: Side | None, step: int, stream: str | None) -> dict[str, Any]:
        ordinal, answered = self._now(), self._now()
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
            "sent_ns": ordinal * TICK_NS,
            "status": 200,
            "outcome": "ok",
            "response_body": b"",
            "closed_ordinal": answered,
            "answered_ns": answered * TICK_NS,
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
