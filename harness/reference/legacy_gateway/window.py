"""The retained events of one topic and the arithmetic of cursors over them (contract section 3).

Pure: no socket, no clock. Sequence numbers in a window are dense.
"""

from dataclasses import dataclass

FLOOR_REASON = "retention_floor_breach"
BUDGET_REASON = "replay_budget_exceeded"


@dataclass(frozen=True, slots=True)
class Retained:
    """One event as it is delivered: the envelope's JSON and the whole message frame around it."""

    sequence: int
    envelope_json: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class Stale:
    """Why a cursor cannot be resumed. `reason_codes` holds one or both reasons, the floor first."""

    requested_cursor: int
    oldest_available_cursor: int
    head_cursor: int
    reason_codes: tuple[str, ...]
    replay_lag: int
    replay_budget_events: int


class TopicWindow:
    """A bounded queue of the newest `capacity` events of one topic."""

    def __init__(self, capacity: int, replay_budget_events: int, *, floor_off_by_one: bool = False) -> None:
        self._capacity = capacity
        self._budget = replay_budget_events
        self._floor_error = 1 if floor_off_by_one else 0
        self._events: dict[int, Retained] = {}
        self._oldest = 1
        self.head = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._events)

    def append(self, event: Retained) -> None:
        """Takes the next event (its sequence must be head + 1) and drops the oldest beyond the capacity."""
        self._events[event.sequence] = event
        self.head = event.sequence
        if len(self._events) > self._capacity:
            del self._events[self._oldest]
            self._oldest += 1
            self.dropped += 1

    def retained(self, sequence: int) -> Retained | None:
        """The event with that number, or None if it is not, or no longer, held."""
        return self._events.get(sequence)

    @property
    def oldest_cursor(self) -> int:
        """The smallest cursor that can still be served."""
        return self._oldest - 1 + (self._floor_error if self.dropped else 0)

    def lag(self, after: int) -> int:
        """How many events `after` is behind the head, never below 0."""
        return max(self.head - after, 0)

    def staleness(self, after: int) -> Stale | None:
        """Why `after` cannot be resumed, or None if it can; a cursor at or beyond the head always can."""
        if not self._events:
            return None
        lag = self.lag(after)
        reasons = []
        if after < self.oldest_cursor:
            reasons.append(FLOOR_REASON)
        if lag > self._budget:
            reasons.append(BUDGET_REASON)
        if not reasons:
            return None
        return Stale(after, self.oldest_cursor, self.head, tuple(reasons), lag, self._budget)

    def batch(self, after: int, limit: int) -> list[Retained]:
        """Up to `limit` events above `after`, ascending."""
        first = max(after + 1, self._oldest)
        last = min(self.head, first + limit - 1)
        return [self._events[sequence] for sequence in range(first, last + 1)]
