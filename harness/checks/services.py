"""The processes of a run: what was ready stays, until the harness stops it."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.checks.bodies import shortened
from harness.checks.check import Check
from harness.history.history import History
from harness.model.finding import Blame, FailureClass, Finding, Seen
from harness.model.names import SIDES, Side
from harness.model.timeline import SERVICE_DIED, SERVICE_READY

_ENDING = ("kill", "stop")


def alive(history: History) -> Iterator[Finding]:
    """Every service that died after it was ready, and nothing in the plan made it (architecture, 6).

    What the plan kills or stops is no death from the beginning of its fault to the end of it; another service that dies
    meanwhile is found.
    """
    for note in history.timeline:
        if note["event"] != SERVICE_DIED or _planned(history, note):
            continue
        subject = str(note["subject"])
        role, _, seat = subject.partition("/")
        yield Finding(
            check="services.alive",
            failure=FailureClass.SILENCE,
            blame=_blame(role, seat),
            sides=(Side(seat),) if seat in list(Side) else SIDES,
            stream="",
            message=f"{subject} died, exit code {note['detail'].get('exit_code')}, and nothing in the plan made it",
            seen=(Seen(seat, shortened(str(note["detail"].get("log_tail", "")))),),
            suffers="whoever depends on it is cut off",
        )


def _planned(history: History, note: Mapping[str, Any]) -> bool:
    """Whether a fault that ends the process was going on when it died."""
    return any(
        fault.step.fault.subject == note["subject"]
        and fault.step.fault.kind in _ENDING
        and fault.open_between(note["at_ns"], note["at_ns"])
        for fault in history.faults
    )


def _blame(role: str, seat: str) -> Blame:
    if role == "authority" or seat not in list(Side):
        return Blame.AUTHORITY
    return Blame.feed_of(Side(seat)) if role == "relay" else Blame.of(Side(seat))


CHECKS = (
    Check(
        "services.alive",
        "a service that was ready stays until it is stopped",
        ("INV-08",),
        alive,
        lambda history: sum(note["event"] == SERVICE_READY for note in history.timeline),
    ),
)
