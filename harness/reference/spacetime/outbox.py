"""What leaves a connection: written at once while the peer reads, queued while it does not (wire sheet 4.5)."""

import asyncio
import logging
from collections import deque

from aiohttp import WSMsgType, web

from harness.reference.spacetime.messages import frame_payload

QUEUE_MESSAGES_MAX = 16_384
WRITE_THROUGH_BYTES = 64 * 1024
CLOSE_REASON_BYTES_MAX = 123
GOODBYE_S_MAX = 1.0

_log = logging.getLogger(__name__)


class Outbox:
    """The outgoing side of one socket. A peer that leaves too much unread is dropped without a Close frame."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self._socket = socket
        self._transport = transport
        self._queue: deque[bytes] = deque()
        self._draining: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    def send(self, frame: bytes) -> None:
        """Sends a finished text frame behind all earlier ones; never waits."""
        if self._transport.is_closing():
            return
        if self._draining is None and self._transport.get_write_buffer_size() < WRITE_THROUGH_BYTES:
            self._transport.write(frame)
            return
        self._queue.append(frame)
        if len(self._queue) > QUEUE_MESSAGES_MAX:
            _log.warning("client channel capacity exceeded")
            self.drop()
        elif self._draining is None:
            self._draining = asyncio.create_task(self._drain())

    def drop(self) -> None:
        """Cuts the connection without a Close frame."""
        self._queue.clear()
        self._transport.abort()

    def close(self, code: int, reason: str) -> None:
        """Sends a Close frame behind what is already on its way; the first one counts."""
        if self._closing is None:
            message = reason.encode()[:CLOSE_REASON_BYTES_MAX]
            self._closing = asyncio.create_task(self._close(code, message))

    async def finish(self) -> None:
        """Stops sending; a Close frame gets the time that the peer has to answer it."""
        if self._closing is not None:
            await asyncio.gather(self._closing, return_exceptions=True)
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.gather(self._draining, return_exceptions=True)

    async def _drain(self) -> None:
        try:
            while self._queue:
                # aiohttp's own sender waits for the peer; it wants the payload without our header.
                await self._socket.send_frame(frame_payload(self._queue.popleft()), WSMsgType.TEXT)
        except ConnectionError:
            self._queue.clear()
        finally:
            self._draining = None

    async def _close(self, code: int, message: bytes) -> None:
        try:
            async with asyncio.timeout(GOODBYE_S_MAX):
                await self._socket.close(code=code, message=message)
        except TimeoutError:
            # A peer that reads nothing does not read a Close frame either.
            self.drop()
