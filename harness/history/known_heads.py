"""What can be known of a lane's head from outside, at a time: never more than was sent, never less than was seen."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from harness.history.addresses import I32, I64, U64
from harness.history.connections import NEVER_NS, Connection
from harness.history.coverage import SEQ_MAX
from harness.history.history import History, SideHistory
from harness.history.lives import Life, life_at, lives
from harness.history.positions import ReadPosition
from harness.model.names import SIDES, Side
from harness.model.timeline import BARRIER_REACHED

Steps = tuple[I64, U64]
"""Instants, ascending, and the highest number of all that had happened by each."""


_Source = Mapping[Side, Callable[[int], tuple[I64, U64]]]
"""By side: what gives ordinals, ascending, and numbers of a stream."""


class KnownHeads:
    """Bounds of heads in one history. Each bound is worked out when it is first asked for."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._lives = {side: lives(history.timeline, f"lane/{side}") for side in SIDES}
        self._sent: dict[tuple[str, str], Steps] = {}
        self._seen: dict[tuple[bool, Side, str, int], Steps] = {}
        self._codes = {stream: code for code, stream in enumerate(history.streams)}
        self._reads: dict[tuple[Side, str], list[ReadPosition]] = {}
        for one in history.positions:
            self._reads.setdefault((one.side, one.stream), []).append(one)
        self._feeds = {
            side: [(note["ordinal"], int(note["subject"])) for note in history.timeline if _feed_reached(note, side)]
            for side in SIDES
        }

    def lives_of(self, side: Side) -> tuple[Life, ...]:
        """The lives of the lane of a side."""
        return self._lives[side]

    def highest(self, side: Side, stream: str, at_ns: int) -> int | None:
        """The head cannot be above this at `at_ns`: the highest number whose command was sent by then.

        None where the stream's log was not read, so that nobody knows. An event whose command is not known may have
        been there from the start.
        """
        authority = self._history.authority_of(side)
        if stream not in authority.read:
            return None
        key = (authority.name, stream)
        if key not in self._sent:
            self._sent[key] = self._sent_of(side, stream)
        return _at(self._sent[key], at_ns)

    def lowest(self, connection: Connection) -> int:
        """The head cannot be below this at the opening of `connection`: the highest number that the lane, in its life
        of then, had delivered or named, or its feed had appended at a barrier; 0 where nothing is known.
        """
        side, stream, opened = connection.asked.side, connection.asked.stream, connection.asked.ordinal
        begin = self._begin(side, opened)
        if begin is None or stream not in self._codes:
            return 0
        delivered = self._steps(self._delivered, side, stream, begin)
        return max(_at(delivered, opened - 1), self.named(side, stream, opened), self.drained(connection))

    def named(self, side: Side, stream: str, ordinal: int) -> int:
        """The highest head that a lane had named of a stream before `ordinal`, in its life of then; 0 where none."""
        begin = self._begin(side, ordinal)
        if begin is None or stream not in self._codes:
            return 0
        read = [
            one.head or 0
            for one in self._reads.get((side, stream), ())
            if begin <= one.ordinal and one.answered_ordinal < ordinal
        ]
        return max(_at(self._steps(self._beside, side, stream, begin), ordinal - 1), *read, 0)

    def drained(self, connection: Connection) -> int:
        """The number of the last sentinel that the feed had brought to the lane, its retention too, before the
        opening of `connection` and in the same life; 0 where there is none.
        """
        side, opened = connection.asked.side, connection.asked.ordinal
        begin = self._begin(side, opened)
        numbers = (
            self._history.sentinels.get((side, number, connection.asked.stream), 0)
            for ordinal, number in self._feeds[side]
            if begin is not None and begin <= ordinal < opened
        )
        return max(numbers, default=0)

    def resting(self, connection: Connection) -> int | None:
        """The head while `connection` was answered, where it is known exactly: nothing was sent since a barrier."""
        sentinel, ended = self.drained(connection), connection.ended
        until_ns = (ended.closed_ns or NEVER_NS) if connection.stale else ended.accepted_ns
        highest = self.highest(connection.asked.side, connection.asked.stream, until_ns)
        return sentinel if sentinel and sentinel == highest else None

    def _begin(self, side: Side, ordinal: int) -> int | None:
        """Where the life began that the lane of a side was in; None where nobody can tell."""
        at = life_at(self._lives[side], ordinal)
        return None if at < 0 else self._lives[side][at].begin

    def _steps(self, source: _Source, side: Side, stream: str, begin: int) -> Steps:
        """What `source` has of a stream from `begin` on."""
        key = (source is self._beside, side, stream, begin)
        if key not in self._seen:
            units, numbers = source[side](self._codes[stream])
            first = int(np.searchsorted(units, begin))
            self._seen[key] = units[first:], np.maximum.accumulate(numbers[first:])
        return self._seen[key]

    @cached_property
    def _delivered(self) -> _Source:
        """Numbers that were delivered, each with the ordinal of its frame."""
        return {side: _delivered_of(one) for side, one in self._history.sides.items()}

    @cached_property
    def _beside(self) -> _Source:
        """Heads that came beside events, likewise."""
        return {side: _beside_of(one) for side, one in self._history.sides.items()}

    def _sent_of(self, side: Side, stream: str) -> Steps:
        history = self._history
        owned = history.standing.sides[side].owned
        begin, end = history.space.interval(self._codes[stream], 0, SEQ_MAX)
        addresses = np.flatnonzero(owned.expected[begin:end]) + begin
        maker = owned.maker[addresses]
        # One more, for the makers that nobody knows: index -1.
        instants = np.array([*(row.sent_ns for row in history.commands), 0], np.int64)[maker]
        order = np.argsort(instants, kind="stable")
        _, seqs = history.space.keys(addresses[order])
        return instants[order], np.maximum.accumulate(seqs)


def _at(steps: Steps, at_ns: int) -> int:
    instants, highest = steps
    count = int(np.searchsorted(instants, at_ns, side="right"))
    return int(highest[count - 1]) if count else 0


def _delivered_of(one: SideHistory) -> Callable[[int], tuple[I64, U64]]:
    held, rows_of = one.delivered.held, rows_by_code(one.delivered.held.stream)

    def numbers(stream: int) -> tuple[I64, U64]:
        rows = rows_of(stream)
        rows = rows[held.address[rows] >= 0]
        return held.rows.unit[rows], held.rows.seq[rows]

    return numbers


def _beside_of(one: SideHistory) -> Callable[[int], tuple[I64, U64]]:
    rows_of = rows_by_code(one.head_streams)

    def heads(stream: int) -> tuple[I64, U64]:
        rows = rows_of(stream)
        return one.heads.unit[rows], one.heads.head[rows]

    return heads


def _feed_reached(note: Mapping[str, Any], side: Side) -> bool:
    return note["event"] == BARRIER_REACHED and note["side"] == side.value and "relay" in note["detail"]


def rows_by_code(codes: I32) -> Callable[[int], I32]:
    """What gives the rows of a code, ascending, after one sort of all."""
    order = np.argsort(codes, kind="stable").astype(np.int32)
    ordered = codes[order]

    def rows(code: int) -> I32:
        begin, end = np.searchsorted(ordered, [code, code + 1])
        return order[begin:end]

    return rows
