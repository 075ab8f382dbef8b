"""How both lanes answer one cursor: with the events after it, with silence, or by saying that it is left behind."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from harness.checks.blame import blame_of_event
from harness.checks.check import Check
from harness.checks.cursor_law import floor_of, replay_lag
from harness.checks.disturbance import Disturbance
from harness.checks.pair import twins
from harness.checks.positions import UNEQUAL_WINDOWS
from harness.checks.retention import Retention
from harness.history.connections import Connection
from harness.history.coverage import SEQ_MAX
from harness.history.history import History, SideHistory
from harness.history.names import TOPIC_DIALECT
from harness.history.passages import Passage
from harness.model.finding import Blame, FailureClass, Finding, FrameRef, Seen
from harness.model.names import SIDES

BUDGET_IS_POLICY = "budget is policy"
MOVING_WINDOW = "moving window"


class Kind(StrEnum):
    """The answers that a cursor can get."""

    SERVED = "what follows it"
    SILENT = "nothing"
    BELOW_FLOOR = "that it is below the floor"
    OVER_BUDGET = "that it is beyond the replay budget"
    OLD_EVENTS = "events at or below it"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a lane answered one cursor. `first` is the first number that came; head and floor are as the lane named them
    with the answer, `resting` is the head that it must have had, each None where there is none; `budget` is declared.
    """

    passage: Passage
    connection: Connection
    kind: Kind
    first: int | None
    floor: int | None
    head: int | None
    resting: int | None
    budget: int

    @property
    def words(self) -> str:
        """The answer, for a report."""
        if self.kind is Kind.SERVED:
            return f"event {self.first} and what follows"
        return f"{self.kind} {self.floor}" if self.kind is Kind.BELOW_FLOOR else str(self.kind)


class _Answers:
    """The first answer of each subscription of one history."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.retention = Retention(history)
        self._disturbance = Disturbance(history)
        self._snapshots = {side: history.snapshots(side) for side in SIDES}
        self._below = {side: _lowest_below(history.sides[side]) for side in SIDES}

    def of(self, passage: Passage) -> Answer | None:
        """The answer to the cursor that a subscription asked for first; None where nothing was answered, or a fault of
        the plan came between.
        """
        standing = (one for one in passage.subscribed.connections if one.opened or one.stale)
        connection = next(standing, None)
        if connection is None or connection.asked.cursor != passage.subscribed.asked:
            return None
        if self._disturbance.acted_on(connection):
            return None
        floor, head = self._window(connection)
        kind, first = self._kind(passage, connection, floor)
        resting, budget = self.retention.known.resting(connection), self.retention.budget(connection)
        return Answer(passage, connection, kind, first, floor, head, resting, budget)

    def _window(self, connection: Connection) -> tuple[int | None, int | None]:
        if connection.stale:
            said = connection.stale[0][1]
            return said.oldest_available_cursor, said.head_cursor
        heads = self.history.sides[connection.asked.side].heads
        row = self._snapshots[connection.asked.side].get(connection.asked.id)
        return (None, None) if row is None else (int(heads.floor[row]), int(heads.head[row]))

    def _kind(self, passage: Passage, connection: Connection, floor: int | None) -> tuple[Kind, int | None]:
        below = self._below[connection.asked.side].get(connection.asked.id)
        if below is not None:
            return Kind.OLD_EVENTS, below
        if connection.stale and not self.retention.delivered(connection, connection.stale[0][0]):
            said = connection.stale[0][1]
            below_floor = said.requested_cursor < said.oldest_available_cursor
            return (Kind.BELOW_FLOOR if below_floor else Kind.OVER_BUDGET), None
        if not connection.stale and floor is not None and floor > connection.asked.cursor:
            return Kind.BELOW_FLOOR, None
        if not len(passage.rows):
            return Kind.SILENT, None
        return Kind.SERVED, self.history.key(int(passage.addresses[0]))[1]


def _lowest_below(one: SideHistory) -> dict[int, int]:
    """By connection: the lowest number at or below the cursor that came over it."""
    deliveries = one.deliveries
    strays = np.flatnonzero(deliveries.below & ~deliveries.foreign)
    numbers, seqs = deliveries.connection[strays].tolist(), one.delivered.held.rows.seq[strays].tolist()
    lowest: dict[int, int] = {}
    for number, seq in zip(numbers, seqs, strict=True):
        lowest[number] = min(seq, lowest.get(number, seq))
    return lowest


def same_answers(history: History) -> Iterator[Finding]:
    """Every cursor that a step presented to both lanes and that they answered otherwise (C3b; contract, 3, 6.2).

    A stale answer below the floor and a snapshot that begins at that floor are one answer. The replay budget is policy
    of a client where the dialect has no stale answer; unequal declared windows, and windows that move while writers go
    on, make unequal answers: all three are proposed as explained.
    """
    for legacy, target in _twin_answers(history):
        if legacy.kind is not target.kind:
            if _comparable(legacy, target):
                yield _unlike(history, legacy, target, _explanation(history, legacy, target))
        elif legacy.kind is Kind.SERVED and legacy.first != target.first:
            yield _unlike(history, legacy, target, None)
        elif legacy.kind is Kind.BELOW_FLOOR and legacy.floor != target.floor:
            yield _unlike(history, legacy, target, _window_rule(history, legacy, target))


def _twin_answers(history: History) -> Iterator[tuple[Answer, Answer]]:
    answers = _Answers(history)
    for passages in twins(history):
        legacy, target = (answers.of(passage) for passage in passages)
        if (
            legacy is not None
            and target is not None
            and legacy.connection.asked.cursor == target.connection.asked.cursor
        ):
            yield legacy, target


def _comparable(legacy: Answer, target: Answer) -> bool:
    """Whether silence on one side and events on the other mean anything: both must have had to come to something."""
    if {legacy.kind, target.kind} != {Kind.SERVED, Kind.SILENT}:
        return True
    return all((one.passage.subscribed.end or 0) > one.connection.asked.cursor for one in (legacy, target))


def _explanation(history: History, legacy: Answer, target: Answer) -> str | None:
    for one, other in ((legacy, target), (target, legacy)):
        if one.kind is Kind.OVER_BUDGET and other.connection.asked.dialect != TOPIC_DIALECT:
            return BUDGET_IS_POLICY if other.kind is not Kind.OLD_EVENTS and _beyond_budget(one) else None
        if one.kind is Kind.BELOW_FLOOR and other.kind is not Kind.OLD_EVENTS:
            return _window_rule(history, legacy, target)
    return None


def _beyond_budget(one: Answer) -> bool:
    """Whether the lag is above the declared budget, by the head that came with the answer."""
    return replay_lag(one.connection.asked.cursor, one.head or 0) > one.budget


def _window_rule(history: History, legacy: Answer, target: Answer) -> str | None:
    """The rule that permits answers by unequal floors, None where both windows are one and stood still."""
    windows = {history.sides[side].retention_events for side in SIDES}
    if len(windows) > 1:
        return UNEQUAL_WINDOWS
    return MOVING_WINDOW if legacy.resting is None or legacy.resting != target.resting else None


def _unlike(history: History, legacy: Answer, target: Answer, rule: str | None) -> Finding:
    asked = legacy.connection.asked
    left_behind = {legacy.kind, target.kind} & {Kind.BELOW_FLOOR, Kind.OVER_BUDGET}
    return Finding(
        check="pair.answers",
        failure=FailureClass.STALE if left_behind else FailureClass.CURSOR,
        blame=Blame.NOBODY if rule is not None else _blame(history, legacy, target),
        sides=SIDES,
        stream=asked.stream,
        message=f"asked for what follows {asked.cursor}, legacy answers {legacy.words}, target {target.words}",
        seq=asked.cursor,
        subscription=legacy.passage.subscribed.name,
        seen=tuple(Seen(side.value, one.words) for side, one in zip(SIDES, (legacy, target), strict=True)),
        frames=tuple(_frames(legacy)) + tuple(_frames(target)),
        suffers="a cursor that is good on one side is not on the other",
        rule=rule,
    )


def _blame(history: History, legacy: Answer, target: Answer) -> Blame:
    """Who answered as the arithmetic does not want it; who lacks the event after the cursor, where both may."""
    wrong = [one.connection.asked.side for one in (legacy, target) if not _lawful(history, one)]
    if wrong:
        return Blame.of(wrong[0]) if len(wrong) == 1 else Blame.BOTH
    later = max((legacy, target), key=lambda one: SEQ_MAX if one.first is None else one.first).connection.asked
    return blame_of_event(history, later.stream, later.cursor + 1, later.side)


def _lawful(history: History, one: Answer) -> bool:
    """Whether an answer is what the window and the head, where they are known, make of the cursor."""
    cursor, window = one.connection.asked.cursor, history.sides[one.connection.asked.side].retention_events
    if one.kind is Kind.OLD_EVENTS:
        return False
    if one.resting is None or window is None:
        return True
    floor = floor_of(one.resting, window)
    if one.kind is Kind.BELOW_FLOOR:
        return cursor < floor == one.floor
    if one.kind is Kind.OVER_BUDGET:
        return replay_lag(cursor, one.resting) > one.budget
    return cursor >= floor


def _frames(one: Answer) -> Iterator[FrameRef]:
    asked, opening = one.connection.asked, one.connection.opening_frame
    shown = one.connection.stale[0][0] if one.connection.stale else opening
    if shown is not None:
        yield FrameRef(asked.side, asked.id, shown)


def future(history: History) -> Iterator[Finding]:
    """Every cursor beyond the head, another epoch's or another stream's, that a lane answers with anything but silence
    (contract, 3; failure class D-08). The risk of that silence is the client's: what it waits for is skipped.
    """
    for one in _beyond_head(history):
        if one.kind in (Kind.OLD_EVENTS, Kind.BELOW_FLOOR, Kind.OVER_BUDGET):
            asked = one.connection.asked
            yield Finding(
                check="pair.future",
                failure=FailureClass.CURSOR,
                blame=Blame.of(asked.side),
                sides=(asked.side,),
                stream=asked.stream,
                message=f"cursor {asked.cursor} is beyond the head; the lane answers {one.words}, needed was nothing",
                seq=asked.cursor,
                subscription=one.passage.subscribed.name,
                seen=(Seen(asked.side.value, one.words),),
                frames=tuple(_frames(one)),
                suffers="a client applies what it had applied already, or begins anew for nothing",
            )


def _beyond_head(history: History) -> Iterator[Answer]:
    """The answers to cursors that were above all that had been sent when the subscription stood."""
    answers = _Answers(history)
    for passage in history.opened:
        one = answers.of(passage)
        if one is not None:
            asked = one.connection.asked
            sent = answers.retention.known.highest(asked.side, asked.stream, one.connection.ended.accepted_ns)
            if sent is not None and asked.cursor > sent:
                yield one


CHECKS = (
    Check(
        "pair.answers",
        "one cursor gets one answer from both lanes: what follows it, silence, or that it is left behind",
        ("N3", "B4", "C3b", "G3"),
        same_answers,
        lambda history: sum(1 for _ in _twin_answers(history)),
        rows_needed=0,
    ),
    Check(
        "pair.future",
        "a cursor beyond the head, of another epoch or another stream, is answered with silence",
        ("N3", "B4", "C3b"),
        future,
        lambda history: sum(1 for _ in _beyond_head(history)),
        rows_needed=0,
    ),
)
