"""Faults of a plan in a world made by hand: what the driver notes of them and of the barriers behind them."""

from typing import Any

from harness.history.transcript import COMMAND_PURPOSES
from harness.model.names import SIDES
from harness.model.plan import BarrierStep, Fault, FaultKind, FaultStep, HealStep, Plan, Step
from harness.model.timeline import FAULT, FAULT_PROVEN, HEALED
from tests.builders import World

NAME = "outage"


class Unmoved(World):
    """A world in which the plan's faults leave no trace; `struck` tells of one as the driver would."""

    def _do(self, step: Step) -> None:
        if not isinstance(step, FaultStep | HealStep):
            super()._do(step)


def outage(subject: str, kind: FaultKind = "kill") -> tuple[FaultStep, HealStep]:
    """The steps that take `subject` out and bring it back."""
    return FaultStep(0, NAME, Fault(kind, subject)), HealStep(0, NAME)


def struck(world: World, first: int, last: int, *, proven: bool = True, healed: bool = True) -> None:
    """Lets the plan's fault go on from just before its `first` command to just after its `last` one."""
    step = next(step for step in world.plan.steps if isinstance(step, FaultStep))
    commands = [row for row in world.exchanges if row["purpose"] in COMMAND_PURPOSES]
    begun_ns, over_ns = commands[first]["sent_ns"] - 1, commands[last]["answered_ns"] + 1
    named: dict[str, Any] = {"step": step.index, "name": step.name}
    world.noted(FAULT, step.fault.subject, begun_ns, kind=step.fault.kind, **named)
    if proven:
        world.noted(FAULT_PROVEN, step.fault.subject, begun_ns, proof={"exit_code": -9}, **named)
    if healed:
        world.noted(HEALED, step.fault.subject, over_ns, proof={"boot_id": "b2"}, **named)


def reached(world: World) -> None:
    """Lets every subscription reach every barrier, as every feed does."""
    for number in _barriers(world.plan):
        for side in SIDES:
            for link in world.links_of(side):
                name = f"{link.row['step']}/{side}"
                world.note("barrier_reached", str(number), side, subscription=name, stream=link.row["stream"])


def _barriers(plan: Plan) -> list[int]:
    return [step.number for step in plan.steps if isinstance(step, BarrierStep)]
