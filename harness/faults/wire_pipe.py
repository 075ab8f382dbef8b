"""A pipe of constant latency between the two connections of a proxy."""

import asyncio
from collections import deque
from collections.abc import Callable

PIPE_BYTES_MAX = 4 * 1024 * 1024


class DelayPipe:
    """Does what is put into it later, in order.

    `choked(True)` is called when it holds more than PIPE_BYTES_MAX, `choked(False)` when half of that is out again.
    """

    def __init__(self, choked: Callable[[bool], None]) -> None:
        self.emptied = asyncio.Event()
        """Set as long as it delays nothing and holds nothing."""
        self.emptied.set()
        self._loop = asyncio.get_running_loop()
        self._delay_s = 0.0
        self._choked = choked
        self._queue: deque[tuple[float, int, Callable[[], None]]] = deque()
        self._held_bytes = 0
        self._is_choked = False
        self._blocked = False
        self._timer: asyncio.TimerHandle | None = None

    def delay(self, delay_s: float) -> None:
        """From now on what is put into it comes out `delay_s` later."""
        self._delay_s = delay_s
        self.emptied.clear()

    def put(self, size_bytes: int, act: Callable[[], None]) -> None:
        """Has `act` done when its time has come."""
        due = self._loop.time() + self._delay_s
        if self._queue:
            due = max(due, self._queue[-1][0])
        self._queue.append((due, size_bytes, act))
        self._weigh(size_bytes)
        self._wait()

    def block(self, blocked: bool) -> None:
        """Lets nothing out for as long as the other end does not take it."""
        self._blocked = blocked
        self._wait()

    def drain(self) -> None:
        """No more latency: what is in it comes out at its time, what comes later follows at once."""
        self._delay_s = 0.0
        self._note_empty()

    def close(self) -> None:
        """Drops what is in it."""
        self._queue.clear()
        self._wait()
        self.drain()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue and not self._blocked:
            self._timer = self._loop.call_at(self._queue[0][0], self._let_out)

    def _let_out(self) -> None:
        now = self._loop.time()
        while self._queue and not self._blocked and self._queue[0][0] <= now:
            _, size_bytes, act = self._queue.popleft()
            self._weigh(-size_bytes)
            act()
        self._wait()
        self._note_empty()

    def _weigh(self, more_bytes: int) -> None:
        self._held_bytes += more_bytes
        limit = PIPE_BYTES_MAX // 2 if self._is_choked else PIPE_BYTES_MAX
        if (self._held_bytes > limit) != self._is_choked:
            self._is_choked = not self._is_choked
            self._choked(self._is_choked)

    def _note_empty(self) -> None:
        if not self._delay_s and not self._queue:
            self.emptied.set()
