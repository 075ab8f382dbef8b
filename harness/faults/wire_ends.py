"""One TCP connection of a proxy, read only while nobody has a reason against it."""

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

BUFFER_BYTES = 64 * 1024
"""What may wait in each buffer between lane and subscriber: a slow reader must be felt by the lane."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Ears:
    """What the owner of an end wants to hear of it."""

    made: Callable[[], None]
    data: Callable[[bytes], None]
    eof: Callable[[], None]
    lost: Callable[[Exception | None], None]
    choked: Callable[[bool], None]


class End(asyncio.Protocol):
    """One of the two TCP connections. A call that comes too late, the connection being gone, does nothing."""

    def __init__(self, ears: Ears) -> None:
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the connection is over, or known never to be."""
        self._ears = ears
        self._transport: asyncio.Transport | None = None
        self._reasons: set[str] = set()
        self._heard_all = False
        self._doomed = False

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._doomed:
            transport.abort()
            return
        transport.set_write_buffer_limits(high=BUFFER_BYTES)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        if self._reasons:
            transport.pause_reading()
        self._ears.made()

    def data_received(self, data: bytes) -> None:
        self._ears.data(data)

    def eof_received(self) -> bool:
        self._heard_all = True
        self._ears.eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.never()
        self._ears.lost(exc)

    def pause_writing(self) -> None:
        self._ears.choked(True)

    def resume_writing(self) -> None:
        self._ears.choked(False)

    # the owner's side

    def pause(self, reason: str, holds: bool = True) -> None:
        """Does not read as long as any reason for that holds."""
        before = bool(self._reasons)
        (self._reasons.add if holds else self._reasons.discard)(reason)
        after = bool(self._reasons)
        # asyncio would tell the end of the stream once more to whoever resumes behind it.
        if self._transport is not None and before != after and not self._heard_all:
            (self._transport.pause_reading if after else self._transport.resume_reading)()

    def never(self) -> None:
        """Counts as gone if there is no connection, or none any more."""
        if self._transport is None and not self.gone.done():
            self.gone.set_result(None)

    def write(self, data: bytes) -> None:
        """Sends, buffered."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def write_eof(self) -> None:
        """Says that no more will be sent, behind what is buffered."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """Ends it behind what is buffered."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Ends it behind what is buffered with a reset, as a dead peer's kernel does."""
        self._reset_on_close()
        self.close()

    def abort(self) -> None:
        """Ends it now with a reset, or as soon as it is made."""
        self._doomed = True
        self._reset_on_close()
        if self._transport is not None:
            self._transport.abort()

    def _reset_on_close(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
