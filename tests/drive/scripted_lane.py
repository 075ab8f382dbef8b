"""A WebSocket server that says exactly what a test wants, one script a connection."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from harness.lanes.deployment import LaneHandle
from harness.lanes.profile import load_profile
from harness.model.names import Side

TOPIC = "run:0190f3b1-0000-7000-8000-000000000001:events"
Script = Callable[[ServerConnection], Awaitable[None]]


@dataclass
class ScriptedLane:
    """What connected, and where to connect."""

    url: str = ""
    cursors: list[int] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    @property
    def handle(self) -> LaneHandle:
        profile = load_profile("legacy-reference")
        return LaneHandle(Side.LEGACY, profile, self.url, profile.dialect, None)


def hello(after_seq: int = 0) -> bytes:
    frame = {"type": "hello", "topic": TOPIC, "after_seq": after_seq, "limit": 200}
    return json.dumps({**frame, "recommended_reconnect_backoff_ms": 473}, separators=(",", ":")).encode()


def message(seq: int, payload: str = "{}", topic: str = TOPIC) -> bytes:
    head = f'{{"type":"message","message":{{"topic":"{topic}","sequence":{seq},"kind":"note","payload":'
    return f'{head}{payload},"published_at":"2026-02-25T12:00:00Z"}}}}'.encode()


def stale(requested: int, oldest: int, head: int, budget: int = 20000) -> bytes:
    frame = {
        "type": "stale_cursor",
        "topic": TOPIC,
        "requested_cursor": requested,
        "oldest_available_cursor": oldest,
        "head_cursor": head,
        "reason_codes": ["retention_floor_breach"],
        "replay_lag": head - requested,
        "replay_budget_events": budget,
        "qos_tier": "warm",
    }
    return json.dumps(frame, separators=(",", ":")).encode()


EVICTED = b'{"type":"error","code":"slow_consumer_evicted","message":"topic=x lag=400"}'


def says(*frames: bytes | str, code: int | None = None, binary: bool = False) -> Script:
    """Sends the frames as text; then closes with `code`, or stays until the client leaves."""

    async def script(socket: ServerConnection) -> None:
        for frame in frames:
            await socket.send(frame, text=not binary)
        if code is not None:
            await socket.close(code)
        await socket.wait_closed()

    return script


def vanishes(*frames: bytes) -> Script:
    """Sends the frames, then drops the connection without a close frame."""

    async def script(socket: ServerConnection) -> None:
        for frame in frames:
            await socket.send(frame, text=True)
        socket.transport.close()
        await socket.wait_closed()

    return script


@asynccontextmanager
async def scripted_lane(*scripts: Script | HTTPStatus) -> AsyncIterator[ScriptedLane]:
    """Each connection gets the next script, the last one for ever; a status refuses the handshake."""
    lane = ScriptedLane()
    turns = iter([*scripts, *[scripts[-1]] * 10_000])
    pending: list[Script] = []

    def greet(connection: ServerConnection, request: Request) -> Response | None:
        lane.cursors.append(int(parse_qs(urlsplit(request.path).query)["after_seq"][0]))
        lane.tokens.append(request.headers["Authorization"])
        turn = next(turns)
        if isinstance(turn, HTTPStatus):
            return connection.respond(turn, '{"error":"forbidden_topic"}')
        pending.append(turn)
        return None

    async def play(connection: ServerConnection) -> None:
        await pending.pop(0)(connection)

    async with serve(play, "127.0.0.1", 0, process_request=greet, compression=None, close_timeout=1) as server:
        lane.url = _url(server)
        yield lane


def _url(server: Server) -> str:
    return f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
