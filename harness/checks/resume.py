"""The laws of a cursor: what follows it, what must never come back, and what a move to the other side must keep."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from harness.checks.blame import blame_of_event
from harness.checks.check import Check
from harness.checks.places import frames, neighbour_frames, runs
from harness.history.connections import SUBSCRIBER, Connection
from harness.history.history import History
from harness.history.passages import Passage
from harness.model.finding import Blame, FailureClass, Finding, FrameRef, Seen
from harness.model.names import SIDES, Side


def first_after(history: History) -> Iterator[Finding]:
    """Every connection whose first event is not the one after the cursor that it asked for (C3b, INV-07).

    Where the lane's declared window has left the cursor behind, the first event is the one after its floor.
    """
    for side in SIDES:
        for connection, row in _first_rows(history, side):
            asked = connection.asked
            seq = int(history.sides[side].delivered.held.rows.seq[row])
            needed = max(asked.cursor, _lawful_floor(history, connection)) + 1
            if seq != needed:
                yield Finding(
                    check="resume.first",
                    failure=FailureClass.CURSOR,
                    blame=blame_of_event(history, asked.stream, needed, side),
                    sides=(side,),
                    stream=asked.stream,
                    message=f"asked for everything after {asked.cursor}, the first event is {seq}, needed was {needed}",
                    seq=seq,
                    subscription=f"{asked.step}/{side}",
                    frames=frames(history, side, [row]),
                    suffers="a client that resumes skips events, or waits for one that never comes",
                )


def _first_rows(history: History, side: Side) -> Iterator[tuple[Connection, int]]:
    """Every subscriber's connection with its first row of the stream asked for that lies above the cursor."""
    deliveries = history.sides[side].deliveries
    counted = np.flatnonzero(~(deliveries.foreign | deliveries.below))
    numbers, first = np.unique(deliveries.connection[counted], return_index=True)
    for number, at in zip(numbers.tolist(), first.tolist(), strict=True):
        yield history.connections[number], int(counted[at])


def _lawful_floor(history: History, connection: Connection) -> int:
    """The floor that the lane named on this connection, as far as its declared window permits it."""
    one = history.sides[connection.asked.side]
    heads = np.flatnonzero(one.heads.connection == connection.asked.id)
    if not len(heads) or one.retention_events is None:
        return 0
    first = heads[0]
    floor, head = int(one.heads.floor[first]), int(one.heads.head[first])
    return floor if one.heads.has_floor[first] and floor <= max(head - one.retention_events, 0) else 0


def below_cursor(history: History) -> Iterator[Finding]:
    """Every event at or below the cursor asked for on its connection (INV-07; contract, 3 and 9)."""
    for side, one in history.sides.items():
        rows = np.flatnonzero(one.deliveries.below & ~one.deliveries.foreign)
        numbers = one.deliveries.connection[rows]
        for number in np.unique(numbers).tolist():
            own, asked = rows[numbers == number].tolist(), history.connections[number].asked
            seqs = one.delivered.held.rows.seq[own]
            yield Finding(
                check="resume.below",
                failure=FailureClass.CURSOR,
                blame=Blame.of(side),
                sides=(side,),
                stream=asked.stream,
                message=f"asked for what follows {asked.cursor}, and got {int(seqs.min())} to {int(seqs.max())} too",
                seq=int(seqs.min()),
                seq_last=int(seqs.max()) if len(own) > 1 else None,
                subscription=f"{asked.step}/{side}",
                frames=frames(history, side, own),
                suffers="a client that trusts its cursor applies events again",
                count=len(own),
            )


def echo(history: History) -> Iterator[Finding]:
    """Every connection on which the lane echoed another cursor than was asked for (contract, 2.1)."""
    for connection in _subscribers(history):
        asked = connection.asked
        for frame, cursor in connection.echoes:
            if cursor != asked.cursor:
                yield Finding(
                    check="resume.echo",
                    failure=FailureClass.CURSOR,
                    blame=Blame.of(asked.side),
                    sides=(asked.side,),
                    stream=asked.stream,
                    message=f"asked for everything after {asked.cursor}, the lane understood {cursor}",
                    seq=asked.cursor,
                    subscription=f"{asked.step}/{asked.side}",
                    seen=(Seen(asked.side.value, str(cursor)),),
                    frames=(FrameRef(asked.side, asked.id, frame),),
                    suffers="the client and the lane disagree about what was applied",
                )


def _subscribers(history: History) -> Iterator[Connection]:
    return (one for one in history.connections.values() if one.asked.purpose == SUBSCRIBER)


def suffix(history: History) -> Iterator[Finding]:
    """Every event that a subscriber who moved on, on the same side or to the other, holds from neither (C3b).

    `legacy[1..n] ++ target(after n)` is `legacy[1..m]`, and the other way round (contract, 9.4).
    """
    for before, after in _moves(history):
        side, had = after.subscribed.side, set(before.addresses.tolist())
        end = after.subscribed.asked or 0
        begin, stop = history.space.interval(before.subscribed.stream_code, before.subscribed.asked or 0, end)
        expected = history.standing.sides[before.subscribed.side].owned.expected
        lost = [address for address in range(begin, stop) if expected[address] and address not in had]
        for run in runs(history, lost, before.subscribed.side):
            yield Finding(
                check="resume.suffix",
                failure=FailureClass.CURSOR,
                blame=run.blame,
                sides=tuple(dict.fromkeys((before.subscribed.side, side))),
                stream=run.stream,
                message=f"{run.words} came before the move to {after.subscribed.name} on neither side",
                seq=run.first,
                seq_last=run.seq_last,
                subscription=after.subscribed.name,
                frames=neighbour_frames(history, before.subscribed.side, before.rows, run.first),
                suffers="a client that moves with its cursor skips the event for good",
                count=run.count,
            )


def _moves(history: History) -> Iterator[tuple[Passage, Passage]]:
    """Each opened subscription that continues a position, with the one of the same subscriber before it."""
    last: dict[tuple[str, str], dict[Side, Passage]] = {}
    steps = groupby(history.passages, key=lambda passage: passage.subscribed.plan.step)
    for _, together in steps:
        now = {passage.subscribed.side: passage for passage in together}
        planned = next(iter(now.values())).subscribed.plan
        key = (planned.subscriber, planned.stream)
        before = last.get(key, {}) if planned.cursor is None else {}
        for side, passage in now.items() if before else ():
            origin = before.get(side) or next(iter(before.values()))
            if origin.subscribed.opened and passage.subscribed.opened:
                yield origin, passage
        last[key] = now


def _connections_with_rows(history: History) -> int:
    return sum(len(np.unique(history.sides[side].deliveries.connection)) for side in SIDES)


def _delivered_rows(history: History) -> int:
    return sum(len(history.sides[side].deliveries) for side in SIDES)


def _echoes(history: History) -> int:
    return sum(len(connection.echoes) for connection in _subscribers(history))


def _move_count(history: History) -> int:
    return sum(1 for _ in _moves(history))


CHECKS = (
    Check(
        "resume.first",
        "the first event after cursor c is c + 1",
        ("N3", "B4", "C3b", "G3", "INV-07"),
        first_after,
        _connections_with_rows,
    ),
    Check(
        "resume.below",
        "nothing at or below the cursor asked for comes back",
        ("N3", "B4", "C3b", "INV-07"),
        below_cursor,
        _delivered_rows,
    ),
    Check(
        "resume.echo",
        "a lane that echoes the cursor echoes the one that was asked for",
        ("B4", "C3b"),
        echo,
        _echoes,
        rows_needed=0,
    ),
    Check(
        "resume.suffix",
        "who moves with a cursor holds exactly what one holds that never moved",
        ("B4", "C3b", "G3"),
        suffix,
        _move_count,
        rows_needed=0,
    ),
)
