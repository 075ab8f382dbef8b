"""Stale answers of the replay dialect: against their own arithmetic, against what is known, and whether they end."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.checks.check import Check
from harness.checks.cursor_law import floor_of, offered, replay_lag, stale_reasons
from harness.checks.disturbance import Disturbance
from harness.checks.retention import Retention
from harness.history.connections import SUBSCRIBER, Connection
from harness.history.history import History
from harness.history.names import TOPIC_DIALECT
from harness.history.subscribed import Subscribed
from harness.model.finding import Blame, FailureClass, Finding, FrameRef, Seen
from harness.model.plan import SubscribeStep
from harness.model.timeline import SUBSCRIPTION_CLOSED
from harness.wire.events import Stale

GAVE_UP = "rebootstrap_max"


@dataclass(frozen=True, slots=True)
class Told:
    """One stale answer, and the position at which the client stood: what it had asked for, or got since."""

    connection: Connection
    frame: int
    said: Stale
    position: int


def _told(retention: Retention) -> Iterator[Told]:
    """Every stale answer to a subscriber."""
    for connection in retention.history.connections.values():
        if connection.asked.purpose == SUBSCRIBER:
            for frame, said in connection.stale:
                position = max(connection.asked.cursor, retention.delivered(connection, frame))
                yield Told(connection, frame, said, position)


def arithmetic(history: History) -> Iterator[Finding]:
    """Every field of a stale answer that its other fields, or the client's own position, contradict (contract, 3).

    The floor is a reason where the cursor lies below it, the budget where the lag is above it and not merely at it;
    the reasons are exactly those that apply, the floor first.
    """
    for told in _told(Retention(history)):
        for words, said, needed in _contradictions(told):
            yield _finding("stale.arithmetic", told.connection, told.frame, f"{words} {said}, needed was {needed}")


def _contradictions(told: Told) -> Iterator[tuple[str, object, object]]:
    said = told.said
    cursor, head, budget = said.requested_cursor, said.head_cursor, said.replay_budget_events
    reasons = stale_reasons(cursor, said.oldest_available_cursor, head, budget)
    facts: tuple[tuple[str, object, object], ...] = (
        ("the stale answer names topic", said.stream, told.connection.asked.wire_stream),
        ("the stale answer is to cursor", cursor, told.position),
        ("the stale answer gives as reasons", _listed(said.reason_codes), _listed(reasons)),
        ("the stale answer names lag", said.replay_lag, replay_lag(cursor, head)),
    )
    return (fact for fact in facts if fact[1] != fact[2])


def _listed(reasons: tuple[str, ...]) -> str:
    return ", ".join(reasons) or "none"


def declared_window(history: History) -> Iterator[Finding]:
    """Every stale answer whose floor, head, budget or tier is not what window, log and profile make of it.

    The head lies between the highest number seen before the connection was opened and the highest one sent before it
    ended; the floor is what the declared window makes of the head (contract, 3 and 3.1).
    """
    retention = Retention(history)
    for told in _told(retention):
        for words in (*_wrong_head(retention, told), *_wrong_limits(retention, told)):
            yield _finding("stale.window", told.connection, told.frame, f"the stale answer names {words}")


def _wrong_head(retention: Retention, told: Told) -> Iterator[str]:
    head = told.said.head_cursor
    lowest = max(retention.known.lowest(told.connection), retention.delivered(told.connection, told.frame))
    highest = retention.highest(told.connection)
    if head < lowest:
        yield f"head {head}, and event {lowest} had been there before"
    if highest is not None and head > highest:
        yield f"head {head}, and only {highest} had been sent"


def _wrong_limits(retention: Retention, told: Told) -> Iterator[str]:
    said, window = told.said, retention.window(told.connection)
    facts: list[tuple[str, object, object]] = [
        ("budget", said.replay_budget_events, retention.budget(told.connection)),
        ("tier", said.qos_tier, retention.level(told.connection).tier),
    ]
    if window is not None:
        facts.append(("floor", said.oldest_available_cursor, floor_of(said.head_cursor, window)))
    return (f"{name} {given}, needed was {needed}" for name, given, needed in facts if given != needed)


@dataclass(frozen=True, slots=True)
class Answered:
    """How a lane answered a cursor: with a stale answer, in `frame`, or by serving it; `wrong` says why it must not."""

    connection: Connection
    frame: int | None
    near_an_edge: bool
    wrong: str


def _answered(history: History) -> Iterator[Answered]:
    """Every cursor that a lane of the replay dialect with a declared window answered."""
    retention, disturbance = Retention(history), Disturbance(history)
    told = {one.connection.asked.id: one for one in reversed(list(_told(retention)))}
    for connection in history.connections.values():
        asked = connection.asked
        if asked.purpose != SUBSCRIBER or asked.dialect != TOPIC_DIALECT or retention.window(connection) is None:
            continue
        if asked.id in told:
            one = told[asked.id]
            near = retention.near_an_edge(connection, one.position)
            yield Answered(connection, one.frame, near, _wrongly_refused(retention, connection, one.position))
        elif connection.opened:
            near = retention.near_an_edge(connection, asked.cursor)
            broken_off = connection.ended.closed_by != "lane" or disturbance.acted_on(connection)
            yield Answered(connection, None, near, _wrongly_served(retention, connection, broken_off=broken_off))


def _wrongly_refused(retention: Retention, connection: Connection, cursor: int) -> str:
    """Why a cursor could not be stale, however far the head had come; nothing where it could."""
    highest, window = retention.highest(connection), retention.window(connection) or 0
    if highest is None:
        return ""
    if stale_reasons(cursor, floor_of(highest, window), highest, retention.budget(connection)):
        return ""
    return f"cursor {cursor} was refused as stale, and is good for every head up to {highest}"


def _wrongly_served(retention: Retention, connection: Connection, *, broken_off: bool) -> str:
    """Why a cursor had to be stale, as far as the head had come at least; nothing where it had not, or where the
    connection was broken off before the lane could say so.
    """
    cursor, lowest, window = connection.asked.cursor, retention.known.lowest(connection), retention.window(connection)
    reasons = stale_reasons(cursor, floor_of(lowest, window or 0), lowest, retention.budget(connection))
    if not reasons:
        return ""
    if retention.delivered(connection):
        return f"cursor {cursor} was served, and is stale for every head from {lowest} on ({_listed(reasons)})"
    if not broken_off and not connection.refusals:
        return f"cursor {cursor} got no stale answer, and is stale for every head from {lowest} on ({_listed(reasons)})"
    return ""


def at_edges(history: History) -> Iterator[Finding]:
    """Every cursor within one of the floor or the budget that was answered otherwise than the arithmetic wants.

    The cursor at the floor is good, the one below it stale; a lag that equals the budget is good, one more is stale.
    """
    return _misjudged(history, "stale.edges", near_an_edge=True)


def off_edges(history: History) -> Iterator[Finding]:
    """Every other cursor that was answered otherwise than the arithmetic wants, by what is known of the head."""
    return _misjudged(history, "stale.answer", near_an_edge=False)


def _misjudged(history: History, check: str, *, near_an_edge: bool) -> Iterator[Finding]:
    for one in _answered(history):
        if one.near_an_edge is near_an_edge and one.wrong:
            yield _finding(check, one.connection, one.frame, one.wrong)


def rebootstrap(history: History) -> Iterator[Finding]:
    """Every subscription whose rebootstraps do not end: the lane refuses the very cursor that it offered, though the
    head stood still, or it tells a client that it is stale more often in a row, with no event in between, than the
    client's policy bears (RB1; contract, 6.3).
    """
    given_up = {note["subject"] for note in history.timeline if _gave_up(note["event"], note["detail"])}
    bounds = {step.index: step.policy.rebootstrap_max for step in history.plan.steps if isinstance(step, SubscribeStep)}
    for one in history.subscriptions:
        told = [connection for connection in one.connections if connection.stale]
        again = _offered_in_vain(one)
        bound = bounds.get(one.plan.step, 0)
        if again is not None:
            words = f"cursor {again.asked.cursor} is stale, and was the one that the lane had offered for the same head"
            yield _finding("stale.bounded", again, again.stale[0][0], words, count=len(told))
        elif told and (one.name in given_up or _in_vain(history, one) > bound):
            words = f"told stale {_in_vain(history, one)} times in a row, a client begins anew at most {bound} times"
            yield _finding("stale.bounded", told[-1], told[-1].stale[-1][0], words, count=len(told))


def _in_vain(history: History, one: Subscribed) -> int:
    """The most stale answers in a row that a subscription got before an event came in between."""
    most = run = 0
    served = frozenset(np.unique(history.sides[one.side].deliveries.connection).tolist())
    for connection in one.connections:
        run = 0 if connection.asked.id in served else run
        run += bool(connection.stale)
        most = max(most, run)
    return most


def _gave_up(event: str, detail: object) -> bool:
    return event == SUBSCRIPTION_CLOSED and isinstance(detail, dict) and detail.get("reason") == GAVE_UP


def _offered_in_vain(one: Subscribed) -> Connection | None:
    """The first connection that is told stale at the cursor that the lane offered before, while its head stands."""
    for before, after in zip(one.connections, one.connections[1:], strict=False):
        if before.stale and after.stale:
            offer, said = before.stale[-1][1], after.stale[0][1]
            good = offered(offer.oldest_available_cursor, offer.head_cursor, offer.replay_budget_events)
            if after.asked.cursor >= good and said.head_cursor <= offer.head_cursor:
                return after
    return None


def _finding(check: str, connection: Connection, frame: int | None, message: str, count: int = 1) -> Finding:
    asked = connection.asked
    return Finding(
        check=check,
        failure=FailureClass.STALE,
        blame=Blame.of(asked.side),
        sides=(asked.side,),
        stream=asked.stream,
        message=message,
        seq=asked.cursor,
        subscription=f"{asked.step}/{asked.side}",
        seen=tuple(Seen(asked.side.value, _shown(said)) for _, said in connection.stale[:1]),
        frames=() if frame is None else (FrameRef(asked.side, asked.id, frame),),
        suffers="a client begins anew where it need not, goes on where it cannot, or never comes to an end",
        count=count,
    )


def _shown(said: Stale) -> str:
    window = f"floor {said.oldest_available_cursor}, head {said.head_cursor}, budget {said.replay_budget_events}"
    return f"cursor {said.requested_cursor}, {window}: {_listed(said.reason_codes)}"


def _told_count(history: History) -> int:
    return sum(len(one.stale) for one in history.connections.values() if one.asked.purpose == SUBSCRIBER)


def _near_count(history: History) -> int:
    return sum(one.near_an_edge for one in _answered(history))


def _far_count(history: History) -> int:
    return sum(not one.near_an_edge for one in _answered(history))


def _rebootstraps(history: History) -> int:
    return sum(any(connection.stale for connection in one.connections) for one in history.subscriptions)


CHECKS = (
    Check(
        "stale.arithmetic",
        "a stale answer's reasons, lag and cursor are what its own numbers make of them",
        ("N3", "G3", "INV-07"),
        arithmetic,
        _told_count,
        rows_needed=0,
    ),
    Check(
        "stale.window",
        "a stale answer's floor, head and budget are those of the declared window, the log and the profile",
        ("N3", "G3", "C3b"),
        declared_window,
        _told_count,
        rows_needed=0,
    ),
    Check(
        "stale.edges",
        "a cursor within one of the floor or of the budget is stale exactly below the floor or beyond the budget",
        ("N3", "G3", "RB1"),
        at_edges,
        _near_count,
        rows_needed=0,
    ),
    Check(
        "stale.answer",
        "a cursor is refused as stale where it must be, and only where it may be",
        ("N3", "G3"),
        off_edges,
        _far_count,
        rows_needed=0,
    ),
    Check(
        "stale.bounded",
        "rebootstraps end: the cursor that a lane offers is good, and a client's policy outlasts them",
        ("G3", "RB1"),
        rebootstrap,
        _rebootstraps,
        rows_needed=0,
    ),
)
