"""Faults between a lane and its subscribers: who is led through a proxy, and when a fault has shown."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from harness.faults.wire import WireProxy
from harness.lanes.deployment import Deployment, LaneHandle
from harness.model.names import SIDES, Side
from harness.model.plan import Fault, FaultStep, Plan

Proof = Mapping[str, object]
OnProof = Callable[[FaultStep, Proof], None]

PROOF_DEADLINE_S = 10.0
"""How long a fault may still take to show once somebody wants to heal it, or the plan has ended."""
_WHOLE_PLAN_S = 3600.0


@dataclass(slots=True)
class WireFaults:
    """The proxies of one plan, one a side that has faults of the wire; none where it has none."""

    plan: Plan
    group: asyncio.TaskGroup
    proxies: Mapping[Side, WireProxy]
    _watched: dict[str, asyncio.Task[bool]] = field(default_factory=dict)

    async def handle(self, lane: LaneHandle, subscriber: str) -> LaneHandle:
        """`lane` as that subscriber reaches it: through the proxy if a fault of the plan is meant for it."""
        concerned = any(fault.subscriber in (None, subscriber) for fault in _faults(self.plan, lane.side))
        return replace(lane, url=await self.proxies[lane.side].url_for(subscriber)) if concerned else lane

    def inject(self, step: FaultStep, wire_stream: str, on_proof: OnProof) -> None:
        """Sets the rule; when it has acted, `on_proof` is told, whenever that is."""
        self._proxy(step).inject(step.name, step.fault, wire_stream)
        self._watched[step.name] = self.group.create_task(self._watch(step, on_proof))

    async def shown(self, name: str) -> bool:
        """Whether the fault has acted, which it may still do within `PROOF_DEADLINE_S`. Asked once a fault."""
        watching = self._watched.pop(name)
        done, _ = await asyncio.wait({watching}, timeout=PROOF_DEADLINE_S)
        if not done:
            watching.cancel()
        return bool(done) and watching.result()

    async def heal(self, step: FaultStep) -> Proof:
        """Ends the fault of `step`; what was seen of that."""
        return await self._proxy(step).heal(step.name)

    def _proxy(self, step: FaultStep) -> WireProxy:
        return self.proxies[Side(step.fault.subject.partition("/")[2])]

    async def _watch(self, step: FaultStep, on_proof: OnProof) -> bool:
        proof = await self._proxy(step).proven(step.name, _WHOLE_PLAN_S)
        if proof is not None:
            on_proof(step, proof)
        return proof is not None


@asynccontextmanager
async def wire_proxies(plan: Plan, deployment: Deployment) -> AsyncIterator[Mapping[Side, WireProxy]]:
    """A running proxy in front of each lane whose wire `plan` breaks; all have stopped afterwards."""
    proxies: dict[Side, WireProxy] = {}
    async with AsyncExitStack() as stack:
        for side in SIDES:
            if _faults(plan, side):
                lane = deployment.lane(side)
                proxies[side] = WireProxy(side, lane.url, lane.dialect)
                stack.push_async_callback(proxies[side].stop)
                await proxies[side].start()
        yield proxies


def _faults(plan: Plan, side: Side) -> list[Fault]:
    steps = [step for step in plan.steps if isinstance(step, FaultStep)]
    return [step.fault for step in steps if step.fault.on_wire and step.fault.subject == f"wire/{side}"]
