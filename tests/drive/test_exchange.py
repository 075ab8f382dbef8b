"""Exchanges: on record before they are sent, and however they end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from harness.drive import exchange as http
from harness.drive.exchange import Answer, HttpService, Request
from tests.drive.conftest import Tape, run


@asynccontextmanager
async def service(tape: Tape, *routes: web.RouteDef) -> AsyncIterator[HttpService]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with HttpService(tape.recorder, "authority/shared", None, url) as reached:
            yield reached
    finally:
        await runner.cleanup()


def post(path: str = "/x", body: bytes = b"{}") -> Request:
    return Request("POST", path, {"Authorization": "Bearer secret-token-text"}, "command", body, 4, "w", 1, "run:r1")


def test_an_exchange_is_recorded_with_its_answer(tape: Tape) -> None:
    """Path and query as asked, both bodies raw, status and outcome; no credential."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=201, body=b"\xff\x00" + await request.read())

    async def story() -> None:
        async with service(tape, web.post("/{tail:.*}", handler)) as reached:
            answer = await reached.exchange(post("/a%3Ab/c?d=%20"))
            assert (201, b"\xff\x00{}", "ok") == (answer.status, answer.body, answer.outcome)

    run(story)

    (opened,), (closed,) = tape.rows("exchanges_opened"), tape.rows("exchanges_closed")
    wanted = {"purpose": "command", "service": "authority/shared", "step": 4, "writer": "w", "path": "/a%3Ab/c?d=%20"}
    assert wanted == {name: opened[name] for name in wanted}
    assert (201, b"\xff\x00{}", "ok") == (closed["status"], closed["response_body"], closed["outcome"])
    assert "secret-token-text" not in opened["request_headers"]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "ok"), (201, "ok"), (307, "refused"), (409, "refused"), (500, "indefinite"), (503, "indefinite")],
)
def test_the_outcome_follows_the_status(tape: Tape, status: int, outcome: str) -> None:
    """A 5xx leaves open whether the command took effect; a redirect is not followed."""

    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async def story() -> None:
        async with service(tape, web.post("/x", handler)) as reached:
            assert outcome == (await reached.exchange(post())).outcome

    run(story)

    assert [(status, outcome)] == [(row["status"], row["outcome"]) for row in tape.rows("exchanges_closed")]


def test_a_connection_error_is_indefinite_and_says_why(tape: Tape) -> None:
    """Nothing is retried: a repeat would be another command."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

    async def story() -> None:
        async with HttpService(tape.recorder, "authority/shared", None, url) as nobody:
            answer = await nobody.exchange(post())
            assert (None, "indefinite") == (answer.status, answer.outcome)

    run(story)

    (closed,) = tape.rows("exchanges_closed")
    assert closed["status"] is None
    assert "Connect" in closed["error"]


def test_a_service_that_vanishes_is_asked_once(tape: Tape) -> None:
    """A dropped connection may have carried the command; it is sent once all the same."""
    asked: list[bytes] = []

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n"))
        writer.transport.abort()

    async def story() -> None:
        server = await asyncio.start_server(drop, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, HttpService(tape.recorder, "authority/shared", None, url) as vanishing:
            assert "indefinite" == (await vanishing.exchange(post())).outcome

    run(story)

    assert 1 == len(asked)


def test_a_silent_service_gets_less_time_the_second_time(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hung service costs its deadline once, not once a command."""
    monkeypatch.setattr(http, "ANSWER_DEADLINE_S", 0.3)
    monkeypatch.setattr(http, "HURRIED_DEADLINE_S", 0.1)

    async def handler(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async def story() -> None:
        async with service(tape, web.post("/x", handler)) as reached:
            errors = [(await reached.exchange(post())).error for _ in range(2)]
            assert ["no answer within 0.3 s", "no answer within 0.1 s"] == errors

    run(story)


def test_a_cancelled_exchange_stays_open_on_record(tape: Tape) -> None:
    """What was sent and never answered is sealed as indefinite, not forgotten."""
    arrived = asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        arrived.set()
        await asyncio.Event().wait()
        return web.Response()

    async def story() -> None:
        async with service(tape, web.post("/x", handler)) as reached:
            asking: asyncio.Task[Answer] = asyncio.create_task(reached.exchange(post()))
            await arrived.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

    run(story)

    assert (1, 0) == (len(tape.rows("exchanges_opened")), len(tape.rows("exchanges_closed")))
