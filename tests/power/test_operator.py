"""What an operator declares."""

from dataclasses import replace
from random import Random

import pytest

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side, Topology
from harness.power.operator import Effect, Operator, Seat, block
from harness.power.tape import Tape


def nowhere(_: Tape, __: Side, ___: Random) -> bool:
    """A fault without a place."""
    return False


FAULT = block("a fault", nowhere, FailureClass.MISSING)


@pytest.mark.parametrize(
    ("seat", "sides", "both"),
    [
        (Seat.ONE_SIDE, SIDES, False),
        (Seat.LEGACY, (Side.LEGACY,), False),
        (Seat.TARGET, (Side.TARGET,), False),
        (Seat.BOTH, (Side.LEGACY,), True),
        (Seat.AUTHORITY, (Side.LEGACY,), True),
        (Seat.PLAN, (Side.LEGACY,), True),
    ],
)
def test_seat_says_on_which_sides_a_fault_is_planted(seat: Seat, sides: tuple[Side, ...], both: bool) -> None:
    """A fault of one side is planted on each in turn, one of no single side once."""
    operator = replace(FAULT, seat=seat)

    assert (sides, both) == (operator.sides, operator.both)


@pytest.mark.parametrize(
    ("operator", "blames"),
    [
        (FAULT, {Blame.TARGET}),
        (replace(FAULT, feed=True), {Blame.TARGET_FEED}),
        (replace(FAULT, seat=Seat.BOTH), {Blame.BOTH}),
        (replace(FAULT, seat=Seat.AUTHORITY), {Blame.AUTHORITY}),
        (replace(FAULT, seat=Seat.PLAN), set()),
        (replace(FAULT, blames=frozenset({Blame.UNDECIDED})), {Blame.UNDECIDED}),
    ],
)
def test_blame_follows_the_seat_unless_it_is_declared(operator: Operator, blames: set[Blame]) -> None:
    """A lane's fault is blamed on that lane, a feed's on that feed, and a fault of both on whom it names."""
    assert blames == operator.blames_on(Side.TARGET)


def test_block_declares_its_classes() -> None:
    """The usual operator blocks."""
    assert Operator("a fault", Effect.BLOCK, frozenset({FailureClass.MISSING}), nowhere) == FAULT


@pytest.mark.parametrize(
    ("operator", "skipped_on"),
    [
        (FAULT, ""),
        (replace(FAULT, seat=Seat.TARGET, elsewhere="no hash"), "legacy"),
        (replace(FAULT, seat=Seat.LEGACY, elsewhere="no stale answer"), "target"),
        (replace(FAULT, topology=Topology.MIRRORED, elsewhere="two instants"), "isolated"),
        (replace(FAULT, topology=Topology.ISOLATED), ""),
    ],
)
def test_fault_that_a_wire_cannot_show_is_named_with_its_place(operator: Operator, skipped_on: str) -> None:
    """What is n/a by nature is skipped by name, never silently."""
    assert skipped_on == operator.skipped_on
