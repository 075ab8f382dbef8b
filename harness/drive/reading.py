"""Reads from outside every subscriber: log, lane-reported heads and floors, checkpoints, a lane's own content."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from harness.drive.authority import AuthorityClient
from harness.drive.checkpoints import Checkpoints
from harness.drive.database import DatabaseClient, sql_text
from harness.drive.dialects import Reader, wire_stream
from harness.drive.exchange import Answer, HttpService, Request
from harness.drive.subscriber import Ask, Subscriber
from harness.lanes.deployment import Deployment, LaneHandle
from harness.lanes.profile import TOPIC_WS
from harness.model.errors import LaneError, ProtocolError
from harness.model.names import SIDES, Side, StreamKey
from harness.model.plan import BarrierStep, CommandStep, Plan, Policy, ReadStep
from harness.recording.recorder import Recorder
from harness.wire.topic_socket import poll_heads

CONTENT_DEADLINE_S = 30.0
HEADS_DEVICE = "parity-heads"
_HEADS_ATTEMPTS_MAX = 8
_HEADS_RETRY_S_MAX = 2.0
_BEYOND_EVERY_HEAD = 2**64 - 1
_STREAMS_AT_ONCE = 8
_CONTENT_POLICY = Policy(reconnect_max=10_000)


@dataclass(frozen=True, slots=True)
class Reads:
    """Reads over one deployment; `lanes` are the HTTP sides of the lanes, `databases` those that are databases."""

    plan: Plan
    deployment: Deployment
    recorder: Recorder
    authorities: dict[str, AuthorityClient]
    lanes: dict[Side, HttpService]
    databases: dict[Side, DatabaseClient]
    checkpoints: Checkpoints
    group: asyncio.TaskGroup

    async def begin(self) -> None:
        """Notes where every outbox ends before the first step."""
        await asyncio.gather(*(authority.outbox.mark() for authority in self.authorities.values()))

    async def run(self, step: ReadStep) -> None:
        """Reads every stream of `step`; what cannot be read is missing in the recording, and the timeline says so."""
        gate = asyncio.Semaphore(_STREAMS_AT_ONCE)
        streams = [self._stream(step, StreamKey.parse(stream), gate) for stream in step.streams]
        tables = [self._head_table(step, side) for side in self.databases]
        own = self._own_checkpoints(step)
        await asyncio.gather(*tables, *streams, self.checkpoints.read_table(step.index), own)
        await asyncio.gather(*(self._outbox(step, authority) for authority in self.authorities.values()))

    async def heads(self, step: BarrierStep) -> None:
        """Reads the heads and floors that the lanes name now, when every writer rests and every feed has drained.

        Beside them each authority's checkpoints of the runs.
        """
        tables = [self._head_table(step, side) for side in self.databases]
        topics = [
            self._head_of(step, StreamKey.parse(stream), side)
            for stream in step.streams
            for side in SIDES
            if self.deployment.lane(side).dialect == TOPIC_WS
        ]
        await asyncio.gather(*tables, *topics, self._own_checkpoints(step))

    async def _own_checkpoints(self, step: ReadStep | BarrierStep) -> None:
        runs = [key for key in map(StreamKey.parse, step.streams) if key.kind == "run"]
        reads = [self.checkpoints.read_own(key, user=self._owner(key), step=step.index) for key in runs]
        await asyncio.gather(*reads)

    async def _head_of(self, step: BarrierStep, stream: StreamKey, side: Side) -> None:
        try:
            topic = await self.authorities[self.plan.topology.authority_of(side)].topic(stream)
        except LaneError as error:
            self._unread(step, stream, f"lane/{side}", str(error))
        else:
            await self._topic_head(step, stream, side, topic)

    async def _stream(self, step: ReadStep, stream: StreamKey, gate: asyncio.Semaphore) -> None:
        async with gate:
            for authority in self.authorities.values():
                try:
                    async for _ in authority.log_pages(stream, purpose="log", step=step.index):
                        pass
                except LaneError as error:
                    self._unread(step, stream, f"authority/{authority.name}", str(error))
            for side in SIDES:
                await self._lane(step, stream, side)

    async def _outbox(self, step: ReadStep, authority: AuthorityClient) -> None:
        why = await authority.outbox.read(step.index)
        if why:
            service = f"authority/{authority.name}"
            self.recorder.event("unread", "outbox", step=step.index, service=service, why=why)

    async def _lane(self, step: ReadStep, stream: StreamKey, side: Side) -> None:
        lane = self.deployment.lane(side)
        try:
            topic = await self.authorities[self.plan.topology.authority_of(side)].topic(stream)
        except LaneError as error:
            self._unread(step, stream, f"lane/{side}", str(error))
            return
        if lane.dialect == TOPIC_WS:
            head = await self._topic_head(step, stream, side, topic)
            await self._topic_content(step, stream, lane, topic, head)
        else:
            query = f"SELECT * FROM sync_event WHERE stream_id = {sql_text(wire_stream(lane, topic))}"
            await self.databases[side].sql(query, purpose="content", step=step.index, stream=str(stream))

    # the legacy dialect

    async def _topic_head(self, step: ReadStep | BarrierStep, stream: StreamKey, side: Side, topic: str) -> int:
        """The head that the lane names, 0 where it names none. A poll that came too soon is made again."""
        path = f"/internal/v1/khala/topics/{quote(topic, safe='')}/messages?after_seq={_BEYOND_EVERY_HEAD}&limit=1"
        # A device a step: the lane's poll guard is one a principal, and a refused poll winds it up again.
        device = f"{HEADS_DEVICE}-{step.index}"
        token = self.deployment.secrets.reader_token(self._owner(stream), stream, device)
        headers = {"Authorization": f"Bearer {token}"}
        answer, wait_s = Answer(None), 0.0
        for attempt in range(1, _HEADS_ATTEMPTS_MAX + 1):
            request = Request("GET", path, headers, "heads", step=step.index, attempt=attempt, stream=str(stream))
            answer = await self.lanes[side].exchange(request)
            if answer.status != 429:
                break
            wait_s = min(wait_s + _retry_after_s(answer.body), _HEADS_RETRY_S_MAX)
            await asyncio.sleep(wait_s)
        if answer.outcome == "ok":
            with contextlib.suppress(ProtocolError):
                report = poll_heads(answer.body)
                return 0 if report is None else report.head
        return 0

    async def _topic_content(self, step: ReadStep, stream: StreamKey, lane: LaneHandle, topic: str, head: int) -> None:
        """Reads the stream through fresh connections from zero, reconnecting until `head`."""
        reader = Reader(stream, topic, self._owner(stream), f"content:{stream}")
        ask = Ask("content", step.index, reader, cursor=0, until=head, policy=_CONTENT_POLICY)
        died = self.deployment.service(f"lane/{lane.side}").died
        subscriber = Subscriber(ask, lane, self.deployment.secrets, self.recorder, died)
        subscriber.start(self.group)
        if not await subscriber.finish(CONTENT_DEADLINE_S):
            self._unread(step, stream, f"lane/{lane.side}", f"content ended at {subscriber.applied}, head is {head}")

    # the target dialect

    async def _head_table(self, step: ReadStep | BarrierStep, side: Side) -> None:
        await self.databases[side].sql("SELECT * FROM stream_head", purpose="heads", step=step.index)

    def _owner(self, stream: StreamKey) -> int:
        """Whose stream it is: readers of the legacy lane need their owner's user id (contract 7.1)."""
        if stream.kind == "fleet" and stream.name.isdigit():
            return int(stream.name)
        return next(_users(self.plan, stream), 1)

    def _unread(self, step: ReadStep | BarrierStep, stream: StreamKey, service: str, why: str) -> None:
        self.recorder.event("unread", str(stream), step=step.index, service=service, why=why)


def _users(plan: Plan, stream: StreamKey) -> Iterator[int]:
    """Users of the commands that made `stream`."""
    for step in plan.steps:
        if isinstance(step, CommandStep) and step.command.stream == stream:
            yield step.command.user


def _retry_after_s(body: bytes) -> float:
    """How long the lane asks to wait, within reason."""
    try:
        wait_ms = json.loads(body)["retry_after_ms"]
        return min(max(float(wait_ms) / 1000, 0.0), _HEADS_RETRY_S_MAX)
    except (ValueError, KeyError, TypeError, RecursionError):
        return _HEADS_RETRY_S_MAX
