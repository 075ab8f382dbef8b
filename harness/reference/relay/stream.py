"""One stream on its way into a lane: what is known to exist, what the lane has, what waits in between."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from harness.reference.relay.envelope import Envelope

BUFFERED_EVENTS_MAX = 1000
BUFFERED_BYTES_MAX = 8 * 1024 * 1024


@dataclass(slots=True)
class Stream:
    """A stream of the authority and its place in one lane.

    `appended` is the lane's head as far as the relay knows, None = the lane has to be asked. What waits is
    buffered up to a bound; beyond it the authority's log is read again. Up to `careful_through` events go
    one by one, so that one that the lane refuses holds back none before it. `carried_through` is the highest number
    that the lane ever had; since `progressed_s` (monotonic) nothing was carried, or nothing had to be.
    """

    topic: str
    owner_user_id: int | None
    announced: int = 0
    appended: int | None = None
    retained_from: int = 1
    careful_through: int = 0
    carried_through: int = 0
    progressed_s: float = 0.0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    _buffered: deque[Envelope] = field(default_factory=deque)
    _buffered_bytes: int = 0

    @property
    def pending(self) -> int:
        """How many events of the stream the lane does not have yet."""
        return max(self.announced - (self.appended or 0), 0)

    def announce(self, seq: int) -> None:
        """Notes that the authority has events up to `seq`."""
        if seq > self.announced:
            if not self.pending:
                self.progressed_s = time.monotonic()
            self.announced = seq
            self.news.set()

    def offer(self, envelopes: Iterable[Envelope]) -> None:
        """Notes events as they come; keeps those that continue what waits already, while there is room."""
        for envelope in envelopes:
            self.announce(envelope.sequence)
            fits = len(self._buffered) < BUFFERED_EVENTS_MAX and self._buffered_bytes < BUFFERED_BYTES_MAX
            if fits and self._next_offered() in (None, envelope.sequence):
                self._buffered.append(envelope)
                self._buffered_bytes += envelope.size_bytes

    def batch(self, events_max: int, bytes_max: int, last_seq: int | None = None) -> list[Envelope]:
        """The next events for the lane, up to and with `last_seq`; empty if they have to be read first."""
        if self.appended is None:
            return []
        self._drop_delivered()
        is_careful = self.appended < self.careful_through
        waiting = islice(self._buffered, 1 if is_careful else events_max)
        taken: list[Envelope] = []
        left_bytes = bytes_max
        for envelope in waiting:
            left_bytes -= envelope.size_bytes
            is_beyond = last_seq is not None and envelope.sequence > last_seq
            if is_beyond or (taken and left_bytes < 0):
                break
            taken.append(envelope)
        return taken

    def set_head(self, head: int | None) -> None:
        """Takes over the lane's head; None = it has to be asked."""
        self.appended = head
        if head is not None:
            self.progressed_s = time.monotonic()
            self.carried_through = max(self.carried_through, head)
        self.news.set()

    @property
    def stalled_ms(self) -> int:
        """For how long the lane has lacked something of the stream and got nothing of it."""
        return int((time.monotonic() - self.progressed_s) * 1000) if self.pending else 0

    def _next_offered(self) -> int | None:
        """The number that continues what waits; None = nothing waits and the lane's head is not known: any may."""
        if self._buffered:
            return self._buffered[-1].sequence + 1
        return None if self.appended is None else self.appended + 1

    def _drop_delivered(self) -> None:
        wanted = (self.appended or 0) + 1
        while self._buffered and self._buffered[0].sequence != wanted:
            gone = self._buffered.popleft()
            self._buffered_bytes -= gone.size_bytes
