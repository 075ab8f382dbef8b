"""What an operator is: a fault, where it applies, and the effect it declares (failure classes sheet)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side, Topology
from harness.power.tape import Tape


class Effect(StrEnum):
    """What the gate must make of the fault."""

    BLOCK = "block"
    """Exit 1 with the declared classes and no blame but the declared one."""
    COUNT = "count"
    """Exit 0, shown as explained."""
    SILENT = "silent"
    """Exit 0, nothing more to show than before."""
    INCONCLUSIVE = "inconclusive"
    """Exit 10."""


class Seat(StrEnum):
    """Where the fault sits."""

    ONE_SIDE = "one side"
    LEGACY = "legacy"
    TARGET = "target"
    BOTH = "both sides"
    AUTHORITY = "authority"
    PLAN = "plan"

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides it is applied on, each by itself; one where it sits on no single side."""
        match self:
            case Seat.ONE_SIDE:
                return SIDES
            case Seat.TARGET:
                return (Side.TARGET,)
            case _:
                return (Side.LEGACY,)


_SEAT_BLAMES = {
    Seat.AUTHORITY: frozenset({Blame.AUTHORITY}),
    Seat.BOTH: frozenset({Blame.BOTH}),
    Seat.PLAN: frozenset[Blame](),
}


@dataclass(frozen=True, slots=True)
class Declared:
    """What the gate must make of a fault: every class must come out, with no blame but one of `blames`, and each check
    of `seen_by` must see one of the classes.
    """

    effect: Effect
    classes: frozenset[FailureClass]
    blames: frozenset[Blame]
    seen_by: frozenset[str] = frozenset()


Apply = Callable[[Tape, Side, Random], bool]
"""Cuts the tape on a side; False when the tape has no place for this fault (n/a, counted)."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One planted fault and the effect that it declares.

    `classes` must all come out, with no blame but one of `blames`; where none is named, the seat answers: that side
    (or its feed, if `feed`), both, or the authority.
    """

    name: str
    effect: Effect
    classes: frozenset[FailureClass]
    apply: Apply
    seat: Seat = Seat.ONE_SIDE
    blames: frozenset[Blame] = frozenset()
    feed: bool = False
    topology: Topology | None = None
    """The only topology in which it is a fault; None = either."""
    elsewhere: str = ""
    """Why it is not applied on the other side, or in the other topology, where the sheet wants a reason (n/a)."""
    seen_by: frozenset[str] = frozenset()
    """Checks that must each see one of the classes: angles that the contract asks for by name."""

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides it is applied on, each by itself."""
        return self.seat.sides

    @property
    def both(self) -> bool:
        """Whether the fault sits on no single side."""
        return self.seat in _SEAT_BLAMES

    @property
    def skipped_on(self) -> str:
        """The side or topology on which, as `elsewhere` says, there is no such fault; empty where it says nothing."""
        if not self.elsewhere:
            return ""
        if self.topology is not None:
            return next(topology.value for topology in Topology if topology is not self.topology)
        return self.sides[0].other.value

    def declared_on(self, side: Side) -> Declared:
        """What must come out when it is applied on `side`."""
        return Declared(self.effect, self.classes, self.blames_on(side), self.seen_by)

    def blames_on(self, side: Side) -> frozenset[Blame]:
        """Who may be blamed when it is applied on `side`."""
        if self.blames:
            return self.blames
        if self.both:
            return _SEAT_BLAMES[self.seat]
        return frozenset({Blame.feed_of(side) if self.feed else Blame.of(side)})


def block(name: str, apply: Apply, *classes: FailureClass, **more: Any) -> Operator:
    """An operator that must block with `classes`; `more` are members of Operator."""
    return Operator(name, Effect.BLOCK, frozenset(classes), apply, **more)
