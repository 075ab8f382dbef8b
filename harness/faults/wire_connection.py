"""One subscriber's connection through the proxy: its own, the one to the lane, and what passes between them."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from harness.faults.wire_dialects import WireDialect
from harness.faults.wire_downstream import HEAD_BYTES_MAX, Downstream, Line
from harness.faults.wire_ends import Ears, End
from harness.faults.wire_faults import OrderedFault
from harness.faults.wire_pipe import DelayPipe

CONNECT_DEADLINE_S = 10.0
DRAIN_DEADLINE_S = 10.0
_HOST = re.compile(rb"(?<=\r\nhost:)[^\r\n]*", re.IGNORECASE)
_CONNECTING, _CHOKED, _PIPE_FULL, _STALLED, _FROZEN = "connecting", "choked", "pipe full", "stalled", "frozen"


@dataclass(frozen=True, slots=True)
class LaneAddress:
    """Where the lane listens, and what a subscriber without a proxy would send as its Host."""

    host: str
    port: int
    netloc: str


class WireConnection:
    """Passes bytes both ways and carries out what the Downstream decides; an end that fails takes the other along."""

    def __init__(
        self, line: Line, dialect: WireDialect, lane: LaneAddress, failed: Callable[[Exception], None]
    ) -> None:
        self._lane_address = lane
        self._failed = failed
        self._down = Downstream(line, dialect, self)
        self._request: bytes | None = b""
        self._eofs = 0
        self._frozen = False
        self._lane = End(
            Ears(self._lane_made, self._from_lane, self._lane_eof, self._lane_lost, self._lane_choked),
        )
        self._pipe = DelayPipe(partial(self._lane.pause, _PIPE_FULL))
        self._connecting: asyncio.Task[None] | None = None
        self.subscriber = End(
            Ears(self._made, self._from_subscriber, self._subscriber_eof, self._subscriber_lost, self._choked),
        )
        """The protocol of the accepted connection."""
        self.subscriber.pause(_CONNECTING)
        self.over = asyncio.gather(self.subscriber.gone, self._lane.gone)
        """Done when both ends are gone."""

    def heal(self, fault: OrderedFault) -> str | None:
        """Undoes what `fault` does here; what was undone, None where it does nothing."""
        return self._down.heal(fault)

    async def drained(self) -> bool:
        """Whether a delay holds nothing back any more; waits for that, at most DRAIN_DEADLINE_S."""
        try:
            async with asyncio.timeout(DRAIN_DEADLINE_S):
                await self._pipe.emptied.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Resets both ends and returns when they are gone."""
        self.abort()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting})
        await self.over

    # connecting

    def _made(self) -> None:
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        """Connects to the lane; a lane that is not there is felt by the subscriber as a reset."""
        address = self._lane_address
        try:
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                await asyncio.get_running_loop().create_connection(lambda: self._lane, address.host, address.port)
        except OSError:
            self.subscriber.abort()
        finally:
            self._lane.never()

    def _lane_made(self) -> None:
        self.subscriber.pause(_CONNECTING, False)

    # from the subscriber

    def _from_subscriber(self, data: bytes) -> None:
        if self._request is None:
            self._lane.write(data)
            return
        self._request += data
        if b"\r\n\r\n" in self._request or len(self._request) > HEAD_BYTES_MAX:
            self._send_request()

    def _send_request(self) -> None:
        """Sends on the request with the Host that a direct one has; nothing else in it is changed."""
        request, self._request = self._request or b"", None
        head, end, rest = request.partition(b"\r\n\r\n")
        host = b" " + self._lane_address.netloc.encode()
        self._lane.write(_HOST.sub(lambda _: host, head, count=1) + end + rest)

    def _subscriber_eof(self) -> None:
        if self._request:
            self._send_request()
        self._lane.write_eof()
        self._note_eof()

    def _subscriber_lost(self, error: Exception | None) -> None:
        self._pipe.close()
        if self._connecting is None:
            self._lane.never()
        if error is not None:
            self._lane.reset()
        else:
            self._lane.close()

    def _choked(self, choked: bool) -> None:
        self._lane.pause(_CHOKED, choked)
        self._pipe.block(choked)

    # from the lane

    def _from_lane(self, data: bytes) -> None:
        try:
            self._down.feed(data)
        # asyncio would log it and drop the connection, which then looks like the lane's doing.
        except Exception as error:
            self._failed(error)
            self.abort()

    def _lane_choked(self, choked: bool) -> None:
        self.subscriber.pause(_CHOKED, choked)

    def _lane_eof(self) -> None:
        self._down.eof()
        self._note_eof()

    def _lane_lost(self, error: Exception | None) -> None:
        if self._frozen:
            return
        self._do(0, self.subscriber.close if error is None else self.subscriber.reset)

    def _note_eof(self) -> None:
        self._eofs += 1
        if self._eofs == 2:
            self._lane.close()
            self._do(0, self.subscriber.close)

    # the hands of the Downstream

    def send(self, data: bytes) -> None:
        self._do(len(data), partial(self.subscriber.write, data))

    def send_eof(self) -> None:
        self._do(0, self.subscriber.write_eof)

    def cut(self, done: Callable[[], None]) -> None:
        self._lane.abort()
        self._do(0, self.subscriber.close)
        self._do(0, done)

    def freeze(self) -> None:
        self._frozen = True
        self._pipe.close()
        self._lane.pause(_FROZEN)
        self.subscriber.pause(_FROZEN)

    def abort(self) -> None:
        self._pipe.close()
        self.subscriber.abort()
        self._lane.abort()

    def stall(self, holds: bool) -> None:
        self._lane.pause(_STALLED, holds)

    def delay(self, delay_s: float, comes_out: Callable[[float], None]) -> None:
        came_s = time.monotonic()
        self._pipe.delay(delay_s)
        self._pipe.put(0, lambda: comes_out(time.monotonic() - came_s))

    def drain(self) -> None:
        self._pipe.drain()

    def _do(self, size_bytes: int, act: Callable[[], None]) -> None:
        """Does `act`, behind all that a delay holds back."""
        if self._pipe.emptied.is_set():
            act()
        else:
            self._pipe.put(size_bytes, act)
