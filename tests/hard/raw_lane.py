"""A lane that writes raw bytes after its handshake: whatever no WebSocket library would agree to send."""

import asyncio
import base64
import contextlib
import hashlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from harness.lanes.deployment import LaneHandle
from harness.lanes.profile import load_profile
from harness.model.names import Side

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CONTINUATION, CLOSE, PING = 1, 2, 0, 8, 9


def frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True, reserved: int = 0, masked: bool = False) -> bytes:
    """One frame as a server sends it, or as it must not."""
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = bytes([first, bit | size])
    elif size < 65536:
        head = bytes([first, bit | 126]) + struct.pack("!H", size)
    else:
        head = bytes([first, bit | 127]) + struct.pack("!Q", size)
    return head + (b"\0\0\0\0" if masked else b"") + payload


def close_frame(code: int, reason: bytes = b"") -> bytes:
    """A Close frame."""
    return frame(struct.pack("!H", code) + reason, CLOSE)


@dataclass
class RawLane:
    """Where to connect, and how many came."""

    side: Side
    url: str = ""
    connections: int = 0
    first_lines: list[str] = field(default_factory=list)

    @property
    def handle(self) -> LaneHandle:
        """What the driver knows of it."""
        profile = load_profile("legacy-reference" if self.side is Side.LEGACY else "target-standin")
        return LaneHandle(self.side, profile, self.url, profile.dialect, profile.database or None)


@asynccontextmanager
async def raw_lane(*scripts: bytes, side: Side = Side.LEGACY, answer: bytes | None = None) -> AsyncIterator[RawLane]:
    """Each connection gets the next script, the last one for ever, and is then left to the client.

    `answer` replaces the answer to the handshake.
    """
    lane = RawLane(side)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            lane.first_lines.append(request.partition("\r\n")[0])
            writer.write(answer if answer is not None else _accepted(request))
            writer.write(scripts[min(lane.connections, len(scripts) - 1)] if scripts else b"")
            lane.connections += 1
            await writer.drain()
            while await reader.read(65536):
                pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        lane.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield lane


def _accepted(request: str) -> bytes:
    headers = dict(line.split(": ", 1) for line in request.split("\r\n")[1:] if line)
    key = headers["Sec-WebSocket-Key"]
    accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    lines.append(f"Sec-WebSocket-Accept: {accept}")
    if "Sec-WebSocket-Protocol" in headers:
        lines.append(f"Sec-WebSocket-Protocol: {headers['Sec-WebSocket-Protocol']}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
