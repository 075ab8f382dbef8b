"""A barrier: one sentinel on every stream, then a bounded wait until each open subscriber and each relay has it."""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.drive.authority import SENTINEL, AuthorityClient
from harness.drive.calls import Accepted
from harness.drive.relay import Due, RelayClient
from harness.drive.subscriber import Subscriber
from harness.lanes.deployment import Deployment
from harness.model.errors import LaneError, ProtocolError
from harness.model.names import SIDES, Side, StreamKey
from harness.model.plan import BarrierStep, Command, CommandStep, Plan
from harness.model.timeline import BARRIER_MISSED, BARRIER_REACHED
from harness.recording.recorder import Recorder
from harness.wire.log_rows import log_events

# Once a barrier was missed the run has its finding; the later ones only have to be seen to fail too.
DEADLINE_AFTER_MISS_S = 5.0

Sentinels = dict[str, int]
"""Stream by plan name to the number of its sentinel on one authority."""


@dataclass(slots=True)
class Barriers:
    """Runs barriers one after another over the same deployment."""

    plan: Plan
    deployment: Deployment
    recorder: Recorder
    authorities: dict[str, AuthorityClient]
    relays: dict[Side, RelayClient]
    missed: bool = False

    async def run(self, step: BarrierStep, subscribers: list[Subscriber]) -> None:
        """Appends the sentinels, then waits. `barrier_reached` and `barrier_missed` in the timeline say how it went.

        `subscribers` are those that the plan has open now, without an `until`.
        """
        deadline_s = min(step.deadline_s, DEADLINE_AFTER_MISS_S) if self.missed else step.deadline_s
        marks = dict(zip(self.authorities, await self._append_all(step), strict=True))
        concerned = [one for one in subscribers if str(one.ask.reader.stream) in step.streams]
        reached = await asyncio.gather(
            *(self._await_subscriber(step, one, self._marks_of(one.side, marks), deadline_s) for one in concerned),
            *(self._await_relay(step, side, self._marks_of(side, marks), deadline_s) for side in SIDES),
        )
        self.missed = self.missed or not all(reached)

    def _marks_of(self, side: Side, marks: dict[str, Sentinels]) -> Sentinels:
        return marks[self.plan.topology.authority_of(side)]

    # sentinels

    async def _append_all(self, step: BarrierStep) -> list[Sentinels]:
        return await asyncio.gather(*(self._append(step, authority) for authority in self.authorities.values()))

    async def _append(self, step: BarrierStep, authority: AuthorityClient) -> Sentinels:
        """The sentinels of one authority. A stream whose sentinel was not accepted is left out."""
        sentinels: Sentinels = {}
        command_ids: set[str] = set()
        for command in _sentinel_commands(self.plan, step):
            said = await self._sent(step, authority, command)
            if said is not None and said.seq is not None:
                sentinels[str(command.stream)] = said.seq
                command_ids.add(said.command_id or "")
            else:
                self.missed = True
                facts = {"authority": authority.name, "stream": str(command.stream), "seq": None}
                self.recorder.event(BARRIER_MISSED, str(step.number), authority.side, **facts)
        for stream in step.streams:
            if StreamKey.parse(stream).kind == "fleet":
                sentinels |= await self._fleet_sentinel(step, authority, stream, command_ids)
        for stream, seq in sentinels.items():
            self.recorder.event("sentinel", str(step.number), authority=authority.name, stream=stream, seq=seq)
        return sentinels

    async def _sent(self, step: BarrierStep, authority: AuthorityClient, command: Command) -> Accepted | None:
        try:
            return await authority.send(command, purpose=SENTINEL, step=step.index)
        except LaneError:  # the run has no id here, so that nothing could be sent
            return None

    async def _fleet_sentinel(
        self, step: BarrierStep, authority: AuthorityClient, stream: str, command_ids: set[str]
    ) -> Sentinels:
        """Where the heartbeats of this barrier ended up in a fleet stream; empty when they are not in its log."""
        numbers: list[int] = []
        async for body in authority.log_pages(StreamKey.parse(stream), purpose="control", step=step.index):
            with contextlib.suppress(ProtocolError):
                numbers += [row.seq for row in log_events(body).rows if row.command_id in command_ids]
        return {stream: max(numbers)} if numbers else {}

    # waiting

    async def _await_subscriber(
        self, step: BarrierStep, subscriber: Subscriber, marks: Sentinels, deadline_s: float
    ) -> bool:
        stream = str(subscriber.ask.reader.stream)
        seq = marks.get(stream)
        asked_beyond = seq is not None and seq <= subscriber.ask.cursor
        reached = seq is not None and (asked_beyond or await subscriber.reached(seq, deadline_s))
        facts = {"subscription": subscriber.name, "stream": stream, "seq": seq, "last_seq": subscriber.seen}
        self._note(step, subscriber.side, reached, facts)
        return reached

    async def _await_relay(self, step: BarrierStep, side: Side, marks: Sentinels, deadline_s: float) -> bool:
        authority = self.authorities[self.plan.topology.authority_of(side)]
        window_events = self.deployment.lane(side).profile.retention_events
        topics = {await authority.topic(StreamKey.parse(stream)): stream for stream in marks}
        dues = [Due(topic, marks[stream], window_events) for topic, stream in topics.items()]
        overdue, status = await self.relays[side].overdue(dues, deadline_s)
        for due in overdue:
            seen = {"appended": status.appended.get(due.topic), "retained_from": status.retained_from.get(due.topic)}
            facts = {
                "relay": f"relay/{side}",
                "stream": topics[due.topic],
                "seq": due.seq,
                "last_error": status.last_error,
            }
            self._note(step, side, False, facts | seen)
        if not overdue:
            self._note(step, side, True, {"relay": f"relay/{side}", "streams": len(dues)})
        return not overdue

    def _note(self, step: BarrierStep, side: Side, reached: bool, facts: Mapping[str, object]) -> None:
        self.recorder.event(BARRIER_REACHED if reached else BARRIER_MISSED, str(step.number), side, **facts)


def _sentinel_commands(plan: Plan, step: BarrierStep) -> Iterator[Command]:
    """One command a run or worker stream; a fleet stream gets its sentinel from a worker's heartbeat."""
    key = f"parity:barrier:{step.number}"
    owners = {str(one.command.stream): one.command.user for one in _creations(plan)}
    for stream in step.streams:
        name, user = StreamKey.parse(stream).name, owners.get(stream, 1)
        match StreamKey.parse(stream).kind:
            case "run":
                payload = json.dumps({"barrier": step.number}, separators=(",", ":"))
                yield Command("append", name, user, "parity.sentinel", payload, key)
            case "worker":
                yield Command("heartbeat", name, user, key=key)


def _creations(plan: Plan) -> Iterator[CommandStep]:
    for step in plan.steps:
        if isinstance(step, CommandStep) and step.command.do in ("create_run", "register_worker"):
            yield step
