"""Oracles that are taken away: what is not read cannot speak, and the fault must be found by those that are left.

An eye is closed by removing what the harness read through it. Alone that leaves a run inconclusive; together with a
fault the fault must still block, with its class, and with blame undecided where the oracle would have decided it.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side
from harness.power.operator import Apply, Effect, Operator, Seat
from harness.power.tape import Tape

Eye = Callable[[Tape, Side], bool]
"""Closes an eye on a side; False where it was closed already."""


def log_unread(tape: Tape, _: Side) -> bool:
    """No page of any log was read."""
    return tape.forget_exchanges(lambda row: row["purpose"] == "log") > 0


def log_and_answers_unread(tape: Tape, side: Side) -> bool:
    """Nor did an append or a heartbeat ever get its answer; creations did, since they name the runs."""
    creations = {step.index for step in tape.plan.steps if step.step == "command" and step.command.do == "create_run"}
    lost = [row for row in tape.exchanges("command", "sentinel") if row["step"] not in creations]
    for row in lost:
        row.update(status=None, response_body=None, response_headers=None, answered_ns=None, outcome="indefinite")
    return log_unread(tape, side) and bool(lost)


def content_unread(tape: Tape, side: Side) -> bool:
    """The lane's own content was not read."""
    tracks = tape.content_tracks(side)
    tape.forget_tracks(tracks)
    answers = tape.forget_exchanges(lambda row: row["purpose"] == "content" and row["side"] == side.value)
    return bool(tracks) or answers > 0


def never_opened(tape: Tape, side: Side) -> bool:
    """No subscription of the side ever opened."""
    tracks = [track for track in tape.subscribers(side) if track.connection["handshake_status"] == 101]
    for track in tracks:
        tape.silence(track)
        closed: dict[str, Any] = {"handshake_status": 503, "accepted_ns": None, "closed_by": "lane", "code": None}
        track.connection.update(closed)
    return bool(tracks)


def other_never_opened(tape: Tape, side: Side) -> bool:
    """No subscription of the other side ever opened."""
    return never_opened(tape, side.other)


def blinded(operator: Operator, eye: Eye, words: str, **declared: Any) -> Operator:
    """The operator with an eye closed after it; `declared` are the members that it declares otherwise."""
    return replace(operator, name=f"{operator.name} ({words})", apply=_then(operator.apply, eye), **declared)


def _then(apply: Apply, eye: Eye) -> Apply:
    def both(tape: Tape, side: Side, draw: Random) -> bool:
        applied = apply(tape, side, draw)
        if applied:
            eye(tape, side)
        return applied

    return both


def alone(name: str, eye: Eye, seat: Seat) -> Operator:
    """An operator that only closes the eye: nothing can be concluded then, and nobody is to blame."""

    def apply(tape: Tape, side: Side, _: Random) -> bool:
        return eye(tape, side)

    return Operator(name, Effect.INCONCLUSIVE, frozenset({FailureClass.VACUOUS}), apply, seat)


UNDECIDED = frozenset({Blame.UNDECIDED})
EITHER_SIDE = frozenset(Blame.of(side) for side in SIDES)
