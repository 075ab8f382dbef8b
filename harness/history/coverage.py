"""What a subscription is owed: everything above its cursor, but for what a lane may say that it no longer has.

Numbers are spared where a client went on above the place at which it was told that its cursor is stale, and where a
snapshot begins above the cursor because of a floor that the declared window permits. Whether the stale answer was
lawful is for the stale checks to say.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from harness.history.addresses import I32, U64, Mask
from harness.history.connections import Connection
from harness.history.positions import HeadColumns

Interval = tuple[int, int]
"""(after, last): the numbers above `after`, up to and including `last`."""

SEQ_MAX = 2**64 - 1


def less(interval: Interval, spared: Iterable[Interval]) -> Iterator[Interval]:
    """What is left of `interval` without the numbers of `spared`, ascending; empty pieces are left out."""
    after, last = interval
    for begin, end in sorted(spared):
        if end <= after or begin >= last:
            continue
        if begin > after:
            yield after, begin
        after = max(after, end)
    if last > after:
        yield after, last


def spared(
    asked: int, connections: Sequence[Connection], highest: Mapping[int, int], floors: Mapping[int, int]
) -> tuple[Interval, ...]:
    """The numbers that a subscription from `asked` on is not owed.

    `connections` are its own, in order; `highest` is the highest number that came over each (by id), `floors` the
    floor that came with its snapshot. After a last stale answer nothing is owed any more.
    """
    found: list[Interval] = []
    reached = asked
    for at, connection in enumerate(connections):
        one = connection.asked
        begin = max(reached, one.cursor)
        if floors.get(one.id, 0) > begin:
            found.append((begin, floors[one.id]))
        reached = max(reached, highest.get(one.id, 0))
        if connection.stale:
            following = connections[at + 1 :]
            found.append((max(reached, one.cursor), following[0].asked.cursor if following else SEQ_MAX))
    return tuple((after, last) for after, last in found if last > after)


def highest_numbers(connection: I32, seq: U64, counted: Mask) -> dict[int, int]:
    """By connection: the highest number that came over it, of the rows that are `counted`."""
    numbers, seqs = connection[counted], seq[counted]
    if not len(numbers):
        return {}
    top = np.zeros(int(numbers.max()) + 1, np.uint64)
    np.maximum.at(top, numbers, seqs)
    return {int(number): int(top[number]) for number in np.flatnonzero(np.bincount(numbers))}


def snapshot_heads(
    heads: HeadColumns, streams: I32, connections: Mapping[int, Connection], codes: Mapping[str, int]
) -> dict[int, int]:
    """By connection: the row of `heads` that came with its snapshot, of the stream that it asked for.

    `streams` is the stream code of each row; connections whose snapshot names no head are left out.
    """
    size = max(connections, default=-1) + 1
    frame, stream = np.full(size, -1, np.int32), np.full(size, -1, np.int32)
    for number, connection in connections.items():
        opening = connection.opening_frame
        frame[number] = -1 if opening is None else opening
        stream[number] = codes.get(connection.asked.stream, -1)
    found = np.flatnonzero((frame[heads.connection] == heads.frame) & (stream[heads.connection] == streams))
    return {int(heads.connection[row]): int(row) for row in found}


def lawful_floors(heads: HeadColumns, rows: Mapping[int, int], retention_events: int | None) -> dict[int, int]:
    """By connection: the floor that came with its snapshot, as far up as the declared window permits it.

    Connections whose floor is 0 are left out.
    """
    found = {}
    for connection, row in rows.items():
        floor = min(int(heads.floor[row]), permitted_floor(int(heads.head[row]), retention_events))
        if heads.has_floor[row] and floor > 0:
            found[connection] = floor
    return found


def permitted_floor(head: int, retention_events: int | None) -> int:
    """The highest floor that a declared window permits: `max(0, head - w)` (contract, 3); 0 where none is declared."""
    return 0 if retention_events is None else max(head - retention_events, 0)
