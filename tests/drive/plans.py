"""Small plans for the driver's tests, spelled step by step."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from harness.model.names import SIDES, Side, Topology
from harness.model.plan import (
    AckStep,
    After,
    BarrierStep,
    Command,
    CommandStep,
    Expectation,
    Fault,
    FaultKind,
    FaultStep,
    HealStep,
    Plan,
    Policy,
    ReadStep,
    Step,
    SubscribeStep,
    UnsubscribeStep,
)

StepOf = Callable[[int], Step]
USUAL = Policy()


def plan(*steps: StepOf, topology: Topology = Topology.MIRRORED) -> Plan:
    """A plan of those steps, numbered in order."""
    return Plan("small", "a small plan", (), topology, 1, tuple(step(index) for index, step in enumerate(steps)))


def command(given: Command, writer: str = "main", after: After | None = None) -> StepOf:
    return lambda index: CommandStep(index, writer, given, Expectation(), None, after)


def create(run: str = "r1", user: int = 1) -> StepOf:
    return command(Command("create_run", run, user))


def append(payload: str = "{}", run: str = "r1", user: int = 1, key: str | None = None, writer: str = "main") -> StepOf:
    return command(Command("append", run, user, "note", payload, key), writer)


def register(worker: str = "w1", user: int = 1) -> StepOf:
    return command(Command("register_worker", worker, user))


def subscribe(
    subscriber: str,
    stream: str = "run:r1",
    sides: tuple[Side, ...] = SIDES,
    cursor: int | None = 0,
    until: int | None = None,
    user: int = 1,
    after: After | None = None,
    policy: Policy = USUAL,
) -> StepOf:
    return lambda index: SubscribeStep(index, subscriber, sides, stream, cursor, until, user, policy, after)


def unsubscribe(subscriber: str, sides: tuple[Side, ...] = SIDES, after: After | None = None) -> StepOf:
    return lambda index: UnsubscribeStep(index, subscriber, sides, after)


def barrier(*streams: str, number: int = 1, deadline_s: float = 10.0) -> StepOf:
    return lambda index: BarrierStep(index, number, streams or ("run:r1",), deadline_s)


def read(*streams: str) -> StepOf:
    return lambda index: ReadStep(index, streams or ("run:r1",))


def fault(kind: FaultKind, subject: str, after: After | None = None, name: str = "it") -> StepOf:
    return lambda index: FaultStep(index, name, Fault(kind, subject), after)


def wire_fault(kind: FaultKind, side: Side, seq: int, subscriber: str | None = None, name: str = "it") -> StepOf:
    """At event `seq` of run r1."""
    return lambda index: FaultStep(index, name, Fault(kind, f"wire/{side}", subscriber, "run:r1", seq))


def heal(name: str = "it", after: After | None = None) -> StepOf:
    return lambda index: HealStep(index, name, after)


def ack(
    subscriber: str,
    seq: int | None = None,
    stream: str = "run:r1",
    sides: tuple[Side, ...] = SIDES,
    expect: Literal["kept", "ignored", "refused"] = "kept",
) -> StepOf:
    return lambda index: AckStep(index, subscriber, sides, stream, seq, expect)


def isolated(mirrored: Plan) -> Plan:
    """The same steps with an authority a side."""
    return replace(mirrored, topology=Topology.ISOLATED)
