"""Frames to envelopes: one slice a frame, and the dialect's codec for whatever the slice does not know.

Rows of one message are a set (wire sheet, 4.1; architecture, 5), so they are put in ascending order of their numbers
before anything is said about order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from harness.history.addresses import I32
from harness.history.arrow import byte_rows, numbers
from harness.history.columns import Arrived
from harness.history.connections import Connection
from harness.history.names import TOPIC_DIALECT
from harness.history.positions import Reported
from harness.model.errors import FormatError, ProtocolError
from harness.wire.codec import Codec
from harness.wire.events import Batch, Delivery, HeadReport
from harness.wire.spacetime_json import SpacetimeJson, slice_batch
from harness.wire.topic_socket import TopicSocket, slice_message

FROM_LANE = 0
TEXT = 1
COLUMNS = ["ordinal", "connection", "index", "direction", "opcode", "data"]

_seq = itemgetter(Delivery._fields.index("seq"))


NOT_TEXT = "a binary message, where both dialects have text"

SHARED_MESSAGES_MAX = 4096
"""Messages kept decoded while several connections read one stream: each of them gets the same bytes."""


class Listener:
    """Decodes the frames that came over one connection. Nothing is dropped: what cannot be decoded is noted."""

    def __init__(self, connection: Connection, rows: list[Arrived], heads: list[Reported], *, shared: bool) -> None:
        self._connection = connection
        self._id = connection.asked.id
        self._heard = connection.heard
        self._rows = rows
        self._heads = heads
        self._codec = _codec(connection)
        self._shared = shared

    def take(self, ordinal: int, frame: int, data: bytes) -> None:
        """One frame from the lane."""
        raise NotImplementedError

    def deliveries(self, data: bytes) -> list[Delivery]:
        """The envelopes of a frame that was taken before; none where it is not of the dialect."""
        try:
            return [one for event in self._codec.receive(data) if isinstance(event, Batch) for one in event.deliveries]
        except ProtocolError:
            return []

    def _ask_codec(self, ordinal: int, frame: int, data: bytes) -> None:
        try:
            events = self._codec.receive(data)
        except ProtocolError as error:
            self._heard.undecoded.append((frame, str(error)))
            return
        for event in events:
            if isinstance(event, Batch):
                self._take_batch(event.deliveries, event.heads, ordinal, frame)
            else:
                self._heard.events.append((frame, event))

    def _take_batch(
        self, deliveries: Sequence[Delivery], heads: Iterable[HeadReport], ordinal: int, frame: int
    ) -> None:
        if len(deliveries) > 1:
            deliveries = sorted(deliveries, key=_seq)
        number = self._id
        for one in deliveries:
            self._rows.append((one, ordinal, number, frame))
        for report in heads:
            self._heads.append((report, ordinal, number, frame))


class TopicListener(Listener):
    """The legacy dialect: one envelope a message."""

    def take(self, ordinal: int, frame: int, data: bytes) -> None:
        one = _shared_message(data) if self._shared else slice_message(data)
        if one is None:
            self._ask_codec(ordinal, frame, data)
        else:
            self._rows.append((one, ordinal, self._id, frame))

    def deliveries(self, data: bytes) -> list[Delivery]:
        one = slice_message(data)
        return super().deliveries(data) if one is None else [one]


class SpacetimeListener(Listener):
    """The SpacetimeDB dialect: one snapshot, then one message a transaction."""

    def take(self, ordinal: int, frame: int, data: bytes) -> None:
        sliced = _shared_transaction(data) if self._shared else slice_batch(data)
        if sliced is None:
            self._ask_codec(ordinal, frame, data)
            return
        events, heads = sliced.deliveries, sliced.heads
        if len(events) == len(heads) == 1:
            number = self._id
            self._rows.append((events[0], ordinal, number, frame))
            self._heads.append((heads[0], ordinal, number, frame))
        else:
            self._take_batch(events, heads, ordinal, frame)

    def deliveries(self, data: bytes) -> list[Delivery]:
        sliced = slice_batch(data)
        return super().deliveries(data) if sliced is None else sliced.deliveries


def listener(connection: Connection, rows: list[Arrived], heads: list[Reported], *, shared: bool) -> Listener:
    """The listener of the connection's dialect; `shared`: other connections get the same messages."""
    kind = TopicListener if connection.asked.dialect == TOPIC_DIALECT else SpacetimeListener
    return kind(connection, rows, heads, shared=shared)


def _codec(connection: Connection) -> Codec:
    asked = connection.asked
    if asked.dialect == TOPIC_DIALECT:
        return TopicSocket(asked.wire_stream, asked.cursor)
    return SpacetimeJson(asked.wire_stream, asked.cursor, asked.database or "")


_shared_message = lru_cache(SHARED_MESSAGES_MAX)(slice_message)
_shared_transaction = lru_cache(SHARED_MESSAGES_MAX)(slice_batch)


def decode(
    batches: Iterable[pa.RecordBatch],
    listeners: Mapping[int, Listener],
    opened: Mapping[int, Connection],
    settle: Iterable[Callable[[], None]],
) -> None:
    """Gives every frame to the listener of its connection, in the order in which they came; everything in `settle` is
    called after every batch. A message that is not text is noted as undecodable: no client of a dialect reads it.
    Raises FormatError for a frame of a connection that was never opened.
    """
    for batch in batches:
        connections, directions = (numbers(batch.column(name)) for name in ("connection", "direction"))
        _count(connections, directions, opened)
        told = directions == FROM_LANE
        text = told & (numbers(batch.column("opcode")) == TEXT)
        ordinals, frames = (numbers(batch.column(name)).tolist() for name in ("ordinal", "index"))
        messages = byte_rows(batch.column("data"))
        columns = (ordinals, connections.tolist(), frames, text.tolist(), messages)
        for ordinal, connection, frame, readable, data in zip(*columns, strict=True):
            if readable:
                listeners[connection].take(ordinal, frame, data)
        for row in np.flatnonzero(told & ~text).tolist():
            opened[int(connections[row])].heard.undecoded.append((frames[row], NOT_TEXT))
        for make_columns in settle:
            make_columns()


def _count(connections: I32, directions: NDArray[np.int8], opened: Mapping[int, Connection]) -> None:
    """Notes how many frames each connection carried, and how many of them came from the lane."""
    for number, count in zip(*np.unique(connections, return_counts=True), strict=True):
        if number not in opened:
            raise FormatError(f"frames are of connection {number}, which no row opens; record the run again")
        opened[number].heard.frames += int(count)
    for number, count in zip(*np.unique(connections[directions == FROM_LANE], return_counts=True), strict=True):
        opened[number].heard.frames_from_lane += int(count)
