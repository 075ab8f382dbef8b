"""Heads and floors that the lanes report: against what they delivered, the log, and each other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.checks.blame import blame_of_event
from harness.checks.check import Check
from harness.checks.cursor_law import floor_of
from harness.checks.places import frames
from harness.history.addresses import I32
from harness.history.history import History, SideHistory
from harness.history.positions import ReadPosition
from harness.model.finding import Blame, FailureClass, Finding, FrameRef, Seen
from harness.model.names import SIDES, Side
from harness.model.plan import BarrierStep, ReadStep

UNEQUAL_WINDOWS = "unequal windows"


def not_below_delivered(history: History) -> Iterator[Finding]:
    """Every head that a lane reported lower than a number that it had delivered by then (contract, 14)."""
    for position in history.positions:
        row, seq = _highest_before(history, position)
        if seq > (position.head or 0):
            yield Finding(
                check="heads.delivered",
                failure=FailureClass.CURSOR,
                blame=blame_of_event(history, position.stream, seq, position.side),
                sides=(position.side,),
                stream=position.stream,
                message=f"the lane names head {position.head}, and had delivered event {seq}",
                seq=seq,
                seen=(Seen(position.side.value, f"head {position.head}"),),
                frames=frames(history, position.side, [row]),
                suffers="a client that trusts the head thinks it is ahead, or stops too early",
            )


def _highest_before(history: History, position: ReadPosition) -> tuple[int, int]:
    """Row and number of the highest delivery of a stream before a read; (-1, 0) where there is none."""
    held = history.sides[position.side].delivered.held
    code = history.streams.index(position.stream)
    rows = np.flatnonzero((held.stream == code) & (held.address >= 0) & (held.rows.unit < position.ordinal))
    if not len(rows):
        return -1, 0
    row = int(rows[np.argmax(held.rows.seq[rows])])
    return row, int(held.rows.seq[row])


def as_logged(history: History) -> Iterator[Finding]:
    """Every head, read when all was quiet, that is not the head of the log (contract, 14)."""
    for position in _final(history).values():
        head = history.authority_of(position.side).heads.get(position.stream)
        if head is None or head == (position.head or 0):
            continue
        yield Finding(
            check="heads.log",
            failure=FailureClass.CURSOR,
            blame=blame_of_event(history, position.stream, max(head, position.head or 0), position.side),
            sides=(position.side,),
            stream=position.stream,
            message=f"the lane names head {position.head}, the log's head is {head}",
            seq=head,
            seen=(Seen("log", f"head {head}"), Seen(position.side.value, f"head {position.head}")),
            suffers="a client that resumes from the head skips events or asks for the future",
        )


def at_barriers(history: History) -> Iterator[Finding]:
    """Every head, read at a barrier, that is not the barrier's sentinel: nothing can follow it (architecture, 3)."""
    for position, seq in _at_barriers(history):
        if seq == (position.head or 0):
            continue
        yield Finding(
            check="heads.barrier",
            failure=FailureClass.CURSOR,
            blame=blame_of_event(history, position.stream, max(seq, position.head or 0), position.side),
            sides=(position.side,),
            stream=position.stream,
            message=f"the lane names head {position.head} at a barrier whose sentinel is event {seq}",
            seq=seq,
            seen=(Seen(position.side.value, f"head {position.head}"),),
            suffers="a client that resumes from the head skips events or asks for the future",
        )


def _at_barriers(history: History) -> Iterator[tuple[ReadPosition, int]]:
    """Positions read at a barrier, each with the number of its stream's sentinel."""
    numbers = {step.index: step.number for step in history.plan.steps if isinstance(step, BarrierStep)}
    for position in history.positions:
        number = numbers.get(position.step)
        seq = None if number is None else history.sentinels.get((position.side, number, position.stream))
        if seq is not None:
            yield position, seq


def _final(history: History) -> dict[tuple[Side, str], ReadPosition]:
    """The position that each side reported of each stream in the plan's last read."""
    reads = {step.index for step in history.plan.steps if isinstance(step, ReadStep)}
    return {(position.side, position.stream): position for position in history.positions if position.step in reads}


def _both(history: History) -> Iterator[tuple[ReadPosition, ReadPosition]]:
    """The last positions of both sides, where both reported one."""
    final = _final(history)
    for stream in history.plan_streams:
        legacy, target = (final.get((side, stream)) for side in SIDES)
        if legacy is not None and target is not None:
            yield legacy, target


def same_heads(history: History) -> Iterator[Finding]:
    """Every stream of which the two lanes name different heads when all is quiet (contract, 14)."""
    for legacy, target in _both(history):
        heads = {Side.LEGACY: legacy.head or 0, Side.TARGET: target.head or 0}
        if heads[Side.LEGACY] == heads[Side.TARGET]:
            continue
        yield Finding(
            check="heads.pair",
            failure=FailureClass.CURSOR,
            blame=_apart(history, legacy.stream, heads),
            sides=SIDES,
            stream=legacy.stream,
            message=f"legacy names head {legacy.head}, target {target.head}",
            seq=max(heads.values()),
            seen=tuple(Seen(side.value, f"head {heads[side]}") for side in SIDES),
            suffers="a cursor does not mean the same on both sides",
        )


def _apart(history: History, stream: str, heads: Mapping[Side, int]) -> Blame:
    """Who answers for unequal heads: a lane that does not name its own log's; the authorities where both do."""
    wrong = [side for side in SIDES if heads[side] != _log_head(history, side, stream)]
    return blame_of_event(history, stream, max(heads.values()), wrong[0]) if wrong else Blame.AUTHORITY


def _log_head(history: History, side: Side, stream: str) -> int | None:
    return history.authority_of(side).heads.get(stream)


def lawful_floors(history: History) -> Iterator[Finding]:
    """Every floor that is not what the declared window makes of the head; and unequal floors of unequal windows.

    With a window of w events the smallest cursor still served is `max(0, head - w)` (contract, 3).
    """
    for position in history.positions:
        needed = _needed_floor(history, position)
        if needed is not None and needed != (position.floor or 0):
            yield _floor_finding(
                position,
                (position.side,),
                f"the lane serves cursors from {position.floor} on; its window makes that {needed}",
                Blame.of(position.side),
                None,
            )
    for legacy, target in _both(history):
        if (legacy.floor or 0) != (target.floor or 0):
            windows = {side: history.sides[side].retention_events for side in SIDES}
            lawful = all(_needed_floor(history, one) == (one.floor or 0) for one in (legacy, target))
            yield _floor_finding(
                legacy,
                SIDES,
                f"legacy serves cursors from {legacy.floor} on, target from {target.floor} on",
                _floor_blame(history, legacy, target),
                UNEQUAL_WINDOWS if lawful and len(set(windows.values())) > 1 else None,
            )


def _needed_floor(history: History, position: ReadPosition) -> int | None:
    """The floor that the declared window demands; None where no window is declared."""
    window = history.sides[position.side].retention_events
    return None if window is None else floor_of(position.head or 0, window)


def _floor_blame(history: History, legacy: ReadPosition, target: ReadPosition) -> Blame:
    wrong = [one.side for one in (legacy, target) if _needed_floor(history, one) != (one.floor or 0)]
    return Blame.of(wrong[0]) if len(wrong) == 1 else Blame.BOTH if wrong else Blame.NOBODY


def _floor_finding(
    position: ReadPosition, sides: tuple[Side, ...], message: str, blame: Blame, rule: str | None
) -> Finding:
    return Finding(
        check="heads.floor",
        failure=FailureClass.STALE,
        blame=blame,
        sides=sides,
        stream=position.stream,
        message=message,
        seq=position.floor,
        suffers="a cursor is stale on one side and good on the other",
        rule=rule,
    )


def beside_events(history: History) -> Iterator[Finding]:
    """Every head that came beside events and is lower than one of them, or than the head before it (contract, 6.4)."""
    for side, one in history.sides.items():
        if len(one.heads):
            last = _last_rows(one)
            yield from _lower_than_events(history, side, last)
            yield from _going_back(history, side, last)


@dataclass(frozen=True, slots=True)
class _Beside:
    """By head: the first row of its message, and one behind the last."""

    begin: I32
    end: I32


def _last_rows(one: SideHistory) -> _Beside:
    units = one.delivered.held.rows.unit
    begin, end = (np.searchsorted(units, one.heads.unit, side=edge).astype(np.int32) for edge in ("left", "right"))
    return _Beside(begin, end)


def _lower_than_events(history: History, side: Side, beside: _Beside) -> Iterator[Finding]:
    one = history.sides[side]
    seqs = np.append(one.delivered.held.rows.seq, np.uint64(0))
    # Rows of a message ascend, so its last one is its highest.
    suspects = np.flatnonzero((beside.end > beside.begin) & (seqs[beside.end - 1] > one.heads.head))
    for at in suspects.tolist():
        rows = [
            row
            for row in range(int(beside.begin[at]), int(beside.end[at]))
            if one.deliveries.stream[row] == one.head_streams[at] and seqs[row] > one.heads.head[at]
        ]
        if rows:
            yield _head_finding(history, side, at, int(seqs[rows[-1]]), f"beside event {int(seqs[rows[-1]])}")


def _going_back(history: History, side: Side, beside: _Beside) -> Iterator[Finding]:
    one = history.sides[side]
    heads = one.heads
    order = np.lexsort((np.arange(len(heads)), one.head_streams, heads.connection))
    same = (np.diff(heads.connection[order]) == 0) & (np.diff(one.head_streams[order]) == 0)
    fell = same & (heads.head[order[1:]] < heads.head[order[:-1]])
    again = _repeats(history, side) if fell.any() else frozenset()
    for before, at in zip(order[:-1][fell].tolist(), order[1:][fell].tolist(), strict=True):
        message = range(int(beside.begin[at]), int(beside.end[at]))
        # A message that holds nothing but repeats has a head as old as they are.
        if not message or not again.issuperset(message):
            yield _head_finding(history, side, at, int(heads.head[before]), f"after head {int(heads.head[before])}")


def _repeats(history: History, side: Side) -> frozenset[int]:
    """Every delivery of a side that came before in its subscription."""
    own = (passage.repeats.tolist() for passage in history.passages if passage.subscribed.side is side)
    return frozenset(row for rows in own for row in rows)


def _head_finding(history: History, side: Side, at: int, seq: int, words: str) -> Finding:
    one = history.sides[side]
    stream = history.streams[one.head_streams[at]]
    return Finding(
        check="heads.beside",
        failure=FailureClass.CURSOR,
        blame=blame_of_event(history, stream, seq, side),
        sides=(side,),
        stream=stream,
        message=f"the lane names head {int(one.heads.head[at])} {words}",
        seq=seq,
        seen=(Seen(side.value, f"head {int(one.heads.head[at])}"),),
        frames=(FrameRef(side, int(one.heads.connection[at]), int(one.heads.frame[at])),),
        suffers="a client that trusts the head thinks it is ahead",
    )


def _positions(history: History) -> int:
    return len(history.positions)


def _windows(history: History) -> int:
    declared: Mapping[Side, int | None] = {side: history.sides[side].retention_events for side in SIDES}
    return sum(declared[position.side] is not None for position in history.positions)


CHECKS = (
    Check(
        "heads.delivered",
        "a lane's head is not below what it delivered",
        ("N3", "B4", "C3b", "INV-07"),
        not_below_delivered,
        _positions,
    ),
    Check(
        "heads.log",
        "when all is quiet, a lane's head is the log's head",
        ("N3", "B4", "C3b"),
        as_logged,
        lambda history: sum(
            position.stream in history.authority_of(position.side).heads for position in _final(history).values()
        ),
    ),
    Check(
        "heads.barrier",
        "at a barrier, a lane's head is the barrier's sentinel",
        ("N3", "B4", "C3b"),
        at_barriers,
        lambda history: sum(1 for _ in _at_barriers(history)),
        rows_needed=0,
    ),
    Check(
        "heads.pair",
        "when all is quiet, both lanes name the same head",
        ("B4", "C3b"),
        same_heads,
        lambda history: sum(1 for _ in _both(history)),
    ),
    Check(
        "heads.floor",
        "a lane serves exactly the cursors that its declared window holds",
        ("B4", "C3b"),
        lawful_floors,
        _windows,
        rows_needed=0,
    ),
    Check(
        "heads.beside",
        "a head that comes beside events is not below them and never goes back",
        ("N1", "N3", "INV-07"),
        beside_events,
        lambda history: sum(len(history.sides[side].heads) for side in SIDES),
        rows_needed=0,
    ),
)
