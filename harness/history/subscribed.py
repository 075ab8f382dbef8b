"""The subscriptions of the plan as they went: what was asked, whether the lane opened them, how far they must come."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.history.connections import SUBSCRIBER, Connection
from harness.history.transcript import CommandRow
from harness.model.names import SIDES, Side
from harness.model.plan import BarrierStep, Plan
from harness.model.subscription import Subscription, planned_heads, subscriptions

Noted = Mapping[str, Any]
"""A row of the timeline, its detail parsed."""

LoggedRow = tuple[str, int, int]
"""(stream, seq, position in the transcript) of a row of a log whose command was a sentinel."""

SentinelSeqs = Mapping[tuple[Side, int, str], int]
"""(side, barrier number, stream) → number of the sentinel on the side's authority."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """One subscription of one side.

    `asked` is the cursor of its first connection (None: it never tried), `end` the last number that it had to get: its
    `until` or the sentinel of its last barrier (None: it meets none, so that nothing is missing at its end).
    """

    code: int
    plan: Subscription
    stream_code: int
    connections: tuple[Connection, ...]
    asked: int | None
    end: int | None

    @property
    def name(self) -> str:
        """`<step>/<side>`."""
        return self.plan.name

    @property
    def side(self) -> Side:
        """The side that it reads from."""
        return self.plan.side

    @property
    def opened(self) -> bool:
        """Whether the lane ever said that it stands."""
        return any(connection.opened for connection in self.connections)


def subscribed(
    plan: Plan, connections: Iterable[Connection], stream_codes: Mapping[str, int], sentinels: SentinelSeqs
) -> tuple[Subscribed, ...]:
    """Every subscription of the plan, in the plan's order; its position is its code."""
    attempts: dict[tuple[int, Side], list[Connection]] = {}
    for connection in connections:
        if connection.asked.purpose == SUBSCRIBER:
            attempts.setdefault((connection.asked.step, connection.asked.side), []).append(connection)
    found = []
    for code, planned in enumerate(subscriptions(plan)):
        own = tuple(sorted(attempts.get((planned.step, planned.side), ()), key=lambda one: one.asked.attempt))
        found.append(
            Subscribed(
                code,
                planned,
                stream_codes[planned.stream],
                own,
                own[0].asked.cursor if own else None,
                _end(plan, planned, sentinels),
            )
        )
    return tuple(found)


def _end(plan: Plan, planned: Subscription, sentinels: SentinelSeqs) -> int | None:
    if planned.until is not None:
        return planned.until
    if planned.barrier is None:
        return None
    known = sentinels.get((planned.side, planned.barrier, planned.stream))
    return known if known is not None else planned_heads(plan, planned.barrier).get(planned.stream)


def sentinels(
    plan: Plan, commands: Sequence[CommandRow], logged: Mapping[str, Sequence[LoggedRow]], timeline: Iterable[Noted]
) -> dict[tuple[Side, int, str], int]:
    """The number of each sentinel: as the answer to it says, of a fleet stream as the log says; where neither does, as
    the driver noted it while it waited.
    """
    known: dict[tuple[str, int, str], int] = {}
    for note in timeline:
        if note["event"] == "sentinel" and (seq := note["detail"].get("seq")) is not None:
            known[note["detail"].get("authority", ""), int(note["subject"]), note["detail"].get("stream", "")] = int(
                seq
            )
    barriers = {step.index: step for step in plan.steps if isinstance(step, BarrierStep)}
    for row in commands:
        if row.sentinel and row.seq is not None and row.step in barriers:
            known[row.authority, barriers[row.step].number, row.stream] = row.seq
    for authority, rows in logged.items():
        for stream, seq, position in rows:
            step = barriers.get(commands[position].step)
            if step is not None and stream in step.streams and stream.startswith("fleet:"):
                known[authority, step.number, stream] = seq
    return {
        (side, number, stream): seq
        for (authority, number, stream), seq in known.items()
        for side in SIDES
        if plan.topology.authority_of(side) == authority
    }
