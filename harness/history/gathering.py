"""The decoding pass: every frame and every answer of a recording, once, into columns."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harness.history.arrow import records
from harness.history.bodies import Recorded
from harness.history.checkpoints import CHECKPOINT_COLUMNS, CHECKPOINT_PURPOSES, Checkpoints, checkpoints
from harness.history.columns import Carriers, Codes, EnvelopeGatherer, Envelopes, Misfit
from harness.history.connections import CONTENT, Connection, connections
from harness.history.decoding import COLUMNS, Listener, decode, listener
from harness.history.event_log import LOG, Log, event_log
from harness.history.names import TOPIC_DIALECT, Naming, naming
from harness.history.outbox import OUTBOX, Outbox, Published, outbox
from harness.history.positions import HEADS, HeadColumns, HeadGatherer, ReadPosition, read_positions
from harness.history.transcript import COMMAND_PURPOSES, CommandRow, run_ids, transcript
from harness.model.errors import FormatError, ProtocolError
from harness.model.names import SIDES, Side
from harness.model.plan import Plan
from harness.wire.events import Delivery
from harness.wire.spacetime_json import sql_rows

_DEFAULT_DIALECTS = {Side.LEGACY: TOPIC_DIALECT, Side.TARGET: "spacetime-v1-json"}
_SEQ = itemgetter(Delivery._fields.index("seq"))
_COMMAND_COLUMNS = [
    "id", "purpose", "service", "side", "step", "stream", "sent_ns", "status", "response_body", "answered_ns",
    "outcome", "error",
]  # fmt: skip
_ANSWER_COLUMNS = [
    "ordinal", "id", "purpose", "service", "side", "step", "stream", "path", "response_body", "answered_ns", "outcome",
    "closed_ordinal",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class GatheredRows:
    """Envelopes of one oracle of a lane; `framed`: their bytes are in `frames`, else in `exchanges`."""

    rows: Envelopes
    carriers: Carriers
    framed: bool
    misfits: tuple[Misfit, ...]
    unwrapped: int
    respelled_instants: int
    sampled: tuple[tuple[int, Delivery], ...]
    """(row, envelope) of a few rows, kept whole."""


@dataclass(frozen=True, slots=True)
class GatheredSide:
    """All that one lane said, as it said it."""

    side: Side
    deliveries: GatheredRows
    content: GatheredRows
    content_read: Mapping[str, int]
    heads: HeadColumns
    names: tuple[str, ...]
    naming: Naming
    unreadable: tuple[tuple[int, str], ...]
    retention_events: int | None


@dataclass(frozen=True, slots=True)
class Gathered:
    """A recording, decoded."""

    plan: Plan
    streams: tuple[str, ...]
    """Streams of the plan, in its order."""
    kinds: tuple[str, ...]
    sides: Mapping[Side, GatheredSide]
    logs: Mapping[str, Log]
    log_names: Mapping[str, tuple[str, ...]]
    """Topics by code, of each authority's log."""
    outboxes: Mapping[str, Outbox]
    namings: Mapping[str, Naming]
    """Of each authority."""
    commands: tuple[CommandRow, ...]
    connections: Mapping[int, Connection]
    listeners: Mapping[int, Listener]
    positions: tuple[ReadPosition, ...]
    checkpoints: Checkpoints
    timeline: tuple[Mapping[str, Any], ...]


class _SideGatherer:
    """Collects one side while frames and answers go by."""

    def __init__(self, side: Side, names: Naming, kinds: Codes) -> None:
        self.side = side
        self.naming = names
        self.codes = Codes()
        self.deliveries = EnvelopeGatherer(self.codes, kinds, names.topic_of, sampled=True)
        self.content = EnvelopeGatherer(self.codes, kinds, names.topic_of)
        self.heads = HeadGatherer(self.codes)
        self.spoken = HeadGatherer(self.codes)
        """Heads that came with the content: a read of its own, not a subscription."""
        self.unreadable: list[tuple[int, str]] = []
        self.content_read: dict[str, int] = {}
        self.content_framed = True

    def listener(self, connection: Connection, *, shared: bool) -> Listener:
        """Who decodes a connection of this side; `shared`: others read the same stream."""
        if connection.asked.purpose == CONTENT:
            return listener(connection, self.content.pending, self.spoken.pending, shared=False)
        return listener(connection, self.deliveries.pending, self.heads.pending, shared=shared)

    def settle(self) -> None:
        """Makes columns of what has come together."""
        self.deliveries.settle()
        self.content.settle()
        self.heads.settle()

    def take_answer(self, exchange: Mapping[str, Any]) -> None:
        """Own content that was read as one answer: an unordered set of rows."""
        self.content_framed = False
        try:
            rows = sql_rows(exchange["response_body"] or b"")
        except ProtocolError as error:
            self.unreadable.append((exchange["id"], str(error)))
            return
        self.content_read[exchange["stream"]] = 0
        self.content.pending += [(one, exchange["id"], -1, -1) for one in sorted(rows, key=_SEQ)]
        self.content.settle()

    def finished(self, opened: Iterable[Connection], retention_events: int | None) -> GatheredSide:
        """What was collected; `opened` are the content connections, once all frames went by."""
        return GatheredSide(
            self.side,
            _rows(self.deliveries, framed=True),
            _rows(self.content, self.content_framed),
            self.content_read | _read_from(opened),
            self.heads.finished(),
            self.codes.texts,
            self.naming,
            tuple(self.unreadable),
            retention_events,
        )


def _rows(gatherer: EnvelopeGatherer, framed: bool) -> GatheredRows:
    rows, carriers = gatherer.finished()
    return GatheredRows(
        rows,
        carriers,
        framed,
        tuple(gatherer.misfits),
        gatherer.unwrapped,
        gatherer.respelled_instants,
        tuple(gatherer.sample.rows()) if gatherer.sample is not None else (),
    )


def _read_from(opened: Iterable[Connection]) -> dict[str, int]:
    """The lowest cursor that each stream's content was served from. One that the lane broke off does not count."""
    found: dict[str, int] = {}
    attempts: dict[str, list[Connection]] = {}
    for connection in opened:
        attempts.setdefault(connection.asked.stream, []).append(connection)
    for stream, tried in attempts.items():
        served = [one.asked.cursor for one in tried if one.opened and not one.stale]
        if served and tried[-1].ended.closed_by == "harness":
            found[stream] = min(served)
    return found


def gathered(recording: Recorded, plan: Plan, identities: Iterable[Mapping[str, Any]]) -> Gathered:
    """The recording, decoded. Raises FormatError where a table is not what a recording holds."""
    exchanges = recording.table("exchanges")
    commands = transcript(plan, _purposes(exchanges, COMMAND_PURPOSES, _COMMAND_COLUMNS))
    opened = connections(records(recording.table("connections")))
    streams, kinds = plan.streams, Codes()
    declared = {identity.get("subject"): identity for identity in identities}
    ids = {name: run_ids(plan, commands, name) for name in plan.topology.authorities}
    sides = {
        side: _SideGatherer(
            side, naming(streams, ids[plan.topology.authority_of(side)], _dialect(side, declared, opened)), kinds
        )
        for side in SIDES
    }
    readers = Counter((one.asked.side, one.asked.wire_stream) for one in opened.values())
    listeners = {
        number: sides[one.asked.side].listener(one, shared=readers[one.asked.side, one.asked.wire_stream] > 2)
        for number, one in opened.items()
    }
    decode(recording.frames(COLUMNS), listeners, opened, tuple(one.settle for one in sides.values()))
    positions = tuple(one for one in _take_answers(exchanges, sides) if one.stream in streams)
    kept = _checkpoints(exchanges, sides, streams)
    logs = {name: _log(exchanges, name, commands, kinds) for name in ids}
    namings = {name: naming(streams, known, TOPIC_DIALECT) for name, known in ids.items()}
    codes = {stream: code for code, stream in enumerate(streams)}
    contents = [one for one in opened.values() if one.asked.purpose == CONTENT]
    finished = {
        side: one.finished((c for c in contents if c.asked.side is side), _window(side, declared))
        for side, one in sides.items()
    }
    return Gathered(
        plan=plan,
        streams=streams,
        kinds=kinds.texts,
        sides=finished,
        logs={name: log for name, (log, _) in logs.items()},
        log_names={name: names for name, (_, names) in logs.items()},
        outboxes={name: _outbox(exchanges, name, log, namings[name], codes, kinds) for name, log in logs.items()},
        namings=namings,
        commands=commands,
        connections=opened,
        listeners=listeners,
        positions=positions,
        checkpoints=kept,
        timeline=tuple(_timeline(recording.table("timeline"))),
    )


def _purposes(
    exchanges: pa.Table, purposes: Iterable[str], columns: list[str], service: str | None = None
) -> Iterator[dict[str, Any]]:
    """The exchanges made for any of `purposes`, in order; of one service if one is named."""
    mask = pc.is_in(exchanges.column("purpose"), pa.array(list(purposes), pa.string()))
    if service is not None:
        mask = pc.and_(mask, pc.equal(exchanges.column("service"), service))
    return records(exchanges.select(columns).filter(mask))


def _dialect(side: Side, declared: Mapping[Any, Mapping[str, Any]], opened: Mapping[int, Connection]) -> str:
    """What the lane of a side speaks: as a connection to it says, else its profile."""
    spoken = (one.asked.dialect for one in opened.values() if one.asked.side is side)
    return next(spoken, None) or declared.get(f"lane/{side}", {}).get("dialect") or _DEFAULT_DIALECTS[side]


def _window(side: Side, declared: Mapping[Any, Mapping[str, Any]]) -> int | None:
    events = declared.get(f"lane/{side}", {}).get("retention_events")
    return events if isinstance(events, int) and not isinstance(events, bool) else None


def _take_answers(exchanges: pa.Table, sides: Mapping[Side, _SideGatherer]) -> list[ReadPosition]:
    """Hands own content to its side; the positions that the lanes were asked for."""
    for exchange in _purposes(exchanges, (CONTENT,), _ANSWER_COLUMNS):
        if exchange["outcome"] == "ok" and exchange["side"] is not None and exchange["stream"] is not None:
            sides[Side(exchange["side"])].take_answer(exchange)
    plan_names = {side: one.naming.plan_name for side, one in sides.items()}
    positions, unreadable = read_positions(_purposes(exchanges, (HEADS,), _ANSWER_COLUMNS), plan_names)
    for side, exchange_id, why in unreadable:
        sides[side].unreadable.append((exchange_id, why))
    return positions


def _checkpoints(exchanges: pa.Table, sides: Mapping[Side, _SideGatherer], streams: tuple[str, ...]) -> Checkpoints:
    """All that was said of checkpoints; an answer that is no table is kept with its side's."""
    plan_names = {side: one.naming.plan_name for side, one in sides.items()}
    kept = checkpoints(_purposes(exchanges, CHECKPOINT_PURPOSES, CHECKPOINT_COLUMNS), streams, plan_names)
    for side, exchange_id, why in kept.unreadable:
        sides[side].unreadable.append((exchange_id, why))
    return kept


def _log(
    exchanges: pa.Table, authority: str, commands: tuple[CommandRow, ...], kinds: Codes
) -> tuple[Log, tuple[str, ...]]:
    """The log of one authority, and its topics by code."""
    command_of = {
        row.command_id: position
        for position, row in enumerate(commands)
        if row.command_id is not None and row.authority == authority and row.outcome == "accepted"
    }
    codes = Codes()
    pages = _purposes(exchanges, (LOG,), _ANSWER_COLUMNS, f"authority/{authority}")
    return event_log(pages, (codes, kinds), command_of), codes.texts


def _outbox(
    exchanges: pa.Table,
    authority: str,
    log: tuple[Log, tuple[str, ...]],
    names: Naming,
    codes: Mapping[str, int],
    kinds: Codes,
) -> Outbox:
    """What one authority published; `codes` are those of the plan's streams."""
    pages = _purposes(exchanges, (OUTBOX,), _ANSWER_COLUMNS, f"authority/{authority}")
    return outbox(pages, Published(log[0], lambda topic: codes.get(names.plan_name(topic)), log[1], kinds))


def _timeline(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows of the timeline with their detail parsed. Raises FormatError for a detail that is no JSON object."""
    for row in records(table):
        try:
            detail = json.loads(row["detail"])
        except (ValueError, RecursionError) as error:
            raise FormatError(f"the timeline's row {row['ordinal']} has a detail that is no JSON ({error})") from error
        yield {**row, "detail": detail if isinstance(detail, dict) else {}}
