"""Carries out the fault and heal steps of a plan, and writes down what was seen of each (`harness.model.timeline`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.drive.authority import AuthorityClient, await_position
from harness.drive.dialects import wire_stream
from harness.drive.service_faults import ServiceFaults
from harness.drive.wire_faults import WireFaults
from harness.lanes.deployment import Deployment
from harness.model.errors import LaneError, UsageError
from harness.model.names import Side, StreamKey
from harness.model.plan import FaultStep, HealStep
from harness.model.timeline import FAULT, FAULT_PROVEN, FAULT_UNPROVEN, HEAL_FAILED, HEALED
from harness.recording.recorder import Recorder

_NOT_SHOWN = "nothing was seen of it before it was to end"


@dataclass(slots=True)
class Faults:
    """The faults of one plan that are under way, by name."""

    deployment: Deployment
    recorder: Recorder
    authorities: Mapping[str, AuthorityClient]
    services: ServiceFaults
    wires: WireFaults
    _standing: dict[str, FaultStep] = field(default_factory=dict)

    async def inject(self, step: FaultStep) -> None:
        """Does the fault of `step`. What could not be done, or was not seen, is in the timeline; the walk goes on."""
        fault = step.fault
        authority = self._authority_of(fault.subject)
        await await_position(step.after, step.index, [authority], self.recorder)
        self._standing[step.name] = step
        self._note(FAULT, step, step.index, kind=fault.kind)
        if fault.on_wire:
            topic = await authority.topic(StreamKey.parse(fault.stream)) if fault.stream else ""
            lane = self.deployment.lane(_side_of(fault.subject))
            self.wires.inject(step, wire_stream(lane, topic) if topic else "", self._proven)
            return
        try:
            proof = await self.services.do(fault)
        except LaneError as error:
            self._note(FAULT_UNPROVEN, step, step.index, why=str(error))
        else:
            self._proven(step, proof)

    async def heal(self, step: HealStep) -> None:
        """Ends the fault that `step` names. Raises UsageError for one that is not under way."""
        if step.name not in self._standing:
            raise UsageError(f"step {step.index} heals {step.name!r}, which no earlier step did; name a fault step")
        done = self._standing[step.name]
        await await_position(step.after, step.index, [self._authority_of(done.fault.subject)], self.recorder)
        del self._standing[step.name]
        try:
            if done.fault.on_wire:
                await self._await_sign(done)
                proof = await self.wires.heal(done)
            else:
                proof = await self.services.undo(done.fault)
        except LaneError as error:
            self._note(HEAL_FAILED, done, step.index, why=str(error))
        else:
            self._note(HEALED, done, step.index, proof=proof)

    async def finish(self) -> None:
        """At the plan's end: whether the faults of the wire that nothing healed have shown."""
        for step in self._standing.values():
            if step.fault.on_wire:
                await self._await_sign(step)

    async def _await_sign(self, step: FaultStep) -> None:
        if not await self.wires.shown(step.name):
            self._note(FAULT_UNPROVEN, step, step.index, why=_NOT_SHOWN)

    def _authority_of(self, subject: str) -> AuthorityClient:
        what, _, seat = subject.partition("/")
        return self.authorities[seat if what == "authority" else self.deployment.topology.authority_of(Side(seat))]

    def _proven(self, step: FaultStep, proof: Mapping[str, object]) -> None:
        self._note(FAULT_PROVEN, step, step.index, proof=proof)

    def _note(self, event: str, step: FaultStep, index: int, **detail: object) -> None:
        side = step.fault.subject.partition("/")[2]
        named = side if side in set(Side) else None
        self.recorder.event(event, step.fault.subject, named, step=index, name=step.name, **detail)


def _side_of(subject: str) -> Side:
    return Side(subject.partition("/")[2])
