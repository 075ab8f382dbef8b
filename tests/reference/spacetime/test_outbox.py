"""A peer that does not read."""

import asyncio
import base64
import functools
import os

from aiohttp import web

from harness.reference.spacetime.messages import frame_payload, text_frame
from harness.reference.spacetime.outbox import QUEUE_MESSAGES_MAX, Outbox

MESSAGE = "x" * 900


def test_frames_carry_their_payload() -> None:
    """Each of the three header sizes gives back what went in."""
    for size in (0, 125, 126, 65_535, 65_536):
        assert b"x" * size == frame_payload(text_frame("x" * size))


async def _sent_until_dropped(sent: asyncio.Future[int], request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    assert request.transport is not None
    outbox, frame, count = Outbox(socket, request.transport), text_frame(MESSAGE), 0
    while not request.transport.is_closing():
        outbox.send(frame)
        count += 1
        if count % 100 == 0:
            await asyncio.sleep(0)
    sent.set_result(count)
    await outbox.finish()
    return socket


async def _slow_peer() -> tuple[int, bytes]:
    """How much was sent before the cut, and all that a peer finds which only reads afterwards."""
    sent: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = web.Application()
    app.router.add_get("/", functools.partial(_sent_until_dropped, sent))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0][:2], limit=2**16)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    count = await asyncio.wait_for(sent, 30)
    left = bytearray()
    try:
        while chunk := await asyncio.wait_for(reader.read(2**20), 10):
            left += chunk
    except ConnectionResetError:
        pass
    writer.close()
    await runner.cleanup()
    return count, bytes(left)


def test_a_peer_that_does_not_read_is_cut_without_a_close() -> None:
    """After 16 384 queued messages the connection is cut: whole messages, then the end, no Close frame."""
    count, left = asyncio.run(_slow_peer())

    frame = text_frame(MESSAGE)
    whole = len(left) // len(frame)
    assert count > QUEUE_MESSAGES_MAX
    assert 0 < whole < count
    assert frame * whole == left[: whole * len(frame)]
    assert frame.startswith(left[whole * len(frame) :])
