"""Which connections a planned fault acted on: what became of them says nothing about the lane."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.history.connections import NEVER_NS, Connection
from harness.history.faults import PlannedFault
from harness.history.history import History
from harness.model.plan import FaultKind
from harness.model.timeline import FAULT_PROVEN

SLACK_NS = 1_000_000_000
"""How far apart the end of a connection and the note of the fault that ended it may be."""
_ENDING: tuple[FaultKind, ...] = ("kill", "stop")


class Disturbance:
    """The planned faults of one history, by connection."""

    def __init__(self, history: History) -> None:
        self._faults = history.faults
        by_name = {one.step.name: one for one in self._faults}
        self._on_wire = list(_wire_faults(history.timeline, by_name))

    def on_wire(self, connection: Connection) -> bool:
        """Whether a fault of the wire was proven on the connection's side and subscriber while it lived."""
        asked, ended = connection.asked, connection.ended
        closed_ns = NEVER_NS if ended.closed_ns is None else ended.closed_ns
        return any(
            subject == f"wire/{asked.side}"
            and subscriber in (None, asked.subscriber)
            and asked.opened_ns <= at_ns <= closed_ns + SLACK_NS
            for subject, subscriber, at_ns in self._on_wire
        )

    def ended_lane(self, connection: Connection) -> FaultKind | None:
        """The fault that was ending the connection's lane when it closed; None = none was."""
        closed_ns = connection.ended.closed_ns
        if closed_ns is None:
            return None
        for one in self._faults:
            fault = one.step.fault
            of_lane = fault.kind in _ENDING and fault.subject == f"lane/{connection.asked.side}"
            if of_lane and one.open_between(closed_ns, closed_ns):
                return fault.kind
        return None

    def acted_on(self, connection: Connection) -> bool:
        """Whether any fault acted on it."""
        return self.on_wire(connection) or self.ended_lane(connection) is not None


def _wire_faults(
    timeline: tuple[Mapping[str, Any], ...], by_name: Mapping[str, PlannedFault]
) -> Iterator[tuple[str, str | None, int]]:
    """(subject, subscriber or None = every one, instant) of each proof of a fault of the wire."""
    for note in timeline:
        if note["event"] == FAULT_PROVEN and str(note["subject"]).startswith("wire/"):
            planned = by_name.get(str(note["detail"].get("name")))
            subscriber = note["detail"].get("subscriber") or (planned.step.fault.subscriber if planned else None)
            yield str(note["subject"]), subscriber, note["at_ns"]
