"""The gateway's routes."""

import asyncio

from aiohttp import web

from harness.reference.legacy_gateway.access import admitted_feeder, admitted_reader
from harness.reference.legacy_gateway.consumers import ConsumerRegistry
from harness.reference.legacy_gateway.poll import poll_answer
from harness.reference.legacy_gateway.requests import read_topic_request
from harness.reference.legacy_gateway.settings import GatewaySettings
from harness.reference.legacy_gateway.store import TopicStore, read_delivery
from harness.reference.legacy_gateway.topic_socket import CLOSE_GOING_AWAY, TopicSocket
from harness.reference.refusals import answer, json_object, json_refusals
from harness.reference.strict_json import dumps

# 200 envelopes of the authority's largest payload, with room for what JSON adds.
BODY_BYTES_MAX = 256 * 1024 * 1024
TOPICS = "/internal/v1/khala/topics/{topic}"


class Gateway:
    """The legacy lane: fed by the relay, read over WebSockets and polls."""

    def __init__(self, secret: bytes, settings: GatewaySettings, boot_id: str) -> None:
        self._secret = secret
        self._settings = settings
        self._boot_id = boot_id
        self._store = TopicStore(settings, boot_id)
        self._registry = ConsumerRegistry()
        self._sockets: set[TopicSocket] = set()

    def application(self) -> web.Application:
        """The web application to serve."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[json_refusals])
        app.router.add_get(f"{TOPICS}/ws", self.topic_socket, allow_head=False)
        app.router.add_get(f"{TOPICS}/messages", self.messages, allow_head=False)
        app.router.add_post("/internal/v1/ingest", self.ingest)
        app.router.add_get("/internal/v1/heads", self.heads, allow_head=False)
        app.router.add_get("/healthz", self.healthz, allow_head=False)
        app.on_shutdown.append(self.stop)
        return app

    async def topic_socket(self, request: web.Request) -> web.StreamResponse:
        """`GET …/ws`: joins a topic (contract 2)."""
        wish = read_topic_request(request, upgrade=True)
        principal = admitted_reader(request, wish.topic, self._secret, self._store)
        consumer = self._registry.take(principal, wish.topic.text, _now_ms())
        socket = TopicSocket(wish, principal, self._store, self._registry, self._settings)
        consumer.sockets += 1
        self._sockets.add(socket)
        try:
            return await socket.run(request)
        finally:
            self._sockets.discard(socket)
            consumer.sockets -= 1
            if not consumer.sockets and consumer.polled_at_ms is None:
                self._registry.forget(principal, wish.topic.text)

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """`GET …/messages`: polls a topic (contract 2.4)."""
        wish = read_topic_request(request, upgrade=False)
        principal = admitted_reader(request, wish.topic, self._secret, self._store)
        text = poll_answer(wish, principal, self._store, self._registry, self._settings, _now_ms())
        return answer(text)

    async def ingest(self, request: web.Request) -> web.StreamResponse:
        """`POST /internal/v1/ingest`: takes consecutive events of one topic from the relay."""
        admitted_feeder(request, self._secret)
        delivery = read_delivery(await json_object(request))
        head = self._store.ingest(delivery)
        return answer(dumps({"topic": delivery.topic, "head": head, "boot_id": self._boot_id}))

    async def heads(self, request: web.Request) -> web.StreamResponse:
        """`GET /internal/v1/heads`: head and floor of every topic, for the relay."""
        admitted_feeder(request, self._secret)
        heads, floors = self._store.heads(), self._store.floors()
        return answer(dumps({"boot_id": self._boot_id, "heads": heads, "floors": floors}))

    async def healthz(self, _request: web.Request) -> web.StreamResponse:
        """`GET /healthz`: says that the gateway is there, without a token."""
        return answer(dumps({"status": "ok", "service": "legacy_gateway", "boot_id": self._boot_id}))

    async def stop(self, _app: web.Application) -> None:
        """Tells every reader that the gateway goes away."""
        closing = (socket.close(CLOSE_GOING_AWAY, "going_away") for socket in self._sockets)
        # A reader that is already gone is no reason not to tell the others.
        await asyncio.gather(*closing, return_exceptions=True)


def _now_ms() -> float:
    return asyncio.get_running_loop().time() * 1000
