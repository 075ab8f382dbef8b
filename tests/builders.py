"""Recordings made by hand: a small world plays a plan without a fault, and a test then bends what it said.

`World.played(plan)` does what correct authorities and lanes do; its exchanges, connections and messages are plain lists
that a test may change before `write` seals them as a real recording.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.model.names import SIDES, Side, Topology
from harness.model.plan import BarrierStep, Command, CommandStep, Plan, ReadStep, Setting, Step, SubscribeStep
from harness.recording.manifest import RecordingAbout
from harness.recording.reader import Recording, open_recording
from harness.recording.sealing import write_recording
from harness.recording.tables import SEALED_TABLES
from harness.wire.mapping import stream_id
from tests.encoding import (
    Logged,
    event_row,
    log_page,
    outbox_answer,
    snapshot,
    sql_answer,
    topic_message,
    transaction,
)
from tests.playing import TICK_NS, Link, Message, Stage

ORDINAL_SPACING = 1000


def run_plan(
    *steps: Step,
    topology: Topology = Topology.MIRRORED,
    appends: int = 5,
    clauses: tuple[str, ...] = ("N1", "N3", "INV-07"),
    settings: tuple[Setting, ...] = (),
    rests: bool = False,
) -> Plan:
    """`run:r1` with one subscriber from the start, some appends, then `steps`, a barrier and the final read.

    Step indexes of `steps` are given out here. `rests`: a barrier comes before `steps` too.
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
        *((BarrierStep(0, 1, ("run:r1",)),) if rests else ()),
        *steps,
    ]
    streams = _plan(own, topology, clauses, settings).streams
    own += [BarrierStep(0, 2 if rests else 1, streams), ReadStep(0, streams)]
    return _plan(own, topology, clauses, settings)


def _plan(steps: Iterable[Step], topology: Topology, clauses: tuple[str, ...], settings: tuple[Setting, ...]) -> Plan:
    numbered = tuple(replace(step, index=index) for index, step in enumerate(steps))
    return Plan("built", "a plan built by hand", clauses, topology, 1, numbered, settings=settings)


def limited(retention_events: int, replay_budget_events: int | None = None) -> tuple[Setting, ...]:
    """Both lanes keep as many events; the legacy lane has that replay budget, if one is named."""
    windows = tuple(Setting(side.value, "retention_events", retention_events) for side in SIDES)
    if replay_budget_events is None:
        return windows
    return (*windows, Setting("legacy", "replay_budget_events", replay_budget_events))


class World(Stage):
    """Plays plans; afterwards its lists hold everything that a recording will say."""

    @classmethod
    def played(cls, plan: Plan) -> "World":
        """A world in which `plan` went without a fault."""
        world = cls(plan)
        world.play()
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

    def reconnected(self, link: Link, after: int) -> Link:
        """The same subscription goes on over a second connection, from `after` on: what came later comes there."""
        row = {**link.row, "id": len(self.links), "attempt": link.row["attempt"] + 1, "cursor": after}
        later = [message for message in link.messages if any(event.seq > after for event in message.events)]
        opening = [replace(message) for message in link.messages if message.kind in ("hello", "identity")]
        again = Link(row, [*opening, *later])
        for message in opening:
            message.ordinal = later[0].ordinal - len(opening)
        row["ordinal"] = row["ordinal"] + 1
        row["opened_ns"] = row["accepted_ns"] = (later[0].ordinal - 1) * TICK_NS
        link.messages = [message for message in link.messages if message not in later]
        self.links.append(again)
        return again

    def exchanged(
        self, purpose: str, service: str, step: int, stream: str | None, side: Side | None = None, **columns: Any
    ) -> dict[str, Any]:
        """One more exchange, after all that there is."""
        row = self._exchange(purpose, service, side, step, stream)
        row.update(columns)
        return row

    def noted(self, event: str, subject: str, at_ns: int, side: Side | None = None, **detail: Any) -> None:
        """A row of the timeline that says what happened at an instant."""
        self.note(event, subject, side, **detail)
        self.timeline[-1]["at_ns"] = at_ns

    def write(self, directory: Path, tables: dict[str, pa.Table] | None = None) -> Recording:
        """Seals everything, or `tables` instead, as a recording and opens it."""
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
        return open_recording(write_recording(directory, tables or self.tables(), plan_json, about))

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


def _table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    schema = SEALED_TABLES[name]
    ordered = sorted(rows, key=lambda row: row["ordinal"])
    return pa.table(
        {field.name: pa.array([row.get(field.name) for row in ordered], field.type) for field in schema}, schema
    )


def _spaced(row: dict[str, Any]) -> dict[str, Any]:
    """The row with room behind its ordinal, so that a message may become several frames."""
    closed = row.get("closed_ordinal")
    spaced = {"ordinal": row["ordinal"] * ORDINAL_SPACING}
    return {**row, **spaced, "closed_ordinal": closed and closed * ORDINAL_SPACING}


def _frame_row(link: Link, message: Message, index: int, data: bytes) -> dict[str, Any]:
    return {
        "ordinal": message.ordinal * ORDINAL_SPACING + index % ORDINAL_SPACING,
        "connection": link.row["id"],
        "index": index,
        "direction": 0,
        "opcode": 1,
        "at_ns": message.ordinal * TICK_NS,
        "data": data,
    }


def _exchange_row(row: dict[str, Any]) -> dict[str, Any]:
    if "page" in row:
        return {**row, "response_body": log_page(row["page"])}
    if "published" in row:
        return {**row, "response_body": outbox_answer(row["published"])}
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
