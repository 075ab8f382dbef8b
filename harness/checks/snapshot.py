"""Snapshots of a lane without stale answers: what its window still holds above the cursor, and all of that window."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.checks.check import Check
from harness.checks.cursor_law import floor_of, replayed
from harness.checks.places import runs
from harness.checks.retention import Retention
from harness.history.connections import SUBSCRIBER, Connection
from harness.history.history import History
from harness.model.finding import Blame, FailureClass, Finding, FrameRef, Seen
from harness.model.names import SIDES, Side


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a lane said when it opened a subscription: head, floor, and the rows [begin, end) of its deliveries."""

    connection: Connection
    frame: int
    head: int
    floor: int
    begin: int
    end: int


def window_kept(history: History) -> Iterator[Finding]:
    """Every snapshot whose floor is not what the declared window makes of its head (contract, 3 and 6.2).

    It is never above that; where nothing was sent since a barrier, so that retention has been drained, it is exactly
    that. A lane with a floor holds nothing at or below it. A declared window is needed for any floor at all.
    """
    retention = Retention(history)
    for side in SIDES:
        for one in _snapshots(history, side):
            for words in _misplaced(retention, history, one):
                yield _finding("snapshot.window", FailureClass.STALE, one, words, Blame.of(side))


def _misplaced(retention: Retention, history: History, one: Snapshot) -> Iterator[str]:
    window = retention.window(one.connection)
    highest = 0 if window is None else floor_of(one.head, window)
    if one.floor > highest:
        yield f"the snapshot has floor {one.floor} at head {one.head}, its window permits {highest}"
    elif one.floor < highest and retention.known.resting(one.connection) is not None:
        yield f"the snapshot has floor {one.floor} at head {one.head} when all rests, its window makes that {highest}"
    seqs = history.sides[one.connection.asked.side].delivered.held.rows.seq[one.begin : one.end]
    below = int((seqs <= np.uint64(one.floor)).sum())
    if below:
        yield f"the snapshot has floor {one.floor}, and {below} rows at or below it"


def rows_whole(history: History) -> Iterator[Finding]:
    """Every event that a snapshot lacks between what it holds from and its head (N1; contract, 6.2).

    Rows are [max(cursor + 1, retained_from) … head]: what is not there when it opens may still come, but the client
    has been told by then that it stands.
    """
    for side in SIDES:
        for one in _snapshots(history, side):
            for run in runs(history, _lacking(history, side, one), side):
                words = f"{run.words} not in the snapshot, whose head is {one.head}"
                found = _finding("snapshot.rows", FailureClass.MISSING, one, words, run.blame)
                yield replace(found, seq=run.first, seq_last=run.seq_last, count=run.count)


def _lacking(history: History, side: Side, one: Snapshot) -> list[int]:
    """Addresses of the events that a snapshot has to hold and does not."""
    held, needed = history.sides[side].delivered.held, replayed(one.connection.asked.cursor, one.floor, one.head)
    # A range of the numbers of a lane may be longer than `len` can say.
    if one.end - one.begin == max(needed.stop - needed.start, 0) and _dense(held.rows.seq[one.begin : one.end], needed):
        return []
    stream = history.streams.index(one.connection.asked.stream)
    begin, stop = history.space.interval(stream, needed.start - 1, max(needed.stop - 1, needed.start - 1))
    expected = history.standing.sides[side].owned.expected[begin:stop].copy()
    addresses = held.address[one.begin : one.end]
    expected[addresses[(addresses >= begin) & (addresses < stop)] - begin] = False
    return (np.flatnonzero(expected) + begin).tolist()


def _dense(seqs: np.ndarray, needed: range) -> bool:
    """Whether ascending numbers are just those of `needed`."""
    if not len(seqs):
        return True
    return int(seqs[0]) == needed.start and int(seqs[-1]) == needed.stop - 1 and bool(np.all(np.diff(seqs) == 1))


def _snapshots(history: History, side: Side) -> Iterator[Snapshot]:
    """Every snapshot of a side that names head and floor of the stream asked for."""
    one = history.sides[side]
    units = one.delivered.held.rows.unit
    for number, row in history.snapshots(side).items():
        connection = history.connections[number]
        if connection.asked.purpose == SUBSCRIBER and one.heads.has_floor[row]:
            begin, end = np.searchsorted(units, [one.heads.unit[row], one.heads.unit[row] + 1]).tolist()
            head, floor, frame = (int(column[row]) for column in (one.heads.head, one.heads.floor, one.heads.frame))
            yield Snapshot(connection, frame, head, floor, begin, end)


def _finding(check: str, failure: FailureClass, one: Snapshot, words: str, who: Blame) -> Finding:
    asked = one.connection.asked
    return Finding(
        check=check,
        failure=failure,
        blame=who,
        sides=(asked.side,),
        stream=asked.stream,
        message=words,
        seq=one.floor,
        subscription=f"{asked.step}/{asked.side}",
        seen=(Seen(asked.side.value, f"floor {one.floor}, head {one.head}, {one.end - one.begin} rows"),),
        frames=(FrameRef(asked.side, asked.id, one.frame),),
        suffers="a client takes a part of what is there for all of it",
    )


def _count(history: History) -> int:
    return sum(1 for side in SIDES for _ in _snapshots(history, side))


CHECKS = (
    Check(
        "snapshot.window",
        "a snapshot's floor is what the declared window makes of its head",
        ("N1", "N3", "C3b", "G3"),
        window_kept,
        _count,
        rows_needed=0,
    ),
    Check(
        "snapshot.rows",
        "a snapshot holds everything above its cursor and its floor, up to its head",
        ("N1", "N3", "INV-03"),
        rows_whole,
        _count,
        rows_needed=0,
    ),
)
