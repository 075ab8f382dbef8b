"""Walks a plan's steps in order and records what happens. It concludes nothing."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from harness.drive.authority import AuthorityClient, await_position
from harness.drive.barrier import Barriers
from harness.drive.checkpoints import Checkpoints
from harness.drive.database import DatabaseClient
from harness.drive.dialects import Reader
from harness.drive.exchange import HttpService
from harness.drive.faults import Faults
from harness.drive.heartbeat import beat
from harness.drive.reading import Reads
from harness.drive.relay import Due, RelayClient
from harness.drive.service_faults import ServiceFaults
from harness.drive.subscriber import Ask, Subscriber
from harness.drive.wire_faults import WireFaults, wire_proxies
from harness.drive.writers import Writers
from harness.lanes.deployment import Deployment
from harness.lanes.failures import first_failure
from harness.lanes.profile import SPACETIME_V1_JSON, TOPIC_WS
from harness.model.errors import UsageError
from harness.model.names import SIDES, Side, StreamKey
from harness.model.plan import (
    AckStep,
    BarrierStep,
    CommandStep,
    FaultStep,
    HealStep,
    Plan,
    ReadStep,
    Step,
    SubscribeStep,
    UnsubscribeStep,
)
from harness.recording.recorder import Recorder

SETTLE_DEADLINE_S = 30.0
FINISH_DEADLINE_S = 30.0
FIRST_APPEND_DEADLINE_S = 10.0


async def drive(plan: Plan, deployment: Deployment, recorder: Recorder) -> None:
    """Does what `plan` says to the lanes of `deployment`, and writes all of it to `recorder`, which stays open.

    Every wait has a deadline and ends early when the process behind it dies. A subscription that does not open, a
    barrier that is missed, a lane that dies: all that is in the recording, and the walk goes on. Raises LaneError
    when a run gets no id, UsageError for a plan that resumes what never began, HarnessError when the recording
    cannot be written. On cancellation the sockets are closed, `interrupted` is noted, and what was captured stays.
    """
    try:
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            walk = await _begin(plan, deployment, recorder, stack, group)
            await walk.run()
    except asyncio.CancelledError:
        recorder.event("interrupted", plan.name)
        recorder.flush()
        raise
    except BaseExceptionGroup as failures:
        failure = first_failure(failures)
        recorder.event("aborted", plan.name, error=str(failure))
        raise failure from None


async def _begin(
    plan: Plan, deployment: Deployment, recorder: Recorder, stack: AsyncExitStack, group: asyncio.TaskGroup
) -> "_Walk":
    """Clients for every service of the deployment, closed with `stack`; watchers and the heartbeat in `group`."""
    authorities = await _authority_clients(plan, deployment, recorder, stack)
    relays = await _relay_clients(plan, deployment, stack)
    lanes = {
        side: await stack.enter_async_context(HttpService(recorder, f"lane/{side}", side, deployment.lane(side).url))
        for side in SIDES
    }
    databases = {
        side: DatabaseClient(deployment.lane(side).database or "", lanes[side], deployment.secrets)
        for side in SIDES
        if deployment.lane(side).dialect == SPACETIME_V1_JSON
    }
    checkpoints = Checkpoints(deployment, recorder, authorities, databases)
    proxies = await stack.enter_async_context(wire_proxies(plan, deployment))
    services = ServiceFaults(deployment, authorities, relays)
    faults = Faults(deployment, recorder, authorities, services, WireFaults(plan, group, proxies))
    return _Walk(
        plan=plan,
        deployment=deployment,
        recorder=recorder,
        group=group,
        authorities=authorities,
        relays=relays,
        writers=Writers(list(authorities.values()), recorder, group),
        barriers=Barriers(plan, deployment, recorder, authorities, relays),
        reads=Reads(plan, deployment, recorder, authorities, lanes, databases, checkpoints, group),
        checkpoints=checkpoints,
        faults=faults,
    )


async def _authority_clients(
    plan: Plan, deployment: Deployment, recorder: Recorder, stack: AsyncExitStack
) -> dict[str, AuthorityClient]:
    clients: dict[str, AuthorityClient] = {}
    for name in plan.topology.authorities:
        side = None if name == "shared" else name
        http = HttpService(recorder, f"authority/{name}", side, deployment.authority_url(name))
        await stack.enter_async_context(http)
        clients[name] = AuthorityClient(name, http, deployment.secrets, recorder)
    return clients


async def _relay_clients(plan: Plan, deployment: Deployment, stack: AsyncExitStack) -> dict[Side, RelayClient]:
    clients: dict[Side, RelayClient] = {}
    for side in SIDES:
        path = (f"authority/{plan.topology.authority_of(side)}", f"relay/{side}", f"lane/{side}")
        relay = RelayClient(deployment.relay(side), [deployment.service(subject) for subject in path])
        clients[side] = await stack.enter_async_context(relay)
    return clients


@dataclass(slots=True)
class _Walk:
    """One plan being driven: its clients, and every subscriber that was ever opened."""

    plan: Plan
    deployment: Deployment
    recorder: Recorder
    group: asyncio.TaskGroup
    authorities: dict[str, AuthorityClient]
    relays: dict[Side, RelayClient]
    writers: Writers
    barriers: Barriers
    reads: Reads
    checkpoints: Checkpoints
    faults: Faults
    open: list[Subscriber] = field(default_factory=list)
    latest: dict[tuple[str, str], list[Subscriber]] = field(default_factory=dict)
    """By subscriber and stream: the subscriptions of its last step, which hold its position."""

    async def run(self) -> None:
        """All steps, then the end: everything closed, `run_finished` noted."""
        beside = [self.group.create_task(beat(self.recorder))]
        beside += [self.group.create_task(self._watch(one)) for one in self.authorities.values()]
        await self.reads.begin()
        for step in self.plan.steps:
            await self._step(step)
        await self.writers.drain()
        await self.faults.finish()
        await self._close(list(self.open), "plan_end")
        self.writers.dismiss()
        for task in beside:
            task.cancel()
        self.recorder.event("run_finished", self.plan.name)
        self.recorder.flush()

    async def _step(self, step: Step) -> None:
        match step:
            case CommandStep():
                self.writers.give(step)
            case SubscribeStep():
                await self._subscribe(step)
            case UnsubscribeStep():
                await self._unsubscribe(step)
            case AckStep():
                earlier = self.latest.get((step.subscriber, step.stream), [])
                await self.checkpoints.ack(step, lambda side: _position(step, side, earlier))
            case FaultStep():
                await self.faults.inject(step)
            case HealStep():
                await self.faults.heal(step)
            case BarrierStep():
                await self._barrier(step)
            case ReadStep():
                await self.writers.drain()
                await self.reads.run(step)

    async def _barrier(self, step: BarrierStep) -> None:
        await self.writers.drain()
        await self.barriers.run(step, [one for one in self.open if one.ask.until is None])
        if not any(isinstance(following, ReadStep) for following in self.plan.steps[step.index + 1 :][:1]):
            await self.reads.heads(step)

    async def _watch(self, authority: AuthorityClient) -> None:
        await self.deployment.service(f"authority/{authority.name}").died.wait()
        authority.progress.gone("its process has died")

    def _authorities_of(self, sides: tuple[Side, ...]) -> list[AuthorityClient]:
        names = dict.fromkeys(self.plan.topology.authority_of(side) for side in sides)
        return [self.authorities[name] for name in names]

    # subscriptions

    async def _subscribe(self, step: SubscribeStep) -> None:
        """Opens one subscription a side and waits until each opened, was refused or gave up.

        Where the lane is out of order by plan nobody waits: it opens once the lane is healed.
        """
        await await_position(step.after, step.index, self._authorities_of(step.sides), self.recorder)
        earlier = self.latest.get((step.subscriber, step.stream), [])
        await self._finish([one for one in self.open if one.ask.reader.name == step.subscriber])
        opened = await asyncio.gather(*(self._open(step, side, earlier) for side in step.sides))
        self.latest[step.subscriber, step.stream] = opened
        awaited = [one for one in opened if not self._in_outage(one.side)]
        settled = [asyncio.wait_for(one.settled.wait(), SETTLE_DEADLINE_S) for one in awaited]
        for one, result in zip(awaited, await asyncio.gather(*settled, return_exceptions=True), strict=True):
            if isinstance(result, TimeoutError):
                self.recorder.event("not_opened", one.name, one.side, within_s=SETTLE_DEADLINE_S)

    async def _open(self, step: SubscribeStep, side: Side, earlier: list[Subscriber]) -> Subscriber:
        stream = StreamKey.parse(step.stream)
        topic = await self.authorities[self.plan.topology.authority_of(side)].topic(stream)
        lane = self.deployment.lane(side)
        if lane.dialect == TOPIC_WS and stream.kind != "run" and not self._in_outage(side):
            # This dialect refuses readers of a worker that it has not heard of (contract 7.1).
            await self.relays[side].overdue([Due(topic, 1, None)], FIRST_APPEND_DEADLINE_S)
        cursor = _position(step, side, earlier) if step.cursor is None else step.cursor
        reader = Reader(stream, topic, step.user, step.subscriber)
        ask = Ask("subscriber", step.index, reader, cursor, step.until, step.policy)
        subscriber = Subscriber(
            ask,
            await self.faults.wires.handle(lane, step.subscriber),
            self.deployment.secrets,
            self.recorder,
            self.deployment.service(f"lane/{side}").died,
            lambda: self._in_outage(side),
        )
        self.open.append(subscriber)
        subscriber.start(self.group)
        return subscriber

    def _in_outage(self, side: Side) -> bool:
        return f"lane/{side}" in self.deployment.outages

    async def _unsubscribe(self, step: UnsubscribeStep) -> None:
        await await_position(step.after, step.index, self._authorities_of(step.sides), self.recorder)
        concerned = [one for one in self.open if one.ask.reader.name == step.subscriber and one.side in step.sides]
        await self._close(concerned, "unsubscribed")

    async def _close(self, subscribers: list[Subscriber], reason: str) -> None:
        """Lets those with an `until` get there, closes the others."""
        await self._finish(subscribers)
        await asyncio.gather(*(one.close(reason) for one in subscribers))
        self.open = [one for one in self.open if one not in subscribers]

    async def _finish(self, subscribers: list[Subscriber]) -> None:
        with_end = [one for one in subscribers if one.ask.until is not None]
        await asyncio.gather(*(one.finish(FINISH_DEADLINE_S) for one in with_end))
        self.open = [one for one in self.open if one not in with_end]


def _position(step: SubscribeStep | AckStep, side: Side, earlier: list[Subscriber]) -> int:
    """What the subscriber last applied: on this side if its last step was here too, else on the other."""
    if not earlier:
        does, missing = ("acknowledges", "seq") if isinstance(step, AckStep) else ("resumes", "cursor")
        raise UsageError(
            f"step {step.index}: {step.subscriber} {does} {step.stream} but never read it; give a {missing}"
        )
    here = [one.applied for one in earlier if one.side is side]
    return max(here or [one.applied for one in earlier])
