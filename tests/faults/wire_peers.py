"""Lanes and subscribers on either side of a wire proxy, all real, most of them scripted."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from harness.faults.wire import WireProxy
from harness.model.names import Side
from harness.model.plan import Fault, WireFaultKind
from tests.wire.frames import TOPIC

LOOPBACK = "127.0.0.1"
DEADLINE_S = 20.0
RawScript = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Script = Callable[[ServerConnection], Awaitable[None]]


def run(story: Callable[[], Coroutine[Any, Any, None]], within_s: float = 60.0) -> None:
    """Runs `story` with a deadline; no task but itself may be left when it ends."""

    async def whole() -> None:
        await asyncio.wait_for(story(), within_s)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    asyncio.run(whole())


def fault(kind: WireFaultKind, seq: int, subscriber: str | None = None, delay_ms: int | None = None) -> Fault:
    return Fault(kind, "wire/legacy", subscriber, "run:r1", seq, delay_ms)


@asynccontextmanager
async def proxied(lane_url: str, dialect: str = "topic-ws") -> AsyncIterator[WireProxy]:
    """A started proxy before the lane."""
    proxy = WireProxy(Side.LEGACY, lane_url, dialect)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()


@asynccontextmanager
async def lane(script: Script, port: int = 0, **options: Any) -> AsyncIterator[str]:
    """A WebSocket lane that does `script` with each connection; its base URL."""
    async with serve(script, LOOPBACK, port, compression=None, max_size=None, close_timeout=1, **options) as server:
        yield url_of(server)


@asynccontextmanager
async def raw_lane(script: RawScript) -> AsyncIterator[str]:
    """A TCP lane that does `script` with each connection; its base URL."""
    async with await asyncio.start_server(script, LOOPBACK, 0) as server:
        yield url_of(server)


def url_of(server: Server | asyncio.Server) -> str:
    return f"http://{LOOPBACK}:{next(iter(server.sockets)).getsockname()[1]}"


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def subscribed(url: str, path: str = "/ws", **options: Any) -> connect:
    """A client connection that is opened with `async with`."""
    address = "ws" + url.removeprefix("http") + path
    return connect(address, **{"compression": None, "max_size": None, "proxy": None, "ping_interval": None, **options})


async def until_closed(client: ClientConnection) -> tuple[list[str | bytes], int, str]:
    """Everything that comes until the connection ends, and how it ends (1006: without a Close)."""
    came: list[str | bytes] = []
    try:
        while True:
            came.append(await client.recv())
    except ConnectionClosed as closed:
        return came, *((closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, ""))


def says(*messages: str | bytes, code: int | None = None, reason: str = "") -> Script:
    """Sends the messages; then closes with `code`, or stays until the client leaves."""

    async def script(connection: ServerConnection) -> None:
        for message in messages:
            await connection.send(message, text=True)
        if code is not None:
            await connection.close(code, reason)
        await connection.wait_closed()

    return script


def message(seq: int, body: str = '{"n":1}', topic: str = TOPIC) -> str:
    head = f'{{"type":"message","message":{{"topic":"{topic}","sequence":{seq},"kind":"step","payload":'
    return f'{head}{body},"published_at":"2026-02-25T12:00:00Z"}}}}'


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection as the kernel of a dead process may do it."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def ended(writer: asyncio.StreamWriter) -> None:
    """Closes a connection of ours, whoever has closed it before."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def until(condition: Callable[[], object]) -> None:
    """Lets everything else run until the condition holds; fails when the deadline passes."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0)


async def until_quiet(value: Callable[[], int], turns: int = 2000) -> None:
    """Lets everything else run until the value was the same for so many turns of the loop."""
    seen, quiet = value(), 0
    while quiet < turns:
        await asyncio.sleep(0)
        quiet = quiet + 1 if value() == seen else 0
        seen = value()
