"""What an operator is: a fault, where it applies, and the effect it declares (failure classes sheet)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side
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


Apply = Callable[[Tape, Side, Random], bool]
"""Cuts the tape on a side; False when the tape has no place for this fault (n/a, counted)."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One planted fault. `both` = it is applied to both sides at once; its blame is then `blames` as it stands."""

    name: str
    effect: Effect
    classes: frozenset[FailureClass]
    apply: Apply
    sides: tuple[Side, ...] = SIDES
    blames: frozenset[Blame] = frozenset()
    feed: bool = False
    mirrored_only: bool = False

    @property
    def both(self) -> bool:
        """Whether the fault sits on no single side."""
        return bool(self.blames)

    def blames_on(self, side: Side) -> frozenset[Blame]:
        """Who may be blamed when it is applied on `side`."""
        if self.blames:
            return self.blames
        return frozenset({Blame.feed_of(side) if self.feed else Blame.of(side)})
