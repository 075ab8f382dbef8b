"""`GET …/subscribe`: the WebSocket handshake, its refusals and the life of the socket (wire sheet 2)."""

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from harness.reference.spacetime.answers import Answered, identify
from harness.reference.spacetime.client_messages import undecodable_binary
from harness.reference.spacetime.database import Database
from harness.reference.spacetime.identities import Caller
from harness.reference.spacetime.outbox import Outbox
from harness.reference.spacetime.sats import DecodeError
from harness.reference.spacetime.session import Session

JSON_PROTOCOL = "v1.json.spacetimedb"
INBOUND_BYTES_MAX = 32 * 1024 * 1024
PING_INTERVAL_S = 60.0
CLOSE_WAIT_S = 0.5
CLOSE_UNDECODABLE = 1011
CLOSE_TOO_BIG = 1009
COMPRESSIONS = ("None", "Brotli", "Gzip")
_CONNECTION_ID = re.compile(r"[0-9A-Fa-f]{32}")


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the query of a handshake asks for."""

    light: bool
    connection_id: int


class Socket(web.WebSocketResponse):
    """A socket that is cut, not closed, when a message is too big: as the real server does it."""

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool:
        """Closes the socket, or aborts it for code 1009."""
        transport = self._req.transport if self._req is not None else None
        if code == CLOSE_TOO_BIG and transport is not None:
            transport.abort()
        return await super().close(code=code, message=message, drain=drain)


def read_handshake(query: Mapping[str, str], headers: Mapping[str, str]) -> Handshake:
    """What a handshake asks for. Raises Answered with the refusal, in the real server's order."""
    compression = query.get("compression", "Brotli")
    if compression not in COMPRESSIONS:
        listed = ", ".join(f"`{name}`" for name in COMPRESSIONS)
        raise _bad_query(f"unknown variant `{compression}`, expected one of {listed}")
    light = query.get("light", "false")
    if light not in ("true", "false"):
        raise _bad_query("provided string was not `true` or `false`")
    connection_id = query.get("connection_id")
    if connection_id is not None and not _CONNECTION_ID.fullmatch(connection_id):
        raise _bad_query("invalid connection id, 32 hex digits are expected")
    if headers.get("Upgrade", "").lower() != "websocket":
        raise Answered(426, "This service requires use of the WebSocket protocol")
    number = secrets.randbits(128) if connection_id is None else int(connection_id, 16)
    if number == 0:
        raise Answered(400, "Invalid connection ID: the all-zeros ConnectionId is reserved.")
    return Handshake(light == "true", number)


def check_protocol(headers: Mapping[str, str]) -> None:
    """Passes a client that offers the JSON protocol. Raises Answered (400)."""
    offered = {name.strip() for name in headers.get("Sec-WebSocket-Protocol", "").split(",")}
    if JSON_PROTOCOL not in offered:
        raise Answered(400, "no valid protocol selected")


async def serve_socket(
    request: web.Request,
    handshake: Handshake,
    database: Database,
    caller: Caller,
) -> web.StreamResponse:
    """Upgrades the request and serves the client until it or its database is gone."""
    socket = Socket(
        protocols=(JSON_PROTOCOL,),
        compress=False,
        autoping=False,
        timeout=CLOSE_WAIT_S,
        max_msg_size=INBOUND_BYTES_MAX,
    )
    identify(socket, caller)
    await socket.prepare(request)
    transport = request.transport
    if transport is None:
        return socket
    outbox = Outbox(socket, transport)
    session = Session(database, caller, handshake.connection_id, outbox, light=handshake.light)
    heartbeat = _Heartbeat(socket, outbox)
    session.open()
    try:
        await _read(socket, session, outbox, heartbeat)
    finally:
        session.leave()
        await heartbeat.stop()
        await outbox.finish()
    return socket


class _Heartbeat:
    """Pings at once and every minute; a peer that has not answered by the next ping is dropped."""

    def __init__(self, socket: web.WebSocketResponse, outbox: Outbox) -> None:
        self.answered = False
        self._task = asyncio.create_task(self._beat(socket, outbox))

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _beat(self, socket: web.WebSocketResponse, outbox: Outbox) -> None:
        while True:
            self.answered = False
            await socket.ping()
            await asyncio.sleep(PING_INTERVAL_S)
            if not self.answered:
                outbox.drop()
                return


async def _read(socket: web.WebSocketResponse, session: Session, outbox: Outbox, heartbeat: _Heartbeat) -> None:
    async for message in socket:
        match message.type:
            case WSMsgType.TEXT:
                try:
                    session.receive(message.data)
                except DecodeError as error:
                    outbox.close(CLOSE_UNDECODABLE, error.problem)
                    return
            case WSMsgType.BINARY:
                outbox.close(CLOSE_UNDECODABLE, undecodable_binary(message.data))
                return
            case WSMsgType.PING:
                await socket.pong(message.data)
            case WSMsgType.PONG:
                heartbeat.answered = True


def _bad_query(problem: str) -> Answered:
    return Answered(400, f"Failed to deserialize query string: {problem}")
