"""The arithmetic of cursors over a retained window (contract, 3, 3.1 and 4): numbers in, numbers out.

A window holds the numbers above `floor`, up to and including `head`; a cursor names the last number applied. All
numbers of a stream are dense from 1.
"""

from dataclasses import dataclass

FLOOR_BREACH = "retention_floor_breach"
BUDGET_BREACH = "replay_budget_exceeded"
_CODEX = "other:runtime.codex_worker_events"


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """What the dialect gives a class of topics: its tier, and its replay budget in events where no profile says."""

    tier: str
    replay_budget_events: int


_LEVELS = {
    "run": ServiceLevel("warm", 20_000),
    "worker": ServiceLevel("warm", 10_000),
    "fleet": ServiceLevel("warm", 10_000),
}
_HOT, _COLD = ServiceLevel("hot", 3_000), ServiceLevel("cold", 500)


def service_level(stream: str) -> ServiceLevel:
    """The level of a stream by its plan name (contract, 3.1)."""
    return _HOT if stream == _CODEX else _LEVELS.get(stream.partition(":")[0], _COLD)


def floor_of(head: int, retention_events: int) -> int:
    """The smallest cursor that a full window serves."""
    return max(head - retention_events, 0)


def replay_lag(cursor: int, head: int) -> int:
    """How many events a cursor is behind the head; 0 at and beyond it."""
    return max(head - cursor, 0)


def stale_reasons(cursor: int, floor: int, head: int, replay_budget_events: int) -> tuple[str, ...]:
    """Why a cursor cannot be resumed, in the contract's order; none where it can.

    The cursor at the floor is served, and so are one whose lag is the budget and every one at or beyond the head.
    """
    floor_breach = cursor < floor
    budget_breach = cursor < head and replay_lag(cursor, head) > replay_budget_events
    found = (FLOOR_BREACH, floor_breach), (BUDGET_BREACH, budget_breach)
    return tuple(code for code, breached in found if breached)


def replayed(cursor: int, floor: int, head: int) -> range:
    """The numbers that a lane without stale answers sends for a cursor: what it still holds above it."""
    return range(max(cursor, floor) + 1, head + 1)


def offered(floor: int, head: int, replay_budget_events: int) -> int:
    """The cursor from which a client goes on after a stale answer: the smallest one that is not stale."""
    return max(floor, head - replay_budget_events, 0)


def at_an_edge(cursor: int, retention_events: int, head: int, replay_budget_events: int) -> bool:
    """Whether a cursor lies within one of the floor or of the budget, as far as the stream has come to either."""
    edges = floor_of(head, retention_events), head - replay_budget_events
    return any(edge > 0 and abs(cursor - edge) <= 1 for edge in edges)
