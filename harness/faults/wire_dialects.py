"""What a message of a lane carries, and the lies that can be told with it, one class a dialect."""

import binascii
import json
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from harness.faults.wire_json import Change, Span, changed, items, member, with_other_leaf
from harness.model.errors import FormatError, ProtocolError, UsageError
from harness.wire.events import Batch
from harness.wire.json_members import string, uint64
from harness.wire.json_slices import parsed, utf8
from harness.wire.stored_envelope import stored_envelope
from harness.wire.sync_rows import EVENT_COLUMNS, key, row
from harness.wire.topic_socket import TopicSocket
from harness.wire.transaction_rows import EVENT_TABLE

_PAYLOAD_BYTES = "payload_bytes"
# The kinds that bring the rows of a subscription to several queries, which is what subscribers here ask for.
_TABLES = {
    "InitialSubscription": ("database_update", "tables"),
    "SubscribeMultiApplied": ("update", "tables"),
    "TransactionUpdate": ("status", "Committed", "tables"),
    "TransactionUpdateLight": ("update", "tables"),
}
_SNAPSHOTS = ("InitialSubscription", "SubscribeMultiApplied")


class Passing(NamedTuple):
    """The numbers of one stream that a message delivers, in its order; `is_set`: that order means nothing."""

    seqs: tuple[int, ...]
    is_set: bool


NOTHING = Passing((), False)


class WireDialect(Protocol):
    """How one dialect carries events. Of a message that is not of the dialect it sees nothing."""

    def passing(self, payload: bytes, stream: str) -> Passing:
        """What of `stream` the message delivers."""

    def dropped(self, payload: bytes, stream: str, seq: int) -> list[bytes]:
        """The messages that are left without the event. Raises FormatError if it is not in there."""

    def duplicated(self, payload: bytes, stream: str, seq: int) -> list[bytes]:
        """The messages that deliver the event twice. Raises FormatError if it is not in there."""

    def changed(self, payload: bytes, stream: str, seq: int) -> list[bytes]:
        """The message with one leaf of the event's body changed, its hash left alone. Raises FormatError."""

    def swapped(self, first: bytes, second: bytes, stream: str, seqs: tuple[int, int]) -> tuple[bytes, bytes]:
        """Both messages with their events `seqs` exchanged. Raises FormatError if they are not in there."""


def wire_dialect(name: str) -> WireDialect:
    """The dialect called `topic-ws` or `spacetime-v1-json`. Raises UsageError for another one."""
    if name == "topic-ws":
        return _TopicMessages()
    if name == "spacetime-v1-json":
        return _SpacetimeMessages()
    raise UsageError(f"no wire fault can be done in dialect {name!r}; use a lane of topic-ws or spacetime-v1-json")


class _TopicMessages:
    """The legacy dialect: one event a message."""

    def __init__(self) -> None:
        self._codec = TopicSocket("", 0)

    def passing(self, payload: bytes, stream: str) -> Passing:
        try:
            events = self._codec.receive(payload)
        except ProtocolError:
            return NOTHING
        batches = [event for event in events if isinstance(event, Batch)]
        return Passing(tuple(one.seq for batch in batches for one in batch.deliveries if one.stream == stream), False)

    def dropped(self, payload: bytes, stream: str, seq: int) -> list[bytes]:
        self._demand(payload, stream, seq)
        return []

    def duplicated(self, payload: bytes, stream: str, seq: int) -> list[bytes]:
        self._demand(payload, stream, seq)
        return [payload, payload]

    def changed(self, payload: bytes, stream: str, seq: int) -> list[bytes]:
        self._demand(payload, stream, seq)
        text = utf8(payload)
        body = member(text, 0, "message", "payload")
        return [changed(text, [Change(*body, with_other_leaf(text[body.start : body.end]))]).encode()]

    def swapped(self, first: bytes, second: bytes, stream: str, seqs: tuple[int, int]) -> tuple[bytes, bytes]:
        self._demand(first, stream, seqs[0])
        self._demand(second, stream, seqs[1])
        return second, first

    def _demand(self, payload: bytes, stream: str, seq: int) -> None:
        if seq not in self.passing(payload, stream).seqs:
            raise FormatError(f"event {seq} of {stream!r} is not in this message")


class _EventRow(NamedTuple):
    """An inserted `sync_event` row where it stands in a message.

    `cut` is what has to go if the row goes (its comma too), `num_rows` where the table counts its rows.
    """

    literal: Span
    cut: Span
    num_rows: Span
    stream: str
    seq: int


class _Rows(NamedTuple):
    """A message's text, its kind, and the events that it inserts."""

    text: str
    kind: str
    events: list[_EventRow]


class _SpacetimeMessages:
    """SpacetimeDB 1.2's JSON dialect: rows are JSON texts inside JSON texts (wire sheet, 3.3 and 3.4)."""

    def __init__(self) -> None:
        self._last: tuple[bytes, _Rows] = (b"", _Rows("", "", []))

    def passing(self, payload: bytes, stream: str) -> Passing:
        try:
            rows = self._rows(payload)
        except FormatError:
            return NOTHING
        return Passing(tuple(one.seq for one in rows.events if one.stream == stream), rows.kind in _SNAPSHOTS)

    def dropped(self, payload: bytes, stream: str, seq: int) -> list[bytes]:
        text, found = self._event(payload, stream, seq)
        return [changed(text, [Change(*found.cut, ""), _counted(text, found, -1)]).encode()]

    def duplicated(self, payload: bytes, stream: str, seq: int) -> list[bytes]:
        text, found = self._event(payload, stream, seq)
        start, end = found.literal
        return [changed(text, [Change(end, end, f",{text[start:end]}"), _counted(text, found, 1)]).encode()]

    def changed(self, payload: bytes, stream: str, seq: int) -> list[bytes]:
        text, found = self._event(payload, stream, seq)
        start, end = found.literal
        literal = json.dumps(_with_other_body(string(text[start:end])), ensure_ascii=False)
        return [changed(text, [Change(start, end, literal)]).encode()]

    def swapped(self, first: bytes, second: bytes, stream: str, seqs: tuple[int, int]) -> tuple[bytes, bytes]:
        (text, here), (other_text, there) = self._event(first, stream, seqs[0]), self._event(second, stream, seqs[1])
        one, other = text[slice(*here.literal)], other_text[slice(*there.literal)]
        return (
            changed(text, [Change(*here.literal, other)]).encode(),
            changed(other_text, [Change(*there.literal, one)]).encode(),
        )

    def _rows(self, payload: bytes) -> _Rows:
        """What `_event_rows` finds; of the last message it is kept, since several questions are asked of each."""
        if payload is not self._last[0]:
            self._last = (payload, _event_rows(utf8(payload)))
        return self._last[1]

    def _event(self, payload: bytes, stream: str, seq: int) -> tuple[str, _EventRow]:
        """The text of a message, and the event in it. Raises FormatError if it is not in there."""
        rows = self._rows(payload)
        for found in rows.events:
            if (found.stream, found.seq) == (stream, seq):
                return rows.text, found
        raise FormatError(f"event {seq} of {stream!r} is not in this message")


def _event_rows(text: str) -> _Rows:
    """What a message inserts. Raises FormatError if it is not wholly of the dialect."""
    whole = parsed(text)
    kind = next(iter(whole), "") if type(whole) is dict and len(whole) == 1 else ""
    if kind not in _TABLES:
        return _Rows(text, kind, [])
    tables = items(text, member(text, 0, kind, *_TABLES[kind]).start)
    return _Rows(text, kind, [found for table in tables for found in _rows_of_table(text, table.start)])


def _rows_of_table(text: str, table: int) -> Iterator[_EventRow]:
    name = member(text, table, "table_name")
    if string(text[name.start : name.end]) != EVENT_TABLE:
        return
    num_rows = member(text, table, "num_rows")
    for update in items(text, member(text, table, "updates").start):
        literals = list(items(text, member(text, update.start, "inserts").start))
        for index, literal in enumerate(literals):
            stream, seq = key(row(string(text[literal.start : literal.end]), EVENT_COLUMNS))
            yield _EventRow(literal, _with_comma(literals, index), num_rows, stream, seq)


def _with_comma(literals: list[Span], index: int) -> Span:
    """The literal at `index` and the comma that goes with it."""
    start, end = literals[index]
    if index:
        return Span(literals[index - 1].end, end)
    return Span(start, literals[1].start) if len(literals) > 1 else Span(start, end)


def _counted(text: str, found: _EventRow, more: int) -> Change:
    start, end = found.num_rows
    return Change(start, end, str(max(uint64(text[start:end]) + more, 0)))


def _with_other_body(event: str) -> str:
    """The row with one leaf changed in the envelope that it stores as hex. Raises FormatError."""
    if event.lstrip().startswith("["):
        stored = list(items(event, 0))[EVENT_COLUMNS.index(_PAYLOAD_BYTES)]
    else:
        stored = member(event, 0, _PAYLOAD_BYTES)
    try:
        envelope = binascii.unhexlify(string(event[stored.start : stored.end]))
    except ValueError as error:
        raise FormatError(f"{_PAYLOAD_BYTES} is not hex: {error}") from error
    stored_envelope(envelope)
    text = utf8(envelope)
    body = member(text, 0, "payload")
    text = changed(text, [Change(*body, with_other_leaf(text[body.start : body.end]))])
    return changed(event, [Change(*stored, f'"{text.encode().hex()}"')])
