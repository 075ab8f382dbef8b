"""The laws of a cursor: what follows it, what must never come back, and what a move to the other side must keep."""

from collections.abc import Iterator
from itertools import groupby, pairwise

import numpy as np

from harness.checks.blame import blame_of_event
from harness.checks.check import Check
from harness.checks.places import frames, neighbour_frames, runs
from harness.history.connections import SUBSCRIBER, Connection
from harness.history.coverage import lawful_floors, less
from harness.history.history import History
from harness.history.passages import Passage
from harness.model.finding import Blame, FailureClass, Finding, FrameRef, Seen
from harness.model.names import SIDES, Side


def first_after(history: History) -> Iterator[Finding]:
    """Every connection whose first event is not the one after the cursor that it asked for (C3b, INV-07).

    Where the lane's declared window has left the cursor behind, the first event is the one after its floor.
    """
    for side, one in history.sides.items():
        floors = lawful_floors(one.heads, history.snapshots(side), one.retention_events)
        for connection, row in _first_rows(history, side):
            asked = connection.asked
            seq = int(one.delivered.held.rows.seq[row])
            needed = max(asked.cursor, floors.get(asked.id, 0)) + 1
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
        expected = history.standing.sides[before.subscribed.side].owned.expected
        lost = [address for address in _covered(history, before, end) if expected[address] and address not in had]
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


def _covered(history: History, passage: Passage, end: int) -> Iterator[int]:
    """The addresses of what a subscription is owed up to `end`."""
    one = passage.subscribed
    for after, last in less((one.asked or 0, end), passage.spared):
        yield from range(*history.space.interval(one.stream_code, after, last))


def joined(history: History) -> Iterator[Finding]:
    """Every event that one of two subscriptions of a lane to one stream has and the other lacks, where both are owed
    it: replay(c1) up to c2 joined with replay(c2) is replay(c1) (INV-07; contract, 9.4).

    Each subscription is held against the one with the next higher cursor.
    """
    for lower, higher in _neighbours(history):
        side, begin, stop = lower.subscribed.side, *_shared(history, lower, higher)
        own, other = (one.addresses[(one.addresses >= begin) & (one.addresses < stop)] for one in (lower, higher))
        differing = np.setxor1d(own, other, assume_unique=True).tolist()
        lost = [address for address in differing if not _is_spared(history, (lower, higher), address)]
        for run in runs(history, lost, side):
            lacking = higher if np.isin(run.addresses[0], own) else lower
            yield Finding(
                check="resume.joined",
                failure=FailureClass.CURSOR,
                blame=run.blame,
                sides=(side,),
                stream=run.stream,
                message=f"of {lower.subscribed.name} and {higher.subscribed.name} only one got {run.words}, both ask",
                seq=run.first,
                seq_last=run.seq_last,
                subscription=lacking.subscribed.name,
                frames=neighbour_frames(history, side, lacking.rows, run.first),
                suffers="what a client ends up with depends on where it resumed",
                count=run.count,
            )


def _neighbours(history: History) -> Iterator[tuple[Passage, Passage]]:
    """Subscriptions of one lane to one stream with rising cursors, each with the next one."""
    by_stream: dict[tuple[Side, int], list[Passage]] = {}
    for passage in history.opened:
        if passage.subscribed.asked is not None:
            by_stream.setdefault((passage.subscribed.side, passage.subscribed.stream_code), []).append(passage)
    for own in by_stream.values():
        rising = sorted(own, key=lambda passage: passage.subscribed.asked or 0)
        for lower, higher in pairwise(rising):
            if (lower.subscribed.asked or 0) < (higher.subscribed.asked or 0):
                yield lower, higher


def _shared(history: History, lower: Passage, higher: Passage) -> tuple[int, int]:
    """The addresses [begin, stop) of the numbers that both ask for, up to the first of their ends."""
    asked = higher.subscribed.asked or 0
    ends = [one.owed[-1][1] if one.owed else asked for one in (lower, higher)]
    return history.space.interval(lower.subscribed.stream_code, asked, max(min(ends), asked))


def _is_spared(history: History, passages: tuple[Passage, ...], address: int) -> bool:
    seq = history.key(address)[1]
    return any(one.spared_of(seq - 1, seq) for one in passages)


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


def _joined_rows(history: History) -> int:
    return sum(stop - begin for begin, stop in (_shared(history, *pair) for pair in _neighbours(history)))


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
    Check(
        "resume.joined",
        "what two cursors of one lane both cover comes to both",
        ("N3", "B4", "C3b", "G3"),
        joined,
        _joined_rows,
        rows_needed=0,
    ),
)
