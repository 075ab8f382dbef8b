"""The relay's work: follow the authority, keep every stream going by itself, stand still when held."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field

from harness.reference.relay.authority_feed import AuthorityError, AuthorityFeed
from harness.reference.relay.defects import as_carried
from harness.reference.relay.envelope import Envelope
from harness.reference.relay.lane import Lane, LaneError, SequenceMismatch
from harness.reference.relay.stream import Stream

BACKOFF_FIRST_S = 0.02
BACKOFF_MAX_S = 1.0
PROBE_INTERVAL_S = 0.5
STANDSTILL_WAIT_S = 5.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Backoff:
    """Pauses that double: 20, 40 … 1000 ms."""

    next_s: float = BACKOFF_FIRST_S

    async def pause(self) -> None:
        pause_s, self.next_s = self.next_s, min(self.next_s * 2, BACKOFF_MAX_S)
        await asyncio.sleep(pause_s)

    def reset(self) -> None:
        self.next_s = BACKOFF_FIRST_S


@dataclass(slots=True)
class Carrier:
    """Carries one authority's events into one lane. All of it runs on one event loop."""

    feed: AuthorityFeed
    lane: Lane
    retention_events: int
    boot_id: str
    defects: frozenset[str] = frozenset()
    streams: dict[str, Stream] = field(default_factory=dict)
    lane_boot_id: str | None = None
    _errors: dict[str, str] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _is_held: bool = False
    _hold_after: tuple[str, int] | None = None
    _calls: int = 0
    _standstill: asyncio.Event = field(default_factory=asyncio.Event)
    _probe_now: asyncio.Event = field(default_factory=asyncio.Event)
    _follows: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> None:
        """Begins to follow the authority and to watch the lane."""
        self._spawn(self._follow_authority())
        self._spawn(self._watch_lane())

    async def follows(self, deadline_s: float) -> None:
        """Waits until the authority's streams are known and its outbox is read, at most so long."""
        await _wait_up_to(deadline_s, self._follows)

    async def stop(self) -> None:
        """Ends all work; what was in flight may or may not have reached the lane."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def hold(self, after: tuple[str, int] | None) -> None:
        """Stands still at once, or as soon as the lane has event (topic, seq) and none of it beyond.

        Returns when nothing is in flight any more, at the latest after `STANDSTILL_WAIT_S` seconds.
        """
        self._hold_after = after
        # A hold never lets go: whoever holds already stays held.
        self._is_held = self._is_held or after is None
        if after is not None and after[0] in self.streams:
            self._hold_if_reached(self.streams[after[0]])
        if self._is_held and self._calls:
            self._standstill.clear()
            await _wait_up_to(STANDSTILL_WAIT_S, self._standstill)

    def release(self) -> None:
        """Goes on."""
        self._is_held, self._hold_after = False, None
        self._wake_all()

    def status(self) -> dict[str, object]:
        """What `GET /status` shows: numbers by topic, on both lanes."""
        return {
            "held": self._is_held and not self._calls,
            "boot_id": self.boot_id,
            "lane_boot_id": self.lane_boot_id,
            "appended": {topic: stream.appended or 0 for topic, stream in self.streams.items()},
            "retained_from": {topic: stream.retained_from for topic, stream in self.streams.items()},
            "pending": sum(stream.pending for stream in self.streams.values()),
            "last_error": next(reversed(self._errors.values()), None),
        }

    async def _follow_authority(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._follow_one_life(backoff)
            except AuthorityError as error:
                self._note_error("authority", str(error))
                await backoff.pause()

    async def _follow_one_life(self, backoff: Backoff) -> None:
        # Head first, streams second: what is appended in between comes twice rather than never.
        page = await self.feed.outbox_head()
        for note in await self.feed.streams():
            self._stream(note.topic, note.owner_user_id).announce(note.head_seq)
        self._follows.set()
        boot_id = page.boot_id
        while page.boot_id == boot_id:
            self._errors.pop("authority", None)
            backoff.reset()
            stalled_ms = max((stream.stalled_ms for stream in self.streams.values()), default=0)
            page = await self.feed.outbox(page.next_ordinal, stalled_ms)
            for envelope, owner_user_id in page.rows:
                self._stream(envelope.topic, owner_user_id).offer([envelope])

    async def _watch_lane(self) -> None:
        while True:
            self._probe_now.clear()
            before = {topic: stream.appended for topic, stream in self.streams.items()}
            try:
                await self._probe_lane(before)
                self._errors.pop("lane", None)
            except LaneError as error:
                self._note_error("lane", str(error))
            await _wait_up_to(PROBE_INTERVAL_S, self._probe_now)

    async def _probe_lane(self, before: dict[str, int | None]) -> None:
        found = await self.lane.heads(before)
        self.lane_boot_id = found.boot_id
        for topic, appended in before.items():
            stream, head = self.streams[topic], found.heads.get(topic, 0)
            if appended is None or head < appended:
                stream.retained_from = found.retained_from.get(topic, 1)
                stream.set_head(head)
                self._hold_if_reached(stream)

    def _stream(self, topic: str, owner_user_id: int | None) -> Stream:
        stream = self.streams.get(topic)
        if stream is None:
            stream = self.streams[topic] = Stream(topic, owner_user_id)
            self._probe_now.set()
            self._spawn(self._carry(stream))
        return stream

    async def _carry(self, stream: Stream) -> None:
        backoff = Backoff()
        while True:
            while not self._has_work(stream):
                stream.news.clear()
                await stream.news.wait()
            try:
                await self._carry_once(stream)
                self._errors.pop(stream.topic, None)
                backoff.reset()
            except SequenceMismatch as mismatch:
                stream.set_head(None)
                self._probe_now.set()
                self._note_error(stream.topic, f"{stream.topic}: asking for the lane's head: {mismatch}")
                await backoff.pause()
            except (LaneError, AuthorityError) as error:
                self._note_error(stream.topic, f"{stream.topic} after seq {stream.appended}: {error}")
                await backoff.pause()

    async def _carry_once(self, stream: Stream) -> None:
        if self._is_over_window(stream):
            await self._retain(stream)
            return
        batch = self._batch(stream)
        if not batch and "trusts_outbox" not in self.defects:
            stream.offer(await self.feed.log(stream.topic, stream.appended or 0))
            batch = self._batch(stream)
        if self._is_held:
            return
        told = as_carried(batch, stream.carried_through, self.defects)
        if not told:
            raise AuthorityError(f"it has no event {(stream.appended or 0) + 1} to carry")
        await self._append(stream, told)

    async def _append(self, stream: Stream, batch: list[Envelope]) -> None:
        try:
            await self._call(self.lane.append(stream.owner_user_id, batch))
        except LaneError as error:
            if error.is_refusal:
                stream.careful_through = batch[-1].sequence
            raise
        stream.set_head(batch[-1].sequence)
        self._hold_if_reached(stream)

    async def _retain(self, stream: Stream) -> None:
        keep_from = (stream.appended or 0) - self.retention_events + 1
        if self.lane.needs_retention:
            await self._call(self.lane.retain(stream.topic, keep_from))
        stream.retained_from = keep_from

    async def _call(self, call: Coroutine[object, object, None]) -> None:
        self._calls += 1
        try:
            await call
        finally:
            self._calls -= 1
            if not self._calls:
                self._standstill.set()

    def _batch(self, stream: Stream) -> list[Envelope]:
        topic, last_seq = self._hold_after or (None, None)
        return stream.batch(
            self.lane.batch_events_max,
            self.lane.batch_bytes_max,
            last_seq if stream.topic == topic else None,
        )

    def _has_work(self, stream: Stream) -> bool:
        if self._is_held or stream.appended is None:
            return False
        return stream.pending > 0 or self._is_over_window(stream)

    def _is_over_window(self, stream: Stream) -> bool:
        return (stream.appended or 0) - stream.retained_from + 1 > self.retention_events

    def _hold_if_reached(self, stream: Stream) -> None:
        if self._hold_after and self._hold_after[0] == stream.topic:
            self._is_held = self._is_held or (stream.appended or 0) >= self._hold_after[1]

    def _note_error(self, source: str, text: str) -> None:
        # Taken out first: the newest error is the last one of the dictionary.
        self._errors.pop(source, None)
        self._errors[source] = text

    def _wake_all(self) -> None:
        for stream in self.streams.values():
            stream.news.set()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        self._tasks.add(asyncio.create_task(self._guarded(work)))

    async def _guarded(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except Exception as error:
            # A flaw in the relay itself must show in its status, not only in a lost task.
            _log.exception("unforeseen error")
            self._note_error("relay", f"unforeseen error: {error!r}")


async def _wait_up_to(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
