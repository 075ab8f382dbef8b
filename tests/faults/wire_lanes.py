"""The reference lanes as a wire proxy sees them: fed from behind, read through codecs."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from harness.wire.codec import Codec
from harness.wire.events import Batch, Delivery
from harness.wire.mapping import stream_id
from harness.wire.spacetime_json import SpacetimeJson
from harness.wire.topic_socket import TopicSocket
from tests.faults.wire_peers import subscribed
from tests.reference.legacy_gateway.running import RunningGateway, reader_token
from tests.reference.spacetime.running import DATABASE, StandIn
from tests.wire.frames import HASH, stored

_numbers = itertools.count(1)


def new_topic() -> str:
    """A topic that no other test uses."""
    return f"run:wire-{next(_numbers)}:events"


class Subscription:
    """One connection of a subscriber."""

    def __init__(self, client: ClientConnection, codec: Codec) -> None:
        self.client = client
        self._codec = codec

    async def opened(self) -> None:
        """Returns when the lane has answered, the answer of a target lane being a snapshot without rows."""
        await self._next()
        if isinstance(self._codec, SpacetimeJson):
            await self._next()

    async def events(self, last: int) -> list[Delivery]:
        """Everything up to event `last`."""
        came: list[Delivery] = []
        while not came or came[-1].seq != last:
            came += await self._next()
        return came

    async def _next(self) -> list[Delivery]:
        message = await self.client.recv(decode=False)
        events = self._codec.receive(message)
        for reply in self._codec.replies():
            await self.client.send(reply, text=True)
        return [one for event in events if isinstance(event, Batch) for one in event.deliveries]


class ReferenceLane(Protocol):
    """A reference lane with events `{"n": seq}`."""

    dialect: str
    url: str

    def wire_stream(self, topic: str) -> str: ...

    def feed(self, topic: str, first: int, last: int) -> None: ...

    def codec(self, topic: str, cursor: int) -> Codec: ...

    def token(self) -> str: ...


class LegacyLane:
    """The gateway."""

    dialect = "topic-ws"

    def __init__(self, gateway: RunningGateway) -> None:
        self._gateway = gateway
        self.url = f"http://127.0.0.1:{gateway.port}"

    def wire_stream(self, topic: str) -> str:
        return topic

    def feed(self, topic: str, first: int, last: int) -> None:
        self._gateway.feed(topic, first, last)

    def codec(self, topic: str, cursor: int) -> Codec:
        return TopicSocket(topic, cursor)

    def token(self) -> str:
        return reader_token()


class TargetLane:
    """The stand-in; each event is a transaction of its own."""

    dialect = "spacetime-v1-json"

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self.url = f"http://127.0.0.1:{stand_in.port}"

    def wire_stream(self, topic: str) -> str:
        return stream_id(topic)

    def feed(self, topic: str, first: int, last: int) -> None:
        for seq in range(first, last + 1):
            envelope = stored(seq, f'{{"n":{seq}}}', topic=topic).hex()
            args = (stream_id(topic), {"some": seq}, f"k{seq}", HASH, envelope)
            assert 200 == self._stand_in.call("append_sync_event", *args).status

    def codec(self, topic: str, cursor: int) -> Codec:
        return SpacetimeJson(stream_id(topic), cursor, DATABASE)

    def token(self) -> str:
        return self._stand_in.token("subscriber")


@asynccontextmanager
async def subscription(lane: ReferenceLane, url: str, topic: str, cursor: int = 0) -> AsyncIterator[Subscription]:
    """A subscriber of `topic` at `url`, the lane's or a proxy's."""
    codec = lane.codec(topic, cursor)
    path, protocols = codec.handshake()
    options = {"subprotocols": _offered(protocols), "additional_headers": {"Authorization": f"Bearer {lane.token()}"}}
    async with subscribed(url, path, **options) as client:
        yield Subscription(client, codec)


def _offered(protocols: Iterable[str]) -> list[Subprotocol] | None:
    return [Subprotocol(protocol) for protocol in protocols] or None


async def fed(lane: ReferenceLane, topic: str, first: int, last: int) -> None:
    """Feeds beside the event loop, which has to carry what comes of it."""
    await asyncio.to_thread(lane.feed, topic, first, last)
