"""How connections end: with the code that the profile declares for the reason, and with nothing said afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.checks.check import Check
from harness.checks.disturbance import Disturbance
from harness.history.connections import SUBSCRIBER, Connection
from harness.history.declared import declared
from harness.history.history import History
from harness.model.finding import Blame, FailureClass, Finding, FrameRef, Seen
from harness.model.names import SIDES

STALE, EVICTED, SHUTDOWN = "stale_cursor", "slow_consumer_evicted", "shutdown"
NO_CLOSE_FRAME = 1006


@dataclass(frozen=True, slots=True)
class Ending:
    """A connection that its lane ended; `reason` is None where nothing gives one, `needed` where its profile declares
    no code for it.
    """

    connection: Connection
    reason: str | None
    needed: int | None


def codes(history: History) -> Iterator[Finding]:
    """Every connection that its lane ended without a reason, or with another code than its profile declares for it.

    A reason is the dialect's (a stale answer, an eviction) or an orderly stop of the plan. A wrong code breaks two
    promises: what a stale answer means (6), and what a client may conclude from the end of a connection (11).
    Connections on which a fault of the wire acted, and those of a lane that was killed, are not judged (contract, 2.1).
    """
    for ending in _endings(history):
        code = ending.connection.ended.code
        if ending.reason is None:
            words = f"the lane ended the connection with {_named(code)}, and nothing gave it a reason"
            yield _finding("closing.code", ending.connection, words, FailureClass.SILENCE)
        elif ending.needed is not None and code != ending.needed:
            words = f"after {ending.reason} the lane closes with {_named(code)}, needed was {_named(ending.needed)}"
            for failure in (FailureClass.STALE, FailureClass.SILENCE):
                yield _finding("closing.code", ending.connection, words, failure)


def _endings(history: History) -> Iterator[Ending]:
    """Every subscriber's connection that stood and that its lane ended."""
    disturbance = Disturbance(history)
    close_codes = {side: declared(history.timeline, history.plan.settings, side).close_codes for side in SIDES}
    for connection in history.connections.values():
        asked, ended = connection.asked, connection.ended
        if asked.purpose != SUBSCRIBER or ended.closed_by != "lane" or ended.handshake_status != 101:
            continue
        fault = disturbance.ended_lane(connection)
        if fault == "kill" or disturbance.on_wire(connection):
            continue
        reason = _reason(connection) or (SHUTDOWN if fault == "stop" else None)
        yield Ending(connection, reason, close_codes[asked.side].get(reason or ""))


def _reason(connection: Connection) -> str | None:
    """The reason that the lane's last word gives: an error of the dialect goes by its own code."""
    if connection.stale:
        return STALE
    return connection.refusals[-1][1].code if connection.refusals else None


def _named(code: int | None) -> str:
    return "no Close frame" if code in (None, NO_CLOSE_FRAME) else f"code {code}"


def after_last_word(history: History) -> Iterator[Finding]:
    """Every event that came over a connection after a stale answer or an error: a lane says nothing more (contract,
    2.1 and 2.2).
    """
    for side, one in history.sides.items():
        last = {
            connection.asked.id: min(connection.last_words)
            for connection in history.connections.values()
            if connection.asked.side is side and connection.last_words
        }
        if not last:
            continue
        bound = np.full(max(history.connections) + 1, np.iinfo(np.int32).max, np.int32)
        bound[list(last)] = list(last.values())
        late = np.flatnonzero(one.deliveries.frame > bound[one.deliveries.connection])
        for number in np.unique(one.deliveries.connection[late]).tolist():
            own = late[one.deliveries.connection[late] == number]
            words = f"{len(own)} events came after the lane's last word, nothing may"
            yield _finding(
                "closing.last_word",
                history.connections[number],
                words,
                FailureClass.SILENCE,
                frame=int(one.deliveries.frame[own[0]]),
                count=len(own),
            )


def _finding(
    check: str,
    connection: Connection,
    message: str,
    failure: FailureClass,
    frame: int | None = None,
    count: int = 1,
) -> Finding:
    asked, ended = connection.asked, connection.ended
    shown = [frame] if frame is not None else connection.last_words[-1:]
    return Finding(
        check=check,
        failure=failure,
        blame=Blame.of(asked.side),
        sides=(asked.side,),
        stream=asked.stream,
        message=message,
        subscription=f"{asked.step}/{asked.side}",
        seen=(Seen(asked.side.value, f"{_named(ended.code)} {ended.reason or ''}".rstrip()),),
        frames=tuple(FrameRef(asked.side, asked.id, one) for one in shown),
        suffers="a client cannot tell whether to come back, from where, or to wait",
        count=count,
    )


def _judged(history: History) -> int:
    return sum(1 for _ in _endings(history))


def _last_words(history: History) -> int:
    return sum(bool(one.last_words) for one in history.connections.values() if one.asked.purpose == SUBSCRIBER)


CHECKS = (
    Check(
        "closing.code",
        "a lane ends a connection for a reason that dialect or plan gives, with the code that its profile declares",
        ("N1", "G3", "INV-03"),
        codes,
        _judged,
        rows_needed=0,
    ),
    Check(
        "closing.last_word",
        "after a stale answer or an error no event comes over the connection any more",
        ("N1", "INV-03"),
        after_last_word,
        _last_words,
        rows_needed=0,
    ),
)
