"""Each fault on each dialect, between real lanes and real subscribers, with its proof and its heal."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosedError

from harness.faults.wire import WireProxy
from harness.model.errors import HarnessError, UsageError
from harness.model.names import Side
from harness.model.plan import Fault, WireFaultKind
from tests.faults.wire_lanes import LegacyLane, ReferenceLane, Subscription, TargetLane, fed, new_topic, subscription
from tests.faults.wire_peers import (
    DEADLINE_S,
    LOOPBACK,
    ended,
    fault,
    lane,
    message,
    port_of,
    proxied,
    run,
    says,
    subscribed,
    until,
    until_closed,
    until_quiet,
)
from tests.reference.legacy_gateway.running import running_gateway
from tests.reference.spacetime.running import running_stand_in
from tests.wire.frames import TOPIC

BODIES = {seq: {"n": seq} for seq in range(1, 7)}


@pytest.fixture(scope="module", params=["legacy", "target"])
def real_lane(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReferenceLane]:
    """A reference lane in a process of its own."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "legacy":
        with running_gateway(folder) as gateway:
            yield LegacyLane(gateway)
    else:
        with running_stand_in(folder) as stand_in:
            yield TargetLane(stand_in)


@dataclass
class Scene:
    """A subscriber `s` of a topic behind a proxy, six events on their way, a fault called `f` at the third."""

    lane: ReferenceLane
    topic: str
    proxy: WireProxy
    url: str
    reader: Subscription

    async def proof(self) -> dict[str, object]:
        proof = await self.proxy.proven("f", DEADLINE_S)
        assert proof is not None
        return dict(proof)

    @asynccontextmanager
    async def again(self, cursor: int) -> AsyncIterator[Subscription]:
        async with subscription(self.lane, self.url, self.topic, cursor) as reader:
            yield reader


@asynccontextmanager
async def scene(real: ReferenceLane, kind: WireFaultKind, delay_ms: int | None = None) -> AsyncIterator[Scene]:
    topic = new_topic()
    async with proxied(real.url, real.dialect) as proxy:
        url = await proxy.url_for("s")
        proxy.inject("f", fault(kind, 3, "s", delay_ms), real.wire_stream(topic))
        async with subscription(real, url, topic) as reader:
            await reader.opened()
            await fed(real, topic, 1, 6)
            yield Scene(real, topic, proxy, url, reader)


@pytest.mark.parametrize(
    ("kind", "seqs"),
    [("drop", [1, 2, 4, 5, 6]), ("duplicate", [1, 2, 3, 3, 4, 5, 6]), ("swap", [1, 2, 4, 3, 5, 6])],
)
def test_a_lane_can_be_made_to_lie(real_lane: ReferenceLane, kind: WireFaultKind, seqs: list[int]) -> None:
    """One event is missing, doubled or out of order; every body is that of its event."""

    async def story() -> None:
        async with scene(real_lane, kind) as play:
            came = await play.reader.events(6)
            proof = await play.proof()

            assert seqs == [one.seq for one in came]
            assert all(json.loads(one.body) == BODIES[one.seq] for one in came)
            assert ("legacy", kind, 3, "s", 1) == tuple(
                proof[name] for name in ("side", "kind", "seq", "subscriber", "connection")
            )
            assert {"kind": kind, "acted": 1, "left_alone": {}, "healed": {}} == await play.proxy.heal("f")

    run(story)


def test_a_body_can_be_changed(real_lane: ReferenceLane) -> None:
    """The event comes with another body and the hash of the true one, also to whoever replays it."""

    async def story() -> None:
        async with scene(real_lane, "change") as play, play.again(2) as later:
            came = await play.reader.events(6)
            (replayed, *_) = await later.events(6)
            await play.proxy.heal("f")
            async with play.again(2) as healed:
                (true, *_) = await healed.events(6)

            assert {**BODIES, 3: {"n": 13}} == {one.seq: json.loads(one.body) for one in came}
            assert [{"n": 13}, {"n": 3}] == [json.loads(one.body) for one in (replayed, true)]
            assert came[2].carried_hash == true.carried_hash

    run(story)


def test_a_connection_can_be_cut_inside_an_event(real_lane: ReferenceLane) -> None:
    """Everything before the event arrives, then the connection ends without a Close; a resume gets the rest."""

    async def story() -> None:
        async with scene(real_lane, "cut") as play:
            came = await play.reader.events(2)
            _, code, _ = await until_closed(play.reader.client)
            proof = await play.proof()
            async with play.again(2) as resumed:
                rest = await resumed.events(6)

            assert ([1, 2], 1006) == ([one.seq for one in came], code)
            assert [3, 4, 5, 6] == [one.seq for one in rest]
            assert 0 < int(str(proof["bytes_passed"])) < int(str(proof["bytes_of_message"]))

    run(story)


def test_a_connection_can_be_half_open(real_lane: ReferenceLane) -> None:
    """Nothing passes and nobody is told, until the heal ends it without a Close; a resume gets the rest."""

    async def story() -> None:
        async with scene(real_lane, "half_open") as play:
            came = await play.reader.events(2)
            await play.proof()
            pong = asyncio.ensure_future(await play.reader.client.ping())
            await until_quiet(pong.done)
            silent = not pong.done()
            report = await play.proxy.heal("f")
            with pytest.raises(ConnectionClosedError):
                await play.reader.client.recv()
            async with play.again(2) as resumed:
                rest = await resumed.events(6)

            assert ([1, 2], True) == ([one.seq for one in came], silent)
            assert {"aborted": 1} == report["healed"]
            assert [3, 4, 5, 6] == [one.seq for one in rest]

    run(story)


def test_a_connection_can_be_stalled(real_lane: ReferenceLane) -> None:
    """The lane is not read; after the heal all goes on in order on the same connection."""

    async def story() -> None:
        async with scene(real_lane, "stall") as play:
            came = await play.reader.events(2)
            await play.proof()
            pong = asyncio.ensure_future(await play.reader.client.ping())
            await until_quiet(pong.done)
            silent = not pong.done()
            report = await play.proxy.heal("f")
            rest = await play.reader.events(6)
            await pong

            assert ([1, 2], True) == ([one.seq for one in came], silent)
            assert {"resumed": 1} == report["healed"]
            assert [3, 4, 5, 6] == [one.seq for one in rest]

    run(story)


def test_a_connection_can_be_delayed(real_lane: ReferenceLane) -> None:
    """What comes from the event on comes late and in order; after the heal nothing is late."""

    async def story() -> None:
        async with scene(real_lane, "delay", delay_ms=300) as play:
            came = await play.reader.events(6)
            proof = await play.proof()
            report = await play.proxy.heal("f")
            pong = await play.reader.client.ping()
            latency_s = await pong

            assert [1, 2, 3, 4, 5, 6] == [one.seq for one in came]
            assert int(str(proof["late_ms"])) >= 300
            assert {"drained": 1} == report["healed"]
            assert latency_s < 0.3

    run(story)


def test_a_heal_waits_for_what_a_delay_holds() -> None:
    """It is over when everything that was late is on its way."""

    async def story() -> None:
        async with lane(says(*map(message, range(1, 7)))) as url, proxied(url) as proxy:
            proxy.inject("f", fault("delay", 3, delay_ms=400), TOPIC)
            async with subscribed(await proxy.url_for("s")) as client:
                before = [await client.recv() for _ in range(2)]
                await until_quiet(lambda: 0)
                report = await proxy.heal("f")
                rest = [await client.recv() for _ in range(4)]

                assert list(map(message, range(1, 7))) == before + rest
                assert ({"drained": 1}, 1) == (report["healed"], report["acted"])

    run(story)


# whom it concerns


def test_a_fault_concerns_the_named_subscriber_or_every_one() -> None:
    """Each connection of each is changed; those of another stay as they are."""

    async def story() -> None:
        async with lane(says(message(1), code=1000)) as url, proxied(url) as proxy:
            proxy.inject("one", fault("duplicate", 1, "a"), TOPIC)
            proxy.inject("all", fault("change", 1), TOPIC)
            proxy.inject("none", fault("drop", 1), "run:other:events")
            came = {}
            for name in ("a", "b", "b"):
                async with subscribed(await proxy.url_for(name)) as client:
                    came[name] = (await until_closed(client))[0]

            assert {"a": [message(1, '{"n":11}')] * 2, "b": [message(1, '{"n":11}')]} == came
            reports = [await proxy.heal(name) for name in ("one", "all", "none")]
            assert [1, 4, 0] == [report["acted"] for report in reports]

    run(story)


def test_many_subscribers_have_a_port_each() -> None:
    """A hundred at once, each with its own connection count, all cut once and whole the second time."""
    names = [f"s{number}" for number in range(100)]

    async def read(url: str) -> tuple[int, int]:
        async with subscribed(url) as client:
            came, code, _ = await until_closed(client)
            return len(came), code

    async def story() -> None:
        async with lane(says(*map(message, range(1, 21)), code=1000)) as url, proxied(url) as proxy:
            proxy.inject("f", fault("cut", 11), TOPIC)
            urls = [await proxy.url_for(name) for name in names]

            assert len(set(urls)) == 100
            assert urls[0] == await proxy.url_for(names[0])
            assert [(10, 1006)] * 100 == await asyncio.gather(*map(read, urls))
            assert [(20, 1000)] * 100 == await asyncio.gather(*map(read, urls))
            assert 100 == (await proxy.heal("f"))["acted"]

    run(story)


def test_a_fault_that_does_not_act_has_no_proof() -> None:
    """The event never passes: nothing is made up, and the heal says that it did not act."""

    async def story() -> None:
        async with lane(says(message(1), code=1000)) as url, proxied(url) as proxy:
            proxy.inject("f", fault("stall", 2), TOPIC)
            async with subscribed(await proxy.url_for("s")) as client:
                await until_closed(client)

            assert await proxy.proven("f", 0.01) is None
            assert {"kind": "stall", "acted": 0, "left_alone": {}, "healed": {}} == await proxy.heal("f")

    run(story)


def test_what_was_waiting_for_the_next_event_passes_at_the_heal() -> None:
    """A swap without a next event is none; the event is not lost."""

    async def story() -> None:
        async with lane(says(message(1))) as url, proxied(url) as proxy:
            proxy.inject("f", fault("swap", 1), TOPIC)
            async with subscribed(await proxy.url_for("s")) as client:
                await (await client.ping())
                report = await proxy.heal("f")

                assert message(1) == await client.recv()
                assert ({"released": 1}, 0) == (report["healed"], report["acted"])

    run(story)


# the proxy itself


def test_stop_does_not_wait_for_a_lane_that_takes_nobody() -> None:
    """A connection that is still being made to the lane is given up."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as sockets:
            deaf = sockets.enter_context(socket.socket())
            deaf.bind((LOOPBACK, 0))
            deaf.listen(0)
            fillers = [sockets.enter_context(socket.socket()) for _ in range(3)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(deaf.getsockname())
            async with proxied(f"http://{LOOPBACK}:{deaf.getsockname()[1]}") as proxy:
                reader, writer = await asyncio.open_connection(LOOPBACK, port_of(await proxy.url_for("s")))
                await until_quiet(lambda: len(asyncio.all_tasks(loop)))
                await proxy.stop()
                with pytest.raises(ConnectionResetError):
                    await reader.read()
                await ended(writer)

    run(story)


@pytest.mark.parametrize("kind", ["stall", "half_open", "delay", "swap", "drop"])
def test_stop_leaves_nothing_behind(kind: WireFaultKind) -> None:
    """No task, no descriptor, no port, whatever the connections were in the middle of."""

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def story() -> None:
        async with lane(says(message(1))) as url:
            before, tasks = descriptors(), asyncio.all_tasks()
            proxy = WireProxy(Side.LEGACY, url, "topic-ws")
            await proxy.start()
            proxy.inject("f", fault(kind, 1, delay_ms=60_000 if kind == "delay" else None), TOPIC)
            address = await proxy.url_for("s")
            clients = [await subscribed(address) for _ in range(3)]
            for client in clients:
                if kind not in ("stall", "half_open", "delay"):
                    await (await client.ping())
            await proxy.stop()
            for client in clients:
                await client.wait_closed()

            await until(lambda: descriptors() == before)
            await until(lambda: asyncio.all_tasks() <= tasks)
            with pytest.raises(ConnectionRefusedError):
                await subscribed(address)
            with pytest.raises(HarnessError, match="does not run"):
                await proxy.url_for("s")

    run(story)


def test_a_mistake_of_the_proxy_is_not_the_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks inside of the proxy ends the connection, and is told to whoever heals or stops."""

    class Broken:
        def passing(self, payload: bytes, stream: str) -> None:
            raise ZeroDivisionError(stream, payload)

    async def answers(connection: ServerConnection) -> None:
        await connection.recv()
        await says(message(1))(connection)

    async def story() -> None:
        async with lane(answers) as url:
            proxy = WireProxy(Side.LEGACY, url, "topic-ws")
            await proxy.start()
            proxy.inject("f", fault("drop", 1), TOPIC)
            async with subscribed(await proxy.url_for("s")) as client:
                await client.send("go")
                assert ([], 1006, "") == await until_closed(client)
            for told in (proxy.heal("f"), proxy.stop()):
                with pytest.raises(HarnessError, match="broke 1 connections itself, the first by ZeroDivisionError"):
                    await told

    monkeypatch.setattr("harness.faults.wire.wire_dialect", lambda _: Broken())
    run(story)


def test_a_name_stands_for_one_fault() -> None:
    """A second one of that name, and a name that was never given, are mistakes of the caller."""

    async def story() -> None:
        proxy = WireProxy(Side.TARGET, "http://127.0.0.1:1", "spacetime-v1-json")
        proxy.inject("f", fault("drop", 1), TOPIC)
        with pytest.raises(UsageError, match="'f' is already on the wire of target"):
            proxy.inject("f", fault("drop", 1), TOPIC)
        with pytest.raises(UsageError, match="no fault 'g'"):
            await proxy.proven("g", 1.0)
        with pytest.raises(UsageError, match="no fault 'g'"):
            await proxy.heal("g")

    run(story)


@pytest.mark.parametrize(
    "wrong",
    [
        Fault("kill", "lane/legacy", seq=1),
        Fault("drop", "wire/legacy"),
        Fault("delay", "wire/legacy", seq=1),
        Fault("delay", "wire/legacy", seq=1, delay_ms=0),
    ],
)
def test_what_cannot_be_done_to_a_wire_is_refused(wrong: Fault) -> None:
    """Another kind, no event, no delay."""
    with pytest.raises(UsageError, match="give"):
        WireProxy(Side.LEGACY, "http://127.0.0.1:1", "topic-ws").inject("f", wrong, TOPIC)


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "127.0.0.1:1", "http://"])
def test_only_plain_http_can_be_proxied(url: str) -> None:
    """Frames inside of TLS cannot be seen."""
    with pytest.raises(UsageError, match="give an http"):
        WireProxy(Side.LEGACY, url, "topic-ws")


def test_a_path_of_the_lane_is_kept() -> None:
    """What stands before the dialect's own path."""

    async def story() -> None:
        async with proxied("http://127.0.0.1:1/lane/") as proxy:
            assert (await proxy.url_for("s")).endswith("/lane")

    run(story)
