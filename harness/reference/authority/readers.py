"""Who reads the outbox, and how far its lane has come, as each reader says itself.

A correct authority does not ask: delivery never touches an answer (contract 12). The defect `answers_by_delivery` does.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.reference.authority.defects import READER_LATE_MS
from harness.reference.refusals import Refused


@dataclass(slots=True)
class _Reader:
    """One reader: how many of its requests are open, when the last one was (monotonic s), what it said of its lane."""

    stalled_ms: int = 0
    open_requests: int = 0
    seen_s: float = 0.0

    def is_late(self, now_s: float) -> bool:
        is_away = not self.open_requests and (now_s - self.seen_s) * 1000 > READER_LATE_MS
        return is_away or self.stalled_ms > READER_LATE_MS


@dataclass(slots=True)
class OutboxReaders:
    """Every reader of this life of the authority, by its name."""

    _readers: dict[str, _Reader] = field(default_factory=dict)

    @contextmanager
    def reading(self, name: str, stalled_ms: int) -> Iterator[None]:
        """Notes one request of a reader whose lane has made no progress for `stalled_ms`, 0 if it lacks nothing."""
        reader = self._readers.setdefault(name, _Reader())
        reader.stalled_ms = stalled_ms
        reader.open_requests += 1
        try:
            yield
        finally:
            reader.open_requests -= 1
            reader.seen_s = time.monotonic()

    def check_delivery(self) -> None:
        """Raises Refused 500 if any reader is late."""
        now_s = time.monotonic()
        late = [name for name, reader in self._readers.items() if reader.is_late(now_s)]
        if late:
            raise Refused(500, "internal", f"fanout mirror spacetime publish failed: append failed: {late[0]}")
