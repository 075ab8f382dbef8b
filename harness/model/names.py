"""Sides, topologies and stream keys."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from harness.model.errors import UsageError


class Side(StrEnum):
    """One of the two sides of a comparison. A side is a place, not a dialect."""

    LEGACY = "legacy"
    TARGET = "target"

    @property
    def other(self) -> "Side":
        """The side across."""
        return Side.TARGET if self is Side.LEGACY else Side.LEGACY


SIDES = (Side.LEGACY, Side.TARGET)


class Topology(StrEnum):
    """How authorities and lanes are wired together (architecture, section 3)."""

    MIRRORED = "mirrored"
    """One authority feeds both lanes."""
    ISOLATED = "isolated"
    """Each lane has its own authority; both get the identical command stream."""

    @property
    def authorities(self) -> tuple[str, ...]:
        """Names of the authorities of a run: `shared`, or one per side."""
        return ("shared",) if self is Topology.MIRRORED else (Side.LEGACY.value, Side.TARGET.value)

    def authority_of(self, side: Side) -> str:
        """Name of the authority whose log the lane of `side` delivers."""
        return "shared" if self is Topology.MIRRORED else side.value


@dataclass(frozen=True, slots=True, order=True)
class StreamKey:
    """A stream by its plan name: `run:r1`, `worker:w1`, `fleet:7`, else `other:<delivered name>`.

    Plan names make two authorities comparable: the run id that each of them made is bound to `r1`
    by the answer to the creating command (contract, section 14).
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key spelled `kind:name`. Raises UsageError for another spelling."""
        kind, colon, name = text.partition(":")
        if not colon or not name or kind not in ("run", "worker", "fleet", "other"):
            raise UsageError(f"stream {text!r} is not run:<name>, worker:<name> or fleet:<user id>")
        return cls(kind, name)

    def topic(self, bound_id: str) -> str:
        """The authority's name of this stream (contract, 1.9); `bound_id` replaces a run's plan name."""
        match self.kind:
            case "run":
                return f"run:{bound_id}:events"
            case "worker":
                return f"worker:{self.name}:lifecycle"
            case "fleet":
                return f"fleet:user:{self.name}:workers"
            case _:
                return self.name
