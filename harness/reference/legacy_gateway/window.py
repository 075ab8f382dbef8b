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


def message_frame(envelope_json: str) -> bytes:
    """The frame that carries an envelope (contract 2.1)."""
    return f'{{"type":"message","message":{envelope_json}}}'.encode()


class TopicWindow:
    """A bounded queue of the newest `capacity` events of one topic."""

    def __init__(self, capacity: int, replay_budget_events: int, defects: frozenset[str] = frozenset()) -> None:
        self._capacity = capacity
        self._budget = replay_budget_events
        self._defects = defects
        self._floor_error = 1 if "floor_off_by_one" in defects else 0
        # By how much a cursor is stale too early, once it is.
        self._floor_slack = 1 if "stale_forever" in defects else 0
        self._budget_slack = 0 if defects.isdisjoint({"budget_off_by_one", "stale_forever"}) else 1
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

    @property
    def told_head(self) -> int:
        """The head as readers are told it."""
        return max(self.head - 1, 0) if "head_behind" in self._defects else self.head

    def lag(self, after: int) -> int:
        """How many events `after` is behind the head, never below 0."""
        return max(self.head - after, 0)

    def staleness(self, after: int) -> Stale | None:
        """Why `after` cannot be resumed, or None if it can; a cursor at or beyond the head always can."""
        if not self._events:
            return None
        reasons = [] if "no_stale_answer" in self._defects else self._breaches(after)
        if not reasons:
            return None
        if "wrong_stale_reason" in self._defects:
            del reasons[1:]
        return Stale(after, self.oldest_cursor, self.told_head, tuple(reasons), self.lag(after), self._budget)

    def _breaches(self, after: int) -> list[str]:
        reasons = []
        if after < self.oldest_cursor + (self._floor_slack if self.dropped else 0):
            reasons.append(FLOOR_REASON)
        if after < self.head and self.lag(after) > self._budget - self._budget_slack:
            reasons.append(BUDGET_REASON)
        return reasons

    def batch(self, after: int, limit: int) -> list[Retained]:
        """Up to `limit` events above `after`, ascending."""
        first = max(after + 1, self._oldest)
        last = min(self.head, first + limit - 1)
        return [self._events[sequence] for sequence in range(first, last + 1)]
