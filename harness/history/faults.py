"""The faults of the plan as they went: when each began, what proved it, when it ended (timeline words)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.model.plan import FaultStep, HealStep, Plan
from harness.model.timeline import FAULT, FAULT_PROVEN, FAULT_UNPROVEN, HEAL_FAILED, HEALED

_WORDS = (FAULT, FAULT_PROVEN, FAULT_UNPROVEN, HEALED, HEAL_FAILED)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One fault of the plan. Instants are monotonic nanoseconds; None = it was not noted.

    `proof` is what was seen of it, None = nothing; `why` says why it was not proven or could not be ended.
    """

    step: FaultStep
    heal: HealStep | None
    begun_ns: int | None
    proof: str | None
    healed_ns: int | None
    why: str

    @property
    def last_step(self) -> int:
        """Index of the step after which it has to be over: that of its heal, else its own."""
        return self.step.index if self.heal is None else self.heal.index

    def open_between(self, from_ns: int, to_ns: int) -> bool:
        """Whether it was going on at some instant of that stretch."""
        begun = self.begun_ns is not None and self.begun_ns <= to_ns
        return begun and (self.healed_ns is None or self.healed_ns >= from_ns)


def planned_faults(plan: Plan, timeline: Iterable[Mapping[str, Any]]) -> tuple[PlannedFault, ...]:
    """Every fault of the plan, in its order, with what the timeline says of it."""
    heals = {step.name: step for step in plan.steps if isinstance(step, HealStep)}
    noted: dict[str, dict[str, Mapping[str, Any]]] = {}
    for note in timeline:
        if note["event"] in _WORDS:
            noted.setdefault(str(note["detail"].get("name")), {}).setdefault(note["event"], note)
    return tuple(
        _fault(step, heals.get(step.name), noted.get(step.name, {}))
        for step in plan.steps
        if isinstance(step, FaultStep)
    )


def _fault(step: FaultStep, heal: HealStep | None, notes: Mapping[str, Mapping[str, Any]]) -> PlannedFault:
    proven, begun, healed = notes.get(FAULT_PROVEN), notes.get(FAULT), notes.get(HEALED)
    trouble = notes.get(HEAL_FAILED) or (None if proven else notes.get(FAULT_UNPROVEN))
    return PlannedFault(
        step=step,
        heal=heal,
        begun_ns=None if begun is None else begun["at_ns"],
        proof=None if proven is None else _text(proven["detail"].get("proof", "")),
        healed_ns=None if healed is None else healed["at_ns"],
        why="" if trouble is None else str(trouble["detail"].get("why", "")),
    )


def _text(proof: object) -> str:
    """What was seen, as words: members of an object one after the other."""
    if isinstance(proof, dict):
        return ", ".join(f"{name} {value}" for name, value in proof.items())
    return str(proof)


def delivery_faults(faults: Iterable[PlannedFault]) -> Iterator[PlannedFault]:
    """Those that take a lane or a relay out: no command may notice them (contract, 12)."""
    return (one for one in faults if one.step.fault.subject.partition("/")[0] in ("lane", "relay"))


def authority_faults(faults: Iterable[PlannedFault], authority: str) -> Iterator[PlannedFault]:
    """Those that take an authority out: its commands may go without an answer then."""
    return (one for one in faults if one.step.fault.subject == f"authority/{authority}")
