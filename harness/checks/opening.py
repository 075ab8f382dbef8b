"""Frames that are of the dialect, and come where it has no place for them: around the opening of a connection.

A connection opens once: with `hello` on the legacy side (contract, 2.1), with the answer to the one subscription on the
target's (6.2). Before that nothing is delivered, and nobody answers what was not asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.checks.bodies import shortened
from harness.history.connections import SUBSCRIBER, Connection
from harness.history.history import History
from harness.model.names import Side
from harness.wire.events import Ignored, Opened


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A frame of a connection that may not be where it is, and why."""

    connection: Connection
    frame: int
    why: str
    count: int = 1


def misplaced(history: History) -> Iterator[Misplaced]:
    """Every such frame: connections in their order, then what was delivered too early, side by side."""
    for connection in history.connections.values():
        yield from _openings(connection)
        for frame, event in connection.heard.events:
            if isinstance(event, Ignored) and event.unasked:
                yield Misplaced(connection, frame, f"{event.what} answers a request that was never made")
    for side in history.sides:
        yield from _early(history, side)


def _openings(connection: Connection) -> Iterator[Misplaced]:
    """Every opening but the first, and those that are for another stream than the one asked for."""
    openings = [(frame, event) for frame, event in connection.heard.events if isinstance(event, Opened)]
    for number, (frame, event) in enumerate(openings, 1):
        if number > 1:
            yield Misplaced(connection, frame, f"opened {number} times by now, once is all there is")
        if event.stream not in (None, connection.asked.wire_stream):
            yield Misplaced(
                connection, frame, f"it opens stream {shortened(event.stream or '')!r}, not the one asked for"
            )


def _early(history: History, side: Side) -> Iterator[Misplaced]:
    """Events that came before the frame that opened their connection, or over one that never opened; once a
    connection.
    """
    deliveries = history.sides[side].deliveries
    opened = np.full(max(history.connections, default=0) + 1, np.iinfo(np.int32).max, np.int32)
    for number, connection in history.connections.items():
        if connection.opening_frame is not None:
            opened[number] = connection.opening_frame
    early = np.flatnonzero(deliveries.frame < opened[deliveries.connection])
    for number in np.unique(deliveries.connection[early]).tolist():
        own = early[deliveries.connection[early] == number]
        connection = history.connections[number]
        if connection.asked.purpose == SUBSCRIBER:
            words = f"{len(own):,} events came before the connection was opened"
            yield Misplaced(connection, int(deliveries.frame[own[0]]), words, len(own))
