"""One topic subscription over a WebSocket: the loop of contract 2.2, and how it ends."""

import asyncio
import logging
from dataclasses import asdict

from aiohttp import WSMsgType, web

from harness.reference.legacy_gateway.consumers import (
    ConsumerRegistry,
    backoff_hint_ms,
    batch_slice,
)
from harness.reference.legacy_gateway.live_events import LiveEvents
from harness.reference.legacy_gateway.requests import TopicRequest
from harness.reference.legacy_gateway.settings import GatewaySettings
from harness.reference.legacy_gateway.store import TopicStore
from harness.reference.legacy_gateway.topics import service_level
from harness.reference.legacy_gateway.window import Retained, Stale, TopicWindow
from harness.reference.strict_json import dumps
from harness.reference.tokens import Principal

CLOSE_STALE = 4410
CLOSE_EVICTED = 4429
CLOSE_GOING_AWAY = 1001
CLOSE_INTERNAL = 1011
CLOSE_WAIT_S = 0.4
GOODBYE_S_MAX = 0.5

_log = logging.getLogger(__name__)


class TopicSocket:
    """Serves one reader until it leaves, is stale, is evicted or the gateway stops.

    Strikes belong to the socket, so that the eviction arithmetic holds whoever else reads the topic.
    """

    def __init__(
        self,
        wish: TopicRequest,
        principal: Principal,
        store: TopicStore,
        registry: ConsumerRegistry,
        settings: GatewaySettings,
    ) -> None:
        self._wish = wish
        self._principal = principal
        self._store = store
        self._registry = registry
        self._settings = settings
        self._socket = web.WebSocketResponse(compress=False, timeout=CLOSE_WAIT_S)
        self._transport: asyncio.Transport | None = None
        self._goodbye: asyncio.Future[None] | None = None
        self._after = wish.after_seq
        self._strikes = 0
        self._live_from = 1
        self._live = LiveEvents(wish.topic.text, store, settings.defects)

    async def run(self, request: web.Request) -> web.WebSocketResponse:
        """Upgrades the request and serves it to its end."""
        await self._socket.prepare(request)
        self._transport = request.transport
        serving = asyncio.create_task(self._serve())
        try:
            # What a reader sends is ignored; reading is what answers its pings and its Close.
            async for _ in self._socket:
                pass
        finally:
            # The connection ends with this method: not before the peer's own Close had its time to come.
            if self._goodbye is not None:
                await self._goodbye
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        return self._socket

    async def close(self, code: int, reason: str) -> None:
        """Ends the connection with a Close frame, or without one where that defect is on."""
        if "no_close_frame" in self._settings.defects and self._transport is not None:
            self._transport.close()
            return
        self._goodbye = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(GOODBYE_S_MAX):
                told = CLOSE_INTERNAL if "wrong_close_code" in self._settings.defects else code
                await self._socket.close(code=told, message=reason.encode())
        except TimeoutError:
            # A peer that reads nothing does not read a Close frame either.
            if self._transport is not None:
                self._transport.abort()
        finally:
            self._goodbye.set_result(None)

    async def _serve(self) -> None:
        wake = asyncio.Event()
        topic = self._wish.topic.text
        self._store.waiting(topic).add(wake)
        try:
            await self._loop(wake)
        except ConnectionError:
            return
        except Exception:
            _log.exception("the loop of a topic socket failed")
            await self.close(CLOSE_INTERNAL, "internal")
        finally:
            self._store.leave(topic, wake)

    async def _loop(self, wake: asyncio.Event) -> None:
        feed = self._store.feed(self._wish.topic.text)
        if feed is not None:
            self._live_from = feed.window.head + 1
            self._after = self._first_cursor(feed.window)
        await self._send_json(self._hello())
        while True:
            wake.clear()
            feed = self._store.feed(self._wish.topic.text)
            behind = False
            if feed is not None:
                if await self._ended(feed.window):
                    return
                await self._deliver(feed.window)
                behind = feed.window.lag(self._after) > 0
            await self._pause(wake, behind)

    async def _pause(self, wake: asyncio.Event, behind: bool) -> None:
        if not behind:
            await wake.wait()
            return
        try:
            async with asyncio.timeout(self._settings.poll_interval_ms / 1000):
                await wake.wait()
        except TimeoutError:
            return

    async def _ended(self, window: TopicWindow) -> bool:
        """True if the reader was evicted or found stale, and told so."""
        lag, threshold = window.lag(self._after), self._settings.slow_consumer_lag_threshold
        self._strikes = self._strikes + 1 if lag > threshold else 0
        if self._strikes >= self._settings.slow_consumer_max_strikes:
            await self._send_json(self._evicted(lag))
            await self.close(CLOSE_EVICTED, "slow_consumer_evicted")
            return True
        stale = window.staleness(self._after)
        if stale is not None:
            await self._send_json(self._stale(stale))
            await self.close(CLOSE_STALE, "stale_cursor")
        return stale is not None

    async def _deliver(self, window: TopicWindow) -> None:
        batch = window.batch(self._after, self._batch_limit())
        if not batch:
            return
        # Moved before sending, as in the original: a failed send is not repeated on this socket.
        self._after = batch[-1].sequence
        for event in batch:
            for frame in self._frames(event):
                await self._socket.send_frame(frame, WSMsgType.TEXT)

    def _batch_limit(self) -> int:
        now_ms = asyncio.get_running_loop().time() * 1000
        active = self._registry.active_topics(self._principal, now_ms)
        return batch_slice(self._wish.limit, active, self._settings).limit

    def _frames(self, event: Retained) -> list[bytes]:
        return [event.frame] if event.sequence < self._live_from else self._live.frames(event)

    def _first_cursor(self, window: TopicWindow) -> int:
        """Where the reader goes on: after the cursor that it asked with, whether it lies beyond the head or not."""
        asked, defects = self._wish.after_seq, self._settings.defects
        is_reset = "cursor_reset" in defects or ("future_cursor_serves_old" in defects and asked > window.head)
        return window.oldest_cursor if is_reset else asked

    async def _send_json(self, frame: dict[str, object]) -> None:
        await self._socket.send_frame(dumps(frame).encode(), WSMsgType.TEXT)

    def _hello(self) -> dict[str, object]:
        wish = self._wish
        return {
            "type": "hello",
            "topic": wish.spelled,
            "after_seq": wish.after_seq,
            "limit": wish.limit,
            "recommended_reconnect_backoff_ms": backoff_hint_ms(self._principal, wish.topic.text, wish.after_seq),
        }

    def _stale(self, stale: Stale) -> dict[str, object]:
        topic = self._wish.topic
        return {
            "type": "stale_cursor",
            "topic": topic.text,
            **asdict(stale),
            "qos_tier": service_level(topic).tier,
        }

    def _evicted(self, lag: int) -> dict[str, object]:
        settings = self._settings
        message = (
            f"topic={self._wish.topic.text} lag={lag} threshold={settings.slow_consumer_lag_threshold} "
            f"strikes={self._strikes} max_strikes={settings.slow_consumer_max_strikes}"
        )
        return {"type": "error", "code": "slow_consumer_evicted", "message": message}
