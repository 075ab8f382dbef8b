"""A subscriber of one stream on one side: connects, records, reconnects by its policy, and knows how far it came."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from websockets.exceptions import InvalidStatus, WebSocketException

from harness.drive.dialects import Reader, Route, route, wire_stream
from harness.drive.tapped_socket import Closed, Sink, TappedSocket, open_socket
from harness.lanes.deployment import LaneHandle
from harness.lanes.secrets import RunSecrets
from harness.model.errors import ProtocolError
from harness.model.plan import Policy
from harness.model.timeline import SUBSCRIPTION_CLOSED
from harness.recording.recorder import Recorder
from harness.wire.events import Batch, Event, Opened, Refused, Stale

BACKOFF_MAX_S = 1.0
# How long a lane that said `stale_cursor` or `error` may take to close by itself.
FAREWELL_S = 1.0
# How long a number below one that was seen may still take to arrive.
LATE_ARRIVAL_S = 1.0
CLOSE_DEADLINE_S = 4.0
UNDECODABLE_NOTED_MAX = 20
_FROM_LANE, _FROM_HARNESS, _TEXT = 0, 1, 1
_NEVER = 1 << 64
_REFUSING_NOBODY: Callable[[], bool] = bool
# The lane's last word on a connection; what follows is a matter of policy.
_STALE, _REFUSED, _LOST = "stale", "refused", "lost"
_INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a subscription is for; `until` None = it stays open until it is closed."""

    purpose: str
    step: int
    reader: Reader
    cursor: int
    until: int | None
    policy: Policy


@dataclass(slots=True)
class _Handshake:
    """The columns of a connection that the handshake decides."""

    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: bytes | None = None
    subprotocol: str | None = None


class Subscriber:
    """One subscription; `run` lives as long as it does.

    `applied` is the last number that a client which stops at a gap would have applied, `seen` the highest that was
    delivered. A rebootstrap moves `applied` to where it goes on, a snapshot that begins above the cursor to its floor.
    A refusal is final unless the subscription stood before, or its lane is out of order by plan (`in_outage`).
    """

    def __init__(
        self,
        ask: Ask,
        lane: LaneHandle,
        secrets: RunSecrets,
        recorder: Recorder,
        lane_died: asyncio.Event,
        in_outage: Callable[[], bool] = _REFUSING_NOBODY,
    ) -> None:
        self.ask = ask
        self.side = lane.side
        self.applied = ask.cursor
        self.seen = 0
        self.opened = False
        self.ended: str | None = None
        """Why it ended; None while it lives."""
        self.settled = asyncio.Event()
        """Set once it opened, was refused or gave up."""
        self._lane = lane
        self._secrets = secrets
        self._recorder = recorder
        self._lane_died = lane_died
        self._in_outage = in_outage
        self._wire_stream = wire_stream(lane, ask.reader.topic)
        self._until = _NEVER if ask.until is None else ask.until
        self._goal = _NEVER
        self._goal_met = asyncio.Event()
        self._stopped = asyncio.Event()
        self._stop_reason = _INTERRUPTED
        self._socket: TappedSocket | None = None
        self._task: asyncio.Task[None] | None = None
        self._cursor = ask.cursor
        self._rebootstraps = 0
        self._rebootstraps_in_vain = 0
        self._began_anew_at = ask.cursor
        self._failures = 0
        self._undecodable = 0
        self._last_word = _LOST

    @property
    def name(self) -> str:
        """`<step>/<side>`, as in findings and reports."""
        return f"{self.ask.step}/{self.side}"

    def start(self, group: asyncio.TaskGroup) -> None:
        """Begins to live as a task of `group`."""
        self._task = group.create_task(self.run())

    async def run(self) -> None:
        """Connects again and again, as the policy allows, until there is a reason to end."""
        attempt = 0
        try:
            for attempt in count(1):
                await self._attempt(attempt)
                self.ended = self._why_end(attempt) or await self._why_stop_waiting()
                if self.ended is not None:
                    return
        finally:
            self.ended = self.ended or self._stop_reason
            self.settled.set()
            self._goal_met.set()
            progress = {"applied": self.applied, "seen": self.seen, "attempts": attempt}
            said = {"subscriber": self.ask.reader.name, "stream": str(self.ask.reader.stream), "reason": self.ended}
            self._recorder.event(SUBSCRIPTION_CLOSED, self.name, self.side, **said, **progress)

    async def close(self, reason: str) -> None:
        """Closes the connection (1000) and waits for the end; a subscriber that does not end in time is cancelled."""
        if self._task is None or self._task.done():
            return
        self._stop(reason)
        _, hanging = await asyncio.wait({self._task}, timeout=CLOSE_DEADLINE_S)
        if hanging:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def finish(self, deadline_s: float) -> bool:
        """Whether it got to its `until`. Waits for that, and closes it if it does not come.

        A number beyond `until` that arrived before `until` itself leaves `LATE_ARRIVAL_S`, not `deadline_s`.
        """
        if self._task is None:
            return False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.settled.wait(), deadline_s)
        await self.reached(self.ask.until or 0, deadline_s)
        done, _ = await asyncio.wait({self._task}, timeout=LATE_ARRIVAL_S)
        if not done:
            await self.close("until_missed")
        return self.ended == "until"

    async def reached(self, seq: int, deadline_s: float) -> bool:
        """Whether `seq` or a higher number was delivered within the deadline; at once if it ended before."""
        self._goal = seq
        if self.seen < seq and self.ended is None:
            self._goal_met.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._goal_met.wait(), deadline_s)
        self._goal = _NEVER
        return self.seen >= seq

    # one connection

    async def _attempt(self, number: int) -> None:
        """One connection from handshake to end; leaves in `_last_word` how the lane took leave."""
        self._last_word = _LOST
        way = route(self._lane, self._secrets, self.ask.reader, self._cursor, self.ask.policy.limit)
        row = self._opened_row(way, number)
        shook = _Handshake()
        error: str | None = None
        try:
            self._socket = await open_socket(way, self._sink(way, row))
            answer = self._socket.response
            shook = _Handshake(101, _headers(answer), None, self._socket.subprotocol)
            await self._listen(self._socket, way, row)
        except InvalidStatus as refusal:
            shook = _Handshake(
                refusal.response.status_code, _headers(refusal.response), bytes(refusal.response.body or b"")
            )
            self._last_word = self._refusal() if 400 <= refusal.response.status_code < 500 else _LOST
        except (OSError, TimeoutError, WebSocketException) as failure:
            error = f"{type(failure).__name__}: {failure}"
        except asyncio.CancelledError:
            error = _INTERRUPTED
            raise
        finally:
            self._closed_row(row, shook, error)

    async def _listen(self, socket: TappedSocket, way: Route, row: int) -> None:
        try:
            for text in way.codec.opening():
                self._recorder.frame(row, _FROM_HARNESS, _TEXT, text)
                socket.send_now(text)
            if self._stopped.is_set():
                socket.leave(self._stop_reason)
            if await socket.over in (_STALE, _REFUSED):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(socket.wait_closed(), FAREWELL_S)
            await socket.close()
        finally:
            socket.transport.abort()

    def _sink(self, way: Route, row: int) -> Sink:
        """The receive path: record, peek, count. It runs once a message; what can wait is not in it."""
        record, peek, receive, replies = self._recorder.frame, way.peek, way.codec.receive, way.codec.replies

        def take(socket: TappedSocket, opcode: int, data: bytes) -> None:
            record(row, _FROM_LANE, opcode, data)
            numbers = peek(data)
            if numbers is not None:
                self._apply(socket, numbers)
                return
            try:
                events = receive(data)
            except ProtocolError as error:
                self._note_undecodable(row, error)
                return
            for event in events:
                self._handle(socket, row, event)
            for text in replies():
                record(row, _FROM_HARNESS, _TEXT, text)
                socket.send_now(text)

        return take

    def _apply(self, socket: TappedSocket, numbers: Sequence[int]) -> None:
        """Moves on by numbers of this stream that came together, ascending."""
        for seq in numbers:
            if seq > self.seen:
                self.seen = seq
            if seq == self.applied + 1 and seq <= self._until:
                self.applied = seq
        if self.seen >= self._goal:
            self._goal_met.set()
        if self.applied >= self._until:
            socket.leave("until")

    def _handle(self, socket: TappedSocket, row: int, event: Event) -> None:
        match event:
            case Batch():
                self._move_to_floor(event)
                own = [one.seq for one in event.deliveries if one.stream == self._wire_stream]
                self._apply(socket, sorted(own))
            case Opened():
                self.opened = True
                self._failures = 0
                self._recorder.connection_accepted(row)
                self.settled.set()
                if self.applied >= self._until:
                    socket.leave("until")
            case Stale():
                self._last_word = _STALE
                self._cursor = _middle_of_what_is_served(event)
                socket.leave(_STALE)
            case Refused():
                self._last_word = self._refusal()
                socket.leave(_REFUSED)

    def _move_to_floor(self, batch: Batch) -> None:
        """A snapshot that begins above the cursor is all there is: a client goes on from its floor (contract 9.2)."""
        if batch.origin == "snapshot":
            for head in batch.heads:
                if head.stream == self._wire_stream and head.floor is not None and head.floor > self.applied:
                    self.applied = min(head.floor, self._until)

    def _note_undecodable(self, row: int, error: ProtocolError) -> None:
        self._undecodable += 1
        if self._undecodable <= UNDECODABLE_NOTED_MAX:
            self._recorder.event("undecodable", self.name, self.side, connection=row, error=str(error))

    # policy

    def _refusal(self) -> str:
        return _LOST if self.opened or self._in_outage() else _REFUSED

    def _why_end(self, attempts: int) -> str | None:
        """Why there is no further connection, or None; prepares the cursor of the next one."""
        if self.opened and self.applied >= self._until:
            return "until"
        if self._stopped.is_set():
            return self._stop_reason
        if self._lane_died.is_set():
            return "lane_died"
        if self._last_word == _REFUSED:
            return "refused"
        if self._last_word == _STALE:
            return self._why_not_rebootstrap()
        if attempts - 1 - self._rebootstraps >= self.ask.policy.reconnect_max:
            return "reconnect_max"
        self._cursor = self.applied
        return None

    def _why_not_rebootstrap(self) -> str | None:
        self._rebootstraps += 1
        went_on = self.applied > self._began_anew_at
        self._rebootstraps_in_vain = 1 if went_on else self._rebootstraps_in_vain + 1
        if self._rebootstraps_in_vain > self.ask.policy.rebootstrap_max:
            return "rebootstrap_max"
        self.applied = self._began_anew_at = self._cursor
        return None

    async def _why_stop_waiting(self) -> str | None:
        """Waits before the next connection, longer each time nothing opened; answers early if it is not wanted."""
        delay_s = min(self.ask.policy.backoff_ms / 1000 * 2 ** min(self._failures, 10), BACKOFF_MAX_S)
        self._failures += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), delay_s)
            return self._stop_reason
        return None

    def _stop(self, reason: str) -> None:
        self._stop_reason = reason
        self._stopped.set()
        if self._socket is not None:
            self._socket.leave(reason)

    # rows

    def _opened_row(self, way: Route, attempt: int) -> int:
        reader = self.ask.reader
        return self._recorder.connection_opened(
            side=self.side,
            purpose=self.ask.purpose,
            subscriber=reader.name,
            step=self.ask.step,
            attempt=attempt,
            stream=str(reader.stream),
            wire_stream=self._wire_stream,
            cursor=self._cursor,
            dialect=self._lane.dialect,
            database=self._lane.database,
            url=way.url,
            request_headers=way.headers,
        )

    def _closed_row(self, row: int, shook: _Handshake, error: str | None) -> None:
        socket, self._socket = self._socket, None
        end = socket.closed() if socket is not None else Closed("lane", None, "")
        self._recorder.connection_closed(
            row,
            handshake_status=shook.status,
            handshake_headers=shook.headers,
            handshake_body=shook.body,
            subprotocol=shook.subprotocol,
            closed_by="harness" if error == _INTERRUPTED else end.by,
            code=end.code,
            reason=end.reason,
            error=error,
        )


def _middle_of_what_is_served(stale: Stale) -> int:
    """Where a client begins anew: half-way between the lowest cursor that is served now and the head.

    What lies below comes from a snapshot of the authority, which a client takes elsewhere. The lowest cursor itself
    would be stale again as soon as one more event is appended.
    """
    lowest = max(stale.oldest_available_cursor, stale.head_cursor - stale.replay_budget_events)
    return lowest + max(stale.head_cursor - lowest, 0) // 2


def _headers(answer: Any) -> Mapping[str, str]:
    """Headers of a handshake answer; one that came several times keeps all its values."""
    joined: dict[str, str] = {}
    pairs: Iterator[tuple[str, str]] = answer.headers.raw_items()
    for name, value in pairs:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
