"""Lives and epochs: a restart changes no event and takes no number back, and within one life a head only rises."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.checks.blame import blame, blame_of_event
from harness.checks.check import Check
from harness.checks.commands import sides_of
from harness.checks.places import frames
from harness.history.addresses import I64
from harness.history.connections import NEVER_NS
from harness.history.coverage import SEQ_MAX
from harness.history.history import History
from harness.history.known_heads import KnownHeads
from harness.history.lives import life_at, lives
from harness.history.positions import ReadPosition
from harness.history.transcript import CommandRow
from harness.model.finding import Blame, FailureClass, Finding, FrameRef, Seen
from harness.model.names import SIDES, Side
from harness.model.plan import BarrierStep, ReadStep

Value = tuple[int, int, int]
"""Body, kind and instant of one showing of an event: equal values, equal events."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One showing of an event: its epoch, its value, and its delivery row (-1 = the lane's own content)."""

    epoch: int
    value: Value
    row: int


def same_events(history: History) -> Iterator[Finding]:
    """Every number that stood for one event in one life, and for another event in another (INV-07, INV-09).

    Lives are those of the lane and those of its authority (failure classes D-08, D-09).
    """
    for side in SIDES:
        epochs = _epochs(history, side)
        for address, shown in _otherwise(history, side, epochs).items() if len(epochs) > 1 else ():
            told = {(one.epoch, one.value) for one in shown}
            if len({epoch for epoch, _ in told}) > 1 and len({value for _, value in told}) > 1:
                stream, seq = history.key(address)
                yield Finding(
                    check="restart.events",
                    failure=FailureClass.RESTART,
                    blame=blame(history, address, side),
                    sides=(side,),
                    stream=stream,
                    message=f"event {seq} is another one after a restart than before it",
                    seq=seq,
                    frames=frames(history, side, [one.row for one in shown if one.row >= 0]),
                    suffers="a client that came to the number before the restart never learns of the new event",
                )


def _epochs(history: History, side: Side) -> I64:
    """The ordinals at which the epochs of a side begin: at 0, and where its lane or its authority begins a new life."""
    subjects = f"lane/{side}", f"authority/{history.sides[side].authority}"
    again = [life.begin for subject in subjects for life in lives(history.timeline, subject)[1:]]
    return np.array(sorted({0, *again}), np.int64)


def _otherwise(history: History, side: Side, epochs: I64) -> dict[int, list[Shown]]:
    """By address: every showing of those events of a side that it shows, somewhere, not as the reference has them.

    Own content is read at the end of a plan, so that it is of the last epoch.
    """
    one = history.sides[side]
    wrong = np.unique(np.concatenate([oracle.held.address[oracle.differs] for oracle in (one.delivered, one.content)]))
    found: dict[int, list[Shown]] = {}
    for oracle in (one.delivered, one.content):
        held, delivered = oracle.held, oracle is one.delivered
        rows = np.flatnonzero(np.isin(held.address, wrong)) if len(wrong) else wrong
        epoch = _epoch_of(epochs, held.rows.unit[rows]) if delivered else np.full(len(rows), len(epochs) - 1)
        for row, number in zip(rows.tolist(), epoch.tolist(), strict=True):
            value = int(oracle.compared.variants[row]), int(held.rows.kind[row]), int(held.rows.published_ns[row])
            found.setdefault(int(held.address[row]), []).append(Shown(number, value, row if delivered else -1))
    return found


def _epoch_of(epochs: I64, ordinals: I64) -> I64:
    return np.searchsorted(epochs, ordinals, side="right") - 1


def numbers_given_once(history: History) -> Iterator[Finding]:
    """Every number that an authority gave to a second command (N2, INV-07, INV-09; contract, 1.3).

    It is a matter of restarts (failure class D-09) where a new life of the authority lies between the two answers, and
    else of its commands.
    """
    began = {name: list(_beginnings(history, f"authority/{name}")) for name in history.authorities}
    for first, again in _given_again(history):
        first_ns, again_ns = first.answered_ns or 0, again.answered_ns or 0
        restarted = any(first_ns < at_ns < again_ns for at_ns in began[again.authority])
        yield Finding(
            check="restart.answers",
            failure=FailureClass.RESTART if restarted else FailureClass.COMMAND,
            blame=Blame.AUTHORITY,
            sides=sides_of(history, again.authority),
            stream=again.stream,
            message=f"number {again.seq} was given to step {first.step} ({first.do}), and "
            f"{'after a restart ' if restarted else ''}to step {again.step} ({again.do}) again",
            seq=again.seq,
            suffers="two commands were promised one number, and a client that has it never learns of the other event",
        )


def _given_again(history: History) -> Iterator[tuple[CommandRow, CommandRow]]:
    """Accepted commands that were answered with one number, in the order of their answers: the first, and another."""
    first: dict[tuple[str, str, int], CommandRow] = {}
    for row in sorted(_made(history), key=lambda row: row.answered_ns or 0):
        earlier = first.setdefault((row.authority, row.stream, row.seq or 0), row)
        if earlier.command_id != row.command_id:
            yield earlier, row


def _made(history: History) -> Iterator[CommandRow]:
    """Commands that were answered with a new event."""
    return (row for row in history.commands if row.outcome == "accepted" and row.seq is not None)


def _beginnings(history: History, subject: str) -> Iterator[int]:
    """The instants at which a service began each life but its first (monotonic nanoseconds)."""
    begins = {life.begin for life in lives(history.timeline, subject)[1:]}
    return (note["at_ns"] for note in history.timeline if note["ordinal"] in begins)


def heads_come_back(history: History) -> Iterator[Finding]:
    """Every head, read at a barrier or at the end after a restart of the lane, that is below what the log has by then
    (INV-08, INV-09): what the lane held before, it must hold again.
    """
    for position, needed in _after_restarts(history):
        if (position.head or 0) < needed:
            yield Finding(
                check="restart.heads",
                failure=FailureClass.RESTART,
                blame=blame_of_event(history, position.stream, needed, position.side),
                sides=(position.side,),
                stream=position.stream,
                message=f"after its restart the lane names head {position.head}, needed was {needed}",
                seq=needed,
                seen=(Seen(position.side.value, f"head {position.head}"),),
                suffers="a client that resumes asks for the future, and hears nothing until the numbers come round",
            )


def _after_restarts(history: History) -> Iterator[tuple[ReadPosition, int]]:
    """Positions read at a barrier or in a read of the plan, in a later life of their lane, with the head needed."""
    known = {side: lives(history.timeline, f"lane/{side}") for side in SIDES}
    numbers = {step.index: step.number for step in history.plan.steps if isinstance(step, BarrierStep)}
    reads = {step.index for step in history.plan.steps[-1:] if isinstance(step, ReadStep)}
    for one in history.positions:
        if life_at(known[one.side], one.ordinal) < 1:
            continue
        needed = history.sentinels.get((one.side, numbers.get(one.step, -1), one.stream))
        if one.step in reads:
            needed = history.authority_of(one.side).heads.get(one.stream)
        if needed is not None:
            yield one, needed


@dataclass(frozen=True, slots=True)
class Statement:
    """A head that a lane named of a stream when it was asked, after `asked` (ordinal); `frame` is where, if it was in
    one.
    """

    stream: str
    asked: int
    head: int
    frame: FrameRef | None = None


def never_back(history: History) -> Iterator[Finding]:
    """Every head that a lane named when asked, lower than one that it had named before in the same life (INV-07).

    A read and a snapshot are what was asked for; heads that came beside events count as named before.
    """
    known = KnownHeads(history)
    for side in SIDES:
        for one in _statements(history, side):
            before = known.named(side, one.stream, one.asked)
            if before > one.head:
                words = f"the lane names head {one.head}, and had named head {before} in the same life"
                yield _head_finding(history, "heads.back", side, one, before, words)


def not_ahead(history: History) -> Iterator[Finding]:
    """Every head that is above all that had been sent to the authority by the time it was named (N2, INV-06).

    A head beside events is held against all that was ever sent.
    """
    known = KnownHeads(history)
    for position in history.positions:
        sent = known.highest(position.side, position.stream, position.answered_ns)
        if sent is not None and (position.head or 0) > sent:
            one = Statement(position.stream, position.ordinal, position.head or 0)
            words = f"the lane names head {position.head}, and only {sent} had been sent"
            yield _head_finding(history, "heads.ahead", position.side, one, one.head, words)
    for side in SIDES:
        yield from _beside_ahead(history, known, side)


def _beside_ahead(history: History, known: KnownHeads, side: Side) -> Iterator[Finding]:
    one = history.sides[side]
    sent = [known.highest(side, stream, NEVER_NS) for stream in history.streams]
    bound = np.array([SEQ_MAX if highest is None else highest for highest in sent], np.uint64)
    ahead = np.flatnonzero(one.heads.head > bound[one.head_streams]) if len(one.heads) else one.head_streams
    for stream in np.unique(one.head_streams[ahead]).tolist():
        rows = ahead[one.head_streams[ahead] == stream]
        row, name = int(rows[0]), history.streams[stream]
        frame = FrameRef(side, int(one.heads.connection[row]), int(one.heads.frame[row]))
        said = Statement(name, int(one.heads.unit[row]), int(one.heads.head[row]), frame)
        words = f"the lane names head {said.head} beside events, and {int(bound[stream])} is the last ever sent"
        yield replace(_head_finding(history, "heads.ahead", side, said, said.head, words), count=len(rows))


def _statements(history: History, side: Side) -> Iterator[Statement]:
    """Every head that a lane named in answer to a read, or with a snapshot."""
    for position in history.positions:
        if position.side is side:
            yield Statement(position.stream, position.ordinal, position.head or 0)
    heads = history.sides[side].heads
    for connection, row in history.snapshots(side).items():
        asked = history.connections[connection].asked
        frame = FrameRef(side, connection, int(heads.frame[row]))
        yield Statement(asked.stream, asked.ordinal, int(heads.head[row]), frame)


def _head_finding(history: History, check: str, side: Side, one: Statement, seq: int, words: str) -> Finding:
    return Finding(
        check=check,
        failure=FailureClass.CURSOR,
        blame=blame_of_event(history, one.stream, seq, side),
        sides=(side,),
        stream=one.stream,
        message=words,
        seq=seq,
        seen=(Seen(side.value, f"head {one.head}"),),
        frames=() if one.frame is None else (one.frame,),
        suffers="a client that trusts the head waits for what is not there, or gives up what was",
    )


def _in_two_epochs(history: History) -> int:
    """Events that a lane showed in more than one epoch."""
    return sum(_returning(history, side, _epochs(history, side)) for side in SIDES)


def _returning(history: History, side: Side, epochs: I64) -> int:
    if len(epochs) < 2:
        return 0
    seen = np.zeros((len(epochs), history.space.size), np.bool_)
    one = history.sides[side]
    held = one.delivered.held
    rows = np.flatnonzero(held.address >= 0)
    seen[_epoch_of(epochs, held.rows.unit[rows]), held.address[rows]] = True
    seen[-1] |= one.content.held.first >= 0
    return int((seen.sum(axis=0) > 1).sum())


CHECKS = (
    Check(
        "restart.events",
        "a number stands for one event in every life of a lane and of its authority",
        ("N3", "INV-07", "INV-09"),
        same_events,
        _in_two_epochs,
        rows_needed=0,
    ),
    Check(
        "restart.answers",
        "an authority gives a number to one command only, over all of its lives",
        ("N2", "INV-07", "INV-09"),
        numbers_given_once,
        lambda history: sum(1 for _ in _made(history)),
    ),
    Check(
        "restart.heads",
        "after a restart a lane comes back to what the log has, by the next barrier",
        ("N3", "INV-08", "INV-09"),
        heads_come_back,
        lambda history: sum(1 for _ in _after_restarts(history)),
        rows_needed=0,
    ),
    Check(
        "heads.back",
        "a head never goes back within one life of a lane",
        ("N3", "B4", "INV-07"),
        never_back,
        lambda history: sum(1 for side in SIDES for _ in _statements(history, side)),
    ),
    Check(
        "heads.ahead",
        "a head is never above what had been sent to the authority",
        ("N2", "N3", "INV-06"),
        not_ahead,
        lambda history: len(history.positions) + sum(len(history.sides[side].heads) for side in SIDES),
    ),
)
