"""A connection on which no fault acts is as one without a proxy."""

import asyncio
import contextlib

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.faults.wire_peers import (
    DEADLINE_S,
    LOOPBACK,
    ended,
    fault,
    lane,
    message,
    port_of,
    proxied,
    raw_lane,
    reset,
    run,
    says,
    subscribed,
    until,
    until_closed,
    until_quiet,
)
from tests.wire.frames import TOPIC

UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nupgrade:   websocket\r\nX-Odd: \xff\r\n\r\n"


def test_a_handshake_is_as_without_a_proxy() -> None:
    """The lane sees a direct client's request, Host included; the client sees the lane's answer."""
    requests: list[list[tuple[str, str]]] = []
    answers: list[list[tuple[str, str]]] = []

    def greet(_: ServerConnection, request: Request) -> None:
        requests.append([("path", request.path), *_told(request)])

    async def story() -> None:
        offered = [Subprotocol("v1.json.spacetimedb")]
        async with lane(says(), process_request=greet, subprotocols=offered) as direct, proxied(direct) as proxy:
            for url in (direct, await proxy.url_for("s")):
                async with subscribed(url, "/a/ws?x=%2F", subprotocols=offered) as client:
                    assert client.response is not None
                    answers.append([("status", str(client.response.status_code)), *_told(client.response)])

    run(story)

    assert requests[0] == requests[1]
    assert answers[0] == answers[1]
    assert ("Sec-WebSocket-Protocol", "v1.json.spacetimedb") in answers[1]
    assert any(name == "Host" for name, _ in requests[1])


def _told(head: Request | Response) -> list[tuple[str, str]]:
    """Headers but those that chance and time make."""
    chance = ("Sec-WebSocket-Key", "Sec-WebSocket-Accept", "Date")
    return [pair for pair in head.headers.raw_items() if pair[0] not in chance]


def test_a_refusal_is_as_without_a_proxy() -> None:
    """Status, headers and the JSON body of a 4xx."""
    refusals = []

    def refuse(connection: ServerConnection, _: Request) -> Response:
        response = connection.respond(403, '{"error":"forbidden_topic"}')
        response.headers["X-Reason"] = "scope"
        return response

    async def story() -> None:
        async with lane(says(), process_request=refuse) as direct, proxied(direct) as proxy:
            for url in (direct, await proxy.url_for("s")):
                with pytest.raises(InvalidStatus) as refusal:
                    await subscribed(url)
                response = refusal.value.response
                refusals.append((response.status_code, _told(response), response.body))

    run(story)

    assert refusals[0] == refusals[1]
    assert (403, b'{"error":"forbidden_topic"}') == (refusals[1][0], refusals[1][2])


@pytest.mark.parametrize("code", [1000, 1001, 4410])
def test_a_lane_closes_as_without_a_proxy(code: int) -> None:
    """Everything before the Close, its code and its reason."""

    async def story() -> None:
        script = says(message(1), message(2), code=code, reason="stale_cursor")
        async with lane(script) as direct, proxied(direct) as proxy, subscribed(await proxy.url_for("s")) as client:
            assert ([message(1), message(2)], code, "stale_cursor") == await until_closed(client)

    run(story)


@pytest.mark.parametrize("how", ["ends", "resets"])
def test_a_lane_vanishes_as_without_a_proxy(how: str) -> None:
    """No Close is made up: 1006, behind everything that was sent."""

    async def script(connection: ServerConnection) -> None:
        await connection.send(message(1))
        if how == "resets":
            await connection.recv()
            connection.transport.abort()
        else:
            connection.transport.close()
        await connection.wait_closed()

    async def story() -> None:
        async with lane(script) as direct, proxied(direct) as proxy, subscribed(await proxy.url_for("s")) as client:
            assert message(1) == await client.recv()
            with contextlib.suppress(ConnectionClosed):
                await client.send("go")
            assert ([], 1006, "") == await until_closed(client)

    run(story)


def test_a_subscriber_leaves_as_without_a_proxy() -> None:
    """The lane gets its Close, code and reason, and sees it vanish when it vanishes."""
    ends: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    async def script(connection: ServerConnection) -> None:
        await connection.wait_closed()
        assert connection.close_code is not None
        ends.put_nowait((connection.close_code, connection.close_reason or ""))

    async def story() -> None:
        async with lane(script) as direct, proxied(direct) as proxy:
            client = await subscribed(await proxy.url_for("s"))
            await client.close(4000, "enough")
            assert (4000, "enough") == await ends.get()
            client = await subscribed(await proxy.url_for("s"))
            client.transport.abort()
            assert (1006, "") == await ends.get()

    run(story)


def test_every_byte_and_border_of_a_stream_passes() -> None:
    """Odd heads, fragments, empty and huge frames, controls, broken frames: the same bytes, both ways."""
    huge = b"\x82\x7f" + (1 << 20).to_bytes(8) + bytes(1 << 20)
    broken = b"\x00\x00\xff\xff\x8f\x7f" + message(7).encode()
    down = UPGRADE + b"\x01\x01a\x89\x01p\x80\x01b" + huge + broken + b"\x88\x02\x03\xe8"
    up = b"GET /ws HTTP/1.1\r\nx: 1\r\n\r\n" + b"\x81\x84mask" + bytes(100_000) + b"\x88\x80...."
    arrived: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(down)
        writer.write_eof()
        arrived.append(await reader.read())
        writer.close()

    async def story() -> None:
        async with raw_lane(script) as direct, proxied(direct) as proxy:
            proxy.inject("elsewhere", fault("cut", 7, "another"), TOPIC)
            reader, writer = await asyncio.open_connection(LOOPBACK, port_of(await proxy.url_for("s")))
            writer.write(up)
            assert down == await reader.read()
            writer.write_eof()
            assert b"" == await reader.read()
            await ended(writer)
            await until(lambda: arrived == [up])

    run(story)


@pytest.mark.parametrize("end", ["no head", "endless head"])
def test_what_is_no_request_is_for_the_lane_to_refuse(end: str) -> None:
    """A head that is broken off or has no end within bounds goes on as it came."""
    sent = b"GET /" if end == "no head" else b"GET /" + b"x" * 200_000
    arrived: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await reader.read())
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def story() -> None:
        async with raw_lane(script) as direct, proxied(direct) as proxy:
            reader, writer = await asyncio.open_connection(LOOPBACK, port_of(await proxy.url_for("s")))
            writer.write(sent)
            writer.write_eof()
            assert b"HTTP/1.1 400 Bad Request\r\n\r\n" == await reader.read()
            await ended(writer)

    run(story)

    assert [sent] == arrived


def test_pings_messages_and_fragments_pass_both_ways() -> None:
    """Pongs answer the other side's Pings; a message of 1 MiB and one of three fragments arrive whole."""
    big = "x" * (1 << 20)

    async def script(connection: ServerConnection) -> None:
        pong = await connection.ping("from the lane")
        await pong
        await connection.send(big)
        await connection.send(["a", "b", "c"])
        async for one in connection:
            await connection.send(one)

    async def story() -> None:
        async with lane(script) as direct, proxied(direct) as proxy, subscribed(await proxy.url_for("s")) as client:
            assert [big, "abc"] == [await client.recv(), await client.recv()]
            await (await client.ping("from the client"))
            await client.send(big.encode())
            assert big.encode() == await client.recv()

    run(story)


def test_a_lane_that_is_down_refuses() -> None:
    """The connection is reset before a word was said, and works again when the lane is up again."""

    async def story() -> None:
        async with lane(says()) as direct:
            pass
        async with proxied(direct) as proxy:
            url = await proxy.url_for("s")
            with pytest.raises((ConnectionError, InvalidMessage)):
                await subscribed(url)
            async with lane(says(message(1)), port=port_of(direct)) as again, subscribed(url) as client:
                assert direct == again
                assert message(1) == await client.recv()

    run(story)


def test_a_slow_subscriber_is_felt_by_the_lane() -> None:
    """What is on the way is bounded; when the subscriber reads again, everything comes."""
    size = 32 << 20
    left: asyncio.Queue[int] = asyncio.Queue()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(UPGRADE + b"\x82\x7f" + size.to_bytes(8) + bytes(size))
        await until_quiet(writer.transport.get_write_buffer_size)
        left.put_nowait(writer.transport.get_write_buffer_size())
        await reader.read()
        writer.close()

    async def story() -> None:
        async with raw_lane(script) as direct, proxied(direct) as proxy:
            reader, writer = await asyncio.open_connection(LOOPBACK, port_of(await proxy.url_for("s")))
            assert await left.get() > size // 2
            assert size == len(await reader.readexactly(len(UPGRADE) + 10 + size)) - len(UPGRADE) - 10
            await ended(writer)

    run(story)


def test_a_reset_of_the_lane_reaches_the_subscriber() -> None:
    """Also while nothing is being sent; and the other way round."""

    async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(UPGRADE)
        await reader.readexactly(len(b"GET /\r\n\r\n"))
        reset(writer)

    async def story() -> None:
        async with raw_lane(resets) as direct, proxied(direct) as proxy:
            reader, writer = await asyncio.open_connection(LOOPBACK, port_of(await proxy.url_for("s")))
            writer.write(b"GET /\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                await reader.readexactly(len(UPGRADE) + 1)
            writer.transport.abort()

    run(story)


def test_a_lane_that_has_said_all_still_listens() -> None:
    """Its end of stream comes behind all that is delayed, once, and does not end the other direction."""
    size = 4 << 20
    event = Frame(Opcode.TEXT, message(1).encode()).serialize(mask=False)
    down = UPGRADE + event + b"\x82\x7f" + size.to_bytes(8) + bytes(size)
    arrived: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(down)
        writer.write_eof()
        arrived.append(await reader.read())
        writer.close()

    async def story() -> None:
        async with raw_lane(script) as direct, proxied(direct) as proxy:
            proxy.inject("f", fault("delay", 1, delay_ms=20), TOPIC)
            reader, writer = await asyncio.open_connection(LOOPBACK, port_of(await proxy.url_for("s")))
            writer.write(b"GET /\r\n\r\n")
            await proxy.proven("f", DEADLINE_S)
            assert down == await reader.read()
            writer.write(b"late")
            writer.write_eof()
            await until(lambda: arrived)
            await ended(writer)

    run(story)

    assert [b"GET /\r\n\r\nlate"] == arrived
